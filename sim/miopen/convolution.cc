// Convolution descriptors.
#include <algorithm>
#include <utility>

#include "sim/miopen/descriptors.h"
#include "sim/miopen/library.h"

namespace convoy::miopen {
namespace {

struct Lists {
  const int *pads, *strides, *dilations;
};

// Makes the descriptor anew: one group, no attributes.
Status init(const Call& call, ConvolutionDescriptor convolution, Mode mode, int rank, const Lists& lists) {
  if (call.ended) return call.status;
  if (convolution == nullptr) return refuse(k_bad_parm, "a null convolution descriptor");
  if (rank < 1 || rank > k_spatial) return refuse(k_bad_parm, "convolutions have 1 to 3 spatial dimensions");
  if (lists.pads == nullptr || lists.strides == nullptr || lists.dilations == nullptr) {
    return refuse(k_bad_parm, "no pads, strides or dilations");
  }
  if (mode < k_convolution || mode > k_depthwise) return refuse(k_bad_parm, "no such convolution mode");
  for (int i = 0; i < rank; ++i) {
    if (lists.pads[i] < 0 || lists.strides[i] < 1 || lists.dilations[i] < 1) {
      return refuse(k_bad_parm, "pads must be 0 or more, strides and dilations 1 or more");
    }
  }
  ConvolutionTag made;
  made.mode = mode == k_transpose ? k_transpose : k_convolution;
  made.pads.assign(lists.pads, lists.pads + rank);
  made.strides.assign(lists.strides, lists.strides + rank);
  made.dilations.assign(lists.dilations, lists.dilations + rank);
  made.adjusts.assign(static_cast<std::size_t>(rank), 0);
  *convolution = std::move(made);
  return k_success;
}

Status set_adjusts(const Call& call, ConvolutionDescriptor convolution, int rank, const int* adjusts) {
  if (call.ended) return call.status;
  if (convolution == nullptr || adjusts == nullptr ||
      static_cast<std::size_t>(std::max(rank, 0)) != convolution->rank()) {
    return refuse(k_bad_parm, "output padding of other dimensions than the convolution's");
  }
  if (std::any_of(adjusts, adjusts + rank, [](int adjust) { return adjust < 0; })) {
    return refuse(k_bad_parm, "output padding must be 0 or more");
  }
  convolution->adjusts.assign(adjusts, adjusts + rank);
  return k_success;
}

// As the real library, an output is never smaller than 1.
std::int64_t output_size(const ConvolutionTag& convolution, std::size_t axis, std::int64_t in, std::int64_t filter) {
  std::int64_t pad = convolution.pads[axis], stride = convolution.strides[axis];
  std::int64_t reach = convolution.dilations[axis] * (filter - 1);
  std::int64_t size = convolution.mode == k_transpose
                          ? stride * (in - 1) + 1 + reach - 2 * pad + convolution.adjusts[axis]
                          : (in + 2 * pad - reach - 1 + stride) / stride;
  return std::max<std::int64_t>(size, 1);
}

Status output_sizes(const Call& call, ConvolutionDescriptor convolution, TensorDescriptor x, TensorDescriptor w,
                    std::vector<int>& sizes) {
  if (call.ended) return call.status;
  if (convolution == nullptr || x == nullptr || w == nullptr) return refuse(k_bad_parm, "a null descriptor");
  if (x->rank() != convolution->rank() + 2 || w->rank() != x->rank()) {
    return refuse(k_bad_parm, "tensors and convolution have different numbers of dimensions");
  }
  bool transpose = convolution->mode == k_transpose;
  std::int64_t groups = convolution->groups;
  if (w->sizes[0] % groups != 0 || x->sizes[1] != (transpose ? w->sizes[0] : w->sizes[1] * groups)) {
    return refuse(k_bad_parm, "the channels of input and filter do not fit each other and the groups");
  }
  sizes = {static_cast<int>(x->sizes[0]), static_cast<int>(transpose ? w->sizes[1] * groups : w->sizes[0])};
  for (std::size_t i = 0; i < convolution->rank(); ++i) {
    sizes.push_back(static_cast<int>(output_size(*convolution, i, x->sizes[i + 2], w->sizes[i + 2])));
  }
  return k_success;
}

void copy_to(const std::vector<int>& from, int count, int* to) {
  if (to != nullptr) std::copy_n(from.begin(), count, to);
}

bool is_attribute(Attribute attribute) {
  return attribute >= 0 && attribute < k_attributes;
}

}  // namespace

CONVOY_MIOPEN Status miopenCreateConvolutionDescriptor(ConvolutionDescriptor* convolution) {
  Call call(Function::miopenCreateConvolutionDescriptor);
  if (call.ended) return call.status;
  if (convolution == nullptr) return refuse(k_bad_parm, "nowhere to put the convolution descriptor");
  *convolution = new ConvolutionTag;
  return k_success;
}

CONVOY_MIOPEN Status miopenDestroyConvolutionDescriptor(ConvolutionDescriptor convolution) {
  Call call(Function::miopenDestroyConvolutionDescriptor);
  if (call.ended) return call.status;
  delete convolution;
  return k_success;
}

CONVOY_MIOPEN Status miopenInitConvolutionDescriptor(ConvolutionDescriptor convolution, Mode mode, int pad_h, int pad_w,
                                                     int stride_h, int stride_w, int dilation_h, int dilation_w) {
  const int pads[] = {pad_h, pad_w}, strides[] = {stride_h, stride_w}, dilations[] = {dilation_h, dilation_w};
  return init(Call(Function::miopenInitConvolutionDescriptor), convolution, mode, 2, {pads, strides, dilations});
}

CONVOY_MIOPEN Status miopenInitConvolutionNdDescriptor(ConvolutionDescriptor convolution, int rank, const int* pads,
                                                       const int* strides, const int* dilations, Mode mode) {
  return init(Call(Function::miopenInitConvolutionNdDescriptor), convolution, mode, rank, {pads, strides, dilations});
}

CONVOY_MIOPEN Status miopenGetConvolutionDescriptor(ConvolutionDescriptor convolution, Mode* mode, int* pad_h,
                                                    int* pad_w, int* stride_h, int* stride_w, int* dilation_h,
                                                    int* dilation_w) {
  Call call(Function::miopenGetConvolutionDescriptor);
  if (call.ended) return call.status;
  if (convolution == nullptr || convolution->rank() != 2) return refuse(k_bad_parm, "no convolution of 2 dimensions");
  if (mode != nullptr) *mode = convolution->mode;
  const std::pair<int*, int> results[] = {
      {pad_h, convolution->pads[0]},           {pad_w, convolution->pads[1]},
      {stride_h, convolution->strides[0]},     {stride_w, convolution->strides[1]},
      {dilation_h, convolution->dilations[0]}, {dilation_w, convolution->dilations[1]},
  };
  for (auto [to, value] : results) {
    if (to != nullptr) *to = value;
  }
  return k_success;
}

CONVOY_MIOPEN Status miopenGetConvolutionNdDescriptor(ConvolutionDescriptor convolution, int room, int* rank, int* pads,
                                                      int* strides, int* dilations, Mode* mode) {
  Call call(Function::miopenGetConvolutionNdDescriptor);
  if (call.ended) return call.status;
  if (convolution == nullptr || room < 0) return refuse(k_bad_parm, "a null convolution descriptor or negative room");
  int own = static_cast<int>(convolution->rank()), count = std::min(room, own);
  if (rank != nullptr) *rank = own;
  if (mode != nullptr) *mode = convolution->mode;
  copy_to(convolution->pads, count, pads);
  copy_to(convolution->strides, count, strides);
  copy_to(convolution->dilations, count, dilations);
  return k_success;
}

CONVOY_MIOPEN Status miopenSetConvolutionGroupCount(ConvolutionDescriptor convolution, int groups) {
  Call call(Function::miopenSetConvolutionGroupCount);
  if (call.ended) return call.status;
  if (convolution == nullptr || groups < 1) return refuse(k_bad_parm, "a convolution has 1 group or more");
  convolution->groups = groups;
  return k_success;
}

CONVOY_MIOPEN Status miopenGetConvolutionGroupCount(ConvolutionDescriptor convolution, int* groups) {
  Call call(Function::miopenGetConvolutionGroupCount);
  if (call.ended) return call.status;
  if (convolution == nullptr || groups == nullptr) return refuse(k_bad_parm, "a null convolution descriptor or result");
  *groups = convolution->groups;
  return k_success;
}

CONVOY_MIOPEN Status miopenSetTransposeConvOutputPadding(ConvolutionDescriptor convolution, int adjust_h,
                                                         int adjust_w) {
  const int adjusts[] = {adjust_h, adjust_w};
  return set_adjusts(Call(Function::miopenSetTransposeConvOutputPadding), convolution, 2, adjusts);
}

CONVOY_MIOPEN Status miopenSetTransposeConvNdOutputPadding(ConvolutionDescriptor convolution, int rank,
                                                           const int* adjust) {
  return set_adjusts(Call(Function::miopenSetTransposeConvNdOutputPadding), convolution, rank, adjust);
}

CONVOY_MIOPEN Status miopenGetConvolutionForwardOutputDim(ConvolutionDescriptor convolution, TensorDescriptor x_tensor,
                                                          TensorDescriptor w_tensor, int* n, int* c, int* h, int* w) {
  std::vector<int> sizes;
  Call call(Function::miopenGetConvolutionForwardOutputDim);
  Status status = output_sizes(call, convolution, x_tensor, w_tensor, sizes);
  if (status != k_success || call.ended) return status;
  if (sizes.size() != 4) return refuse(k_bad_parm, "no convolution of 2 dimensions");
  int* const results[] = {n, c, h, w};
  for (std::size_t i = 0; i < 4; ++i) {
    if (results[i] != nullptr) *results[i] = sizes[i];
  }
  return k_success;
}

CONVOY_MIOPEN Status miopenGetConvolutionNdForwardOutputDim(ConvolutionDescriptor convolution,
                                                            TensorDescriptor x_tensor, TensorDescriptor w_tensor,
                                                            int* dimensions, int* sizes) {
  std::vector<int> output;
  Call call(Function::miopenGetConvolutionNdForwardOutputDim);
  Status status = output_sizes(call, convolution, x_tensor, w_tensor, output);
  if (status != k_success || call.ended) return status;
  if (dimensions != nullptr) *dimensions = static_cast<int>(output.size());
  copy_to(output, static_cast<int>(output.size()), sizes);
  return k_success;
}

CONVOY_MIOPEN Status miopenSetConvolutionAttribute(ConvolutionDescriptor convolution, Attribute attribute, int value) {
  Call call(Function::miopenSetConvolutionAttribute);
  if (call.ended) return call.status;
  if (convolution == nullptr || !is_attribute(attribute)) return refuse(k_bad_parm, "no such convolution attribute");
  convolution->attributes[static_cast<std::size_t>(attribute)] = value;
  return k_success;
}

CONVOY_MIOPEN Status miopenGetConvolutionAttribute(ConvolutionDescriptor convolution, Attribute attribute, int* value) {
  Call call(Function::miopenGetConvolutionAttribute);
  if (call.ended) return call.status;
  if (convolution == nullptr || value == nullptr || !is_attribute(attribute)) {
    return refuse(k_bad_parm, "no such convolution attribute");
  }
  *value = convolution->attributes[static_cast<std::size_t>(attribute)];
  return k_success;
}

CONVOY_MIOPEN Status miopenSetConvolutionFindMode(ConvolutionDescriptor convolution, int mode) {
  Call call(Function::miopenSetConvolutionFindMode);
  if (call.ended) return call.status;
  if (convolution == nullptr || mode < 1 || mode > 7) return refuse(k_bad_parm, "no such find mode");
  convolution->find_mode = mode;
  return k_success;
}

CONVOY_MIOPEN Status miopenGetConvolutionFindMode(ConvolutionDescriptor convolution, int* mode) {
  Call call(Function::miopenGetConvolutionFindMode);
  if (call.ended) return call.status;
  if (convolution == nullptr || mode == nullptr) return refuse(k_bad_parm, "a null convolution descriptor or result");
  *mode = convolution->find_mode;
  return k_success;
}

}  // namespace convoy::miopen
