# What every step uses: messages, logs, the cache, and the end.
# shellcheck shell=bash disable=SC2034

CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/steadfast
export PATH=$PATH:/usr/sbin:/sbin

CURRENT_STEP="" RESULT="" REMEDY="" SCRATCH="" LOG=""

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
  set +e
  if [ "$status" != 0 ] && [ -n "$CURRENT_STEP" ]; then
    say "failed"
    say "ci/setup: the step \"$CURRENT_STEP\" failed (status $status). The end of $LOG:"
    tail -n 15 "$LOG" | sed 's/^/    /' >&3
    [ -z "$REMEDY" ] || say "Remedy: $REMEDY"
  fi
  if [ -n "$SCRATCH" ]; then
    if command -v docker > /dev/null; then
      docker ps -aq --filter "label=steadfast.setup=$$" | xargs -r docker rm -fv > /dev/null 2>&1
      docker images -q --filter "label=steadfast.setup=$$" | xargs -r docker rmi -f > /dev/null 2>&1
      # What an image of the same name has replaced; other people's images do not have the label.
      docker image prune --force --filter label=steadfast.recipe > /dev/null 2>&1
    fi
    rm -rf "$SCRATCH"
  fi
  exit "$status"
}

open_cache() {
  mkdir -p "$CACHE/log"
  exec 3>&1
  # Held until this process ends; the engine is started without it.
  exec 9> "$CACHE/lock"
  if ! flock -n 9; then
    say "another ci/setup is at work in $CACHE; waiting for it"
    flock -w 3600 9 || { say "ci/setup: it is still at work after an hour"; exit 1; }
  fi
  # Whoever was killed with the lock left these.
  rm -rf "$CACHE"/scratch.*
  SCRATCH=$(mktemp -d "$CACHE/scratch.XXXXXX")
  trap finish EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
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

# need COMMAND=PACKAGE... sees to commands that Debian's packages hold.
need() {
  local pair missing=()
  for pair; do
    command -v "${pair%%=*}" > /dev/null || missing+=("${pair#*=}")
  done
  [ "${#missing[@]}" != 0 ] || return 0
  if ! command -v apt-get > /dev/null || [ "$(id -u)" != 0 ]; then
    fail "missing: ${missing[*]}" "install the packages ${missing[*]} (as root: apt-get install ${missing[*]})"
  fi
  REMEDY="apt-get could not install ${missing[*]}; see the log above"
  apt-get update || echo "not every list of packages could be read; trying with those that could"
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
  REMEDY=""
}

need_go() {
  command -v go > /dev/null || fail "go is not installed" "install Go 1.26 or newer from go.dev/dl and put its bin directory on the PATH"
  go version
}

# pull IMAGE tells whether the engine got the image from its registry. A registry that does not answer is asked once in
# a run, for 20 seconds at most; one that does may take its time.
declare -A UNREACHED=()
pull() {
  local registry=${1%%/*} answer=$SCRATCH/pull pid tick
  [[ $1 == */* && $registry == *.* ]] || registry=default
  [ -z "${UNREACHED[$registry]:-}" ] || return 1
  timeout 1200 docker pull "$1" > "$answer" 2>&1 &
  pid=$!
  for ((tick = 0; tick < 40; tick++)); do
    kill -0 $pid 2> /dev/null || break
    grep -q 'Pulling from' "$answer" && break
    sleep 0.5
  done
  grep -q 'Pulling from' "$answer" || kill $pid 2> /dev/null || true
  if wait $pid; then return 0; fi
  cat "$answer"
  grep -qiE 'manifest unknown|not found|does not exist|denied' "$answer" || UNREACHED[$registry]=1
  return 1
}
