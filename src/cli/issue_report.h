// `convoy doctor --report FILE`: one Markdown text that can be attached to an issue. It holds what doctor found, the machine, its
// libraries and variables, Convoy's settings and failures on record, the self test if there was one; and nothing that tells whose
// machine it is (redact.h). `convoy run FILE` finds the problems in it.
#pragma once

#include <cstdint>
#include <string>

#include "base/settings.h"
#include "cli/doctor.h"
#include "cli/redact.h"

namespace convoy {

// `now`: seconds since the epoch. `version`: Convoy's.
std::string issue_report(const DoctorReport& report, const Settings& settings, const Redactor& redact, std::int64_t now,
                         const std::string& version);

}  // namespace convoy
