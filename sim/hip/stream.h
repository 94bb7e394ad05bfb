// Streams, and the order in which queued work runs. A ticket names a piece of work; work may wait for tickets of other
// streams, and always waits for what its own stream holds.
//
// Nothing runs by itself: run_until() runs the work up to a ticket and, first, what that waits for. Without late=1 the
// runtime calls it after each submission, with late=1 only when the program waits: then a program that forgot to wait reads
// memory that nobody has written yet.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "sim/hip/device.h"

namespace convoy::hip {

class Stream;
struct Capture;

// May run several times: graphs replay it.
using Work = std::function<void()>;

struct Ticket {
  std::shared_ptr<Stream> stream;
  std::uint64_t number = 0;

  bool done() const;
  void wait() const;
};

class Stream : public std::enable_shared_from_this<Stream> {
 public:
  Stream(DevicePointer device, unsigned flags, int priority)
      : device_(std::move(device)), flags_(flags), priority_(priority) {}

  Ticket submit(Work work, std::vector<Ticket> after);
  Ticket last() { return {shared_from_this(), submitted_}; }
  void run_until(std::uint64_t number);
  void run() { run_until(submitted_); }
  void drop();  // what is queued, unrun
  bool idle() const { return finished_ == submitted_; }
  bool has_finished(std::uint64_t number) const { return finished_ >= number; }

  const DevicePointer& device() const { return device_; }
  unsigned flags() const { return flags_; }
  int priority() const { return priority_; }
  // True when work here and work of the null stream wait for each other.
  bool follows_null_stream() const { return (flags_ & k_stream_non_blocking) == 0; }

  std::shared_ptr<Capture> capture;  // what work is recorded into instead of run, or null

 private:
  struct Queued {
    Work work;
    std::vector<Ticket> after;
  };

  DevicePointer device_;
  unsigned flags_;
  int priority_;
  std::deque<Queued> queue_;
  std::uint64_t submitted_ = 0;
  std::uint64_t finished_ = 0;
};

// What an event was last recorded as: a place in a stream, or in a capture.
struct Record {
  Ticket ticket;
  std::chrono::steady_clock::time_point time;
  std::shared_ptr<Capture> capture;
  std::size_t captured_work = 0;  // pieces of work that the capture held before it
  std::shared_ptr<Stream> captured_on;
};

struct Event {
  unsigned flags = 0;
  std::shared_ptr<Record> record;  // null: never recorded
};

}  // namespace convoy::hip
