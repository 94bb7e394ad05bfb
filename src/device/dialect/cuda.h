// The dialect of our kernels, as CUDA C++ for NVRTC, without any header. opencl.h explains the names.

#define KERNEL(threads) extern "C" __global__ __launch_bounds__(threads)
#define KERNEL_RESIDENT(threads, groups) extern "C" __global__ __launch_bounds__(threads, groups)
#define DEVICE __device__ __forceinline__
#define GLOBAL
#define CONSTANT_TABLE(type, name, count) static __constant__ type name[count]
#define LOCAL
#define LOCAL_ARRAY(type, name, count) __shared__ __align__(16) type name[count]
#define RESTRICT __restrict__
#define BARRIER __syncthreads()
#define THREAD ((int)threadIdx.x)
#define GROUP_X ((int)blockIdx.x)
#define GROUP_Y ((int)blockIdx.y)
#define GROUP_Z ((int)blockIdx.z)
#define PREDICATED_LOADS 1
#define FMA(a, b, c) fmaf((a), (b), (c))
#define FMA64(a, b, c) fma((a), (b), (c))

#define DIALECT_PRAGMA(text) _Pragma(#text)
#define UNROLL _Pragma("unroll")
#define UNROLL_BY(count) DIALECT_PRAGMA(unroll count)

typedef signed char i8;
typedef int i32;
typedef unsigned int u32;
typedef long long i64;
typedef unsigned long long u64;
typedef unsigned short u16;
typedef float4 Float4;
typedef int4 Int4;
#define FLOAT4(a, b, c, d) make_float4((a), (b), (c), (d))
#define FLOAT_FROM_BITS(bits) __uint_as_float(bits)
#define BITS_OF_FLOAT(value) __float_as_uint(value)

// PTX instead of cuda_fp16.h, which NVRTC would have to find on disk.
DEVICE float float_from_f16(u16 bits) {
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
  return value;
}
DEVICE u16 f16_from_float(float value) {
  u16 bits;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
  return bits;
}
