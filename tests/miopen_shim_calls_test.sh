#!/bin/sh
# Runs a program with the interposer in front of it and databases of its own: miopen_shim_calls_test.sh PROGRAM INTERPOSER
set -eu
folder=$(mktemp -d "${TMPDIR:-/tmp}/convoy-calls.XXXXXX")
trap 'rm -rf "$folder"' EXIT
HOME=$folder CONVOY_CACHE_DIR=$folder/cache MIOPEN_CUSTOM_CACHE_DIR=$folder/miopen XDG_CONFIG_HOME=$folder/config \
  CONVOY_SIM_DEVICES=gfx1010 LD_PRELOAD=$2 "$1"
