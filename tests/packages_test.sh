#!/bin/bash
# Makes the Debian packages of a build, installs them with dpkg below an empty folder with a database of its own, uses them there, and
# compares the folder with what it was. No network, no right, no chroot: what runs uses this machine's libraries.
# Usage: tests/packages_test.sh <build folder>
set -euo pipefail
source_dir=$(cd "$(dirname "$0")/.." && pwd)
build_dir=$(cd "${1:?the build folder}" && pwd)
PATH=$PATH:/usr/sbin:/sbin  # where dpkg wants to see ldconfig
umask 077  # must not be seen in the packages

work=$(mktemp -d "${TMPDIR:-/tmp}/convoy-packages.XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/root
# The programs below must neither read nor write the user's databases and settings.
export CONVOY_CACHE_DIR=$work/cache XDG_CONFIG_HOME=$work/config
unset DPKG_ROOT

die() { echo "packages_test: $*" >&2; exit 1; }
step() { echo "--- $*"; }
# quietly command...: shows what it said only when it fails.
quietly() { "$@" >"$work/log" 2>&1 </dev/null || { cat "$work/log"; die "failed: $*"; }; }
# Dependencies are this machine's, so they are not asked for; scripts see DPKG_ROOT.
package() {
  quietly dpkg --root="$root" --admindir="$work/dpkg" --force-depends --force-not-root --force-script-chrootless --force-confold "$@"
}
# Everything about each file but its times.
listing() {
  (cd "$root" && find . -printf '%y %m %U %G %p %l\n' | LC_ALL=C sort && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum)
}
# same expected what: the folder is as it was listed.
same() { listing >"$work/now"; diff "$1" "$work/now" >"$work/difference" || { cat "$work/difference"; die "$2"; }; }

step "build, twice"
for name in deb again; do
  SOURCE_DATE_EPOCH=1700000000 quietly cpack --config "$build_dir/CPackConfig.cmake" -B "$work/$name"
done
for file in "$work"/deb/*.deb; do
  cmp "$file" "$work/again/${file##*/}" || die "${file##*/} is not reproducible"
done

step "what is in them"
libraries=$(sed -n 's/^CMAKE_INSTALL_LIBDIR:PATH=//p' "$build_dir/CMakeCache.txt")
for file in "$work"/deb/*.deb; do
  name=${file##*/} name=${name%%_*}
  dpkg-deb --ctrl-tarfile "$file" | tar -t | LC_ALL=C sort | tr -d '\n' >"$work/control"
  dpkg-deb --fsys-tarfile "$file" | tar -tv >"$work/files"
  # Owner root, written by nobody else, executable only where programs are.
  odd=$(awk '$2 != "root/root" || (!/^l/ && $1 !~ /^(d|-)rw[x-]r-[x-]r-[x-]$/)' "$work/files")
  [ -z "$odd" ] || die "$name: $odd"
  odd=$(grep '^-..x' "$work/files" | grep -vE '/bin/convoy$|-generators/60-convoy$|container-entrypoint$' || true)
  [ -z "$odd" ] || die "$name: executable: $odd"
  grep -q "/usr/share/doc/$name/copyright$" "$work/files" || die "$name has no copyright file"
  case $name in
    libconvoy0) expected=./control./md5sums./shlibs./triggers ;;
    convoy-miopen) expected=./control./md5sums./triggers ;;
    convoy-system) expected=./conffiles./control./md5sums./postinst./postrm./preinst ;;
    python3-convoy) expected=./control./md5sums./postinst./prerm ;;
    *) expected=./control./md5sums ;;
  esac
  [ "$(cat "$work/control")" = "$expected" ] || die "$name has the control files $(cat "$work/control"), not $expected"
done
depends() { dpkg-deb -f "$work"/deb/"$1"_*.deb Depends; }
[[ $(depends convoy) == *libdnnl* && $(depends libconvoy0) == *libdnnl* ]] || die "the libraries of the engine are not asked for"
[[ $(depends convoy-miopen) == *"libconvoy0 (= "* && $(depends libconvoy-dev) == *"libconvoy0 (= "* ]] || die "libconvoy0 is not asked for"
[ "$(dpkg-deb -f "$work"/deb/convoy-system_*.deb Architecture)" = all ] || die "convoy-system is not for all architectures"

step "install"
mkdir -p "$root"/etc/profile.d "$root/usr/$libraries" "$root"/usr/share/doc/other "$work"/dpkg/{info,updates}
: >"$work/dpkg/status"
echo 'export OTHER=1' >"$root/etc/profile.d/other.sh"
echo other >"$root/usr/$libraries/libother.so.1"
ln -s libother.so.1 "$root/usr/$libraries/libother.so"
chmod 0750 "$root/usr/share/doc/other"
listing >"$work/before"
package -i "$work"/deb/*.deb
quietly dpkg --root="$root" --admindir="$work/dpkg" --verify
listing >"$work/installed"

step "use"
convoy=$root/usr/bin/convoy
problem=fwd:f32:nchw:n1c3h9w9:k4r3s3:pad1x1:stride1x1:dil1x1:g1
[ "$("$convoy" --version)" = "$("$build_dir/convoy" --version)" ] || die "another version"
quietly "$convoy" run "$problem"
# The child's own variable.
# shellcheck disable=SC2016
quietly "$convoy" exec -- sh -c 'case $LD_PRELOAD in "$1"/*/libconvoy_miopen.so*) ;; *) exit 1 ;; esac' sh "$root/usr"
file "$convoy" | grep -q ', stripped' || die "the program is not stripped"
! grep -rlF "$build_dir" "$root" || die "names the build folder"
! grep -rlE '@[A-Z_]+@' "$root/etc/profile.d/convoy.sh" "$root"/usr/lib/{systemd,udev} || die "a placeholder is left"

step "build with them: pkg-config, CMake"
export PKG_CONFIG_PATH=$root/usr/$libraries/pkgconfig
# Flags are words by contract.
# shellcheck disable=SC2046
"${CC:-cc}" -std=c99 -Wall -Wextra -Werror "$source_dir/examples/convolve.c" -o "$work/convolve" $(pkg-config --cflags --libs convoy)
LD_LIBRARY_PATH=$root/usr/$libraries quietly "$work/convolve"
cp -r "$source_dir/examples" "$work/examples"
quietly cmake -G Ninja -S "$work/examples" -B "$work/build" -DCMAKE_PREFIX_PATH="$root/usr"
quietly cmake --build "$work/build" --target convolve_c
quietly "$work/build/convolve_c"

if [ -e "$root/usr/lib/python3/dist-packages/convoy" ]; then
  step "PyTorch"
  PYTHONPATH=$root/usr/lib/python3/dist-packages quietly /usr/bin/python3 -B -c '
import os, sys, torch, convoy
convoy.enable()
torch.nn.Conv2d(3, 4, 3)(torch.randn(1, 3, 9, 9))
assert convoy.stats()["calls"] > 0, convoy.stats()
assert os.path.samefile(convoy.program_path(), sys.argv[1]), convoy.program_path()' "$convoy"
fi
same "$work/installed" "using the packages has changed their files"

step "the same version again"
package -i "$work"/deb/*.deb
same "$work/installed" "installing again makes a difference"

step "an edited /etc/profile.d/convoy.sh stays, but for purge"
echo '# mine' >>"$root/etc/profile.d/convoy.sh"
listing >"$work/edited"
package -i "$work"/deb/*.deb
same "$work/edited" "installing again touched an edited file"
mapfile -t names < <(for file in "$work"/deb/*.deb; do dpkg-deb -f "$file" Package; done)
package --remove "${names[@]}"
mv "$root/etc/profile.d/convoy.sh" "$work/profile"
grep -q '^# mine' "$work/profile" || die "the edited file is gone"
same "$work/before" "removal left files, or took foreign ones"
mv "$work/profile" "$root/etc/profile.d/convoy.sh"
package --purge "${names[@]}"
same "$work/before" "purge left files, or took foreign ones"

step "convoy-system refuses to come beside convoy install"
mkdir -p "$root/var/lib/convoy" && echo '{}' >"$root/var/lib/convoy/install.json"
listing >"$work/own"
! (package -i "$work"/deb/convoy-system_*.deb) >"$work/said" 2>&1 || die "convoy-system was installed beside convoy install"
grep -q 'convoy uninstall --system' "$work/said" || { cat "$work/said"; die "and does not say why not"; }
package --purge convoy-system
same "$work/own" "what was refused left files"
rm -r "${root:?}/var"

step "purge at once"
package -i "$work"/deb/*.deb
mkdir -p "$root/run/convoy" && echo A=1 >"$root/run/convoy/environment"  # what the system's generator writes
package --purge "${names[@]}"
rmdir "$root/run"
same "$work/before" "purge left files, or took foreign ones"
