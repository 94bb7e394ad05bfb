// Convoy, C++ interface (C++17): a header over convoy.h. Objects own their C handles and are movable; failures throw
// convoy::Exception, here in the caller's code and nowhere in the library.
#ifndef CONVOY_CONVOY_HPP
#define CONVOY_CONVOY_HPP

#include <array>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "convoy.h"

namespace convoy {

class Exception : public std::runtime_error {
 public:
  explicit Exception(convoy_status status)
      : std::runtime_error(std::string(convoy_status_name(status)) + ": " + convoy_last_error()), status_(status) {}
  convoy_status status() const noexcept { return status_; }

 private:
  convoy_status status_;
};

namespace detail {
inline void check(convoy_status status) {
  if (status != CONVOY_SUCCESS) throw Exception(status);
}
template <typename T, void (*destroy)(T*)>
struct Deleter {
  void operator()(T* object) const noexcept { destroy(object); }
};
template <typename T, void (*destroy)(T*)>
using Owned = std::unique_ptr<T, Deleter<T, destroy>>;
}  // namespace detail

// Which convolution. Immutable.
class Problem {
 public:
  explicit Problem(const convoy_problem_desc& desc) {
    convoy_problem raw = nullptr;
    detail::check(convoy_problem_create(&raw, &desc));
    object_.reset(raw);
  }
  // From a canonical string.
  explicit Problem(const std::string& text) {
    convoy_problem raw = nullptr;
    detail::check(convoy_problem_parse(&raw, text.c_str()));
    object_.reset(raw);
  }

  std::string string() const { return convoy_problem_string(object_.get()); }
  std::int64_t bytes(convoy_tensor tensor) const { return convoy_problem_bytes(object_.get(), tensor); }
  // 5 numbers; those past 2 + rank are 1.
  std::array<std::int64_t, 5> sizes(convoy_tensor tensor) const {
    std::array<std::int64_t, 5> sizes{1, 1, 1, 1, 1};
    detail::check(convoy_problem_sizes(object_.get(), tensor, sizes.data()));
    return sizes;
  }
  convoy_problem get() const noexcept { return object_.get(); }

 private:
  detail::Owned<convoy_problem_s, convoy_problem_destroy> object_;
};

class Handle {
 public:
  // settings: "key=value" texts that override files and environment.
  explicit Handle(const std::string& device = "auto", const std::vector<std::string>& settings = {}) {
    std::vector<const char*> texts;
    for (const std::string& one : settings) texts.push_back(one.c_str());
    texts.push_back(nullptr);
    convoy_handle raw = nullptr;
    detail::check(convoy_create(&raw, device.c_str(), texts.data()));
    object_.reset(raw);
  }

  std::string device() const { return convoy_device_name(object_.get()); }
  convoy_statistics statistics() const {
    convoy_statistics result{};
    detail::check(convoy_get_statistics(object_.get(), &result));
    return result;
  }
  std::string statistics_json() const {
    std::string text;
    std::size_t needed = 0;
    // Another thread may add to the statistics between the two calls.
    while (convoy_statistics_json(object_.get(), text.empty() ? nullptr : &text[0], text.size(), &needed) !=
           CONVOY_SUCCESS) {
      if (needed <= text.size()) throw Exception(CONVOY_INTERNAL);
      text.resize(needed);
    }
    text.resize(needed - 1);
    return text;
  }
  void upload(void* to, const void* from, std::int64_t bytes, void* stream = nullptr) const {
    detail::check(convoy_upload(object_.get(), to, from, bytes, stream));
  }
  void download(void* to, const void* from, std::int64_t bytes, void* stream = nullptr) const {
    detail::check(convoy_download(object_.get(), to, from, bytes, stream));
  }
  void synchronize(void* stream = nullptr) const { detail::check(convoy_synchronize(object_.get(), stream)); }
  convoy_handle get() const noexcept { return object_.get(); }

 private:
  detail::Owned<convoy_handle_s, convoy_destroy> object_;
};

// Memory of a handle's device, which must live longer.
class Memory {
 public:
  Memory(const Handle& handle, std::int64_t bytes) : data_(nullptr, Free{handle.get()}) {
    void* raw = nullptr;
    detail::check(convoy_allocate(handle.get(), bytes, &raw));
    data_.reset(raw);
  }
  void* data() const noexcept { return data_.get(); }

 private:
  struct Free {
    convoy_handle handle;
    void operator()(void* memory) const noexcept { convoy_free(handle, memory); }
  };
  std::unique_ptr<void, Free> data_;
};

// A problem on a handle.
class Plan {
 public:
  Plan(const Handle& handle, const Problem& problem) {
    convoy_plan raw = nullptr;
    detail::check(convoy_plan_create(&raw, handle.get(), problem.get()));
    object_.reset(raw);
  }

  void prepare() { detail::check(convoy_plan_prepare(object_.get())); }
  std::int64_t workspace_bytes() const { return convoy_plan_workspace_bytes(object_.get()); }
  std::string solver() const { return convoy_plan_solver(object_.get()); }
  convoy_tier tier() const { return convoy_plan_tier(object_.get()); }
  void run(void* x, void* w, void* y, void* workspace = nullptr, std::int64_t workspace_bytes = 0) {
    detail::check(convoy_run(object_.get(), x, w, y, workspace, workspace_bytes));
  }
  void enqueue(const convoy_call& call) { detail::check(convoy_enqueue(object_.get(), &call)); }
  convoy_plan get() const noexcept { return object_.get(); }

 private:
  detail::Owned<convoy_plan_s, convoy_plan_destroy> object_;
};

}  // namespace convoy

#endif
