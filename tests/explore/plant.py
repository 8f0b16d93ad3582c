#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes a changed copy of a source: plant.py SOURCE COPY PATCH...

A patch is a text: comment lines (#) that say what it is, `source:` and, for a planted defect,
`scenario:`, which cases may follow; then what is changed:

    constant: NAME = VALUE      another value for an enumerator
    lines of the source         of which those that begin with - are taken out, those that begin
                                with + put in, and the others, which begin with a blank, must stand
                                around them

Each must fit in exactly one place: when the source has changed so that it does not, the build fails
and the patch must be made to fit again.
"""

import pathlib
import re
import sys

HEADERS = ("source:", "scenario:", "program:", "seeds:", "constant:", "#")


def fail(patch, source, count, what):
    sys.exit(f"{patch}: fits {source} in {count} places, and must in one:\n{what}")


def set_constant(text, patch, source, setting):
    name, value = setting.split(" = ")
    text, count = re.subn(rf"\b{name} = [^,}}\n]+", f"{name} = {value}", text)
    if count != 1:
        fail(patch, source, count, setting)
    return text


def replace(lines, patch, source, change):
    before = [line[1:] for line in change if line[0] in " -"]
    after = [line[1:] for line in change if line[0] in " +"]
    places = [i for i in range(len(lines)) if lines[i:i + len(before)] == before]
    if len(places) != 1 or before == after:
        fail(patch, source, len(places), "\n".join(before))
    return lines[:places[0]] + after + lines[places[0] + len(before):]


def apply(text, patch, source):
    lines = pathlib.Path(patch).read_text(encoding="utf-8").splitlines()
    for line in lines:
        if line.startswith("constant: "):
            text = set_constant(text, patch, source, line[len("constant: "):])
        elif not line.startswith(HEADERS + (" ", "-", "+")):
            sys.exit(f"{patch}: not a line of a patch: {line}")
    change = [line for line in lines if line[0] in " -+"]
    if change:
        text = "\n".join(replace(text.split("\n"), patch, source, change))
    return text


def main(arguments):
    source, copy, *patches = arguments
    text = pathlib.Path(source).read_text(encoding="utf-8")
    for patch in patches:
        text = apply(text, patch, source)
    copy = pathlib.Path(copy)
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
