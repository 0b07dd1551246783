// A training step of a dense network by the library's kernels, with its promise of the same bits for any team and
// without. Compiled by benchmarks/exactness.py, as the library is or with -ffast-math.
//
//     exactness step outputs|rows THREADS BATCH WIDTH WIDTH .. < SECONDS      a line of SECONDS: one measurement
//     exactness functions
//
// outputs: as in the library, workers split the outputs of every product, and meet where the next needs what others
// wrote. rows: each worker takes its rows of the batch through the whole network, and adds up a gradient of its own;
// the update adds those. step prints the loss after kFirst steps, then microseconds a step for each line of SECONDS.
// functions prints nanoseconds an element and the largest relative error of the library's functions, and of a plain
// loop over <cmath>, which a compiler vectorises only where it may change the results.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "benchmarks/kernels.h"
#include "core/ftz.h"

namespace hl {
namespace here {
namespace {

using Number = float;
constexpr int kFirst = 3;  // later Adam makes the rounding errors of vanishing gradients as large as any other step
constexpr int kSpins = 4000;
constexpr int kBatches = 64;  // between two looks at the clock

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct Free {
  void operator()(void* p) const { std::free(p); }
};
template <class T>
using Array = std::unique_ptr<T[], Free>;
template <class T>
Array<T> zeros(int64_t size) {
  const size_t bytes = (size_t(size) * sizeof(T) + 4095) / 4096 * 4096 + 4096;
  T* data = static_cast<T*>(std::aligned_alloc(4096, bytes));
  std::memset(data, 0, bytes);
  return Array<T>(data);
}

Number noise(int64_t i) { return Number((uint64_t(i) * 2654435761u >> 7) % 10007) / 5003.5f - 1; }

class Meeting {
 public:
  explicit Meeting(int count) : count_(count) {}
  void wait(int& round) {
    ++round;
    arrived_.fetch_add(1, std::memory_order_acq_rel);
    for (int spin = 0; arrived_.load(std::memory_order_acquire) < round * count_; ++spin) {
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
      if (spin > kSpins) std::this_thread::yield();  // a partner has lost its core
    }
  }

 private:
  const int count_;
  std::atomic<int> arrived_{0};
};

struct Layer {
  int64_t K, N;
  PanelShape w{}, b{};
  Array<Number> weight, bias, transposed, y, dz;
  std::vector<Array<Number>> dw, db;  // of each worker; the first one alone where outputs are split
  Array<Number> slots[4];             // of w, of b
  int64_t ld = 0;                     // of y and dz
};

class Network {
 public:
  Network(const std::vector<int64_t>& widths, int64_t batch, int threads, bool by_rows)
      : batch_(batch), threads_(threads), by_rows_(by_rows) {
    constexpr int64_t NR = panel_columns<Number>();
    ldx_ = row_stride(widths[0], sizeof(Number));
    x_ = zeros<Number>(batch * ldx_);
    for (int64_t i = 0; i < batch * ldx_; ++i) x_[size_t(i)] = noise(i);
    labels_ = zeros<int32_t>(batch);
    for (int64_t i = 0; i < batch; ++i) labels_[size_t(i)] = int32_t(i * 7 % widths.back());
    values_ = zeros<double>(batch);
    for (size_t l = 0; l + 1 < widths.size(); ++l) {
      Layer a;
      a.K = widths[l];
      a.N = widths[l + 1];
      a.w = {a.K, a.N};
      a.b = {1, a.N};
      a.ld = row_stride(a.N, sizeof(Number));
      a.weight = zeros<Number>(a.w.elements(NR));
      for (int64_t k = 0; k < a.K; ++k)
        for (int64_t n = 0; n < a.N; ++n)
          a.weight[size_t((n / NR * a.K + k) * NR + n % NR)] = noise(k * a.N + n) * 2 / std::sqrt(Number(a.K));
      a.bias = zeros<Number>(a.b.elements(NR));
      a.transposed = zeros<Number>(PanelShape{a.N, a.K}.elements(NR));
      a.y = zeros<Number>(batch * a.ld);
      a.dz = zeros<Number>(batch * a.ld);
      for (int w = 0; w < (by_rows ? threads : 1); ++w) {
        a.dw.push_back(zeros<Number>(a.w.elements(NR)));
        a.db.push_back(zeros<Number>(a.b.elements(NR)));
      }
      for (int s = 0; s < 4; ++s) a.slots[s] = zeros<Number>((s < 2 ? a.w : a.b).elements(NR));
      layers_.push_back(std::move(a));
    }
  }

  // Microseconds a step, of as many steps as `seconds` have time for, or of `steps`.
  double run(double seconds, int64_t steps) {
    Meeting meeting(threads_);
    std::atomic<bool> stop{false};
    const int64_t first = step_;
    const double start = now();
    const auto work = [&](int id) {
      FlushToZero scope;
      int round = 0;
      for (int64_t done = 0;; ++done) {
        if (id == 0 && (steps > 0 ? done == steps : done % kBatches == 0 && now() - start > seconds)) stop.store(true);
        meeting.wait(round);
        if (stop.load()) return;
        one_step({id, threads_}, meeting, round, first + done);
        if (id == 0) ++step_;
      }
    };
    std::vector<std::thread> team;
    for (int id = 1; id < threads_; ++id) team.emplace_back(work, id);
    work(0);
    for (std::thread& t : team) t.join();
    return 1e6 * (now() - start) / double(step_ - first);
  }

  double loss() const {
    double total = 0;
    for (int64_t i = 0; i < batch_; ++i) total += values_[size_t(i)];
    return total / double(batch_);
  }

 private:
  // Where outputs are split the whole batch, by this worker's share; else this worker's rows, alone.
  void one_step(Worker w, Meeting& meeting, int& round, int64_t step) {
    const Span rows = by_rows_ ? share(batch_, w) : Span{0, batch_};
    const Worker part = by_rows_ ? Worker{} : w;
    RunState run;
    run.rows = rows.end - rows.begin;
    run.step = step;
    run.learning_rate = 1e-3;
    const auto meet = [&] {
      if (!by_rows_) meeting.wait(round);
    };
    const size_t last = layers_.size() - 1;
    for (size_t l = 1; l <= last; ++l)
      panel_transpose<Number>({layers_[l].weight.get(), layers_[l].transposed.get(), layers_[l].w}, run, w);
    for (size_t l = 0; l <= last; ++l) {
      forward(l, rows, run, part);
      meet();
    }
    loss_forward<Number>(loss_of(rows), run, part);
    meeting.wait(round);  // both: the transposed weights, too
    for (size_t l = last; l > 0; --l) {
      backward_input(l, rows, run, part);
      meet();
    }
    for (size_t l = last + 1; l-- > 0;) backward_params(l, rows, run, part, by_rows_ ? size_t(w.id) : 0);
    meeting.wait(round);
    for (Layer& a : layers_) update(a, run, w);
  }

  Tensor input(size_t l, int64_t row) {
    Number* data = l == 0 ? x_.get() : layers_[l - 1].y.get();
    const int64_t ld = l == 0 ? ldx_ : layers_[l - 1].ld;
    return {data + row * ld, ld};
  }

  static Tensor at(const Array<Number>& array, int64_t row, int64_t ld) { return {array.get() + row * ld, ld}; }

  void forward(size_t l, Span rows, const RunState& run, Worker w) {
    const Layer& a = layers_[l];
    const Activation f{l + 1 < layers_.size() ? ActivationKind::relu : ActivationKind::identity, 0};
    dense_forward<Number>(
        {input(l, rows.begin), a.weight.get(), a.bias.get(), at(a.y, rows.begin, a.ld), a.K, a.N, 1, f, {}}, run, w);
  }

  LossForward loss_of(Span rows) {
    const Layer& a = layers_.back();
    LossForward loss{};
    loss.pred = at(a.y, rows.begin, a.ld);
    loss.target = {labels_.get() + rows.begin, 1};
    loss.gradient = at(a.dz, rows.begin, a.ld);
    loss.values = values_.get() + rows.begin;
    loss.groups = 1;
    loss.columns = a.N;
    loss.kind = LossKind::sparse_categorical_crossentropy_from_logits;
    loss.mean = true;
    loss.target_scale = loss.value_scale = 1;
    loss.loss_weight = double(rows.end - rows.begin) / double(batch_);
    return loss;
  }

  void backward_input(size_t l, Span rows, const RunState& run, Worker w) {
    const Layer &a = layers_[l], &below = layers_[l - 1];
    dense_backward_input<Number>({at(a.dz, rows.begin, a.ld), a.weight.get(), a.transposed.get(), input(l, rows.begin),
                                  at(below.dz, rows.begin, below.ld), a.K, a.N, 1, {ActivationKind::relu, 0}},
                                 run, w);
  }

  void backward_params(size_t l, Span rows, const RunState& run, Worker w, size_t mine) {
    const Layer& a = layers_[l];
    dense_backward_params<Number>({input(l, rows.begin), at(a.dz, rows.begin, a.ld), a.dw[mine].get(),
                                   a.db[mine].get(), a.K, a.N, 1},
                                  run, w);
  }

  void update(Layer& a, const RunState& run, Worker w) {
    Optimizer adam;
    adam.kind = OptimizerKind::adam;
    adam.beta_1 = 0.9;
    adam.beta_2 = 0.999;
    adam.epsilon = 1e-7;
    const OptimizerRange ranges[] = {
        {a.weight.get(), nullptr, {a.slots[0].get(), a.slots[1].get(), nullptr}, a.w},
        {a.bias.get(), nullptr, {a.slots[2].get(), a.slots[3].get(), nullptr}, a.b},
    };
    const std::vector<Array<Number>>* gradients[] = {&a.dw, &a.db};
    with_rule<Number>(adam, run, [&](const auto& rule, auto slots) {
      for (int r = 0; r < 2; ++r) {
        const std::vector<Array<Number>>& g = *gradients[r];
        update_range<Number, slots>(rule, ranges[r], w, [&](int64_t, int64_t, int64_t, int64_t i) {
          Vec<Number> sum = Vec<Number>::load(g[0].get() + i);
          for (size_t other = 1; other < g.size(); ++other) sum += Vec<Number>::load(g[other].get() + i);
          return sum;
        });
      }
    });
  }

  const int64_t batch_;
  const int threads_;
  const bool by_rows_;
  int64_t ldx_ = 0, step_ = 0;
  Array<Number> x_;
  Array<int32_t> labels_;
  Array<double> values_;
  std::vector<Layer> layers_;
};

// ---- Functions. ----

constexpr int64_t kElements = 4096;  // of the level-1 cache

template <class Loop>
double nanoseconds(Loop loop) {
  double least = 1e9;
  for (int round = 0; round < 300; ++round) {
    const double start = now();
    for (int r = 0; r < 20; ++r) {
      loop();
      __asm__ volatile("" : : : "memory");
    }
    least = std::min(least, (now() - start) / 20);
  }
  return 1e9 * least / kElements;
}

template <class Own, class Plain, class Exact>
void function(const char* name, Number low, Number high, Own own, Plain plain, Exact exact) {
  const Array<Number> x = zeros<Number>(kElements), y = zeros<Number>(kElements);
  for (int64_t i = 0; i < kElements; ++i) x[size_t(i)] = low + (high - low) * (noise(i) + 1) / 2;
  const Number* from = x.get();
  Number* to = y.get();
  const auto error = [&] {
    double worst = 0;
    for (int64_t i = 0; i < kElements; ++i) {
      const double want = exact(double(from[i]));
      worst = std::max(worst, std::abs(double(to[i]) - want) / std::abs(want));
    }
    return worst;
  };
  const double mine = nanoseconds([&] {
    for (int64_t i = 0; i < kElements; i += Vec<Number>::kLanes) own(Vec<Number>::load(from + i)).store(to + i);
  });
  const double my_error = error();
  const double theirs = nanoseconds([&] {
    for (int64_t i = 0; i < kElements; ++i) to[i] = plain(from[i]);
  });
  std::printf("%s %.4f %.2e %.4f %.2e\n", name, mine, my_error, theirs, error());
}

void functions() {
  const auto log_of = [](auto x) { return log(x); };
  function("exp", -20, 20, [](auto x) { return exp(x); }, [](Number x) { return std::exp(x); },
           [](double x) { return std::exp(x); });
  function("log", 2, 1000, log_of, [](Number x) { return std::log(x); }, [](double x) { return std::log(x); });
  function("tanh", 0.1f, 8, [](auto x) { return tanh(x); }, [](Number x) { return std::tanh(x); },
           [](double x) { return std::tanh(x); });
}

int main(int argc, char** argv) {
  if (argc > 1 && std::string(argv[1]) == "functions") {
    functions();
    return 0;
  }
  if (argc < 7) return 2;
  std::vector<int64_t> widths;
  for (int i = 5; i < argc; ++i) widths.push_back(std::atoll(argv[i]));
  Network network(widths, std::atoll(argv[4]), std::atoi(argv[3]), std::string(argv[2]) == "rows");
  network.run(0, kFirst);
  std::printf("%.6f\n", network.loss());
  std::fflush(stdout);
  double seconds;
  while (std::scanf("%lf", &seconds) == 1) {
    std::printf("%.4f\n", network.run(seconds, 0));
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace here
}  // namespace hl

int main(int argc, char** argv) { return hl::here::main(argc, argv); }
