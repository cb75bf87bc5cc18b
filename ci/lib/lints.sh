# What the stage `style` needs beside Rust: shellcheck, a package of Debian, and actionlint, which Go builds. Wants
# ci/versions sourced.
# shellcheck shell=bash disable=SC2034,SC2153

# lint_tools says nothing when both are there.
lint_tools() {
  if command -v shellcheck > /dev/null && is_actionlint; then return; fi
  # As ci/setup does it, so that ci/setup --remove undoes it: with its messages, its lock and its end.
  (
    CI=$PWD/ci
    for part in common host programs tools; do
      # shellcheck source=/dev/null
      . "$CI/lib/$part.sh"
    done
    open_cache
    step shellcheck need shellcheck=shellcheck
    step "actionlint $ACTIONLINT" need_actionlint
  )
}

is_actionlint() { [[ $(actionlint -version 2> /dev/null) =~ ^v?"$ACTIONLINT"($|[[:space:]]) ]]; }

need_actionlint() {
  if is_actionlint; then return; fi
  # Whatever Go builds the lab builds this too.
  need_go tools/kind
  REMEDY="see the log; a module that cannot be downloaded means that the Go module proxy (go env GOPROXY) is out of reach"
  GOBIN=$PWD/target/tools/bin go install "github.com/rhysd/actionlint/cmd/actionlint@v$ACTIONLINT"
  is_actionlint || fail "what was built does not say that it is actionlint $ACTIONLINT" "correct ACTIONLINT in ci/versions"
  REMEDY=""
}
