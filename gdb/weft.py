# SPDX-License-Identifier: MIT
"""Commands of gdb for programs that use weft: its tasks, and where they stand.

    (gdb) source weft.py
    (gdb) weft tasks            lists them
    (gdb) weft backtrace 17     where task 17 stands; without a number, all of them
    (gdb) weft select 17        as if it had been called from here: up, info locals, ...
    (gdb) weft select           no more

For a live process and for a core file; nothing in the program is run or changed. weft needs its
debugging information (it is built with -g). A stopped task's registers lie on its stack
(src/task/context_*.S); an unwinder leads gdb from the innermost frame of the thread it looks at to
those. That first frame is the thread's, and is left out here.
"""

import re

import gdb
import gdb.unwinder

PARKED, HELD = 1, 2  # of the word of a waiter, src/task/park.c

# Where registers lie, from the saved stack pointer; the size of all, and the ones that gdb wants.
LAYOUTS = {
    "x86-64": (56, "rsp", "rip", {"r15": 0, "r14": 8, "r13": 16, "r12": 24, "rbx": 32,
                                  "rbp": 40, "rip": 48}),
    "aarch64": (160, "sp", "pc", {**{f"x{19 + i}": 8 * i for i in range(12)}, "pc": 88}),
}


def layout(architecture=None):
    name = (architecture or gdb.selected_frame().architecture()).name()
    for machine, found in LAYOUTS.items():
        if machine in name:
            return found
    raise gdb.GdbError(f"not on {name}: how tasks are switched there, only the C library knows")


def value_of(atomic):
    """What an _Atomic holds."""
    return atomic.cast(atomic.type.unqualified().strip_typedefs())


def runtime():
    try:
        found = gdb.parse_and_eval("'runtime.c'::current")
    except gdb.error:
        raise gdb.GdbError("no debugging information of weft (-g), or no weft here") from None
    if int(value_of(found)) == 0:
        raise gdb.GdbError("no runtime of weft runs")
    return value_of(found).dereference()


class Task:
    def __init__(self, record, workers):
        self.record = record
        self.waiter = record["waiter"]
        self.number = int(value_of(record["number"]))
        started_on = int(value_of(self.waiter["started_on"]))
        self.worker = workers[started_on - 1] if started_on > 0 else None

    def title(self):
        if self.waiter["is_thread"]:
            return "task zero"
        fn = self.record["handle_fn" if self.record["takes_handle"] else "fn"]
        symbol = re.search(r"<(.*)>", str(fn))
        name = self.record["name"]
        quoted = f' "{name.string(errors="replace")}"' if int(name) else ""
        return f"task {self.number}{quoted} ({symbol[1] if symbol else fn})"

    def runs(self):
        return self.worker is not None and value_of(self.worker["current"]) == self.record.address

    def state(self):
        if self.worker is None:
            return "has not started"
        on = f"on worker {int(self.worker['index']) + 1}"
        if self.runs():
            return f"runs {on}"
        if not int(value_of(self.waiter["word"])) & (PARKED | HELD):
            return f"is ready to run {on}"
        return f"waits {on}: {self.wait()}"

    def wait(self):
        notes = self.waiter["failure"].cast(gdb.lookup_type("struct weft__notes").pointer())
        wait = notes["wait"]
        if not int(wait["what"]):
            return "for nothing yet"
        text = wait["what"].string()
        if int(wait["handle"]):
            text += f" on handle {int(wait['handle'])}"
        return text

    def stopped_at(self):
        """Its saved stack pointer; 0: it has none."""
        return int(self.record["context"]["sp"]) if self.worker is not None else 0


def tasks():
    """All that live, by their numbers; task zero first."""
    here = runtime()
    workers = [here["workers"][i].dereference() for i in range(int(here["worker_count"]))]
    found = []
    if int(here["zero"]):
        found.append(Task(here["zero"].dereference(), workers))
    chunk = here["pool"]["chunks"]
    while int(chunk):
        for i in range(chunk["memory"].type.sizeof // chunk["tasks"].dereference().type.sizeof):
            record = chunk["tasks"][i]
            if int(value_of(record["number"])):
                found.append(Task(record, workers))
        chunk = chunk["next"]
    return sorted(found, key=lambda task: task.number)


def task_of(number):
    for task in tasks():
        if task.number == number:
            return task
    raise gdb.GdbError(f"no task {number}: weft tasks lists them")


class FrameId:
    def __init__(self, sp, pc):
        self.sp, self.pc = sp, pc


class Unwinder(gdb.unwinder.Unwinder):
    """While `sp` is set, the caller of the frame with these registers is a stopped context."""

    def __init__(self):
        super().__init__("weft")
        self.sp = 0
        self.from_sp = self.from_pc = None

    def select(self, sp):
        _, sp_name, pc_name, _ = layout()
        frame = gdb.newest_frame()
        self.from_sp, self.from_pc = frame.read_register(sp_name), frame.read_register(pc_name)
        self.sp = sp
        gdb.invalidate_cached_frames()

    def __call__(self, pending):
        if not self.sp:
            return None
        size, sp_name, pc_name, offsets = layout(pending.architecture())
        sp, pc = pending.read_register(sp_name), pending.read_register(pc_name)
        if sp != self.from_sp or pc != self.from_pc:
            return None
        word = gdb.lookup_type("unsigned long").pointer()
        # gdb wants callers to lie above what they call, so the frame is told to lie there, too.
        low = gdb.Value(self.sp).cast(sp.type)
        info = pending.create_unwind_info(FrameId(low, pc))
        for name, offset in offsets.items():
            info.add_saved_register(name, gdb.Value(self.sp + offset).cast(word).dereference())
        info.add_saved_register(sp_name, gdb.Value(self.sp + size).cast(sp.type))
        return info


unwinder = Unwinder()
gdb.unwinder.register_unwinder(None, unwinder, replace=True)


def own_frames():
    """How many of the innermost frames are the thread's: those its one function was inlined to."""
    count, frame = 0, gdb.newest_frame()
    _, sp_name, pc_name, _ = layout()
    while (frame is not None and frame.read_register(sp_name) == unwinder.from_sp and
           frame.read_register(pc_name) == unwinder.from_pc):
        count, frame = count + 1, frame.older()
    return count


def frames_of_stopped(sp):
    """The lines of a backtrace, numbered from 0."""
    unwinder.select(sp)
    try:
        count = own_frames()
        lines = gdb.execute("backtrace", to_string=True).splitlines()
    finally:
        unwinder.select(0)
    begin = next((i for i, line in enumerate(lines) if line.startswith(f"#{count} ")), len(lines))
    return [re.sub(r"^#(\d+) *", lambda number: f"#{int(number[1]) - count:<3}", line)
            for line in lines[begin:]]


def frames_of_running(task):
    """Those of the thread of its worker."""
    before = gdb.selected_thread()
    try:
        for thread in gdb.selected_inferior().threads():
            if thread.ptid[1] == int(value_of(task.worker["thread"])):
                thread.switch()
                return gdb.execute("backtrace", to_string=True).splitlines()
    finally:
        before.switch()
    return ["(its thread is not here)"]


def frames_of(task):
    if task.worker is None:
        return []
    return frames_of_running(task) if task.runs() else frames_of_stopped(task.stopped_at())


class Weft(gdb.Command):
    """Tasks of weft."""

    def __init__(self):
        super().__init__("weft", gdb.COMMAND_STACK, prefix=True)


class Tasks(gdb.Command):
    """Lists the tasks: number, name, function, and what each does."""

    def __init__(self):
        super().__init__("weft tasks", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        for task in tasks():
            print(f"{task.title()} {task.state()}")


class Backtrace(gdb.Command):
    """Prints where a task stands, by its number (0: task zero); without one, all tasks."""

    def __init__(self):
        super().__init__("weft backtrace", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        chosen = [task_of(int(argument, 0))] if argument else tasks()
        for task in chosen:
            print(f"{task.title()} {task.state()}")
            for line in frames_of(task):
                print("    " + line)


class Select(gdb.Command):
    """Makes gdb see a stopped task's frames above the innermost one; without a number, no more."""

    def __init__(self):
        super().__init__("weft select", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        unwinder.select(0)
        if not argument:
            return
        task = task_of(int(argument, 0))
        if task.runs() or not task.stopped_at():
            raise gdb.GdbError(f"{task.title()} {task.state()}: see info threads")
        unwinder.select(task.stopped_at())
        gdb.execute(f"frame {own_frames()}")


Weft()
Tasks()
Backtrace()
Select()
