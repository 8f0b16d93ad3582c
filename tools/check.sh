# SPDX-License-Identifier: MIT
# The slow proofs of `./dev check`, one function for each part; sourced by dev, whose helpers it
# uses. A part passes when its last line is reached: every command in it must succeed.
# shellcheck shell=bash

CHECK_PARTS=(nets asan tsan workers valgrind portable aarch64 clang analysis models explore mutants)

# run_tests PRESET [ctest arguments]: configures, builds and runs what the preset selects.
run_tests() {
    local preset=$1
    shift
    configure "$preset"
    build "$preset"
    "${launcher[@]}" ctest --preset "$preset" -j $((JOBS + 1)) "$@" # some only wait
}

# ThreadSanitizer wants its shadow where address space randomisation may have put something else
# (vm.mmap_rnd_bits above 28 with clang 14). Sets `launcher` to what makes it start here.
find_tsan_launcher() {
    local probe=build-tsan/tests/planted/race
    if "$probe" clean >/dev/null 2>&1; then
        return
    fi
    launcher=(setarch "$(uname -m)" --addr-no-randomize)
    "${launcher[@]}" "$probe" clean || die 'ThreadSanitizer does not start, not even without ASLR'
    echo 'ThreadSanitizer runs without address space randomisation here'
}

part_nets() { ## each tool finds the defect planted for it
    configure asan
    build asan planted
    ctest --preset asan -L '^net$'
    configure tsan
    build tsan planted
    find_tsan_launcher
    "${launcher[@]}" ctest --preset tsan -L '^net$'
    configure valgrind
    build valgrind planted
    ctest --preset valgrind -L '^net$'
}

part_explore() { ## every interleaving of src/task within the bounds; planted defects are found
    configure release
    build release explore
    tests/explore/run.sh build "$JOBS"
}

part_mutants() { ## simulations find each defect that is planted in the library
    cmd_mutants
}

part_asan() { ## every test under AddressSanitizer and UndefinedBehaviorSanitizer
    run_tests asan
}

part_tsan() { ## every test under ThreadSanitizer
    configure tsan
    build tsan planted_race
    find_tsan_launcher
    run_tests tsan
}

part_valgrind() { ## unit and conformance tests under Valgrind, on the epoll driver
    run_tests valgrind
}

# Every runtime of the suite has as many workers, but for cases that try several themselves.
part_workers() { ## conformance with 1 and 8 workers, with 8 also under ThreadSanitizer
    local count suite=tests/conformance/conformance
    local options=(--driver epoll --driver uring --matrix /dev/null)
    configure release
    build release conformance
    for count in 1 8; do
        WEFT_WORKERS=$count build/$suite "${options[@]}"
    done
    configure tsan
    build tsan conformance planted_race
    find_tsan_launcher
    WEFT_WORKERS=8 TSAN_OPTIONS=halt_on_error=1:die_after_fork=0 WEFT_TEST_TIMEOUT=120 \
        "${launcher[@]}" build-tsan/$suite "${options[@]}"
}

part_portable() { ## every test without liburing, with ucontext instead of our assembly
    run_tests portable
}

part_aarch64() { ## the library for aarch64 without liburing; its context switch in qemu-user
    run_tests aarch64
}

part_clang() { ## clang has no warning either
    configure clang
    build clang
    tools/check_headers.py .
}

part_analysis() { ## clang-tidy and cppcheck find nothing
    local folders=() filters folder
    for folder in src cli examples; do
        [[ -d $folder ]] && folders+=("$folder")
    done
    configure clang
    echo "clang-tidy: ${folders[*]}"
    find "${folders[@]}" -name '*.c' -print0 |
        xargs -0 -r -P "$JOBS" -n 1 clang-tidy -p build-clang --quiet \
            2> >(grep -v ' warnings\{0,1\} generated\.$' >&2)
    echo "cppcheck: ${folders[*]}"
    filters=("${folders[@]/#/--file-filter=}")
    cppcheck --project=build-clang/compile_commands.json "${filters[@]/%//*}" \
        -j "$JOBS" --quiet --inline-suppr \
        --enable=warning,performance,portability --suppressions-list=tools/cppcheck.suppress \
        --error-exitcode=1
}

part_models() { ## the protocols between threads, model-checked; each planted defect is found
    models/run.py
}

check_list() {
    sed -n 's/^part_\([a-z0-9]*\)() { ## \(.*\)$/\1|\2/p' tools/check.sh |
        while IFS='|' read -r name help; do
            printf '  %-9s %s\n' "$name" "$help"
        done
}

# check_run [PART...]: each in a shell of its own, all of them even when one fails; ends with the
# table of what held.
check_run() {
    local part table='' failed=0 started status verdict
    local -a launcher=() parts=("$@")
    ((${#parts[@]} > 0)) || parts=("${CHECK_PARTS[@]}")
    for part in "${parts[@]}"; do
        declare -F "part_$part" >/dev/null || die "no part '$part': ./dev check --list"
    done
    echo "WEFT_TEST_SCALE=$WEFT_TEST_SCALE"
    for part in "${parts[@]}"; do
        echo
        say "== $part: $(check_list | sed -n "s/^  $part  *//p")"
        started=$SECONDS
        set +e # a condition would switch errexit off inside the part
        (
            set -e
            "part_$part"
        )
        status=$?
        set -e
        verdict="${GREEN}pass${PLAIN}"
        if ((status != 0)); then
            verdict="${RED}FAIL${PLAIN}"
            failed=1
        fi
        table+=$(printf '  %-9s %5d s  %s' "$part" $((SECONDS - started)) "$verdict")$'\n'
    done
    echo
    say 'check:'
    printf '%s' "$table"
    return $failed
}
