#!/usr/bin/env bash
# Puts Debian's current stock kernels and a small initramfs into guests/stock/, for tests, benchmarks and trying out:
#
#   guests/fetch.sh                 fetches what is missing; returns at once when everything is there
#   guests/fetch.sh --update        asks apt again which kernels are current, and fetches those
#   guests/fetch.sh --all-kernels   besides, one kernel of every series and flavour into guests/stock/all, for bench/kernels.sh
#
# Kernels and busybox come from Debian's packages by apt-get download: nothing is installed, no root is needed. The kernels of
# this machine's own release lend their modules; two of other releases have kallsyms tables that it lacks: Debian 13's 6.12, and
# the newest of Debian 13's backports.
# The initramfs is made of guests/initramfs/ and busybox; the same package versions always give the same bytes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
source suites.sh

stock=stock
modules=(lib/crc7.ko drivers/net/dummy.ko drivers/block/brd.ko)
results=(vmlinuz-cloud System.map-cloud config-cloud vmlinuz-amd64 System.map-amd64 config-amd64 busybox initramfs.cpio.gz
  vmlinuz-6.12-amd64 vmlinuz-7-cloud)

die() { echo "guests/fetch.sh: $1" >&2; exit 1; }

all_kernels=0 update=0
for option in "$@"; do
  case $option in
    --all-kernels) all_kernels=1 ;;
    --update) update=1 ;;
    *) die "there is no option '$option'; there are --update and --all-kernels" ;;
  esac
done

finish() { # what it says of guests/stock
  echo "$1"
  if (( all_kernels )); then exec ./all-kernels.sh; fi
  exit 0
}

# Tests and benchmarks compute the same sum, and refuse a guests/stock of another recipe.
recipe=$(LC_ALL=C; cat fetch.sh suites.sh initramfs/* | sha256sum | cut -d' ' -f1)
if (( ! update )) && [[ -f $stock/VERSIONS ]] && grep -qx "recipe $recipe" "$stock/VERSIONS"; then
  whole=1
  for result in "${results[@]}"; do [[ -s $stock/$result ]] || whole=0; done
  if (( whole )); then
    finish "guests/stock is up to date ($(grep -c '^package ' "$stock/VERSIONS") packages; --update asks apt for newer ones)"
  fi
fi

for tool in apt-get apt-cache dpkg-deb gzip tar sha256sum; do
  command -v "$tool" > /dev/null || die "needs $tool: stock kernels are Debian packages, so run this on Debian (or one of its derivatives)"
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# apt drops to a user of its own for downloads and warns when that user cannot write here; as root stay root.
download=(apt-get -q)
if (( $(id -u) == 0 )); then download+=(-o APT::Sandbox::User=root); fi

# The name of the package that a meta package stands for, e.g. linux-image-6.1.0-56-amd64 for linux-image-amd64.
concrete() {
  apt-cache depends --no-recommends --no-suggests "$1" 2> /dev/null |
    sed -n 's/^ *Depends: \(linux-image-[0-9].*\)$/\1/p' | head -n 1
}

if [[ -z $(concrete linux-image-cloud-amd64) ]] && (( $(id -u) == 0 )); then
  echo "apt knows no linux-image-cloud-amd64 yet: running apt-get update"
  apt-get -q update > "$work/update.log" 2>&1 || die "apt-get update failed: $(tail -n 1 "$work/update.log")"
fi
cloud=$(concrete linux-image-cloud-amd64)
amd64=$(concrete linux-image-amd64)
[[ -n $cloud && -n $amd64 ]] ||
  die "apt knows no linux-image-cloud-amd64 or linux-image-amd64: run apt-get update first; the packages exist on Debian for amd64"

fetch() { # package: downloads it to $work/<package>.deb and notes name, version and checksum
  echo "fetching $1"
  mkdir "$work/download"
  (cd "$work/download" && "${download[@]}" download "$1:amd64") > "$work/download.log" 2>&1 ||
    die "apt-get download $1 failed: $(grep '^E:' "$work/download.log" | head -n 1)"
  mv "$work"/download/*.deb "$work/$1.deb"
  rmdir "$work/download"
  echo "package $1 $(dpkg-deb -f "$work/$1.deb" Version) $(sha256sum < "$work/$1.deb" | cut -d' ' -f1)" >> "$work/VERSIONS"
}

# fetch_from_suites SERIES FLAVOUR IMAGE: the newest kernel whose series matches, from suites that this machine does not run.
fetch_from_suites() {
  local series flavour version package
  read -r series flavour version package < <(kernels_of_suites | awk -v series="^($1)$" -v flavour="$2" '$1 ~ series && $2 == flavour' | tail -n 1) ||
    die "no suite of trixie offers a $2 kernel $1: $(grep '^[EW]:' "$work/apt/update.log" | tail -n 1)"
  echo "fetching $package"
  mkdir "$work/download"
  (cd "$work/download" && suites_get -q download "$package=$version") > "$work/download.log" 2>&1 ||
    die "apt-get download $package failed: $(grep '^E:' "$work/download.log" | head -n 1)"
  unpack_image "$work"/download/*.deb "$work/stock/$3" || die "package $package holds no kernel image"
  echo "package $package $version $(sha256sum < "$(echo "$work"/download/*.deb)" | cut -d' ' -f1)" >> "$work/VERSIONS"
  rm -r "$work/download"
}

unpack() { # package, member, destination
  mkdir -p "$(dirname "$3")"
  dpkg-deb --fsys-tarfile "$work/$1.deb" | tar -xO "./$2" > "$3" || die "package $1 holds no $2"
}

echo "recipe $recipe" > "$work/VERSIONS"
fetch busybox-static
fetch "$cloud"
fetch "$amd64"

out=$work/stock
unpack busybox-static bin/busybox "$out/busybox"
chmod +x "$out/busybox"
for flavour in cloud amd64; do
  package=${!flavour}
  release=${package#linux-image-}
  for part in vmlinuz System.map config; do
    unpack "$package" "boot/$part-$release" "$out/$part-$flavour"
  done
  for module in "${modules[@]}"; do
    unpack "$package" "lib/modules/$release/kernel/$module" "$out/modules/$release/${module##*/}"
  done
  echo "release $flavour $release" >> "$work/VERSIONS"
done

open_suites "$work/apt" trixie trixie-security trixie-backports || die "apt's sources name no mirror of Debian"
fetch_from_suites '6[.]12' amd64 vmlinuz-6.12-amd64
fetch_from_suites '[7-9][.].*' cloud vmlinuz-7-cloud

initramfs/segfault.sh > "$work/segfault"
{
  for folder in bin dev lib lib/modules proc sys tmp; do echo "dir $folder 755"; done
  echo "node dev/console 600 5 1"
  echo "node dev/null 666 1 3"
  echo "node dev/zero 666 1 5"
  echo "file init 755 initramfs/init"
  echo "file bin/busybox 755 $out/busybox"
  echo "file bin/workload 755 initramfs/workload"
  echo "file bin/modules 755 initramfs/modules"
  echo "file bin/kprobes 755 initramfs/kprobes"
  echo "file bin/segfault 755 $work/segfault"
  for release in "${cloud#linux-image-}" "${amd64#linux-image-}"; do
    echo "dir lib/modules/$release 755"
    for module in "${modules[@]}"; do
      echo "file lib/modules/$release/${module##*/} 644 $out/modules/$release/${module##*/}"
    done
  done
} | initramfs/pack.sh | gzip -9n > "$out/initramfs.cpio.gz"

(cd "$out" && find . -type f | LC_ALL=C sort | sed 's|^\./||' | while read -r file; do
  echo "sha256 $file $(sha256sum < "$file" | cut -d' ' -f1)"
done) >> "$work/VERSIONS"
mv "$work/VERSIONS" "$out/VERSIONS"

if [[ -d $stock/all ]]; then mv "$stock/all" "$out/all"; fi
rm -rf "$stock"
mv "$out" "$stock"
rm -rf "$work"
finish "guests/stock: $(grep -c '^sha256 ' "$stock/VERSIONS") files from $(grep -c '^package ' "$stock/VERSIONS") packages"
