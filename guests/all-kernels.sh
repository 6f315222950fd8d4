#!/usr/bin/env bash
# What `guests/fetch.sh --all-kernels` runs: puts one stock kernel of every series (5.10, 6.1, …) and flavour (cloud, amd64, rt) that
# Debian's mirror offers in any suite from bullseye to sid into guests/stock/all, as vmlinuz-SERIES-FLAVOUR. bench/kernels.sh boots
# them. What is there already, in its newest version, is not fetched again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
source suites.sh

die() { echo "guests/all-kernels.sh: $1" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
suites=()
for suite in bullseye bookworm trixie forky; do suites+=("$suite" "$suite-backports" "$suite-security"); done
open_suites "$work/apt" "${suites[@]}" sid ||
  die "apt's sources name no mirror of Debian: add one and run apt-get update first"
kernels_of_suites > "$work/kernels"
[[ -s $work/kernels ]] || die "the mirror offers no kernels: $(grep '^[EW]:' "$work/apt/update.log" | tail -n 1)"

all=stock/all
mkdir -p "$all"
touch "$all/VERSIONS"
fetched=0
missing=0

# get SERIES FLAVOUR: the newest kernel that can be had; lists sometimes name a package that the mirror holds no more.
get() {
  local image=vmlinuz-$1-$2 version package line
  while read -r version package; do
    line="$image $package $version"
    if [[ -s $all/$image ]] && grep -qxF "$line" "$all/VERSIONS"; then return 0; fi
    echo "fetching $package"
    rm -rf "$work/download"
    mkdir "$work/download"
    if (cd "$work/download" && suites_get -q download "$package=$version") > "$work/download.log" 2>&1; then
      unpack_image "$work"/download/*.deb "$work/image" || die "package $package holds no kernel image"
      mv "$work/image" "$all/$image"
      { grep -v "^$image " "$all/VERSIONS" || true; echo "$line"; } | sort -V > "$work/VERSIONS"
      cp "$work/VERSIONS" "$all/VERSIONS"
      fetched=$(( fetched + 1 ))
      return 0
    fi
    echo "  $(grep '^E:' "$work/download.log" | head -n 1)" >&2
  done < <(awk -v series="$1" -v flavour="$2" '$1 == series && $2 == flavour { print $3, $4 }' "$work/kernels" | tac | head -n 4)
  return 1
}

while read -r series flavour; do
  get "$series" "$flavour" || { echo "guests/all-kernels.sh: no $flavour kernel $series could be fetched" >&2; missing=$(( missing + 1 )); }
done < <(cut -d' ' -f1,2 "$work/kernels" | uniq)
echo "guests/stock/all: $(wc -l < "$all/VERSIONS") kernels, $fetched of them fetched now"
exit $(( missing > 0 ))
