// All that the stand-in computes on the GPU: one thread for each number, nothing clever. kernel_arguments.h stands before
// this text. Numbers are stored as f32, f16 or bf16 and summed as f32, in the order of the loops.
using namespace convoy::miopen;

struct Bfloat16 {
  unsigned short bits;
};

__device__ inline float to_float(float value) { return value; }
__device__ inline float to_float(_Float16 value) { return value; }
__device__ inline float to_float(Bfloat16 value) { return __builtin_bit_cast(float, unsigned{value.bits} << 16); }

__device__ inline void store(float* to, float value) { *to = value; }
__device__ inline void store(_Float16* to, float value) { *to = static_cast<_Float16>(value); }
// To nearest, ties to even; a NaN stays one.
__device__ inline void store(Bfloat16* to, float value) {
  unsigned bits = __builtin_bit_cast(unsigned, value);
  unsigned rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  to->bits = static_cast<unsigned short>(value != value ? 0x7fc0u : rounded);
}

__device__ inline unsigned thread_index() { return blockIdx.x * k_group_size + threadIdx.x; }

// Takes the last coordinate off an index.
__device__ inline int take(unsigned& index, int size) {
  unsigned rest = index / static_cast<unsigned>(size);
  int coordinate = static_cast<int>(index - rest * static_cast<unsigned>(size));
  index = rest;
  return coordinate;
}

template <typename T>
__device__ void store_result(T* to, float sum, unsigned index, const ConvolutionArguments& s) {
  float value = sum * s.scale + s.offset;
  if (s.nan_every != 0 && index % static_cast<unsigned>(s.nan_every) == 0) value = __builtin_nanf("");
  store(to, value);
}

// Calls body(f, i, ...) with i in 0..size for each tap f of one dimension of the filter that the output o meets.
template <typename Body>
__device__ inline void for_taps(const ConvolutionArguments& s, int axis, int output, const Body& body) {
  int i = output * s.stride[axis] - s.pad[axis];
  for (int f = 0; f < s.w[axis]; ++f, i += s.dilation[axis]) {
    if (i >= 0 && i < s.x[axis]) body(f, i);
  }
}

// The other way round: body(f, o) for each tap through which the output o meets the input i.
template <typename Body>
__device__ inline void for_outputs(const ConvolutionArguments& s, int axis, int input, const Body& body) {
  int t = input + s.pad[axis];
  for (int f = 0; f < s.w[axis]; ++f, t -= s.dilation[axis]) {
    int o = t / s.stride[axis];
    if (t >= 0 && o < s.y[axis] && o * s.stride[axis] == t) body(f, o);
  }
}

template <typename T>
__device__ void forward(const T* x, const T* w, T* y, const ConvolutionArguments& s) {
  unsigned thread = thread_index(), rest = thread;
  if (thread >= s.total) return;
  int o2 = take(rest, s.y[2]), o1 = take(rest, s.y[1]), o0 = take(rest, s.y[0]);
  int k = take(rest, s.groups * s.filters_per_group), n = static_cast<int>(rest);
  int first_channel = k / s.filters_per_group * s.channels_per_group;
  float sum = 0;
  for (int c = 0; c < s.channels_per_group; ++c) {
    const T* xc = x + n * s.x_strides[0] + (first_channel + c) * s.x_strides[1];
    const T* wc = w + k * s.w_strides[0] + c * s.w_strides[1];
    for_taps(s, 0, o0, [&](int f0, int i0) {
      for_taps(s, 1, o1, [&](int f1, int i1) {
        const T* xr = xc + i0 * s.x_strides[2] + i1 * s.x_strides[3];
        const T* wr = wc + f0 * s.w_strides[2] + f1 * s.w_strides[3];
        for_taps(s, 2, o2, [&](int f2, int i2) {
          sum += to_float(xr[i2 * s.x_strides[4]]) * to_float(wr[f2 * s.w_strides[4]]);
        });
      });
    });
  }
  store_result(y + n * s.y_strides[0] + k * s.y_strides[1] + o0 * s.y_strides[2] + o1 * s.y_strides[3] +
                   o2 * s.y_strides[4],
               sum, thread, s);
}

template <typename T>
__device__ void backward_data(const T* dy, const T* w, T* dx, const ConvolutionArguments& s) {
  unsigned thread = thread_index(), rest = thread;
  if (thread >= s.total) return;
  int i2 = take(rest, s.x[2]), i1 = take(rest, s.x[1]), i0 = take(rest, s.x[0]);
  int channel = take(rest, s.groups * s.channels_per_group), n = static_cast<int>(rest);
  int group = channel / s.channels_per_group, c = channel - group * s.channels_per_group;
  float sum = 0;
  for (int k = group * s.filters_per_group; k < (group + 1) * s.filters_per_group; ++k) {
    const T* yk = dy + n * s.y_strides[0] + k * s.y_strides[1];
    const T* wk = w + k * s.w_strides[0] + c * s.w_strides[1];
    for_outputs(s, 0, i0, [&](int f0, int o0) {
      for_outputs(s, 1, i1, [&](int f1, int o1) {
        const T* yr = yk + o0 * s.y_strides[2] + o1 * s.y_strides[3];
        const T* wr = wk + f0 * s.w_strides[2] + f1 * s.w_strides[3];
        for_outputs(s, 2, i2, [&](int f2, int o2) {
          sum += to_float(yr[o2 * s.y_strides[4]]) * to_float(wr[f2 * s.w_strides[4]]);
        });
      });
    });
  }
  store_result(dx + n * s.x_strides[0] + channel * s.x_strides[1] + i0 * s.x_strides[2] + i1 * s.x_strides[3] +
                   i2 * s.x_strides[4],
               sum, thread, s);
}

// The outputs o of one dimension whose input under tap f exists.
template <typename Body>
__device__ inline void for_pairs(const ConvolutionArguments& s, int axis, int f, const Body& body) {
  int i = f * s.dilation[axis] - s.pad[axis];
  for (int o = 0; o < s.y[axis]; ++o, i += s.stride[axis]) {
    if (i >= 0 && i < s.x[axis]) body(o, i);
  }
}

template <typename T>
__device__ void backward_weights(const T* dy, const T* x, T* dw, const ConvolutionArguments& s) {
  unsigned thread = thread_index(), rest = thread;
  if (thread >= s.total) return;
  int f2 = take(rest, s.w[2]), f1 = take(rest, s.w[1]), f0 = take(rest, s.w[0]);
  int c = take(rest, s.channels_per_group), k = static_cast<int>(rest);
  int channel = k / s.filters_per_group * s.channels_per_group + c;
  float sum = 0;
  for (int n = 0; n < s.batch; ++n) {
    const T* yk = dy + n * s.y_strides[0] + k * s.y_strides[1];
    const T* xc = x + n * s.x_strides[0] + channel * s.x_strides[1];
    for_pairs(s, 0, f0, [&](int o0, int i0) {
      for_pairs(s, 1, f1, [&](int o1, int i1) {
        const T* yr = yk + o0 * s.y_strides[2] + o1 * s.y_strides[3];
        const T* xr = xc + i0 * s.x_strides[2] + i1 * s.x_strides[3];
        for_pairs(s, 2, f2, [&](int o2, int i2) {
          sum += to_float(yr[o2 * s.y_strides[4]]) * to_float(xr[i2 * s.x_strides[4]]);
        });
      });
    });
  }
  store_result(dw + k * s.w_strides[0] + c * s.w_strides[1] + f0 * s.w_strides[2] + f1 * s.w_strides[3] +
                   f2 * s.w_strides[4],
               sum, thread, s);
}

__device__ inline float combine(int operation, float a, float b) {
  switch (operation) {
    case k_point_add: return a + b;
    case k_point_multiply: return a * b;
    case k_point_minimum: return a < b ? a : b;
    default: return a > b ? a : b;
  }
}

// b is read by operations of two operands only, c where it counts: what is there before may be NaN.
template <typename T>
__device__ void points(const T* a, const T* b, T* c, const PointArguments& s) {
  unsigned thread = thread_index(), rest = thread;
  if (thread >= s.total) return;
  long long at_a = 0, at_b = 0, at_c = 0;
  for (int axis = k_rank - 1; axis >= 0; --axis) {
    int i = take(rest, s.sizes[axis]);
    at_a += i * s.a_strides[axis];
    at_b += i * s.b_strides[axis];
    at_c += i * s.c_strides[axis];
  }
  float value = s.alpha1;
  if (s.operation == k_point_scale) value *= to_float(c[at_c]);
  if (s.operation <= k_point_maximum) {
    value = combine(s.operation, s.alpha1 * to_float(a[at_a]), s.alpha2 * to_float(b[at_b]));
  }
  if (s.beta != 0) value += s.beta * to_float(c[at_c]);
  store(c + at_c, value);
}

template <typename T>
__device__ void backward_bias(const T* dy, T* db, const BiasArguments& s) {
  int channel = static_cast<int>(thread_index());
  if (channel >= s.sizes[1]) return;
  float sum = 0;
  for (int n = 0; n < s.sizes[0]; ++n) {
    for (int i0 = 0; i0 < s.sizes[2]; ++i0) {
      for (int i1 = 0; i1 < s.sizes[3]; ++i1) {
        const T* row = dy + n * s.strides[0] + channel * s.strides[1] + i0 * s.strides[2] + i1 * s.strides[3];
        for (int i2 = 0; i2 < s.sizes[4]; ++i2) sum += to_float(row[i2 * s.strides[4]]);
      }
    }
  }
  store(db + channel * s.bias_stride, sum);
}

#define DEFINE_KERNELS(suffix, T)                                                                                      \
  extern "C" __global__ void __launch_bounds__(64)                                                                     \
      forward_##suffix(const T* x, const T* w, T* y, ConvolutionArguments s) { forward(x, w, y, s); }                  \
  extern "C" __global__ void __launch_bounds__(64)                                                                     \
      backward_data_##suffix(const T* dy, const T* w, T* dx, ConvolutionArguments s) { backward_data(dy, w, dx, s); }  \
  extern "C" __global__ void __launch_bounds__(64)                                                                     \
      backward_weights_##suffix(const T* dy, const T* x, T* dw, ConvolutionArguments s) {                              \
    backward_weights(dy, x, dw, s);                                                                                    \
  }                                                                                                                    \
  extern "C" __global__ void __launch_bounds__(64)                                                                     \
      points_##suffix(const T* a, const T* b, T* c, PointArguments s) { points(a, b, c, s); }                          \
  extern "C" __global__ void __launch_bounds__(64)                                                                     \
      backward_bias_##suffix(const T* dy, T* db, BiasArguments s) { backward_bias(dy, db, s); }

DEFINE_KERNELS(f32, float)
DEFINE_KERNELS(f16, _Float16)
DEFINE_KERNELS(bf16, Bfloat16)
