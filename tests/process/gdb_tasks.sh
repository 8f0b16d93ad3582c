#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# gdb/weft.py lists the tasks of a live process and of a core file, and unwinds each of them.
# shellcheck source=tests/process/_lib.sh
. "$(dirname "$0")/_lib.sh"
need gdb
grep -q '^WEFT_SANITIZE:STRING=.' "$WEFT_BUILD/CMakeCache.txt" &&
    skip "a sanitizer's own handlers are in the way of the debugger"
grep -q '^WEFT_CONTEXT:STRING=ucontext' "$WEFT_BUILD/CMakeCache.txt" &&
    skip "with ucontext the C library alone knows where a context has stopped"
program=$here/waiting_tasks

run_gdb() { # FILE ARGUMENT...
    local out=$1
    shift
    timeout "$bound_s" gdb -q -nx -batch -ex 'set confirm off' -ex 'set debuginfod enabled off' \
        -ex 'set width 0' -ex "source $WEFT_SOURCE/gdb/weft.py" "$@" "$program" >"$out" 2>&1
}
debug_live() {
    run_gdb "$work/live" -ex "set environment WEFT_DRIVER $1" -ex 'break all_are_there' -ex run \
        -ex 'weft tasks' -ex 'echo ----\n' -ex 'weft backtrace' -ex 'echo ----\n' \
        -ex 'weft select 1' -ex 'frame function read_some' -ex 'info locals' \
        -ex 'weft select' -ex 'echo ----\n' -ex backtrace -ex continue
}
# The program dies with all its tasks. Where cores go is the machine's affair.
die() {
    (cd "$work" && ulimit -c unlimited && WEFT_DRIVER=$1 "$program" die)
    [ $? -gt 128 ]
}
debug_core() {
    run_gdb "$work/core.out" -ex "core-file $core" -ex 'weft tasks' -ex 'echo ----\n' \
        -ex 'weft backtrace'
}

# part N of FILE, between the lines of dashes
part() {
    awk -v wanted="$1" 'BEGIN { n = 1 } /^----/ { n++; next } n == wanted' "$2"
}
lists_all() { # FILE
    local text waits='waits on worker 1:'
    text=$(part 1 "$1")
    grep -q '^task zero runs on worker 1$' <<<"$text" &&
        grep -q "^task 1 \"reader\" (read_one) $waits read on handle [0-9]*\$" <<<"$text" &&
        grep -q "^task [0-9]* \"joiner\" (join_one) $waits join\$" <<<"$text" &&
        grep -q "^task [0-9]* \"sleeper\" (sleep_long) $waits sleep\$" <<<"$text" &&
        grep -q '^task [0-9]* "spinner" (spin) runs on worker 2$' <<<"$text" &&
        grep -q '^task [0-9]* "newcomer" (sleep_long) has not started$' <<<"$text"
}
# The frames of one task, as the script numbers them; the last one is where tasks begin.
unwinds() { # FILE NAME FUNCTION...
    local file=$1 name=$2 frames function
    shift 2
    frames=$(part 2 "$file" | awk -v name="\"$name\"" '/^task / { on = index($0, name) } on')
    for function in "$@"; do
        grep -q "^ *#[0-9]* .*\<$function (" <<<"$frames" || return 1
    done
    grep -q '^ *#0 ' <<<"$frames" && tail -n 1 <<<"$frames" | grep -q weft__context_start &&
        ! grep -q -e 'corrupt stack' -e 'Backtrace stopped' <<<"$frames"
}
unwinds_all() {
    unwinds "$1" reader weft_read read_some read_one weft__task_main &&
        unwinds "$1" joiner weft_join join_one && unwinds "$1" sleeper weft_sleep weft__task_main &&
        unwinds "$1" spinner spin weft__task_main
}
# What was selected had its local variables; afterwards gdb sees the thread as before.
selects() {
    part 3 "$1" | grep -q '^marked = 4711$' && part 4 "$1" | grep -q '^#1 .* main (' &&
        ! part 4 "$1" | grep -q read_some
}
goes_on() {
    grep -q 'exited normally' "$1"
}

for driver in $(drivers); do
    check "$driver: gdb stops the program" debug_live "$driver"
    check "$driver: all tasks are listed" lists_all "$work/live"
    check "$driver: each of them is unwound" unwinds_all "$work/live"
    check "$driver: one can be selected, and left" selects "$work/live"
    check "$driver: nothing was changed" goes_on "$work/live"
    check "$driver: the program dies" die "$driver"
    core=$(find "$work" -maxdepth 1 -name 'core*' ! -name core.out | head -n 1)
    if [ -z "$core" ]; then
        echo "note: core files go elsewhere here ($(cat /proc/sys/kernel/core_pattern))"
        continue
    fi
    check "$driver: gdb reads the core file" debug_core
    check "$driver: all tasks are in it" lists_all "$work/core.out"
    check "$driver: each of them is unwound from it" unwinds_all "$work/core.out"
    rm -f "$core" "$work/core.out"
done
finish
