// Markers used by every file that may be compiled for more than one instruction set.
#pragma once

// Code in a header that an ISA object includes must leave no symbol behind: the linker would keep one copy of
// it, perhaps the AVX-512 one, for everybody. Always inlined, or static in an anonymous namespace; nothing else.
#define HL_INLINE inline __attribute__((always_inline))
#define HL_NOINLINE __attribute__((noinline))
#define HL_RESTRICT __restrict__
