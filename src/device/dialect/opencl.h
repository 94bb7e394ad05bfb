// The dialect of our kernels, as OpenCL C 1.2. A program is its definitions (#define lines), this file or one of its siblings
// cuda.h and hip.h, then the kernel's text (dialect.h puts them together). The three define the same names; this one explains
// them.
//
// Kernels keep to what all three languages have: LOCAL_ARRAYs at the top of a kernel only, vectors reached by casting pointers
// that are aligned to them, BARRIER where all threads pass, no atomics on floats, nothing that depends on how many threads run
// in lockstep.

#define KERNEL(threads) __kernel __attribute__((reqd_work_group_size(threads, 1, 1)))
// As KERNEL; on CUDA the compiler saves registers until that many groups fit on one multiprocessor.
#define KERNEL_RESIDENT(threads, groups) KERNEL(threads)
#define DEVICE static inline
#define GLOBAL __global
#define CONSTANT_TABLE(type, name, count) __constant type name[count]
#define LOCAL __local
#define LOCAL_ARRAY(type, name, count) __local type name[count] __attribute__((aligned(16)))
#define RESTRICT restrict
#define BARRIER barrier(CLK_LOCAL_MEM_FENCE)
#define THREAD ((int)get_local_id(0))
#define GROUP_X ((int)get_group_id(0))
#define GROUP_Y ((int)get_group_id(1))
#define GROUP_Z ((int)get_group_id(2))
// Whether a condition on a load costs nothing. Elsewhere it is a branch: better to load something and not to use it.
#define PREDICATED_LOADS 0
#define FMA(a, b, c) fma((a), (b), (c))
#define FMA64(a, b, c) fma((a), (b), (c))

// PoCL's CPU compiler slows down with every unrolled loop (an 8x8 tile whose sum is unrolled 16 times runs at a quarter of the
// speed), but what is not unrolled here may index an array, so the pragma stays.
#define DIALECT_PRAGMA(text) _Pragma(#text)
#define UNROLL _Pragma("unroll")
#define UNROLL_BY(count) DIALECT_PRAGMA(unroll count)

typedef char i8;
typedef int i32;
typedef uint u32;
typedef long i64;
typedef ulong u64;
typedef ushort u16;
typedef float4 Float4;
typedef int4 Int4;
#define FLOAT4(a, b, c, d) ((float4)((a), (b), (c), (d)))
#define FLOAT_FROM_BITS(bits) as_float(bits)
#define BITS_OF_FLOAT(value) as_uint(value)

// vload_half and vstore_half would do, but PoCL 3.1 takes 4 seconds to build a kernel with them, and 1 without.
DEVICE float float_from_f16(u16 bits) {
  const u32 magnitude = bits & 0x7fffu;
  const u32 normal = (magnitude << 13) + 0x38000000u + (magnitude >= 0x7c00u ? 0x38000000u : 0u);
  const u32 subnormal = as_uint((float)magnitude * 0x1p-24f);
  return as_float(((u32)(bits & 0x8000u) << 16) | (magnitude < 0x400u ? subnormal : normal));
}
DEVICE u16 f16_from_float(float value) {
  const u32 sign = (as_uint(value) >> 16) & 0x8000u;
  const u32 magnitude = as_uint(value) & 0x7fffffffu;
  const u32 normal = (magnitude + 0xfffu + ((magnitude >> 13) & 1u) - 0x38000000u) >> 13;
  // A unit in the last place of 0.5 is the smallest f16: adding 0.5 rounds.
  const u32 subnormal = as_uint(as_float(magnitude) + 0.5f) - 0x3f000000u;
  const u32 large = magnitude > 0x7f800000u ? 0x7e00u : 0x7c00u;
  return (u16)(sign | (magnitude >= 0x47800000u ? large : magnitude < 0x38800000u ? subnormal : normal));
}
