# What ci/setup changes on the machine outside of its cache: noted, so that it can be said, and undone by ci/setup --remove.
# shellcheck shell=bash disable=SC2034,SC2154

# A line for each change, which is written before the change is made, and struck out when nothing came of it:
#   package NAME             installed by apt-get
#   inotify FROM TO          fs.inotify.max_user_instances
#   engine PROCESS BEGUN     dockerd, and when it began, as /proc/PROCESS/stat has it
#   image NAME               pulled into the engine; those that are built bear the label steadfast.recipe
# Whoever calls ci/setup again adds to them.
NOTES=$CACHE/host

note() { grep -qxF -- "$*" "$NOTES" 2> /dev/null || echo "$*" >> "$NOTES"; }

strike() {
  [ -f "$NOTES" ] || return 0
  grep -vxF -- "$*" "$NOTES" > "$NOTES.new" || true
  mv "$NOTES.new" "$NOTES"
}

# noted KIND prints what follows the kind in its lines.
noted() { [ ! -f "$NOTES" ] || sed -n "s/^$1 //p" "$NOTES"; }

# note_packages PACKAGE... are those that apt-get is about to install, with what they need; what it only brings up to date,
# it names with the version that is there.
note_packages() {
  local package
  apt-get install --simulate --no-install-recommends "$@" > "$SCRATCH/simulated"
  while read -r package; do note package "$package"; done < <(awk '$1 == "Inst" && $3 !~ /^\[/ {print $2}' "$SCRATCH/simulated")
}

# An installation may have failed half-way, and a package that somebody removed since and installs again is theirs.
strike_absent_packages() {
  local package
  for package in $(noted package); do is_installed "$package" || strike package "$package"; done
}

# shellcheck disable=SC2016 # dpkg-query expands it.
is_installed() { dpkg-query --show --showformat '${db:Status-Abbrev}\n' "$1" 2> /dev/null | grep -q '^.[^nc]'; }

# begun PROCESS is when it began, in ticks since the machine did: the number alone may be another process's by now.
begun() { sed 's/.*) //' "/proc/$1/stat" 2> /dev/null | cut -d' ' -f20; }

note_engine() { note engine "$1" "$(begun "$1")"; } # PROCESS

# A dead process for which nobody has waited has no program.
is_our_engine() { [[ $(readlink "/proc/$1/exe") == */dockerd* && $(begun "$1") == "$2" ]]; } # PROCESS BEGUN

# Of engines that are gone and of changes that a restart took back, nothing need be said.
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
