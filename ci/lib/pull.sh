# What comes from registries, and by which digest it is known. A tag is moved by whoever owns it, a digest by nobody.
# shellcheck shell=bash disable=SC2034,SC2154

# What the engine has of the image that check_digest was called for last; nothing if it was loaded by hand.
DIGEST=""

# pinned NAME is the digest in ci/digests, if there is one.
pinned() { awk -v name="$1" '$1 == name {print $2}' "$CI/digests"; }

# known_digest IMAGE is the pinned one, or the one that was there when this machine first pulled the image.
known_digest() {
  local digest
  digest=$(pinned "$1")
  if [ -z "$digest" ] && [ -f "$CACHE/digests" ]; then digest=$(awk -v name="$1" '$1 == name {print $2}' "$CACHE/digests"); fi
  echo "$digest"
}

# check_digest IMAGE refuses an image of the engine that is not the known one. The first one is noted, and is the known one
# from then on.
check_digest() {
  local known found where="ci/digests"
  known=$(known_digest "$1")
  found=$(docker image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$1" | sed -n "s|^${1%:*}@||p")
  DIGEST=$(head -n 1 <<< "$found")
  [ -n "$found" ] || return 0
  if [ -z "$known" ]; then
    echo "$1 $DIGEST" >> "$CACHE/digests"
    return
  fi
  DIGEST=$known
  [ -n "$(pinned "$1")" ] || where="$CACHE/digests, where its first pull was noted,"
  grep -qxF "$known" <<< "$found" || fail "the engine's $1 is $(xargs <<< "$found"), but $where has $known" \
    "docker rmi $1, and ci/setup pulls the known one again; if the other one is wanted, put its digest in the line there"
}

# check_file NAME FILE REMOVAL refuses a file that is not the pinned one, and names the command that removes the copy of it
# that is kept. What cannot be verified otherwise has to be pinned.
check_file() {
  local wanted found
  wanted=$(pinned "$1") found=sha256:$(sha256sum "$2" | cut -d' ' -f1)
  [ -n "$wanted" ] || fail "ci/digests has no line for $1, which is $found" \
    "compare that with what its makers or another machine have, and add the line"
  [ "$found" = "$wanted" ] || fail "$1 is $found, but ci/digests has $wanted" \
    "do not use it; take away the copy that is kept ($3) and call ci/setup again. If it is refused again, the registry or \
its mirror has another file under this name: tell who runs it"
}

# pull IMAGE tells whether the engine got the image from its registry, by its digest where one is known. A registry that
# does not answer is asked once in a run, for 20 seconds at most; one that does may take its time.
declare -A UNREACHED=()
pull() {
  local registry=${1%%/*} answer=$SCRATCH/pull tick digest reference=$1
  [[ $1 == */* && $registry == *.* ]] || registry=default
  [ -z "${UNREACHED[$registry]:-}" ] || return 1
  digest=$(known_digest "$1")
  [ -z "$digest" ] || reference=${1%:*}@$digest
  PULLED=$1
  note image "$1"
  timeout 1200 docker pull "$reference" > "$answer" 2>&1 3>&- 9>&- &
  PULL=$!
  for ((tick = 0; tick < 40; tick++)); do
    kill -0 "$PULL" 2> /dev/null || break
    grep -q 'Pulling from' "$answer" && break
    sleep 0.5
  done
  grep -q 'Pulling from' "$answer" || kill "$PULL" 2> /dev/null || true
  if wait "$PULL"; then
    # What is pulled by digest has no tag.
    PULL=""
    [ -z "$digest" ] || docker tag "$reference" "$1" || fail "$reference was pulled, but cannot be named $1" "see the log above"
    PULLED=""
    return 0
  fi
  PULL="" PULLED=""
  strike image "$1"
  cat "$answer"
  if [ -n "$digest" ] && grep -qiE 'manifest unknown|manifest for .* not found' "$answer"; then
    fail "the registry has no $1 of the digest $digest (any more)" \
      "put the digest of the image that is wanted now in its line of ci/digests or $CACHE/digests"
  fi
  grep -qiE 'manifest unknown|not found|does not exist|denied' "$answer" || UNREACHED[$registry]=1
  return 1
}
