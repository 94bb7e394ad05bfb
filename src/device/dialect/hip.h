// The dialect of our kernels, as HIP for HIPRTC, comgr and plain clang (-x hip -nogpuinc -nogpulib): compiler builtins only, no
// header. opencl.h explains the names.

// The CUDA number of resident groups must not reach the compiler: the second number of __launch_bounds__ is waves per SIMD
// here, and 4 of them force 64 registers and hundreds of spills.
#define KERNEL(threads) \
  extern "C" __attribute__((global)) __attribute__((amdgpu_flat_work_group_size(threads, threads)))
#define KERNEL_RESIDENT(threads, groups) KERNEL(threads)
#define DEVICE static inline __attribute__((device)) __attribute__((always_inline))
#define GLOBAL
#define CONSTANT_TABLE(type, name, count) static __attribute__((constant)) type name[count]
#define LOCAL
#define LOCAL_ARRAY(type, name, count) __attribute__((shared)) __attribute__((aligned(16))) type name[count]
#define RESTRICT __restrict__
#define BARRIER dialect_barrier()
#define THREAD ((int)__builtin_amdgcn_workitem_id_x())
#define GROUP_X ((int)__builtin_amdgcn_workgroup_id_x())
#define GROUP_Y ((int)__builtin_amdgcn_workgroup_id_y())
#define GROUP_Z ((int)__builtin_amdgcn_workgroup_id_z())
#define PREDICATED_LOADS 0
#define FMA(a, b, c) __builtin_fmaf((a), (b), (c))
#define FMA64(a, b, c) __builtin_fma((a), (b), (c))

#define DIALECT_PRAGMA(text) _Pragma(#text)
#define UNROLL _Pragma("unroll")
#define UNROLL_BY(count) DIALECT_PRAGMA(unroll count)

DEVICE void dialect_barrier() {
  __builtin_amdgcn_fence(__ATOMIC_RELEASE, "workgroup");
  __builtin_amdgcn_s_barrier();
  __builtin_amdgcn_fence(__ATOMIC_ACQUIRE, "workgroup");
}

typedef signed char i8;
typedef int i32;
typedef unsigned int u32;
typedef long long i64;
typedef unsigned long long u64;
typedef unsigned short u16;
typedef float Float4 __attribute__((ext_vector_type(4)));
typedef int Int4 __attribute__((ext_vector_type(4)));
#define FLOAT4(a, b, c, d) ((Float4){(a), (b), (c), (d)})
#define FLOAT_FROM_BITS(bits) __builtin_bit_cast(float, (u32)(bits))
#define BITS_OF_FLOAT(value) __builtin_bit_cast(u32, (float)(value))

DEVICE float float_from_f16(u16 bits) { return (float)__builtin_bit_cast(_Float16, bits); }
DEVICE u16 f16_from_float(float value) { return __builtin_bit_cast(u16, (_Float16)value); }
