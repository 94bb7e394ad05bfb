// Adds up the partial sums of a split product, always in the same order, and the bias. One program for all problems of an
// element type.
//
// Element i of the target: i / channel_stride % channels is its channel. Each thread adds up one element.
KERNEL(256) void igemm_reduce(GLOBAL const float* RESTRICT workspace, GLOBAL const result* RESTRICT bias,
                              GLOBAL result* RESTRICT target, i64 partials_at, i64 size, i64 channel_stride,
                              i32 channels, i32 parts) {
  const i64 i = GROUP_X * (i64)256 + THREAD;
  if (i >= size) return;
  GLOBAL const float* partials = workspace + partials_at;
  float total = 0.0f;
  for (int part = 0; part < parts; ++part) total += partials[part * size + i];
  if (bias) total += LOAD_RESULT(bias, i / channel_stride % channels);
  STORE_RESULT(target, i, total);
}
