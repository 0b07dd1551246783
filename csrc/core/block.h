// Block: threads of a GPU that have memory on the chip in common. What they do together is written in phases: no thread
// begins a phase before all have finished the one before it.
//
// On the host (the row cuda_emulated) a block's first thread goes through each phase for all of them, so tests reach the
// indexing of every phase; only what two threads do to each other within a phase is left to a GPU's racecheck.

constexpr int kBlockThreads = 128;

// One array for all uses of a kernel: it holds the largest.
template <int kBytes>
HL_INLINE char* memory_of_block() {
#if defined(__CUDA_ARCH__)
  __shared__ __align__(32) char memory[kBytes];
  return memory;
#else
  return nullptr;
#endif
}

// `Shared` is what the threads have in common, `Own` what each has for itself: on a GPU, in registers.
template <class Shared, class Own, int kBytes>
class Block {
  static_assert(sizeof(Shared) <= kBytes, "the block's memory holds it");

 public:
  HL_INLINE explicit Block(Worker w) : leads_(w.id % kBlockThreads == 0) {}
  // Whether this thread has anything to do.
  HL_INLINE bool takes_part() const { return HL_ON_DEVICE(true, leads_); }

#if defined(__CUDA_ARCH__)
  HL_INLINE Shared& shared() { return *reinterpret_cast<Shared*>(memory_of_block<kBytes>()); }
  // body(thread, its own)
  template <class Body>
  HL_INLINE void phase(Body body) {
    body(int(threadIdx.x), own_);
    __syncthreads();
  }

 private:
  Own own_;
#else
  HL_INLINE Shared& shared() { return shared_; }
  template <class Body>
  HL_INLINE void phase(Body body) {
    for (int thread = 0; thread < kBlockThreads; ++thread) body(thread, own_[thread]);
  }

 private:
  Shared shared_;
  Own own_[kBlockThreads];
#endif
  bool leads_;
};

// The first block takes part: every thread adds up every 128th term, then the threads' sums are added in pairs.
HL_INLINE bool takes_part_in_sum(Worker w) { return HL_ON_DEVICE(w.id < kBlockThreads, w.id == 0); }

template <class Term>
HL_INLINE double sum_of_all(int64_t n, Worker w, const Term& term) {
  struct Shared {
    double sums[kBlockThreads];
  };
  struct Nothing {};
  Block<Shared, Nothing, int(sizeof(Shared))> block(w);
  double* sums = block.shared().sums;
  block.phase([&](int thread, Nothing&) {
    sums[thread] = 0;
    for (int64_t i = thread; i < n; i += kBlockThreads) sums[thread] += term(i);
  });
  for (int half = kBlockThreads / 2; half > 0; half /= 2)
    block.phase([&](int thread, Nothing&) {
      if (thread < half) sums[thread] += sums[thread + half];
    });
  double total = 0;
  block.phase([&](int thread, Nothing&) {
    if (thread == 0) total = sums[0];
  });
  return total;
}
