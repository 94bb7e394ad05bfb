// Implicit GEMM: a convolution as one matrix product whose right factor is never stored.
//
//   target[row][point] = sum over k of filter[row][k] * source[k][point]
//
// Rows are the channels of one group of the target (y of fwd, x of bwd), points its positions in all images, k = (tap, channel
// of the source) with channels innermost, so that addresses and padding are looked at once per tap. A group of THREADS threads
// computes a tile of TILE_ROWS x TILE_POINTS, TILE_DEPTH steps of k at a time; a thread holds THREAD_ROWS x THREAD_POINTS of it
// in registers.
//
// Backward data is the same product under other numbers. Position phase + point * stride of x meets tap f only where
// phase + pad - f * dilation is a whole number of strides; the positions of one phase then read y side by side. Either each
// phase is a product of its own (PHASES), or phases become rows and taps that a phase lacks are zeros (`merged`; for few
// channels, whose tile would be mostly empty otherwise).
//
// One source, two builds: with SHAPE defined every number below is a constant, without it they arrive as an argument and one
// program serves all problems.

#ifndef INDEX64
#define INDEX64 0
#endif
#if INDEX64
typedef i64 index;
typedef u64 uindex;
#else
typedef i32 index;  // some tensor or number of points reaches 2^31 otherwise
typedef u32 uindex;
#endif

// Filled in by igemm_shape.cc; numbers only, in the same order. Strides are in elements.
typedef struct {
  i32 images, groups;
  i32 rows, depth;                // of one group
  i32 rows_padded, depth_padded;  // of the packed filter: [group][tap][depth_padded][rows_padded]
  i32 channels;                   // of the target in one group: rows, or less where phases are rows
  i32 row_tiles;
  i32 splits;                     // of k; more than one: partial sums, which igemm_reduce adds up
  i32 filter_order;               // how igemm_pack reads the filter: 0 along depth and taps, 1 along depth, 2 along rows
  i32 source[3], target[3];
  i32 points[3];                  // positions of the largest phase
  i32 taps[3];                    // of the packed filter
  i32 start[3], step[3], along[3];  // source position = start + point * step + tap * along
  i32 phases[3];                  // bwd: strides
  i32 pad[3], dilation[3], filter[3];
  i32 tap_step[3];                // PHASES: from one tap of a phase to its next
  i64 target_size;                // elements of the computed tensor
  i64 partials_at;                // where in the workspace partial sums begin, in floats
  i64 source_strides[5];          // image, channel, d, h, w
  i64 target_strides[5];
  i64 filter_strides[6];          // group, row, depth, t, r, s
} Shape;

#ifdef SHAPE
#define SHAPE_IN_USE(given) const Shape shape = SHAPE
#else
#define SHAPE_IN_USE(given) const Shape shape = given
#endif

#ifndef DEEP
#define DEEP 1  // 0: one- or two-dimensional, [0] of every triple says nothing
#endif

// Point number `point` of all images: its image and position in the grid of points.
DEVICE index split_point(const Shape* shape, index point, int* position) {
  uindex rest = (uindex)point;
  position[2] = (int)(rest % (uindex)shape->points[2]);
  rest /= (uindex)shape->points[2];
  position[1] = (int)(rest % (uindex)shape->points[1]);
  rest /= (uindex)shape->points[1];
#if DEEP
  position[0] = (int)(rest % (uindex)shape->points[0]);
  rest /= (uindex)shape->points[0];
#else
  position[0] = 0;
#endif
  return (index)rest;
}

// Number `value` in the mixed radix of three sizes.
DEVICE void split_triple(int value, const i32* sizes, int* digits) {
  digits[2] = value % sizes[2];
  value /= sizes[2];
  digits[1] = value % sizes[1];
  digits[0] = value / sizes[1];
}

DEVICE index place(const i64* strides, int d, int h, int w) {
  return (index)h * (index)strides[3] + (index)w * (index)strides[4] + (DEEP ? (index)d * (index)strides[2] : 0);
}

#define OUTSIDE (-0x20000000)  // a coordinate that no tap brings back into a tensor

DEVICE int is_inside(const Shape* shape, int d, int h, int w) {
#if DEEP
  return ((u32)d < (u32)shape->source[0]) & ((u32)h < (u32)shape->source[1]) & ((u32)w < (u32)shape->source[2]);
#else
  return ((u32)h < (u32)shape->source[1]) & ((u32)w < (u32)shape->source[2]);
#endif
}

// Values of LOADER (igemm_source.cl, igemm_weights.cl).
#define ACROSS 0
#define ALONG 1
#define ALONG4 2
#define POINT4 3
#define TABLE 4
