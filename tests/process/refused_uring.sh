#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A kernel that refuses io_uring, in the ways containers and limits have: weft serves on epoll and
# says why, and with WEFT_DRIVER=uring it fails with the cause.
# shellcheck source=tests/process/_lib.sh
. "$(dirname "$0")/_lib.sh"
need nc setpriv

[ "$(drivers)" = "epoll uring" ] || skip "io_uring does not work here anyway"
"$here/without_uring" 1 true || skip "seccomp is not permitted here"

serves() {
    equal hi "$(printf 'hi\n' | timeout "$bound_s" nc -N 127.0.0.1 "$port")"
}
tells() { # PATTERN
    grep -E "^  driver epoll \(io_uring refused: .*($1)" "$work/server.out"
}
noted() { # PATTERN, COMMAND PREFIX...
    local pattern=$1
    shift
    "$@" "$weft" doctor --json >"$work/json" || return 1
    grep -E '"name": "uring", "verdict": "note".*'"$pattern"'.*"cure": "[^"]' "$work/json" &&
        grep -q '"name": "driver", "verdict": "ok", "value": "epoll"' "$work/json"
}

try_refusal() { # NAME PATTERN COMMAND PREFIX...
    local name=$1 pattern=$2
    shift 2
    start server env -u WEFT_DRIVER "$@" "$weft" echo --tcp 127.0.0.1:0 --udp 127.0.0.1:0
    check "$name: auto starts all the same" until_true is_in "$work/server.out" "Ctrl-C"
    port=$(awk '$1 == "TCP" { sub(/.*:/, "", $2); print $2 }' "$work/server.out")
    check "$name: it says on which driver and why" tells "$pattern"
    check "$name: it serves" serves
    check "$name: uring alone is refused with the cause" refuses 1 \
        "start: io_uring refused: .*($pattern)" env WEFT_DRIVER=uring "$@" "$weft" hello 127.0.0.1:0
    check "$name: doctor has the cause and a cure" noted "$pattern" "$@"
    ending_of "$pid" INT
}

try_refusal EPERM "operation not permitted" "$here/without_uring" 1
try_refusal ENOMEM "out of memory|not enough memory|cannot allocate memory" "$here/without_uring" 12
try_refusal EACCES "permission denied" "$here/without_uring" 13
try_refusal EINVAL "invalid argument" "$here/without_uring" 22
try_refusal EMFILE "too many open files|out of .*descriptors" "$here/without_uring" 24
try_refusal ENOSYS "not provided by this system" "$here/without_uring" 38

# Not every kernel counts what a ring takes.
no_memory=("${unprivileged[@]}" prlimit --memlock=0:0)
if ! "${no_memory[@]}" "$weft" doctor --json | grep -q '"name": "uring".*"value": "works"'; then
    try_refusal "RLIMIT_MEMLOCK" "out of memory" "${no_memory[@]}"
fi
finish
