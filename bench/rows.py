# SPDX-License-Identifier: MIT
"""The rows: what is measured, in which figures, on how many cores, and what weft is to reach."""

from dataclasses import dataclass, field

ONE, TWO = 1, 2  # cores, and workers


@dataclass(frozen=True)
class Figure:
    key: str    # in the programs' JSON
    title: str  # after the row's title; empty for the first figure of a row
    unit: str
    more_is_better: bool = False


@dataclass(frozen=True)
class Row:
    name: str
    title: str
    figures: tuple  # in each of them a peer's best variant counts
    cores: int = ONE
    program: str = ""   # weft's, below build/bench/; by default rows/ and the name without _2w
    free_mb: int = 0    # memory that must be free, or the row is left out
    is_alone: bool = False  # no peer has such a thing; the document has a table of its own for them
    targets: dict = field(default_factory=dict)  # key of a figure: Target

    def weft_program(self):
        return self.program or "rows/" + self.name.removesuffix("_2w")


@dataclass(frozen=True)
class Target:
    """weft's figure is at most `most`, or at most `times` that of the peer `who` ("best": of the
    best peer)."""
    most: float = None
    who: str = "best"
    times: float = 1.0

    def __str__(self):
        if self.most is not None:
            return f"<= {self.most:,g}"
        return f"<= {self.times:g} x {self.who}"

    def is_met(self, weft, peers):
        """`peers`: who -> figure. None when what it is compared with was not measured."""
        limit = self.most
        if limit is None:
            values = [peers[who] for who in peers if self.who in ("best", who)]
            if not values:
                return None
            limit = self.times * min(values)
        return weft <= limit


CPU = Figure("cpu_ns_per_op", "", "ns CPU")
WALL_FIRST = (Figure("ns_per_op", "", "ns wall"), Figure("cpu_ns_per_op", "CPU", "ns CPU"))
PEAK = Figure("peak_mb", "peak memory", "MB")

SIMULATED = (Figure("seeds_per_cpu_s", "seeds", "1/s CPU", more_is_better=True),
             Figure("events_per_cpu_s", "events", "1/s CPU", more_is_better=True),
             Figure("events_per_seed", "events in a seed", "events"))


def most(value, key=CPU.key):
    return {key: Target(most=value)}


LEAD = {"ns_per_op": Target(), "wall_ms": Target()}

ROWS = [
    Row("switch", "bare switch", (CPU, Figure("apart_cpu_ns", "between two places", "ns CPU")),
        program="micro/switch", targets=most(5)),
    Row("yield_2", "yield between 2 tasks", (CPU,), targets=most(14)),
    Row("yield_1000", "yield among 1,000 tasks", (CPU,), targets=most(18)),
    Row("spawn_join", "spawn + join, one after another", (CPU,), targets=most(50)),
    Row("spawn_1000", "spawn 1,000, then join all, per task", (CPU,), targets=most(50)),
    Row("mutex", "mutex, uncontended", (CPU,), targets=most(20)),
    Row("mutex_handed", "mutex handed over", (CPU,), targets=most(55)),
    Row("timer_cancel", "timer set + taken back, 100,000 others", (CPU,), targets=most(60)),
    Row("sleep_cancel", "spawn, sleep, cancel, join; 100,000 others sleep", (CPU,)),
    Row("sleep_fired", "sleep until fired, 100,000 at once, each", (CPU,), targets=most(300)),
    Row("tree", "tree of 1,111,111 tasks", (Figure("cpu_ms", "", "ms CPU"), PEAK), free_mb=6000,
        targets=most(120, "cpu_ms") | most(100, "peak_mb")),
    Row("parked", "100,000 parked tasks, each",
        (Figure("bytes_per_task", "", "bytes"),
         Figure("given_back_percent", "given back after they ended", "%", more_is_better=True)),
        targets=most(4400, "bytes_per_task")),
    Row("alive", "1,000,000 started tasks alive at once",
        (Figure("cpu_ms", "", "ms CPU"), Figure("resident_mb", "resident", "MB"),
         Figure("virtual_mb", "virtual", "MB")), free_mb=10000,
        targets=most(1900, "cpu_ms") | most(8192, "resident_mb")),
    Row("spawn_join_2w", "2 workers: spawn + join, one after another", WALL_FIRST, cores=TWO,
        targets=LEAD),
    Row("spawn_1000_2w", "2 workers: spawn 1,000, then join all, per task", WALL_FIRST, cores=TWO,
        targets=LEAD),
    Row("tree_2w", "2 workers: tree of 1,111,111 tasks",
        (Figure("wall_ms", "", "ms wall"), Figure("cpu_ms", "CPU", "ms CPU"), PEAK), cores=TWO,
        free_mb=6000, targets=LEAD),
    Row("sim_echo", "simulation: echo", SIMULATED, program="sim/seeds", is_alone=True),
    Row("sim_relay", "simulation: relay", SIMULATED, program="sim/seeds", is_alone=True),
]

# What a peer has no such thing for. Whatever is only slow or breaks is run and says so itself.
NOT_APPLICABLE = {
    ("switch", "tokio"): "tasks have no stacks: they are polled, not switched to",
    ("switch", "go"): "the switch is not to be had without the scheduler",
    ("sleep_cancel", "pthread"): "100,000 other threads cannot be had",
    ("spawn_join_2w", "pthread"): "the kernel schedules threads: see the row on one core",
    ("spawn_1000_2w", "pthread"): "the kernel schedules threads: see the row on one core",
    ("tree_2w", "pthread"): "fails as on one core",
}


def chosen(names):
    """The rows of these names, in our order; all without names."""
    unknown = set(names) - {row.name for row in ROWS}
    if unknown:
        raise SystemExit(f"no such row: {', '.join(sorted(unknown))}; there are "
                         + ", ".join(row.name for row in ROWS))
    return [row for row in ROWS if not names or row.name in names]
