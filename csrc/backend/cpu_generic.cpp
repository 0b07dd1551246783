// The generic row: 16-byte vectors in the compiler's own vector language; every machine has it.
#define HL_ROW generic
#define HL_ISA_GENERIC
#include "backend/cpu_row.inc"
