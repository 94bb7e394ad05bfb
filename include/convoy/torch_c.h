// The C functions of libconvoy_torch.so, which work without PyTorch's headers: for Python's ctypes and for convoy/torch.h. None
// throws; texts are UTF-8.
#ifndef CONVOY_TORCH_C_H
#define CONVOY_TORCH_C_H

#define CONVOY_TORCH_API extern "C" __attribute__((visibility("default")))

// "0.1.0", and the PyTorch that this was built for: "1.13.1".
CONVOY_TORCH_API const char* convoy_torch_version();
CONVOY_TORCH_API const char* convoy_torch_built_for();
// The PyTorch that runs, with the kind that its version names ("2.11.0+cu130"): verdicts hold for it alone. Before the first
// enable(); the one that this was built for unless told.
CONVOY_TORCH_API void convoy_torch_set_running(const char* version);
// Serves the process's convolutions from now on. `settings`: lines "key=value" (docs/settings.md). 0, or 1: what is wrong stands in
// convoy_torch_last_error(), and everything is as it was. May be called again, with other settings, too.
CONVOY_TORCH_API int convoy_torch_enable(const char* settings);
CONVOY_TORCH_API void convoy_torch_disable();
CONVOY_TORCH_API int convoy_torch_is_enabled();
// The settings of the last enable(), "" before it.
CONVOY_TORCH_API const char* convoy_torch_settings();
// What this thread computes from here to leave() is served though nothing is enabled, gradients included, wherever they are computed.
// `layer` >= 0: counted for that layer. Nests. 1: cannot be served (convoy_torch_last_error()); leave() is to be called all the same.
CONVOY_TORCH_API int convoy_torch_enter(long long layer);
CONVOY_TORCH_API void convoy_torch_leave();
// Convolutions with this weight, an at::TensorImpl*, are served though nothing is enabled, wherever they are computed, gradients
// included. The tensor is not kept alive. 1: cannot be served (convoy_torch_last_error()).
CONVOY_TORCH_API int convoy_torch_serve_weight(void* tensor_impl);
CONVOY_TORCH_API void convoy_torch_forget_weight(void* tensor_impl);
// JSON into `buffer` if it holds `capacity` bytes; returns the bytes needed, the final zero included.
CONVOY_TORCH_API long long convoy_torch_statistics(char* buffer, long long capacity);
// Counts of calls, of what was handed through and of layers begin anew; what the engine knows of problems stays.
CONVOY_TORCH_API void convoy_torch_reset_statistics();
// Why the last call of this thread failed; "" when none did.
CONVOY_TORCH_API const char* convoy_torch_last_error();
// Called with a device's index when its memory runs out, before the second try: torch.cuda.empty_cache(). Null: none.
CONVOY_TORCH_API void convoy_torch_set_empty_cache(void (*function)(int device));

#endif
