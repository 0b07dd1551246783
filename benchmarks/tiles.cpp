// Products by the library's own cut into register tiles and blocks, and by every other. Compiled by benchmarks/tiles.py.
//
//     tiles < SHAPES        a line of SHAPES: product|gradient M K N
//
// product: y (M,N) = x (M,K) w (K,N); gradient: dw (K,N) = x^T dz. float32, one thread, least of many runs. For each
// shape prints: microseconds by the rule, by the best other choice, the choice's rows a tile, block, rows a block and
// chains, how many choices there were, and the largest difference of the two results, relative to the largest number.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "benchmarks/kernels.h"

namespace hl {
namespace here {
namespace {

using Number = float;
constexpr double kWindow = 20e-6;  // a measurement is at least so long
constexpr int64_t kMostRows = 8;   // that are tried without tiles
constexpr int kKept = 12;          // choices that are still measured after the first looks
constexpr int kLooks = 3, kMore = 12, kFinal = 60;

struct Choice {
  int64_t tile = 0;   // rows of y (product) or of dw (gradient) in a tile
  int64_t block = 0;  // product: of K; gradient: of M
  int64_t rows = 0;   // product: of x that go through a block of w together
  int chains = 0;     // product of a few rows without tiles: blocks of K side by side
};

struct Array {
  explicit Array(int64_t size) : size(size) {
    data = static_cast<Number*>(std::aligned_alloc(4096, size_t((size * 4 + 8191) / 4096 * 4096)));
    for (int64_t i = 0; i < size; ++i) data[i] = Number((i * 2654435761u >> 8) % 1000) / 500 - 1;
  }
  ~Array() { std::free(data); }
  Array(const Array&) = delete;
  int64_t size;
  Number* data;
};

// Calls body(row, rows) for tiles of at most `most` rows, of nearly one size.
template <class Body>
void in_tiles(Span rows, int64_t most, Body body) {
  const int64_t count = ceil_div(rows.end - rows.begin, most);
  for (int64_t t = 0; t < count; ++t) {
    const Span tile = share(rows.end - rows.begin, Worker{int(t), int(count)});
    body(rows.begin + tile.begin, int(tile.end - tile.begin));
  }
}

// product_of_block of ops/gemm_cpu.h, by another tile.
HL_NOINLINE void block_as(const Product<Number>& p, Span rows, Span k, int64_t most) {
  constexpr int64_t NR = panel_columns<Number>();
  const bool far = p.M * p.N * int64_t(sizeof(Number)) > kNearBytes;
  const int64_t strips = ceil_div(p.N, strip_columns<Number>());
  for (int64_t s = 0; s < strips; ++s) {
    const int64_t column = s * strip_columns<Number>(), columns = columns_of<Number>(s, p.N);
    int64_t panel = 0;
    with_tiles<Number>(columns, [&](auto tiles) {
      in_tiles(rows, most, [&](int64_t row, int count) {
        ProductTile<Number> t = tile_at(p, row, s, k);
        Fetch weights{reinterpret_cast<const char*>(t.w)};
        if (far) {
          fetch_outputs(p, row, count, column, columns, k);
          if (s + 1 < strips && panel * NR < strip_columns<Number>()) {
            weights.at =
                reinterpret_cast<const char*>(p.w + strip_offset<Number>(s + 1, p.K) + (panel++ * p.K + k.begin) * NR);
            weights.left = t.K;
          }
        }
        t.fetch = &weights;
        tiles.product[count - 1](t);
      });
    });
  }
}

const auto nothing = [](int64_t, int64_t, int64_t, int64_t) {};

void product_as(const Product<Number>& p, const Choice& c) {
  constexpr int64_t NR = panel_columns<Number>();
  const Span strips{0, ceil_div(p.N, strip_columns<Number>())};
  const Cut chains{p.K, c.chains, c.chains < 2 ? p.K : p.K / c.chains / NR * NR, c.chains > 1};
  for (int64_t row = 0; c.chains > 1 && row < p.M; ++row) product_of_blocks<Number, 2>(p, chains, strips, row, nothing);
  if (c.chains > 1) return;
  if (c.chains == 1) {
    const Cut cut = c.block < p.K ? cut_of<Number>(p.K, p.N) : chains;
    return with_rows(p.M, [&](auto R) { product_of_few_rows<Number, R>(p, cut, strips, 0, nothing); });
  }
  const int64_t blocks = ceil_div(p.K, c.block), length = blocks == 1 ? p.K : p.K / blocks / NR * NR;
  const Cut cut{p.K, blocks, length, false};
  const int64_t row_blocks = ceil_div(p.M, c.rows);
  for (int64_t b = 0; b < blocks; ++b)
    for (int64_t m = 0; m < row_blocks; ++m) block_as(p, share(p.M, Worker{int(m), int(row_blocks)}), cut.block(b), c.tile);
}

// outer_of_strip, by another tile.
void gradient_as(const Outer<Number>& o, const Choice& c) {
  const int64_t blocks = ceil_div(o.M, c.block), strips = ceil_div(o.N, strip_columns<Number>());
  for (int64_t b = 0; b < blocks; ++b) {
    const Span m = share(o.M, Worker{int(b), int(blocks)});
    for (int64_t s = 0; s < strips; ++s) {
      OuterTile<Number> t;
      t.M = m.end - m.begin;
      t.ldx = o.ldx;
      t.dz = o.dz + m.begin * o.lddz + s * strip_columns<Number>();
      t.lddz = o.lddz;
      t.panel_stride = o.K * panel_columns<Number>();
      t.columns = columns_of<Number>(s, o.N);
      with_tiles<Number>(t.columns, [&](auto tiles) {
        in_tiles(Span{0, o.K}, c.tile, [&](int64_t row, int count) {
          t.x = o.x + m.begin * o.ldx + row;
          t.dw = o.dw + strip_offset<Number>(s, o.K) + row * panel_columns<Number>();
          t.from = m.begin > 0 ? t.dw : nullptr;
          tiles.outer[count - 1](t);
        });
      });
    }
  }
}

double once(const std::function<void()>& run, int repeats) {
  const auto start = std::chrono::steady_clock::now();
  for (int r = 0; r < repeats; ++r) run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / repeats;
}

struct Candidate {
  Choice choice;
  double seconds = 1e9;
};

// The best of the candidates: all are looked at, the best of them longer.
Candidate search(std::vector<Candidate> all, const std::function<void(const Choice&)>& run, int repeats) {
  const auto look = [&](int times) {
    for (int i = 0; i < times; ++i)
      for (Candidate& c : all) c.seconds = std::min(c.seconds, once([&] { run(c.choice); }, repeats));
    std::sort(all.begin(), all.end(), [](const Candidate& a, const Candidate& b) { return a.seconds < b.seconds; });
  };
  look(kLooks);
  if (all.size() > kKept) all.resize(kKept);
  look(kMore);
  return all[0];
}

// Sizes below `whole` out of a list, and `whole`.
std::vector<int64_t> up_to(int64_t whole, std::vector<int64_t> sizes) {
  sizes.erase(std::remove_if(sizes.begin(), sizes.end(), [&](int64_t s) { return s >= whole; }), sizes.end());
  sizes.push_back(whole);
  return sizes;
}

void measure(const std::string& kind, int64_t M, int64_t K, int64_t N) {
  const bool product_wanted = kind == "product";
  const PanelShape panels{K, N};
  const int64_t NR = panel_columns<Number>(), ldx = row_stride(K, 4), ldy = row_stride(N, 4);
  Array x(M * ldx), w(panels.elements(NR)), y(M * ldy);
  Array& result = product_wanted ? y : w;
  const Product<Number> p{x.data, ldx, w.data, nullptr, y.data, ldy, M, K, N};
  const Outer<Number> o{x.data, ldx, y.data, ldy, w.data, nullptr, M, K, N};
  const auto rule = [&] {
    if (product_wanted)
      product(p, Worker{}, nothing);
    else
      outer(o, Worker{});
  };
  // Through the library's door too: what is compared is the cut alone.
  const auto other = [&](const Choice& c) {
    for_each_rectangle<Number>(N, product_wanted ? M : K, Worker{},
                               [&](Span, Span) { product_wanted ? product_as(p, c) : gradient_as(o, c); });
  };

  std::vector<Candidate> all;
  for (int64_t tile = 1; tile <= std::min<int64_t>(kTileRows, product_wanted ? M : K); ++tile)
    for (int64_t block : product_wanted ? up_to(K, {256, 512, 1024, 2048}) : up_to(M, {64, 128, 256, 512}))
      for (int64_t rows : product_wanted ? up_to(M, {4 * kTileRows, 8 * kTileRows, 16 * kTileRows}) : std::vector<int64_t>{0})
        all.push_back({{tile, block, rows, 0}});
  for (int chains = 1; chains <= kChains; chains *= 2)
    if (product_wanted && (chains == 1 ? M <= kFewRows : M <= kMostRows && K >= chains * 2 * NR))
      all.push_back({{0, K, M, chains}});
  const Cut cut = cut_of<Number>(K, N);
  if (product_wanted && M <= kFewRows && cut.blocks > 1) all.push_back({{0, cut.length, M, 1}});

  const int repeats = int(std::max(1.0, kWindow / once(rule, 3)));
  const Candidate best = search(all, other, repeats);
  double least[2] = {1e9, 1e9};
  for (int i = 0; i < kFinal; ++i) {
    least[0] = std::min(least[0], once(rule, repeats));
    least[1] = std::min(least[1], once([&] { other(best.choice); }, repeats));
  }
  rule();
  const std::vector<Number> want(result.data, result.data + result.size);
  other(best.choice);
  double difference = 0, largest = 1e-30;
  for (int64_t i = 0; i < result.size; ++i) {
    const bool padding = product_wanted && i % ldy >= N;  // nobody's
    if (padding) continue;
    largest = std::max(largest, std::abs(double(want[size_t(i)])));
    difference = std::max(difference, std::abs(double(want[size_t(i)]) - double(result.data[i])));
  }
  std::printf("%.4f %.4f %lld %lld %lld %d %zu %.2e\n", 1e6 * least[0], 1e6 * least[1], (long long)best.choice.tile,
              (long long)best.choice.block, (long long)best.choice.rows, best.choice.chains, all.size(),
              difference / largest);
  std::fflush(stdout);
}

}  // namespace
}  // namespace here
}  // namespace hl

int main() {
  char kind[16];
  long long M, K, N;
  while (std::scanf("%15s %lld %lld %lld", kind, &M, &K, &N) == 4) hl::here::measure(kind, M, K, N);
  return 0;
}
