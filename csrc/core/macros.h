// Markers used by every file that may be compiled for more than one instruction set.
#pragma once

// Code in a header that an ISA object includes must leave no symbol behind: the linker would keep one copy of
// it, perhaps the AVX-512 one, for everybody. Always inlined, or static in an anonymous namespace; nothing else.
#if defined(__CUDACC__)
#define HL_KERNEL_TEXT __host__ __device__  // of functions that a GPU runs too
#define HL_INLINE __host__ __device__ __forceinline__
#define HL_NOINLINE __host__ __device__ __noinline__
#else
#define HL_KERNEL_TEXT
#define HL_INLINE inline __attribute__((always_inline))
#define HL_NOINLINE __attribute__((noinline))
#endif
#if defined(__CUDA_ARCH__)
#define HL_ON_DEVICE(device, host) (device)
#else
#define HL_ON_DEVICE(device, host) (host)
#endif
#define HL_RESTRICT __restrict__
