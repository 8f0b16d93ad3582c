#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A seed is one run, wherever things lie in memory.

twice.py [--any-addresses] PROVE... PROGRAM FIRST COUNT

Runs each seed in two processes, whose addresses the kernel has chosen at random. One goes up from
FIRST and the other goes down to it: what earlier runs leave behind in a process differs, too. Fails
if a run does, if a seed has two hashes, if a fault was on and fired in none of the runs, or if the
addresses were the same. Exit status 77: they were, and randomisation is off here.
"""

import array
import collections
import hashlib
import os
import pathlib
import re
import selectors
import subprocess
import sys

ADDR_NO_RANDOMIZE = 0x0040000  # personality(2)
SKIPPED = 77
REPORT = re.compile(rb"seed=(\d+) .*\bsteps=(\d+) .*\bhash=([0-9a-f]{16}) "
                    rb"faults=(\S+) hits=(\S+)")
ENOUGH = 500  # seeds, in which even what is rare happens
ADDRESSES = re.compile(r"code at (0x[0-9a-f]+), stack at (0x[0-9a-f]+)")


class Process:
    """One `prove`, which reports each run that has ended by a line."""

    def __init__(self, command):
        self.reports, writer = os.pipe()
        environment = dict(os.environ, WEFT_LOG="off", WEFT_SIM_REPORT_FD=str(writer))
        environment.pop("WEFT_SIM_SEED", None)
        self.child = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True,
                                      pass_fds=[writer])
        os.close(writer)
        self.rest = b""

    def read(self):
        """The lines that have come; None if it has ended, and is well."""
        data = os.read(self.reports, 1 << 16)
        *lines, self.rest = (self.rest + data).split(b"\n")
        if not data and self.child.wait() != 0:
            sys.exit(1)  # it has told why
        return lines if data else None

    def addresses(self):
        return ADDRESSES.search(self.child.stdout.read()).groups()


class Seeds:
    """The hashes of `count` seeds; 0 is one that has not run yet."""

    def __init__(self, first, count):
        self.first = first
        self.hashes = array.array("Q", bytes(8 * count))
        self.runs = self.steps = 0
        self.on, self.fired = collections.Counter(), collections.Counter()

    def add(self, report):
        seed, steps, digits, faults, hits = REPORT.match(report).groups()
        place, new = int(seed) - self.first, int(digits, 16)
        old = self.hashes[place]
        if old not in (0, new):
            sys.exit(f"twice: seed {int(seed)} is not one run: {old:016x} and {new:016x}")
        self.hashes[place] = new
        self.runs += 1
        self.steps += int(steps)
        self.on.update(faults.decode().split(","))
        self.fired.update(hit.split(":")[0] for hit in hits.decode().split(","))

    def check_coverage(self):
        never = sorted(set(self.on) - set(self.fired) - {"none"})
        if never and len(self.hashes) >= ENOUGH:
            sys.exit(f"twice: on, and fired in no run: {', '.join(never)}")

    def print_coverage(self):
        print("  fault               runs on  runs fired")
        for fault in sorted(set(self.on) - {"none"}):
            print(f"  {fault:18}{self.on[fault]:9}{self.fired[fault]:12}")


def read_all(processes, seeds):
    with selectors.DefaultSelector() as selector:
        for process in processes:
            selector.register(process.reports, selectors.EVENT_READ, process)
        while selector.get_map():
            for key, _ in selector.select():
                lines = key.data.read()
                if lines is None:
                    selector.unregister(key.fd)
                for report in lines or ():
                    seeds.add(report)
    if seeds.runs != 2 * len(seeds.hashes):
        sys.exit(f"twice: {seeds.runs} runs of {len(seeds.hashes)} seeds")


def is_randomisation_off():
    personality = int(pathlib.Path("/proc/self/personality").read_text(encoding="ascii"), 16)
    mode = pathlib.Path("/proc/sys/kernel/randomize_va_space").read_text(encoding="ascii")
    return personality & ADDR_NO_RANDOMIZE != 0 or int(mode) == 0


def check_addresses(one, other):
    if not any(a == b for a, b in zip(one, other)):
        return 0
    print(f"twice: code and stack at {', '.join(one)}, then at {', '.join(other)}")
    if not is_randomisation_off():
        return 1
    print("address randomisation is off: randomize_va_space in proc(5), or setarch -R")
    return SKIPPED


def main(arguments):
    takes_any = arguments[0] == "--any-addresses"
    *prove, program, first, count = arguments[takes_any:]
    command = [*prove, program, first, count]
    seeds = Seeds(int(first), int(count))
    processes = [Process(command), Process([*command, "down"])]
    try:
        read_all(processes, seeds)
    finally:
        for process in processes:
            process.child.kill()
    digest = hashlib.blake2b(seeds.hashes.tobytes(), digest_size=8).hexdigest()
    print(f"{program}: {count} seeds from {first}, each in two processes: {seeds.steps} steps; "
          f"all hashes: {digest}")
    seeds.print_coverage()
    seeds.check_coverage()
    return 0 if takes_any else check_addresses(*(process.addresses() for process in processes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
