// The compiled kernels of an architecture: from the process's memory, from the cache on disk, or from hiprtc. The disk's are in
// MIOPEN_CUSTOM_CACHE_DIR, otherwise in ~/.cache/miopen/<version>/, as the real library's.
#pragma once

#include <memory>
#include <string>

namespace convoy::miopen {

struct Code {
  std::string bytes;    // empty: none
  std::string why_not;  // what the compiler said
};

// `architecture` as HIP names it, features included: gfx906:sramecc+:xnack-.
std::shared_ptr<const Code> code_for(const std::string& architecture);

// After the runtime has refused the code, which a damaged file may explain: compiles, replaces what is on disk.
std::shared_ptr<const Code> code_made_anew(const std::string& architecture);

}  // namespace convoy::miopen
