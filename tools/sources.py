# SPDX-License-Identifier: MIT
"""What the checkers share: finding the files of the tree, and reading C without a compiler."""

import os
import pathlib
import re
import tempfile

C_SUFFIXES = {".c", ".h", ".cc", ".cpp", ".S"}
C_FOLDERS = ("include", "src", "cli", "examples", "tests", "bench")
HASH_SUFFIXES = {".py", ".sh", ".cmake", ".toml"}  # languages whose comments begin with #
PEER_SUFFIXES = {".rs", ".go"}  # the benchmarks' peers; comments as in C
HASH_NAMES = {"dev", "CMakeLists.txt", ".ci/run", ".clang-format", ".clang-tidy"}


def c_files(root):
    """Every C, C++ and assembly file of ours, as paths relative to `root`, sorted."""
    found = []
    for folder in C_FOLDERS:
        found += files_below(root, folder, C_SUFFIXES)
    return sorted(found)


def script_files(root):
    """Every script and build file of ours, likewise."""
    found = [name for name in HASH_NAMES if (pathlib.Path(root) / name).is_file()]
    for folder in ("tools", "cmake", "tests", "bench"):
        found += files_below(root, folder, HASH_SUFFIXES)
        found += [path for path in files_below(root, folder, {".txt"}) if "CMakeLists" in path]
    return sorted(found)


def peer_files(root):
    """Every Rust and Go file, likewise."""
    return sorted(files_below(root, "bench", PEER_SUFFIXES))


def files_below(root, folder, suffixes):
    found = []
    for place, folders, names in os.walk(pathlib.Path(root) / folder):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in names:
            path = pathlib.Path(place) / name
            if path.suffix in suffixes:
                found.append(path.relative_to(root).as_posix())
    return found


TOKEN = re.compile(
    r"""(?P<comment>//(?:\\\n|[^\n])*|/\*.*?\*/)   # a comment, a line one may be continued
      |(?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')""",
    re.DOTALL | re.VERBOSE,
)


def without_comments(text):
    """`text` with blanks for comments; line breaks stay, so line numbers stay true."""
    return TOKEN.sub(lambda m: blank(m[0]) if m["comment"] else m[0], text)


def code_only(text):
    """`text` with blanks for comments and for what stands in string and character literals."""
    def empty(match):
        quote = match[0][0]
        return blank(match[0]) if match["comment"] else quote + blank(match[0][1:-1]) + quote
    return TOKEN.sub(empty, text)


def comments_only(text):
    """The number of lines that hold a comment."""
    return len({line for m in TOKEN.finditer(text) if m["comment"]
                for line in range(text.count("\n", 0, m.start()),
                                  text.count("\n", 0, m.end()) + 1)})


def blank(text):
    return re.sub(r"[^\n]", " ", text)


def read(root, path):
    return (pathlib.Path(root) / path).read_text(encoding="utf-8")


def self_test(check, clean, planted):
    """Shows that a checker can fail: `check(root)` gives its complaints about a tree. The tree
    `clean` (a dict of path to text) gets none; each (path, text, words) of `planted`, added to it,
    gets one that contains the words."""
    problems = []
    with tempfile.TemporaryDirectory() as root:
        write_tree(root, clean)
        problems += [f"self-test: complained about a clean tree: {c}" for c in check(root)]
    for path, text, words in planted:
        with tempfile.TemporaryDirectory() as root:
            write_tree(root, {**clean, path: text})
            if not any(words in complaint for complaint in check(root)):
                problems.append(f"self-test: '{words}' was planted in {path} and not found")
    return problems


def write_tree(root, tree):
    for path, text in tree.items():
        target = pathlib.Path(root) / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


def report(name, problems, facts):
    """Prints the verdict; gives the exit status."""
    for problem in problems:
        print(problem)
    print(f"{name}: {len(problems)} problems; {facts}")
    return 1 if problems else 0
