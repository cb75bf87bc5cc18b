# Notes of what ci/setup changes on the machine outside its cache. It prints them, and ci/setup --remove undoes the changes.
# shellcheck shell=bash disable=SC2034,SC2154

# One line for each change. It is written before the change, and removed if the change fails:
#   package NAME             installed by apt-get
#   inotify FROM TO          fs.inotify.max_user_instances
#   engine PROCESS BEGUN     dockerd, and its start time from /proc/PROCESS/stat
#   image NAME               pulled into the engine; images that are built have the label steadfast.recipe
# Later calls of ci/setup add lines.
NOTES=$CACHE/host

note() { grep -qxF -- "$*" "$NOTES" 2> /dev/null || echo "$*" >> "$NOTES"; }

strike() {
  [ -f "$NOTES" ] || return 0
  grep -vxF -- "$*" "$NOTES" > "$NOTES.new" || true
  mv "$NOTES.new" "$NOTES"
}

# noted KIND prints the lines of this kind, without the kind.
noted() { [ ! -f "$NOTES" ] || sed -n "s/^$1 //p" "$NOTES"; }

# note_packages PACKAGE... notes the packages that apt-get is about to install, with their dependencies. A package that is only
# upgraded is left out: apt-get prints its installed version in brackets.
note_packages() {
  local package
  apt-get install --simulate --no-install-recommends "$@" > "$SCRATCH/simulated"
  while read -r package; do note package "$package"; done < <(awk '$1 == "Inst" && $3 !~ /^\[/ {print $2}' "$SCRATCH/simulated")
}

# Forgets packages that are not installed. An installation may have failed half-way. If somebody removed a package and installs
# it again, it is theirs.
strike_absent_packages() {
  local package
  for package in $(noted package); do is_installed "$package" || strike package "$package"; done
}

# shellcheck disable=SC2016 # dpkg-query expands it.
is_installed() { dpkg-query --show --showformat '${db:Status-Abbrev}\n' "$1" 2> /dev/null | grep -q '^.[^nc]'; }

# begun PROCESS prints the start time of a process in clock ticks since boot. The process number alone may be reused.
begun() { sed 's/.*) //' "/proc/$1/stat" 2> /dev/null | cut -d' ' -f20; }

note_engine() { note engine "$1" "$(begun "$1")"; } # PROCESS

# A zombie process has no program.
is_our_engine() { [[ $(readlink "/proc/$1/exe") == */dockerd* && $(begun "$1") == "$2" ]]; } # PROCESS BEGUN

# Prints only engines that still run. Those that are gone need no mention, nor do changes that a reboot undid.
our_engines() {
  local process begun
  while read -r process begun; do
    if is_our_engine "$process" "$begun"; then echo "$process"; fi
  done < <(noted engine)
}

raised_inotify() { noted inotify | tail -n 1 | awk -v now="$(cat "$INOTIFY")" '$2 == now'; }

say_changes() {
  local packages engines raised pulled
  packages=$(noted package | xargs) engines=$(our_engines | xargs) raised=$(raised_inotify) pulled=$(noted image | xargs)
  say "What ci/setup has changed on this machine; ci/setup --remove undoes it:"
  say "    files      $CACHE"
  say "    images     those with the label steadfast.recipe${pulled:+, and $pulled}"
  [ -z "$packages" ] || say "    packages   $packages"
  [ -z "$engines" ] || say "    engine     dockerd was started, process $engines"
  [ -z "$raised" ] || say "    inotify    fs.inotify.max_user_instances raised from ${raised% *} to ${raised#* }"
}
