#!/usr/bin/env bash
# Runs a small installation as it would stand in production, on this machine alone: PostgreSQL, Redis, two servers, two
# workers, HAProxy in front. Everything lives in one folder and ends with Ctrl-C.
#
#   run-stack.sh FOLDER    (called by `make run-stack`; the folder is made if it is missing, and kept)
#
# SIGHUP restarts servers and workers one after another, as a rolling update would.
set -euo pipefail
cd "$(dirname "$0")/../.."

folder=$(realpath -m "${1:?"usage: run-stack.sh FOLDER"}")
binaries=${STACK_BINARIES:-target/release}
front=${STACK_PORT:-8080}
base=${STACK_BASE_PORT:-18080}
postgres_port=$((base + 10)) redis_port=$((base + 11)) figures_port=$((base + 12))
mkdir -p "$folder"

programs=$(find /usr/lib/postgresql -maxdepth 2 -name bin | sort -V | tail -n 1)
as_postgres=()
if [ "$(id -u)" = 0 ]; then
    as_postgres=(setpriv --reuid=postgres --regid=postgres --clear-groups)
fi

declare -A running
say() { printf 'stack: %s\n' "$*"; }

start() {
    local name=$1
    shift
    "$@" >>"$folder/$name.log" 2>&1 &
    running[$name]=$!
}

stop() {
    local name=$1
    [ -n "${running[$name]:-}" ] || return 0
    kill -TERM "${running[$name]}" 2>/dev/null || true
    wait "${running[$name]}" 2>/dev/null || true
    unset "running[$name]"
}

finish() {
    trap - EXIT INT TERM HUP
    say "stopping"
    for name in haproxy worker-1 worker-2 api-1 api-2 redis; do stop "$name"; done
    if [ -n "${running[postgres]:-}" ]; then
        # A fast shutdown: it does not wait for connections that nobody closes.
        kill -INT "${running[postgres]}" 2>/dev/null || true
        wait "${running[postgres]}" 2>/dev/null || true
    fi
}
trap finish EXIT
trap 'exit 0' INT TERM

all_run() {
    local name
    for name in "${!running[@]}"; do
        kill -0 "${running[$name]}" 2>/dev/null || { say "$name has ended; see $folder/$name.log"; exit 1; }
    done
}

until_true() {
    local tries=0
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ "$tries" -lt 600 ] || { say "gave up waiting for: $*"; exit 1; }
        all_run
        sleep 0.1
    done
}

export SITEWATCH_DATABASE_URL="postgres://postgres@127.0.0.1:$postgres_port/sitewatch"
export SITEWATCH_REDIS_URL="redis://127.0.0.1:$redis_port/0"
export SITEWATCH_PUBLIC_URL="http://127.0.0.1:$front"
# The balancer tells who asks.
export SITEWATCH_TRUSTED_PROXIES=127.0.0.1
[ -e "$folder/secret" ] || (umask 077 && "$binaries/sitewatch-api" config secret >"$folder/secret")
SITEWATCH_SECRET_KEY=$(cat "$folder/secret")
export SITEWATCH_SECRET_KEY
# Of all of them: a report that one worker makes is fetched from any server.
export SITEWATCH_DATA_DIR="$folder/data"

api() { start "api-$1" env SITEWATCH_BIND="127.0.0.1:$((base + $1))" SITEWATCH_MANAGEMENT_BIND= "$binaries/sitewatch-api" serve; }
worker() { start "worker-$1" env SITEWATCH_WORKER_MANAGEMENT_BIND= "$binaries/sitewatch-worker" run; }
ready() { curl -fs "http://127.0.0.1:$((base + $1))/health/ready"; }

# Whether the load balancer knows that a server is back: before that the next one has to stay.
balanced() { curl -fs "http://127.0.0.1:$figures_port/;csv" | cut -d , -f 1,2,18 | grep -qx "servers,api-$1,UP"; }

roll() {
    for number in 1 2; do
        say "restarting api-$number and worker-$number"
        stop "api-$number"
        api "$number"
        until_true ready "$number"
        until_true balanced "$number"
        stop "worker-$number"
        worker "$number"
    done
    say "restarted"
}

if [ ! -d "$folder/postgres" ]; then
    mkdir -p "$folder/postgres"
    [ "$(id -u)" != 0 ] || { chmod 755 "$folder"; chown postgres "$folder/postgres"; }
    "${as_postgres[@]}" "$programs/initdb" -D "$folder/postgres" -U postgres -A trust >"$folder/initdb.log"
fi
start postgres "${as_postgres[@]}" "$programs/postgres" -D "$folder/postgres" -p "$postgres_port" -k '' -c listen_addresses=127.0.0.1
start redis redis-server --port "$redis_port" --bind 127.0.0.1 --save '' --dir "$folder"
until_true psql -h 127.0.0.1 -p "$postgres_port" -U postgres -c 'SELECT 1'
psql -h 127.0.0.1 -p "$postgres_port" -U postgres -qc 'CREATE DATABASE sitewatch' 2>/dev/null || true
"$binaries/sitewatch-api" migrate up

cat >"$folder/haproxy.cfg" <<CONFIG
global
    maxconn 4096
defaults
    mode http
    option forwardfor
    timeout connect 2s
    timeout client 60s
    timeout server 60s
    # Without it a check has to be answered before the next one.
    timeout check 2s
    option redispatch
    retries 3
    # A server that is being restarted refuses or closes before it has read anything.
    retry-on conn-failure empty-response
frontend sitewatch
    bind 127.0.0.1:$front
    default_backend servers
frontend figures
    bind 127.0.0.1:$figures_port
    stats enable
    stats uri /
backend servers
    balance leastconn
    option httpchk GET /health/ready
    # What may have been read is sent again only if that changes nothing.
    http-request disable-l7-retry unless METH_GET
    default-server check inter 200ms fall 1 rise 1
    server api-1 127.0.0.1:$((base + 1))
    server api-2 127.0.0.1:$((base + 2))
CONFIG

for number in 1 2; do api "$number"; until_true ready "$number"; worker "$number"; done
start haproxy haproxy -db -f "$folder/haproxy.cfg"
until_true curl -fs "http://127.0.0.1:$front/health"
trap roll HUP
say "http://127.0.0.1:$front is up (logs in $folder; SIGHUP to process $$ restarts one after another; Ctrl-C ends it)"
while :; do
    sleep 1 &
    wait $! || true
    all_run
done
