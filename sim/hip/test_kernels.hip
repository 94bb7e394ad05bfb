// The kernels of the stand-in's tests, compiled by hiprtc.
extern "C" __device__ float scale = 3.0f;

extern "C" __global__ void add(const float* a, const float* b, float* c, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) c[i] = a[i] + b[i];
}

// Writes one element a thread, whatever the memory's size.
extern "C" __global__ void overrun(float* out) { out[blockIdx.x * blockDim.x + threadIdx.x] = 1.0f; }

extern "C" __global__ void multiply(float* x, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) x[i] *= scale;
}

// Reverses each group's part through local memory whose size the launch gives.
extern "C" __global__ void reverse(float* x) {
  extern __shared__ float part[];
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  part[threadIdx.x] = x[i];
  __syncthreads();
  x[i] = part[blockDim.x - 1 - threadIdx.x];
}

// The same without its barrier.
extern "C" __global__ void racy_reverse(float* x) {
  extern __shared__ float part[];
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  part[threadIdx.x] = x[i];
  x[i] = part[blockDim.x - 1 - threadIdx.x];
}

extern "C" __global__ void __launch_bounds__(64) at_most_64(float* x) { x[threadIdx.x] = 1.0f; }

constexpr int k_tile = 16;

extern "C" __global__ void __launch_bounds__(256)
    gemm(const float* a, const float* b, float* c, int m, int n, int k) {
  __shared__ float as[k_tile][k_tile + 1], bs[k_tile][k_tile];
  int x = threadIdx.x % k_tile, y = threadIdx.x / k_tile;
  int row = blockIdx.x * k_tile + y, column = blockIdx.y * k_tile + x;
  float sum = 0;
  for (int start = 0; start < k; start += k_tile) {
    as[y][x] = row < m && start + x < k ? a[row * k + start + x] : 0.0f;
    bs[y][x] = start + y < k && column < n ? b[(start + y) * n + column] : 0.0f;
    __syncthreads();
    for (int i = 0; i < k_tile; ++i) sum = fmaf(as[y][i], bs[i][x], sum);
    __syncthreads();
  }
  if (row < m && column < n) c[row * n + column] = sum;
}
