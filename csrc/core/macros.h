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

// A whole number whose value nvcc cannot follow, so that it computes nothing from it ahead, outside the loop it is in.
#if defined(__CUDA_ARCH__)
#define HL_JUST_HERE(number) asm volatile("" : "+l"(number))
#else
#define HL_JUST_HERE(number)
#endif
// Before a loop: how many turns of it nvcc writes out. Left to itself it writes out all and runs out of registers.
#define HL_PRAGMA(text) _Pragma(#text)
#if defined(__CUDACC__)
#define HL_TURNS(count) HL_PRAGMA(unroll count)
#else
#define HL_TURNS(count)
#endif
