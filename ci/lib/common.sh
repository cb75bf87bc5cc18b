# What every step uses: messages, logs, the cache, and the end.
# shellcheck shell=bash disable=SC2034,SC2153

CURRENT_STEP="" RESULT="" REMEDY="" SCRATCH="" LOG="" PULL="" PULLED="" RUN=""

say() { printf '%s\n' "$*" >&3; }

# step NAME FUNCTION [ARGUMENT...] runs the function with its output in a log, and prints the name, the function's
# RESULT and the time. The function must not be called in a condition: errexit would be off inside it.
step() {
  local start=$SECONDS
  CURRENT_STEP=$1 RESULT="done" REMEDY=""
  LOG=$CACHE/log/${1//[^A-Za-z0-9.]/-}.log
  shift
  printf '==> %s ... ' "$CURRENT_STEP" >&3
  "$@" > "$LOG" 2>&1
  say "$RESULT in $((SECONDS - start)) s"
  CURRENT_STEP=""
}

fail() { # MESSAGE REMEDY
  echo "$1"
  REMEDY=$2
  exit 1
}

# Runs at every exit: tells what failed, and removes what this run would leave behind.
finish() {
  local status=$?
  trap - EXIT
  trap '' INT TERM HUP
  set +e
  [ -z "$PULL" ] || kill "$PULL" 2> /dev/null
  [ -z "$PULLED" ] || strike image "$PULLED"
  [ -z "$SCRATCH" ] || strike_absent_packages
  if [ "$status" != 0 ] && [ -n "$CURRENT_STEP" ]; then
    say "failed"
    say "ci/${0##*/}: the step \"$CURRENT_STEP\" failed (status $status). The end of $LOG:"
    tail -n 15 "$LOG" | sed 's/^/    /' >&3
    [ -z "$REMEDY" ] || say "Remedy: $REMEDY"
    [ ! -s "$NOTES" ] || say "What ci/setup changed on this machine until now, ci/setup --remove undoes."
  fi
  if [ -n "$SCRATCH" ]; then
    if command -v docker > /dev/null; then
      docker ps -aq --filter "label=steadfast.setup=$RUN" | xargs -r docker rm -fv > /dev/null 2>&1
      docker rmi -f "steadfast.local/draft:$RUN" > /dev/null 2>&1
      # What an image of the same name has replaced; other people's images do not have the label.
      docker image prune --force --filter label=steadfast.recipe > /dev/null 2>&1
    fi
    rm -rf "$SCRATCH"
  fi
  exit "$status"
}

# What outlives its step, or may, is started with these two closed: 3 is the output, for whose end a reader waits, and 9
# the lock, which is held until this process ends.
open_cache() {
  exec 3>&1
  mkdir -p "$CACHE/log" || { say "ci/setup: set XDG_CACHE_HOME to a directory that $(id -un) may write to"; exit 1; }
  lock
  # A `ci/setup --remove` that was waited for has taken the file away, and the lock of one that is gone keeps nobody off.
  until [ "$CACHE/lock" -ef /proc/self/fd/9 ]; do
    mkdir -p "$CACHE/log"
    lock
  done
  # Whoever was killed with the lock left these.
  rm -rf "$CACHE"/scratch.*
  SCRATCH=$(mktemp -d "$CACHE/scratch.XXXXXX")
  # With the host's name, because the engine may serve setups in other containers, whose processes are not seen from here.
  RUN=$HOSTNAME.$BASHPID
  trap finish EXIT
  trap 'REMEDY=""; exit 130' INT
  trap 'REMEDY=""; exit 143' TERM HUP
}

lock() {
  exec 9> "$CACHE/lock"
  flock -n 9 && return
  say "another ci/setup is at work in $CACHE; waiting for it"
  flock -w 3600 9 || { say "ci/setup: it is still at work after an hour"; exit 1; }
}

# Whoever was killed had no time to remove its containers and its draft. Kind's nodes may have inherited an empty label
# from their image, and are not looked at.
remove_leftovers() {
  local kind id owner
  {
    docker ps -a --format 'container {{.ID}} {{.Label "steadfast.setup"}}'
    docker images --format 'image {{.Repository}}:{{.Tag}} {{.Tag}}' steadfast.local/draft
  } | while read -r kind id owner; do
    if [[ $owner != "$HOSTNAME".* ]] || [ -d "/proc/${owner##*.}" ]; then continue; fi
    echo "removing the $kind $id of $owner, which is dead"
    case $kind in container) docker rm -fv "$id" ;; image) docker rmi -f "$id" ;; esac || true
  done
}

# fingerprint TEXT_OR_FILE... is short for the content of these files and words.
fingerprint() {
  local part
  for part; do
    if [ -f "$part" ]; then cat "$part"; else echo "$part"; fi
  done | sha256sum | cut -c1-12
}

# cached NAME FINGERPRINT FUNCTION [ARGUMENT...] makes $CACHE/NAME-FINGERPRINT by calling the function with the path of
# an empty directory before its arguments. The directory is moved into place only when the function has succeeded, and
# then its predecessors go. MADE is the path, RESULT tells whether there was anything to do.
cached() {
  local name=$1 place=$CACHE/$1-$2 draft
  shift 2
  if [ -d "$place" ]; then
    MADE=$place RESULT=cached
    return
  fi
  draft=$(mktemp -d "$SCRATCH/draft.XXXXXX")
  chmod 755 "$draft"
  "$1" "$draft" "${@:2}"
  find "$CACHE" -maxdepth 1 -name "$name-????????????" -exec rm -rf {} +
  mv -T "$draft" "$place"
  MADE=$place RESULT=built
}

# need COMMAND_OR_FILE=PACKAGE... sees to what Debian's packages hold.
need() {
  local pair missing=()
  for pair; do
    is_there "${pair%%=*}" || missing+=("${pair#*=}")
  done
  [ "${#missing[@]}" != 0 ] || return 0
  if ! command -v apt-get > /dev/null || [ "$(id -u)" != 0 ]; then
    fail "missing: ${missing[*]}" "install the packages ${missing[*]} (as root: apt-get install ${missing[*]})"
  fi
  REMEDY="apt-get could not install ${missing[*]}; see the log above"
  # A machine that has just started may be at its own updates. What a package starts must not keep the lock.
  apt-get -o DPkg::Lock::Timeout=300 update 3>&- 9>&- || echo "not every list of packages could be read; trying with those that could"
  # Newer releases have the engine's client in a package of its own.
  if [[ " $* " == *" docker=docker.io "* ]] && ! is_there docker && apt-cache show docker-cli > /dev/null 2>&1; then missing+=(docker-cli); fi
  note_packages "${missing[@]}"
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "${missing[@]}" 3>&- 9>&-
  for pair; do
    is_there "${pair%%=*}" || fail "the package ${pair#*=} is installed, but ${pair%%=*} is not there" "install what holds ${pair%%=*} in this release"
  done
  REMEDY=""
}

is_there() { case $1 in /*) [ -e "$1" ] ;; *) command -v "$1" > /dev/null ;; esac; }
