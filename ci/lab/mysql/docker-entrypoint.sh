#!/bin/bash
# Initialises an empty data directory as the official images do, then becomes the server.
set -euo pipefail

say() { echo >&2 "[$1] [Entrypoint]: $2"; }
fail() {
  say ERROR "$1"
  exit 1
}

case ${1:-} in
  '' | -*) set -- mysqld "$@" ;;
esac
case $1 in
  mysqld | mariadbd) ;;
  *) exec "$@" ;;
esac

# As process 1, a shell ignores stop signals without a trap, and it runs a trap only after a foreground command ends. So every
# command runs in the background. A command may be killed because the next start repeats it.
at_work=
trap '[ -z "$at_work" ] || kill -KILL -- "-$at_work"; exit 143' TERM INT
run() { # COMMAND...
  set -m
  "$@" &
  at_work=$!
  set +m
  wait "$at_work"
  at_work=
}

allow_empty=${MYSQL_ALLOW_EMPTY_PASSWORD:-}
root_host=${MYSQL_ROOT_HOST:-%}
names="MYSQL_ROOT_PASSWORD, MYSQL_ALLOW_EMPTY_PASSWORD, MYSQL_RANDOM_ROOT_PASSWORD"
if command -v mariadbd > /dev/null; then
  MYSQL_ROOT_PASSWORD=${MARIADB_ROOT_PASSWORD:-${MYSQL_ROOT_PASSWORD:-}}
  MYSQL_ROOT_PASSWORD_FILE=${MARIADB_ROOT_PASSWORD_FILE:-${MYSQL_ROOT_PASSWORD_FILE:-}}
  MYSQL_RANDOM_ROOT_PASSWORD=${MARIADB_RANDOM_ROOT_PASSWORD:-${MYSQL_RANDOM_ROOT_PASSWORD:-}}
  MYSQL_DATABASE=${MARIADB_DATABASE:-${MYSQL_DATABASE:-}}
  allow_empty=${MARIADB_ALLOW_EMPTY_ROOT_PASSWORD:-$allow_empty}
  root_host=${MARIADB_ROOT_HOST:-$root_host}
  names="MARIADB_ROOT_PASSWORD, MARIADB_ALLOW_EMPTY_ROOT_PASSWORD, MARIADB_RANDOM_ROOT_PASSWORD"
fi
if [ -n "${MYSQL_ROOT_PASSWORD_FILE:-}" ]; then
  [ -z "${MYSQL_ROOT_PASSWORD:-}" ] || fail "MYSQL_ROOT_PASSWORD and MYSQL_ROOT_PASSWORD_FILE exclude each other"
  MYSQL_ROOT_PASSWORD=$(< "$MYSQL_ROOT_PASSWORD_FILE")
fi

# Passwords and names reach SQL as hexadecimal digits or with doubled quotes, so they may contain any character.
hex() { printf %s "$1" | od -An -v -tx1 | tr -d ' \n'; }
statements() {
  local host
  echo "SET NAMES utf8mb4;"
  # QUOTE escapes with backslashes, which the configured sql_mode might not understand.
  echo "SET SESSION sql_mode = '';"
  # MariaDB creates these users without a password.
  echo "DROP USER IF EXISTS root@'127.0.0.1', root@'::1';"
  if [ "$root_host" != localhost ]; then
    echo "CREATE USER root@'$root_host';"
    echo "GRANT ALL ON *.* TO root@'$root_host' WITH GRANT OPTION;"
  fi
  if [ -n "${MYSQL_ROOT_PASSWORD:-}" ]; then
    for host in "$root_host" localhost; do
      echo "SET @statement = CONCAT('ALTER USER root@''$host'' IDENTIFIED BY ', QUOTE(0x$(hex "$MYSQL_ROOT_PASSWORD")));"
      echo "PREPARE statement FROM @statement;"
      echo "EXECUTE statement;"
    done
  fi
  if [ -n "${MYSQL_DATABASE:-}" ]; then
    echo "CREATE DATABASE IF NOT EXISTS \`${MYSQL_DATABASE//\`/\`\`}\`;"
  fi
  echo "SELECT 'done' INTO OUTFILE '$outbox/done';"
}

# Starts a server that executes a file of statements, and stops it. A SHUTDOWN in the file would be simpler, but a server that
# has just started may miss it and would then run forever.
carry_out() { # FILE COMMAND...
  set -m
  "${@:2}" --skip-networking --secure-file-priv="$outbox" --init-file="$1" &
  at_work=$!
  set +m
  until [ -e "$outbox/done" ]; do
    kill -0 "$at_work" || break # The server failed and has printed its error.
    sleep 0.1
  done
  while kill -TERM "$at_work" 2> /dev/null; do sleep 0.1; done
  wait "$at_work"
  at_work=
}

# Everything is created in a directory `initialising` inside the data directory, and then moved out. The directory `mysql` marks
# a complete data directory, so it is moved last: an interrupted initialisation is repeated at the next start. The name does not
# start with a dot because InnoDB would not find its files there.
take() { # PATH
  rm -rf "${datadir:?}/${1##*/}"
  mv "$1" "$datadir/"
}
initialise() {
  local draft=$datadir/initialising outbox file path
  # The binary log and read_only are off. Transactions from initialisation in gtid_executed would make every replica differ from
  # its source before the first write.
  local plainly=(--datadir="$draft" --skip-log-bin --read-only=OFF --loose-super-read-only=OFF)
  rm -rf "$draft"
  mkdir -p "$draft"
  outbox=$(mktemp -d)
  file=$outbox/statements
  statements > "$file"
  [ "$(id -u)" != 0 ] || chown -R mysql:mysql "$draft" "$outbox"
  say Note "Initializing database files"
  if command -v mariadb-install-db > /dev/null; then
    run mariadb-install-db --auth-root-authentication-method=normal --skip-test-db --cross-bootstrap "${@:2}" "${plainly[@]}"
  else
    run "$@" --initialize-insecure "${plainly[@]}"
  fi
  # Statements run in a second start because servers since 8.0 have no accounts during initialisation.
  carry_out "$file" "$@" "${plainly[@]}"
  rm -rf "$outbox"
  # The next start creates auto.cnf. A copy of this one would give two servers the same server_uuid.
  rm -f "$draft/auto.cnf"
  for path in "$draft"/*; do
    [ "$path" = "$draft/mysql" ] || take "$path"
  done
  take "$draft/mysql"
  rmdir "$draft"
  say Note "Database files initialized"
}

# Ask the server which data directory its arguments and its configuration name.
settings=$("$@" --verbose --help --log-bin-index=/tmp/no-index 2> /tmp/refused) ||
  fail "$1 refuses its arguments or its configuration: $(cat /tmp/refused)"
datadir=$(awk '$1 == "datadir" {print $2; exit}' <<< "$settings")
datadir=${datadir%/}
mkdir -p "$datadir"
if [ "$(id -u)" = 0 ]; then
  find "$datadir" ! -user mysql -exec chown mysql:mysql {} +
fi

if [ ! -d "$datadir/mysql" ]; then
  if [ -n "${MYSQL_RANDOM_ROOT_PASSWORD:-}" ]; then
    MYSQL_ROOT_PASSWORD=$(head -c 24 /dev/urandom | base64)
    say Note "GENERATED ROOT PASSWORD: $MYSQL_ROOT_PASSWORD"
  elif [ -z "${MYSQL_ROOT_PASSWORD:-}$allow_empty" ]; then
    fail "Database is uninitialized and password option is not specified
    You need to specify one of the following as an environment variable:
    - ${names//, /$'\n    - '}"
  fi
  if [ -n "$(ls -A /docker-entrypoint-initdb.d 2> /dev/null)" ]; then
    fail "this image does not run the scripts of /docker-entrypoint-initdb.d"
  fi
  initialise "$@"
fi

exec "$@"
