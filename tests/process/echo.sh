#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `weft echo` against clients written by others, on each driver and with plain threads; how it
# starts, how it tells about itself, and how Ctrl-C ends it.
# shellcheck source=tests/process/_lib.sh
. "$(dirname "$0")/_lib.sh"
need nc socat setpriv

head -c 300000 /dev/urandom >"$work/data"

nc_line() {
    equal hi "$(printf 'hi\n' | timeout "$bound_s" nc -N 127.0.0.1 "$port")"
}
# 300 KB both ways at once, then a half-close: the rest comes back after it.
socat_file() {
    timeout "$bound_s" socat -t"$bound_s" - "TCP:$tcp" <"$work/data" | cmp - "$work/data"
}
# Two at a time, the first of which is silent.
second_client() {
    exec 8<>"/dev/tcp/127.0.0.1/$port"
    nc_line || return 1
    local line
    printf 'late\n' >&8
    read -r -t "$bound_s" -u 8 line
    exec 8>&-
    equal late "$line"
}
nc_datagram() {
    equal hi "$(printf 'hi\n' | nc -u -w1 127.0.0.1 "$udp_port")"
}
socat_datagram() { # BYTES
    head -c "$1" "$work/data" >"$work/datagram"
    timeout "$bound_s" socat -b65536 -t1 - "UDP:$udp" <"$work/datagram" | cmp - "$work/datagram"
}
stops_by() { # SIGNAL
    ending_of "$pid" "$1"
    equal 0 "$status" && is_in "$work/server.out" '^stopped$' &&
        equal "" "$(cat "$work/server.err")"
}
tells() { # DRIVER
    is_in "$work/server.out" "^  driver $1 (..*)" && is_in "$work/server.out" "try: .*nc -q1" &&
        is_in "$work/server.out" "try: .*nc -u"
}

try_server() { # DRIVER ARGS...
    local driver=$1
    shift
    start_server server echo --tcp 127.0.0.1:0 --udp 127.0.0.1:0 "$@"
    check "$driver: tells its addresses, its driver and how to try it" tells "$driver"
    check "$driver: nc gets its line back" nc_line
    check "$driver: a silent client keeps nobody waiting" second_client
    check "$driver: socat gets a file back, half-closing" socat_file
    check "$driver: nc -u gets its datagram back" nc_datagram
    check "$driver: a datagram of one byte comes back" socat_datagram 1
    check "$driver: a datagram of 60,000 bytes comes back" socat_datagram 60000
}

for driver in $(drivers); do
    export WEFT_DRIVER=$driver
    try_server "$driver"
    check "$driver: Ctrl-C ends it in good order" stops_by INT
done
unset WEFT_DRIVER
try_server thread --blocking
check "thread: Ctrl-C ends it in good order" stops_by INT

# ---- Starting ----
start_server server echo --tcp '[::1]:0' --udp '[::1]:0'
ipv6_line() {
    equal hi "$(printf 'hi\n' | timeout "$bound_s" nc -N ::1 "$port")"
}
check "an IPv6 address is served as well" ipv6_line
check "SIGTERM ends it in good order" stops_by TERM

start_server server echo --tcp 0.0.0.0:0 --udp 0.0.0.0:0
check "any address is tried on the loopback" is_in "$work/server.out" "nc -q1 127.0.0.1 $port"
check "SIGHUP ends it in good order" stops_by HUP

start_server server echo --tcp localhost:0 --udp localhost:0
check "a name may be listened on" is_in "$work/server.out" "TCP  .*:$port"

# ---- Signals ----
# The first Ctrl-C is the library's. A second one is the system's: it ends the program whatever it
# does.
disposition() { # FIELD
    awk -v field="$1:" '$1 == field { print substr($2, length($2)) }' "/proc/$pid/status"
}
sane_signals() {
    equal 0 "$((0x$(disposition SigIgn) & 2))" && equal 2 "$((0x$(disposition SigCgt) & 2))"
}
check "SIGINT is not ignored but caught" sane_signals
survives_stop() {
    kill -STOP "$pid" && until_true stopped && kill -CONT "$pid" && nc_line_at "$tcp"
}
stopped() {
    [ "$(process_state "$pid")" = T ]
}
nc_line_at() {
    equal hi "$(printf 'hi\n' | timeout "$bound_s" socat -t"$bound_s" - "TCP:$1")"
}
check "Ctrl-Z and fg do no harm" survives_stop
check "Ctrl-C with a client ends it, too" stops_by INT

ignores_interrupt() {
    setsid env --ignore-signal=INT "$weft" echo --tcp 127.0.0.1:0 --udp 127.0.0.1:0 \
        >"$work/nohup.out" &
    pid=$!
    pids+=("$pid")
    until_true is_in "$work/nohup.out" "Ctrl-C" || return 1
    kill -INT "$pid"
    nc_line_at "$(awk '$1 == "TCP" { print $2 }' "$work/nohup.out")" || return 1
    ending_of "$pid" TERM
    equal 0 "$status"
}
check "SIGINT that was ignored before stays ignored" ignores_interrupt

# ---- Drivers ----
refuses_bogus() {
    refuses 1 "bogus" env WEFT_DRIVER=bogus "$weft" echo --tcp 127.0.0.1:0 --udp 127.0.0.1:0
}
check "an unknown driver is refused" refuses_bogus
logs() { # VALUE OF WEFT_LOG, THE BEGINNING OF THE ONE LINE IT GIVES
    WEFT_LOG=$1 start_server server echo --tcp 127.0.0.1:0 --udp 127.0.0.1:0
    ending_of "$pid" TERM
    equal "$2" "$(cut -c "1-${#2}" "$work/server.err")"
}
check "WEFT_LOG=info tells the driver" logs info "weft: driver: "
check "an unknown WEFT_LOG is complained of once" logs bogus \
    "weft: WEFT_LOG=bogus is unknown: there are off, warn and info"
without_memory() { # VALUE OF WEFT_DRIVER
    "${unprivileged[@]}" prlimit --memlock=0:0 \
        env WEFT_DRIVER="$1" "$weft" doctor --json |
        grep -q '"name": "driver", "verdict": "ok"'
}
check "auto serves whatever io_uring says" without_memory auto
finish
