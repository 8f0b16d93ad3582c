#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The six programs, run for real on their own ports, against each other and against clients and
# servers written by others; those with tasks on each driver.
# shellcheck source=tests/process/_lib.sh
. "$(dirname "$0")/_lib.sh"
need nc socat curl
programs=$WEFT_BUILD/examples

start_at() { # tcp|udp PORT NAME
    start "$3" "$programs/$3"
    until_true "serves_$1" "$2" || fail "$3 does not serve $1 port $2"
}
stop() { # PID tcp|udp PORT
    ending_of "$1" INT
    equal 130 "$status" && until_true is_free "$2" "$3"
}
client_output() { # NAME
    timeout "$bound_s" "$programs/$1" 2>&1
}

# ---- 1 and 2: blocking TCP ----
raw_answer=$'HTTP/1.1 200 OK\r\n\r\nHello, World!'
start_at tcp 7878 tcp_hello_server
server=$pid
out=$work/tcp_hello_server.out
check "1 says that it listens" until_true is_in "$out" '^Server listening on port 7878\.\.\.$'
two_talks_to_one() {
    equal "Server response: $raw_answer" "$(client_output tcp_client)"
}
check "2 gets the answer of 1" two_talks_to_one
check "1 prints what 2 sent" until_true is_in "$out" '^Received: GET / HTTP/1\.1'
check "curl gets the answer of 1" \
    equal 'Hello, World!' "$(curl -sS --max-time "$bound_s" http://127.0.0.1:7878/)"
check "nc gets the answer of 1" \
    equal "$raw_answer" "$(printf 'hi\n' | timeout "$bound_s" nc -N 127.0.0.1 7878)"
check "1 survives clients that break off" "$here/bad_peer" reset 127.0.0.1 7878 30
check "1 serves on after that" two_talks_to_one
one_outlives_shortage() {
    # Without descriptors to spare accept waits; what we take away we give back.
    local limit
    limit=$(find "/proc/$server/fd" -mindepth 1 | wc -l)
    prlimit --pid "$server" --nofile="$limit:" || return 1
    exec 8<>/dev/tcp/127.0.0.1/7878
    printf x >&8
    until_true is_in "$work/tcp_hello_server.err" . || return 1
    prlimit --pid "$server" --nofile=1024:
    equal "$raw_answer" "$(timeout "$bound_s" cat <&8)"
}
check "1 reports a shortage and goes on" one_outlives_shortage
check "Ctrl-C ends 1" stop "$server" tcp 7878
two_is_refused() {
    local said
    said=$(client_output tcp_client)
    equal 1 $? && equal 1 "$(wc -l <<<"$said")" &&
        grep -q -E 'tcp_client\.c:[0-9]+: .*127\.0\.0\.1:7878: connection refused' <<<"$said"
}
check "2 says what went wrong, where, and in which line" two_is_refused
start zeds socat TCP4-LISTEN:7878,bind=127.0.0.1,reuseaddr \
    SYSTEM:'head -c 18; echo; head -c 100000 /dev/zero | tr "\\0" z'
until_true serves_tcp 7878
two_reads_all() {
    equal $((17 + 18 + 1 + 100000 + 1)) "$(client_output tcp_client | wc -c)"
}
check "2 reads to the end what socat sends" two_reads_all
taken() {
    start blocker nc -l 127.0.0.1 7878
    until_true serves_tcp 7878 || return 1
    timeout "$bound_s" "$programs/tcp_hello_server" >"$work/taken" 2>&1
    equal 1 $? && is_in "$work/taken" 'tcp_hello_server\.c:[0-9]*: .*127\.0\.0\.1:7878.*in use'
}
check "1 says when its port is taken" taken
kill "$pid"
check "the port is free again" until_true is_free tcp 7878

# ---- 3, 4 and 6: UDP ----
udp_server() { # NAME DRIVER
    export WEFT_DRIVER=$2
    start_at udp 8081 "$1"
    local server=$pid out=$work/$1.out
    check "4 gets its answer from $1 ($2)" \
        equal 'Received: Hello, UDP server!' "$(client_output udp_client)"
    check "$1 prints what it received ($2)" until_true is_in "$out" '^Received: Hello, UDP server!$'
    check "$1 answers socat ($2)" \
        equal hi "$(printf hi | socat -t1 - UDP:127.0.0.1:8081)"
    head -c 60000 /dev/zero | tr '\0' d >"$work/datagram"
    check "$1 sends back 60,000 bytes ($2)" eval \
        'socat -b65536 -t1 - UDP:127.0.0.1:8081 <"$work/datagram" | cmp - "$work/datagram"'
    check "an empty datagram goes to $1 ($2)" \
        socat -u /dev/null UDP:127.0.0.1:8081,shut-null
    check "$1 prints and survives it ($2)" until_true is_in "$out" '^Received: $'
    check "4 gets its answer from $1 again ($2)" \
        equal 'Received: Hello, UDP server!' "$(client_output udp_client)"
    check "Ctrl-C ends $1 ($2)" stop "$server" udp 8081
    unset WEFT_DRIVER
}
udp_server udp_echo_server epoll
for driver in $(drivers); do
    udp_server udp_echo_tasks "$driver"
done
four_is_refused() {
    local said
    said=$(client_output udp_client)
    equal 1 $? && grep -q 'udp_client\.c:[0-9]*: .*127\.0\.0\.1:8081.*refused' <<<"$said"
}
check "4 says when nobody is there" four_is_refused

# ---- 5: TCP in tasks ----
head -c 300000 /dev/urandom >"$work/data"
file_comes_back() {
    timeout "$bound_s" socat -t"$bound_s" - TCP:127.0.0.1:7878 <"$work/data" |
        cmp - "$work/data"
}
for driver in $(drivers); do
    export WEFT_DRIVER=$driver
    start_at tcp 7878 tcp_echo_tasks
    server=$pid
    check "5 sends a file back to socat ($driver)" file_comes_back
    check "5 prints who came ($driver)" \
        until_true is_in "$work/tcp_echo_tasks.out" '^New connection: 127\.0\.0\.1:[0-9][0-9]*$'
    check "5 serves 1,000 clients at once ($driver)" \
        timeout 100 "$here/many_clients" 127.0.0.1 7878 1000 5
    check "5 printed each of them ($driver)" \
        until_true eval '[ "$(grep -c "^New connection" "$work/tcp_echo_tasks.out")" -eq 1001 ]'
    check "5 survives clients that break off ($driver)" "$here/bad_peer" reset 127.0.0.1 7878 30
    check "5 names their error ($driver)" \
        until_true is_in "$work/tcp_echo_tasks.err" '^\(read\|write\): E[A-Z]*$'
    check "5 serves on after that ($driver)" \
        equal hi "$(printf 'hi\n' | timeout "$bound_s" nc -N 127.0.0.1 7878)"
    check "Ctrl-C ends 5 ($driver)" stop "$server" tcp 7878
done
finish
