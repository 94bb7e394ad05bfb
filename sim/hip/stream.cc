// Runs queued work in order; see stream.h.
#include "sim/hip/stream.h"

namespace convoy::hip {

bool Ticket::done() const {
  return stream == nullptr || stream->has_finished(number);
}

void Ticket::wait() const {
  if (stream != nullptr) stream->run_until(number);
}

Ticket Stream::submit(Work work, std::vector<Ticket> after) {
  queue_.push_back({std::move(work), std::move(after)});
  return {shared_from_this(), ++submitted_};
}

void Stream::run_until(std::uint64_t number) {
  while (finished_ < number && !queue_.empty()) {
    Queued next = std::move(queue_.front());
    queue_.pop_front();
    for (const Ticket& ticket : next.after) ticket.wait();
    // A card that failed takes no more work, but nothing waits for ever.
    if (device_->error == Error::success) next.work();
    ++finished_;
  }
}

void Stream::drop() {
  queue_.clear();
  finished_ = submitted_;
}

}  // namespace convoy::hip
