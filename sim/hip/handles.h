// The objects that programs hold handles of. A handle is the object's address; one that was never given out, or whose object
// was destroyed, is not found, so a wrong handle is an error and no crash.
#pragma once

#include <map>
#include <memory>

namespace convoy::hip {

template <typename Object>
class Handles {
 public:
  Object* add(std::shared_ptr<Object> object) {
    Object* handle = object.get();
    objects_[handle] = std::move(object);
    return handle;
  }
  std::shared_ptr<Object> find(const Object* handle) const {
    auto found = objects_.find(handle);
    return found == objects_.end() ? nullptr : found->second;
  }
  bool remove(const Object* handle) { return objects_.erase(handle) != 0; }
  template <typename Predicate>
  void remove_if(Predicate predicate) {
    std::erase_if(objects_, [&](const auto& entry) { return predicate(*entry.second); });
  }
  const std::map<const Object*, std::shared_ptr<Object>>& all() const { return objects_; }

 private:
  std::map<const Object*, std::shared_ptr<Object>> objects_;
};

}  // namespace convoy::hip
