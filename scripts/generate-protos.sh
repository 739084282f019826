#!/usr/bin/env bash
# Writes src/gen: TypeScript for the protos named in scripts/proto-roots.txt and everything they import, and a table of
# their fields and validation rules. Needs nothing but the installed npm packages; does nothing when no input changed.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/node_modules/.bin:$PATH"

deps=node_modules/@grpc/grpc-js-xds/deps
stamp=src/gen/.stamp

inputs_hash() {
  {
    cat scripts/generate-protos.sh scripts/generate-descriptors.ts scripts/proto-roots.txt buf.gen.yaml
    cat node_modules/@grpc/grpc-js-xds/package.json node_modules/ts-proto/package.json node_modules/@bufbuild/buf/package.json
    find proto -name '*.proto' | LC_ALL=C sort | xargs cat
  } | sha256sum | cut -d' ' -f1
}

hash=$(inputs_hash)
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$hash" ]; then
  exit 0
fi

mkdir -p node_modules/.cache
scratch=$(mktemp -d node_modules/.cache/protos.XXXXXX)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$scratch/in" "$scratch/out"
cp -r "$deps"/envoy-api/. "$deps"/googleapis/. "$deps"/xds/. proto/. "$scratch/in/"
mkdir -p "$scratch/in/validate"
# That copy of validate.proto misses StringRules.ignore_empty, which the Envoy protos beside it use.
awk '
  /^message / { rules = ($2 == "StringRules") }
  rules && /^}/ { print "  optional bool ignore_empty = 26;"; rules = 0 }
  { print }
' "$deps/protoc-gen-validate/validate/validate.proto" >"$scratch/in/validate/validate.proto"
echo 'version: v2' >"$scratch/in/buf.yaml"

paths=()
while read -r root; do
  case "$root" in '' | '#'*) ;; *) paths+=(--path "$scratch/in/$root") ;; esac
done <scripts/proto-roots.txt

buf generate "$scratch/in" --template buf.gen.yaml --output "$scratch/out" "${paths[@]}"
buf build "$scratch/in" "${paths[@]}" --output "$scratch/descriptors.binpb"
tsx scripts/generate-descriptors.ts "$scratch/descriptors.binpb" "$scratch/out"

echo "$hash" >"$scratch/out/.stamp"
[ ! -d src/gen ] || mv src/gen "$scratch/old"
mv "$scratch/out" src/gen
echo "generated $(find src/gen -name '*.ts' | wc -l) files in src/gen" >&2
