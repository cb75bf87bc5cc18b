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

# As process 1 a shell hears no signal to stop unless it says what is to be done then, and nothing while it is in a command
# that it does not wait for. What was begun is begun anew at the next start, so it may end as it likes.
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

# A password or a name reaches SQL as hexadecimal digits or with its quotes doubled: it may hold any character.
hex() { printf %s "$1" | od -An -v -tx1 | tr -d ' \n'; }
statements() {
  local host
  echo "SET NAMES utf8mb4;"
  # Whatever the configuration makes of a backslash, QUOTE writes it for this.
  echo "SET SESSION sql_mode = '';"
  # MariaDB brings these, without a password.
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

# Has a server carry out a file of statements, and ends it. That the file itself ended it, by SHUTDOWN, would be simpler; but a
# server that has just begun may not hear that, and then it would run for ever.
carry_out() { # FILE COMMAND...
  set -m
  "${@:2}" --skip-networking --secure-file-priv="$outbox" --init-file="$1" &
  at_work=$!
  set +m
  until [ -e "$outbox/done" ]; do
    kill -0 "$at_work" || break # It says itself what it did not like, and ends with an error.
    sleep 0.1
  done
  while kill -TERM "$at_work" 2> /dev/null; do sleep 0.1; done
  wait "$at_work"
  at_work=
}

# Everything is made in a directory beside the data, and the directory `mysql`, by which a filled data directory is
# known, is moved last: an initialisation that was cut off is not taken for a whole one but done again. The name begins
# with no dot, because InnoDB would not find its files there.
take() { # PATH
  rm -rf "${datadir:?}/${1##*/}"
  mv "$1" "$datadir/"
}
initialise() {
  local draft=$datadir/initialising outbox file path
  # Without a binary log and outside of read_only: an init that left transactions in gtid_executed would make every
  # replica differ from its source before the first write.
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
  # While it initialises, a server of 8.0 or newer has no accounts yet that statements could change.
  carry_out "$file" "$@" "${plainly[@]}"
  rm -rf "$outbox"
  # The next start of this server makes its own; a copy of it would be the same server twice.
  rm -f "$draft/auto.cnf"
  for path in "$draft"/*; do
    [ "$path" = "$draft/mysql" ] || take "$path"
  done
  take "$draft/mysql"
  rmdir "$draft"
  say Note "Database files initialized"
}

# The server itself knows best which directory its arguments and its configuration name.
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
