# What the tests of the scripts share: a separate cache, and fake commands that only record how they were called.
# Sourced. The tests change nothing on this machine except a temporary folder.
# shellcheck shell=bash disable=SC2034
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

T=$(mktemp -d)
mkdir "$T/bin" "$T/engine"
trap 'rm -rf "$T"' EXIT
export T XDG_CACHE_HOME=$T/cache PATH=$T/bin:$PATH
CACHE=$XDG_CACHE_HOME/steadfast

# fake COMMAND creates a fake command; its body is read from standard input. It records its arguments in $T/calls.
fake() {
  # shellcheck disable=SC2016 # The command expands it.
  { printf '#!/bin/bash\nexec 4>> "$T/calls"\necho "%s $*" >&4\n' "$1"; cat; } > "$T/bin/$1"
  chmod +x "$T/bin/$1"
}

# ends STATUS COMMAND... checks the exit status. The output of the command is in $T/said.
ends() {
  local status=0
  : > "$T/calls"
  "${@:2}" > "$T/said" 2>&1 || status=$?
  [ "$status" = "$1" ] || wrong "it ended with $status, not $1: ${*:2}"
}

says() { grep -qF -- "$1" "$T/said" || wrong "it did not say: $1"; }
did() { grep -qxF -- "$1" "$T/calls" || wrong "it did not call: $1"; }
did_not() { ! grep -qE -- "$1" "$T/calls" || wrong "it called: $1"; }

# lab FUNCTION... calls functions of ci/setup, with files instead of this machine's settings.
lab() {
  # shellcheck disable=SC2016 # That shell expands it.
  bash -c 'set -euo pipefail
    CI=$PWD/ci
    . ci/versions
    . ci/lib/path.sh
    . ci/lib/common.sh
    for part in ci/lib/{host,pull,tools,engine,image,sbom,programs,node,servers,witness,remove}.sh; do . "$part"; done
    INOTIFY=$T/inotify ENGINE_PID=$T/docker.pid
    "$@"' lab "$@"
}

wrong() {
  echo "$0: line $({ caller 1 || caller 0; } | cut -d' ' -f1): $*"
  printf 'It said:\n%s\nIt called:\n%s\n' "$(cat "$T/said")" "$(cat "$T/calls")" | sed 's/^/    /'
  exit 1
}
