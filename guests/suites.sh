# Packages of Debian suites that this machine does not run, from an apt root of its own: nothing is installed, and the machine's
# lists stay as they are. Read by fetch.sh and all-kernels.sh, not run.
# shellcheck shell=bash

# open_suites FOLDER SUITE...: makes the apt root in FOLDER and fetches the suites' lists of packages. Mirrors and keyring are
# those of the machine's own apt sources; a SUITE that ends in -security comes from the one it has for security updates. Suites
# that a mirror does not hold are left out. Afterwards `suites_get` is apt-get and `suites_cache` apt-cache in that root.
open_suites() {
  suites_root=$1
  shift
  mkdir -p "$suites_root"/{state/lists/partial,cache/archives/partial,sources,preferences}
  : > "$suites_root/state/status"
  cat > "$suites_root/apt.conf" <<CONF
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear Acquire::IndexTargets::deb::DEP-11;
#clear Acquire::IndexTargets::deb::DEP-11-icons-small;
#clear Acquire::IndexTargets::deb::DEP-11-icons;
#clear Acquire::IndexTargets::deb::DEP-11-icons-hidpi;
#clear Acquire::IndexTargets::deb::DEP-11-icons-large;
#clear Acquire::IndexTargets::deb::DEP-11-icons-large-hidpi;
Dir::State "$suites_root/state";
Dir::State::status "$suites_root/state/status";
Dir::Cache "$suites_root/cache";
Dir::Etc::SourceList "/dev/null";
Dir::Etc::SourceParts "$suites_root/sources";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "$suites_root/preferences";
APT::Architecture "amd64";
APT::Architectures { "amd64"; };
Acquire::Languages "none";
CONF
  # apt drops to a user of its own for downloads, which cannot write here; as root stay root.
  if (( $(id -u) == 0 )); then echo 'APT::Sandbox::User "root";' >> "$suites_root/apt.conf"; fi

  local suite ordinary=() security=()
  for suite in "$@"; do
    if [[ $suite == *-security ]]; then security+=("$suite"); else ordinary+=("$suite"); fi
  done
  write_source Debian "${ordinary[@]}" || return 1
  if (( ${#security[@]} > 0 )); then write_source Debian-Security "${security[@]}" || true; fi
  suites_get -q update > "$suites_root/update.log" 2>&1 || true
}

suites_get() { apt-get -c "$suites_root/apt.conf" "$@"; }
suites_cache() { apt-cache -c "$suites_root/apt.conf" "$@"; }

# write_source LABEL SUITE...: a source of these suites at the mirror that the machine uses for the archive of this label.
write_source() {
  local label=$1 uri entry keyring
  shift
  IFS='|' read -r uri entry < <(apt-get indextargets --format '$(LABEL)|$(REPO_URI)|$(SOURCESENTRY)' 'Created-By: Packages' 'Component: main' |
    sed -n "s/^$label|//p") || return 1
  keyring=$(sed -nE 's/^Signed-By: *(\/.*)$/\1/p; s/^deb +\[.*signed-by=([^] ]+).*/\1/p' "${entry%:*}" | head -n 1)
  {
    printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\n' "$uri" "$*"
    [[ -z $keyring ]] || echo "Signed-By: $keyring"
  } > "$suites_root/sources/$label.sources"
}

# kernels_of_suites: every kernel image of the suites as "series flavour version package", the newest of a series last. From
# 6.19 on linux-image-* only depends on linux-binary-*, which holds the image: what holds none is small.
kernels_of_suites() {
  suites_cache pkgnames linux- | grep -E '^linux-(image|binary)-[0-9].*-amd64$' | grep -vE 'unsigned|dbg' |
    xargs -r apt-cache -c "$suites_root/apt.conf" show |
    awk -v RS= -F'\n' '
      {
        for (i = 1; i <= NF; i++) { split($i, field, ": "); value[field[1]] = field[2] }
        name = value["Package"]
        if (value["Installed-Size"] < 5000) next
        match(name, /[0-9]+\.[0-9]+/)
        flavour = name ~ /-cloud-amd64$/ ? "cloud" : name ~ /-rt-amd64$/ ? "rt" : "amd64"
        print substr(name, RSTART, RLENGTH), flavour, value["Version"], name
      }' | sort -u | sort -k1,1V -k2,2 -k3,3V
}

# unpack_image PACKAGE-FILE DESTINATION: the kernel image of a package, in /boot or, of linux-binary-*, beside its modules.
unpack_image() {
  local member
  member=$(dpkg-deb --fsys-tarfile "$1" | tar -t | grep -E '^\./(boot/vmlinuz-[^/]+|usr/lib/modules/[^/]+/vmlinuz)$' | head -n 1) || return 1
  dpkg-deb --fsys-tarfile "$1" | tar -xO "$member" > "$2"
}
