#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The style of the tree, as far as a machine can tell: sizes, first lines, banned calls, layout.

check_style.py ROOT     checks; first plants each violation in a scratch tree and must find it
check_style.py --list-c ROOT   prints the files that clang-format lays out
"""

import pathlib
import re
import shutil
import statistics
import subprocess
import sys

import sources

LINE_COLUMNS = 100
FILE_LINES = 500
FUNCTION_LINES = 70
EXAMPLE_LINES = 25  # without the comment that opens it and what separates that from the code
CLANG_FORMAT_MAJOR = "14"  # another one would lay out differently

BANNED = ("strcpy strcat sprintf vsprintf gets atoi atol atoll alloca assert time rand srand "
          "random usleep strtok").split()
BANNED_ALLOCATORS = "malloc calloc realloc reallocarray free strdup strndup asprintf".split()
CALL = r"(?<![\w.>])(?:{})\s*\("
BANNED_CALL = re.compile(CALL.format("|".join(BANNED)))
ALLOCATOR_CALL = re.compile(CALL.format("|".join(BANNED_ALLOCATORS)))


def is_below(path, *folders):
    return any(path.startswith(folder + "/") for folder in folders)


def may_use_errno(path):
    """Our own code above the system's does not: results are return values."""
    return (not is_below(path, "src", "include", "examples")
            or is_below(path, "src/os", "src/driver")
            or "adapter" in pathlib.Path(path).name)


def may_allocate_bare(path):
    """Only the wrapper that tests make fail; outside the library everybody."""
    return not is_below(path, "src") or is_below(path, "src/os")


def may_be_planted(path):
    return is_below(path, "tests/planted")


def functions(text):
    """(name, first line, lines) of each function. Relies on the layout that clang-format gives: a
    definition begins in the first column, and so does its closing brace."""
    lines = blank_directives(sources.code_only(text)).split("\n")
    found = []
    start = None
    head = ""
    end_at_column_0 = False
    for number, line in enumerate(lines):
        if end_at_column_0:
            if line.startswith("}"):
                end_at_column_0 = False
                if is_function(head):
                    found.append((function_name(head), start + 1, number - start + 1))
                start, head = None, ""
            continue
        if start is None and (not line or line[0] in " \t}"):
            continue
        if start is None:
            start = number
        brace, semicolon = line.find("{"), line.find(";")
        if brace >= 0 and (semicolon < 0 or brace < semicolon):
            head += " " + line[:brace]
            if re.fullmatch(r'\s*extern\s*"\s*"\s*', head) or "namespace" in head:
                start, head = None, ""
            elif line.rstrip().rstrip(";").endswith("}"):  # all on one line
                if is_function(head):
                    found.append((function_name(head), start + 1, number - start + 1))
                start, head = None, ""
            else:
                end_at_column_0 = True
        elif semicolon >= 0:
            start, head = None, ""
        else:
            head += " " + line
    return found


def blank_directives(text):
    """Preprocessor lines, with their continuations, are no code of a function."""
    return re.sub(r"^[ \t]*#(?:\\\n|[^\n])*", lambda m: sources.blank(m[0]), text,
                  flags=re.MULTILINE)


def is_function(head):
    head = re.sub(r"__attribute__\s*\(\(.*?\)\)", "", head)
    outside = re.sub(r"\([^()]*\)", "", re.sub(r"\([^()]*\)", "", head))
    return "(" in head and "=" not in outside and not re.match(r"\s*(typedef|class|enum)\b", head)


def function_name(head):
    match = re.search(r"(\w+)\s*\(", re.sub(r"__attribute__\s*\(\(.*?\)\)", "", head))
    return match[1] if match else head.strip()


def check_lines(path, text):
    lines = text.split("\n")
    if text and not text.endswith("\n"):
        yield f"{path}:{len(lines)}: no line break at the end of the file"
    if len(lines) - 1 > FILE_LINES:
        yield f"{path}:1: {len(lines) - 1} lines; a file has at most {FILE_LINES}"
    for number, line in enumerate(lines, 1):
        if len(line) > LINE_COLUMNS:
            yield f"{path}:{number}: {len(line)} columns; a line has at most {LINE_COLUMNS}"
        if line != line.rstrip():
            yield f"{path}:{number}: blanks at the end of the line"
        if "\t" in line and not path.endswith(".go"):  # gofmt wants them
            yield f"{path}:{number}: a tab"


def check_head(path, text):
    lines = text.split("\n")
    if lines[0] != "// SPDX-License-Identifier: MIT":
        yield f"{path}:1: the first line is not // SPDX-License-Identifier: MIT"
    comment = [line for line in lines[1:3] if line.startswith("//")]
    if not comment:
        yield f"{path}:2: no comment says what the file is for"


def check_c(path, text):
    lines = text.split("\n")
    code = sources.code_only(text)
    for number, line in enumerate(code.split("\n"), 1):
        if line.lstrip().startswith("#include"):
            continue
        for match in BANNED_CALL.finditer(line):
            yield f"{path}:{number}: banned call {match[0]}): STYLE.md, Banned"
        if not may_allocate_bare(path):
            for match in ALLOCATOR_CALL.finditer(line):
                yield f"{path}:{number}: bare {match[0]}): use the wrapper of os/os.h"
        if not may_use_errno(path) and re.search(r"\berrno\b", line):
            yield f"{path}:{number}: errno outside os/, driver/ and adapters"
    for name, start, count in functions(text):
        if count > FUNCTION_LINES:
            yield f"{path}:{start}: {name} has {count} lines; at most {FUNCTION_LINES}"
    if is_below(path, "examples") and path.endswith(".c"):
        count = len(text.rstrip("\n").split("\n")) - len(opening_comment(lines))
        if count > EXAMPLE_LINES:
            yield f"{path}:1: {count} lines of code; an example has at most {EXAMPLE_LINES}"


def opening_comment(lines):
    """The comment lines that open a file, with the blank lines among and after them."""
    for number, line in enumerate(lines):
        if line and not line.startswith("//"):
            return lines[:number]
    return lines


def check_script(path, text):
    if not any("SPDX-License-Identifier: MIT" in line for line in text.split("\n")[:2]):
        yield f"{path}:1: no SPDX-License-Identifier: MIT in the first two lines"


def laid_out_files(root):
    return [path for path in sources.c_files(root) if not path.endswith(".S")]


def check_layout(root):
    """clang-format has nothing to change. Returns (complaints, a word on what was done)."""
    tool = shutil.which("clang-format")
    version = tool and subprocess.run([tool, "--version"], capture_output=True, text=True).stdout
    if not tool or not re.search(rf"version {CLANG_FORMAT_MAJOR}\.", version):
        return [], f"layout not checked: no clang-format {CLANG_FORMAT_MAJOR}"
    files = laid_out_files(root)
    if not files:
        return [], "nothing to lay out"
    command = [tool, "--dry-run", "-Werror", "--ferror-limit=1", *files]
    run = subprocess.run(command, cwd=root, capture_output=True, text=True)
    wrong = sorted(set(re.findall(r"^(\S+?:\d+):\d+: error", run.stderr, re.MULTILINE)))
    complaints = [f"{place}: not laid out by clang-format: ./dev fmt" for place in wrong]
    if run.returncode != 0 and not complaints:
        complaints = [f"clang-format: {run.stderr.strip()}"]
    return complaints, "layout checked"


def check_text(root):
    """Everything but the layout."""
    complaints = []
    for path in sources.c_files(root):
        text = sources.read(root, path)
        complaints += check_lines(path, text)
        if not may_be_planted(path):
            complaints += check_head(path, text)
            complaints += check_c(path, text)
    for path in sources.peer_files(root):
        text = sources.read(root, path)
        complaints += check_lines(path, text)
        complaints += check_head(path, text)
    for path in sources.script_files(root):
        text = sources.read(root, path)
        complaints += check_lines(path, text)
        complaints += check_script(path, text)
    return complaints


def facts(root):
    """What the limits aim at, measured over the library: STYLE.md gives the aims."""
    lengths, files, lines, comments = [], [], 0, 0
    for path in sources.c_files(root):
        if is_below(path, "src", "include", "cli"):
            text = sources.read(root, path)
            lengths += [count for _, _, count in functions(text)]
            files.append(text.count("\n"))
            lines += text.count("\n")
            comments += sources.comments_only(text)
    if len(lengths) < 2:
        return "nothing to measure"
    p95 = statistics.quantiles(lengths, n=20)[18]
    return (f"{len(lengths)} functions, median {statistics.median(lengths):.0f}, p95 {p95:.0f}, "
            f"longest {max(lengths)} lines; {len(files)} files, median "
            f"{statistics.median(files):.0f}, longest {max(files)}; "
            f"comments {100 * comments / lines:.0f} % of lines")


HEAD = "// SPDX-License-Identifier: MIT\n// What it is for.\n"
CLEAN = {
    "src/base/a.c": HEAD + '#include <errno.h>\n'
                    'const char *weft__text = "errno time( malloc( // not a comment";\n'
                    "int weft__a(void) {\n    return weft__time(0); // time(NULL) is banned\n}\n",
    "src/os/b.c": HEAD + "int weft__b(void) {\n    free(malloc(1));\n    return -errno;\n}\n",
    "tools/c.sh": "#!/bin/sh\n# SPDX-License-Identifier: MIT\n",
    "bench/peers/d.go": HEAD + "func d() {\n\td()\n}\n",
}
PLANTED = [
    ("src/base/x.c", "// What it is for.\n", "the first line is not"),
    ("src/base/x.c", "// SPDX-License-Identifier: MIT\nint weft__x;\n", "no comment says"),
    ("tools/x.py", "print()\n", "no SPDX"),
    ("bench/x.py", "print()\n", "no SPDX"),
    ("bench/peers/Cargo.toml", "[package]\n", "no SPDX"),
    ("bench/peers/x.rs", "// What it is for.\n", "the first line is not"),
    ("bench/peers/x.go", "// SPDX-License-Identifier: MIT\npackage main\n", "no comment says"),
    ("src/base/x.c", HEAD + "// " + "x" * 98 + "\n", "101 columns"),
    ("src/base/x.c", HEAD + "int weft__x;\n" * 499, "501 lines"),
    ("src/base/x.c", HEAD + "int weft__x; \n", "blanks at the end"),
    ("src/base/x.c", HEAD + "\tint weft__x;\n", "a tab"),
    ("src/base/x.c", HEAD + "int weft__x;", "no line break"),
    ("src/base/x.c", HEAD + "int weft__x(void) {\n" + "    x();\n" * 69 + "}\n", "x has 71 lines"),
    ("src/base/x.c", HEAD + "int weft__x(int a,\n    int b)\n{\n" + "    x();\n" * 67 + "}\n",
     "x has 71 lines"),
    ("examples/x.c", HEAD + "\n" + "int x;\n" * 26, "26 lines of code"),
    ("src/net/x.c", HEAD + "int weft__x(void) {\n    return errno;\n}\n", "errno outside"),
    ("src/net/x.c", HEAD + "int weft__x(void) {\n    return !malloc(1);\n}\n", "bare malloc("),
    ("cli/x.c", HEAD + "int weft__x(void) {\n    return atoi(\"1\");\n}\n", "banned call atoi("),
    ("cli/x.c", HEAD + "/* a \"quote */ int x(void) {\n    return rand();\n}\n", "call rand("),
]


def main(arguments):
    if arguments[:1] == ["--list-c"]:
        print("\n".join(f"{arguments[1]}/{path}" for path in laid_out_files(arguments[1])))
        return 0
    root = arguments[0]
    problems = sources.self_test(check_text, CLEAN, PLANTED)
    problems += check_text(root)
    layout, word = check_layout(root)
    return sources.report("style", problems + layout, f"{word}; {facts(root)}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
