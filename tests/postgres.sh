#!/usr/bin/env bash
# A private PostgreSQL for the tests: its own folder, its own port on loopback, thrown away afterwards.
#
#   eval "$(tests/postgres.sh start)"    starts one and sets TOKENHOUSE_TEST_POSTGRES
#   tests/postgres.sh stop               stops it and removes its folder
#
# ./test sources this file and calls the functions itself.

postgres_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# Where the folder of the last one is noted, for a `stop` from another terminal.
postgres_note=$postgres_root/target/test-postgres

# Prints the folder that holds initdb and pg_ctl: Debian's newest one, or that of the PATH. Fails if there is none.
postgres_bin() {
    local dir
    # Debian keeps the server's programs away from the PATH.
    while read -r dir; do
        [[ -x $dir/initdb && -x $dir/pg_ctl ]] && { echo "$dir"; return 0; }
    done < <(printf '%s\n' /usr/lib/postgresql/*/bin | sort --version-sort --reverse)
    dir=$(command -v initdb) || return 1
    dirname "$(readlink -f "$dir")"
}

# Runs a command as the user that owns the server. PostgreSQL refuses to run as root, so root borrows another user.
postgres_as_owner() {
    if ((EUID == 0)); then
        # From /, because that user may not be able to stand in the folder where we are.
        (cd / && runuser -u "$(postgres_owner)" -- "$@")
    else
        (cd / && "$@")
    fi
}

postgres_owner() {
    if ((EUID != 0)); then id -un; elif id -u postgres >/dev/null 2>&1; then echo postgres; else echo nobody; fi
}

# Starts a server; sets and exports TOKENHOUSE_TEST_POSTGRES (its URL) and TOKENHOUSE_TEST_POSTGRES_DIR (its folder).
postgres_start() {
    local bin dir port try
    bin=$(postgres_bin) || { echo "no PostgreSQL server programs (initdb, pg_ctl) found" >&2; return 1; }
    # In /tmp whatever TMPDIR says: the path of a socket has at most 107 bytes, and the owner must be able to reach it.
    dir=$(mktemp -d /tmp/tokenhouse-postgres.XXXXXX) || return 1
    TOKENHOUSE_TEST_POSTGRES_DIR=$dir
    if ((EUID == 0)); then chown "$(postgres_owner):" "$dir" || return 1; fi

    # An ICU locale, as most databases out there have: a column that forgot its collation then sorts otherwise than on
    # SQLite, and a test sees it.
    local locale=(--locale=C.UTF-8)
    if "$bin/initdb" --help | grep -q -e --icu-locale; then
        locale+=(--locale-provider=icu --icu-locale=en-US)
    fi
    postgres_as_owner "$bin/initdb" --pgdata="$dir/data" --username=tokenhouse --auth=trust --encoding=UTF8 \
        "${locale[@]}" --no-sync >"$dir/initdb.log" 2>&1 || { cat "$dir/initdb.log" >&2; postgres_stop; return 1; }
    # Nobody gets in but over this machine's loopback and through the socket in the private folder.
    printf '%s\n' 'local all all trust' 'host all all 127.0.0.1/32 trust' >"$dir/data/pg_hba.conf"
    cat >>"$dir/data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = '$dir'
max_connections = 400
shared_buffers = 64MB
# The data need not outlive the server. What must survive a crash is tested by killing Tokenhouse, not PostgreSQL.
fsync = off
synchronous_commit = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
# Many small databases for a few seconds each: compiling their queries would only cost.
jit = off
CONF

    # The server itself finds out whether a port is free, so that nobody can take it in between. Below 32768, where
    # the kernel does not hand out ports for outgoing connections.
    for try in 1 2 3 4 5 6 7 8 9 10; do
        port=$((20000 + RANDOM % 12000))
        if postgres_as_owner "$bin/pg_ctl" --pgdata="$dir/data" --options="-p $port" --log="$dir/server.log" \
            --wait --timeout=60 start >/dev/null 2>&1 </dev/null; then
            export TOKENHOUSE_TEST_POSTGRES="postgres://tokenhouse@127.0.0.1:$port/postgres"
            export TOKENHOUSE_TEST_POSTGRES_DIR
            return 0
        fi
        # Anything but a taken port would fail again.
        grep -q 'Address already in use' "$dir/server.log" || break
    done
    echo "PostgreSQL did not start (try $try); the end of its log:" >&2
    tail -n 20 "$dir/server.log" >&2
    postgres_stop
    return 1
}

# Stops the server of TOKENHOUSE_TEST_POSTGRES_DIR, if there is one, and removes its folder.
postgres_stop() {
    local dir=${TOKENHOUSE_TEST_POSTGRES_DIR:-}
    # The name is checked because the folder is about to be removed.
    [[ $dir == /tmp/tokenhouse-postgres.* && -d $dir ]] || return 0
    if [[ -f $dir/data/postmaster.pid ]]; then
        postgres_as_owner "$(postgres_bin)/pg_ctl" --pgdata="$dir/data" --mode=immediate --wait --timeout=30 stop \
            >/dev/null 2>&1 || echo "PostgreSQL in $dir did not stop" >&2
    fi
    rm -rf "$dir"
    unset TOKENHOUSE_TEST_POSTGRES TOKENHOUSE_TEST_POSTGRES_DIR
}

postgres_main() {
    case ${1:-} in
        start)
            postgres_start || exit 1
            mkdir -p "$(dirname "$postgres_note")"
            echo "$TOKENHOUSE_TEST_POSTGRES_DIR" >"$postgres_note"
            echo "export TOKENHOUSE_TEST_POSTGRES='$TOKENHOUSE_TEST_POSTGRES'"
            echo "export TOKENHOUSE_TEST_POSTGRES_DIR='$TOKENHOUSE_TEST_POSTGRES_DIR'"
            ;;
        stop)
            if [[ -z ${TOKENHOUSE_TEST_POSTGRES_DIR:-} && -f $postgres_note ]]; then
                TOKENHOUSE_TEST_POSTGRES_DIR=$(<"$postgres_note")
            fi
            postgres_stop
            rm -f "$postgres_note"
            ;;
        *)
            sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
            exit 2
            ;;
    esac
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
    set -euo pipefail
    postgres_main "$@"
fi
