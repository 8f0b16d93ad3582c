#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The layers of the house, read from the #include lines: arrows point downward only.

check_layers.py ROOT    checks; first plants each violation in a scratch tree and must find it
"""

import pathlib
import re
import sys

import sources

LAYERS = ["base", "os", "driver", "task", "io", "net", "sim"]  # bottom first

# How much of the house a source may know. Its own header, the vocabulary of base/ and the public
# face are not counted: what entangles files is knowing each other.
DIRECT_HEADERS = 4
TRANSITIVE_HEADERS = 12

# The C standard library, without what belongs to the machine: signals, threads and atomics.
C_HEADERS = {f"{name}.h" for name in
             "ctype errno float inttypes limits locale math stdalign stdarg stdbool stddef stdint "
             "stdio stdlib stdnoreturn string time wchar wctype".split()}
ATOMICS = {"stdatomic.h": "src/base/atomic.h"}
PUBLIC_EXTRA = {"sys/types.h", "sys/uio.h"}  # what public headers may include besides
TESTING = "src/weft_testing.h"

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(<[^>\n]+>|"[^"\n]+")', re.MULTILINE)


class Tree:
    """The includes of every file: (line, spelling, the project's file or None)."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.files = sources.c_files(root)
        known = set(self.files)
        self.includes = {}
        for path in self.files:
            text = sources.without_comments(sources.read(root, path))
            self.includes[path] = [
                (text.count("\n", 0, match.start()) + 1, match[1], resolve(path, match[1], known))
                for match in INCLUDE.finditer(text)]

    def headers(self, path):
        """The project's files that `path` includes."""
        return {target for _, _, target in self.includes[path] if target}

    def all_headers(self, path):
        seen, todo = set(), [path]
        while todo:
            for target in self.headers(todo.pop()) - seen:
                seen.add(target)
                todo.append(target)
        return seen


def resolve(path, spelling, known):
    """The file of the tree that an #include names, or None for one of the system's."""
    name = spelling[1:-1]
    if spelling[0] == "<":
        candidates = [f"include/{name}"]
    else:
        beside = (pathlib.PurePosixPath(path).parent / name).as_posix()
        candidates = [beside, f"src/{name}", f"include/{name}", f"tests/support/{name}",
                      f"bench/{name}", f"tests/sim/{name}"]
    return next((candidate for candidate in candidates if candidate in known), None)


def layer(path):
    """The number of the layer `path` belongs to; above all for src/*.c; None outside src/."""
    parts = path.split("/")
    if parts[0] != "src":
        return None
    if len(parts) == 2:
        return len(LAYERS)
    return LAYERS.index(parts[1]) if parts[1] in LAYERS else -1


def may_use_system(path):
    return (path.startswith(("src/os/", "src/driver/", "src/task/context_"))
            or "adapter" in pathlib.PurePosixPath(path).name)


def may_include(path, target):
    """None if `path` may include the project's file `target`, else the rule it breaks."""
    name = pathlib.PurePosixPath(path).name
    if target == TESTING:
        if path.startswith("tests/support/") or (path.startswith("src/") and "testing" in name):
            return None
        if path == "tests/unit/test_weft_testing.c":  # a unit test sees what it is about
            return None
        return "weft_testing.h is for tests/support and for what implements it"
    if target.startswith("include/"):
        return None
    if path.startswith("include/"):
        return "a public header includes public headers only"
    if path.startswith("src/"):
        if not target.startswith("src/"):
            return "the library includes nothing from outside src/ and include/"
        if layer(target) > layer(path):
            return f"upward: {LAYERS[layer(path)]} may not see {target}"
        return None
    folder = path.split("/")[0] + "/" + (path.split("/")[1] if path.startswith("tests/") else "")
    if target.startswith(folder):
        return None
    if path.startswith(("tests/unit/", "tests/support/", "tests/cross/", "tests/explore/",
                        "tests/differential/",
                        "bench/micro/")):
        return None
    if path.startswith("tests/conformance/") and target.startswith("tests/support/"):
        return None
    if path.startswith("bench/sim/") and target.startswith("tests/sim/"):
        return None
    return f"{folder.rstrip('/')} uses the public headers only, as any user does"


def check_include(path, spelling, target):
    """None, or what is wrong with one #include."""
    name = spelling[1:-1]
    if target:
        return may_include(path, target)
    if spelling[0] == '"':
        return "no such file in the tree"
    if path.startswith("include/"):
        return None if name in C_HEADERS | PUBLIC_EXTRA else "not a small standard header"
    if not path.startswith("src/"):
        return None
    if name in ATOMICS:
        return None if path == ATOMICS[name] else f"all atomics go through {ATOMICS[name]}"
    if name in C_HEADERS or may_use_system(path):
        return None
    return "system headers belong to os/, driver/, task/context_* and adapters"


def counted(path, headers):
    own = str(pathlib.PurePosixPath(path).with_suffix(".h"))
    return sorted(h for h in headers if h != own and not h.startswith(("src/base/", "include/")))


def check_counts(tree, path):
    direct = counted(path, tree.headers(path))
    seen = counted(path, tree.all_headers(path))
    if len(direct) > DIRECT_HEADERS:
        yield (f"{path}:1: {len(direct)} project headers included, at most {DIRECT_HEADERS}: "
               + ", ".join(direct))
    if len(seen) > TRANSITIVE_HEADERS:
        yield (f"{path}:1: {len(seen)} project headers seen, at most {TRANSITIVE_HEADERS}: "
               + ", ".join(seen))


def check(root):
    tree = Tree(root)
    complaints = []
    for path in tree.files:
        if path.startswith("src/") and layer(path) == -1:
            complaints.append(f"{path}:1: no such layer: {', '.join(LAYERS)}")
            continue
        for line, spelling, target in tree.includes[path]:
            rule = check_include(path, spelling, target)
            if rule:
                complaints.append(f"{path}:{line}: #include {spelling}: {rule}")
        if path in tree.all_headers(path):
            complaints.append(f"{path}:1: includes itself, by way of what it includes")
        if path.startswith(("src/", "cli/")) and path.endswith(".c"):
            complaints += check_counts(tree, path)
    return complaints


CLEAN = {
    "include/weft.h": "#include <stddef.h>\n#include <sys/uio.h>\n#include <weft/addr.h>\n",
    "include/weft/addr.h": "",
    "src/weft_testing.h": "",
    "src/testing.c": '#include "weft_testing.h"\n#include "task/park.h"\n',
    "src/base/list.h": '// #include "net/nothing.h"\n#include <string.h>\n',
    "src/base/atomic.h": "#include <stdatomic.h>\n",
    "src/os/os.h": '#include "base/list.h"\n#include <pthread.h>\n#include <weft/addr.h>\n',
    "src/task/park.h": '#include "os/os.h"\n',
    "src/task/context_x.c": "#include <ucontext.h>\n",
    "cli/cli.h": "",
    "cli/main.c": '#include "cli.h"\n#include <weft.h>\n#include <unistd.h>\n',
    "bench/measure.h": "#include <time.h>\n",
    "bench/rows/yield.c": '#include "measure.h"\n#include <weft.h>\n',
    "bench/sim/seeds.c": '#include "measure.h"\n#include "prove.h"\n',
    "tests/sim/prove.h": "#include <weft.h>\n",
    "tests/support/support.h": "#include <weft.h>\n",
    "tests/support/support.c": '#include "weft_testing.h"\n#include "support.h"\n',
    "tests/conformance/reads.c": '#include "support.h"\n#include <weft.h>\n',
    "tests/explore/park.c": '#include "task/park.h"\n',
    "tests/unit/test_park.c": '#include "task/park.h"\n#include "support.h"\n',
}
MANY = {f"src/os/many{i}.h": f'#include "os/many{i + 1}.h"\n' for i in range(13)}
MANY["src/os/many12.h"] = ""
PLANTED = [
    ("src/base/x.c", '#include "os/os.h"\n', "upward: base may not see"),
    ("src/os/x.h", '#include "task/park.h"\n', "upward: os may not see"),
    ("src/extra/x.c", "", "no such layer"),
    ("src/base/x.c", "#include <unistd.h>\n", "system headers belong"),
    ("src/net/x.c", "#include <sys/socket.h>\n", "system headers belong"),
    ("src/os/x.c", "#include <stdatomic.h>\n", "all atomics go through"),
    ("src/os/x.c", '#include "os/missing.h"\n', "no such file"),
    ("src/net/x.c", '#include "weft_testing.h"\n', "weft_testing.h is for"),
    ("tests/unit/test_x.c", '#include "weft_testing.h"\n', "weft_testing.h is for"),
    ("cli/x.c", '#include "task/park.h"\n', "cli uses the public headers only"),
    ("examples/x.c", '#include "../src/os/os.h"\n', "no such file"),
    ("bench/x.c", '#include "os/os.h"\n', "bench uses the public headers only"),
    ("bench/rows/x.c", '#include "prove.h"\n', "bench uses the public headers only"),
    ("src/net/x.c", '#include "measure.h"\n', "nothing from outside src/"),
    ("tests/conformance/x.c", '#include "os/os.h"\n', "uses the public headers only"),
    ("include/weft/x.h", "#include <pthread.h>\n", "not a small standard header"),
    ("include/weft/x.h", '#include "base/list.h"\n', "public headers only"),
    ("src/base/list.h", '#include "base/list.h"\n', "includes itself"),
    ("src/net/x.c", '#include "base/list.h"\n#include <weft.h>\n'
                    + "".join(f'#include "os/many{i}.h"\n' for i in range(8, 13)),
     "5 project headers included"),
    ("src/net/x.c", '#include "os/many0.h"\n', "13 project headers seen"),
]


def main(arguments):
    root = arguments[0]
    problems = sources.self_test(check, {**CLEAN, **MANY}, PLANTED)
    problems += check(root)
    tree = Tree(root)
    library = [path for path in tree.files if path.startswith("src/") and path.endswith(".c")]
    most = max((len(counted(path, tree.all_headers(path))) for path in library), default=0)
    return sources.report("layering", problems,
                          f"{len(tree.files)} files, at most {most} headers seen by a source")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
