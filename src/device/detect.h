// What of AMD's a machine has, told from files alone: no driver, no library is opened, so it works where nothing else does, in
// containers and on images (`root`). A pure reader: it changes nothing, never fails and never throws; what could not be read is a
// note. Everything read is untrusted: sizes, counts and links are bounded, texts are made printable.
//
// Paths, given and returned, are those inside `root`: "/opt/rocm-6.2.0" also where that lies below /mnt/image. Links are followed
// inside `root` only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace convoy {

// Where to look beyond the places that every machine has. Library code reads no environment: the caller hands it in.
struct DetectOptions {
  std::vector<std::string> conda_prefixes = {};  // $CONDA_PREFIX
  std::vector<std::string> site_packages = {};   // of Pythons: torch/lib, _rocm_sdk_* below them
  std::vector<std::string> user_folders = {};  // MIOpen's own: ~/.config/miopen, ~/.cache/miopen, $MIOPEN_USER_DB_PATH
};

// A device file, and what the calling user may do with it. Nothing is opened: opening /dev/kfd makes the driver start work.
struct DeviceNode {
  std::string path;  // "/dev/dri/renderD128"; empty: the kernel names none
  bool exists = false;
  unsigned mode = 0;  // 0660
  std::uint32_t owner = 0;
  std::uint32_t group = 0;
  std::string group_name;  // from /etc/group; empty: it has no name there, as in containers
  bool may_open = false;   // to read and write, with access control lists; a container's device filter may still refuse
};

// What stands between a GPU and ROCm. Values are written into reports by their name: see name_of.
enum class GpuLack {
  no_driver,     // no kernel driver is bound to it
  other_driver,  // one is, but not amdgpu: vfio-pci, radeon
  no_kfd,  // the kernel shows no /sys/class/kfd: amdgpu not loaded, a kernel without it, or a container without /sys
  not_in_kfd,      // KFD is there and does not list it: too old, or hidden from this container
  no_kfd_device,   // /dev/kfd is not there: not handed into the container
  kfd_denied,      // it is, and this user may not open it
  no_render_node,  // the same of /dev/dri/renderDN
  render_denied,
};
const char* name_of(GpuLack lack);

struct Lack {
  GpuLack kind;
  std::string detail;  // names the place: "/dev/kfd is root:render 0660"
};

struct DetectedGpu {
  std::string pci_address;   // "0000:03:00.0"
  int kfd_node = -1;         // its number in KFD's topology, as HSA_OVERRIDE_GFX_VERSION_<n> counts; -1: not listed
  std::uint16_t vendor = 0;  // 0x1002
  std::uint16_t device = 0;  // 0x731f
  std::uint16_t subsystem_vendor = 0;
  std::uint16_t subsystem_device = 0;
  std::uint8_t revision = 0;
  bool integrated = false;   // part of a processor (APU): its memory is the machine's
  std::string architecture;  // the silicon's own, "gfx1010"; empty: only KFD tells, and it does not list it
  int compute_units = 0;     // 0: unknown
  std::uint64_t memory_bytes = 0;
  std::string driver;  // bound to it: "amdgpu"; empty: none
  DeviceNode render_node;
  std::vector<Lack> lacks;  // empty: ROCm can use it
};

struct KernelDriver {
  bool loaded = false;                  // the module amdgpu is there, or built in
  std::string version;                  // "6.8.5", of AMD's packages; the kernel's own copy has none
  std::string kernel_release;           // "6.1.0-18-amd64"
  std::vector<std::string> blocked_by;  // what keeps it from loading: "/etc/modprobe.d/x.conf: blacklist amdgpu"
};

struct RocmInstall {
  std::string path;     // links resolved: "/opt/rocm-6.2.0"
  std::string version;  // first line of .info/version, "6.2.0-66"; empty: it does not say
};

enum class LibraryOrigin { system, rocm, conda, wheel };
const char* name_of(LibraryOrigin origin);

struct DetectedLibrary {
  std::string name;     // "libMIOpen", "libamdhip64"
  std::string path;     // links resolved; each file is listed once
  std::string soname;   // that it says of itself, "libMIOpen.so.1"; empty: it is no library that can be loaded
  std::string version;  // behind ".so." of its file name, "1.0.60200", else of its soname, "1"
  std::uint64_t size = 0;
  LibraryOrigin origin = LibraryOrigin::system;
  // MIOpen's only: the databases beside it.
  std::string database_folder;              // "/opt/rocm-6.2.0/share/miopen/db"; empty: there is none
  std::vector<std::string> database_files;  // names in that folder
  bool embedded_databases = false;          // a build that has them inside and reads no folder
};

// The files of `library` that MIOpen would take on a card; where the first three lists are empty it compiles and searches all anew.
struct DatabaseFiles {
  std::vector<std::string> kernels;  // gfx1030_36.kdb, gfx1030.kdb
  std::vector<std::string> finds;    // gfx1030_36.HIP.fdb.txt
  std::vector<std::string> tunings;  // gfx1030_36.db.txt, miopen.db
  std::vector<std::string>
      relatives;  // for the architecture with other numbers of units, of which MIOpen borrows tunings at most
};
// `compute_units` as in DetectedGpu; `architecture` is the pretended one where HSA_OVERRIDE_GFX_VERSION sets one.
DatabaseFiles databases_for(const DetectedLibrary& library, const std::string& architecture, int compute_units);

// One of DetectOptions::user_folders.
struct UserFolder {
  std::string path;
  bool exists = false;
  bool writable = false;  // or can be made, where it does not exist
  bool network = false;   // NFS and the like: MIOpen's SQLite locks are not to be trusted there
};

// Something that could not be read or was not believed.
struct DetectNote {
  std::string path;
  std::string text;
};

struct Detection {
  KernelDriver driver;
  DeviceNode kfd;                 // /dev/kfd
  std::vector<DetectedGpu> gpus;  // by PCI address
  std::vector<RocmInstall> rocm;
  std::vector<DetectedLibrary> libraries;  // by path
  std::vector<UserFolder> user_folders;    // in the order given
  std::vector<DetectNote> notes;
};

// `root`: "" for this machine, or the folder of an image or a recorded tree.
Detection detect(const std::string& root, const DetectOptions& options);

}  // namespace convoy
