#!/bin/sh
# Installs what a command of the Makefile needs and the machine lacks. What is there already is left alone.
#
#   install-tools.sh build    a C compiler, to build and run Sitewatch
#   install-tools.sh test     that, and the servers of PostgreSQL and Redis, HAProxy, curl, Chromium and its driver,
#                             Prometheus' promtool, and programs that read PDF and XLSX, for the whole test run
#   install-tools.sh stack    that of `build`, and the servers of PostgreSQL and Redis, HAProxy and curl, for `make run-stack`
#
# It acts on Debian and Ubuntu, as root or with a sudo that asks for no password. Elsewhere it says what is missing.
set -eu

purpose=${1:?"usage: install-tools.sh build|test|stack"}
missing=""

has() { command -v "$1" >/dev/null 2>&1; }

has_postgres() {
    for folder in "$(pg_config --bindir 2>/dev/null || true)" /usr/lib/postgresql/*/bin /usr/pgsql-*/bin \
        /opt/homebrew/opt/postgresql@*/bin /usr/local/opt/postgresql@*/bin /usr/local/pgsql/bin; do
        [ -x "$folder/postgres" ] && [ -x "$folder/initdb" ] && return 0
    done
    return 1
}

need() { missing="$missing $1"; }

has cargo || {
    echo "Rust is missing: install it as https://rustup.rs says; the right version then comes by itself." >&2
    exit 1
}
has cc || need gcc
[ -e /usr/include/stdlib.h ] || [ "$(uname)" != Linux ] || need libc6-dev
if [ "$purpose" = test ]; then
    has_postgres || need postgresql
    has chromium || has chromium-browser || has google-chrome || need chromium
    has chromedriver || need chromium-driver
    has redis-server || need redis-server
    has haproxy || need haproxy
    has curl || need curl
    has promtool || need prometheus
    # Other programs that read what reports are.
    has pdftotext || need poppler-utils
    python=/usr/bin/python3
    [ -x "$python" ] || python=python3
    "$python" -c 'import openpyxl' 2>/dev/null || need python3-openpyxl
fi
if [ "$purpose" = stack ]; then
    has_postgres || need postgresql
    has redis-server || need redis-server
    has haproxy || need haproxy
    has curl || need curl
fi
[ -n "$missing" ] || exit 0

if ! has apt-get; then
    echo "Missing:$missing (as Debian names them). Install them with this system's package manager, and try again." >&2
    exit 1
fi
as_root=""
if [ "$(id -u)" != 0 ]; then
    if has sudo && sudo -n true 2>/dev/null; then
        as_root="sudo -n"
    else
        echo "Missing:$missing. Install them with: sudo apt-get install$missing" >&2
        exit 1
    fi
fi

apt_install() {
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" </dev/null
}

echo "Installing:$missing"
$as_root apt-get update -q </dev/null
case "$missing" in
*postgresql*)
    # The tests bring up servers of their own. The package would also start one on port 5432, today and at every boot.
    settings=/etc/postgresql-common/createcluster.conf
    apt_install postgresql-common
    $as_root cp "$settings" "$settings.before-sitewatch"
    $as_root sh -c "echo 'create_main_cluster = false' >> $settings"
    restore() { $as_root mv "$settings.before-sitewatch" "$settings"; }
    trap restore EXIT
    ;;
esac
# The names are words of our own making, to be split.
# shellcheck disable=SC2086
apt_install $missing
case "$missing" in
*prometheus*)
    # Only its promtool is wanted; the server listens on port 9090.
    if has systemctl; then $as_root systemctl disable --now prometheus >/dev/null 2>&1 || true; fi
    ;;
esac
case "$missing" in
*redis-server*)
    # Of Redis, too, the tests start their own; the package's listens on port 6379, today and at every boot.
    if has systemctl; then $as_root systemctl disable --now redis-server >/dev/null 2>&1 || true; fi
    ;;
esac
