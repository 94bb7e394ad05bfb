// The part of MIOpen's C interface that Convoy meets, as facts: numbers, sizes, signatures. Written from the public documentation
// and header of MIOpen 2.17 (ROCm 5.2) to 3.5 (ROCm 7), in which none of it has changed; miopen_functions.inc lists the
// functions. The shim defines some of them, the solver and the shim call them, the simulator's stand-in implements them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace convoy::miopen {

struct HandleTag;
struct TensorTag;
struct ConvolutionTag;
using Handle = HandleTag*;                      // miopenHandle_t
using TensorDescriptor = TensorTag*;            // miopenTensorDescriptor_t
using ConvolutionDescriptor = ConvolutionTag*;  // miopenConvolutionDescriptor_t
using Queue = void*;                            // miopenAcceleratorQueue_t, a hipStream_t
using Allocate = void* (*)(void* context, std::size_t bytes);
using Deallocate = void (*)(void* context, void* memory);

// Enumerations travel as int, and stay so: what a program hands in may be a number that no enumerator has.

// miopenStatus_t
using Status = int;
inline constexpr Status k_success = 0, k_not_initialized = 1, k_invalid_value = 2, k_bad_parm = 3, k_alloc_failed = 4,
                        k_internal_error = 5, k_not_implemented = 6, k_unknown_error = 7, k_unsupported_op = 8;

// miopenDataType_t. 4 was Int8x4 until 3.0; 7 and above are fp8, bf8, int64.
using DataType = int;
inline constexpr DataType k_half = 0, k_float = 1, k_int32 = 2, k_int8 = 3, k_bfloat16 = 5, k_double = 6;

// miopenConvolutionMode_t. The library itself turns group and depthwise into convolution.
using Mode = int;
inline constexpr Mode k_convolution = 0, k_transpose = 1, k_group_convolution = 2, k_depthwise = 3;

// miopenConvFwdAlgorithm_t, ...BwdDataAlgorithm_t, ...BwdWeightsAlgorithm_t, miopenConvAlgorithm_t. 4 was a deprecated GEMM of
// backward data; backward weights has no FFT.
using AlgorithmCode = int;
inline constexpr AlgorithmCode k_gemm = 0, k_direct = 1, k_fft = 2, k_winograd = 3, k_implicit_gemm = 5;

// miopenConvolutionAttrib_t
using Attribute = int;
inline constexpr Attribute k_fp16_alt_impl = 0, k_deterministic = 1, k_fp8_rounding_mode = 2, k_math_type = 3;

// miopenTensorOp_t
using TensorOperation = int;
inline constexpr TensorOperation k_add = 0, k_multiply = 1, k_minimum = 2, k_maximum = 3;

// miopenConvAlgoPerf_t; time in milliseconds.
struct AlgorithmPerformance {
  AlgorithmCode algorithm;
  float time;
  std::size_t memory;
};
static_assert(sizeof(AlgorithmPerformance) == 16);

// miopenConvSolution_t. Ids are those of MIOpen's list of solvers (0: none); ours begin at 2^32.
struct ConvolutionSolution {
  float time;
  std::size_t workspace_size;
  std::uint64_t solution_id;
  AlgorithmCode algorithm;
};
static_assert(sizeof(ConvolutionSolution) == 32);

// Sizes and strides of tensors are int, at most this many of each.
inline constexpr int k_max_dimensions = 5;

}  // namespace convoy::miopen
