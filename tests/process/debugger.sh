#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# gdb inside a task: a backtrace goes from the library through the program's own functions to the
# first frame of the task, and ends there.
# shellcheck source=tests/process/_lib.sh
. "$(dirname "$0")/_lib.sh"
need gdb nc
grep -q '^WEFT_SANITIZE:STRING=.' "$WEFT_BUILD/CMakeCache.txt" &&
    skip "a sanitizer's own handlers are in the way of the debugger"
program=$WEFT_BUILD/examples/tcp_echo_tasks

# Stops in the first write of a task, prints its stack, kills the program.
debug() { # DRIVER
    start gdb env WEFT_DRIVER="$1" gdb -q -nx -batch -ex 'set confirm off' \
        -ex 'set debuginfod enabled off' -ex 'break weft_write_all' -ex run -ex backtrace -ex kill \
        "$program"
    debugger=$pid
    until_true serves_tcp 7878 || return 1
    echo hello | timeout "$bound_s" nc -q5 127.0.0.1 7878 >/dev/null || true # it is killed midway
    until_true is_gone "$debugger" && until_true is_free tcp 7878
}

# The innermost frame is where it stopped; then the program's; the outermost is where tasks begin.
# With ucontext libc's own first frame lies below ours: "??" where its debug symbols are missing.
unwinds() { # FILE
    local frames first=weft__context_start
    frames=$(grep -E '^#[0-9]+ ' "$1")
    if grep -q '^WEFT_CONTEXT:STRING=ucontext' "$WEFT_BUILD/CMakeCache.txt"; then
        first=task_main
        frames=$(sed -e '/ start (high=/,$d' <<<"$frames")
    fi
    grep -q '^#0 .*weft_write_all' <<<"$frames" && grep -q '^#1 .* echo (' <<<"$frames" &&
        grep -q 'task_main' <<<"$frames" && tail -n 1 <<<"$frames" | grep -q "$first" &&
        ! grep -q -e 'corrupt stack' -e 'Backtrace stopped' "$1"
}

for driver in $(drivers); do
    check "$driver: gdb stops in a task" debug "$driver"
    check "$driver: its backtrace ends where the task began" unwinds "$work/gdb.out"
done
finish
