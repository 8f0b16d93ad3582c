#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every public header compiles alone, as strict C17 and as C++17, without a warning; so do the
programs in tests/headers/, which use what only a compiler can judge, such as weft_within left by
break, and, as C17, the examples. With every compiler of gcc and clang that is installed.

check_headers.py ROOT    checks; first compiles what must be refused
"""

import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import sources

WARNINGS = "-Wall -Wextra -Wshadow -Wconversion -O2 -Werror".split()
LANGUAGES = {
    "C17": (("gcc", "clang"), "-x c -std=c17 -pedantic".split()),
    "C++17": (("g++", "clang++"), "-x c++ -std=c++17".split()),
}
# What must be refused, and a word of the complaint in each language.
REFUSED = [
    ("int f(int unused) { int f = 0; return f; }\n", {"C17": "unused", "C++17": "unused"}),
    ("#include <weft/missing.h>\n", {"C17": "missing.h", "C++17": "missing.h"}),
    ("#include <weft.h>\n"
     "extern void *f(void *), *g(weft_scope *);\n"
     "void *g(weft_scope *s) { weft_go(s, f, s); return s; }\n",
     {"C17": "weft_go_wants_int_fn_of_int_or_int_fn_of_void_pointer", "C++17": "weft_go"}),
]


def compilers():
    """(language, compiler, flags) of each that is here; the first of a language is a must."""
    for language, (names, flags) in LANGUAGES.items():
        for name in names:
            if shutil.which(name):
                yield language, name, flags + WARNINGS


def compile_one(root, source, compiler, flags):
    """None, or what the compiler said."""
    run = subprocess.run([compiler, *flags, "-Iinclude", "-c", "-o", os.devnull, source], cwd=root,
                         capture_output=True, text=True)
    return None if run.returncode == 0 else run.stderr.strip() or f"status {run.returncode}"


def jobs(root, scratch):
    """(title, source, languages) of what must compile: a program for each header, tests/headers/
    and examples/."""
    for header in sources.files_below(root, "include", {".h"}):
        program = pathlib.Path(scratch) / (header.replace("/", "_") + ".c")
        program.write_text(f'#include <{header.removeprefix("include/")}>\n'
                           f"extern int something;\nint something = 1;\n", encoding="utf-8")
        yield header, program, LANGUAGES
    for program in sorted(sources.files_below(root, "tests/headers", {".c"})):
        yield program, program, LANGUAGES
    for program in sorted(sources.files_below(root, "examples", {".c"})):
        yield program, program, ["C17"]


def self_test(root, scratch):
    for number, (text, words) in enumerate(REFUSED):
        program = pathlib.Path(scratch) / f"refused{number}.c"
        program.write_text(text, encoding="utf-8")
        for language, compiler, flags in compilers():
            said = compile_one(root, program, compiler, flags)
            if said is None or words[language] not in said:
                yield f"self-test: {compiler} as {language} said '{said}' to: {text.strip()}"


def main(arguments):
    root = arguments[0]
    with tempfile.TemporaryDirectory() as scratch:
        problems = list(self_test(root, scratch))
        work = [(title, source, *how) for title, source, languages in jobs(root, scratch)
                for how in compilers() if how[0] in languages]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            said = pool.map(lambda w: compile_one(root, w[1], w[3], w[4]), work)
            problems += [f"{title} as {language} with {compiler}:\n{words}"
                         for (title, _, language, compiler, _), words in zip(work, said) if words]
    missing = {name for name, _ in LANGUAGES.items()} - {language for language, _, _ in compilers()}
    problems += [f"no compiler for {language}" for language in sorted(missing)]
    return sources.report("headers", problems, f"{len(work)} compilations")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
