#!/usr/bin/env bash
# Drives real, unmodified clients of Wavefront's API against a running server, on SQLite and on PostgreSQL: two versions
# of wavefront-api-client over every call that is served, `wave configure`, wavefront-sdk-python, the requests of
# clients that can't be had from PyPI, the recipes of docs/clients.md, and its services that verify; and clients of VMware
# Cloud Services' tokens. One line for each;
# what fails says what and where.
#
#   tests/clients.sh [--sqlite]
#
#   --sqlite  on SQLite only
#
# Needs target/debug/tokenhouse (cargo build), and for PostgreSQL its programs. The clients are installed into
# target/clients where they are missing, from PyPI, pinned in tests/clients/requirements-*.txt, and from npm where that
# is there. Uses the PostgreSQL of TOKENHOUSE_TEST_POSTGRES, or starts one of its own.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tokenhouse=${TOKENHOUSE_BIN:-$root/target/debug/tokenhouse}
clients=$root/tests/clients
venvs=$root/target/clients
databases=(sqlite postgres)
case ${1:-} in
    '') ;;
    --sqlite) databases=(sqlite) ;;
    *) sed -n '2,16s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
[[ -x $tokenhouse ]] || { echo "$tokenhouse is missing: cargo build" >&2; exit 2; }
# shellcheck source=tests/postgres.sh
source "$root/tests/postgres.sh"

# A virtual environment for each client: they want different versions of the same libraries.
install() {
    local name=$1 wanted venv=$venvs/$1
    wanted=$(sha256sum <"$clients/requirements-$name.txt")
    if [[ -f $venv/made-from && $(<"$venv/made-from") == "$wanted" ]] && "$venv/bin/python" -c '' 2>/dev/null; then
        return 0
    fi
    echo "installing tests/clients/requirements-$name.txt into $venv"
    rm -rf "$venv"
    mkdir -p "$venvs"
    python3 -m venv "$venv" &&
        "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$clients/requirements-$name.txt" ||
        { echo "tests/clients/requirements-$name.txt could not be installed; see above" >&2; return 1; }
    echo "$wanted" >"$venv/made-from"
}

for name in api-2.202.2 api-2.176.0 wave sdk csp verifying; do install "$name" || exit 2; done
# The library of the service in JavaScript. Without Node.js it is left out, which its line says.
if command -v npm >/dev/null && [[ ! -d $venvs/javascript/node_modules/oauth4webapi ]]; then
    echo "installing oauth4webapi into $venvs/javascript"
    npm install --silent --no-audit --no-fund --prefix "$venvs/javascript" oauth4webapi@3.8.8 || exit 2
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/tokenhouse-clients.XXXXXX")
server=
upstream=
own_postgres=
# The database that was made in it.
made=
cleanup() {
    local status=$?
    if [[ -n $server ]]; then kill -KILL "$server" 2>/dev/null || true; fi
    if [[ -n $upstream ]]; then kill "$upstream" 2>/dev/null || true; fi
    if ((status)) && [[ -s $work/server.log ]]; then
        echo "--- the end of the server's log ---" >&2
        tail -n 20 "$work/server.log" >&2
    fi
    if [[ $own_postgres ]]; then
        postgres_stop
    elif [[ $made ]]; then
        superuser --command "DROP DATABASE IF EXISTS $made WITH (FORCE)" || true
    fi
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Everything is on this machine, whatever proxy the environment names.
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1 PYTHONDONTWRITEBYTECODE=1
member() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }

# superuser ARGUMENT...: psql with these, on the server of TOKENHOUSE_TEST_POSTGRES.
superuser() {
    local psql
    psql=$(postgres_bin)/psql
    [[ -x $psql ]] || psql=psql
    "$psql" --quiet --no-psqlrc "$@" "$TOKENHOUSE_TEST_POSTGRES"
}

# database KIND: makes a database of this kind and sets `url` to its address.
database() {
    if [[ $1 == sqlite ]]; then
        url=sqlite://$work/tokenhouse.db
        return
    fi
    made=tokenhouse_clients_$$
    superuser --command "CREATE DATABASE $made" || return 1
    url=${TOKENHOUSE_TEST_POSTGRES%/*}/$made
}

# The service to which data is passed on, with a token that is nobody's here.
export TOKENHOUSE_TAKEN=$work/taken TOKENHOUSE_UPSTREAM_TOKEN=token-of-the-service-behind
(umask 077 && echo "$TOKENHOUSE_UPSTREAM_TOKEN" >"$work/upstream.token")
python3 "$clients/upstream.py" "$TOKENHOUSE_TAKEN" >"$work/upstream.port" &
upstream=$!
for _ in $(seq 100); do [[ -s $work/upstream.port ]] && break || sleep 0.1; done
[[ -s $work/upstream.port ]] || { echo "the service behind did not start" >&2; exit 1; }
export TOKENHOUSE__WAVEFRONT__UPSTREAM=http://127.0.0.1:$(<"$work/upstream.port")/base
export TOKENHOUSE__WAVEFRONT__UPSTREAM_TOKEN_FILE=$work/upstream.token

# serve KIND: makes an installation on this kind of database and serves it, with its data in a folder of its own.
serve() {
    local url port
    mkdir "$work/$1"
    database "$1" || return 1
    "$tokenhouse" init --database "$url" --data "$work/$1" --org Operator --admin operator@example.org --json \
        >"$work/init.json" </dev/null || return 1
    TOKENHOUSE_TOKEN=$(member token <"$work/init.json")
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    TOKENHOUSE_URL=http://127.0.0.1:$port
    export TOKENHOUSE_TOKEN TOKENHOUSE_URL
    "$tokenhouse" serve --database "$url" --data "$work/$1" --listen "127.0.0.1:$port" \
        >"$work/server.log" 2>&1 </dev/null &
    server=$!
    for _ in $(seq 300); do
        kill -0 "$server" 2>/dev/null || { echo "the server ended before it was ready" >&2; return 1; }
        if curl --silent --fail --noproxy '*' "$TOKENHOUSE_URL/healthz/ready" >/dev/null; then return 0; fi
        sleep 0.1
    done
    echo "the server was not ready within 30 s" >&2
    return 1
}

failed=
for kind in "${databases[@]}"; do
    if [[ $kind == postgres && -z ${TOKENHOUSE_TEST_POSTGRES:-} ]]; then
        own_postgres=yes
        postgres_start || exit 2
    fi
    : >"$TOKENHOUSE_TAKEN"
    serve "$kind" || exit 1
    # Each makes an org of its own, so they can go at once.
    api=$clients/python_client.py
    running=()
    "$venvs/api-2.202.2/bin/python" "$api" new >"$work/1" 2>&1 & running+=($!)
    "$venvs/api-2.176.0/bin/python" "$api" old >"$work/2" 2>&1 & running+=($!)
    "$venvs/wave/bin/python" "$clients/wave.py" wave "$venvs/wave/bin/wave" >"$work/3" 2>&1 & running+=($!)
    "$venvs/sdk/bin/python" -W ignore "$clients/sdk.py" sdk >"$work/4" 2>&1 & running+=($!)
    python3 "$clients/others.py" others >"$work/5" 2>&1 & running+=($!)
    python3 "$clients/recipes.py" recipes "$venvs" >"$work/6" 2>&1 & running+=($!)
    python3 "$clients/verifying.py" verifying "$venvs" >"$work/7" 2>&1 & running+=($!)
    "$venvs/csp/bin/python" -W ignore "$clients/csp.py" csp >"$work/8" 2>&1 & running+=($!)
    for number in 1 2 3 4 5 6 7 8; do
        wait "${running[number - 1]}" || failed=yes
        sed "s/^/$kind: /" "$work/$number"
    done
    kill -TERM "$server"
    wait "$server" || { echo "$kind: the server ended with status $? after SIGTERM" >&2; failed=yes; }
    server=
    # A client names its tokens by their secrets, in paths and in bodies. A secret is a random UUID, a handle is not.
    if grep -q -E '[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}' "$work/server.log"; then
        echo "$kind: the server's log holds a secret" >&2
        failed=yes
    fi
    if grep -q "panicked at" "$work/server.log"; then echo "$kind: the server panicked" >&2; failed=yes; fi
done
[[ -z $failed ]]
