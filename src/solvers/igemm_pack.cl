// Packs the filter for igemm_gather: [group][tap][depth_padded][rows_padded] floats, zeros where nothing is. One program for all
// problems of an element type; 2 to 7 microseconds on an H200.
//
// A group of 256 threads packs 32 rows x 32 (tap, depth) pairs. It reads along what lies side by side in memory and writes along
// rows, through local memory. Groups: x: tile of rows (fastest), tile of pairs; y: group of channels.

// The element of the filter for a row, a tap and a channel of the source; zero where there is none.
DEVICE float filter_at(const Shape* shape, GLOBAL const element* filter, int group, int row, int tap, int depth) {
  if (row >= shape->rows || depth >= shape->depth) return 0.0f;
  int at[3];
  split_triple(tap, shape->taps, at);
  // Phases as rows: tap u of the source reaches position start + u; phase f of the target meets there the tap of the filter
  // that solves f + pad - tap * dilation = (start + u) * stride, if any. In all other cases rows are channels.
  if (shape->channels != shape->rows) {
    int phase[3];
    split_triple(row / shape->channels, shape->phases, phase);
    UNROLL
    for (int d = 0; d < 3; ++d) {
      const int span = phase[d] + shape->pad[d] - (shape->start[d] + at[d]) * shape->phases[d];
      if (span < 0 || span % shape->dilation[d] != 0 || span / shape->dilation[d] >= shape->filter[d]) return 0.0f;
      at[d] = span / shape->dilation[d];
    }
    row %= shape->channels;
  }
  const index offset = group * (index)shape->filter_strides[0] + row * (index)shape->filter_strides[1] +
                       depth * (index)shape->filter_strides[2] + at[0] * (index)shape->filter_strides[3] +
                       at[1] * (index)shape->filter_strides[4] + at[2] * (index)shape->filter_strides[5];
  return LOAD(filter, offset);
}

KERNEL(256) void igemm_pack(GLOBAL const element* RESTRICT filter, GLOBAL float* RESTRICT packed, const Shape given) {
  LOCAL_ARRAY(float, tile, 32 * 33);
  const Shape shape = given;
  const int taps = shape.taps[0] * shape.taps[1] * shape.taps[2];
  const int row_tiles = (shape.rows_padded + 31) / 32;
  const int row0 = GROUP_X % row_tiles * 32, pair0 = GROUP_X / row_tiles * 32, group = GROUP_Y;
  const int lane = THREAD % 32, line = THREAD / 32;
  UNROLL
  for (int i = 0; i < 4; ++i) {
    const int across = line + i * 8;
    const int row = row0 + (shape.filter_order == 2 ? lane : across);
    const int pair = pair0 + (shape.filter_order == 2 ? across : lane);
    const int tap = shape.filter_order == 1 ? pair / shape.depth_padded : pair % taps;
    const int depth = shape.filter_order == 1 ? pair % shape.depth_padded : pair / taps;
    tile[(row - row0) * 33 + pair - pair0] =
        depth < shape.depth_padded && tap < taps ? filter_at(&shape, filter, group, row, tap, depth) : 0.0f;
  }
  BARRIER;
  UNROLL
  for (int i = 0; i < 4; ++i) {
    const int row = row0 + lane, pair = pair0 + line + i * 8;
    const int tap = shape.filter_order == 1 ? pair / shape.depth_padded : pair % taps;
    const int depth = shape.filter_order == 1 ? pair % shape.depth_padded : pair / taps;
    if (row < shape.rows_padded && depth < shape.depth_padded && tap < taps)
      packed[(((index)group * taps + tap) * shape.depth_padded + depth) * shape.rows_padded + row] =
          tile[lane * 33 + line + i * 8];
  }
}
