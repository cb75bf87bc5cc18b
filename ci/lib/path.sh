# Sets HOME, PATH and CACHE for the scripts of ci/, whether a login shell, a service or a job calls them. Sourced.
# shellcheck shell=bash disable=SC2034

# Without HOME and XDG_CACHE_HOME, `steadfast` itself uses /var/cache.
if [ -z "${HOME:-}" ]; then
  export XDG_CACHE_HOME=${XDG_CACHE_HOME:-/var/cache}
  HOME=$(getent passwd "$(id -u)" | cut -d: -f6)
  export HOME=${HOME:-/tmp}
fi
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/steadfast

# The installers of Rust and Go change the PATH only in files that a login shell reads.
command -v cargo > /dev/null || PATH=$PATH:$HOME/.cargo/bin
command -v go > /dev/null || PATH=$PATH:/usr/local/go/bin
export PATH=$PATH:/usr/sbin:/sbin
