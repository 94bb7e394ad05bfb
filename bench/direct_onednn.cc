// Implementation of direct_onednn.h. Serves oneDNN 2 and 3, whose constructors of primitive descriptors differ.
#include "direct_onednn.h"

#include <algorithm>
#include <optional>

namespace convoy::bench {
namespace {

using MemoryDesc = dnnl::memory::desc;
using MemoryDims = dnnl::memory::dims;

dnnl::engine& host_engine() {
  static dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

std::optional<dnnl::memory::data_type> onednn_type(Dtype dtype) {
  switch (dtype) {
    case Dtype::f32: return dnnl::memory::data_type::f32;
    case Dtype::bf16: return dnnl::memory::data_type::bf16;
    case Dtype::f16: return dnnl::memory::data_type::f16;
    case Dtype::i8: return dnnl::memory::data_type::s8;
    case Dtype::i32: return dnnl::memory::data_type::s32;
    case Dtype::f64: break;
  }
  return std::nullopt;
}

// What the constructors of all three directions take.
struct Recipe {
  dnnl::algorithm algorithm = dnnl::algorithm::convolution_direct;
  MemoryDesc x, w, y;
  MemoryDims stride, dilation, pad;
};

MemoryDims spatial(const Spatial& values, int rank, std::int64_t less = 0) {
  MemoryDims dims(values.begin(), values.begin() + rank);
  for (auto& value : dims) value -= less;
  return dims;
}

MemoryDesc plain_desc(const Problem& problem, TensorRole role, dnnl::memory::data_type type) {
  const Dims sizes = problem.dims(role), strides = problem.strides(role);
  const auto count = 2 + problem.rank;
  MemoryDims size_list(sizes.begin(), sizes.begin() + count), stride_list(strides.begin(), strides.begin() + count);
  if (role == TensorRole::w && problem.groups > 1) {
    size_list[0] /= problem.groups;
    stride_list.insert(stride_list.begin(), stride_list[0] * size_list[0]);
    size_list.insert(size_list.begin(), problem.groups);
  }
  return MemoryDesc(size_list, type, stride_list);
}

MemoryDesc free_desc(const Problem& problem, TensorRole role, dnnl::memory::data_type type) {
  const MemoryDesc plain = plain_desc(problem, role, type);
#if DNNL_VERSION_MAJOR >= 3
  return MemoryDesc(plain.get_dims(), type, dnnl::memory::format_tag::any);
#else
  return MemoryDesc(plain.dims(), type, dnnl::memory::format_tag::any);
#endif
}

#if DNNL_VERSION_MAJOR >= 3
dnnl::convolution_forward::primitive_desc forward_desc(const Recipe& r, dnnl::prop_kind kind) {
  return {host_engine(), kind, r.algorithm, r.x, r.w, r.y, r.stride, r.dilation, r.pad, r.pad};
}
template <typename Convolution>
typename Convolution::primitive_desc backward_desc(const Recipe& r) {
  return {host_engine(), r.algorithm, r.x,   r.w,   r.y,
          r.stride,      r.dilation,  r.pad, r.pad, forward_desc(r, dnnl::prop_kind::forward_training)};
}
#else
dnnl::convolution_forward::primitive_desc forward_desc(const Recipe& r, dnnl::prop_kind kind) {
  return {{kind, r.algorithm, r.x, r.w, r.y, r.stride, r.dilation, r.pad, r.pad}, host_engine()};
}
template <typename Convolution>
typename Convolution::primitive_desc backward_desc(const Recipe& r) {
  Recipe hint = r;
  for (MemoryDesc* desc : {&hint.x, &hint.w, &hint.y}) {
    *desc = MemoryDesc(desc->dims(), desc->data_type(), dnnl::memory::format_tag::any);
  }
  return {{r.algorithm, r.x, r.w, r.y, r.stride, r.dilation, r.pad, r.pad},
          host_engine(),
          forward_desc(hint, dnnl::prop_kind::forward_training)};
}
#endif

struct Chosen {
  dnnl::primitive primitive;
  MemoryDesc x, w, y;
  std::string implementation;
};

// The implementation that oneDNN puts first; throws dnnl::error when there is none.
Chosen choose(const Recipe& recipe, Direction direction) {
  switch (direction) {
    case Direction::forward: {
      const auto desc = forward_desc(recipe, dnnl::prop_kind::forward_inference);
      return {dnnl::convolution_forward(desc), desc.src_desc(), desc.weights_desc(), desc.dst_desc(),
              desc.impl_info_str()};
    }
    case Direction::backward_data: {
      const auto desc = backward_desc<dnnl::convolution_backward_data>(recipe);
      return {dnnl::convolution_backward_data(desc), desc.diff_src_desc(), desc.weights_desc(), desc.diff_dst_desc(),
              desc.impl_info_str()};
    }
    case Direction::backward_weights: break;
  }
  const auto desc = backward_desc<dnnl::convolution_backward_weights>(recipe);
  return {dnnl::convolution_backward_weights(desc), desc.src_desc(), desc.diff_weights_desc(), desc.diff_dst_desc(),
          desc.impl_info_str()};
}

}  // namespace

void DirectConvolution::add_reorder(std::vector<Step>& steps, const dnnl::memory& from, const dnnl::memory& to) {
  steps.push_back(
      {dnnl::reorder(from, to), {from, to, {}}, {{{DNNL_ARG_FROM, from.get()}, {DNNL_ARG_TO, to.get()}, {}}}, 2});
}

void DirectConvolution::assemble(const dnnl::primitive& convolution, const std::array<Slot, 3>& slots) {
  stream_ = dnnl::stream(host_engine());
  convolution_ = {convolution, {}, {}, 3};
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const Slot& slot = slots[i];
    const dnnl::memory user(slot.user, host_engine(), slot.data);
    dnnl::memory inner = user;
    if (slot.user != slot.inner) {
      inner = dnnl::memory(slot.inner, host_engine());
      const bool is_output = i == 2;
      if (is_output) {
        add_reorder(after_, inner, user);
      } else {
        add_reorder(before_, user, inner);
      }
    }
    convolution_.memories[i] = inner;
    convolution_.arguments[i] = {slot.argument, inner.get()};
  }
}

std::unique_ptr<DirectConvolution> DirectConvolution::create(const Problem& problem, const Tensors& tensors,
                                                             const Variant& variant) {
  const auto desc_of = [&](TensorRole role, bool free) {
    const auto type = *onednn_type(problem.dtype_of(role));
    return free ? free_desc(problem, role, type) : plain_desc(problem, role, type);
  };
  Recipe recipe;
  recipe.algorithm = variant.algorithm;
  recipe.x = desc_of(TensorRole::x, variant.free_data);
  recipe.w = desc_of(TensorRole::w, variant.free_weights);
  recipe.y = desc_of(TensorRole::y, variant.free_data);
  recipe.stride = spatial(problem.stride, problem.rank);
  recipe.dilation = spatial(problem.dilation, problem.rank, 1);
  recipe.pad = spatial(problem.pad, problem.rank);
  const Chosen chosen = choose(recipe, problem.direction);

  const auto slot_of = [&](TensorRole role, const MemoryDesc& inner, int argument, void* data) {
    return Slot{desc_of(role, false), inner, argument, data};
  };
  const bool x_is_output = problem.direction == Direction::backward_data;
  const bool w_is_output = problem.direction == Direction::backward_weights;
  const bool y_is_output = problem.direction == Direction::forward;
  const Slot x = slot_of(TensorRole::x, chosen.x, x_is_output ? DNNL_ARG_DIFF_SRC : DNNL_ARG_SRC, tensors.x);
  const Slot w = slot_of(TensorRole::w, chosen.w, w_is_output ? DNNL_ARG_DIFF_WEIGHTS : DNNL_ARG_WEIGHTS, tensors.w);
  const Slot y = slot_of(TensorRole::y, chosen.y, y_is_output ? DNNL_ARG_DST : DNNL_ARG_DIFF_DST, tensors.y);
  auto convolution = std::make_unique<DirectConvolution>();
  convolution->implementation_ = chosen.implementation;
  convolution->assemble(chosen.primitive, x_is_output   ? std::array{w, y, x}
                                          : w_is_output ? std::array{x, y, w}
                                                        : std::array{x, w, y});
  return convolution;
}

std::vector<std::unique_ptr<DirectConvolution>> DirectConvolution::variants(const Problem& problem,
                                                                            const Tensors& tensors) {
  std::vector<std::unique_ptr<DirectConvolution>> list;
  if (problem.transposed || !onednn_type(problem.dtype)) return list;
  for (const Variant& variant : {Variant{true, true, dnnl::algorithm::convolution_direct},
                                 Variant{true, true, dnnl::algorithm::convolution_auto},
                                 Variant{false, true, dnnl::algorithm::convolution_direct},
                                 Variant{false, false, dnnl::algorithm::convolution_direct}}) {
    try {
      auto fresh = create(problem, tensors, variant);
      // The naive reference is no rival, and may take minutes.
      if (fresh->implementation_.find("ref") != std::string::npos) continue;
      const auto same = [&](const auto& other) {
        return other->implementation_ == fresh->implementation_ && other->reorders() == fresh->reorders();
      };
      if (std::none_of(list.begin(), list.end(), same)) list.push_back(std::move(fresh));
    } catch (const dnnl::error&) {
      // "unimplemented": this variant does not exist for this problem.
    }
  }
  return list;
}

void DirectConvolution::run_step(const Step& step) const {
  dnnl::error::wrap_c_api(
      dnnl_primitive_execute(step.primitive.get(), stream_.get(), step.count, step.arguments.data()), "execute");
}

void DirectConvolution::run() const {
  for (const Step& step : before_) run_step(step);
  run_step(convolution_);
  for (const Step& step : after_) run_step(step);
  dnnl::error::wrap_c_api(dnnl_stream_wait(stream_.get()), "wait");
}

}  // namespace convoy::bench
