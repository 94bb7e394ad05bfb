// libconvoy.so, opened beside this library when the first convolution arrives, with none of its symbols visible to the program: a
// program with its own oneDNN, SQLite or fmt keeps them.
#pragma once

#include "convoy/convoy.h"

namespace convoy::miopen {

// The functions of the C interface that the shim calls.
struct Engine {
#define CONVOY_ENGINE_FUNCTIONS(F)                                                                                    \
  F(convoy_create)                                                                                                    \
  F(convoy_set_log)                                                                                                   \
  F(convoy_last_error)                                                                                                \
  F(convoy_problem_parse) F(convoy_problem_destroy) F(convoy_plan_create) F(convoy_plan_prepare)                      \
      F(convoy_plan_workspace_bytes) F(convoy_plan_solver) F(convoy_enqueue) F(convoy_synchronize) F(convoy_allocate) \
          F(convoy_free) F(convoy_upload) F(convoy_download) F(convoy_statistics_json)
#define CONVOY_DECLARE(name) decltype(&::name) name = nullptr;
  CONVOY_ENGINE_FUNCTIONS(CONVOY_DECLARE)
#undef CONVOY_DECLARE
};

// Null when CONVOY_DISABLE is set, or the library is not there (said once on stderr). Thread-safe; stays for ever.
const Engine* engine();

// A handle on the HIP device, made at the first call for it; `deterministic` ones use only what gives the same bits each time.
// Null when it cannot be opened (said once). `miopen_file`: the program's own MIOpen.
convoy_handle engine_handle(int device, bool deterministic, const char* miopen_file);

}  // namespace convoy::miopen
