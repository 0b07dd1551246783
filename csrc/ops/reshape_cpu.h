// Where block t of row r starts on one side.
HL_INLINE int64_t block_start(int64_t ld, int64_t block, int64_t offset, int64_t blocks, bool flat_rows, int64_t r,
                              int64_t t) {
  return flat_rows ? (r * blocks + t) * ld + offset : r * ld + t * block + offset;
}

template <class T>
HL_KERNEL_TEXT void copy_blocks(const CopyBlocks& a, const RunState& run, Worker w) noexcept {
  for_each_piece(run.rows * a.blocks, a.width, kPiece, w, [&](int64_t unit, int64_t begin, int64_t end) {
    const int64_t r = unit / a.blocks, t = unit % a.blocks;
    const T* src = a.src.as<T>() + begin +
                   block_start(a.src.ld, a.src_block, a.src_offset, a.blocks, a.src_flat_rows, r, t);
    T* dst = a.dst.as<T>() + begin +
             block_start(a.dst.ld, a.dst_block, a.dst_offset, a.blocks, a.dst_flat_rows, r, t);
    for_each_vector<T>(end - begin, [&](int64_t i, auto lanes) {
      store_lanes(dst + i, load_lanes(src + i, lanes), lanes);
    });
  });
}
