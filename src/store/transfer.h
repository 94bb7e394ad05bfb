// Decisions as JSON lines, to move them between machines:
//
//   {"format":"convoy-decisions","version":1}
//   {"kind":"find","problem":...,"device":...,"library":...,"solver":...,"params":...,"time_ms":...,"workspace_bytes":...,"measured_at":...}
//   {"kind":"verdict","solver":...,"problem":...,"problem_class":...,"device":...,"library":...,"verdict":...,"error":...,"tolerance":...,"at":...}
//   {"kind":"incident", the same five,
//   "verdict":...,"strikes":...,"signal":...,"reason":...,"host":...,"at":...}
//   {"kind":"kernel","key":...,"name":...,"architecture":...,"bytes":...,"compile_ms":...,"created":...,"checksum":...,"code":...}
//
// Kernels are written and read only when the user says so: they are machine code. `code` is a zstd frame in base64.
// A number that is infinite is written as null (JSON has no infinity).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "store/kernel_pack.h"
#include "store/store.h"

namespace convoy {

// The header and all but kernels.
std::string write_lines(const Store::Contents& contents);
std::string write_line(const PackedKernel& kernel);

struct Decisions {
  Store::Contents contents;           // without kernels
  std::vector<PackedKernel> kernels;  // sound ones
  int kernels_left_out = 0;
};
// All lines or none: an Error names `source`, the line and the field.
Result<Decisions> read_lines(std::string_view text, std::string_view source, Kernels kernels);

nlohmann::ordered_json to_json(const FindRecord& record);
nlohmann::ordered_json to_json(const KernelInfo& kernel);
nlohmann::ordered_json to_json(const VerdictRecord& record);
nlohmann::ordered_json to_json(const Incident& incident);

}  // namespace convoy
