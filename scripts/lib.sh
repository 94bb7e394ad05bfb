# Sourced by build, test, package and demo: what Convoy needs from Debian, and how many jobs this machine carries.
# Has to work on a bare system: no git, no sudo, possibly no /proc (so no process substitution either).

# Name the packages once; CMake (cmake/Dependencies.cmake) says what each one is for. ocl-icd-opencl-dev is there because
# the CMake file of Debian's libdnnl-dev 2.6 requires OpenCL without depending on it.
k_build_packages=(g++ cmake ninja-build pkg-config libsqlite3-dev libfmt-dev libspdlog-dev nlohmann-json3-dev
  libcli11-dev libexpected-dev libxxhash-dev libzstd-dev libdnnl-dev ocl-icd-opencl-dev)
# For Debian packages, and the manual page in them.
k_package_packages=(dpkg-dev file help2man)
# AMD's runtime compiler and the disassembler that the simulated GPU reads machine code with: for what needs no card of AMD.
k_simulator_packages=(libamdhip64-5 libhiprtc-builtins5 libllvm15)
# PyTorch, for its door; the tests take networks from torchvision, and make a wheel.
k_torch_packages=(python3-torch libtorch-dev)
# A clang for the architectures that this HIPRTC does not know and for the simulator's own tests; PoCL for OpenCL's; those who
# read what `convoy install` writes.
k_test_packages=(libgtest-dev python3 help2man "${k_simulator_packages[@]}" clang-16 lld-16 pocl-opencl-icd
  "${k_torch_packages[@]}" python3-torchvision python3-pip python3-setuptools python3-wheel zsh fish systemd udev)

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# A program counts as installed wherever it comes from; a library only as a package.
is_installed() {
  local program=$1
  [ "$1" = ninja-build ] && program=ninja
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ] || command -v "$program" >/dev/null
}

# install_packages name...: installs those that are missing, as root or through sudo; prints nothing when all are there.
install_packages() {
  local package missing=() as_root=()
  for package in "$@"; do is_installed "$package" || missing+=("$package"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || die "not a Debian system: please install what these packages hold: ${missing[*]}"
  local install=(apt-get -o Acquire::Retries=3 install -y -q --no-install-recommends "${missing[@]}")
  if [ "$(id -u)" != 0 ]; then
    # -n: a script without a terminal must fail rather than wait for a password.
    if [ -t 0 ] && command -v sudo >/dev/null; then as_root=(sudo)
    elif sudo -n true 2>/dev/null; then as_root=(sudo -n)
    else
      die "packages are missing and this is not root; please run:
  sudo apt-get update && sudo apt-get install --no-install-recommends ${missing[*]}"
    fi
  fi
  say "Installing ${missing[*]}"
  # env, because sudo clears the variables of its caller.
  run_quietly "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=3 update -q
  run_quietly "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive "${install[@]}"
}

# Runs a command and shows what it said only when it fails.
run_quietly() {
  local output status=0
  output=$("$@" 2>&1 </dev/null) || status=$?
  [ "$status" = 0 ] && return
  printf '%s\n' "$output" | show_failure >&2
  die "failed with status $status: $*"
}

# The part of a log that says what went wrong: 150 lines from the first error on, else its end.
show_failure() {
  awk '/^FAILED:|^CMake Error|^E: / { found = 1 }
       found && shown < 150 { print; ++shown }
       { last[NR % 60] = $0 }
       END { if (!found) for (i = NR - 59; i <= NR; ++i) if (i > 0) print last[i % 60] }'
}

# Memory in megabytes that this process may use: the machine's, or its container's where that is less. Empty if unknown.
memory_mb() {
  local available limit
  available=$(sed -n 's/^MemAvailable: *\([0-9]*\) kB/\1/p' /proc/meminfo 2>/dev/null)
  limit=$(cat /sys/fs/cgroup/memory.max 2>/dev/null)
  available=${available:+$((available / 1024))}
  case $limit in
    '' | *[!0-9]*) ;;
    *) limit=$((limit / 1048576)); [ -n "$available" ] && [ "$available" -le "$limit" ] || available=$limit ;;
  esac
  printf '%s' "$available"
}

# One compiler of ours peaks near 1.5 GB (nlohmann-json with spdlog, -O2), so memory bounds the jobs as cores do.
job_count() {
  local jobs memory
  jobs=${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)}
  memory=$(memory_mb)
  [ -z "$memory" ] || [ "$jobs" -le $((memory / 1500)) ] || jobs=$((memory / 1500))
  [ "$jobs" -ge 1 ] || jobs=1
  printf '%s' "$jobs"
}

# The build folder of a preset (as in CMakePresets.json), relative to the repository root.
build_folder() {
  case $1 in
    release) printf build ;;
    dev | tsan | package) printf 'build-%s' "$1" ;;
    *) die "unknown preset '$1': release, dev, tsan or package" ;;
  esac
}
