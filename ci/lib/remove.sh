# Undoes what ci/setup has changed: ci/setup --remove. What is undone is struck out of the notes, and the cache, where they
# are, goes last, so that after a removal that fails or is interrupted another one goes on with it.
# shellcheck shell=bash disable=SC2034,SC2154

# Whether there is an engine whose images are to be removed.
ENGINE=""

remove() {
  open_cache
  step "what is in use" refuse_what_is_used
  step "images" remove_images
  step "inotify" restore_inotify
  step "container engine" stop_engines
  step "packages" remove_packages
  # The lock and the logs go too: nothing may be written there from here on.
  trap - EXIT
  rm -rf "$CACHE"
  say "Removed: $CACHE"
}

# Without the cache nobody would know any more of kept clusters, and of what runs left on clusters of other machines.
refuse_what_is_used() {
  local names running
  find_engine
  names=$({ leases; clusters; } | sort -u | xargs)
  [ -z "$names" ] || fail "of these runs something is there, or they are at work: $names" \
    "let those at work end; \`steadfast down\` removes kind clusters, \`steadfast doctor\` names the command for each other cluster"
  if [ -n "$ENGINE" ] && [ -n "$(our_engines)$(noted package | grep -xF docker.io)" ]; then
    running=$(docker ps --format '{{.Names}}' | xargs)
    [ -z "$running" ] || fail "these containers run in the engine that is to be stopped: $running" "docker stop $running"
  fi
  RESULT="nothing"
}

# One that was started here and has ended since, as with the machine, still has the images.
find_engine() {
  command -v docker > /dev/null || return 0
  if ! answers; then
    if [ -n "$(noted engine)" ] && command -v dockerd > /dev/null; then
      start_engine
    else
      [ ! -e "$CACHE/lab.json" ] || fail "the container engine does not answer, and its images would stay" \
        "start it, and call ci/setup --remove again"
      return 0
    fi
  fi
  ENGINE=yes
}

# leases prints the runs that hold or left a cluster, as src/cluster/lease.rs and book.rs write them down.
leases() {
  [ ! -d "$CACHE/runs" ] ||
    find "$CACHE/runs" \( -name 'steadfast-*.lease' -o -name 'steadfast-*.kept' \) -printf '%f\n' | sed 's/\.[a-z]*$//'
}

clusters() {
  [ -z "$ENGINE" ] || docker ps --all --filter label=io.x-k8s.kind.cluster --format '{{.Label "io.x-k8s.kind.cluster"}}' |
    sed -n '/^steadfast-/p'
}

# By their names: an image with two goes with the last one.
remove_images() {
  local name count=0
  RESULT="none"
  [ -n "$ENGINE" ] || return 0
  remove_leftovers
  REMEDY="a container uses the image: see the log above, remove the container, and call ci/setup --remove again"
  while read -r name; do
    docker rmi "$name"
    count=$((count + 1)) RESULT="removed $count"
  done < <(docker images --filter label=steadfast.recipe \
    --format '{{if eq .Tag "<none>"}}{{.ID}}{{else}}{{.Repository}}:{{.Tag}}{{end}}')
  while read -r name; do
    if in_engine "$name"; then
      docker rmi "$name"
      count=$((count + 1)) RESULT="removed $count"
    fi
    strike image "$name"
  done < <(noted image)
  REMEDY=""
}

# Only where it is still what ci/setup made of it: whoever set another value wants that one.
restore_inotify() {
  local raised
  raised=$(raised_inotify) RESULT="as it is"
  if [ -n "$raised" ]; then
    echo "${raised% *}" > "$INOTIFY" || fail "fs.inotify.max_user_instances cannot be set" \
      "as root: sysctl fs.inotify.max_user_instances=${raised% *}"
    RESULT="fs.inotify.max_user_instances lowered from ${raised#* } to ${raised% *}"
  fi
  while read -r raised; do strike inotify "$raised"; done < <(noted inotify)
}

stop_engines() {
  local process begun
  RESULT="none was started"
  while read -r process begun; do
    if is_our_engine "$process" "$begun"; then
      kill "$process"
      wait_for 120 ended "$process" "$begun" ||
        fail "dockerd, process $process, has not ended in 120 s" "see $CACHE/engine/dockerd.log"
      RESULT="stopped process $process"
    fi
    strike engine "$process $begun"
  done < <(noted engine)
}

ended() { ! is_our_engine "$@"; }

# Only those that apt-get installed for ci/setup, and none that others need by now. Their settings and data stay, which may
# be somebody's: /var/lib/docker has volumes.
remove_packages() {
  local packages others
  strike_absent_packages
  mapfile -t packages < <(noted package)
  RESULT="none were installed"
  [ "${#packages[@]}" != 0 ] || return 0
  REMEDY="see the log above; as root: apt-get remove ${packages[*]}"
  apt-get remove --simulate "${packages[@]}" > "$SCRATCH/simulated"
  others=$(awk -v ours=" ${packages[*]} " '$1 == "Remv" && !index(ours, " " $2 " ") {print $2}' "$SCRATCH/simulated" | xargs)
  [ -z "$others" ] || fail "these packages need some of those that ci/setup installed: $others" \
    "remove them first, or keep all: sed -i '/^package /d' $NOTES; then call ci/setup --remove again"
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 remove -y "${packages[@]}" 3>&- 9>&-
  strike_absent_packages
  REMEDY="" RESULT="removed ${packages[*]}"
}
