#!/usr/bin/env bash
# Builds the reference of the transcendental functions (Debian: gcc, libmpfr-dev) and prints its path.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=$here/../../artifacts/transcendental
mkdir -p "$out"
gcc -std=c11 -O2 -Wall -Wextra -Werror -o "$out/reference" "$here/reference.c" -lmpfr -lgmp
realpath "$out/reference"
