// See problem.h.
#include "sim/miopen/problem.h"

#include <limits>
#include <utility>

#include "sim/miopen/library.h"

namespace convoy::miopen {
namespace {

Direction transposed(Direction direction) {
  switch (direction) {
    case Direction::forward: return Direction::backward_data;
    case Direction::backward_data: return Direction::forward;
    case Direction::backward_weights: break;
  }
  return Direction::backward_weights;
}

bool is_computed(DataType type) {
  return type == k_float || type == k_half || type == k_bfloat16;
}

}  // namespace

Problem::Problem(Direction wanted, TensorDescriptor x_tensor, TensorDescriptor w_tensor, TensorDescriptor y_tensor,
                 ConvolutionDescriptor descriptor)
    : direction(wanted),
      x(x_tensor),
      w(w_tensor),
      y(y_tensor),
      convolution(descriptor),
      exchanged(descriptor != nullptr && descriptor->mode == k_transpose) {
  if (!exchanged) return;
  std::swap(x, y);
  direction = transposed(direction);
}

Status Problem::check() const {
  if (x == nullptr || w == nullptr || y == nullptr || convolution == nullptr) {
    return refuse(k_bad_parm, "a null descriptor");
  }
  std::size_t rank = x->rank();
  if (rank < 3 || w->rank() != rank || y->rank() != rank) {
    return refuse(k_bad_parm, "tensors need 3 dimensions or more, all as many");
  }
  if (convolution->rank() + 2 != rank) return refuse(k_bad_parm, "the convolution has other spatial dimensions");
  if (x->type != w->type || x->type != y->type) return refuse(k_bad_parm, "tensors of different types");
  std::int64_t groups = convolution->groups;
  if (w->sizes[0] % groups != 0 || x->sizes[1] != w->sizes[1] * groups || y->sizes[1] != w->sizes[0]) {
    return refuse(k_bad_parm, "the channels of the tensors do not fit each other and the groups");
  }
  if (x->sizes[0] != y->sizes[0]) return refuse(k_bad_parm, "input and output are batches of different sizes");
  if (!is_computed(x->type)) return refuse(k_not_implemented, "only float, half and bfloat16 are computed");
  if (result().elements() > std::numeric_limits<std::uint32_t>::max()) {
    return refuse(k_not_implemented, "a result of more than 2^32 - 1 numbers");
  }
  return k_success;
}

ProblemKey Problem::key() const {
  ProblemKey key{static_cast<int>(direction), x->type, static_cast<int>(x->rank()), convolution->groups};
  for (const std::vector<int>* list : {&convolution->pads, &convolution->strides, &convolution->dilations}) {
    key.insert(key.end(), list->begin(), list->end());
  }
  for (const TensorTag* tensor : {x, w, y}) {
    key.insert(key.end(), tensor->sizes.begin(), tensor->sizes.end());
    key.insert(key.end(), tensor->strides.begin(), tensor->strides.end());
  }
  return key;
}

const TensorTag& Problem::result() const {
  if (direction == Direction::forward) return *y;
  return direction == Direction::backward_data ? *x : *w;
}

std::size_t Problem::im2col_bytes() const {
  std::int64_t numbers = x->sizes[1];  // the channels of all groups
  for (std::size_t i = 2; i < x->rank(); ++i) numbers *= w->sizes[i] * y->sizes[i];
  return static_cast<std::size_t>(numbers) * bytes_of(x->type);
}

int Problem::x_size(std::size_t axis) const {
  return x == nullptr ? 1 : FiveDimensions(*x).sizes[axis];
}

}  // namespace convoy::miopen
