// A convolution problem: everything that decides which numbers come out and how fast, and nothing else.
//
// Names follow the field: input x of n images with c channels and spatial size (d, h, w); filter w with k
// output channels and spatial size (t, r, s); output y. g groups. Spatial arrays hold `rank` numbers (1 to
// 3), outermost first: {w}, {h, w}, {d, h, w}.
//
// Direction says which tensor is computed from the other two: fwd y, bwd (backward data) x, wrw (backward
// weights) w. n, c, d, h, w always describe the forward input x and k the forward output's channels, whatever
// the direction.
//
// Transposed mode is what PyTorch calls ConvTranspose and MIOpen miopenTranspose: forward of the transposed
// problem is backward data of the ordinary one. Its filter is [c, k/g, ...] (ordinary: [k, c/g, ...]), its
// output size is (in-1)*stride - 2*pad + dilation*(filter-1) + 1 + output_pad.
//
// Element types: x, w and y are all `dtype`, except i8 (forward only) whose y is i32.
//
// The canonical string (docs/problems.md) is the same in logs, databases, command line, tests and reports:
//   fwd:f16:nchw:n32c64h56w56:k64r3s3:pad1x1:stride1x1:dil1x1:g1
// followed, only where they apply, by :tr, :opad1x1 and explicit element strides :xs..., :ws..., :ys... (one
// number per tensor dimension in the order n c [d] [h] w, or k c [t] [r] s as the filter is indexed; joined
// by x).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "problem/dtype.h"

namespace convoy {

enum class Direction { forward = 0, backward_data = 1, backward_weights = 2 };
std::string_view to_string(Direction direction);  // "fwd", "bwd", "wrw"

// Memory order of packed tensors: channels first (ncw, nchw, ncdhw) or channels last (nwc, nhwc, ndhwc),
// filters alike.
enum class Layout { channels_first = 0, channels_last = 1 };

inline constexpr int k_max_rank = 3;
using Spatial = std::array<std::int64_t, k_max_rank>;
// Sizes or strides of a whole tensor: 2 + rank numbers, batch (or the filter's first dimension) first.
using Dims = std::array<std::int64_t, 2 + k_max_rank>;

enum class TensorRole { x = 0, w = 1, y = 2 };

struct Problem {
  Direction direction = Direction::forward;
  Dtype dtype = Dtype::f32;
  Layout layout = Layout::channels_first;
  int rank = 2;
  std::int64_t n = 1, c = 1, k = 1, groups = 1;
  Spatial in{1, 1, 1};
  Spatial filter{1, 1, 1};
  Spatial pad{0, 0, 0};
  Spatial stride{1, 1, 1};
  Spatial dilation{1, 1, 1};
  bool transposed = false;
  Spatial output_pad{0, 0, 0};  // transposed only
  // Element strides where a tensor is not packed in `layout`. The output tensor's strides must not overlap.
  std::optional<Dims> x_strides, w_strides, y_strides;

  // Everything below holds for a problem that validate() accepts.

  Spatial out() const;                  // spatial size of y
  Dims dims(TensorRole role) const;     // logical sizes: x n c .., w k c/g .. (transposed: c k/g ..), y n k ..
  Dims strides(TensorRole role) const;  // explicit ones, or packed in `layout`
  Dtype dtype_of(TensorRole role) const;
  std::int64_t elements(TensorRole role) const;  // product of sizes
  std::int64_t span(TensorRole role) const;      // elements from first to last, gaps included; 0 when empty
  std::int64_t bytes(TensorRole role) const;     // span times element size
  TensorRole output_role() const;                // y, x, w for fwd, bwd, wrw
  bool packed(TensorRole role) const;            // strides are those of `layout`; a dimension of size 1 has no stride
  bool empty() const { return n == 0; }
  bool depthwise() const { return groups > 1 && groups == c && k % c == 0; }

  std::int64_t reduction_length() const;  // products summed into one element of the output tensor, at most
  double flops() const;                   // 2 * multiply-adds, padding counted (MIOpenDriver's convention)
  double tensor_bytes() const;            // each tensor read or written once

  // The equivalent problem with transposed == false that computes the same buffers: x and y change places,
  // fwd and bwd too. Its output size may be smaller than the formula gives (output_pad >= stride), which
  // `out_override` records, and only then: otherwise a lowered problem equals the ordinary one and shares its
  // kernels and tuning.
  Problem lowered() const;
  std::optional<Spatial> out_override;  // set by lowered() alone; not part of the canonical string

  std::string to_string() const;                // canonical
  std::string class_string() const;             // canonical with n*: batch left out. Key of quarantine
  bool operator==(const Problem& other) const;  // array entries beyond the rank do not count
};

// Checks ranges, divisibility, output size >= 1, no 64-bit overflow in any size, span or byte count, dtype
// against direction, strides. n may be 0: x and y are then empty. An Error names the field and the cure.
Result<void> validate(const Problem& problem);

// The canonical string; accepts exactly what to_string() writes plus leading/trailing blanks. Validates.
// An Error names the part ("part 5 'k64r3': ...") and the cure.
Result<Problem> parse_problem(std::string_view text);

struct ProblemHash {
  std::size_t operator()(const Problem& problem) const noexcept;
};

}  // namespace convoy
