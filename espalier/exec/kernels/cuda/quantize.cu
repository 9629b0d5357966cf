// The module libespalier_cuda.so (api.h): the loops of lanes.h, half a warp a block.
#include <cuda_runtime.h>

#include "espalier/exec/kernels/cuda/lanes.h"

namespace espalier::exec::cuda {
namespace {

constexpr int kThreads = 256;

/// The 16 threads of half a warp.
class HalfWarp {
 public:
  template <typename Value>
  struct Lanes {
    Value value;
    __device__ Value& operator[](int) { return value; }
    __device__ const Value& operator[](int) const { return value; }
  };

  __device__ HalfWarp()
      : lane_(static_cast<int>(threadIdx.x) % kLanes),
        shift_(static_cast<int>(threadIdx.x) % 32 / kLanes * kLanes),
        mask_(0xFFFFU << shift_) {}

  template <typename Body>
  __device__ void each(const Body& body) const {
    body(lane_, 0);
  }
  __device__ std::uint32_t vote(const Lanes<bool>& lanes) const {
    return __ballot_sync(mask_, lanes.value) >> shift_ & 0xFFFFU;
  }
  __device__ void write_bits(std::uint32_t bits, std::uint8_t* to) const {
    if (lane_ < 2) to[lane_] = static_cast<std::uint8_t>(bits >> (8 * lane_));
  }
  __device__ float sum(const Lanes<float>& lanes) const {
    float value = lanes.value;
    for (int half = kLanes / 2; half > 0; half /= 2) {
      value += __shfl_down_sync(mask_, value, half, kLanes);
    }
    return value;
  }
  __device__ float least(const Lanes<float>& lanes) const {
    float value = lanes.value;
    for (int half = kLanes / 2; half > 0; half /= 2) {
      value = fminf(value, __shfl_down_sync(mask_, value, half, kLanes));
    }
    return value;
  }
  __device__ float most(const Lanes<float>& lanes) const {
    float value = lanes.value;
    for (int half = kLanes / 2; half > 0; half /= 2) {
      value = fmaxf(value, __shfl_down_sync(mask_, value, half, kLanes));
    }
    return value;
  }
  __device__ bool leads() const { return lane_ == 0; }

 private:
  int lane_;
  int shift_;
  unsigned mask_;
};

__device__ std::int64_t thread_index() {
  return static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
}

template <typename Element>
__global__ void forward_kernel(Forward work) {
  const std::int64_t block = thread_index() / kLanes;
  if (block < work.blocks.planes * work.blocks.per_plane) {
    forward_block<Element>(HalfWarp(), work, block);
  }
}

template <typename Element>
__global__ void backward_kernel(Backward work) {
  const std::int64_t block = thread_index() / kLanes;
  if (block < work.blocks.planes * work.blocks.per_plane) {
    backward_block<Element>(HalfWarp(), work, block);
  }
}

template <typename Element>
__global__ void rows_kernel(Rows work) {
  const std::int64_t index = thread_index();
  if (index < row_blocks(work) * work.channels) {
    row_block<Element>(work, index / work.channels, index % work.channels);
  }
}

/// Makes the device current, then launches a thread for each of `threads`.
template <typename Work>
int launch(const Work& work, int device, std::int64_t threads, void (*of_float)(Work),
           void (*of_half)(Work)) {
  if (const cudaError_t error = cudaSetDevice(device); error != cudaSuccess) return error;
  const auto grid = static_cast<unsigned>((threads + kThreads - 1) / kThreads);
  (work.half ? of_half : of_float)<<<grid, kThreads>>>(work);
  return cudaGetLastError();
}

int forward(const Forward& work, int device) {
  return launch(work, device, work.blocks.planes * work.blocks.per_plane * kLanes,
                forward_kernel<float>, forward_kernel<simd::BFloat16>);
}

int backward(const Backward& work, int device) {
  return launch(work, device, work.blocks.planes * work.blocks.per_plane * kLanes,
                backward_kernel<float>, backward_kernel<simd::BFloat16>);
}

int rows(const Rows& work, int device) {
  return launch(work, device, row_blocks(work) * work.channels, rows_kernel<float>,
                rows_kernel<simd::BFloat16>);
}

const char* describe(int error) { return cudaGetErrorString(static_cast<cudaError_t>(error)); }

}  // namespace
}  // namespace espalier::exec::cuda

extern "C" const espalier::exec::cuda::Module* espalier_cuda_module() {
  using namespace espalier::exec::cuda;
  static const Module module{kAbi, forward, backward, rows, describe};
  return &module;
}
