// A convolution as a program hands it to MIOpen: read from its descriptors into a key that can be compared and hashed without
// allocating, and from there into Convoy's problem string.
//
// Descriptors stay the real library's: they are shared with calls that are none of ours. The group count has no getter before
// MIOpen 3.0; it follows from the channels of x and of the filter.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "abi/miopen.h"
#include "real_library.h"

namespace convoy::miopen {

enum class Direction : std::int32_t { forward, backward_data, backward_weights };

// The descriptors of a call, by role: x is what the forward convolution reads, whatever the direction.
struct CallDescriptors {
  Direction direction;
  TensorDescriptor x, w, y;
  ConvolutionDescriptor convolution;
};

// Sizes and strides in the order n c [d] h w, filters k c/g [t] r s.
struct TensorShape {
  std::int32_t type = 0;
  std::array<std::int32_t, k_max_dimensions> sizes{}, strides{};
  bool operator==(const TensorShape&) const = default;
};

struct Request {
  Direction direction = Direction::forward;
  std::int32_t device = 0;
  std::int32_t rank = 2;  // spatial dimensions: 2 or 3
  std::int32_t deterministic = 0;
  TensorShape x, w, y;
  std::array<std::int32_t, 3> pads{}, strides{}, dilations{};
  bool operator==(const Request&) const = default;
};
static_assert(sizeof(Request) % sizeof(std::int32_t) == 0 && std::has_unique_object_representations_v<Request>);

struct RequestHash {
  std::size_t operator()(const Request& request) const noexcept;
};

// An ordinary convolution (a transposed one becomes the other direction of the ordinary one) and whether x and y have changed
// places for that. Nothing when the descriptors cannot be read or describe what Convoy does not serve: the real library then
// gets the call.
struct ReadRequest {
  Request request;
  bool swapped = false;
};
std::optional<ReadRequest> read_request(const RealLibrary& real, const CallDescriptors& call);

// Convoy's problem string; empty when the output's sizes do not follow from the input's.
std::string problem_string(const Request& request);

}  // namespace convoy::miopen
