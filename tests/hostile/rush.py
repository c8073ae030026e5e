"""Many hand in at once, around a deadline, and the watcher is killed at random points.

Afterwards each student has the mark of the newest attempt and a page that shows it; none is lost
and none was marked twice. Trials for `make rush` and tests.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

from watched import SCORES, WatchedClass, utc

MOST_SECONDS = 900.0


def rush(
    watched: WatchedClass, students: int, seconds: float, kills: int, seed: int, jobs: int = 2
) -> list[str]:
    """Let so many students hand in once or twice within so many seconds, kill the watcher so many
    times meanwhile and after, and wait for the end; says what is not as it must be."""
    choose = random.Random(seed)
    with watched.gradebook() as gradebook:
        due = datetime.now().astimezone() + timedelta(seconds=seconds / 2)
        gradebook.update_or_create_assignment("tiny", duedate=utc(due))
    watched.configure("c.Watch.poll_seconds = 1.0", "c.Watch.until = ''")
    names = [f"student-{number:03}" for number in range(1, students + 1)]
    for name in names:
        shutil.copytree(watched.work("student-01"), watched.work(name), dirs_exist_ok=True)
    todo = names + [name for name in names if choose.random() < 0.2]
    choose.shuffle(todo)
    moments = sorted(choose.uniform(2.0, 1.5 * seconds) for _ in range(kills))
    expected: dict[str, str] = {}
    process = watched.start("-j", str(jobs))
    began = time.monotonic()
    try:
        while True:
            now = time.monotonic() - began
            if moments and now >= moments[0]:
                moments.pop(0)
                end(process)
                process = watched.start("-j", str(jobs))
            if todo and now >= seconds * (len(names) - len(todo)) / len(names):
                name = todo.pop()
                expected[name] = choose.choice(list(SCORES))
                watched.hand_in(expected[name], name, note=str(len(todo)))
                continue
            if not todo and not moments:
                with contextlib.suppress(OSError):
                    if not watched.complaints(expected):
                        break
                time.sleep(1.0)
            if process.poll() is not None or now > MOST_SECONDS + seconds:
                break
            time.sleep(0.05)
    finally:
        end(process)
    print(f"{len(expected)} students, all done after {time.monotonic() - began:.0f} s", flush=True)
    found = watched.complaints(expected)
    if "Traceback" in watched.said():
        found.append(f"not in plain words: {watched.said()[-2000:]}")
    return found


def end(process: subprocess.Popen) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--students", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--kills", type=int, default=6)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    options = parser.parse_args()
    print(f"{options.students} students, {options.kills} kills, seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="rush-") as folder:
        watched = ready(Path(folder) / "class")
        found = rush(watched, options.students, options.seconds, options.kills, options.seed)
        stamps = {line["what"]: 0 for line in watched.ledger()}
        for line in watched.ledger():
            stamps[line["what"]] += 1
        print(", ".join(f"{number} {what}" for what, number in stamps.items()))
    print("\n".join(found) or "each has one mark and one page")
    return 1 if found else 0


def ready(folder: Path) -> WatchedClass:
    """A class whose assignment is released and fetched."""
    watched = WatchedClass(folder)
    os.environ["HOME"] = str(folder)
    os.chdir(watched.course)
    watched.release()
    watched.fetch()
    return watched


if __name__ == "__main__":
    sys.exit(main())
