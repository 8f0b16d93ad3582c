#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Shows that a net holds: run.sh REPORT COMMAND... runs COMMAND twice. Told `clean` it must succeed,
# so that a tool which fails on everything is not taken for one that works; told `plant` it must
# fail, and for the planted reason: its output says REPORT.
set -uo pipefail
report=$1
shift

if ! output=$("$@" clean 2>&1); then
    printf 'the clean run failed:\n%s\n' "$output"
    exit 1
fi
if output=$("$@" plant 2>&1); then
    printf 'the planted defect was not found:\n%s\n' "$output"
    exit 1
fi
if [[ $output != *"$report"* ]]; then
    printf 'the planted run failed without "%s":\n%s\n' "$report" "$output"
    exit 1
fi
grep -m 1 -F -- "$report" <<<"$output"
