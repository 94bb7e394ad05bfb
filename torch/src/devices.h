// What is known of PyTorch's devices without the headers of CUDA or ROCm.
#pragma once

#include <string>

#include "torch_types.h"

namespace convoy::pytorch {

// PyTorch built for ROCm calls AMD's devices CUDA.
bool is_rocm();
// Convoy's name of a device: "cpu", "cuda:1", "hip:0".
std::string engine_device(at::DeviceType type, std::int64_t index);
// What the device's work is queued on now, in this thread: cudaStream_t, hipStream_t; null on the CPU.
void* current_stream(const at::Device& device);
// What computes PyTorch's convolutions there, with its version, for the ledger: "torch 2.11.0 cudnn 91900".
std::string library_of(at::DeviceType type);
// PyTorch's own word for its version; until then it is the one of the headers.
void set_running_version(const char* version);

// torch.cuda.empty_cache(), which only Python or a program with CUDA's headers can call; null: none is known.
void set_empty_cache(void (*function)(int device));
void empty_cache(const at::Device& device);

}  // namespace convoy::pytorch
