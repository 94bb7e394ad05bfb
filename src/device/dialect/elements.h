// Elements of tensors, after opencl.h, cuda.h or hip.h. DTYPE, the number of convoy::Dtype (f32 0, f16 1, bf16 2, f64 3, i8 4,
// i32 5), says what is stored:
//   element  an element of the inputs; LOAD(pointer, index) widens it to a `sum`
//   result   an element of the output: an i32 where inputs are i8, else an element; LOAD_RESULT, STORE (rounds to nearest even)
//   sum      what products are added up in: float, double for f64, int for integers
#ifndef DTYPE
#define DTYPE 0
#endif

#if DTYPE == 3
#ifdef __OPENCL_VERSION__
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#endif
typedef double sum;
#elif DTYPE >= 4
typedef int sum;
#else
typedef float sum;
#endif

DEVICE float float_from_bf16(u16 bits) { return FLOAT_FROM_BITS((u32)bits << 16); }
DEVICE u16 bf16_from_float(float value) {
  const u32 bits = BITS_OF_FLOAT(value);
  const u32 rounded = bits + 0x7fffu + ((bits >> 16) & 1u);
  return (u16)(((bits & 0x7fffffffu) > 0x7f800000u ? bits | 0x400000u : rounded) >> 16);
}

#if DTYPE == 1
typedef u16 element;
typedef u16 result;
#define LOAD(pointer, index) float_from_f16((pointer)[index])
#define STORE(pointer, index, value) ((pointer)[index] = f16_from_float(value))
#elif DTYPE == 2
typedef u16 element;
typedef u16 result;
#define LOAD(pointer, index) float_from_bf16((pointer)[index])
#define STORE(pointer, index, value) ((pointer)[index] = bf16_from_float(value))
#elif DTYPE == 4
typedef i8 element;
typedef i32 result;
#define LOAD(pointer, index) ((sum)(pointer)[index])
#define STORE(pointer, index, value) ((pointer)[index] = (value))
#else
typedef sum element;
typedef sum result;
#define LOAD(pointer, index) ((pointer)[index])
#define STORE(pointer, index, value) ((pointer)[index] = (value))
#endif

#if DTYPE == 4
#define LOAD_RESULT(pointer, index) ((pointer)[index])
#else
#define LOAD_RESULT(pointer, index) LOAD(pointer, index)
#endif

#if DTYPE == 3
#define MULTIPLY_ADD(a, b, c) FMA64(a, b, c)
#elif DTYPE >= 4
#define MULTIPLY_ADD(a, b, c) ((a) * (b) + (c))
#else
#define MULTIPLY_ADD(a, b, c) FMA(a, b, c)
#endif
