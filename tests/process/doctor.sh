#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `weft doctor`, the help texts and how the command looks: what is promised to people, and to
# programs that read it.
# shellcheck source=tests/process/_lib.sh
. "$(dirname "$0")/_lib.sh"
need python3 socat setpriv

verdict() { # NAME MEMBER, of the JSON in $work/json
    python3 - "$work/json" "$@" <<'END'
import json, sys
findings = {f["name"]: f for f in json.load(open(sys.argv[1]))["findings"]}
print(findings[sys.argv[2]][sys.argv[3]])
END
}
examine() { # COMMAND PREFIX...
    timeout "$bound_s" "$@" "$weft" doctor --json >"$work/json"
}

check "doctor finds a driver here" examine
names() {
    python3 - "$work/json" <<'END'
import json, sys
report = json.load(open(sys.argv[1]))
assert report["weft"] and report["is_healthy"] is True, report
names = [f["name"] for f in report["findings"]]
assert names == ["driver", "uring", "epoll", "kernel", "nofile", "memlock", "somaxconn",
                 "max_map_count", "ipv6", "resolver"], names
for finding in report["findings"]:
    assert list(finding) == ["name", "verdict", "value", "detail", "cure"], finding
    assert finding["verdict"] in ("ok", "note", "bad"), finding
END
}
check "the JSON has its members, in their order" names
check "epoll works" equal works "$(verdict epoll value)"
same_driver() {
    verdict driver value >"$work/driver"
    equal "$(cat "$work/driver")" "$(drivers | awk '{ print $NF }')"
}
check "the driver is the best that works" same_driver

few_descriptors() {
    (ulimit -S -n 256 && examine) || return 1
    equal "256 note" "$(verdict nofile value) $(verdict nofile verdict)" &&
        verdict nofile cure | grep -q 'ulimit -n\|limits.conf'
}
check "few descriptors are noted, with the cure" few_descriptors
little_memory() {
    examine "${unprivileged[@]}" prlimit --memlock=65536:65536 || return 1
    equal "64KiB note" "$(verdict memlock value) $(verdict memlock verdict)"
}
check "little lockable memory is noted, in people's units" little_memory
asked_for() {
    examine env WEFT_DRIVER=epoll || return 1
    equal epoll "$(verdict driver value)" && verdict driver detail | grep -q WEFT_DRIVER=epoll
}
check "WEFT_DRIVER is followed and mentioned" asked_for
asked_for_bogus() {
    examine env WEFT_DRIVER=bogus
    equal 1 $? && equal bad "$(verdict driver verdict)" && equal works "$(verdict epoll value)"
}
check "a wrong WEFT_DRIVER is an illness with a cure, exit status 1" asked_for_bogus
no_ipv6() {
    [ "$WEFT_TEST_NETWORK" = own ] || return 0 # only in a network of our own
    ip -6 addr flush dev lo && examine || return 1
    equal note "$(verdict ipv6 verdict)" && verdict ipv6 cure | grep -q disable_ipv6
}
check "a loopback without IPv6 is noted, with the cure" no_ipv6

# ---- For people ----
plain_text() {
    "$weft" doctor >"$work/text" || return 1
    ! grep -q $'\033' "$work/text" && grep -q '^  ok    epoll  *works$' "$work/text"
}
check "a file gets no colours" plain_text
on_terminal() { # ENVIRONMENT
    socat -u "EXEC:env $1 $weft doctor,pty" "CREATE:$work/terminal" && cat "$work/terminal"
}
if socat -u "EXEC:true,pty" /dev/null 2>/dev/null; then
    check "a terminal gets colours" grep -q $'\033' <(on_terminal TERM=xterm)
    check "not under NO_COLOR" equal 0 "$(on_terminal 'TERM=xterm NO_COLOR=1' | grep -c $'\033')"
    check "not on a dumb terminal" equal 0 "$(on_terminal TERM=dumb | grep -c $'\033')"
else
    echo "note: no pseudo-terminals here (is /dev/pts mounted?): colours are not tested"
fi

helps() {
    local word
    for word in echo hello connect sim doctor; do
        "$weft" "$word" --help >"$work/help" && is_in "$work/help" "^Usage: weft $word" &&
            "$weft" "$word" -h | cmp - "$work/help" && "$weft" help "$word" | cmp - "$work/help" &&
            "$weft" --help | grep -q "weft $word" &&
            [ "$(wc -L <"$work/help")" -le 100 ] || return 1
    done
}
check "every command has help, and weft --help lists it" helps
helps_with_help() {
    local words
    "$weft" --help >"$work/help"
    for words in help 'help --help' 'help help' '-h --help' 'version --help' '--version -h'; do
        # shellcheck disable=SC2086 # words
        "$weft" $words | cmp - "$work/help" || return 1
    done
}
check "help and version have help, too" helps_with_help
check "version is --version" equal "$("$weft" --version)" "$("$weft" version)"
check "--version is one line" grep -q -x 'weft [0-9]*\.[0-9]*\.[0-9]*' <("$weft" --version)
finish
