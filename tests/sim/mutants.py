#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The mutation check: mutants.py BUILD [--from SEED | --record] [NAME...]

Each mutants/NAME.patch is a defect of the library. Its first line says what it breaks; `program:`
names the program of `prove` that must find it, and `seeds:` within how many seeds, from SEED on or
from 1. First the library as it is must pass all of that. Prints what found which defect; fails if
one survived, or if the table in docs/mutants.md is about others. --record: writes that table.
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import resource
import select
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
PATCHES = HERE / "mutants"
TABLE = HERE.parents[1] / "docs/mutants.md"
JOBS = os.cpu_count()
SILENCE = 20  # seconds without the end of a run: it hangs
MEMORY = 4 << 30  # bytes of address space: a mutant may run away
FAILURE = re.compile(r"^weft sim: (.*?)(?: on host \S+)? at [\d.]+ s, step .*SEED=(\d+)", re.M)
PANIC = re.compile(r"^weft: \S+:\d+: (.*)", re.M)
FOLDER = re.compile(r"(?<=\()/\S*/")
ENDED = re.compile(r"^prove: seed (\d+):? (.*)", re.M)


class Mutant:
    def __init__(self, patch):
        self.name = patch.stem
        lines = patch.read_text(encoding="utf-8").splitlines()
        self.what = lines[0].removeprefix("# ").removesuffix(".")
        self.source = header(lines, "source").removeprefix("src/")
        self.program = header(lines, "program")
        self.seeds = int(header(lines, "seeds"))
        self.seed = 0
        self.found = ""

    def run(self, folder, first):
        self.seed, self.found = run(folder / self.name, self.program, first, self.seeds)
        return self

    def report(self):
        seed = f"seed {self.seed}, of {self.seeds} allowed: " if self.found else ""
        return (f"{self.name}: {self.what} ({self.source}).\n"
                f"    {self.program}: {seed}{self.found or f'SURVIVED {self.seeds} seeds'}")

    def row(self):
        found = self.found.replace("|", "\\|")
        return (f"| `{self.name}` | {self.what} | {self.source} | {self.program} | {self.seeds} |"
                f" {self.seed} | `{found}` |")


def header(lines, key):
    values = [line.removeprefix(f"{key}: ") for line in lines if line.startswith(f"{key}: ")]
    if len(values) != 1:
        sys.exit(f"a patch needs one line `{key}:`")
    return values[0]


def limit():
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def follow(process, reports):
    """Counts the runs that ended; returns them, and whether it fell silent."""
    runs, last = 0, time.monotonic()
    while time.monotonic() < last + SILENCE:
        if not select.select([reports], [], [], 1)[0]:
            continue
        data = os.read(reports, 1 << 16)
        if not data:
            return runs, False
        runs, last = runs + data.count(b"\n"), time.monotonic()
    process.kill()
    return runs, True


def run(binary, program, first, seeds):
    """Returns the last seed that was tried, and what was wrong with it, or ""."""
    reports, writer = os.pipe()
    environment = dict(os.environ, WEFT_LOG="off", WEFT_SIM_REPORT_FD=str(writer))
    with open(f"{binary}.{program}.err", "w+b") as errors:
        command = [binary, program, str(first), str(seeds)]
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=errors,
                              pass_fds=[writer], preexec_fn=limit) as process:
            os.close(writer)
            runs, is_silent = follow(process, reports)
            os.close(reports)
        errors.seek(0)
        said = errors.read().decode(errors="replace")
    if is_silent:
        return first + runs, "hangs"
    if process.returncode == 0:
        return first + seeds - 1, ""
    return explain(said, process.returncode, first + runs)


def explain(said, status, seed):
    """The same, of what a process has said that ended with `status`, probably in `seed`."""
    if match := FAILURE.search(said):
        panic = PANIC.search(said) if match[1] == "SIGABRT" else None
        wrong = panic[1] if panic else match[1].removeprefix("check failed: ")
        return int(match[2]), "deadlock" if "(deadlock)" in wrong else FOLDER.sub("", wrong)
    if match := ENDED.search(said):
        return int(match[1]), match[2]
    return seed, f"signal {-status}" if status < 0 else f"exit {status}"


def check_baseline(folder, mutants, first):
    most = {}
    for mutant in mutants:
        most[mutant.program] = max(most.get(mutant.program, 0), mutant.seeds)
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        jobs = {program: pool.submit(run, folder / "prove", program, first, seeds)
                for program, seeds in most.items()}
    for program, job in jobs.items():
        seed, wrong = job.result()
        if wrong:
            sys.exit(f"the library as it is fails: {program}, seed {seed}: {wrong}")
        print(f"the library as it is: {program}: {most[program]} seeds", flush=True)


def without_findings(row):
    return row.rsplit(" | ", 2)[0]


def check_table(mutants):
    """That the documented mutants are these; at which seed each was found may differ."""
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    documented = [without_findings(line) for line in lines if line.startswith("| `")]
    if documented == [without_findings(mutant.row()) for mutant in mutants]:
        return True
    print(f"{TABLE.name} lists other mutants: ./dev mutants --record")
    return False


def record_table(mutants):
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    start = lines.index("|---|---|---|---|---|---|---|") + 1
    end = start
    while end < len(lines) and lines[end].startswith("|"):
        end += 1
    lines[start:end] = [mutant.row() for mutant in mutants]
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_arguments():
    parser = argparse.ArgumentParser(prog="mutants.py")
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("names", nargs="*")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--from", dest="first", metavar="SEED", type=int, default=1)
    which.add_argument("--record", action="store_true", help="write the table of docs/mutants.md")
    options = parser.parse_args()
    if options.record and options.names:
        parser.error("--record is about all of them")
    return options


def main():
    options = read_arguments()
    folder = options.build / "tests/sim"
    patches = [PATCHES / f"{name}.patch" for name in options.names] or PATCHES.glob("*.patch")
    mutants = [Mutant(patch) for patch in sorted(patches)]
    check_baseline(folder, mutants, options.first)
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        for mutant in pool.map(lambda m: m.run(folder / "mutants/bin", options.first), mutants):
            print(mutant.report(), flush=True)
    found = sum(1 for mutant in mutants if mutant.found)
    print(f"{len(mutants)} mutants, {found} found")
    if options.record and found == len(mutants):
        record_table(mutants)
    is_documented = bool(options.names) or check_table(mutants)
    return 0 if found == len(mutants) and is_documented else 1


if __name__ == "__main__":
    sys.exit(main())
