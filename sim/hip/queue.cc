// Queueing, waiting and recording; see queue.h.
#include "sim/hip/queue.h"

#include <utility>

namespace convoy::hip {
namespace {

std::shared_ptr<Stream> null_stream_of(Runtime& runtime, const Device& device) {
  for (const std::shared_ptr<Stream>& stream : runtime.null_streams) {
    if (stream->device().get() == &device) return stream;
  }
  return nullptr;
}

// What the null stream's rule makes a new piece of work wait for: the null stream waits for all streams that follow it, and
// they wait for it.
std::vector<Ticket> implicit_waits(Runtime& runtime, const std::shared_ptr<Stream>& stream) {
  std::vector<Ticket> waits;
  std::shared_ptr<Stream> null_stream = null_stream_of(runtime, *stream->device());
  if (stream == null_stream) {
    for (const auto& [handle, other] : runtime.streams.all()) {
      if (other->device() == stream->device() && other->follows_null_stream() && !other->idle()) {
        waits.push_back(other->last());
      }
    }
  } else if (null_stream != nullptr && stream->follows_null_stream() && !null_stream->idle()) {
    waits.push_back(null_stream->last());
  }
  return waits;
}

// Work on the null stream would wait for a stream that records, which nothing can.
bool collides_with_capture(Runtime& runtime, const std::shared_ptr<Stream>& stream) {
  if (stream != null_stream_of(runtime, *stream->device())) return false;
  bool collides = false;
  for (const std::shared_ptr<Capture>& capture : runtime.captures) {
    for (const std::shared_ptr<Stream>& recording : capture->streams) {
      if (recording->device() != stream->device() || !recording->follows_null_stream()) continue;
      capture->invalid = true;
      collides = true;
    }
  }
  return collides;
}

Error submit(Runtime& runtime, const std::shared_ptr<Stream>& stream, Work work, std::vector<Ticket> after) {
  if (collides_with_capture(runtime, stream)) return Error::capture_implicit;
  if (stream->device()->error != Error::success) return stream->device()->error;
  for (Ticket& ticket : implicit_waits(runtime, stream)) after.push_back(std::move(ticket));
  stream->submit(std::move(work), std::move(after));
  if (!runtime.settings.late) stream->run();
  return Error::success;
}

Error join_capture(const std::shared_ptr<Stream>& stream, const Record& record) {
  if (stream->capture != nullptr && stream->capture != record.capture) return Error::capture_merge;
  Capture& capture = *record.capture;
  stream->capture = record.capture;
  capture.streams.insert(stream);
  // The wait covers what the event's stream held when it was recorded; more may have come since.
  auto waited_for = capture.unjoined.find(record.captured_on);
  if (waited_for != capture.unjoined.end() && waited_for->second <= record.captured_work) {
    capture.unjoined.erase(waited_for);
  }
  if (stream != capture.origin) capture.unjoined[stream] = capture.graph.work.size();
  return Error::success;
}

}  // namespace

std::shared_ptr<Stream> find_stream(Runtime& runtime, Stream* handle) {
  if (reinterpret_cast<std::uintptr_t>(handle) > 2) return runtime.streams.find(handle);
  DevicePointer device = runtime.current_device();
  return device == nullptr ? nullptr : null_stream_of(runtime, *device);
}

Error enqueue(Runtime& runtime, const std::shared_ptr<Stream>& stream, Work work) {
  if (stream->capture == nullptr) return submit(runtime, stream, std::move(work), {});
  Capture& capture = *stream->capture;
  if (capture.invalid) return Error::capture_invalidated;
  capture.graph.work.push_back(std::move(work));
  if (stream != capture.origin) capture.unjoined[stream] = capture.graph.work.size();
  return Error::success;
}

void run_device(Runtime& runtime, const Device& device) {
  for (const std::shared_ptr<Stream>& stream : runtime.null_streams) {
    if (stream->device().get() == &device) stream->run();
  }
  for (const auto& [handle, stream] : runtime.streams.all()) {
    if (stream->device().get() == &device) stream->run();
  }
}

Error run_stream(Runtime& runtime, Stream& stream) {
  for (const Ticket& ticket : implicit_waits(runtime, stream.shared_from_this())) ticket.wait();
  stream.run();
  return stream.device()->error;
}

Error record_event(Runtime& runtime, Event& event, const std::shared_ptr<Stream>& stream) {
  auto record = std::make_shared<Record>();
  if (stream->capture != nullptr) {
    if (stream->capture->invalid) return Error::capture_invalidated;
    record->capture = stream->capture;
    record->captured_work = stream->capture->graph.work.size();
    record->captured_on = stream;
  } else {
    Error error = submit(runtime, stream, [record] { record->time = std::chrono::steady_clock::now(); }, {});
    if (error != Error::success) return error;
    record->ticket = stream->last();
  }
  event.record = std::move(record);
  return Error::success;
}

Error wait_for_event(Runtime& runtime, const std::shared_ptr<Stream>& stream, const Event& event) {
  if (event.record == nullptr) return Error::success;  // an event never recorded is complete
  const Record& record = *event.record;
  if (record.capture != nullptr && runtime.captures.contains(record.capture)) {
    return join_capture(stream, record);
  }
  if (stream->capture != nullptr) {
    stream->capture->invalid = true;
    return Error::capture_isolation;
  }
  return submit(runtime, stream, [] {}, {record.ticket});
}

Error begin_capture(Runtime& runtime, const std::shared_ptr<Stream>& stream, CaptureMode mode) {
  if (stream == null_stream_of(runtime, *stream->device())) return Error::capture_unsupported;
  if (stream->capture != nullptr) return Error::illegal_state;
  if (mode < CaptureMode::global || mode > CaptureMode::relaxed) return Error::invalid_value;
  auto capture = std::make_shared<Capture>();
  capture->id = ++runtime.captures_begun;
  capture->mode = mode;
  capture->thread = std::this_thread::get_id();
  capture->origin = stream;
  capture->streams.insert(stream);
  stream->capture = capture;
  runtime.captures.insert(std::move(capture));
  return Error::success;
}

Error end_capture(Runtime& runtime, const std::shared_ptr<Stream>& stream, Graph** graph) {
  if (graph == nullptr) return Error::invalid_value;
  *graph = nullptr;
  std::shared_ptr<Capture> capture = stream->capture;
  if (capture == nullptr) return Error::illegal_state;
  if (capture->origin != stream) return Error::capture_unmatched;
  if (capture->mode != CaptureMode::relaxed && capture->thread != std::this_thread::get_id()) {
    return Error::capture_wrong_thread;
  }
  for (const std::shared_ptr<Stream>& recording : capture->streams) recording->capture = nullptr;
  capture->streams.clear();
  capture->origin = nullptr;
  runtime.captures.erase(capture);
  if (capture->invalid) return Error::capture_invalidated;
  if (!capture->unjoined.empty()) return Error::capture_unjoined;
  *graph = runtime.graphs.add(std::make_shared<Graph>(std::move(capture->graph)));
  return Error::success;
}

}  // namespace convoy::hip
