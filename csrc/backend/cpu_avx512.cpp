// The avx512 row: AVX-512 F, BW, DQ and VL.
#define HL_ROW avx512
#define HL_ISA_AVX512
#include "backend/cpu_row.inc"
