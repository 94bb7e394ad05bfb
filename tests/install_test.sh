#!/bin/bash
# Installs a build into a temporary prefix and uses it as a stranger would: find_package, pkg-config, the program.
# Usage: tests/install_test.sh <build folder>
set -euo pipefail
source_dir=$(cd "$(dirname "$0")/.." && pwd)
build_dir=$(cd "${1:?the build folder}" && pwd)

work=$(mktemp -d "${TMPDIR:-/tmp}/convoy-install.XXXXXX")
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix
# The programs below must neither read nor write the user's databases and settings.
export CONVOY_CACHE_DIR=$work/cache XDG_CONFIG_HOME=$work/config

die() { echo "install_test: $*" >&2; exit 1; }
step() { echo "--- $*"; }

step "install"
cmake --install "$build_dir" --prefix "$prefix" >"$work/install.log" || { cat "$work/install.log"; die "cmake --install"; }
library=$(find "$prefix" -name libconvoy.so.0)
[ -n "$library" ] || die "no libconvoy.so.0 under the prefix"
for file in bin/convoy include/convoy/convoy.h include/convoy/convoy.hpp share/convoy/shapes/demo.tsv; do
  [ -e "$prefix/$file" ] || die "not installed: $file"
done
if [ -e "$build_dir/convoy.1" ]; then
  grep -q '^\.SH' "$prefix/share/man/man1/convoy.1" || die "not a man page: share/man/man1/convoy.1"
fi
"$prefix/bin/convoy" --version

step "links between the installed documents"
grep -roP --include='*.md' '\]\(\K[^)#]+' "$prefix/share/doc/convoy" | grep -v '://' >"$work/links" || die "no link was found"
while IFS=: read -r document target; do
  [ -e "$(dirname "$document")/$target" ] || die "${document#"$prefix"/} links to $target, which is not installed"
done <"$work/links"

step "only the C interface is visible"
foreign=$(nm -D --defined-only "$library" | awk '$2 != "A" { print $3 }' | grep -v '^convoy_' || true)
[ -z "$foreign" ] || die "symbols that are not convoy_*: $(echo "$foreign" | head -n 5 | tr '\n' ' ')"

step "find_package(convoy)"
# A copy outside the tree: nothing of ours can be found by accident.
cp -r "$source_dir/examples" "$work/examples"
cmake -G Ninja -S "$work/examples" -B "$work/build" -DCMAKE_PREFIX_PATH="$prefix" >"$work/configure.log" 2>&1 ||
  { cat "$work/configure.log"; die "configuring examples/"; }
cmake --build "$work/build" >"$work/build.log" 2>&1 || { cat "$work/build.log"; die "building examples/"; }
"$work/build/convolve_c"
"$work/build/convolve_cpp"
# They must be right where host memory is not the device's, too; the simulated GPU needs a compiler that may be missing here.
if "$prefix/bin/convoy" run --device sim:gfx1010 fwd:f32:nchw:n1c4h10w10:k4r3s3:pad1x1:stride1x1:dil1x1:g1 >"$work/sim.log" 2>&1; then
  "$work/build/convolve_c" sim:gfx1010
  "$work/build/convolve_cpp" sim:gfx1010
fi

python_package=$(find "$prefix" -path '*/convoy/start/sitecustomize.py' | sed 's#/convoy/start/sitecustomize.py$##')
if [ -n "$python_package" ]; then
  step "PyTorch's door, through convoy exec"
  python=$(sed -n 's/^CONVOY_TORCH_PYTHON:FILEPATH=//p' "$build_dir/CMakeCache.txt")
  cat >"$work/program.py" <<'END'
import sys
import torch
torch.nn.Conv2d(3, 4, 3)(torch.randn(1, 3, 9, 9))
import convoy
assert convoy.library_path().startswith(sys.argv[1]), convoy.library_path()
assert convoy.program_path() == sys.argv[1] + "/bin/convoy", convoy.program_path()
END
  # The hang is met by a child, which is the installed program.
  env -u PYTHONPATH "$prefix/bin/convoy" exec --set fault=torch:hang --set deadline_ms=500 -- \
    "${python:-/usr/bin/python3}" -B "$work/program.py" "$prefix" >"$work/door.log" 2>&1 || { cat "$work/door.log"; die "the door"; }
  grep -q 'torch timed_out in a child' "$work/door.log" || { cat "$work/door.log"; die "the door has not tried in a child"; }
fi

step "pkg-config convoy"
PKG_CONFIG_PATH=$(dirname "$library")/pkgconfig
export PKG_CONFIG_PATH
# Flags are words by contract.
# shellcheck disable=SC2046
"${CC:-cc}" -std=c99 -Wall -Wextra -Werror -pedantic "$work/examples/convolve.c" -o "$work/convolve_pc" \
  $(pkg-config --cflags --libs convoy)
LD_LIBRARY_PATH=$(dirname "$library") "$work/convolve_pc"
