#!/usr/bin/env bash
# Builds Envoy's reference rate limit service from its Go module into a cache outside the work tree, installs Redis where
# it is missing, and prints the paths of both, one a line. Running it again costs nothing. With `--only-find` nothing is
# built or installed: it fails where one is missing.
set -euo pipefail

version=v1.4.1-0.20260122083618-3fb702589d36
cache="${LEGATION_CACHE:-$HOME/.cache/legation}"
target="$cache/ratelimit-$version"

fail() {
  echo "install-ratelimit: $*" >&2
  exit 1
}

install_service() {
  [ ! -x "$target/ratelimit" ] || return 0
  command -v go >/dev/null || fail "go is missing, by which the rate limit service is built; install Go 1.21 or later"
  mkdir -p "$cache"
  local scratch
  scratch=$(mktemp -d "$cache/.ratelimit.XXXXXX")
  # shellcheck disable=SC2064 -- the folder of now, not of then
  trap "rm -rf '$scratch'" EXIT
  CGO_ENABLED=0 GOBIN="$scratch" go install "github.com/envoyproxy/ratelimit/src/service_cmd@$version" >&2 ||
    fail "could not build github.com/envoyproxy/ratelimit@$version"
  mv "$scratch/service_cmd" "$scratch/ratelimit"
  # Another run may have been faster: then its result is used.
  mv -T "$scratch" "$target" 2>/dev/null || true
  rm -rf "$scratch"
  trap - EXIT
}

apt_install() {
  # The package starts a server of its own unless it is told not to.
  RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends redis-server >&2
}

install_redis() {
  ! command -v redis-server >/dev/null || return 0
  command -v apt-get >/dev/null || fail "redis-server is missing; install Redis"
  # A fresh machine has no package lists yet.
  apt_install || { apt-get update --quiet >&2 && apt_install; } ||
    fail "could not install redis-server (Debian: apt-get install redis-server)"
}

if [ "${1:-}" != --only-find ]; then
  install_service
  install_redis
fi
[ -x "$target/ratelimit" ] || fail "the rate limit service is not built; run scripts/install-ratelimit.sh"
command -v redis-server >/dev/null || fail "redis-server is missing; run scripts/install-ratelimit.sh"
echo "$target/ratelimit"
command -v redis-server
