// Recording of streams into graphs. Work is kept in the order in which it was submitted, whatever stream it was submitted
// to: that order respects every dependency a capture can have, so a graph is a list and replaying it is a loop.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "sim/hip/stream.h"

namespace convoy::hip {

struct Graph {
  std::vector<Work> work;
};

// A graph that can be launched: a copy, so that the graph may go.
struct GraphExec {
  std::shared_ptr<const Graph> graph;
};

struct Capture {
  std::uint64_t id = 0;
  CaptureMode mode = CaptureMode::global;
  std::thread::id thread;
  std::shared_ptr<Stream> origin;
  std::set<std::shared_ptr<Stream>> streams;  // that record into it, the origin included
  // Streams whose work nobody in the capture has waited for yet, with the length of the graph after their last piece.
  std::map<std::shared_ptr<Stream>, std::size_t> unjoined;
  bool invalid = false;
  Graph graph;

  CaptureStatus status() const { return invalid ? CaptureStatus::invalidated : CaptureStatus::active; }
};

}  // namespace convoy::hip
