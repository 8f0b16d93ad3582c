#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `weft sim run` on a program whose failures are known beforehand (sim_subject.c): what it finds and
# says, whatever -j is, how it ends, and that nothing it has started lives on.
# shellcheck source=tests/process/_lib.sh
. "$(dirname "$0")/_lib.sh"
need python3 pgrep

subject=$here/sim_subject
patience=2s # more than a run needs where the machine is busy
unset WEFT_SIM_SEED WEFT_SIM_FAULTS WEFT_SIM_REPORT_FD

# Runs the subject; stdout and stderr go to $work/run.out and .err, without the figures of time, the
# lines of progress to $work/progress.
ends_with() { # STATUS ARGS...
    timeout "$bound_s" "$weft" sim run "$subject" "${@:2}" >"$work/run.out" 2>"$work/run.err"
    local status=$?
    sed -i 's/; [0-9.]*s, [0-9]* seeds a second$//' "$work/run.out"
    sed -i -n "/^[0-9]* of [0-9]* seeds /w $work/progress
        //!p" "$work/run.err"
    equal "$1" "$status"
}
says() { # LINE, whole, on stdout
    grep -q -x -F -e "$1" "$work/run.out" || { echo "not said: $1"; return 1; }
}
complains() { # LINE, whole, on stderr
    grep -q -x -F -e "$1" "$work/run.err" || { echo "not on stderr: $1"; return 1; }
}

# ---- Seeds ----
all_pass() {
    ends_with 0 --seeds 200 -j2 && says "200 seeds (1 to 200): 200 passed, 0 failed" &&
        says "  resets              100         100" && equal "" "$(cat "$work/run.err")"
}
check "seeds that pass are counted, with their faults" all_pass
given_seeds() {
    ends_with 0 --from 18446744073709551606 --seeds 10 fail=5 &&
        says "10 seeds (18446744073709551606 to 18446744073709551615): 10 passed, 0 failed"
}
check "--from and --seeds say which" given_seeds

first_failure() {
    ends_with 1 --seeds 10000 -j2 fail=91 fail=63 &&
        says "seed 63 failed: ended by signal 6 (Aborted)" &&
        says "63 seeds (1 to 63): 62 passed, 1 failed" &&
        says "replay: WEFT_SIM_SEED=63 $subject fail=91 fail=63" &&
        complains "weft sim: check failed; replay: WEFT_SIM_SEED=63 $subject"
}
check "the first failure ends it, with the program's words and the line that replays" first_failure
replays() {
    local line
    line=$(sed -n 's/^replay: //p' "$work/run.out")
    WEFT_SIM_REPORT_FD=1 bash -c "exec env $line" >/dev/null 2>"$work/replay.err"
    equal 134 $? && cmp "$work/replay.err" "$work/run.err"
}
check "a shell that is given the line sees the same failure" replays
single_seed() {
    ends_with 1 --seed 63 fail=63 && says "1 seed (63): 0 passed, 1 failed"
}
check "--seed runs that seed alone" single_seed

other_failures() {
    ends_with 1 report=7 && says "seed 7 failed: reported a failure, and ended with status 0" &&
        ends_with 1 exit=7 && says "seed 7 failed: ended with status 3"
}
check "a reported failure and a status are failures" other_failures
hangs() {
    ends_with 1 --seeds 20 -j2 --timeout $patience hang=5 &&
        says "seed 5 failed: did not end in time (--timeout)" &&
        says "replay: WEFT_SIM_SEED=5 $subject hang=5"
}
check "a program that hangs fails after --timeout" hangs

keeps_going() {
    ends_with 1 --seeds 100 -j2 --keep-going fail=63 exit=91 report=3 &&
        says "100 seeds (1 to 100): 97 passed, 3 failed" &&
        equal "3 63 91" "$(awk '$1 == "seed" { print $2 }' "$work/run.out" | xargs)"
}
check "--keep-going counts every failure" keeps_going

# Seed 3 is slow to fail, so beside others it is not the first to do so; and those have faults that
# no seed up to 3 has.
same_answer() { # ARGS...
    ends_with 1 -j1 "$@" && mv "$work/run.out" "$work/alone.out" &&
        mv "$work/run.err" "$work/alone.err" && ends_with 1 -j4 "$@" &&
        cmp "$work/alone.out" "$work/run.out" && cmp "$work/alone.err" "$work/run.err"
}
check "-j4 finds what -j1 finds" same_answer --seeds 200 --timeout "$patience" hang=3 \
    fail=5 exit=7
check "-j4 counts what -j1 counts" same_answer --seeds 60 --keep-going fail=33 exit=9 report=10
check "-j4 shrinks to what -j1 shrinks to" same_answer --shrink fail=63 needs=resets,drip,stalls

# ---- A simulation ----
# What the library reports is what the command reads. Which seed fails is the simulator's business.
finds_lost_datagram() {
    timeout "$bound_s" "$weft" sim run "$here/sim_lossy" --seeds 5000 --twice -j2 \
        >"$work/lossy.out" 2>"$work/lossy.err"
    equal 1 $? && grep -q -E '^seed [0-9]+ failed: ended by signal 6' "$work/lossy.out" &&
        is_in "$work/lossy.err" '^weft sim: check failed: .*weft_sim_wait.* step [0-9]*; replay: '
}
check "the seed that loses the datagram is found" finds_lost_datagram
loses_it_again() {
    local line
    line=$(sed -n 's/^replay: //p' "$work/lossy.out")
    timeout "$bound_s" env "${line%% *}" "$here/sim_lossy" 2>"$work/again.err"
    equal 134 $? && equal "$(grep '^weft sim: ' "$work/lossy.err")" "$(cat "$work/again.err")"
}
check "and loses it again, at the same step" loses_it_again

# ---- Twice ----
twice() {
    ends_with 0 --seeds 50 -j2 drift=31 && ends_with 1 --seeds 50 -j2 --twice drift=31 &&
        grep -q '^seed 31 failed: not deterministic: two runs, hashes [0-9a-f]\{16\} and' \
            "$work/run.out" && says "31 seeds (1 to 31): 30 passed, 1 failed"
}
check "--twice finds a seed that is another run each time" twice

# ---- Shrinking ----
shrinks() {
    local needs=needs=enomem,stalls
    ends_with 1 --seeds 100 -j2 --shrink fail=63 "$needs" &&
        says "2 of 6 faults make it fail: enomem,stalls" &&
        says "replay: WEFT_SIM_SEED=63 WEFT_SIM_FAULTS=enomem,stalls $subject fail=63 $needs"
}
check "--shrink finds the two faults that it takes" shrinks
shrinks_to() { # WORDS NEEDS
    ends_with 1 --seed 63 --shrink fail=63 "needs=$2" && says "$1"
}
check "--shrink finds a single fault" shrinks_to "1 of 6 faults make it fail: drip" drip
check "--shrink finds that no fault is needed" shrinks_to "it fails without any of the 6 faults" ""
check "--shrink finds that all are needed" shrinks_to \
    "6 of 6 faults make it fail: drip,enomem,latency,resets,short_reads,stalls" \
    drip,enomem,latency,resets,short_reads,stalls
shrinks_hang() {
    ends_with 1 --from 60 --seeds 9 -j1 --shrink --timeout "$patience" hang=63 &&
        says "it fails without any of the 6 faults"
}
check "--shrink works on a program that hangs and so reports nothing" shrinks_hang
given_faults() {
    WEFT_SIM_FAULTS=resets,drip ends_with 1 --seed 63 fail=63 needs=drip &&
        says "replay: WEFT_SIM_SEED=63 WEFT_SIM_FAULTS=resets,drip $subject fail=63 needs=drip"
}
check "faults chosen by the environment are in the line that replays" given_faults

# ---- Coverage ----
uncovered() {
    ends_with 3 --seeds 64 --coverage idle=drip && says \
        "  drip                 32           0  never fired" && is_in "$work/run.err" \
        "^weft: sim run: --coverage: on, but never fired: drip "
}
check "--coverage: a fault that never fired is status 3" uncovered
check "--coverage: all fired is status 0" ends_with 0 --seeds 64 --coverage
check "--coverage: no fault on is status 3, too" ends_with 3 --from 0 --seeds 1 --coverage
check "--coverage: a failure comes first" ends_with 1 --seeds 64 --coverage idle=drip fail=9

# ---- What is no simulation ----
sim=("$weft" sim run)
check "a program that runs no simulation is told how to" refuses 2 \
    'sim_subject ran no simulation .it has to call weft_sim_run.$' "${sim[@]}" "$subject" mute
check "so is one that fails before" refuses 2 'false ended with status 1 and ran no simulation' \
    "${sim[@]}" false
check "a report that is none is told" refuses 2 'its report cannot be read .is it linked' \
    "${sim[@]}" "$subject" babble
check "a missing program is told" refuses 2 '/none: no such file or directory .has it been built' \
    "${sim[@]}" "$work/none"
check "one that is not in PATH, with the cure" refuses 2 'no-such-program: .* write \./ before it' \
    "${sim[@]}" no-such-program
check "a folder is no program" refuses 2 "$work: permission denied" "${sim[@]}" "$work"

# ---- The command line ----
after_dashes() {
    ends_with 1 fail=9 --seeds 20 -- exit=3 --seeds 1 -j &&
        says "seed 3 failed: ended with status 3" &&
        says "replay: WEFT_SIM_SEED=3 $subject fail=9 exit=3 --seeds 1 -j"
}
check "what stands after -- is the program's" after_dashes
quotes() {
    ends_with 1 --seed 3 -- report=3 'a b' "it's" '' &&
        says "replay: WEFT_SIM_SEED=3 $subject report=3 'a b' 'it'\\''s' ''"
}
check "the line that replays is quoted for a shell" quotes
check "an unknown option is refused, with the cure" refuses 2 "'--hosts'.*stand after --" \
    "${sim[@]}" "$subject" --hosts 3
check "no program is refused" refuses 2 'the program is missing' "${sim[@]}" --seeds 3
check "no seed is refused" refuses 2 'there are 1 to' "${sim[@]}" "$subject" --seeds 0
check "no number is refused" refuses 2 "'ten' is no number" "${sim[@]}" "$subject" --from ten
check "a seed beyond the last is refused" refuses 2 'beyond 18446744073709551615' \
    "${sim[@]}" "$subject" --from 18446744073709551615 --seeds 2
check "no process is refused" refuses 2 'there are 1 to 256' "${sim[@]}" "$subject" -j0
check "no time is refused" refuses 2 'is no time to give a run' "${sim[@]}" "$subject" --timeout 0
check "an unknown command is refused" refuses 2 'there is weft sim run' "$weft" sim walk

# ---- Much is said ----
noisy() {
    ends_with 1 --seeds 20 -j2 noise fail=9 && [ "$(wc -c <"$work/run.err")" -le 65536 ] &&
        tail -n 1 "$work/run.err" | grep -q -x "weft sim: check failed; .*SEED=9 $subject"
}
check "of a program that talks a lot the end is kept" noisy

# ---- JSON ----
json_of() { # EXPRESSIONS of d
    python3 -m json.tool "$work/run.out" >/dev/null &&
        python3 - "$work/run.out" "$1" <<'END'
import json, sys
d = json.load(open(sys.argv[1]))
print(*eval("(" + sys.argv[2] + ",)"))
END
}
json_failure() {
    local needs=needs=drip,stalls
    ends_with 1 --json --from 62 --seeds 9 -j2 --shrink noise fail=63 "$needs" &&
        equal "weft verdict from passed failed seconds failures shrunk faults" \
            "$(json_of '*d')" &&
        equal "failed 62 1 1" "$(json_of 'd["verdict"], d["from"], d["passed"], d["failed"]')" &&
        equal 63 "$(json_of 'd["failures"][0]["seed"]')" &&
        equal "ended by signal 6 (Aborted)" "$(json_of 'd["failures"][0]["how"]')" &&
        json_of 'd["failures"][0]["stderr"]' | grep '^line 19999 of seed 63 .$' >/dev/null &&
        equal "WEFT_SIM_SEED=63 WEFT_SIM_FAULTS=drip,stalls $subject noise fail=63 $needs" \
            "$(json_of 'd["shrunk"]["replay"]')" &&
        equal "True drip stalls" \
            "$(json_of 'd["shrunk"]["is_smallest"], *d["shrunk"]["faults"]')" &&
        equal "drip 2 2" "$(json_of '*d["faults"][0].values()')"
}
check "--json tells all of it, whatever bytes the program wrote" json_failure
json_verdict() { # STATUS VERDICT ARGS...
    ends_with "$1" --json --seeds 64 "${@:3}" && equal "$2" "$(json_of 'd["verdict"]')"
}
check "--json: passed" json_verdict 0 passed
check "--json: uncovered" json_verdict 3 uncovered --coverage idle=drip
check "--json: error" json_verdict 2 error mute
json_many() {
    ends_with 1 --json --seeds 3 -j2 --keep-going fail=2 exit=3 &&
        equal "2 3" "$(json_of '*(f["seed"] for f in d["failures"])')"
}
check "--json: every failure of --keep-going" json_many

# ---- Progress ----
plain_progress() {
    ends_with 0 --seeds 12 -j1 slow=100 &&
        grep -q -E '^[0-9]+ of 12 seeds [0-9]+/s, [0-9]+s left$' "$work/progress"
}
check "a long search says how far it is, in lines" plain_progress
on_terminal() { # ENVIRONMENT
    socat -u "EXEC:env $1 $weft sim run $subject --seeds 15 -j1 slow=20,pty,stderr" \
        "CREATE:$work/terminal" && cat "$work/terminal"
}
if command -v socat >/dev/null && socat -u "EXEC:true,pty" /dev/null 2>/dev/null; then
    check "a terminal gets a bar" grep -q ' of 15 seeds \[=*> *\] [0-9]*/s' \
        <(on_terminal TERM=xterm)
    check "a dumb terminal does not" equal 0 "$(on_terminal TERM=dumb | grep -c '\[')"
else
    echo "note: no pseudo-terminals here: the bar is not tested"
fi

# ---- Ends ----
# `start` gives each program a session of its own, in which a bystander lives: a child of the same
# process, but not started by it.
start_search() { # NAME ARGS...
    # shellcheck disable=SC2016 # expanded by the shell inside
    start "$1" bash -c 'sleep 1000 & echo $! >"$1"; shift; exec "$@"' _ "$work/bystander" \
        "$weft" sim run "$subject" "${@:2}"
    until_true runs_subjects || fail "the search does not start"
}
runs_subjects() {
    pgrep -s "$pid" -f "^$subject" >"$work/subjects"
}
all_gone() {
    until_true nobody_runs
}
nobody_runs() {
    ! runs_subjects
}
interrupted() { # SIGNAL STATUS
    start_search "$1" --seeds 10000 -j3 slow=20
    until_true has_got_far "$1" || return 1
    ending_of "$pid" "$1"
    equal "$2" "$status" && all_gone && kill -0 "$(cat "$work/bystander")" || return 1
    local line from seeds
    line=$(sed -n 's/^interrupted; to go on: --from \([0-9]*\) --seeds \([0-9]*\)$/\1 \2/p' \
        "$work/$1.out")
    read -r from seeds <<<"$line"
    [ "$from" -gt 1 ] && equal 10001 $((from + seeds)) &&
        is_in "$work/$1.out" "^$((from - 1)) seeds (1 to $((from - 1))): $((from - 1)) passed, 0"
}
has_got_far() { # NAME
    is_in "$work/$1.err" ' of 10000 seeds'
}
check "Ctrl-C ends what it started and nothing else, and says where to go on" interrupted INT 130
check "SIGTERM does so, too" interrupted TERM 143
hung_at_interrupt() {
    start_search hung -j2 hang=1 hang=2
    ending_of "$pid" INT
    equal 130 "$status" && all_gone &&
        is_in "$work/hung.out" '^interrupted; to go on: --from 1 --seeds 1000$'
}
check "Ctrl-C does not wait for a program that hangs" hung_at_interrupt
interrupted_shrink() {
    local needs=needs=drip,enomem,latency,resets,short_reads,stalls
    start_search shrink -j1 --seed 63 --shrink fail=63 slow=300 "$needs"
    until_true is_in "$work/shrink.out" '^replay' || return 1
    ending_of "$pid" INT
    equal 130 "$status" && all_gone && ! is_in "$work/shrink.out" '^interrupted' &&
        is_in "$work/shrink.out" '^shrinking was ended early: 6 of 6 faults are left: drip,'
}
check "Ctrl-C ends the shrinking and leaves what was found" interrupted_shrink
killed() {
    start_search killed -j2 hang=1 hang=2
    kill -KILL "$pid"
    all_gone
}
check "programs do not outlive a search that was killed" killed
leaves_nothing() {
    start leaving "$weft" sim run "$subject" --seeds 5 leave
    until_true is_gone "$pid" && until_true has_no_process "$pid" &&
        is_in "$work/leaving.out" '5 passed'
}
has_no_process() { # SESSION
    [ -z "$(pgrep -s "$1" -r R,S,D)" ]
}
check "processes that a program leaves behind are ended" leaves_nothing
finish
