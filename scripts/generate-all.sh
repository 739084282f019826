#!/usr/bin/env bash
# Writes the generated files that are committed: each scripts/generate-*.ts named here owns its folders.
# With --check, fails when any of them was not what its generator writes now.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/node_modules/.bin:$PATH"

folders=(config/crd docs/reference)
generators=(scripts/generate-crds.ts scripts/generate-reference.ts)

fingerprint() {
  for folder in "${folders[@]}"; do
    [ ! -d "$folder" ] || find "$folder" -type f | LC_ALL=C sort | xargs -r sha256sum
  done
}

before=$(fingerprint)
for generator in "${generators[@]}"; do
  [ ! -f "$generator" ] || tsx "$generator"
done

if [ "${1:-}" = --check ] && [ "$(fingerprint)" != "$before" ]; then
  echo "generated files were out of date; they are rewritten now, look at them and commit them:" >&2
  diff <(echo "$before") <(fingerprint) | awk '/^[<>]/ { print "  " $3 }' | sort -u >&2
  exit 1
fi
