// What kernels of the tests need of HIP, without HIP's headers.
#pragma once

#define KERNEL extern "C" __attribute__((global))
#define GROUP_OF(threads) __attribute__((amdgpu_flat_work_group_size(threads, threads)))
#define SHARED __attribute__((shared))
#define THREAD static_cast<int>(__builtin_amdgcn_workitem_id_x())
#define GROUP_X static_cast<int>(__builtin_amdgcn_workgroup_id_x())
#define GROUP_Y static_cast<int>(__builtin_amdgcn_workgroup_id_y())

__attribute__((device)) inline void barrier() {
  __builtin_amdgcn_fence(__ATOMIC_RELEASE, "workgroup");
  __builtin_amdgcn_s_barrier();
  __builtin_amdgcn_fence(__ATOMIC_ACQUIRE, "workgroup");
}
