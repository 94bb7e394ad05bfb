// Writing and reading JSON lines. Each record's fields are listed once, for both directions.
#include "store/transfer.h"

#include <limits>
#include <type_traits>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "store/base64.h"
#include "store/records.h"

namespace convoy {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view k_format = "convoy-decisions";
constexpr int k_version = 1;

template <typename Key, typename Visit>
void each_key_field(Key& key, Visit& visit) {
  visit("solver", key.solver);
  visit("problem", key.problem);
  visit("problem_class", key.problem_class);
  visit("device", key.device);
  visit("library", key.library);
}

// Record is const when writing.
template <typename Record, typename Visit>
void each_field(Record& r, Visit&& visit) {
  using Plain = std::remove_const_t<Record>;
  if constexpr (std::is_same_v<Plain, FindRecord>) {
    visit("problem", r.problem);
    visit("device", r.device);
    visit("library", r.library);
    visit("solver", r.solver);
    visit("params", r.params);
    visit("time_ms", r.time_ms);
    visit("workspace_bytes", r.workspace_bytes);
    visit("measured_at", r.measured_at);
  } else if constexpr (std::is_same_v<Plain, KernelInfo>) {
    visit("key", r.key);
    visit("name", r.name);
    visit("architecture", r.architecture);
    visit("bytes", r.bytes);
    visit("stored_bytes", r.stored_bytes);
    visit("compile_ms", r.compile_ms);
    visit("created", r.created);
    visit("last_used", r.last_used);
  } else if constexpr (std::is_same_v<Plain, PackedKernel>) {
    visit("key", r.info.key);
    visit("name", r.info.name);
    visit("architecture", r.info.architecture);
    visit("bytes", r.info.bytes);
    visit("compile_ms", r.info.compile_ms);
    visit("created", r.info.created);
    visit("checksum", r.checksum);
    visit("code", r.code);
  } else if constexpr (std::is_same_v<Plain, VerdictRecord>) {
    each_key_field(r.key, visit);
    visit("verdict", r.verdict);
    visit("error", r.error);
    visit("tolerance", r.tolerance);
    visit("at", r.at);
  } else {
    each_key_field(r.key, visit);
    visit("verdict", r.verdict);
    visit("strikes", r.strikes);
    visit("signal", r.signal);
    visit("reason", r.reason);
    visit("host", r.host);
    visit("at", r.at);
  }
}

template <typename Record>
Json object_of(std::string_view kind, const Record& record) {
  Json object{{"kind", kind}};
  each_field(record, [&](const char* name, const auto& value) {
    using Value = std::decay_t<decltype(value)>;
    if constexpr (std::is_same_v<Value, Verdict>) {
      object[name] = to_string(value);
    } else if constexpr (std::is_same_v<Value, PackedKernel::Code>) {
      object[name] = to_base64(value.frame);
    } else {
      object[name] = value;
    }
  });
  return object;
}

std::string line_of(const Json& object) {
  return object.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
}

// Why `json` is no T; empty and `value` set when it is.
std::string read_value(const Json& json, std::string& value) {
  if (!json.is_string()) return "is not a string";
  value = json.get_ref<const std::string&>();
  return {};
}

std::string read_value(const Json& json, double& value) {
  if (!json.is_number() && !json.is_null()) return "is not a number";
  value = json.is_null() ? std::numeric_limits<double>::infinity() : json.get<double>();
  return {};
}

std::string read_value(const Json& json, Verdict& value) {
  const auto verdict = json.is_string() ? verdict_from_string(json.get_ref<const std::string&>()) : std::nullopt;
  if (!verdict) return "is none of passed, wrong_result, crashed, timed_out, failed, refused";
  value = *verdict;
  return {};
}

std::string read_value(const Json& json, PackedKernel::Code& value) {
  auto frame = json.is_string() ? from_base64(json.get_ref<const std::string&>()) : std::nullopt;
  if (!frame) return "is not base64";
  value.frame = *std::move(frame);
  return {};
}

template <typename Integer>
std::string read_value(const Json& json, Integer& value) {
  static_assert(std::is_integral_v<Integer>);
  if (!json.is_number_integer()) return "is not a whole number";
  const bool fits = json.is_number_unsigned() ? std::in_range<Integer>(json.get<std::uint64_t>())
                                              : std::in_range<Integer>(json.get<std::int64_t>());
  if (!fits) return "is out of range";
  value = json.get<Integer>();
  return {};
}

tl::unexpected<Error> wrong_field(std::string_view place, std::string_view field, std::string_view what) {
  return fail(ErrorCode::invalid_argument,
              fmt::format("{}: field \"{}\" {}; nothing was imported", place, field, what));
}

template <typename Record>
Result<Record> record_of(const Json& object, std::string_view place) {
  Record record;
  std::string field;
  std::string what;
  std::size_t known = 1;  // "kind"
  each_field(record, [&](const char* name, auto& value) {
    if (!what.empty()) return;
    const auto found = object.find(name);
    what = found == object.end() ? "is missing" : read_value(*found, value);
    if (!what.empty()) field = name;
    ++known;
  });
  if (!what.empty()) return wrong_field(place, field, what);
  if (object.size() != known) {
    each_field(record, [&](const char* name, const auto&) { field += fmt::format("{}, ", name); });
    return wrong_field(place, "kind", fmt::format("and {} only are known; there are others", field));
  }
  if (const auto flaw = flaw_of(record)) return wrong_field(place, flaw->field, flaw->what);
  return record;
}

Result<void> read_header(const Json& object, std::string_view place) {
  const auto format = object.find("format");
  const auto version = object.find("version");
  if (format == object.end() || *format != k_format) {
    return wrong_field(place, "format", fmt::format("is not \"{}\": not written by convoy db export", k_format));
  }
  if (version == object.end() || *version != k_version) {
    return wrong_field(place, "version", fmt::format("is not {}: written by another version of Convoy", k_version));
  }
  return {};
}

Result<PackedKernel> kernel_of(const Json& object, std::string_view place) {
  CONVOY_TRY(PackedKernel kernel, record_of<PackedKernel>(object, place));
  kernel.info.stored_bytes = kernel.code.frame.size();
  kernel.info.last_used = kernel.info.created;
  if (auto binary = unpack(kernel); !binary) return wrong_field(place, "code", binary.error().message);
  return kernel;
}

Result<void> read_record(const Json& object, std::string_view place, Store::Contents& into) {
  const auto kind = object.find("kind");
  if (kind != object.end() && *kind == "find") {
    CONVOY_TRY(FindRecord record, record_of<FindRecord>(object, place));
    into.finds.push_back(std::move(record));
  } else if (kind != object.end() && *kind == "verdict") {
    CONVOY_TRY(VerdictRecord record, record_of<VerdictRecord>(object, place));
    into.verdicts.push_back(std::move(record));
  } else if (kind != object.end() && *kind == "incident") {
    CONVOY_TRY(Incident incident, record_of<Incident>(object, place));
    into.incidents.push_back(std::move(incident));
  } else {
    return wrong_field(place, "kind", "is none of find, verdict, incident, kernel");
  }
  return {};
}

}  // namespace

Json to_json(const FindRecord& record) {
  return object_of("find", record);
}
Json to_json(const KernelInfo& kernel) {
  return object_of("kernel", kernel);
}
Json to_json(const VerdictRecord& record) {
  return object_of("verdict", record);
}
Json to_json(const Incident& incident) {
  return object_of("incident", incident);
}

std::string write_lines(const Store::Contents& contents) {
  std::string text = line_of({{"format", k_format}, {"version", k_version}});
  for (const auto& record : contents.finds) text += line_of(to_json(record));
  for (const auto& record : contents.verdicts) text += line_of(to_json(record));
  for (const auto& incident : contents.incidents) text += line_of(to_json(incident));
  return text;
}

std::string write_line(const PackedKernel& kernel) {
  return line_of(object_of("kernel", kernel));
}

Result<Decisions> read_lines(std::string_view text, std::string_view source, Kernels kernels) {
  Decisions decisions;
  bool header_seen = false;
  for (int number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const std::string place = fmt::format("{}:{}", source, number);
    const Json object = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!object.is_object()) {
      return fail(ErrorCode::invalid_argument, place + ": not a JSON object; nothing was imported");
    }
    if (!header_seen) {
      CONVOY_CHECK(read_header(object, place));
      header_seen = true;
    } else if (object.value("kind", Json()) != "kernel") {
      CONVOY_CHECK(read_record(object, place, decisions.contents));
    } else if (kernels == Kernels::left_out) {
      ++decisions.kernels_left_out;
    } else {
      CONVOY_TRY(PackedKernel kernel, kernel_of(object, place));
      decisions.kernels.push_back(std::move(kernel));
    }
  }
  if (!header_seen) {
    return fail(ErrorCode::invalid_argument, fmt::format("{}: empty; write it with convoy db export", source));
  }
  return decisions;
}

}  // namespace convoy
