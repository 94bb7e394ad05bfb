// The few names that differ between PyTorch 1.13 and 2.11. The public headers alone: nothing of CUDA or ROCm is needed to build,
// so that one build serves whatever devices this PyTorch has.
#pragma once

#include <ATen/ATen.h>
#include <torch/version.h>

#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4)
#include <optional>
#endif

namespace convoy::pytorch {

#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4)
template <typename T>
using Optional = std::optional<T>;
#else
template <typename T>
using Optional = c10::optional<T>;
#endif

}  // namespace convoy::pytorch
