#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks the models in this folder with spin.

run.py [MODEL...]                checks all models, or these, and prints a table
run.py --trail MODEL [-DNAME...] explains how a model, changed so, comes to an error

A model holds, alone and with the flags of each line `holds: FLAGS` in its head: spin finds no
assertion that fails, no state in which all stand still, and, where it has an `ltl` formula, no run
without that, under weak fairness. Each macro PLANT_* is a defect: with it spin must find an error.
What the heads call "Models" must exist. Progress is looked for with the read-modify-writes of x86,
because with the others (memory.pml) a place that is kept busy may starve who wants it, which no
fairness of threads excludes.
"""

import concurrent.futures
import pathlib
import re
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
BUILD = ROOT / "build-models"
JOBS = 2
MEMORY_MB = 900  # of one run; together 2 GB
SECONDS = 300  # only ends hangs
DEPTH = 20000  # of a search; a deeper one is an error
SAFETY, PROGRESS = "safety", "progress"


class Run:
    """One search: of a model, with flags, for one of the two kinds of errors."""

    def __init__(self, model, kind, flags=(), is_plant=False):
        self.model, self.kind, self.flags, self.is_plant = model, kind, list(flags), is_plant
        self.figures = dict.fromkeys(("states", "transitions", "depth", "memory"), "")
        self.error = self.problem = ""
        self.seconds = 0.0

    def name(self):
        flags = " ".join(flag.removeprefix("-D") for flag in self.flags)
        return f"{self.kind} {flags}".strip()

    def folder(self):
        return BUILD / "-".join([self.model, self.kind, *(flag[2:] for flag in self.flags)])

    def execute(self):
        started = time.monotonic()
        try:
            self.search()
        except subprocess.TimeoutExpired:
            self.problem = f"not done after {SECONDS} s"
        self.seconds = time.monotonic() - started
        return self

    def search(self):
        shutil.rmtree(self.folder(), ignore_errors=True)
        self.folder().mkdir(parents=True)
        progress = ["-DX86"] if self.kind == PROGRESS else []
        made = self.call("spin", "-a", *self.flags, *progress, HERE / f"{self.model}.pml")
        if made.returncode != 0 or "Error" in made.stdout:
            self.problem = "spin: " + made.stdout.strip()
            return
        defines = ["-DNFAIR=3"] if self.kind == PROGRESS else ["-DSAFETY", "-DNOCLAIM"]
        optimise = "-O0" if self.is_plant else "-O1"  # a plant is found before -O1 is through
        made = self.call("gcc", optimise, "-w", f"-DMEMLIM={MEMORY_MB}", *defines, "-o", "pan",
                         "pan.c")
        if made.returncode != 0:
            self.problem = "gcc: " + made.stdout.strip()
            return
        fair = ["-a", "-f"] if self.kind == PROGRESS else []
        self.read(self.call("./pan", "-w21", f"-m{DEPTH}", *fair).stdout)

    def call(self, *command):
        return subprocess.run(command, cwd=self.folder(), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=SECONDS)

    def read(self, output):
        def find(pattern):
            match = re.search(pattern, output, re.MULTILINE)
            return match[1] if match else ""
        self.figures = {
            "states": find(r"^\s*(\d+) states, stored"),
            "transitions": find(r"^\s*(\d+) transitions"),
            "depth": find(r"depth reached (\d+)"),
            "memory": find(r"^\s*([\d.]+)\s+total actual memory usage"),
        }
        self.error = find(r"^pan:1: (.*?)(?: \(at depth \d+\))?$")
        errors = find(r"errors: (\d+)")
        if re.search(r"MEMLIM|max search depth too small|out of memory", output) or errors == "":
            self.problem = "the search was not completed"
        elif (errors == "0") == (self.error != ""):
            self.problem = f"unclear: errors: {errors}, {self.error}"


def text_of(model):
    return (HERE / f"{model}.pml").read_text(encoding="utf-8")


def models():
    return sorted(path.stem for path in HERE.glob("*.pml") if path.stem != "memory")


def has_progress(model):
    return re.search(r"^ltl ", text_of(model), re.MULTILINE) is not None


def variants(model):
    return [[]] + [line.split() for line in re.findall(r"holds: (-D.*)", text_of(model))]


def proofs(model):
    kinds = [SAFETY, PROGRESS] if has_progress(model) else [SAFETY]
    return [Run(model, kind, flags) for flags in variants(model) for kind in kinds
            if not (kind == PROGRESS and "-DX86" in flags)]


def plants(model):
    return sorted(set(re.findall(r"^#if.*?\b(PLANT_\w+)", text_of(model), re.MULTILINE)))


def find_plant(model, plant):
    """A planted defect is an error of one kind or the other."""
    run = Run(model, SAFETY, [f"-D{plant}"], True).execute()
    if not run.problem and not run.error and has_progress(model):
        run = Run(model, PROGRESS, [f"-D{plant}"], True).execute()
    return run


def stale_names(model):
    """What the head says it models, but the sources do not know."""
    head = text_of(model).split("#define")[0].replace("\n//\n", "\n\n")
    paragraph = re.search(r"^// Models\b.*?(?=\n\n)", head, re.MULTILINE | re.DOTALL)
    if not paragraph:
        return []
    files = re.findall(r"src/[\w/]+\.[ch]", paragraph[0])
    missing = [path for path in files if not (ROOT / path).is_file()]
    known = "".join((ROOT / path).read_text(encoding="utf-8") for path in files
                    if path not in missing)
    words = re.findall(r"\b[a-z]\w*_\w+\b", re.sub(r"\w+\.(pml|c|h)\b", "", paragraph[0]))
    return missing + [word for word in words if not re.search(rf"\b{word}\b", known)]


def outcome(run):
    """What a run shows, and whether that is what it should."""
    if run.problem:
        return f"FAILED: {run.problem}", False
    if run.is_plant:
        return (f"found: {run.error}", True) if run.error else ("NOT FOUND", False)
    return (f"FAILED: {run.error}", False) if run.error else ("errors: 0", True)


def row(run, what):
    figures = run.figures
    print(f"{run.model:<12} {run.name():<42} {figures['states']:>9} {figures['transitions']:>12} "
          f"{figures['depth']:>6} {figures['memory'].split('.')[0]:>5} {run.seconds:>5.1f}  "
          f"{what[:60]}", flush=True)


def check(names):
    """The table, in the order of the models, while two searches run at a time."""
    is_right = True
    started = time.monotonic()
    print(f"{'model':<12} {'search':<42} {'states':>9} {'transitions':>12} {'depth':>6} {'MB':>5} "
          f"{'s':>5}")
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        waiting = []
        for model in names:
            waiting += [pool.submit(run.execute) for run in proofs(model)]
            waiting += [pool.submit(find_plant, model, plant) for plant in plants(model)]
        runs = []
        for future in waiting:
            run = future.result()
            what, is_as_expected = outcome(run)
            is_right &= is_as_expected
            row(run, what)
            runs.append(run)
    for model in names:
        for name in stale_names(model):
            is_right = False
            print(f"models/{model}.pml: models {name}, which is not there")
    proved = [run for run in runs if not run.is_plant]
    states = sum(int(run.figures["states"] or 0) for run in proved)
    print(f"{len(names)} models, {len(proved)} searches of {states} states without an error, "
          f"{len(runs) - len(proved)} planted defects; {time.monotonic() - started:.0f} s")
    return is_right


def trail(model, flags):
    """Runs a model as it is told to, and prints the steps to the first error."""
    kind = PROGRESS if PROGRESS in flags else SAFETY
    run = Run(model, kind, [flag for flag in flags if flag != PROGRESS]).execute()
    print(outcome(run)[0])
    if run.error:
        steps = run.call("spin", "-k", f"{model}.pml.trail", "-t", "-p", "-g", "-l",
                         *run.flags, HERE / f"{model}.pml").stdout
        print(steps)
    return not run.problem


def main(arguments):
    if arguments[:1] == ["--trail"]:
        return 0 if trail(arguments[1], arguments[2:]) else 1
    unknown = set(arguments) - set(models())
    if unknown:
        print(f"no model {', '.join(sorted(unknown))}: {' '.join(models())}")
        return 2
    return 0 if check(arguments or models()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
