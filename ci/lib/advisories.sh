# How long the advisories of dependencies may be out of reach.
# shellcheck shell=bash disable=SC2154

ADVISORIES_DAYS=7

# As old as the last time at which their list was fetched; on a machine that never could, as the first time that it could not.
ADVISORIES=$CACHE/advisories

note_advisories() { mkdir -p "$CACHE" && echo "last fetched" > "$ADVISORIES"; }

# advisories_may_wait tells whether it is still early enough, and prints what there is to say.
advisories_may_wait() {
  local age
  # A clock that was wrong must not let them wait for longer.
  if [ ! -e "$ADVISORIES" ] || (($(stat -c %Y "$ADVISORIES") > $(date +%s))); then
    mkdir -p "$CACHE"
    echo "never fetched, first asked for" > "$ADVISORIES"
  fi
  age=$((($(date +%s) - $(stat -c %Y "$ADVISORIES")) / 86400))
  echo "advisories: their list cannot be fetched ($(< "$ADVISORIES") $age days ago, says $ADVISORIES)"
  if ((age < ADVISORIES_DAYS)); then
    echo "advisories: without it this stage passes for $ADVISORIES_DAYS days, and then fails"
  else
    echo "advisories: after $ADVISORIES_DAYS days that is a failure." \
      "Remedy: let this machine reach https://github.com/RustSec/advisory-db," \
      "or tell git of a mirror (git config --global url.MIRROR.insteadOf https://github.com/RustSec/advisory-db)"
    return 1
  fi
}
