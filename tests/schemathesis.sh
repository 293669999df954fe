#!/usr/bin/env bash
# Asks a running server, over its own OpenAPI document, for everything that the document allows and much that it does
# not: no answer may be a server error, and every answer must be one that the document describes.
#
#   tests/schemathesis.sh [--seconds N] [--random]
#
#   --seconds N  how long the requests go on (default 75)
#   --random     another seed each time; else always the same, so that a failure stays a failure
#
# Needs target/debug/tokenhouse (cargo build) and target/venv (made by ./test).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tokenhouse=${TOKENHOUSE_BIN:-$root/target/debug/tokenhouse}
venv=$root/target/venv
seconds=75
seed=1
while (($#)); do
    case $1 in
        --seconds) seconds=${2:?--seconds needs a number}; shift ;;
        --random) seed=$RANDOM$RANDOM ;;
        *) sed -n '2,10s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
    esac
    shift
done
[[ -x $tokenhouse ]] || { echo "$tokenhouse is missing: cargo build" >&2; exit 2; }
[[ -x $venv/bin/schemathesis ]] || { echo "$venv has no schemathesis: run ./test once" >&2; exit 2; }

work=$(mktemp -d "${TMPDIR:-/tmp}/tokenhouse-schemathesis.XXXXXX")
server=
cleanup() {
    local status=$?
    if [[ -n $server ]]; then kill -KILL "$server" 2>/dev/null || true; fi
    if ((status)) && [[ -s $work/server.log ]]; then
        echo "--- the end of the server's log ---" >&2
        tail -n 30 "$work/server.log" >&2
    fi
    rm -rf "$work"
}
trap cleanup EXIT
# Schemathesis and hypothesis keep files where they stand.
cd "$work"

# Reads one member of a JSON object on standard input.
member() { "$venv/bin/python" -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }

database=sqlite://$work/tokenhouse.db
"$tokenhouse" init --database "$database" --org Conformance --admin admin@example.org --json >init.json </dev/null
token=$(member token <init.json)
port=$("$venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
url=http://127.0.0.1:$port
"$tokenhouse" serve --database "$database" --listen "127.0.0.1:$port" >server.log 2>&1 </dev/null &
server=$!

# Asks as the administrator and prints the body; fails on any status but 2xx.
ask() {
    "$venv/bin/python" - "$url$1" "$token" <<'PYTHON'
import sys, urllib.request
request = urllib.request.Request(sys.argv[1], headers={"Authorization": "Bearer " + sys.argv[2]})
# No proxy of the environment: the server is on this machine.
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
try:
    print(opener.open(request, timeout=10).read().decode())
except OSError as error:
    sys.exit(f"GET {sys.argv[1]}: {error}")
PYTHON
}

ready=
for _ in $(seq 300); do
    kill -0 "$server" 2>/dev/null || { echo "the server ended before it was ready" >&2; exit 1; }
    if ask /healthz/ready >/dev/null 2>&1; then ready=yes; break; fi
    sleep 0.1
done
[[ $ready ]] || { echo "the server was not ready within 30 s" >&2; exit 1; }

# What must not be hit by a change, or the run would go on with a dead token: read by schemathesis_hooks.py.
ask /v1/whoami >whoami.json
export TOKENHOUSE_WHOAMI=$work/whoami.json TOKENHOUSE_INIT=$work/init.json
export SCHEMATHESIS_HOOKS=schemathesis_hooks PYTHONPATH=$root/tests PYTHONDONTWRITEBYTECODE=1
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1

run() {
    "$venv/bin/schemathesis" --no-color run "$url/v1/openapi.json" --header "Authorization: Bearer $token" \
        --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance \
        --seed "$seed" --generation-database none --request-timeout 15 --max-redirects 0 \
        --suppress-health-check all --warnings off --continue-on-failure "$@" </dev/null
}

failed=()
echo "--- every operation but two, seed $seed, $seconds s ---"
run --max-time "$seconds" --exclude-name 'PUT /v1/policy' --exclude-name 'DELETE /v1/session' ||
    failed+=("a check failed in the first part")

# A dead token would have got nothing but 401 from some point on, and the checks would have proved little.
if ! ask /v1/whoami >after.json || ! "$venv/bin/python" - whoami.json after.json <<'PYTHON'; then
import json, sys
before, after = (set(json.load(open(name))["permissions"]) for name in sys.argv[1:])
if before - after:
    sys.exit(f"lost: {sorted(before - after)}")
PYTHON
    failed+=("the token that asked did not keep its permissions")
fi

# These two may end the life of the token that asks, so they come last.
echo "--- the policy, and signing out ---"
run --max-examples 40 --phases examples,coverage,fuzzing \
    --include-name 'PUT /v1/policy' --include-name 'DELETE /v1/session' || failed+=("a check failed in the second part")

kill -TERM "$server"
wait "$server" || failed+=("the server ended with status $? after SIGTERM")
server=
if grep -q "panicked at" server.log; then failed+=("the server panicked: $(grep -m1 "panicked at" server.log)"); fi

if ((${#failed[@]})); then
    printf 'schemathesis: %s\n' "${failed[@]}" >&2
    exit 1
fi
