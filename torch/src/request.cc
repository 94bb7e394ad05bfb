// Implementation of request.h.
#include "request.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include <ATen/native/ConvUtils.h>

#include "devices.h"

namespace convoy::pytorch {
namespace {

std::optional<convoy_dtype> dtype_of(at::ScalarType type) {
  switch (type) {
    case at::kFloat: return CONVOY_F32;
    case at::kHalf: return CONVOY_F16;
    case at::kBFloat16: return CONVOY_BF16;
    case at::kDouble: return CONVOY_F64;
    default: return std::nullopt;
  }
}

// Memory of its own with numbers as they are: no sparse or mkldnn layout, no wrapper, no pending negation.
bool is_ordinary(const at::Tensor& tensor) {
  return tensor.layout() == at::kStrided && tensor.has_storage() && !tensor.is_mkldnn() && !tensor.is_neg() &&
         !tensor.is_quantized();
}

// PyTorch's output lies as the one of its libraries that would compute has it. The answer's types have changed between versions:
// nothing where this one's are unknown.
template <typename AnyCall>
std::optional<at::MemoryFormat> format_of_plain_output(const AnyCall& call, const OptionalTensor& bias) {
#if TORCH_VERSION_MAJOR >= 2
  const auto symbolic = [](at::IntArrayRef list) { return c10::fromIntArrayRefSlow(list); };
  if constexpr (requires {
                  at::native::select_conv_backend(call.input, call.weight, bias, symbolic(call.stride),
                                                  symbolic(call.padding), symbolic(call.dilation), call.transposed,
                                                  symbolic(call.output_padding), call.groups, c10::nullopt);
                }) {
    const auto backend = at::native::select_conv_backend(
        call.input, call.weight, bias, symbolic(call.stride), symbolic(call.padding), symbolic(call.dilation),
        call.transposed, symbolic(call.output_padding), call.groups, c10::nullopt);
    return at::native::_determine_backend_memory_format(call.input, call.weight, backend);
  }
#else
  static_cast<void>(call);
  static_cast<void>(bias);
#endif
  return std::nullopt;
}

// As PyTorch lays its output out, so that it is the same whoever computes.
bool is_channels_last(const Call& call, const OptionalTensor& bias) {
  if (call.input.dim() < 4) return false;
  const auto wanted = call.input.dim() == 4 ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::ChannelsLast3d;
  if (call.input.suggest_memory_format() != wanted && call.weight.suggest_memory_format() != wanted) return false;
  if (const auto format = format_of_plain_output(call, bias)) return *format == wanted;
  if (call.input.is_cuda()) return call.input.scalar_type() != at::kDouble && !is_rocm();
  const auto dilated = [](std::int64_t one) { return one != 1; };
  const bool plain_loop = std::none_of(call.dilation.begin(), call.dilation.end(), dilated);
  return call.input.dim() == 4 && !call.transposed && (call.input.scalar_type() != at::kDouble || plain_loop);
}

// One number stands for all dimensions. False: the list does not fit, which PyTorch says better.
bool spread(at::IntArrayRef from, std::int64_t rank, std::array<std::int64_t, CONVOY_MAX_RANK>& to) {
  const auto size = static_cast<std::int64_t>(from.size());
  if (size != rank && size != 1) return false;
  for (std::int64_t i = 0; i < rank; ++i)
    to[static_cast<std::size_t>(i)] = from[size == 1 ? 0 : static_cast<std::size_t>(i)];
  return true;
}

const char* refusal_of(const Call& call, const OptionalTensor& bias) {
  const at::Tensor& input = call.input;
  const at::Tensor& weight = call.weight;
  if (!input.defined() || !weight.defined() || !is_ordinary(input) || !is_ordinary(weight)) return "tensor layout";
  if (!dtype_of(input.scalar_type())) return "dtype";
  if (weight.scalar_type() != input.scalar_type()) return "mixed dtypes";
  if (weight.device() != input.device()) return "mixed devices";
  if (input.dim() < 3 || input.dim() > 5 || weight.dim() != input.dim()) return "rank";
  if (input.numel() == 0 || weight.numel() == 0) return "empty";
  if (!bias.has_value() || !bias->defined()) return nullptr;
  const bool fits = bias->scalar_type() == input.scalar_type() && bias->device() == input.device() &&
                    is_ordinary(*bias) && bias->dim() == 1;
  return fits ? nullptr : "bias";
}

}  // namespace

std::size_t RequestHash::operator()(const Request& request) const {
  static_assert(std::has_unique_object_representations_v<Request>);
  std::array<std::uint64_t, sizeof(Request) / sizeof(std::uint64_t)> words;
  std::memcpy(words.data(), &request, sizeof request);
  std::uint64_t hash = 0x9e3779b97f4a7c15ULL;
  for (const std::uint64_t word : words) {
    hash = (hash ^ word) * 0xff51afd7ed558ccdULL;
    hash ^= hash >> 32;
  }
  return hash;
}

ReadRequest read_request(const Call& call, const OptionalTensor& bias) {
  if (const char* refusal = refusal_of(call, bias)) return {std::nullopt, refusal};
  Request request;
  request.device_type = static_cast<std::int64_t>(call.input.device().type());
  request.device_index = call.input.is_cuda() ? call.input.get_device() : 0;
  request.dtype = *dtype_of(call.input.scalar_type());
  request.layout = is_channels_last(call, bias) ? CONVOY_CHANNELS_LAST : CONVOY_CHANNELS_FIRST;
  request.rank = call.input.dim() - 2;
  request.transposed = call.transposed ? 1 : 0;
  const Switches& switches = call.switches;
  const auto bit = [](bool on, Switch which) { return on ? static_cast<std::int64_t>(which) : 0; };
  request.switches = bit(switches.benchmark, k_benchmark) | bit(switches.deterministic, k_deterministic) |
                     bit(switches.cudnn_enabled, k_cudnn_enabled) | bit(switches.allow_tf32, k_allow_tf32);
  const QuietSwitches quiet = quiet_switches();
  request.switches |= bit(quiet.mkldnn, k_mkldnn) | bit(quiet.coarse, k_coarse_elsewhere);
  request.groups = call.groups;
  request.n = call.input.size(0);
  request.c = call.input.size(1);
  request.k = call.transposed ? call.weight.size(1) * call.groups : call.weight.size(0);
  for (std::int64_t i = 0; i < request.rank; ++i) {
    request.in[static_cast<std::size_t>(i)] = call.input.size(i + 2);
    request.filter[static_cast<std::size_t>(i)] = call.weight.size(i + 2);
  }
  const bool fits = spread(call.stride, request.rank, request.stride) &&
                    spread(call.padding, request.rank, request.pad) &&
                    spread(call.dilation, request.rank, request.dilation) &&
                    (!call.transposed || spread(call.output_padding, request.rank, request.output_pad));
  // Channels that do not match, too: the shape of the weights stands in the request only as far as it is right.
  const std::int64_t per_group = call.weight.size(call.transposed ? 0 : 1);
  if (!fits || call.groups < 1 || per_group * (call.transposed ? 1 : call.groups) != request.c)
    return {std::nullopt, "shape"};
  if (bias.has_value() && bias->defined() && bias->numel() != request.k) return {std::nullopt, "bias"};
  return {request, nullptr};
}

convoy_problem_desc problem_of(const Request& request, convoy_direction direction) {
  convoy_problem_desc desc{};
  desc.direction = direction;
  desc.dtype = static_cast<convoy_dtype>(request.dtype);
  desc.layout = static_cast<convoy_layout>(request.layout);
  desc.rank = static_cast<int>(request.rank);
  desc.n = request.n;
  desc.c = request.c;
  desc.k = request.k;
  desc.groups = request.groups;
  const auto copy = [&request](const std::array<std::int64_t, CONVOY_MAX_RANK>& from, std::int64_t* to) {
    std::copy_n(from.begin(), request.rank, to);
  };
  copy(request.in, desc.in);
  copy(request.filter, desc.filter);
  copy(request.pad, desc.pad);
  copy(request.stride, desc.stride);
  copy(request.dilation, desc.dilation);
  copy(request.output_pad, desc.output_pad);
  desc.transposed = static_cast<int>(request.transposed);
  return desc;
}

at::MemoryFormat memory_format_of(const Request& request) {
  if (request.layout == CONVOY_CHANNELS_FIRST) return at::MemoryFormat::Contiguous;
  return request.rank == 2 ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::ChannelsLast3d;
}

}  // namespace convoy::pytorch
