// Weights whose convolutions are served though nothing is enabled: what C++ has instead of the Python package's patched modules,
// since forward() of PyTorch's C++ modules is not virtual. A weight is known by its TensorImpl, which stays the same through
// Module::to(), training and loading.
#pragma once

#include "torch_types.h"

namespace convoy::pytorch {

// Kept by a weak reference: a model that is gone costs nothing more. Both are thread-safe.
void serve_weight(at::TensorImpl* weight);
void forget_weight(const at::TensorImpl* weight);
// Asked at each convolution: one load while there is none.
bool is_served_weight(const at::Tensor& weight);

}  // namespace convoy::pytorch
