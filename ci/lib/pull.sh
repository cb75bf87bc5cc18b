# Pulls images and checks digests. The owner of a tag can move it; nobody can move a digest.
# shellcheck shell=bash disable=SC2034,SC2154

# The digest of the image that check_digest checked last. Empty if the image was loaded by hand.
DIGEST=""

# pinned NAME prints the digest in ci/digests, if there is one.
pinned() { awk -v name="$1" '$1 == name {print $2}' "$CI/digests"; }

# known_digest IMAGE prints the pinned digest, or else the digest that this machine got at its first pull.
known_digest() {
  local digest
  digest=$(pinned "$1")
  if [ -z "$digest" ] && [ -f "$CACHE/digests" ]; then digest=$(awk -v name="$1" '$1 == name {print $2}' "$CACHE/digests"); fi
  echo "$digest"
}

# check_digest IMAGE fails if the engine's image does not have the known digest. The first digest seen is noted and is the
# known one from then on.
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

# check_file NAME FILE REMOVAL fails if the file does not have the pinned SHA-256. REMOVAL is the command that removes the
# cached copy, for the message. Files that cannot be verified in another way must be pinned.
check_file() {
  local wanted found
  wanted=$(pinned "$1") found=sha256:$(sha256sum "$2" | cut -d' ' -f1)
  [ -n "$wanted" ] || fail "ci/digests has no line for $1, which is $found" \
    "compare that with what its makers or another machine have, and add the line"
  [ "$found" = "$wanted" ] || fail "$1 is $found, but ci/digests has $wanted" \
    "do not use it; take away the copy that is kept ($3) and call ci/setup again. If it is refused again, the registry or \
its mirror has another file under this name: tell who runs it"
}

# pull IMAGE pulls an image, by its digest if one is known, and returns whether it succeeded. A registry that does not answer
# within 20 seconds is not asked again in this run. A registry that answers gets more time.
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
    # An image that is pulled by digest has no tag.
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
