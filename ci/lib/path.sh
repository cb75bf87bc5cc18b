# What every script of ci/ needs of its environment, be it called by a login shell, a service or a job. Sourced.
# shellcheck shell=bash disable=SC2034

# `steadfast` itself looks into /var/cache when nothing says where a cache may be.
if [ -z "${HOME:-}" ]; then
  export XDG_CACHE_HOME=${XDG_CACHE_HOME:-/var/cache}
  HOME=$(getent passwd "$(id -u)" | cut -d: -f6)
  export HOME=${HOME:-/tmp}
fi
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/steadfast

# The installers of Rust and Go leave the PATH to the files that only a login shell reads.
command -v cargo > /dev/null || PATH=$PATH:$HOME/.cargo/bin
command -v go > /dev/null || PATH=$PATH:/usr/local/go/bin
export PATH=$PATH:/usr/sbin:/sbin
