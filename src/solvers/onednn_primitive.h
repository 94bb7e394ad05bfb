// Finds a oneDNN convolution primitive: the operation descriptions of versions 2 and 3, and the walk over oneDNN's
// implementations. With onednn_piece.cc the only code that knows oneDNN's API, by the version of the header present.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include <oneapi/dnnl/dnnl.hpp>

#include "solvers/solver.h"

namespace convoy {

using MemoryDesc = dnnl::memory::desc;

dnnl::engine& onednn_host_engine();

// The same sizes, of `type`, in whatever memory format an implementation likes.
MemoryDesc any_format(const MemoryDesc& like, dnnl::memory::data_type type);

// Family of a oneDNN implementation by its name ("brgconv:avx512_core", "x64:gemm:jit", "jit_wino_4x3:..."); nothing for its
// naive reference, which we never use: ours is blocked.
std::optional<Algorithm> onednn_family(std::string_view implementation);

// What every convolution primitive is made from.
struct Recipe {
  dnnl::algorithm algorithm;
  MemoryDesc x, w, y;
  dnnl::memory::dims stride, dilation, pad_left, pad_right;
};

// A primitive found, with the formats it wants in the order of the piece's slots.
struct Found {
  dnnl::primitive primitive;
  std::array<MemoryDesc, 3> formats;
  MemoryDesc scratchpad;
  Algorithm algorithm;
  std::string implementation;
};

// The first implementation, oneDNN's best first, whose family `accept` takes. `type` is the type of the inputs.
std::optional<Found> find_primitive(const Recipe& recipe, Direction direction, dnnl::memory::data_type type,
                                    const std::function<bool(Algorithm)>& accept);

}  // namespace convoy
