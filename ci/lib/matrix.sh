# The stages of ci/matrix as they are called: `ci/stage NAME [ARGUMENT]...`. Wants ci/versions and ci/matrix sourced.
# shellcheck shell=bash

# stage_field NAME FIELD is what ci/matrix says of a stage.
stage_field() { awk -v name="$1" '$1 == name' <<< "$STAGES" | tr ' ' '\n' | sed -n "s/^$2=//p"; }
stage_names() { awk 'NF {print $1}' <<< "$STAGES"; }

kubernetes_versions() { awk 'NF {print $1}' <<< "$BUILDABLE_KUBERNETES" | sort --version-sort --reverse; }
server_list() { awk 'NF {print $1}' <<< "$SERVERS"; }
seed_server() { sed -n 's/^ *image: *//p' manifests/seed/statefulset.yaml; }

# What conformance is proved on, one axis at a time: the seed's server on every Kubernetes, so on the oldest too, and the
# default Kubernetes with every server.
cells() {
  local version server
  for version in $(kubernetes_versions); do echo "$version $(seed_server)"; done
  for server in $(server_list); do echo "$DEFAULT_KUBERNETES $server"; done
}

# part_of_today PARTS is another part each day.
part_of_today() { echo "$(($(date +%s) / 86400 % $1 + 1))/$1"; }

# calls NAME WHOSE prints the calls of a stage, a line each, for WHOSE = machine, night or pull-request. A machine takes
# all parts at once.
calls() {
  local parts part
  parts=$(stage_field "$1" parts)
  if [ "$1" = conformance ]; then
    cells | awk '!seen[$0]++ {print "conformance " $0}'
  elif [ -z "$parts" ]; then
    echo "$1"
  elif [[ " $A_PART_EACH_NIGHT " == *" $1 "* ]] || [[ $2 == pull-request && " $A_PART_FOR_PULL_REQUESTS " == *" $1 "* ]]; then
    echo "$1 $(part_of_today "$parts")"
  elif [ "$2" = machine ]; then
    echo "$1 1/1"
  else
    for ((part = 1; part <= parts; part++)); do echo "$1 $part/$parts"; done
  fi
}

# calls_of WHOSE prints all of them.
calls_of() {
  local name jobs
  for name in $(stage_names); do
    jobs=$(stage_field "$name" jobs)
    case $1:$jobs in
      machine:* | *:both | night:night) calls "$name" "$1" ;;
    esac
  done
}
