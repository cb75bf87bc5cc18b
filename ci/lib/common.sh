# What every step uses: messages, logs, the cache, and cleanup.
# shellcheck shell=bash disable=SC2034,SC2153

CURRENT_STEP="" RESULT="" REMEDY="" SCRATCH="" LOG="" PULL="" PULLED="" RUN=""

say() { printf '%s\n' "$*" >&3; }

# step NAME FUNCTION [ARGUMENT...] runs the function with its output in a log, and prints the name, the function's
# RESULT and the time. Do not call step in a condition: errexit would be off inside the function.
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

# Runs at every exit: reports what failed, and removes the temporary things of this run.
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
      # Removes images that lost their name to a newer one. Images of other people do not have the label.
      docker image prune --force --filter label=steadfast.recipe > /dev/null 2>&1
    fi
    rm -rf "$SCRATCH"
  fi
  exit "$status"
}

# Opens file descriptors 3 and 9. 3 is the output; a reader waits until every process has closed it. 9 is the lock, held
# until this process ends. So a command that may outlive its step is started with both closed.
open_cache() {
  exec 3>&1
  mkdir -p "$CACHE/log" || { say "ci/setup: set XDG_CACHE_HOME to a directory that $(id -un) may write to"; exit 1; }
  lock
  # If we waited for a `ci/setup --remove`, it deleted the lock file. A lock on a deleted file protects nothing, so lock again.
  until [ "$CACHE/lock" -ef /proc/self/fd/9 ]; do
    mkdir -p "$CACHE/log"
    lock
  done
  # Left over from a run that was killed while it held the lock.
  rm -rf "$CACHE"/scratch.*
  SCRATCH=$(mktemp -d "$CACHE/scratch.XXXXXX")
  # The host name is part of it because the engine may serve setups in other containers, whose processes are not visible here.
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

# Removes containers and draft images of setups that were killed. Kind's nodes may have inherited an empty label from their
# image, so they are skipped.
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

# fingerprint TEXT_OR_FILE... prints a short hash of these words and the content of these files.
fingerprint() {
  local part
  for part; do
    if [ -f "$part" ]; then cat "$part"; else echo "$part"; fi
  done | sha256sum | cut -c1-12
}

# cached NAME FINGERPRINT FUNCTION [ARGUMENT...] creates $CACHE/NAME-FINGERPRINT unless it exists. It calls the function with
# the path of an empty directory before its arguments. Only if the function succeeds, the directory is moved into place and
# older ones of this name are deleted. MADE is the path. RESULT is `cached` or `built`.
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

# need COMMAND_OR_FILE=PACKAGE... installs the Debian package of each command or file that is missing.
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
  # A machine that has just started may be running its own updates, so wait for their lock. Services that a package starts
  # must not hold our lock.
  apt-get -o DPkg::Lock::Timeout=300 update 3>&- 9>&- || echo "not every list of packages could be read; trying with those that could"
  # Newer releases have the engine's client in a separate package.
  if [[ " $* " == *" docker=docker.io "* ]] && ! is_there docker && apt-cache show docker-cli > /dev/null 2>&1; then missing+=(docker-cli); fi
  note_packages "${missing[@]}"
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "${missing[@]}" 3>&- 9>&-
  for pair; do
    is_there "${pair%%=*}" || fail "the package ${pair#*=} is installed, but ${pair%%=*} is not there" "install what holds ${pair%%=*} in this release"
  done
  REMEDY=""
}

is_there() { case $1 in /*) [ -e "$1" ] ;; *) command -v "$1" > /dev/null ;; esac; }
