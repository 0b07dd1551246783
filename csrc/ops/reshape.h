// reshape: the same elements of a row under other axes. Rows are contiguous, so no work: the output is the
// input's buffer. `copy_blocks` moves sub-blocks of rows where a kernel needs another stride (dense layers over
// rank 3, concatenation).
#pragma once
#include "core/tensor.h"

namespace hl {

// For every row r of the batch and block t < blocks, `width` elements:
//     dst[r * dst.ld + dst_offset + t * dst_block + i] = src[r * src.ld + src_offset + t * src_block + i]
// With flat_rows set on a side, that side is a matrix of M * blocks rows: row r, block t starts at
// (r * blocks + t) * ld + offset instead.
struct CopyBlocks {
  Tensor src, dst;
  int64_t src_block, dst_block;
  int64_t src_offset, dst_offset;
  int64_t blocks, width;
  bool src_flat_rows, dst_flat_rows;
};

}  // namespace hl
