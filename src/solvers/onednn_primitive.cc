// Implementation of onednn_primitive.h.
#include "solvers/onednn_primitive.h"

namespace convoy {
namespace {

dnnl::primitive_attr scratchpad_attribute() {
  dnnl::primitive_attr attribute;
  attribute.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attribute;
}

// A primitive descriptor with everything that a walk over its implementations still reads: oneDNN 2 keeps
// plain pointers to the operation and to the forward hint, oneDNN 3 owns copies.
#if DNNL_VERSION_MAJOR >= 3
struct Forward {
  Forward(const Recipe& r, dnnl::prop_kind kind)
      : desc(onednn_host_engine(), kind, r.algorithm, r.x, r.w, MemoryDesc(), r.y, r.stride, r.dilation, r.pad_left,
             r.pad_right, scratchpad_attribute()) {}
  dnnl::convolution_forward::primitive_desc desc;
};
#else
struct Forward {
  Forward(const Recipe& r, dnnl::prop_kind kind)
      : operation(kind, r.algorithm, r.x, r.w, r.y, r.stride, r.dilation, r.pad_left, r.pad_right),
        desc(operation, scratchpad_attribute(), onednn_host_engine()) {}
  dnnl::convolution_forward::desc operation;
  dnnl::convolution_forward::primitive_desc desc;
};
#endif

// The forward hint that backward primitives want: the same convolution, its formats do not matter.
Recipe hint_recipe(const Recipe& r, dnnl::memory::data_type type) {
  Recipe hint = r;
  hint.x = any_format(r.x, type);
  hint.w = any_format(r.w, type);
  hint.y = any_format(r.y, type);
  return hint;
}

// Backward data (x, w, y mean diff_src, weights, diff_dst) or weights (src, diff_weights, diff_dst).
template <typename Primitive>
struct Backward {
  using PrimitiveDesc = typename Primitive::primitive_desc;
#if DNNL_VERSION_MAJOR >= 3
  Backward(const Recipe& r, dnnl::memory::data_type type)
      : hint(hint_recipe(r, type), dnnl::prop_kind::forward_training),
        desc(onednn_host_engine(), r.algorithm, r.x, r.w, r.y, r.stride, r.dilation, r.pad_left, r.pad_right, hint.desc,
             scratchpad_attribute()) {}
  Forward hint;
#else
  Backward(const Recipe& r, dnnl::memory::data_type type)
      : hint(hint_recipe(r, type), dnnl::prop_kind::forward_training),
        operation(r.algorithm, r.x, r.w, r.y, r.stride, r.dilation, r.pad_left, r.pad_right),
        desc(operation, scratchpad_attribute(), onednn_host_engine(), hint.desc) {}
  Forward hint;
  typename Primitive::desc operation;
#endif
  PrimitiveDesc desc;
};

std::array<MemoryDesc, 3> formats_of(dnnl::convolution_forward::primitive_desc& desc) {
  return {desc.src_desc(), desc.weights_desc(), desc.dst_desc()};
}
std::array<MemoryDesc, 3> formats_of(dnnl::convolution_backward_data::primitive_desc& desc) {
  return {desc.weights_desc(), desc.diff_dst_desc(), desc.diff_src_desc()};
}
std::array<MemoryDesc, 3> formats_of(dnnl::convolution_backward_weights::primitive_desc& desc) {
  return {desc.src_desc(), desc.diff_dst_desc(), desc.diff_weights_desc()};
}

template <typename Primitive, typename Desc>
std::optional<Found> walk(Desc& desc, const std::function<bool(Algorithm)>& accept) {
  if (!desc) return std::nullopt;
  do {
    const std::string name = desc.impl_info_str();
    const auto algorithm = onednn_family(name);
    if (!algorithm || !accept(*algorithm)) continue;
    return Found{Primitive(desc), formats_of(desc), desc.scratchpad_desc(), *algorithm, name};
  } while (desc.next_impl());
  return std::nullopt;
}

}  // namespace

dnnl::engine& onednn_host_engine() {
  // Never destroyed: the host program's threads may still compute while it exits.
  static auto* engine = new dnnl::engine(dnnl::engine::kind::cpu, 0);
  return *engine;
}

MemoryDesc any_format(const MemoryDesc& like, dnnl::memory::data_type type) {
#if DNNL_VERSION_MAJOR >= 3
  return MemoryDesc(like.get_dims(), type, dnnl::memory::format_tag::any);
#else
  return MemoryDesc(like.dims(), type, dnnl::memory::format_tag::any);
#endif
}

std::optional<Algorithm> onednn_family(std::string_view implementation) {
  const auto has = [implementation](std::string_view part) {
    return implementation.find(part) != std::string_view::npos;
  };
  if (has("ref")) return std::nullopt;
  return has("wino")   ? Algorithm::winograd
         : has("gemm") ? Algorithm::gemm
         : has("brg")  ? Algorithm::implicit_gemm
                       : Algorithm::direct;
}

std::optional<Found> find_primitive(const Recipe& recipe, Direction direction, dnnl::memory::data_type type,
                                    const std::function<bool(Algorithm)>& accept) {
  try {
    switch (direction) {
      case Direction::forward: {
        // Inference, whoever asks: oneDNN 2.6 has its BRGEMM kernels (5 % faster on 3x3 layers) for nothing else, and the
        // numbers are the same: a convolution keeps nothing for a backward pass.
        Forward forward(recipe, dnnl::prop_kind::forward_inference);
        return walk<dnnl::convolution_forward>(forward.desc, accept);
      }
      case Direction::backward_data: {
        Backward<dnnl::convolution_backward_data> backward(recipe, type);
        return walk<dnnl::convolution_backward_data>(backward.desc, accept);
      }
      case Direction::backward_weights: {
        Backward<dnnl::convolution_backward_weights> backward(recipe, type);
        return walk<dnnl::convolution_backward_weights>(backward.desc, accept);
      }
    }
  } catch (const dnnl::error&) {
    // "unimplemented": this type, format or algorithm is not offered here.
  }
  return std::nullopt;
}

}  // namespace convoy
