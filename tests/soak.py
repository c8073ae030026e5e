"""`make soak`: a thousand submissions, one in five hostile, marked by the same few processes.

Once half of them are marked, and workers have met the largest values that come, nothing may grow up
to the last tenth but one (in the last, workers end): neither memory nor descriptors, processes or
temporary files. All are marked, and the honest ones get what they deserve.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import multiprocessing.util
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from pathlib import Path

import psutil
from hostile.faults import ANSWERS, ASSIGNMENT, Classroom

from proctor.classroom.workers import Job, MarkingSettings, Outcome, Workers
from proctor.grading.modules import Submission
from proctor.sandbox.sessions import Sandbox
from proctor.settings import TimeLimits

WINDOWS = 10
MOST_GROWTH = {"megabytes": 25, "descriptors": 2, "processes": 0, "files": 0}
LIMITS = TimeLimits(cell=1.0, call=1.0, repeated_call=0.5, submission=12.0, questions=6.0)

# In place of the function that is asked for, or beside it.
HOSTILE = {
    "ends": "def double(x):\n    import os\n    os._exit(0)",
    "ends in a cell": "import os\nos._exit(1)",
    "kills": "def double(x):\n    import os\n    os.kill(-1, 9)\n    os.kill(os.getpid(), 9)",
    "loops": "def double(x):\n    while True:\n        pass",
    "loops in C": "def double(x):\n    return sum(range(10**12))",
    "loops in a cell": "while True:\n    pass",
    "memory": "kept = []\nwhile True:\n    kept.append(bytearray(64 << 20))",
    "shared memory": (
        "import mmap\nkept = []\nwhile True:\n    kept.append(mmap.mmap(-1, 100 << 20))\n"
        "    kept[-1].write(bytes(100 << 20))"
    ),
    "forks": "import os\nwhile True:\n    os.fork()",
    "threads": (
        "import threading, time\nwhile True:\n"
        "    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()"
    ),
    "descriptors": "def double(x):\n    import os\n    kept = []\n    while True:\n"
    "        kept.append(os.pipe())",
    "files": "number = 0\nwhile True:\n    open(f'/tmp/{number}', 'wb').write(bytes(1 << 16))\n"
    "    number += 1",
    "output": "while True:\n    print('x' * 10_000)",
    "a large value": "import torch\ndef double(x):\n    return torch.ones(5_000_000) * x",
    "a long text": "def double(x):\n    return 'x' * (3 << 20)",
    "many values": "def double(x):\n    return [[x] * 1000] * 1000",
    "deep recursion": "def double(x):\n    return double(x)",
    "an evil exception": (
        "class Evil(BaseException):\n    def __str__(self):\n        raise self\n"
        "def double(x):\n    raise Evil"
    ),
    "forged frames": (
        "import os, socket, stat\ndef double(x):\n    for name in os.listdir('/proc/self/fd'):\n"
        "        try:\n            if stat.S_ISSOCK(os.stat(int(name)).st_mode):\n"
        "                os.write(int(name), bytes(range(256)) * 100)\n"
        "        except OSError:\n            pass\n    return x"
    ),
}
BROKEN_FILES = {
    "empty": b"",
    "nested lists": b"[" * 200_000,
    "a long number": b'{"nbformat": ' + b"4" * 1_000_000 + b"}",
    "no UTF-8": b'{"nbformat": 4, "cells": ["\xff\xfe"]}\xff',
}


@dataclass(frozen=True)
class Footprint:
    """What the processes that stay hold at one moment; sessions count as processes alone."""

    megabytes: float
    descriptors: int
    processes: int
    files: int


def footprint(folder: Path) -> Footprint:
    staying = list(processes_that_stay(psutil.Process()))
    numbers = []
    for process in staying:
        with contextlib.suppress(psutil.Error):  # a worker was replaced just now
            numbers.append((process.memory_info().rss, process.num_fds()))
    return Footprint(
        megabytes=sum(memory for memory, _ in numbers) / (1 << 20),
        descriptors=sum(descriptors for _, descriptors in numbers),
        processes=len(psutil.Process().children(recursive=True)),
        files=len(list(folder.iterdir())),
    )


def processes_that_stay(process: psutil.Process) -> Iterator[psutil.Process]:
    """This process and those below it, down to the warm one, without its sessions."""
    yield process
    with contextlib.suppress(psutil.Error):
        for child in process.children():
            if process.name() == "bwrap":
                yield child
            else:
                yield from processes_that_stay(child)


def least(footprints: list[Footprint]) -> Footprint:
    """What is held at rest: the least of each number, as what is at work comes on top."""
    return Footprint(*(min(column) for column in zip(*map(astuple, footprints), strict=True)))


def grown(first: Footprint, last: Footprint) -> list[str]:
    return [
        f"{name} grew from {getattr(first, name):.0f} to {getattr(last, name):.0f}"
        for name, most in MOST_GROWTH.items()
        if getattr(last, name) - getattr(first, name) > most
    ]


def class_of(classroom: Classroom, count: int, seed: int) -> tuple[list[Job], dict[str, float]]:
    """The submissions, in an order that the seed decides, and what the honest ones must get."""
    honest, hostile = itertools.cycle(ANSWERS), itertools.cycle([*HOSTILE, *BROKEN_FILES])
    jobs, expected = [], {}
    for number in range(count):
        student = f"student-{number:04}"
        if number % 5 == 4:
            data = submission_of(classroom, next(hostile))
        else:
            answer, expected[student] = next(honest)
            data = classroom.submission(f"{answer}\n# {number}", "Twice as much.").encode()
        jobs.append(Job(student, ASSIGNMENT, lambda data=data: Submission(data)))
    random.Random(seed).shuffle(jobs)
    return jobs, expected


def submission_of(classroom: Classroom, name: str) -> bytes:
    """A hostile one."""
    if name in BROKEN_FILES:
        return BROKEN_FILES[name]
    return classroom.submission(HOSTILE[name], name).encode()


def fault_of(outcome: Outcome, expected: dict[str, float]) -> str | None:
    student = outcome.job.student
    if outcome.marks is None:
        return f"{student} was not marked: {outcome.error}"
    if student in expected and (
        outcome.marks.score != expected[student] or outcome.marks.incidents
    ):
        return (
            f"{student} got {outcome.marks.score:g}, not {expected[student]:g}: "
            f"{outcome.marks.incidents}"
        )
    return None


def soak(folder: Path, count: int, seed: int, workers: int) -> list[str]:
    """Mark them all, print a row for each tenth, and return what is not as it must be."""
    classroom = Classroom(folder / "class", students=0)
    temporary = folder / "temporary"
    temporary.mkdir()
    multiprocessing.util.get_temp_dir()  # its own is removed last of all, so it lies elsewhere
    tempfile.tempdir = os.environ["TMPDIR"] = str(temporary)
    jobs, expected = class_of(classroom, count, seed)
    settings = MarkingSettings(classroom.root, figures=False, limits=LIMITS)
    faults, rows, seen = [], [], []
    started = time.monotonic()
    print(f"{'marked':>8}{'seconds':>9}{'MB':>8}{'descriptors':>13}{'processes':>11}{'files':>7}")
    with contextlib.closing(Sandbox()) as sandbox, Workers(workers, sandbox, settings) as pool:
        for number, outcome in enumerate(pool.mark(jobs), start=1):
            faults += [fault] if (fault := fault_of(outcome, expected)) else []
            seen.append(footprint(temporary))
            if number % (count // WINDOWS) == 0:
                rows.append(least(seen))
                seen.clear()
                print(row_of(number, time.monotonic() - started, rows[-1]), flush=True)
    if number != count:
        faults.append(f"{count - number} were not marked at all")
    return [*faults, *grown(rows[WINDOWS // 2 - 1], rows[-2])]


def row_of(number: int, seconds: float, held: Footprint) -> str:
    return (
        f"{number:>8}{seconds:>9.0f}{held.megabytes:>8.0f}{held.descriptors:>13}"
        f"{held.processes:>11}{held.files:>7}"
    )


def left_running() -> list[psutil.Process]:
    """What should have ended; Python's own helpers of `multiprocessing` end with this process."""
    return [
        process
        for process in psutil.Process().children(recursive=True)
        if process.ppid() != os.getpid() or "multiprocessing" not in " ".join(process.cmdline())
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--submissions", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0, help="of their order")
    parser.add_argument("-j", "--jobs", type=int, default=2, help="marked at a time")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        faults = soak(Path(folder), options.submissions, options.seed, options.jobs)
    faults += [f"still running: {' '.join(process.cmdline())}" for process in left_running()]
    print("\n".join(faults) or "nothing grew, all were marked, and the honest ones as they must be")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
