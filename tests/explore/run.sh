#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs every scenario of the explorer, and every planted defect, which must be found: run.sh BUILD
# JOBS. Prints what was explored; fails if anything was found, or a defect was not.
set -uo pipefail
build=$1/tests/explore
jobs=$2
source=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Each writes NAME.out, and NAME.failed if it fails.
scenario() {
    "$build/$1" >"$work/$1.out" 2>&1 || touch "$work/$1.failed"
}
plant() {
    local cases
    cases=$(sed -n 's/^scenario: [^ ]* *//p' "$source/plants/$1.patch")
    # shellcheck disable=SC2086 # one word for each case
    "$build/planted/$1" --find $cases >"$work/$1.out" 2>&1 || touch "$work/$1.failed"
}
export -f scenario plant
export build source work

scenarios=() plants=()
for program in "$build"/*; do
    [[ -f $program && -x $program ]] && scenarios+=("$(basename "$program")")
done
for patch in "$source"/plants/*.patch; do
    plants+=("$(basename "$patch" .patch)")
done
{
    printf 'scenario %s\n' "${scenarios[@]}"
    printf 'plant %s\n' "${plants[@]}"
} | xargs -P "$jobs" -I{} bash -c '{}'

failed=0
for name in "${scenarios[@]}"; do
    echo "$name"
    cat "$work/$name.out"
    [[ ! -e $work/$name.failed ]] || failed=1
done
echo 'planted defects'
for name in "${plants[@]}"; do
    printf '  %-30s %s\n' "$name" "$(tail -n 1 "$work/$name.out" | sed 's/^ *//')"
    [[ ! -e $work/$name.failed ]] || failed=1
done

total() { # of the numbers that stand before a word
    local outputs=("${scenarios[@]/#/$work/}")
    awk -v word="$1" '
        { for (i = 2; i <= NF; i++) if ($i == word) sum += $(i - 1) }
        END { printf "%.0f", sum }' "${outputs[@]/%/.out}"
}
echo "${#scenarios[@]} scenarios: $(total executions) interleavings, $(total states) states;" \
    "${#plants[@]} planted defects"
exit $failed
