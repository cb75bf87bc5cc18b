# ci/setup --remove undoes what ci/setup changed. Each undone change is removed from the notes, and the cache with the notes is
# deleted last. So after a failed or interrupted removal, the next one continues.
# shellcheck shell=bash disable=SC2034,SC2154

# Not empty if there is an engine whose images must be removed.
ENGINE=""

remove() {
  open_cache
  step "what is in use" refuse_what_is_used
  step "images" remove_images
  step "inotify" restore_inotify
  step "container engine" stop_engines
  step "packages" remove_packages
  # The lock and the logs are deleted too, so nothing may write to the cache after this line.
  trap - EXIT
  rm -rf "$CACHE"
  say "Removed: $CACHE"
}

# Only the cache knows which clusters were kept, and what runs left on clusters of other machines.
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

# An engine that ci/setup started may have ended since, for example in a reboot. It still has the images, so start it again.
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

# leases prints the runs that hold a cluster or left one, from the files of src/cluster/lease.rs and book.rs.
leases() {
  [ ! -d "$CACHE/runs" ] ||
    find "$CACHE/runs" \( -name 'steadfast-*.lease' -o -name 'steadfast-*.kept' \) -printf '%f\n' | sed 's/\.[a-z]*$//'
}

clusters() {
  [ -z "$ENGINE" ] || docker ps --all --filter label=io.x-k8s.kind.cluster --format '{{.Label "io.x-k8s.kind.cluster"}}' |
    sed -n '/^steadfast-/p'
}

# Removes images by name. An image with two names is deleted with its last name.
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

# Restores the limit only if it still has the value that ci/setup set. Somebody who set another value wants to keep it.
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

# Removes only packages that apt-get installed for ci/setup, and none that other packages now need. Their settings and data
# stay because they may belong to somebody: /var/lib/docker has volumes.
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
