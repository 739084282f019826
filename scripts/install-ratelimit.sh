#!/usr/bin/env bash
# Builds Envoy's reference rate limit service from its Go module into a cache outside the work tree, installs Redis where
# it is missing, and prints the paths of both, one a line. Running it again costs nothing.
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
  command -v go >/dev/null || fail "go is missing; install Go"
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

install_redis() {
  ! command -v redis-server >/dev/null || return 0
  command -v apt-get >/dev/null || fail "redis-server is missing; install Redis"
  # The package starts a server of its own unless it is told not to.
  RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends redis-server >&2 ||
    fail "could not install redis-server (Debian: apt-get install redis-server)"
}

install_service
install_redis
echo "$target/ratelimit"
command -v redis-server
