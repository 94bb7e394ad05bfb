// Decisions as JSON lines, to move them between machines:
//
//   {"format":"convoy-decisions","version":1}
//   {"kind":"find","problem":...,"device":...,"library":...,"solver":...,"params":...,"time_ms":...,"workspace_bytes":...,"measured_at":...}
//   {"kind":"verdict","solver":...,"problem":...,"problem_class":...,"device":...,"library":...,"verdict":...,"error":...,"tolerance":...,"at":...}
//   {"kind":"incident", the same five,
//   "verdict":...,"strikes":...,"signal":...,"reason":...,"host":...,"at":...}
//
// A number that is infinite is written as null (JSON has no infinity).
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "store/store.h"

namespace convoy {

std::string write_lines(const Store::Contents& contents);
// All lines or none: an Error names `source`, the line and the field.
Result<Store::Contents> read_lines(std::string_view text, std::string_view source);

nlohmann::ordered_json to_json(const FindRecord& record);
nlohmann::ordered_json to_json(const VerdictRecord& record);
nlohmann::ordered_json to_json(const Incident& incident);

}  // namespace convoy
