#!/usr/bin/env bash
# Writes an initramfs (cpio, "newc" format) to standard output from a list of entries on standard input, one a line:
#
#   dir  PATH MODE            file PATH MODE SOURCE            node PATH MODE MAJOR MINOR
#
# Entries keep the order of the list; owner, group and times are 0 and inode numbers count up from 1, so the same list
# and the same contents always give the same bytes. Needs neither root nor a cpio program.
set -euo pipefail
export LC_ALL=C

inode=0
offset=0

pad() { # to a multiple of four
  local rest=$(( (4 - offset % 4) % 4 ))
  if (( rest > 0 )); then head -c "$rest" /dev/zero; fi
  offset=$(( offset + rest ))
}

entry() { # path, mode with its type bits, links, source or "", device major, device minor
  local path=$1 mode=$2 links=$3 source=$4 major=$5 minor=$6 size=0
  if [[ -n $source ]]; then size=$(stat -c %s "$source"); fi
  printf '070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\0' \
    "$inode" "$mode" 0 0 "$links" 0 "$size" 0 0 "$major" "$minor" $(( ${#path} + 1 )) 0 "$path"
  offset=$(( offset + 110 + ${#path} + 1 ))
  pad
  if [[ -n $source ]]; then
    cat "$source"
    offset=$(( offset + size ))
    pad
  fi
}

while read -r kind path mode first second; do
  inode=$(( inode + 1 ))
  case $kind in
    dir) entry "$path" $(( 0040000 | 0$mode )) 2 "" 0 0 ;;
    file) entry "$path" $(( 0100000 | 0$mode )) 1 "$first" 0 0 ;;
    node) entry "$path" $(( 0020000 | 0$mode )) 1 "" "$first" "$second" ;;
    *) echo "pack.sh: unknown kind of entry '$kind'" >&2; exit 1 ;;
  esac
done
inode=0
entry 'TRAILER!!!' 0 1 "" 0 0
