// Implementation of miopen_library.h.
#include "solvers/miopen_library.h"

#include <array>
#include <atomic>
#include <memory>

#include <fmt/format.h>

namespace convoy {
namespace {

// Wheels patch the soname away.
constexpr std::array<std::string_view, 3> k_names{"libMIOpen.so.1", "libMIOpen.so", "/opt/rocm/lib/libMIOpen.so.1"};

Result<void> bind(const DynamicLibrary& library, miopen::Functions& functions) {
#define MIOPEN_FUNCTION(name, result, parameters) CONVOY_CHECK(library.bind(functions.name, #name));
#define MIOPEN_OPTIONAL(name, result, parameters) (void)library.bind(functions.name, #name);
#include "abi/miopen_functions.inc"
  return {};
}

std::atomic<const MiopenLibrary*> g_library{nullptr};

Result<const MiopenLibrary*> open_library(bool simulated) {
  CONVOY_TRY(DynamicLibrary library,
             simulated ? DynamicLibrary::open_loaded(k_names) : DynamicLibrary::open_first(k_names));
  // Convoy's stub in the library's place: what it stands for lies beside it.
  if (library.find("convoy_miopen_stub") != nullptr) {
    const std::string file = library.file();
    CONVOY_TRY(library, DynamicLibrary::open(file.substr(0, file.rfind('/') + 1) + "libMIOpen.vendor.so.1"));
  }
  auto opened = std::make_unique<MiopenLibrary>();
  CONVOY_CHECK(bind(library, opened->functions));
  std::size_t major = 0, minor = 0, patch = 0;
  CONVOY_CHECK(check_miopen("miopenGetVersion", opened->functions.miopenGetVersion(&major, &minor, &patch)));
  if (major < 2 || (major == 2 && minor < 17)) {
    return fail(ErrorCode::unsupported,
                fmt::format("{} is MIOpen {}.{}.{}: older than 2.17 (ROCm 5.2)", library.file(), major, minor, patch));
  }
  opened->version = fmt::format("{}.{}.{}", major, minor, patch);
  g_library = opened.get();
  return opened.release();
}

}  // namespace

namespace miopen {

std::string_view status_name(Status status) {
  constexpr std::array<std::string_view, 11> k_status_names{
      "miopenStatusSuccess",        "miopenStatusNotInitialized",
      "miopenStatusInvalidValue",   "miopenStatusBadParm",
      "miopenStatusAllocFailed",    "miopenStatusInternalError",
      "miopenStatusNotImplemented", "miopenStatusUnknownError",
      "miopenStatusUnsupportedOp",  "miopenStatusGpuOperationsSkipped",
      "miopenStatusVersionMismatch"};
  const auto index = static_cast<std::size_t>(status);
  return status >= 0 && index < k_status_names.size() ? k_status_names[index] : "an unknown status";
}

}  // namespace miopen

const Result<const MiopenLibrary*>& miopen_library(const Device& device) {
  const bool simulated = device.info().name.starts_with("sim:");
  if (simulated) {
    static const auto library = open_library(true);
    return library;
  }
  static const auto library = open_library(false);
  return library;
}

std::string miopen_version() {
  const MiopenLibrary* library = g_library;
  return library != nullptr ? library->version : "";
}

Result<void> check_miopen(std::string_view function, miopen::Status status) {
  if (status == miopen::k_success) return {};
  return fail(status == miopen::k_alloc_failed ? ErrorCode::out_of_memory : ErrorCode::device,
              fmt::format("{}: {} ({})", function, miopen::status_name(status), status));
}

}  // namespace convoy
