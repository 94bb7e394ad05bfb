// Recording streams into graphs, and replaying those.
#include "sim/hip/queue.h"

namespace convoy::hip {
namespace {

using NodeHandle = void;  // single nodes are not shown to programs

Error instantiate(const char* name, GraphExec** result, Graph* handle) {
  return call(name, k_needs_health, [&](Runtime& runtime) {
    if (result == nullptr) return Error::invalid_value;
    std::shared_ptr<Graph> graph = runtime.graphs.find(handle);
    if (graph == nullptr) return Error::invalid_value;
    *result = runtime.graph_execs.add(std::make_shared<GraphExec>(GraphExec{std::make_shared<Graph>(*graph)}));
    return Error::success;
  });
}

// A broken card stops in the middle of a graph, as of a stream.
void replay(const Graph& graph, const Device& device) {
  for (const Work& work : graph.work) {
    if (device.error != Error::success) return;
    work();
  }
  ++Runtime::instance().statistics.graph_launches;
}

template <typename Body>
Error with_stream(const char* name, Stream* handle, Body&& body) {
  return call(name, k_needs_health, [&](Runtime& runtime) {
    std::shared_ptr<Stream> stream = find_stream(runtime, handle);
    return stream == nullptr ? Error::invalid_handle : body(runtime, stream);
  });
}

}  // namespace

CONVOY_HIP_EXPORT Error hipStreamBeginCapture(Stream* handle, CaptureMode mode) {
  return with_stream(__func__, handle, [&](Runtime& runtime, const std::shared_ptr<Stream>& stream) {
    return begin_capture(runtime, stream, mode);
  });
}

CONVOY_HIP_EXPORT Error hipStreamEndCapture(Stream* handle, Graph** graph) {
  return with_stream(__func__, handle, [&](Runtime& runtime, const std::shared_ptr<Stream>& stream) {
    return end_capture(runtime, stream, graph);
  });
}

CONVOY_HIP_EXPORT Error hipStreamIsCapturing(Stream* handle, CaptureStatus* status) {
  return with_stream(__func__, handle, [&](Runtime&, const std::shared_ptr<Stream>& stream) {
    if (status == nullptr) return Error::invalid_value;
    *status = stream->capture == nullptr ? CaptureStatus::none : stream->capture->status();
    return Error::success;
  });
}

CONVOY_HIP_EXPORT Error hipStreamGetCaptureInfo(Stream* handle, CaptureStatus* status, unsigned long long* id) {
  return with_stream(__func__, handle, [&](Runtime&, const std::shared_ptr<Stream>& stream) {
    if (status == nullptr) return Error::invalid_value;
    *status = stream->capture == nullptr ? CaptureStatus::none : stream->capture->status();
    if (id != nullptr) *id = stream->capture == nullptr ? 0 : stream->capture->id;
    return Error::success;
  });
}

// What this thread may do while others record: `mode` goes in, the mode before comes out.
CONVOY_HIP_EXPORT Error hipThreadExchangeStreamCaptureMode(CaptureMode* mode) {
  return call(__func__, k_needs_device, [&](Runtime&) {
    if (mode == nullptr || *mode < CaptureMode::global || *mode > CaptureMode::relaxed) return Error::invalid_value;
    std::swap(*mode, Runtime::thread().capture_mode);
    return Error::success;
  });
}

CONVOY_HIP_EXPORT Error hipGraphInstantiate(GraphExec** exec, Graph* graph, NodeHandle** wrong_node, char* log,
                                            std::size_t log_bytes) {
  if (wrong_node != nullptr) *wrong_node = nullptr;
  if (log != nullptr && log_bytes != 0) *log = '\0';
  return instantiate(__func__, exec, graph);
}

CONVOY_HIP_EXPORT Error hipGraphInstantiateWithFlags(GraphExec** exec, Graph* graph, unsigned long long) {
  return instantiate(__func__, exec, graph);
}

CONVOY_HIP_EXPORT Error hipGraphLaunch(GraphExec* handle, Stream* stream_handle) {
  return with_stream(__func__, stream_handle, [&](Runtime& runtime, const std::shared_ptr<Stream>& stream) {
    std::shared_ptr<GraphExec> exec = runtime.graph_execs.find(handle);
    if (exec == nullptr) return Error::invalid_value;
    return enqueue(runtime, stream, [graph = exec->graph, device = stream->device()] { replay(*graph, *device); });
  });
}

CONVOY_HIP_EXPORT Error hipGraphDestroy(Graph* graph) {
  return call(__func__, k_needs_device,
              [&](Runtime& runtime) { return runtime.graphs.remove(graph) ? Error::success : Error::invalid_value; });
}

CONVOY_HIP_EXPORT Error hipGraphExecDestroy(GraphExec* exec) {
  return call(__func__, k_needs_device, [&](Runtime& runtime) {
    return runtime.graph_execs.remove(exec) ? Error::success : Error::invalid_value;
  });
}

}  // namespace convoy::hip
