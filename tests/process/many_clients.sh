#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# 10,000 clients of `weft echo` at once, from another process, on each driver: every byte comes
# back, and Ctrl-C still ends the server with all of them connected.
# shellcheck source=tests/process/_lib.sh
. "$(dirname "$0")/_lib.sh"

clients_count=${WEFT_TEST_CLIENTS:-10000}
needed=$((clients_count + 64))
hard=$(ulimit -Hn)
if [ "$hard" != unlimited ] && [ "$hard" -lt $needed ]; then
    skip "$clients_count clients need $needed descriptors; the hard limit (ulimit -Hn) is $hard"
fi
ulimit -n "$hard"

crowd() {
    timeout 150 "$here/many_clients" 127.0.0.1 "$port" "$clients_count" 5
}
quick_end() {
    ending_of "$pid" INT
    equal 0 "$status"
}
for driver in $(drivers); do
    WEFT_DRIVER=$driver start_server server echo --tcp 127.0.0.1:0 --udp 127.0.0.1:0
    check "$driver: $clients_count clients at once, every byte comes back" crowd
    check "$driver: a second crowd on the same server" crowd
    check "$driver: nothing was complained about" equal "" "$(cat "$work/server.err")"
    check "$driver: Ctrl-C ends it" quick_end
done
finish
