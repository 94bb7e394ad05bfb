// libconvoy.so, opened beside this library with its symbols bound among themselves: PyTorch brings a oneDNN of its own.
#pragma once

#include "convoy/convoy.h"

namespace convoy::pytorch {

// The functions of the C interface that are called.
struct Engine {
#define CONVOY_ENGINE_FUNCTIONS(F)                                                                                   \
  F(convoy_version)                                                                                                  \
  F(convoy_create)                                                                                                   \
  F(convoy_destroy)                                                                                                  \
  F(convoy_set_log) F(convoy_last_error) F(convoy_problem_create) F(convoy_problem_destroy) F(convoy_problem_string) \
      F(convoy_problem_sizes) F(convoy_plan_create_external) F(convoy_plan_claim) F(convoy_plan_workspace_bytes)     \
          F(convoy_plan_solver) F(convoy_enqueue) F(convoy_statistics_json)
#define CONVOY_DECLARE(name) decltype(&::name) name = nullptr;
  CONVOY_ENGINE_FUNCTIONS(CONVOY_DECLARE)
#undef CONVOY_DECLARE
};

// Null when the library is not there or of another version; why stands in engine_failure(). Thread-safe; stays for ever.
const Engine* engine();
const char* engine_failure();

}  // namespace convoy::pytorch
