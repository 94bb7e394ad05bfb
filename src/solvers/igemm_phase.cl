// The taps that a phase meets (igemm_gather.cl), and a walk over them.

// Numbers that are the same for all threads of a group.
typedef struct {
  int phase[3];
  int first[3], taps[3];  // taps first, first + tap_step, ...: that many
  int start[3];
} Phase;

DEVICE void enter_phase(const Shape* shape, int number, Phase* phase) {
#if PHASES
  split_triple(number, shape->phases, phase->phase);
  UNROLL
  for (int d = 0; d < 3; ++d) {
    const int end = shape->filter[d] < shape->tap_step[d] ? shape->filter[d] : shape->tap_step[d];
    int first = 0, shifted = phase->phase[d] + shape->pad[d];
    while (first < end && shifted % shape->phases[d] != 0) {
      ++first;
      shifted -= shape->dilation[d];
    }
    phase->first[d] = first;
    phase->taps[d] = first < end ? (shape->filter[d] - first + shape->tap_step[d] - 1) / shape->tap_step[d] : 0;
    phase->start[d] = shifted / shape->phases[d];
  }
#else
  UNROLL
  for (int d = 0; d < 3; ++d) {
    phase->phase[d] = 0;
    phase->first[d] = 0;
    phase->taps[d] = shape->taps[d];
    phase->start[d] = shape->start[d];
  }
#endif
}

// The number of a phase's tap (counted along the phase) in the whole filter.
DEVICE int tap_number(const Shape* shape, const Phase* phase, int t, int r, int s) {
#if PHASES
  t = phase->first[0] + t * shape->tap_step[0];
  r = phase->first[1] + r * shape->tap_step[1];
  s = phase->first[2] + s * shape->tap_step[2];
#endif
  return (t * shape->taps[1] + r) * shape->taps[2] + s;
}

// The offset of a phase's tap in the filter as it lies in memory.
DEVICE index tap_offset(const Shape* shape, const Phase* phase, int t, int r, int s) {
#if PHASES
  t = phase->first[0] + t * shape->tap_step[0];
  r = phase->first[1] + r * shape->tap_step[1];
  s = phase->first[2] + s * shape->tap_step[2];
#endif
  return (index)t * (index)shape->filter_strides[3] + (index)r * (index)shape->filter_strides[4] +
         (index)s * (index)shape->filter_strides[5];
}

// Where the walk over k stands: tap (t, r, s) of the phase, and tile of channels within it.
typedef struct {
  int t, r, s, tile;
} Walk;

DEVICE void walk_to(const Phase* phase, int tiles_per_tap, int tile, Walk* walk) {
  int tap = tile / tiles_per_tap;
  walk->tile = tile % tiles_per_tap;
  const int wide = phase->taps[2] > 0 ? phase->taps[2] : 1, high = phase->taps[1] > 0 ? phase->taps[1] : 1;
  walk->s = tap % wide;
  tap /= wide;
  walk->r = tap % high;
  walk->t = tap / high;
}

DEVICE void next_tap(const Phase* phase, Walk* walk) {
  walk->tile = 0;
  if (++walk->s == phase->taps[2]) {
    walk->s = 0;
    if (++walk->r == phase->taps[1]) {
      walk->r = 0;
      ++walk->t;
    }
  }
}
