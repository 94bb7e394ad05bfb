// Whether a variable's value passes a rule's condition (environment_rules.h).
#pragma once

#include <string_view>

#include "cli/environment_rules.h"

namespace convoy {

bool passes(const ValueCondition& condition, std::string_view value, const FolderContext& folders);

}  // namespace convoy
