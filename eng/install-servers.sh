#!/usr/bin/env bash
# Installs PostgreSQL 15 or later and Redis from the distribution when they are missing; with --tests also PgBouncer and libfaketime, which only the tests
# need. Silent when nothing is to do.
# Leaves no service running or enabled, and no database cluster, of what it installs.
set -euo pipefail

readonly oldest_postgres=15
for_tests=
[ "${1:-}" != --tests ] || for_tests=yes

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Prints the folder of a PostgreSQL that the tests can use; the same places as src/EfScaling.Testing/Processes/ServerBinaries.cs.
find_postgres() {
    local folder version
    if [ -n "${EFSCALING_POSTGRES_BIN:-}" ]; then
        echo "$EFSCALING_POSTGRES_BIN"
        return
    fi
    for folder in "$(dirname "$(readlink -f "$(command -v postgres || echo /nowhere/postgres)")")" \
        /usr/lib/postgresql/*/bin /opt/homebrew/opt/postgresql*/bin /usr/local/opt/postgresql*/bin; do
        [ -x "$folder/postgres" ] && [ -x "$folder/initdb" ] && [ -x "$folder/pg_basebackup" ] || continue
        version=$("$folder/postgres" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
        if [ "$version" -ge "$oldest_postgres" ]; then
            echo "$folder"
            return
        fi
    done
}

find_redis() {
    echo "${EFSCALING_REDIS_SERVER:-$(command -v redis-server || true)}"
}

# The same places as tests/EfScaling.IntegrationTests/Clusters/PgBouncer.cs.
find_pgbouncer() {
    local program
    for program in /usr/sbin/pgbouncer /usr/bin/pgbouncer /usr/local/bin/pgbouncer /opt/homebrew/bin/pgbouncer; do
        [ ! -x "$program" ] || { echo "$program"; return; }
    done
}

find_faketime() {
    local library
    for library in /usr/lib/*/faketime/libfaketime.so.1 /usr/lib/faketime/libfaketime.so.1 /usr/lib64/faketime/libfaketime.so.1 /usr/local/lib/faketime/libfaketime.so.1; do
        [ ! -e "$library" ] || { echo "$library"; return; }
    done
}

has_test_tools() {
    [ -z "$for_tests" ] || { [ -n "$(find_pgbouncer)" ] && [ -n "$(find_faketime)" ]; }
}

refuse() {
    cat >&2 <<MESSAGE
Install PostgreSQL $oldest_postgres or later (with initdb and pg_basebackup) and Redis, and for the tests PgBouncer and libfaketime, then run this again:
  Fedora:   dnf install postgresql-server postgresql-contrib redis pgbouncer libfaketime
  Arch:     pacman -S postgresql redis pgbouncer libfaketime
  Alpine:   apk add postgresql postgresql-contrib redis pgbouncer libfaketime
  macOS:    brew install postgresql@16 redis pgbouncer libfaketime
  Debian or Ubuntu older than PostgreSQL $oldest_postgres: add the PostgreSQL project's own package source first.
Or set EFSCALING_POSTGRES_BIN to the folder of the PostgreSQL programs and EFSCALING_REDIS_SERVER to the path of redis-server.
MESSAGE
    exit 1
}

policy=/usr/sbin/policy-rc.d
cluster_conf=/etc/postgresql-common/createcluster.conf
wrote_policy=
saved_conf=

undo() {
    [ -z "$wrote_policy" ] || as_root rm -f "$policy"
    [ -z "$saved_conf" ] || { as_root cp "$saved_conf" "$cluster_conf" && rm -f "$saved_conf"; }
}

apt_install() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# A service that a package enables would come up with the next boot.
disable_service() {
    if [ -d /run/systemd/system ]; then
        as_root systemctl disable --quiet "$1" >/dev/null 2>&1 || echo "Could not disable the service $1." >&2
    fi
}

install_postgres() {
    # The common package first: its configuration decides whether the server package creates a cluster.
    apt_install postgresql-common
    saved_conf=$(mktemp)
    cat "$cluster_conf" >"$saved_conf"
    echo 'create_main_cluster = false' | as_root tee -a "$cluster_conf" >/dev/null
    apt_install postgresql
    disable_service postgresql
}

install_redis() {
    apt_install redis-server
    disable_service redis-server
}

install_test_tools() {
    apt_install pgbouncer faketime
    disable_service pgbouncer
}

postgres=$(find_postgres)
redis=$(find_redis)
if [ -n "$postgres" ] && [ -n "$redis" ] && has_test_tools; then
    exit 0
fi

command -v apt-get >/dev/null || refuse

trap undo EXIT
# Packages ask this program whether they may start their services.
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    wrote_policy=yes
    as_root chmod 755 "$policy"
fi

as_root apt-get update -qq
[ -n "$postgres" ] || install_postgres
[ -n "$redis" ] || install_redis
has_test_tools || install_test_tools

if [ -z "$(find_postgres)" ] || [ -z "$(find_redis)" ] || ! has_test_tools; then
    refuse
fi
