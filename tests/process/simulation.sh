#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# docs/simulation.md tells the truth: its program is the one in the tree, the seed that it names is
# the first to break it, when and where, shrinking leaves the fault that it names, and the fixed one
# passes, with the faults that it counts.
# shellcheck source=tests/process/_lib.sh
. "$(dirname "$0")/_lib.sh"
doc=$WEFT_SOURCE/docs/simulation.md
bank=$WEFT_BUILD/tests/sim/bank

block() {
    awk '/^```c$/ { inside = 1; next } inside && /^```$/ { exit } inside { print }' "$doc"
}
check "it shows bank.c as it is" cmp "$WEFT_SOURCE/tests/sim/tutorial/bank.c" <(block)
check "seed 1 is well" "$bank"

search() {
    "$weft" sim run "$bank" --seeds 1000 --shrink --log "$work/shown" \
        --trace "$work/shown.pcapng" >"$work/found" 2>&1
    status=$?
    equal 1 "$status"
}
check "weft sim run finds a seed that is not" search
for line in 'seed 13 failed: ended by signal 6 (Aborted)' '1 of 6 faults make it fail: resets'; do
    check "it says: $line" grep -q -x -F "$line" "$work/found"
    check "and so does the text" grep -q -x -F "$line" "$doc"
done

moment=$(grep -o 'at 0\.[0-9]* s, step [0-9]*; replay: WEFT_SIM_SEED=13 ' "$doc")
check "it says when: $moment" grep -q -F "${moment:-no moment}" "$work/found"

replay() {
    WEFT_SIM_SEED=13 WEFT_SIM_FAULTS=resets WEFT_SIM_LOG=$work/log "$bank" >/dev/null 2>&1
    status=$?
    equal 134 "$status"
}
check "the line replays it" replay
while read -r line; do
    check "the log says: $line" grep -q -F "$line" "$work/log"
done < <(grep '^0\.[0-9]* ' "$doc")

check "the search shows the same" cmp "$work/log" "$work/shown"
check "and captures it" grep -q -F "seed 13: its packets are in $work/shown.pcapng" "$work/found"
captured() {
    [ "$(tshark -r "$work/shown.pcapng" -Y tcp.flags.reset==1 2>/dev/null | wc -l)" -ge 1 ]
}
check "with the reset that did it" captured
printed() {
    "$weft" sim run "$bank" --seed 1 --log - >"$work/printed" 2>&1 &&
        grep -q 'bank .*TCP SYN arrived$' "$work/printed"
}
check "--log - prints the timeline of a seed that is well" printed
unwritable() {
    "$weft" sim run "$bank" --seed 1 --trace /nowhere/at/all >"$work/refused" 2>&1
    [ $? = 1 ] &&
        grep -q '^weft: sim run: /nowhere/at/all: no such file or directory$' "$work/refused"
}
check "a file that cannot be written is told before the search" unwritable

fixed() {
    "$weft" sim run "${bank}_fixed" --seeds 1000 >"$work/fixed" 2>&1
}
check "the fixed one passes" fixed
while read -r line; do
    check "it counts: $line" grep -q -F "$line" "$work/fixed"
done < <(grep '^  [a-z_]* *[0-9]* *[0-9]*$' "$doc")
finish
