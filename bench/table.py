# SPDX-License-Identifier: MIT
"""Results as people read them: a table for the terminal, the same for docs/performance.md, and the
rows in which a peer is better than weft."""

import rows

NAMES = {"weft": "weft", "tokio": "tokio", "go": "Go", "fiber": "Boost.Fiber",
         "pthread": "pthreads"}
VERDICTS = {True: "(met)", False: "(missed)", None: "(unknown)"}
# Where a document has the results: those beside peers, and those that no peer has.
RESULTS, SIMULATION = "results", "simulation"


def best(figure, results):
    """who -> the result of its best variant in this figure."""
    found = {}
    for result in results:
        if figure.key in result:
            held = found.get(result["who"], result)
            is_better = (result[figure.key] > held[figure.key] if figure.more_is_better
                         else result[figure.key] < held[figure.key])
            found[result["who"]] = result if is_better else held
    return found


def values(figure, results):
    """who -> its value of the figure."""
    return {who: result[figure.key] for who, result in best(figure, results).items()}


def ratio(peer, weft):
    """How many times weft's figure the peer's is; None if that says nothing."""
    return peer / weft if weft > 0 and peer > 0 else None


def ratios(row, results):
    """who -> ratio in the row's first figure."""
    found = values(row.figures[0], results)
    weft = found.pop("weft", None)
    times = {} if weft is None else {who: ratio(value, weft) for who, value in found.items()}
    return {who: round(value, 3) for who, value in times.items() if value is not None}


def number(value):
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


class Line:
    """One figure of one row, for everybody."""

    def __init__(self, row, figure, results, suffix=""):
        self.title = row.title + (f": {figure.title}" if figure.title else "") + suffix
        self.row, self.figure, self.results = row, figure, results
        self.values = values(figure, results)
        self.weft = self.values.get("weft")
        self.peers = {who: value for who, value in self.values.items() if who != "weft"}

    def cell(self, who):
        if who in self.values:
            text = number(self.values[who])
            times = ratio(self.values[who], self.weft) if self.weft is not None else None
            if who != "weft" and times is not None and not self.figure.more_is_better:
                text += f" ({times:.2g}x)" if times < 100 else f" ({times:,.0f}x)"
            return text
        mine = [result for result in self.results if result["who"] == who]
        if any("fails" in result for result in mine):
            return "fails"
        return "n/a" if mine else ""

    def variants(self, who):
        """All variants of one party, the best first, if there are several."""
        key = self.figure.key
        found = [result for result in self.results
                 if result["who"] == who and key in result and result.get("variant")]
        found.sort(key=lambda result: result[key], reverse=self.figure.more_is_better)
        return ", ".join(f"{result['variant']} {number(result[key])}" for result in found)

    def best_peer(self):
        """The peer that weft is to be compared with, or None."""
        pick = max if self.figure.more_is_better else min
        return pick(self.peers, key=self.peers.get) if self.peers else None

    def is_lost(self):
        rival = self.best_peer()
        if rival is None or self.weft is None:
            return False
        ahead = self.peers[rival] - self.weft
        return ahead > 0 if self.figure.more_is_better else ahead < 0

    def verdict(self):
        rival = self.best_peer()
        if rival is None or self.weft is None:
            return ""
        if self.figure.more_is_better:
            return f"{NAMES[rival]} {number(self.peers[rival])}"
        times = ratio(self.peers[rival], self.weft)
        return f"{NAMES[rival]} {times:.2g}x" if times is not None else NAMES[rival]

    def target(self):
        target = self.row.targets.get(self.figure.key)
        if target is None:
            return ""
        met = None if self.weft is None else target.is_met(self.weft, self.peers)
        return f"{target} {VERDICTS[met]}"


def known(results):
    """The rows of these results, with what was found."""
    by_name = {row.name: row for row in rows.ROWS}
    return [(by_name[line["row"]], line["results"]) for line in results if line.get("row") in
            by_name]


def lines(results):
    return [Line(row, figure, found) for row, found in known(results) for figure in row.figures]


def wall_lines(results):
    """The wall time of the rows whose first figure is another one."""
    wall = rows.Figure("ns_per_op", "", "ns wall")
    return [Line(row, wall, found) for row, found in known(results)
            if row.figures[0] == rows.CPU]


def parties(results):
    seen = {result["who"] for _, found in known(results) for result in found}
    return [who for who in NAMES if who in seen]


def grid(some_lines, whos, with_target):
    """Header and rows of a table, as text."""
    header = ["", "unit", *(NAMES[who] for who in whos)]
    has_peers = len(whos) > 1
    header += ["best peer"] * has_peers + ["target"] * with_target
    body = []
    for line in some_lines:
        cells = [line.title, line.figure.unit, *(line.cell(who) for who in whos)]
        body.append(cells + [line.verdict()] * has_peers + [line.target()] * with_target)
    return header, body


def has_targets(results):
    return any(row.targets for row, _ in known(results))


def remarks(results):
    """What a table has no room for: the variants, what failed and why."""
    for row, found in known(results):
        for result in found:
            if result["who"] == "weft" and result.get("threads", row.cores) < row.cores:
                yield f"{row.title}: weft ran on {result['threads']:.0f} thread only"
    for line in lines(results):
        variants = [f"{NAMES[who]} {line.variants(who)}" for who in NAMES if line.variants(who)]
        if variants:
            yield f"{line.title}: {'; '.join(variants)}"
    for row, found in known(results):
        for result in found:
            why = result.get("fails") or result.get("not_applicable")
            if why:
                word = "fails" if "fails" in result else "n/a"
                variant = f" {result['variant']}" if result.get("variant") else ""
                yield f"{row.title}, {NAMES[result['who']]}{variant}: {word}: {why}"
            elif "failed_at_times" in result:
                yield (f"{row.title}, {NAMES[result['who']]}: some runs failed: "
                       f"{result['failed_at_times']}")


def lost(results):
    return [line for line in lines(results) if line.is_lost()]


def lost_text(line):
    rival = line.best_peer()
    return (f"{line.title}: weft {number(line.weft)} {line.figure.unit}, {NAMES[rival]} "
            f"{number(line.peers[rival])}")


def terminal(results):
    header, body = grid(lines(results), parties(results), has_targets(results))
    widths = [max(len(cells[i]) for cells in [header, *body]) for i in range(len(header))]
    text = ["  ".join(cell.ljust(width) if i == 0 else cell.rjust(width)
                      for i, (cell, width) in enumerate(zip(cells, widths))).rstrip()
            for cells in [header, *body]]
    losing = lost(results)
    if results[0]["machine"]["quick"]:
        text += ["", "A quick look, with a hundredth of the work: these figures mean nothing."]
    text += ["", "The figure in brackets is how many times weft's it is; below 1 weft loses."]
    text += ["", "A peer is better in:" if losing else "No peer is better in any row."]
    text += [f"  {lost_text(line)}" for line in losing]
    text += ["", *(f"  {remark}" for remark in remarks(results))]
    return "\n".join(text)


def markdown_table(some_lines, results, with_target):
    header, body = grid(some_lines, parties(results), with_target)
    text = ["| " + " | ".join(header) + " |", "|---|---|" + "---:|" * (len(header) - 2)]
    return text + ["| " + " | ".join(cells) + " |" for cells in body]


def machine_text(facts):
    names = {"cpu": "processor", "cores": "cores", "memory_mb": "memory, MB", "kernel": "kernel",
             "cc": "C compiler", "libc": "C library", "weft": "weft", "driver": "weft's driver",
             "tokio": "tokio", "rustc": "Rust", "go": "Go", "boost": "Boost", "date": "date",
             "rounds": "rounds", "load": "load at the start", "load_at_end": "load at the end"}
    for key, name in names.items():
        if key in facts:
            value = round(facts[key], 1) if isinstance(facts[key], float) else facts[key]
            yield f"- {name}: {value}"
    for who, why in facts.get("absent", {}).items():
        yield f"- not built: {NAMES[who]}: {why}"


def markdown(results):
    facts = results[0]["machine"]
    text = ["## The machine", "", *machine_text(facts)]
    text += ["", "## The table", "",
             "In brackets: how many times weft's figure it is. Below 1, weft loses.", ""]
    text += markdown_table(lines(results), results, has_targets(results))
    text += ["", "The same runs by the clock on the wall, which other programs on the machine "
             "disturb:", ""]
    text += markdown_table(wall_lines(results), results, False)
    losing = lost(results)
    text += ["", "## Where weft loses", ""]
    text += [f"- {lost_text(line)}" for line in losing] or ["Nowhere."]
    text += ["", "## The variants, and what failed", "",
             "The first variant of each peer is the one in the table.", ""]
    text += [f"- {remark}" for remark in remarks(results)]
    return "\n".join(text)


def markdown_alone(results):
    facts = {key: value for key, value in results[0]["machine"].items()
             if key in ("cpu", "kernel", "cc", "weft", "date", "rounds", "load")}
    text = [*machine_text(facts), ""] + markdown_table(lines(results), results, False)
    return "\n".join(text + [f"- {remark}" for remark in remarks(results)])


def replace(path, text, name, inside):
    """The document's text with something else between the marks of this name."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    if begin not in text or end not in text:
        raise SystemExit(f"{path} has no place for results: {begin} ... {end}")
    before, rest = text.split(begin, 1)
    return f"{before}{begin}\n\n{inside}\n\n{end}{rest.split(end, 1)[1]}"


def write(path, results):
    """Puts the results between the marks of a document; what was not measured stays."""
    text = path.read_text(encoding="utf-8")
    for name, make, is_alone in ((RESULTS, markdown, False), (SIMULATION, markdown_alone, True)):
        names = {row.name for row in rows.ROWS if row.is_alone == is_alone}
        some = [line for line in results[1:] if line["row"] in names]
        if some:
            text = replace(path, text, name, make([results[0], *some]))
    path.write_text(text, encoding="utf-8")
