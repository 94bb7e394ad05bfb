// One value of a JSON document and the way to it, for readers that say where something is wrong: "when.pci[0]: ...". Problems
// are collected, not thrown; after the first one in a value what is read of it is not to be used.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "problem/printable.h"

namespace convoy {

class JsonPlace {
 public:
  using Problems = std::vector<std::string>;

  JsonPlace(const nlohmann::json& value, std::string path, Problems& problems)
      : value_(&value), path_(std::move(path)), problems_(&problems) {}

  const nlohmann::json& value() const { return *value_; }

  void complain(std::string_view what) const {
    problems_->push_back(path_.empty() ? std::string(what) : fmt::format("{}: {}", path_, what));
  }

  // Calls `read(name, member)` for each member; it returns false for a name that it does not know.
  void each_member(const std::function<bool(const std::string& name, const JsonPlace& member)>& read) const {
    if (!value_->is_object()) return complain("must be an object");
    for (const auto& [name, member] : value_->items()) {
      const JsonPlace place(member, path_.empty() ? printable(name) : path_ + "." + printable(name), *problems_);
      if (!read(name, place)) place.complain("there is no such member");
    }
  }

  void each_element(const std::function<void(const JsonPlace& element)>& read) const {
    if (!value_->is_array()) return complain("must be a list");
    std::size_t i = 0;
    for (const auto& element : *value_) read({element, fmt::format("{}[{}]", path_, i++), *problems_});
  }

  std::string text(std::size_t longest = 400) const {
    if (!value_->is_string()) return complain("must be a text"), "";
    std::string text = value_->get<std::string>();
    if (text.empty() || text.size() > longest) return complain(fmt::format("must have 1 to {} letters", longest)), "";
    const auto is_plain = [](char letter) { return letter >= ' ' && letter <= '~'; };
    if (!std::ranges::all_of(text, is_plain)) return complain("must be plain ASCII"), "";
    return text;
  }

  bool boolean() const {
    if (!value_->is_boolean()) return complain("must be true or false"), false;
    return value_->get<bool>();
  }

  std::vector<std::string> texts() const {
    std::vector<std::string> found;
    each_element([&found](const JsonPlace& element) { found.push_back(element.text()); });
    return found;
  }

  // Texts that are all among `names`.
  std::vector<std::string> names_of(const std::vector<std::string>& names) const {
    std::vector<std::string> found;
    each_element([&](const JsonPlace& element) { found.push_back(element.name_of(names)); });
    return found;
  }
  std::string name_of(const std::vector<std::string>& names) const {
    std::string name = text();
    if (!name.empty() && std::ranges::find(names, name) == names.end())
      complain(fmt::format("\"{}\" is none of {}", name, fmt::join(names, ", ")));
    return name;
  }

 private:
  const nlohmann::json* value_;
  std::string path_;
  Problems* problems_;
};

}  // namespace convoy
