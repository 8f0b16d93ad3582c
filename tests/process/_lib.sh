# SPDX-License-Identifier: MIT
# Sourced by every process test: a network of its own, helpers to start programs and to wait for a
# state, and the promise that whatever was started is ended. Not a test itself.
#
# A test is a list of `check "a sentence that is true" function args...`; `finish` ends it. Every
# wait is for a state, with a bound that only ends hangs.
# shellcheck shell=bash

set -u -o pipefail
: "${WEFT_BUILD:?the build folder}" "${WEFT_SOURCE:?the source folder}"
weft=$WEFT_BUILD/weft
here=$WEFT_BUILD/tests/process # helper programs
bound_s=30

# The examples have fixed ports, so each test runs in a network namespace of its own, where it meets
# nobody, not even a server that the developer runs. Where that is not permitted, a lock keeps the
# tests apart.
isolate() {
    [ -z "${WEFT_TEST_NETWORK:-}" ] || return 0
    local flags
    for flags in -n -rn; do
        if unshare $flags ip link set lo up 2>/dev/null; then
            # shellcheck disable=SC2016 # expanded by the shell inside
            WEFT_TEST_NETWORK=own exec timeout --foreground -k 5 900 unshare $flags \
                bash -c 'ip link set lo up && exec bash "$@"' _ "$0" "$@"
        fi
    done
    echo "note: no network namespace permitted; using the machine's loopback"
    exec 9>"${TMPDIR:-/tmp}/weft-process-tests.lock"
    flock -w 600 9 || exit 77
    export WEFT_TEST_NETWORK=shared
}
isolate "$@"

# Put before a command: takes what root may do beyond others, also in a namespace of our own.
unprivileged=()
if [ "$(id -u)" -eq 0 ]; then
    unprivileged=(setpriv --inh-caps=-all --bounding-set=-all --no-new-privs)
fi

work=$(mktemp -d)
pids=()
checks_count=0

# Ends what this test started, by its number, and nothing else. Each is a session of its own, so
# that what it started in turn ends as well.
end_started() {
    local pid
    for pid in "${pids[@]}"; do
        kill -KILL -- "-$pid"
    done 2>/dev/null
    wait 2>/dev/null
    pids=()
}
end_all() {
    exec 2>/dev/null # the shell's own word on each that was killed
    end_started
    rm -rf "$work"
}
trap end_all EXIT
trap 'exit 1' TERM INT

fail() {
    echo "FAILED: $*"
    local file
    for file in "$work"/*.out "$work"/*.err; do
        [ -s "$file" ] && { echo "--- ${file##*/}"; tail -n 20 "$file"; }
    done
    exit 1
}

check() {
    local sentence=$1
    shift
    "$@" || fail "$sentence"
    checks_count=$((checks_count + 1))
    echo "ok: $sentence"
}

finish() {
    echo "$checks_count checks passed"
    exit 0
}

skip() {
    echo "skipped: $*"
    exit 77
}

need() {
    local tool
    for tool in "$@"; do
        command -v "$tool" >/dev/null || skip "no $tool on this machine"
    done
}

equal() { # EXPECTED ACTUAL
    [ "$1" = "$2" ] && return 0
    printf 'expected: %q\n     got: %q\n' "$1" "$2"
    return 1
}

# Waits until a command succeeds.
until_true() {
    local end=$((SECONDS + bound_s))
    until "$@"; do
        [ $SECONDS -lt $end ] || { echo "never came true: $*"; return 1; }
        sleep 0.02
    done
}

is_in() { # FILE PATTERN
    grep -q -e "$2" "$1" 2>/dev/null
}

# Starts a program under a name; its output goes to $work/NAME.out and .err, its number to $pid.
# A shell lets its background jobs ignore SIGINT; a server in a terminal does not.
start() { # NAME COMMAND...
    local name=$1
    shift
    rm -f "$work/$name.out" "$work/$name.err" # nobody shall read what a predecessor wrote
    setsid env --default-signal=INT,QUIT "$@" >"$work/$name.out" 2>"$work/$name.err" 9>&- &
    pid=$!
    pids+=("$pid")
}

# Starts `weft` under a name and waits until it listens; the addresses go to $tcp and $udp.
start_server() { # NAME ARGS...
    start "$1" "$weft" "${@:2}"
    until_true is_in "$work/$1.out" "Ctrl-C" || fail "weft ${*:2} does not listen"
    tcp=$(awk '$1 == "TCP" || $1 == "HTTP" { print $2 }' "$work/$1.out")
    udp=$(awk '$1 == "UDP" { print $2 }' "$work/$1.out")
    port=${tcp##*:}
    udp_port=${udp##*:}
}

# Whether anybody serves a fixed port. A socket of io_uring may outlive its process by some
# milliseconds (docs/decisions/006), so who ends a server and needs its port, or nobody at it, waits
# until it is free.
serves_tcp() { # PORT
    grep -q ":$(printf %04X "$1") 00000000:0000 0A" /proc/net/tcp
}
serves_udp() { # PORT
    grep -q ":$(printf %04X "$1") 00000000:0000 07" /proc/net/udp
}
is_free() { # tcp|udp PORT
    ! "serves_$1" "$2"
}

# Ends a program with a signal and gives its exit status.
ending_of() { # PID SIGNAL
    kill "-$2" "$1"
    until_true is_gone "$1" || return 1
    wait "$1" 2>/dev/null
    status=$?
}

is_gone() {
    ! kill -0 "$1" 2>/dev/null || [ "$(process_state "$1")" = Z ]
}

process_state() {
    local line
    line=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
    line=${line##*) }
    echo "${line%% *}"
}

# The processor time a process has used, in hundredths of a second.
cpu_ticks() {
    local line
    line=$(cat "/proc/$1/stat") || return 1
    # shellcheck disable=SC2086 # split into fields on purpose
    set -- ${line##*) }
    echo $((${12} + ${13}))
}

# The drivers that work here. epoll always does.
drivers() {
    if "$weft" doctor --json | grep -q '"name": "uring".*"value": "works"'; then
        echo epoll uring
    else
        echo epoll
    fi
}

# Runs a command that must fail: with STATUS, with nothing on stdout, and with exactly one line on
# stderr, which begins with "weft: " and matches PATTERN.
refuses() { # STATUS PATTERN COMMAND...
    local expected=$1 pattern=$2
    shift 2
    timeout "$bound_s" "$@" </dev/null >"$work/refusal.out" 2>"$work/refusal.err"
    local status=$?
    if [ $status -ne "$expected" ] || [ -s "$work/refusal.out" ] ||
        [ "$(wc -l <"$work/refusal.err")" -ne 1 ] ||
        ! grep -q -E "^weft: .*($pattern)" "$work/refusal.err"; then
        echo "'$*' ended with $status, expected $expected and one line with: $pattern"
        return 1
    fi
}
