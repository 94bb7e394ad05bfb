// The table of errors that the stand-in can return.
#include "sim/hip/error_names.h"

#include <array>

namespace convoy::hip {
namespace {

struct Row {
  Error error;
  const char* name;
  const char* sentence;
};

constexpr Row k_unknown{Error::unknown, "hipErrorUnknown", "unknown error"};

constexpr std::array<Row, 37> k_rows{{
    {Error::success, "hipSuccess", "no error"},
    {Error::invalid_value, "hipErrorInvalidValue", "invalid argument"},
    {Error::out_of_memory, "hipErrorOutOfMemory", "out of memory"},
    {Error::not_initialized, "hipErrorNotInitialized",
     "a CONVOY_SIM_ variable of the simulator is wrong: standard error says which"},
    {Error::invalid_configuration, "hipErrorInvalidConfiguration", "a launch with more threads than a group can have"},
    {Error::invalid_symbol, "hipErrorInvalidSymbol", "no such variable"},
    {Error::invalid_memcpy_direction, "hipErrorInvalidMemcpyDirection", "invalid direction of a copy"},
    {Error::missing_configuration, "hipErrorMissingConfiguration", "a launch without its configuration"},
    {Error::invalid_device_function, "hipErrorInvalidDeviceFunction", "no such kernel"},
    {Error::no_device, "hipErrorNoDevice", "no device"},
    {Error::invalid_device, "hipErrorInvalidDevice", "no device of that number"},
    {Error::invalid_image, "hipErrorInvalidImage", "not a code object that can be loaded"},
    {Error::invalid_context, "hipErrorInvalidContext", "no such context"},
    {Error::no_binary_for_gpu, "hipErrorNoBinaryForGpu", "no code for this device's architecture"},
    {Error::file_not_found, "hipErrorFileNotFound", "file not found"},
    {Error::shared_object_init_failed, "hipErrorSharedObjectInitFailed",
     "the simulator has no disassembler: see its report"},
    {Error::invalid_handle, "hipErrorInvalidHandle", "no such stream, event, module or graph"},
    {Error::illegal_state, "hipErrorIllegalState", "not possible in this state"},
    {Error::not_found, "hipErrorNotFound", "no such name"},
    {Error::not_ready, "hipErrorNotReady", "not finished yet"},
    {Error::illegal_address, "hipErrorIllegalAddress", "a kernel or a copy touched memory that is not allocated"},
    {Error::launch_out_of_resources, "hipErrorLaunchOutOfResources", "out of resources for a launch"},
    {Error::launch_timeout, "hipErrorLaunchTimeOut", "a launch took too long"},
    {Error::host_memory_already_registered, "hipErrorHostMemoryAlreadyRegistered", "memory registered already"},
    {Error::host_memory_not_registered, "hipErrorHostMemoryNotRegistered", "memory not registered"},
    {Error::launch_failure, "hipErrorLaunchFailure", "a launch failed"},
    {Error::not_supported, "hipErrorNotSupported", "not simulated"},
    {Error::capture_unsupported, "hipErrorStreamCaptureUnsupported", "not allowed while a stream is captured"},
    {Error::capture_invalidated, "hipErrorStreamCaptureInvalidated", "the capture became invalid by an earlier call"},
    {Error::capture_merge, "hipErrorStreamCaptureMerge", "two captures would become one"},
    {Error::capture_unmatched, "hipErrorStreamCaptureUnmatched", "the capture did not begin on this stream"},
    {Error::capture_unjoined, "hipErrorStreamCaptureUnjoined", "a stream of the capture was never waited for"},
    {Error::capture_isolation, "hipErrorStreamCaptureIsolation", "a capture would depend on work outside of it"},
    {Error::capture_implicit, "hipErrorStreamCaptureImplicit", "the null stream would wait for a captured stream"},
    {Error::captured_event, "hipErrorCapturedEvent", "the event was last recorded in a capture"},
    {Error::capture_wrong_thread, "hipErrorStreamCaptureWrongThread", "another thread began the capture"},
    k_unknown,
}};

const Row& row_of(Error error) {
  for (const Row& row : k_rows) {
    if (row.error == error) return row;
  }
  return k_unknown;
}

}  // namespace

const char* error_name(Error error) {
  return row_of(error).name;
}
const char* error_sentence(Error error) {
  return row_of(error).sentence;
}

}  // namespace convoy::hip
