# The Docker engine: uses the running one, or starts one.
# shellcheck shell=bash disable=SC2034

# This runtime is in ci/lab/engine. It is for machines that may not hold CAP_SYS_RESOURCE.
OWN_RUNTIME=runc-without-sys-resource

# Every node needs about a dozen inotify instances, and Linux allows 128 per user by default
# (https://kind.sigs.k8s.io/docs/user/known-issues/#pod-errors-due-to-too-many-open-files).
INOTIFY=/proc/sys/fs/inotify/max_user_instances
INOTIFY_WANTED=512

# The pid file of dockerd.
ENGINE_PID=/var/run/docker.pid

engine() {
  need docker=docker.io jq=jq
  if answers; then
    restore_runtime
    remove_leftovers
    RESULT="running"
    make_room
    return
  fi
  need dockerd=docker.io
  if [ "$(id -u)" != 0 ]; then
    timeout 10 docker version || true
    fail "the engine does not answer, and only root can start it" "start the Docker engine, or join the group docker, and call ci/setup again"
  fi
  start_engine
  remove_leftovers
  RESULT="started"
  make_room
}

# If this user may not raise the limit, `steadfast doctor` says so later.
make_room() {
  local had
  had=$(cat "$INOTIFY" 2> /dev/null) && ((had < INOTIFY_WANTED)) || return 0
  note inotify "$had" "$INOTIFY_WANTED"
  if echo "$INOTIFY_WANTED" 2> /dev/null > "$INOTIFY"; then
    RESULT+=", inotify instances raised from $had to $INOTIFY_WANTED"
  else
    strike inotify "$had" "$INOTIFY_WANTED"
  fi
}

answers() { timeout 10 docker version > /dev/null 2>&1; }

# An engine that ci/setup started still uses the path of its runtime after the cache was emptied. Then the runtime and the note
# of the engine's start are missing and must be restored.
restore_runtime() {
  local path process
  path=$(docker info --format '{{json .Runtimes}}' | jq -r --arg name "$OWN_RUNTIME" '.[$name].path // empty')
  [ -n "$path" ] || return 0
  [ -x "$path" ] || install -D -m 755 "$CI/lab/engine/$OWN_RUNTIME" "$path"
  if [ "$path" = "$CACHE/engine/$OWN_RUNTIME" ] && process=$(cat "$ENGINE_PID" 2> /dev/null); then note_engine "$process"; fi
}

start_engine() {
  local home=$CACHE/engine options=() tick
  mkdir -p "$home"
  forget_dead "$ENGINE_PID" dockerd
  forget_dead /var/run/docker/containerd/containerd.pid containerd
  if ! may_hold_sys_resource; then
    # The engine keeps using this path, so it must not be in a checkout that may be deleted.
    install -m 755 "$CI/lab/engine/$OWN_RUNTIME" "$home/"
    options=(--add-runtime "$OWN_RUNTIME=$home/$OWN_RUNTIME" --default-runtime "$OWN_RUNTIME")
  fi
  setsid nohup dockerd "${options[@]}" > "$home/dockerd.log" 2>&1 < /dev/null 3>&- 9>&- &
  note_engine $!
  for ((tick = 0; tick < 120; tick++)); do
    if answers; then return; fi
    kill -0 $! 2> /dev/null || break
    sleep 0.5
  done
  tail -n 15 "$home/dockerd.log"
  fail "dockerd does not answer" "see $home/dockerd.log; clusters need an engine on this machine"
}

# A stale pid file stops the next daemon from starting. Its number may now belong to another program, or to a zombie process,
# which has no program.
forget_dead() { # PID_FILE PROGRAM
  local pid
  if pid=$(cat "$1" 2> /dev/null) && [[ $(readlink "/proc/$pid/exe") != */$2 ]]; then
    rm -f "$1"
  fi
}

# CAP_SYS_RESOURCE is bit 24 of the bounding set.
may_hold_sys_resource() {
  local bounding
  bounding=$(awk '$1 == "CapBnd:" {print $2}' /proc/self/status)
  (((16#$bounding >> 24) & 1))
}

# Prints the kubelet settings that this machine needs, as JSON.
kubelet_patches() {
  local cgroup_v1=false files
  [ "$(docker info --format '{{.CgroupVersion}}')" = 2 ] || cgroup_v1=true
  files=$(ulimit -Hn)
  [ "$files" != unlimited ] || files=1000000
  # By default the kubelet asks for 1,000,000 open files and refuses cgroup v1.
  jq -n --argjson v1 "$cgroup_v1" --argjson files "$files" '
    (if $v1 then {failCgroupV1: false} else {} end) + (if $files < 1000000 then {maxOpenFiles: $files} else {} end)'
}
