#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the benchmarks: weft's programs and the peers' in turn, several rounds, each with as many
CPUs as its row says, and prints medians: one JSON line for the machine and one for each row, and a
table on a terminal. `./dev bench` builds and calls this; --help lists the options."""

import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time

import peers
import rows
import table

TIME_LIMIT = 180  # seconds of one run of one program
# What would make a program another one than its users run.
CLEARED = ("BENCH_DIVIDE BENCH_WORKERS GOGC GODEBUG GOMEMLIMIT GOMAXPROCS LD_PRELOAD "
           "MALLOC_ARENA_MAX WEFT_LOG WEFT_WORKERS").split()


def note(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def environment(extra):
    environ = {key: value for key, value in os.environ.items() if key not in CLEARED}
    return {**environ, **extra}


def cpus(count):
    """The last ones we may use: the first one gets most of the interrupts."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[-count:] if len(allowed) >= count else None


def free_mb():
    with open("/proc/meminfo", encoding="ascii") as file:
        for line in file:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) // 1000
    return 0


def run_once(row, command, extra):
    """The JSON of one run; {"fails": why} if it gave none."""
    pinned = ["taskset", "-c", ",".join(map(str, cpus(row.cores))), *map(str, command)]
    try:
        done = subprocess.run(pinned, capture_output=True, text=True, timeout=TIME_LIMIT,
                              env=environment(extra))
    except subprocess.TimeoutExpired:
        return {"fails": f"no result within {TIME_LIMIT} s"}
    try:
        return json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        how = f"signal {-done.returncode}" if done.returncode < 0 else f"status {done.returncode}"
        return {"fails": f"{how}, saying: {said}"}


def median_of(runs):
    """Each number's median over the runs."""
    keys = [key for key, value in runs[0].items() if isinstance(value, (int, float))]
    return {key: statistics.median(run[key] for run in runs) for key in keys}


class Contestant:
    """One variant of one party in one row, with what its runs said."""

    def __init__(self, who, variant, command, extra):
        self.who, self.variant, self.command, self.extra = who, variant, command, extra
        self.runs, self.failure = [], None

    def run(self, row, quick):
        if self.failure and not self.runs:
            return  # it failed the first time: it would again
        extra = {**self.extra, "BENCH_DIVIDE": "100"} if quick else self.extra
        result = run_once(row, self.command, extra)
        if "fails" in result:
            self.failure = result["fails"]
        else:
            self.runs.append(result)

    def result(self, row):
        result = {"who": self.who}
        if self.variant:
            result["variant"] = self.variant
        if not self.runs:
            return {**result, "fails": self.failure}
        if self.failure:
            result["failed_at_times"] = self.failure
        first = row.figures[0].key
        values = [run[first] for run in self.runs]
        result.update(median_of(self.runs), least=min(values), most=max(values))
        return result


def mark_best(row, results):
    """Says in each result in which figures it is the best of its party's variants."""
    for figure in row.figures:
        for result in table.best(figure, results).values():
            result.setdefault("best_in", []).append(figure.key)


def measure(row, parties, absent, options):
    """Runs one row; gives its results as one JSON object."""
    results, contestants = [], []
    reason = None
    if not cpus(row.cores):
        reason = f"needs {row.cores} CPUs"
    elif not options.quick and free_mb() < row.free_mb:
        reason = f"needs {row.free_mb} MB of free memory"
    for party in [parties[0]] if row.is_alone else parties:
        why = reason or rows.NOT_APPLICABLE.get((row.name, party.name))
        if why:
            results.append({"who": party.name, "not_applicable": why})
        elif party.name in absent:
            results.append({"who": party.name, "fails": f"not built: {absent[party.name]}"})
        else:
            contestants += [Contestant(party.name, *c) for c in party.commands(row)]
    for number in range(options.rounds):
        turn = number % max(len(contestants), 1)
        for contestant in contestants[turn:] + contestants[:turn]:
            note(f"{row.name}, round {number + 1} of {options.rounds}: {contestant.who} "
                 f"{contestant.variant}")
            contestant.run(row, options.quick)
    note("")
    results = [contestant.result(row) for contestant in contestants] + results
    mark_best(row, results)
    return {"row": row.name, "title": row.title, "cores": row.cores, "rounds": options.rounds,
            "results": results, "ratios": table.ratios(row, results)}


def machine(parties, absent, options):
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        models = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    facts = {
        "cpu": models[0] if models else platform.processor(),
        "cores": os.cpu_count(),
        "memory_mb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1000000,
        "kernel": platform.release(),
        "cc": peers.run(["cc", "--version"]).splitlines()[0],
        "load": os.getloadavg()[0],
        "date": time.strftime("%Y-%m-%d"),
    }
    for party in parties:
        if party.name not in absent:
            facts.update(party.versions())
    facts["driver"] = os.environ.get("WEFT_DRIVER", "auto")
    facts["absent"] = absent
    facts["rounds"] = options.rounds
    facts["quick"] = options.quick
    return facts


def parse(arguments):
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("rows", nargs="*", help="only these rows")
    parser.add_argument("--peers", help="only these peers, such as go,tokio")
    parser.add_argument("--no-peers", action="store_true", help="weft alone")
    parser.add_argument("--rounds", type=int, default=5, help="of which the median counts (5)")
    parser.add_argument("--quick", action="store_true",
                        help="one round, a hundredth of the work: do all the programs run?")
    parser.add_argument("--table", action="store_true", help="a table, though on no terminal")
    parser.add_argument("--write", metavar="FILE", type=pathlib.Path,
                        help="put the table into this document, such as docs/performance.md")
    parser.add_argument("--from", dest="given", metavar="FILE", type=pathlib.Path,
                        help="measure nothing, read the results of an earlier run")
    parser.add_argument("--build", type=pathlib.Path, help="the build folder",
                        default=peers.SOURCE.parent / "build")
    options = parser.parse_args(arguments)
    if options.quick:
        options.rounds = 1
    return options


def parties_of(options):
    names = [peer.name for peer in peers.PEERS]
    wanted = [] if options.no_peers else options.peers.split(",") if options.peers else names
    unknown = set(wanted) - set(names)
    if unknown:
        raise SystemExit(f"no such peer: {', '.join(sorted(unknown))}; there are "
                         + ", ".join(names))
    return [peers.Weft()] + [peer for peer in peers.PEERS if peer.name in wanted]


def run_all(options, chosen):
    out = options.build.resolve() / "bench"
    (out / "peers").mkdir(parents=True, exist_ok=True)
    parties, absent = parties_of(options), {}
    for party in parties:
        note(f"building {party.name}")
        try:
            party.build(out, environment({}))
        except peers.NotBuilt as cause:
            absent[party.name] = str(cause)
            print(f"\r{party.name} was not built: {cause}", file=sys.stderr)
    results = [{"machine": machine(parties, absent, options)}]
    print(json.dumps(results[0]), flush=True)
    for row in chosen:
        results.append(measure(row, parties, absent, options))
        print(json.dumps(results[-1]), flush=True)
    results[0]["machine"]["load_at_end"] = os.getloadavg()[0]
    if not options.quick and not options.rows:  # a look does not replace what was measured
        (out / "results.json").write_text(
            "".join(json.dumps(line) + "\n" for line in results), encoding="utf-8")
    return results


def main(arguments):
    options = parse(arguments)
    if options.given:
        text = options.given.read_text(encoding="utf-8")
        results = [json.loads(line) for line in text.splitlines()]
    else:
        results = run_all(options, rows.chosen(options.rows))
    if options.write:
        table.write(options.write, results)
    if options.table or options.given or sys.stdout.isatty():
        print(table.terminal(results))
    failed = [line["row"] for line in results[1:]
              for result in line["results"] if result["who"] == "weft" and "fails" in result]
    if failed:
        print(f"weft failed in: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
