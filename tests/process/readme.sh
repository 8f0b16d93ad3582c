#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The programs in README.md are those in examples/, byte for byte: each stands in a C block after
# the line that links to it. The manual page is well-formed and knows every option. And what the
# conformance suite quotes stands in docs/semantics.md.
# shellcheck source=tests/process/_lib.sh
. "$(dirname "$0")/_lib.sh"
readme=$WEFT_SOURCE/README.md

# The C block that follows the first line naming examples/NAME.
block() { # NAME
    awk -v name="examples/$1" '
        !found && index($0, "(" name ")") { found = 1; next }
        found && /^```c$/ { inside = 1; next }
        inside && /^```$/ { exit }
        inside { print }' "$readme"
}
count=0
for example in "$WEFT_SOURCE"/examples/*.c; do
    name=${example##*/}
    check "README.md shows $name as it is" cmp "$example" <(block "$name")
    check "$name has at most 25 lines" test "$(wc -l <"$example")" -le 25
    count=$((count + 1))
done
check "there are six programs" equal 6 "$count"
check "README.md shows no other program" equal 6 "$(grep -c '^```c$' "$readme")"
for word in './dev run' './dev test'; do
    check "README.md shows $word" grep -q -F "$word" "$readme"
done

page=$WEFT_SOURCE/man/weft.1
for word in echo hello connect sim doctor; do
    while read -r option; do
        check "weft.1 knows $word $option" grep -q -F -e "${option//-/\\-}" "$page"
    done < <("$weft" "$word" --help | grep -o -E '^  (-[a-z], )?--[a-z-]+' |
        grep -o -E -e '--[a-z-]+')
done
check "weft.1 is of this version" grep -q -F "\"$("$weft" --version)\"" "$page"
if command -v groff >/dev/null; then
    check "groff has no complaint about weft.1" \
        equal "" "$(groff -man -Tutf8 -ww -z "$page" 2>&1)"
fi

conformance=$WEFT_BUILD/tests/conformance/conformance
reasons_are_quoted() {
    "$conformance" --list >"$work/cases" && python3 - "$work/cases" "$WEFT_SOURCE" <<'END'
import pathlib, re, sys
def plain(text):
    return " ".join(text.replace("`", "").split())
text = (pathlib.Path(sys.argv[2]) / "docs/semantics.md").read_text()
sections = dict(re.findall(r"^## (\d+)\.(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
cases = pathlib.Path(sys.argv[1]).read_text()
reasons = set(re.findall(r"^ +not on \w+: (.*)$", cases, re.MULTILINE))
assert len(reasons) > 5, reasons
for reason in reasons:
    cited = re.match(r"docs/semantics\.md (\d+): ", reason)
    quotes = re.findall(r'"([^"]+)"', reason)
    assert cited and quotes, f"no section or no quotation: {reason}"
    for quote in quotes:
        assert plain(quote) in plain(sections[cited[1]]), f"not in that section: {reason}"
END
}
if [ -x "$conformance" ] && command -v python3 >/dev/null; then
    check "docs/semantics.md has what the conformance suite quotes" reasons_are_quoted
fi
finish
