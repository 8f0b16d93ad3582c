#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `weft connect` against servers written by others: what goes in and out, half-closes, escapes, and
# the one deadline over everything.
# shellcheck source=tests/process/_lib.sh
. "$(dirname "$0")/_lib.sh"
need socat nc

connect() {
    timeout "$bound_s" "$weft" connect "$@"
}
# A server made by socat on a free port; gives the port. socat -dd tells where it listens.
serve() { # NAME ADDRESS-TYPE(tcp|udp) SOCAT-ADDRESS
    local kind=TCP4-LISTEN options=reuseaddr,fork
    [ "$2" = udp ] && kind=UDP4-RECVFROM options=fork
    # Asking for a port and serving on it is two steps, so a taken one is asked for again.
    while :; do
        peer_port=$((20000 + RANDOM % 10000))
        start "$1" socat "$kind:$peer_port,bind=127.0.0.1,$options" "$3"
        until_true listens_or_ended "$2" "$peer_port"
        is_gone "$pid" || return 0
    done
}
listens_or_ended() { # KIND PORT
    is_gone "$pid" || grep -qi ": 0100007F:$(printf %04X "$2") " "/proc/net/$1"
}

# ---- TCP ----
head -c 3000000 /dev/urandom >"$work/data"
serve cat tcp EXEC:cat
url=tcp://127.0.0.1:$peer_port
round_trip() {
    connect "$url" <"$work/data" | cmp - "$work/data"
}
check "3 MB of input come back, then both ends end" round_trip
sends_text() {
    equal $'a\tb\n\x01\\' "$(connect --send 'a\tb\n\x01\\' "$url")"
}
check "--send knows the escapes of C" sends_text
sends_nul() {
    equal '61 00 62 0a 41 ff' "$(connect --send 'a\0b\12\101\xff' "$url" | od -An -tx1 | xargs)"
}
check "--send can send any byte" sends_nul
check "no input is no error" equal "" "$(connect "$url" </dev/null)"
check "a slash may end the URL" equal x "$(connect --send x "$url/")"
check "a name is looked up" equal x "$(connect --send x "tcp://localhost:$peer_port")"
closed_input() {
    connect "$url" <&- 2>"$work/err"
    equal "0:" "$?:$(cat "$work/err")"
}
check "a closed standard input is an empty one" closed_input
unreadable_input() {
    connect "$url" </ 2>"$work/err"
    is_in "$work/err" "^weft: standard input: Is a directory$"
}
check "unreadable input is reported" unreadable_input

serve greeter tcp 'SYSTEM:echo greeting'
first_ends() {
    exec 8<> <(:) # an input that never ends
    equal greeting "$(connect "tcp://127.0.0.1:$peer_port" <&8)"
}
check "the peer's end is the end, whatever the input does" first_ends

serve counter tcp 'SYSTEM:wc -c'
half_close() {
    equal 3000000 "$(connect "tcp://127.0.0.1:$peer_port" <"$work/data" | tr -d ' ')"
}
check "the end of input is told, the answer still read" half_close


# ---- The deadline ----
serve mute tcp 'SYSTEM:sleep 1000'
silent=$peer_port
check "--timeout ends a transfer" refuses 1 "127.0.0.1:$silent: timed out .--timeout 200ms.$" \
    "$weft" connect --timeout 200ms "tcp://127.0.0.1:$silent"
check "--timeout 0 ends it at once" refuses 1 "timed out" "$weft" connect --timeout 0 "$url"
check "--timeout reads 1m30s" equal x "$(connect --timeout 1m30s --send x "$url")"
check "--timeout reads 0.5m" equal x "$(connect --timeout 0.5m --send x "$url")"
waits_for_reader() {
    # The peer never reads: what we send fills its buffers, and the deadline ends the writing.
    refuses 1 "timed out" \
        bash -c "'$weft' connect --timeout 300ms tcp://127.0.0.1:$silent </dev/zero"
}
check "--timeout ends a write that waits" waits_for_reader

# ---- Breaking off ----
gone_reader() {
    yes | head -c 1000000 >"$work/yes"
    timeout "$bound_s" "$weft" connect "$url" <"$work/yes" | head -c 1 >"$work/one"
    equal "141 0" "${PIPESTATUS[*]}"
}
check "a reader that went away ends it by SIGPIPE, as any filter" gone_reader
full_disk() {
    connect --send x "$url" >/dev/full 2>"$work/err"
    equal 1 $? && is_in "$work/err" "^weft: standard output: No space left on device$"
}
check "a full disk is a failure" full_disk
interrupt() {
    exec 8<> <(:)
    setsid env --default-signal=INT "$weft" connect "tcp://127.0.0.1:$silent" <&8 &
    pid=$!
    pids+=("$pid")
    until_true is_connected || return 1
    ending_of "$pid" INT
    equal 130 "$status"
}
is_connected() {
    grep -qi " 0100007F:$(printf %04X "$silent") 01 " /proc/net/tcp
}
check "Ctrl-C ends it with status 130" interrupt

# ---- UDP ----
serve udp_cat udp EXEC:cat
udp_url=udp://127.0.0.1:$peer_port
check "--send gets one answer, as a line" equal hello "$(connect --send hello "$udp_url")"
lines() {
    equal $'one\ntwo\n\nfour' "$(printf 'one\ntwo\n\nfour' | connect "$udp_url")"
}
start_server server echo --tcp 127.0.0.1:0 --udp 127.0.0.1:0
udp_url=udp://$udp
check "each line is a datagram, an empty one, too" lines
check "lines of --send are datagrams as well" \
    equal $'one\ntwo\n\nfour' "$(connect --send 'one\ntwo\n\nfour' "$udp_url")"
check "a final newline of --send ends its last line" \
    equal '68 69 0a' "$(connect --send 'hi\n' "$udp_url" | od -An -tx1 | xargs)"
long_line() {
    head -c 60000 /dev/zero | tr '\0' a >"$work/long"
    connect "$udp_url" <"$work/long" | head -c 60000 | cmp - "$work/long"
}
check "a line of 60,000 bytes is one datagram" long_line
too_long() {
    head -c 65600 /dev/zero | tr '\0' a >"$work/long"
    connect "$udp_url" <"$work/long" 2>"$work/err"
    equal 1 $? && is_in "$work/err" "^weft: .*too long"
}
check "a line longer than a datagram is refused" too_long
serve sink udp 'SYSTEM:cat >/dev/null'
check "no answer in time is a failure" refuses 1 "127.0.0.1:$peer_port.*timed out" \
    "$weft" connect --timeout 300ms --send x "udp://127.0.0.1:$peer_port"
slow_typist() {
    exec 8<> <(:)
    "$weft" connect --timeout 300ms "$udp_url" <&8 2>"$work/err"
    equal 1 $? && is_in "$work/err" "timed out"
}
check "--timeout also ends waiting for input" slow_typist
finish
