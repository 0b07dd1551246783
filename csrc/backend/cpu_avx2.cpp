// The avx2 row: AVX2 and FMA, x86 from 2013 on.
#define HL_ROW avx2
#define HL_ISA_AVX2
#include "backend/cpu_row.inc"
