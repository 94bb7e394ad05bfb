// Element types, for kernels of every type: comes after the dialect and before a kernel's text (gpu_kernel.h). ELEMENT is a
// number of Dtype. `element` is what x and w hold, `result` what is written, `sum` what products are added up in.
//
// 16-bit floats are stored as integers and computed with as float; the dialect converts. LOAD_IF reads where `condition` holds,
// else it is zero: the choice stands inside the conversion, or CUDA's compiler branches around it (measured: twice the time).

#if ELEMENT == 0  // f32
typedef float element;
typedef float result;
typedef float sum;
#define LOAD(data, index) ((data)[index])
#define LOAD_IF(condition, data, index) ((condition) ? (data)[index] : 0)
#define LOAD_RESULT(data, index) ((data)[index])
#define STORE_RESULT(data, index, value) ((data)[index] = (value))
#define MULTIPLY_ADD(a, b, c) FMA(a, b, c)
#elif ELEMENT == 1  // f16
typedef u16 element;
typedef u16 result;
typedef float sum;
#define LOAD(data, index) float_from_f16((data)[index])
#define LOAD_IF(condition, data, index) float_from_f16((condition) ? (data)[index] : (u16)0)
#define LOAD_RESULT(data, index) float_from_f16((data)[index])
#define STORE_RESULT(data, index, value) ((data)[index] = f16_from_float(value))
#define MULTIPLY_ADD(a, b, c) FMA(a, b, c)
#elif ELEMENT == 2  // bf16
typedef u16 element;
typedef u16 result;
typedef float sum;
DEVICE float float_from_bf16(u16 bits) { return FLOAT_FROM_BITS((u32)bits << 16); }
// To the nearest, ties to even; a NaN must not be rounded up into an infinity or a zero.
DEVICE u16 bf16_from_float(float value) {
  const u32 bits = BITS_OF_FLOAT(value);
  return (u16)(value != value ? 0x7fc0u : (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}
#define LOAD(data, index) float_from_bf16((data)[index])
#define LOAD_IF(condition, data, index) float_from_bf16((condition) ? (data)[index] : (u16)0)
#define LOAD_RESULT(data, index) float_from_bf16((data)[index])
#define STORE_RESULT(data, index, value) ((data)[index] = bf16_from_float(value))
#define MULTIPLY_ADD(a, b, c) FMA(a, b, c)
#elif ELEMENT == 3  // f64
#if defined(__OPENCL_VERSION__)
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#endif
typedef double element;
typedef double result;
typedef double sum;
#define LOAD(data, index) ((data)[index])
#define LOAD_IF(condition, data, index) ((condition) ? (data)[index] : 0)
#define LOAD_RESULT(data, index) ((data)[index])
#define STORE_RESULT(data, index, value) ((data)[index] = (value))
#define MULTIPLY_ADD(a, b, c) FMA64(a, b, c)
#elif ELEMENT == 4  // i8, added up and stored as i32
typedef i8 element;
typedef i32 result;
typedef i32 sum;
#define LOAD(data, index) ((i32)(data)[index])
#define LOAD_IF(condition, data, index) ((condition) ? (i32)(data)[index] : 0)
#define LOAD_RESULT(data, index) ((data)[index])
#define STORE_RESULT(data, index, value) ((data)[index] = (value))
#define MULTIPLY_ADD(a, b, c) ((a) * (b) + (c))
#endif

