// See faults.h.
#include "sim/miopen/faults.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <optional>

#include "sim/miopen/problem.h"

namespace convoy::miopen {
namespace {

struct KindName {
  std::string_view name;
  FaultKind kind;
  bool has_value;
};
constexpr KindName k_kinds[] = {
    {"status", FaultKind::status, true},
    {"hang", FaultKind::hang, false},
    {"crash", FaultKind::crash, false},
    {"wrong", FaultKind::wrong, false},
    {"nan", FaultKind::nan, false},
    {"slow", FaultKind::slow, true},
    {"workspace", FaultKind::workspace, false},
    {"naive", FaultKind::naive, false},
    {"absent", FaultKind::absent, false},
};
constexpr std::string_view k_sizes[] = {"n", "c", "d", "h", "w", "hw"};

std::string quoted(std::string_view text) {
  return std::string("\"").append(text).append("\"");
}

bool is_run(Function function) {
  return function == Function::miopenConvolutionForward || function == Function::miopenConvolutionBackwardData ||
         function == Function::miopenConvolutionBackwardWeights || name_of(function).ends_with("Immediate");
}

bool is_find(Function function) {
  return name_of(function).starts_with("miopenFindConvolution");
}

bool matches(std::string_view pattern, std::string_view name) {
  if (!pattern.ends_with('*')) return pattern == name;
  pattern.remove_suffix(1);
  return name.starts_with(pattern);
}

// What follows `separator`, taken off the text; nothing where there is none.
std::optional<std::string_view> take_after(std::string_view& text, char separator) {
  std::size_t at = text.find(separator);
  if (at == std::string_view::npos) return std::nullopt;
  std::string_view after = text.substr(at + 1);
  text = text.substr(0, at);
  return after;
}

template <typename Number>
bool read_number(std::string_view text, Number& number) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() && number >= 0;
}

std::string read_condition(std::string_view text, Condition& condition) {
  std::size_t begin = text.find_first_of("<>=");
  if (begin == std::string_view::npos) return quoted(text) + " compares nothing; expected size>number";
  std::size_t end = std::min(text.find_first_not_of("<>=", begin), text.size());
  condition.size = text.substr(0, begin);
  condition.comparison = text.substr(begin, end - begin);
  if (std::find(std::begin(k_sizes), std::end(k_sizes), condition.size) == std::end(k_sizes)) {
    return quoted(condition.size) + " is no size; there are n, c, d, h, w, hw";
  }
  constexpr std::string_view known[] = {"<", "<=", ">", ">=", "="};
  if (std::find(std::begin(known), std::end(known), condition.comparison) == std::end(known)) {
    return quoted(condition.comparison) + " is no comparison; there are <, <=, >, >=, =";
  }
  return read_number(text.substr(end), condition.number) ? "" : quoted(text.substr(end)) + " is no number";
}

// The text up to its function and condition: KIND or KIND=VALUE.
std::string read_kind(std::string_view text, Fault& fault) {
  std::optional<std::string_view> value = take_after(text, '=');
  const KindName* kind =
      std::find_if(std::begin(k_kinds), std::end(k_kinds), [&](const KindName& entry) { return entry.name == text; });
  if (kind == std::end(k_kinds)) return quoted(text) + " is no kind of fault";
  fault.kind = kind->kind;
  if (value.has_value() != kind->has_value)
    return quoted(text) + (kind->has_value ? " needs a value" : " has no value");
  if (value && !read_number(*value, fault.value)) return quoted(*value) + " is no number";
  return {};
}

std::string read_fault(std::string_view text, Fault& fault) {
  if (auto condition = take_after(text, '@')) {
    if (std::string wrong = read_condition(*condition, fault.condition); !wrong.empty()) return wrong;
  }
  if (auto function = take_after(text, ':')) {
    fault.function = *function;
    bool known = std::any_of(k_function_names.begin(), k_function_names.end(),
                             [&](std::string_view name) { return matches(*function, name); });
    if (!known) return quoted(*function) + " is no function of the stand-in";
  }
  return read_kind(text, fault);
}

int size_named(std::string_view name, const Problem& problem) {
  int h = problem.x_size(3), w = problem.x_size(4), d = problem.x_size(2);
  if (name == "n") return problem.x_size(0);
  if (name == "c") return problem.x_size(1);
  if (name == "d") return d;
  if (name == "h") return h;
  return name == "w" ? w : std::max({d, h, w});
}

}  // namespace

bool Condition::holds(const Problem* problem) const {
  if (size.empty()) return true;
  if (problem == nullptr) return false;
  long long is = size_named(size, *problem);
  if (comparison == "<") return is < number;
  if (comparison == "<=") return is <= number;
  if (comparison == ">") return is > number;
  return comparison == ">=" ? is >= number : is == number;
}

bool Fault::concerns(Function called) const {
  if (!function.empty()) return matches(function, name_of(called));
  switch (kind) {
    case FaultKind::status: return name_of(called).starts_with("miopenConvolution");
    case FaultKind::hang:
    case FaultKind::crash: return is_find(called) || is_run(called);
    case FaultKind::wrong:
    case FaultKind::nan: return is_run(called);
    case FaultKind::slow: return is_find(called);
    case FaultKind::workspace:
    case FaultKind::naive:
    case FaultKind::absent: return true;  // matter to those only that ask for solvers
  }
  return false;
}

const Fault* FaultPlan::find(Function called, const Problem* problem) const {
  for (const Fault& fault : faults) {
    if (fault.concerns(called) && fault.condition.holds(problem)) return &fault;
  }
  return nullptr;
}

FaultPlan parse_faults(std::string_view text) {
  FaultPlan plan;
  while (!text.empty()) {
    std::string_view rest = take_after(text, ',').value_or("");
    Fault fault{};
    if (std::string wrong = read_fault(text, fault); !wrong.empty()) return {{}, std::string(text) + ": " + wrong};
    plan.faults.push_back(std::move(fault));
    text = rest;
  }
  return plan;
}

const FaultPlan& planned_faults() {
  static const FaultPlan plan = [] {
    const char* text = std::getenv("CONVOY_SIM_MIOPEN_FAULT");
    return parse_faults(text == nullptr ? "" : text);
  }();
  return plan;
}

}  // namespace convoy::miopen
