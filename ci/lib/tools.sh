# Checks the compilers, which ci/setup does not install. It checks at the start because the builds that need them come late.
# shellcheck shell=bash disable=SC2034,SC2154

tools() {
  [ "$witness" = no ] || need_rust
  # If node images can be pulled, Go is needed only for kind. Only the engine can tell whether they can.
  find_kind || need_go tools/kind
  RESULT="found"
}

need_rust() {
  local wanted have
  wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$CI/../Cargo.toml")
  have=$(cd "$CI/.." && cargo --version && rustc --version) ||
    fail "cargo or rustc does not answer: $have" "install Rust $wanted or newer with rustup (rustup.rs)"
  echo "$have"
  have=$(awk '$1 == "rustc" {print $2}' <<< "$have")
  at_least "$wanted" "${have%%-*}" || fail "this is Rust $have, but the project needs $wanted" "rustup update stable"
}

# need_go MODULE... fails unless Go can build these directories of ci/lab. It asks Go inside each directory, because there Go
# may fetch a newer version of itself if GOTOOLCHAIN allows it.
need_go() {
  local module wanted have
  for module; do
    wanted=$(awk '$1 == "go" {print $2}' "$CI/lab/$module/go.mod")
    REMEDY="install Go $wanted or newer from go.dev/dl into /usr/local/go, or put its bin directory on the PATH"
    command -v go > /dev/null || fail "go is not installed" "$REMEDY"
    have=$(cd "$CI/lab/$module" && go env GOVERSION)
    echo "go for $module: $have, needed: $wanted"
    [[ $have =~ go([0-9.]+) ]]
    at_least "$wanted" "${BASH_REMATCH[1]}" || fail "this is $have, but Go $wanted is needed" "$REMEDY"
  done
  REMEDY=""
}

at_least() { printf '%s\n' "$1" "$2" | sort -CV; } # WANTED HAVE
