#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Peers that reset, stall, send a byte at a time or never read: none of them harms another client,
# of `weft echo` and of `weft hello`, on each driver and with plain threads.
# shellcheck source=tests/process/_lib.sh
. "$(dirname "$0")/_lib.sh"
need socat curl

head -c 200000 /dev/urandom >"$work/data"

harms_nobody() { # echo|hello
    if [ "$1" = echo ]; then
        timeout "$bound_s" socat -t"$bound_s" - "TCP:$tcp" <"$work/data" | cmp - "$work/data"
    else
        equal 'Hello, World!' "$(curl -sS --max-time "$bound_s" "http://$tcp/")"
    fi
}
begin() { # MODE COUNT-OR-TEXT
    start "$1" "$here/bad_peer" "$1" 127.0.0.1 "$port" "$2"
    until_true is_in "$work/$1.out" ready
}
is_idle() { # PID: no processor time in a tenth of a second
    local before
    before=$(cpu_ticks "$1")
    sleep 0.1
    [ "$(cpu_ticks "$1")" -eq "$before" ]
}

try_server() { # DRIVER echo|hello ARGS...
    local driver=$1 command=$2 who="$1 $2"
    start_server server "${@:2}"
    local server=$pid
    check "$who: 300 resets harm nobody" "$here/bad_peer" reset 127.0.0.1 "$port" 300
    check "$who: another client is served after them" harms_nobody "$command"
    check "$who: 50 clients begin to stall" begin stall 50
    check "$who: another client is served meanwhile" harms_nobody "$command"
    check "$who: 20 clients that never read fill their buffers" begin flood 20
    check "$who: another client is served meanwhile, too" harms_nobody "$command"
    check "$who: they cost no processor time" until_true is_idle "$server"
    check "$who: one client drips" begin drip $'GET / HTTP/1.1\r\nHost: x\r\n\r\n'
    check "$who: another client is served besides" harms_nobody "$command"
    check "$who: the dripping one is served as well" kill -0 "$pid"
    check "$who: nothing was complained about" equal "" "$(cat "$work/server.err")"
    ending_of "$server" INT
    check "$who: Ctrl-C ends it with all of them connected" equal 0 "$status"
    end_started
}

for driver in $(drivers) thread; do
    args=()
    export WEFT_DRIVER=$driver
    if [ "$driver" = thread ]; then
        unset WEFT_DRIVER
        args=(--blocking)
    fi
    try_server "$driver" echo --tcp 127.0.0.1:0 --udp 127.0.0.1:0 "${args[@]}"
    try_server "$driver" hello 127.0.0.1:0 "${args[@]}"
done
finish
