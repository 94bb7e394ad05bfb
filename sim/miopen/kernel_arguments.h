// What the host hands to kernels.hip, by value. The same text is put before the kernels when they are compiled, so it names
// plain types only, whose sizes host and device agree on, and includes nothing.
namespace convoy::miopen {

constexpr int k_spatial = 3;           // fewer dimensions: the leading ones have size 1
constexpr int k_rank = k_spatial + 2;  // batch, channels, spatial
constexpr unsigned k_group_size = 64;

// y = convolution(x, w); each direction computes one of the three from the other two.
struct ConvolutionArguments {
  long long x_strides[k_rank], w_strides[k_rank], y_strides[k_rank];
  int batch, groups, channels_per_group, filters_per_group;
  int x[k_spatial], w[k_spatial], y[k_spatial];
  int pad[k_spatial], stride[k_spatial], dilation[k_spatial];
  unsigned total;       // numbers to compute
  float scale, offset;  // 1 and 0, unless numbers are to be wrong
  int nan_every;        // 0: nowhere
};

enum PointOperation { k_point_add, k_point_multiply, k_point_minimum, k_point_maximum, k_point_set, k_point_scale };

// c = operation(alpha1 * a, alpha2 * b) + beta * c; set: alpha1; scale: alpha1 * c. What is broadcast has stride 0.
struct PointArguments {
  long long a_strides[k_rank], b_strides[k_rank], c_strides[k_rank];
  int sizes[k_rank];
  unsigned total;
  int operation;
  float alpha1, alpha2, beta;
};

// db[channel] = sum of dy over batch and space.
struct BiasArguments {
  long long strides[k_rank], bias_stride;
  int sizes[k_rank];
};

}  // namespace convoy::miopen
