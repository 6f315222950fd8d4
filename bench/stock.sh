# What the scripts that use guests/stock share; read by them, not run. They name `root` and `die` first.
# shellcheck shell=bash

# require_stock: guests/stock must be there, and made by the recipe of today.
require_stock() {
  local recipe
  [[ -s $root/guests/stock/VERSIONS ]] || die "no kernels in guests/stock: run guests/fetch.sh first"
  recipe=$(LC_ALL=C; cd "$root/guests"; cat fetch.sh suites.sh initramfs/* | sha256sum | cut -d' ' -f1)
  grep -qx "recipe $recipe" "$root/guests/stock/VERSIONS" || die "guests/stock was fetched before its recipe changed: run guests/fetch.sh again"
}
