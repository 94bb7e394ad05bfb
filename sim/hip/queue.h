// Where work goes: into a stream's queue, or, while the stream records, into its capture.
#pragma once

#include "sim/hip/runtime.h"

namespace convoy::hip {

// The stream of a program's handle; null, 1 and 2 (legacy and per-thread stream) are the null stream of the current
// device. Null: no such stream.
std::shared_ptr<Stream> find_stream(Runtime& runtime, Stream* handle);

// Queues or records. Without late=1 the work has run on return, unless it was recorded. A kernel's fault is no error of
// this call: as on hardware it shows at the next one.
Error enqueue(Runtime& runtime, const std::shared_ptr<Stream>& stream, Work work);
// Runs everything of a device.
void run_device(Runtime& runtime, const Device& device);
// Runs what the stream holds. The device's error.
Error run_stream(Runtime& runtime, Stream& stream);

Error record_event(Runtime& runtime, Event& event, const std::shared_ptr<Stream>& stream);
Error wait_for_event(Runtime& runtime, const std::shared_ptr<Stream>& stream, const Event& event);

Error begin_capture(Runtime& runtime, const std::shared_ptr<Stream>& stream, CaptureMode mode);
Error end_capture(Runtime& runtime, const std::shared_ptr<Stream>& stream, Graph** graph);

}  // namespace convoy::hip
