#!/usr/bin/env bash
# Puts real gateways (Debian's nginx, Caddy and HAProxy) in front of an upstream that tells what reaches it, with the
# recipes of docs/operations.md word for word, and a running server behind /gate. What passes, what is refused, and what an
# attacker can forge: one line for each; what fails says what and where.
#
#   tests/gateways.sh [nginx | caddy | haproxy]...
#
# Needs target/debug/tokenhouse (cargo build), the three programs, and python3. Nothing is installed and no service is
# started: the programs run in a folder of their own, on free ports of 127.0.0.0/8.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export TOKENHOUSE_BIN=${TOKENHOUSE_BIN:-$root/target/debug/tokenhouse}
[[ -x $TOKENHOUSE_BIN ]] || { echo "$TOKENHOUSE_BIN is missing: cargo build" >&2; exit 2; }
# Debian keeps servers away from users' PATH.
PATH=$PATH:/usr/sbin:/sbin
for program in nginx caddy haproxy; do
    command -v "$program" >/dev/null || { echo "$program is missing: apt-get install nginx-light caddy haproxy" >&2; exit 2; }
done
PYTHONDONTWRITEBYTECODE=1 exec python3 "$root/tests/gateways/run.py" "$@"
