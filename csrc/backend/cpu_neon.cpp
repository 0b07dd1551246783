// The neon row: 64-bit ARM.
#define HL_ROW neon
#define HL_ISA_NEON
#include "backend/cpu_row.inc"
