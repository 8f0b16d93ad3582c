#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Many workers in programs as their users start them: how many there are by default, under
# taskset(1) and by WEFT_WORKERS; eight of them on one processor; a listener for each, against curl.
# shellcheck source=tests/process/_lib.sh
. "$(dirname "$0")/_lib.sh"
need taskset curl socat
unset WEFT_WORKERS

allowed=$(taskset -cp $$)
cpu=${allowed##* }
cpu=${cpu%%[-,]*}
on_one_cpu=(taskset -c "$cpu")

# ---- How many ----
count() { # COMMAND PREFIX...
    timeout "$bound_s" "$@" "$here/workers" count
}
not_more_than_processors() {
    local n
    n=$(count) && [ "$n" -ge 1 ] && [ "$n" -le "$(nproc)" ]
}
check "by default there are as many workers as processors, or fewer" not_more_than_processors
check "on one processor there is one" equal 1 "$(count "${on_one_cpu[@]}")"
check "WEFT_WORKERS=8 makes eight" equal 8 "$(count env WEFT_WORKERS=8)"
check "also on one processor" equal 8 "$(count "${on_one_cpu[@]}" env WEFT_WORKERS=8)"
check "WEFT_WORKERS=none is refused" \
    refuses 1 'the number of workers is from 1 to 1024' env WEFT_WORKERS=none "$here/workers" count

# ---- Eight on one processor ----
storm() { # COMMAND PREFIX...
    equal "all is well" "$(timeout "$((10 * bound_s))" "$@" "$here/workers" storm)"
}
head -c 300000 /dev/urandom >"$work/data"
socat_file() {
    timeout "$bound_s" socat -t"$bound_s" - "TCP:$tcp" <"$work/data" | cmp - "$work/data"
}
ends_well() {
    ending_of "$pid" INT
    equal 0 "$status"
}
for driver in $(drivers); do
    export WEFT_DRIVER=$driver WEFT_WORKERS=8
    check "$driver: eight workers" storm
    check "$driver: eight workers on one processor" storm "${on_one_cpu[@]}"
    start server "${on_one_cpu[@]}" "$weft" echo --tcp 127.0.0.1:0 --udp 127.0.0.1:0
    until_true is_in "$work/server.out" "Ctrl-C" || fail "weft echo does not listen"
    tcp=$(awk '$1 == "TCP" { print $2 }' "$work/server.out")
    check "$driver: weft echo with eight workers on one processor" socat_file
    check "$driver: and Ctrl-C ends it" ends_well
done

# ---- A listener for each ----
# curl makes a connection for each of the pages: the server closes after every answer. The kernel's
# hash decides who gets which; that one of four gets none of 200 happens once in 10^24 runs.
visit_often() {
    curl -sS --max-time "$bound_s" "http://$(cat "$work/server.out")/[1-200]" >"$work/answers" &&
        equal 200 "$(wc -l <"$work/answers")" &&
        equal "worker 1 worker 2 worker 3 worker 4" "$(sort -u "$work/answers" | xargs)"
}
for driver in $(drivers); do
    export WEFT_DRIVER=$driver WEFT_WORKERS=4
    start server "$here/workers" listen
    until_true is_in "$work/server.out" : || fail "workers listen does not listen"
    check "$driver: curl is served by the listener of each of four workers" visit_often
    end_started
done
finish
