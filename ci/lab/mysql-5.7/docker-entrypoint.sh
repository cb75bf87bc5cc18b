#!/bin/bash
# Initialises an empty data directory as the official image does, then becomes mysqld.
set -euo pipefail

say() { echo >&2 "[$1] [Entrypoint]: $2"; }
fail() {
  say ERROR "$1"
  exit 1
}

case ${1:-} in
  '' | -*) set -- mysqld "$@" ;;
esac
[ "$1" = mysqld ] || exec "$@"

if [ -n "${MYSQL_ROOT_PASSWORD_FILE:-}" ]; then
  [ -z "${MYSQL_ROOT_PASSWORD:-}" ] || fail "MYSQL_ROOT_PASSWORD and MYSQL_ROOT_PASSWORD_FILE exclude each other"
  MYSQL_ROOT_PASSWORD=$(< "$MYSQL_ROOT_PASSWORD_FILE")
fi

# A password or a name reaches SQL as hexadecimal digits or with its quotes doubled: it may hold any character.
hex() { printf %s "$1" | od -An -v -tx1 | tr -d ' \n'; }
statements() {
  echo "CREATE TEMPORARY TABLE mysql.everywhere AS SELECT * FROM mysql.user WHERE user = 'root';"
  echo "UPDATE mysql.everywhere SET host = '%';"
  echo "INSERT INTO mysql.user SELECT * FROM mysql.everywhere;"
  echo "DROP TEMPORARY TABLE mysql.everywhere;"
  if [ -n "${MYSQL_ROOT_PASSWORD:-}" ]; then
    echo "UPDATE mysql.user SET authentication_string = PASSWORD(0x$(hex "$MYSQL_ROOT_PASSWORD")) WHERE user = 'root';"
  fi
  if [ -n "${MYSQL_DATABASE:-}" ]; then
    echo "CREATE DATABASE \`${MYSQL_DATABASE//\`/\`\`}\`;"
  fi
}

# Everything is made in a directory beside the data, and the directory `mysql`, by which a filled data directory is
# known, is moved last: an initialisation that was cut off is not taken for a whole one but done again.
take() { # PATH
  rm -rf "${datadir:?}/${1##*/}"
  mv "$1" "$datadir/"
}
initialise() {
  # As process 1 the shell would not hear a signal to stop at all; so it hears it within the second or two of this.
  trap 'exit 143' TERM INT
  local draft=$datadir/.initialising file path
  rm -rf "$draft"
  mkdir -p "$draft"
  file=$(mktemp)
  statements > "$file"
  [ "$(id -u)" != 0 ] || chown mysql:mysql "$draft" "$file"
  say Note "Initializing database files"
  # Without a binary log and outside of super_read_only: an init that left transactions in gtid_executed would make
  # every replica differ from its source before the first write.
  "$@" --datadir="$draft" --initialize-insecure --init-file="$file" --skip-log-bin --super-read-only=OFF --read-only=OFF
  rm -f "$file"
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
  fail "mysqld refuses its arguments or its configuration: $(cat /tmp/refused)"
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
  elif [ -z "${MYSQL_ROOT_PASSWORD:-}${MYSQL_ALLOW_EMPTY_PASSWORD:-}" ]; then
    fail "Database is uninitialized and password option is not specified
    You need to specify one of the following as an environment variable:
    - MYSQL_ROOT_PASSWORD
    - MYSQL_ALLOW_EMPTY_PASSWORD
    - MYSQL_RANDOM_ROOT_PASSWORD"
  fi
  if [ -n "$(ls -A /docker-entrypoint-initdb.d 2> /dev/null)" ]; then
    fail "this image does not run the scripts of /docker-entrypoint-initdb.d"
  fi
  initialise "$@"
fi

exec "$@"
