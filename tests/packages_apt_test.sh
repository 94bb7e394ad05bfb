#!/bin/bash
# By hand, as root, with network: apt installs the packages of scripts/package in a bare Debian 12, they are used, purged, and the system
# is compared with what it was. Half a minute; with python3-convoy three, and what apt fetches for PyTorch.
# Usage: tests/packages_apt_test.sh <folder of .deb files> [base.tar]     (base.tar: the bare system, kept there for the next time)
set -euo pipefail
packages=$(cd "${1:?the folder of the .deb files, build-package/deb}" && pwd)
base=${2-}
mirror=http://deb.debian.org/debian

work=$(mktemp -d "${TMPDIR:-/var/tmp}/convoy-apt.XXXXXX")
root=$work/root
leave() {
  for place in proc dev; do ! mountpoint -q "$root/$place" || umount "$root/$place"; done
  rm -rf --one-file-system "$work"
}
trap leave EXIT
trap 'exit 130' INT TERM

die() { echo "packages_apt_test: $*" >&2; exit 1; }
step() { echo "--- $*"; }
inside() {
  chroot "$root" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
    DEBIAN_FRONTEND=noninteractive CONVOY_CACHE_DIR=/tmp/cache "$@" </dev/null
}
quietly() { inside "$@" >"$work/log" 2>&1 || { tail -n 50 "$work/log"; die "failed: $*"; }; }
# All but the records and caches of apt, dpkg and the loader.
listing() {
  (cd "$root" && find . -xdev \( -path ./var/lib/apt -o -path ./var/lib/dpkg -o -path ./var/cache -o -path ./var/log -o -path ./proc \
    -o -path ./dev -o -path ./src \) -prune -o \( -type f -printf '%y %m %U %G %p ' -exec sh -c 'sha256sum <"$1"' sh {} \; \
    -o -printf '%y %m %U %G %p %l\n' \) | LC_ALL=C sort)
}

[ "$(id -u)" = 0 ] || die "a chroot needs root"
mkdir "$root"
if [ -n "$base" ] && [ -e "$base" ]; then
  tar -C "$root" -xpf "$base"
else
  debootstrap --variant=minbase bookworm "$root" "$mirror" >"$work/log" 2>&1 || { tail -n 20 "$work/log"; die "debootstrap"; }
  [ -z "$base" ] || tar -C "$root" -cf "$base" .
fi
# This machine's way to the network and to Debian.
cp /etc/resolv.conf /etc/hosts "$root/etc/"
if [ -e /etc/apt/sources.list.d/debian.sources ] && grep -qs '^VERSION_CODENAME=bookworm' /etc/os-release; then
  rm -f "$root/etc/apt/sources.list"
  cp /etc/apt/sources.list.d/debian.sources "$root/etc/apt/sources.list.d/"
fi
grep -lisE 'proxy|check-valid|check-date' /etc/apt/apt.conf.d/* | xargs -r cp -t "$root/etc/apt/apt.conf.d/"
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
mkdir "$root/src"
cp "$packages"/*.deb "$root/src/"
quietly apt-get update -q
mapfile -t names < <(for file in "$packages"/*.deb; do dpkg-deb -f "$file" Package; done)
if [[ " ${names[*]} " == *" python3-convoy "* ]]; then
  step "apt install python3-torch, which is to stay"
  # Some of what comes with it leaves files when purged.
  quietly apt-get install -y --no-install-recommends python3-torch
fi
listing >"$work/before"

step "apt install"
# As a user writes it: the shell inside finds the names.
quietly sh -c 'apt install -y --no-install-recommends /src/*.deb'
quietly dpkg --verify "${names[@]}"
[ -z "$(inside dpkg --audit)" ] || die "dpkg finds packages half installed"

step "use"
inside convoy --version
problem=fwd:f32:nchw:n1c3h9w9:k4r3s3:pad1x1:stride1x1:dil1x1:g1
inside convoy run "$problem"
status=0
inside convoy doctor || status=$?  # 1: it has found something
[ "$status" -le 1 ] || die "convoy doctor: $status"
quietly convoy exec -- env
grep -q '^LD_PRELOAD=/usr/lib/.*/libconvoy_miopen.so' "$work/log" || { cat "$work/log"; die "convoy exec preloads nothing"; }
quietly ldconfig -p
grep -q 'libconvoy.so.0 .*=> /' "$work/log" || die "the loader does not know libconvoy.so.0"
inside bash -lc env >"$work/log" 2>"$work/errors" || die "a login shell fails"
[ ! -s "$work/errors" ] || { cat "$work/errors"; die "a login shell complains"; }
grep -E 'HSA|HIP|MIOPEN|CONVOY' "$work/log" || true
for generator in system user; do
  inside "/usr/lib/systemd/$generator-environment-generators/60-convoy" || die "the $generator's generator"
done
if [ -e "$root/usr/lib/python3/dist-packages/convoy" ]; then
  inside python3 -c 'import torch, convoy
convoy.enable()
torch.nn.Conv2d(3, 4, 3)(torch.randn(1, 3, 9, 9))
print(convoy.program_path(), convoy.library_path(), convoy.stats()["calls"])'
  ls "$root"/usr/lib/*/convoy/python/convoy/__pycache__ >/dev/null || die "the Python files were not compiled"
fi

step "apt purge"
quietly apt-get purge -y "${names[@]}"
quietly apt-get autoremove --purge -y
rm -rf "$root/tmp/cache"
listing >"$work/after"
diff "$work/before" "$work/after" >"$work/difference" || { head -n 50 "$work/difference"; die "the system is not what it was"; }
step "the system is what it was"
