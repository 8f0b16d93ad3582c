#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `ulimit -n 32` and 200 clients: the server says once what it is short of, serves on those it has,
# does not spin, and takes the others in as descriptors become free. On each driver and with plain
# threads.
# shellcheck source=tests/process/_lib.sh
. "$(dirname "$0")/_lib.sh"

limit=32
clients_count=200

# The crowd is made of bash's own sockets: fds[] are the clients not yet served.
open_crowd() {
    fds=()
    local i fd
    for ((i = 0; i < clients_count; i++)); do
        exec {fd}<>"/dev/tcp/127.0.0.1/$port" || return 1
        printf 'client %d\n' "$fd" >&"$fd"
        fds+=("$fd")
    done
}
# Reads the answers that are there. Who was answered goes from fds[] to served[].
collect() {
    local fd line waiting=()
    for fd in "${fds[@]}"; do
        if read -r -t 0 -u "$fd"; then
            read -r -t "$bound_s" -u "$fd" line && equal "client $fd" "$line" || return 1
            served+=("$fd")
        else
            waiting+=("$fd")
        fi
    done
    fds=("${waiting[@]}")
}
# Every descriptor is taken, and every connection that holds one was answered. (A plain thread that
# waits may take another descriptor, to be woken by.)
serves_all_it_can() {
    collect || return 1
    [ "$(count_fds)" -eq "$limit" ] && [ ${#served[@]} -eq $(($(count_sockets) - 2)) ]
}
speaks_to_all() {
    local fd line
    for fd in "${served[@]}"; do
        printf 'again %d\n' "$fd" >&"$fd"
    done
    for fd in "${served[@]}"; do
        read -r -t "$bound_s" -u "$fd" line && equal "again $fd" "$line" || return 1
    done
}
leave() {
    local fd
    for fd in "${served[@]}"; do
        exec {fd}>&-
    done
    served=()
}
everybody_gets_in() {
    collect || return 1
    leave
    [ ${#fds[@]} -eq 0 ]
}
complaints() {
    grep -c . "$work/server.err"
}
stays_calm() { # hundredths of a second of processor time in two seconds
    local before used
    before=$(cpu_ticks "$pid")
    sleep 2
    used=$(($(cpu_ticks "$pid") - before))
    echo "  (it used $used hundredths of a second in two seconds)"
    [ "$used" -le 40 ]
}
# The descriptors that count: one that was inherited above the limit takes no place below it.
count_fds() {
    find "/proc/$pid/fd" -mindepth 1 -printf '%f\n' | awk -v limit="$limit" '$1 < limit' | wc -l
}
count_sockets() {
    find "/proc/$pid/fd" -mindepth 1 -lname 'socket:*' | wc -l
}
is_left_alone() {
    [ "$(count_sockets)" -eq 2 ]
}

for driver in $(drivers) thread; do
    args=()
    export WEFT_DRIVER=$driver
    if [ "$driver" = thread ]; then
        unset WEFT_DRIVER
        args=(--blocking)
    fi
    served=()
    ulimit -S -n $limit
    start_server server echo --tcp 127.0.0.1:0 --udp 127.0.0.1:0 "${args[@]}"
    ulimit -S -n 1024
    check "$driver: 200 clients come" open_crowd
    check "$driver: as many are served as descriptors allow" until_true serves_all_it_can
    check "$driver: the shortage is reported once, with limit and cure" \
        until_true is_in "$work/server.err" '^weft: .*32.*ulimit -n'
    check "$driver: those that are in are served on" speaks_to_all
    check "$driver: it does not spin" stays_calm
    check "$driver: it was reported once" equal 1 "$(complaints)"
    check "$driver: those that are in are served still" speaks_to_all
    check "$driver: when some leave, others get in, till all were served" \
        until_true everybody_gets_in
    check "$driver: that was one shortage: one report" equal 1 "$(complaints)"
    check "$driver: everybody is gone" until_true is_left_alone
    check "$driver: a new crowd comes" open_crowd
    check "$driver: it is served to the last" until_true everybody_gets_in
    check "$driver: that was another shortage: another report" equal 2 "$(complaints)"
    ending_of "$pid" INT
    check "$driver: Ctrl-C ends it" equal 0 "$status"
done
finish
