#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# SIGINT and SIGTERM while 200 clients keep `weft echo` busy: it ends with status 0, having closed
# every connection, on each driver. And what a second signal does to a server that does not end.
# shellcheck source=tests/process/_lib.sh
. "$(dirname "$0")/_lib.sh"

clients_count=200

ends_under_load() { # SIGNAL
    local server=$pid
    start clients "$here/restless" 127.0.0.1 "$port" "$clients_count"
    until_true is_in "$work/clients.out" '^all are served$' || return 1
    ending_of "$server" "$1"
    equal 0 "$status" && is_in "$work/server.out" '^stopped$' &&
        until_true is_in "$work/clients.out" '^all are closed$' &&
        equal "" "$(cat "$work/server.err")"
}

for driver in $(drivers); do
    for signal in INT TERM; do
        WEFT_DRIVER=$driver start_server server echo --tcp 127.0.0.1:0 --udp 127.0.0.1:0
        check "$driver: SIG$signal under load closes every connection" ends_under_load $signal
    done
done
start_server server echo --tcp 127.0.0.1:0 --udp 127.0.0.1:0 --blocking
check "thread: SIGTERM under load closes every connection" ends_under_load TERM

# ---- A task that does not end ----
# It blocks its worker, so the stop waits for it; a second Ctrl-C ends the process all the same.
start stubborn "$here/stubborn"
until_true is_in "$work/stubborn.out" '^ready$' || fail "stubborn does not start"
kill -INT "$pid"
until_true is_in "$work/stubborn.err" 'mule (stubborn)' || fail "the straggler is not named"
names_it() {
    is_in "$work/stubborn.err" '^weft: stop: 1 task is still alive after the grace: mule '
}
check "a task that did not end is named" names_it
dies_of_the_second() {
    ending_of "$pid" INT
    equal 130 "$status"
}
check "the second Ctrl-C is the system's" dies_of_the_second
finish
