# SPDX-License-Identifier: MIT
"""Who is measured: weft, and its peers as Debian ships them. A peer builds itself below
build/bench/peers and knows which of its variants have a chance to be its best in a row."""

import pathlib
import re
import shutil
import subprocess

SOURCE = pathlib.Path(__file__).resolve().parent
CARGO_REGISTRY = "/usr/share/cargo/registry"  # where Debian's librust-*-dev packages put crates


class NotBuilt(Exception):
    """Why a peer could not be built."""


def run(command, **options):
    try:
        done = subprocess.run(command, capture_output=True, text=True, **options)
    except FileNotFoundError:
        raise NotBuilt(f"{command[0]} is not installed") from None
    if done.returncode != 0:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        cause = next((line for line in said if "error" in line.lower()), (said or ["?"])[-1])
        raise NotBuilt(f"{pathlib.Path(command[0]).name}: {cause}")
    return done.stdout.strip()


def workers(row):
    return str(row.cores)


class Weft:
    name = "weft"

    def build(self, out, environ):
        self.programs = out
        if not (out / "micro/switch").exists():
            raise NotBuilt("build the target `benchmarks` first, or say ./dev bench")

    def versions(self):
        """The last commit that changed the library, whatever came on top of it."""
        try:
            git, library = ["git", "-C", str(SOURCE.parent)], ["--", "src", "include"]
            commit = run([*git, "log", "-1", "--format=%h", *library])
            changed = run([*git, "status", "--porcelain", *library])
        except NotBuilt:
            return {"weft": "no git here to tell the commit"}
        return {"weft": f"commit {commit}{' with changes' if changed else ''}"}

    def commands(self, row):
        """(variant, command, environment) of each variant to try."""
        yield "", [self.programs / row.weft_program(), row.name], {"WEFT_WORKERS": workers(row)}


class Tokio:
    """Debian's crates, found in Debian's folder in the place of crates.io. It is built in a copy,
    so that no lock file comes into the source tree."""
    name = "tokio"

    def build(self, out, environ):
        place = out / "peers/tokio"
        shutil.copytree(SOURCE / "peers/tokio", place, dirs_exist_ok=True)
        (place / ".cargo").mkdir(exist_ok=True)
        (place / ".cargo/config.toml").write_text(
            '[source.crates-io]\nreplace-with = "debian"\n'
            f'[source.debian]\ndirectory = "{CARGO_REGISTRY}"\n', encoding="utf-8")
        run(["/usr/bin/cargo", "build", "--release", "--offline"], cwd=place,
            env={**environ, "CARGO_HOME": str(place / "home"), "RUSTC": "/usr/bin/rustc",
                 "CARGO_TARGET_DIR": str(place / "target"), "RUSTFLAGS": ""})
        self.program = place / "target/release/tokio-rows"

    def versions(self):
        crates = sorted(path.name for path in pathlib.Path(CARGO_REGISTRY).glob("tokio-[0-9]*"))
        return {"tokio": " ".join(crates).replace("tokio-", ""),
                "rustc": run(["/usr/bin/rustc", "--version"])}

    def commands(self, row):
        flavours = ["current", "multi", "current-io", "multi-io"]
        for flavour in flavours if row.cores == 1 else flavours[1::2]:
            yield flavour, [self.program, row.name, flavour], {"BENCH_WORKERS": workers(row)}


class Go:
    name = "go"

    def build(self, out, environ):
        self.program = out / "peers/go-rows"
        run(["/usr/bin/go", "build", "-o", str(self.program), "."], cwd=SOURCE / "peers/go",
            env={**environ, "GOFLAGS": "", "GOCACHE": str(out / "peers/go-cache")})

    def versions(self):
        return {"go": run(["/usr/bin/go", "version"])}

    def commands(self, row):
        yield "", [self.program, row.name], {"GOMAXPROCS": workers(row)}


class Fiber:
    """Boost.Fiber; once more with tcmalloc, which its documentation recommends for stacks that are
    allocated by several threads."""
    name = "fiber"

    # The variants worth a run, words as in the program; all others were slower in every run.
    VARIANTS = {
        "switch": ["fixed"],
        "spawn_join": ["pooled", "fixed"],
        "spawn_1000": ["pooled post", "pooled"],
        "timer_cancel": ["fixed", "pooled"],
        "sleep_cancel": ["fixed", "pooled"],
        "tree": ["pooled", "fixed"],
        "parked": ["fixed"],
        "alive": ["fixed"],
        "spawn_join_2w": ["shared", "stealing", "stealing tcmalloc"],
        "spawn_1000_2w": ["stealing post tcmalloc", "shared post tcmalloc"],
        "tree_2w": ["stealing post", "stealing post tcmalloc"],
    }

    def build(self, out, environ):
        self.out = out / "peers"
        for program, libraries in (("fiber", []), ("fiber-tcmalloc", [
                "-Wl,--no-as-needed", "-l:libtcmalloc_minimal.so.4"])):
            run(["g++", "-std=gnu++17", "-O2", "-pthread", "-Wall", "-Wextra", f"-I{SOURCE}",
                 str(SOURCE / "peers/fiber/main.cc"), "-o", str(self.out / program),
                 "-Wl,-Bstatic", "-lboost_fiber", "-lboost_context", "-Wl,-Bdynamic", *libraries],
                env=environ)

    def versions(self):
        header = pathlib.Path("/usr/include/boost/version.hpp").read_text(encoding="utf-8")
        return {"boost": re.search(r'BOOST_LIB_VERSION "(\S+)"', header)[1].replace("_", ".")}

    def commands(self, row):
        for variant in self.VARIANTS.get(row.name, ["pooled", "fixed"]):
            program = "fiber-tcmalloc" if "tcmalloc" in variant else "fiber"
            yield variant, [self.out / program, row.name, variant], {}


class Pthread:
    name = "pthread"

    def build(self, out, environ):
        self.program = out / "peers/pthread"
        run(["cc", "-std=gnu17", "-D_GNU_SOURCE", "-O2", "-pthread", "-Wall", "-Wextra",
             f"-I{SOURCE}", str(SOURCE / "peers/pthread/main.c"), "-o", str(self.program)],
            env=environ)

    def versions(self):
        return {"libc": run(["getconf", "GNU_LIBC_VERSION"])}

    def commands(self, row):
        yield "", [self.program, row.name], {}


PEERS = [Tokio(), Go(), Fiber(), Pthread()]
