#!/usr/bin/env bash
# Installs what the tests in network namespaces need (ip, iptables with its nf_tables back end) where it is missing and
# the caller is root; running it again costs nothing. Exits 1 with the reason where the tests cannot run.
set -euo pipefail

fail() {
  echo "install-netns-tools: $*" >&2
  exit 1
}

present() {
  command -v ip >/dev/null && command -v iptables-nft-restore >/dev/null && command -v ip6tables-nft-restore >/dev/null
}

[ "$(uname -s)" = Linux ] || fail "network namespaces need Linux"
[ "$(id -u)" = 0 ] || fail "network namespaces need root"
present && exit 0
command -v apt-get >/dev/null || fail "ip or iptables (nf_tables back end) is missing, and there is no apt-get to install it"
export DEBIAN_FRONTEND=noninteractive
# A fresh machine has no package lists yet.
apt-get install --yes --quiet --no-install-recommends iproute2 iptables >&2 ||
  { apt-get update --quiet >&2 && apt-get install --yes --quiet --no-install-recommends iproute2 iptables >&2; } ||
  fail "apt-get could not install iproute2 and iptables"
present || fail "iproute2 and iptables are installed, but have no nf_tables back end"
