#!/usr/bin/env bash
# Two checkouts that differ in one message: each runs its own tools, whichever was built last, and when the other is gone.
# One is this checkout, which must be built (./build.sh); with --at-once two fresh clones of its commit are built at the same time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
here=$PWD
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
old='Runs a kernel image in an emulator'
new='Runs another checkout in an emulator'

fail() { echo "TwoCheckouts: $1" >&2; exit 1; }
clone() { git clone --quiet "file://$here" "$scratch/$1"; }
build() { (cd "$scratch/$1" && ./build.sh --verbosity quiet) > "$scratch/$1.log" 2>&1 || { cat "$scratch/$1.log" >&2; fail "$1 does not build"; }; }

# says DIRECTORY TEXT: the recorder that runs there, in a new shell, prints TEXT in its help.
says() {
  local help
  help=$(cd "$1/docs" && env -u NUGET_PACKAGES bash -c 'dotnet kprobe-record --help') || fail "$1: no tool is found"
  [[ $help == *"$2"* ]] || fail "$1: the tool is not the one built there; it does not say '$2'"
}

clone changed
sed -i "s/$old/$new/" "$scratch/changed/src/kprobe-record/RecordCommand.cs"
same=$here
if [[ ${1:-} == --at-once ]]; then
  same=$scratch/same
  clone same
  build same & other=$!
  build changed
  wait "$other"
else
  [[ -f dotnet-tools.json ]] || fail "run ./build.sh first"
  build changed
fi

says "$same" "$old"
says "$scratch/changed" "$new"
version=$(cd "$scratch/changed" && dotnet kprobe-report --version)
[[ $version == "0.1.0+$(git rev-parse HEAD).modified" ]] || fail "the version does not tell commit and change: $version"
[[ $(git -C "$scratch/changed" status --porcelain) == ' M src/kprobe-record/RecordCommand.cs' ]] ||
  fail "the build changed the checkout: $(git -C "$scratch/changed" status --porcelain)"
rm -rf "$scratch/changed"
says "$same" "$old"
echo "TwoCheckouts: each runs its own tools"
