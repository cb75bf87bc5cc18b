# The compilers, which ci/setup does not install: asked for at the start, because a build that needs them comes late.
# shellcheck shell=bash disable=SC2034,SC2154

tools() {
  [ "$witness" = no ] || need_rust
  # Go modules are needed for nothing else where node images can be pulled; whether they can, the engine has to tell.
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

# need_go MODULE... sees to a Go that builds these directories of ci/lab. It is asked inside of them, where it may fetch a
# newer Go by itself, if GOTOOLCHAIN lets it.
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
