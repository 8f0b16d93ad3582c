#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What libweft.so exports is what the public headers declare, no more and no less; and what the
library shares among its own files cannot be mistaken for it.

check_exports.py ROOT BUILD    checks; first plants a difference of each kind and must find it
"""

import pathlib
import re
import subprocess
import sys

import sources

LANGUAGES = {"c": "gnu17", "c++": "gnu++17"}


def declared(root):
    """The functions and objects that include/ declares, as C or C++ sees it, without inlines."""
    names = set()
    headers = sources.files_below(root, "include", {".h"})
    for language, standard in LANGUAGES.items():
        for header in headers:
            command = ["cc", "-E", "-x", language, f"-std={standard}", "-Iinclude", header]
            run = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
            names |= declarations(of_ours(run.stdout))
    return names


def of_ours(preprocessed):
    """The lines of preprocessed text that come from include/."""
    ours, kept = False, []
    for line in preprocessed.split("\n"):
        marker = re.match(r'# \d+ "([^"]*)"', line)
        if marker:
            ours = marker[1].startswith("include/")
        elif ours:
            kept.append(line)
    return "\n".join(kept)


def declarations(text):
    """The names that the text declares with external linkage and does not define."""
    text = re.sub(r'extern\s*"C(\+\+)?"\s*\{', "", sources.without_comments(text))
    text = re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE)
    text = re.sub(r"__attribute__\s*\(\((?:[^()]|\([^()]*\))*\)\)", "", text)
    names = set()
    for statement in outermost_statements(text):
        statement = statement.strip()
        if re.match(r"(typedef|static|inline)\b", statement):
            continue
        function = re.search(r"\b(weft_\w+)\s*\(", statement)
        variable = re.match(r"extern\b.*?\b(weft_\w+)\s*(\[[^]]*\]\s*)*$", statement, re.DOTALL)
        if function or variable:
            names.add((function or variable)[1])
    return names


def outermost_statements(text):
    """What ends in a semicolon outside all braces; what has a body in braces is no declaration."""
    depth, statement, has_body = 0, "", False
    for character in text:
        if character == "{":
            depth, has_body = depth + 1, True
        elif character == "}":
            if depth == 0:  # the end of extern "C"
                statement = ""
            elif depth == 1 and re.search(r"\)\s*(const|noexcept)?\s*$", statement):
                statement, has_body = "", False  # an inline function, which no semicolon ends
            depth = max(0, depth - 1)
        elif depth > 0:
            continue
        elif character == ";":
            if not has_body:
                yield statement
            statement, has_body = "", False
        else:
            statement += character


def defined(*nm):
    """The names that `nm` lists as defined and visible."""
    run = subprocess.run(["nm", "--defined-only", "--format=posix", *nm], capture_output=True,
                         text=True, check=True)
    rows = [line.split() for line in run.stdout.split("\n")]
    return {row[0].split("@")[0] for row in rows if len(row) >= 2 and row[1].isupper()}


def differences(public, exported, internal):
    """Complaints about the names declared, those of libweft.so and those of libweft.a."""
    exported = {name for name in exported if not re.fullmatch(r"WEFT_[0-9.]+", name)}
    complaints = [f"{name}: exported by libweft.so, but no public header declares it"
                  for name in sorted(exported - public)]
    complaints += [f"{name}: declared in a public header, but libweft.so does not export it"
                   for name in sorted(public - exported)]
    complaints += [f"{name}: a name of libweft.a that is neither public nor weft__ nor static"
                   for name in sorted(internal - public) if not name.startswith("weft__")]
    return complaints


HEADER = """
#include <stddef.h>
#ifdef __cplusplus
extern "C" {
#endif
/* int weft_in_comment(void); */
typedef int (*weft_callback)(int (*)(int));
typedef struct weft_options { void (*log)(const char *); } weft_options;
struct weft_named { int weft_member; };
enum { WEFT_A = 1 };
const char *weft_one(int code) __attribute__((format(printf, 1, 2)));
int weft_two(int (*fn)(int),
             weft_options *options);
extern const int weft_three[2];
static inline int weft_four(void) { return weft_two(0, 0); }
int weft_five(void);
#ifdef __cplusplus
}
class weft_guard { public: weft_guard() { weft_two(0, 0); } };
static inline int weft_two(int a) { return a; }
extern "C" int weft_six(void);
#endif
"""


def self_test():
    problems = []
    names = {f"weft_{n}" for n in ("one", "two", "three", "five")}
    as_c = declarations(re.sub(r"#ifdef __cplusplus.*?#endif", "", HEADER, flags=re.DOTALL))
    if as_c != names:
        problems.append(f"self-test: the header was read as C to declare {sorted(as_c)}")
    as_cxx = declarations(HEADER)
    if as_cxx != names | {"weft_six"}:
        problems.append(f"self-test: the header was read as C++ to declare {sorted(as_cxx)}")
    for public, exported, internal, count in [
            (names, names | {"WEFT_0.1"}, names | {"weft__x"}, 0),
            (names, names - {"weft_one"}, names, 1),
            (names, names | {"weft_more"}, names, 1), (names, names, names | {"stray"}, 1)]:
        if len(differences(public, exported, internal)) != count:
            problems.append(f"self-test: not {count} differences: {exported ^ public}")
    return problems


def main(arguments):
    root, build = arguments[0], pathlib.Path(arguments[1])
    public = declared(root)
    problems = self_test()
    problems += differences(public, defined("--dynamic", build / "libweft.so"),
                            defined("--extern-only", build / "libweft.a"))
    return sources.report("exports", problems, f"{len(public)} public names")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
