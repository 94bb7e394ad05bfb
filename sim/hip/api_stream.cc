// Streams and events.
#include "sim/hip/queue.h"

namespace convoy::hip {
namespace {

using Milliseconds = std::chrono::duration<float, std::milli>;
using StreamCallback = void (*)(Stream*, Error, void*);

Error create_stream(const char* name, Stream** result, unsigned flags, int priority) {
  return call(name, k_needs_health, [&](Runtime& runtime) {
    if (result == nullptr || flags > k_stream_non_blocking) return Error::invalid_value;
    *result = runtime.streams.add(std::make_shared<Stream>(runtime.current_device(), flags, priority));
    return Error::success;
  });
}

template <typename Body>
Error with_stream(const char* name, Stream* handle, unsigned needs, Body&& body) {
  return call(name, needs, [&](Runtime& runtime) {
    std::shared_ptr<Stream> stream = find_stream(runtime, handle);
    return stream == nullptr ? Error::invalid_handle : body(runtime, stream);
  });
}

template <typename Body>
Error with_event(const char* name, Event* handle, unsigned needs, Body&& body) {
  return call(name, needs, [&](Runtime& runtime) {
    std::shared_ptr<Event> event = runtime.events.find(handle);
    return event == nullptr ? Error::invalid_handle : body(runtime, *event);
  });
}

// Waiting for a stream that records would wait for ever; the capture is spoilt.
Error refuse_capturing(Runtime& runtime, Stream& stream, const char* name) {
  if (stream.capture == nullptr) return Error::success;
  stream.capture->invalid = true;
  runtime.note(std::string(name) + ": the stream is captured; the capture is invalid now");
  return Error::capture_unsupported;
}

Error create_event(const char* name, Event** result, unsigned flags) {
  return call(name, k_needs_health, [&](Runtime& runtime) {
    if (result == nullptr) return Error::invalid_value;
    *result = runtime.events.add(std::make_shared<Event>(Event{flags, nullptr}));
    return Error::success;
  });
}

bool is_captured(const Runtime& runtime, const Event& event) {
  return event.record != nullptr && event.record->capture != nullptr &&
         runtime.captures.contains(event.record->capture);
}

Error event_error(const Event& event) {
  return event.record->ticket.stream == nullptr ? Error::success : event.record->ticket.stream->device()->error;
}

}  // namespace

CONVOY_HIP_EXPORT Error hipStreamCreate(Stream** stream) {
  return create_stream(__func__, stream, 0, 0);
}
CONVOY_HIP_EXPORT Error hipStreamCreateWithFlags(Stream** stream, unsigned flags) {
  return create_stream(__func__, stream, flags, 0);
}
CONVOY_HIP_EXPORT Error hipStreamCreateWithPriority(Stream** stream, unsigned flags, int priority) {
  return create_stream(__func__, stream, flags, priority);
}

CONVOY_HIP_EXPORT Error hipDeviceGetStreamPriorityRange(int* least, int* greatest) {
  return call(__func__, k_needs_device, [&](Runtime&) {
    if (least != nullptr) *least = 1;
    if (greatest != nullptr) *greatest = -1;
    return Error::success;
  });
}

CONVOY_HIP_EXPORT Error hipStreamDestroy(Stream* handle) {
  return call(__func__, k_needs_device, [&](Runtime& runtime) {
    std::shared_ptr<Stream> stream = runtime.streams.find(handle);
    if (stream == nullptr) return Error::invalid_handle;
    if (Error error = refuse_capturing(runtime, *stream, "hipStreamDestroy"); error != Error::success) return error;
    stream->run();
    runtime.streams.remove(handle);
    return Error::success;
  });
}

CONVOY_HIP_EXPORT Error hipStreamSynchronize(Stream* handle) {
  return with_stream(__func__, handle, k_needs_health, [](Runtime& runtime, const std::shared_ptr<Stream>& stream) {
    Error error = refuse_capturing(runtime, *stream, "hipStreamSynchronize");
    return error != Error::success ? error : run_stream(runtime, *stream);
  });
}

// Answers "not ready" once and runs the work then: a program that polls goes on, one that asks once has not waited.
CONVOY_HIP_EXPORT Error hipStreamQuery(Stream* handle) {
  return with_stream(__func__, handle, k_needs_health, [](Runtime& runtime, const std::shared_ptr<Stream>& stream) {
    if (Error error = refuse_capturing(runtime, *stream, "hipStreamQuery"); error != Error::success) return error;
    if (stream->idle()) return Error::success;
    run_stream(runtime, *stream);
    return Error::not_ready;
  });
}

CONVOY_HIP_EXPORT Error hipStreamGetFlags(Stream* handle, unsigned* flags) {
  return with_stream(__func__, handle, k_needs_device, [&](Runtime&, const std::shared_ptr<Stream>& stream) {
    if (flags == nullptr) return Error::invalid_value;
    *flags = stream->flags();
    return Error::success;
  });
}

CONVOY_HIP_EXPORT Error hipStreamGetPriority(Stream* handle, int* priority) {
  return with_stream(__func__, handle, k_needs_device, [&](Runtime&, const std::shared_ptr<Stream>& stream) {
    if (priority == nullptr) return Error::invalid_value;
    *priority = stream->priority();
    return Error::success;
  });
}

// Returns a number, no error code; negative: no such stream.
CONVOY_HIP_EXPORT int hipGetStreamDeviceId(Stream* handle) {
  int ordinal = -1;
  with_stream(__func__, handle, k_needs_device, [&](Runtime&, const std::shared_ptr<Stream>& stream) {
    ordinal = stream->device()->ordinal;
    return Error::success;
  });
  return ordinal;
}

CONVOY_HIP_EXPORT Error hipStreamWaitEvent(Stream* handle, Event* event_handle, unsigned) {
  return with_stream(__func__, handle, k_needs_health, [&](Runtime& runtime, const std::shared_ptr<Stream>& stream) {
    std::shared_ptr<Event> event = runtime.events.find(event_handle);
    return event == nullptr ? Error::invalid_handle : wait_for_event(runtime, stream, *event);
  });
}

CONVOY_HIP_EXPORT Error hipStreamAddCallback(Stream* handle, StreamCallback function, void* data, unsigned) {
  return with_stream(__func__, handle, k_needs_health, [&](Runtime& runtime, const std::shared_ptr<Stream>& stream) {
    if (function == nullptr) return Error::invalid_value;
    return enqueue(runtime, stream, [function, data, handle] { function(handle, Error::success, data); });
  });
}

CONVOY_HIP_EXPORT Error hipEventCreate(Event** event) {
  return create_event(__func__, event, 0);
}
CONVOY_HIP_EXPORT Error hipEventCreateWithFlags(Event** event, unsigned flags) {
  return create_event(__func__, event, flags);
}

CONVOY_HIP_EXPORT Error hipEventDestroy(Event* event) {
  return call(__func__, k_needs_device,
              [&](Runtime& runtime) { return runtime.events.remove(event) ? Error::success : Error::invalid_handle; });
}

CONVOY_HIP_EXPORT Error hipEventRecord(Event* handle, Stream* stream_handle) {
  return with_event(__func__, handle, k_needs_health, [&](Runtime& runtime, Event& event) {
    std::shared_ptr<Stream> stream = find_stream(runtime, stream_handle);
    return stream == nullptr ? Error::invalid_handle : record_event(runtime, event, stream);
  });
}

CONVOY_HIP_EXPORT Error hipEventSynchronize(Event* handle) {
  return with_event(__func__, handle, k_needs_health, [](Runtime& runtime, Event& event) {
    if (is_captured(runtime, event)) return Error::captured_event;
    if (event.record == nullptr) return Error::success;
    event.record->ticket.wait();
    return event_error(event);
  });
}

// As hipStreamQuery().
CONVOY_HIP_EXPORT Error hipEventQuery(Event* handle) {
  return with_event(__func__, handle, k_needs_health, [](Runtime& runtime, Event& event) {
    if (is_captured(runtime, event)) return Error::captured_event;
    if (event.record == nullptr) return Error::success;
    if (event.record->ticket.done()) return event_error(event);
    event.record->ticket.wait();
    return Error::not_ready;
  });
}

// The simulator's time, which says nothing about a card's.
CONVOY_HIP_EXPORT Error hipEventElapsedTime(float* result, Event* from_handle, Event* to_handle) {
  return call(__func__, k_needs_health, [&](Runtime& runtime) {
    std::shared_ptr<Event> from = runtime.events.find(from_handle), to = runtime.events.find(to_handle);
    if (result == nullptr) return Error::invalid_value;
    for (const std::shared_ptr<Event>& event : {from, to}) {
      if (event == nullptr || event->record == nullptr || (event->flags & k_event_disable_timing) != 0) {
        return Error::invalid_handle;
      }
      if (event->record->capture != nullptr) return Error::captured_event;
    }
    if (!from->record->ticket.done() || !to->record->ticket.done()) return Error::not_ready;
    *result = std::chrono::duration_cast<Milliseconds>(to->record->time - from->record->time).count();
    return Error::success;
  });
}

}  // namespace convoy::hip
