"""What the report on a large class and its exports cost: part of `make bench`.

Classes of made-up marks, a small and a large one. Each command is timed as it is typed, in seconds
of processor time, start included; nbgrader's own exporter is there to compare with.
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from nbgrader.api import Gradebook

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from made_class import ASSIGNMENT, MadeClass

BIN = Path(sys.executable).parent
EXPORT = ("nbgrader", "export", f"--assignment={ASSIGNMENT}", "--to=marks.csv")
THEIRS = "--exporter=nbgrader.plugins.CsvExportPlugin"
OURS = "--exporter=proctor.platforms.exporters."
STOCK = "nbgrader's own export"
COMMANDS = {
    "proctor report": ("proctor", "report", ASSIGNMENT),
    STOCK: (*EXPORT, THEIRS),
    "grades": (*EXPORT, f"{OURS}GradesExportPlugin"),
    "exercises": (*EXPORT, f"{OURS}ExercisesExportPlugin"),
    "Canvas": (*EXPORT, f"{OURS}CanvasExportPlugin"),
    "Moodle": (*EXPORT, f"{OURS}MoodleExportPlugin"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--students", type=int, default=2000)
    options = parser.parse_args()
    sizes = (options.students // 10, options.students)
    with tempfile.TemporaryDirectory() as folder:
        spent = {size: seconds_of(Path(folder), size) for size in sizes}
    print(f"seconds of processor time; the last column: {STOCK} takes so many times as long")
    print(f"  {'students':<24}{sizes[0]:>8}{sizes[1]:>8}")
    for name in COMMANDS:
        seconds = [spent[size][name] for size in sizes]
        times = f"{spent[sizes[1]][STOCK] / seconds[1]:8.1f}"
        print(f"  {name:<24}{seconds[0]:8.2f}{seconds[1]:8.2f}{times}")


def seconds_of(folder: Path, size: int) -> dict[str, float]:
    """Of each command, for a class of this size."""
    empty = folder / "empty.db"
    if not empty.exists():
        # nbgrader calls `alembic` by name.
        os.environ["PATH"] = f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}"
        Gradebook(f"sqlite:///{empty}").close()
    made = MadeClass(folder / f"of-{size}", empty, size)
    write_tables(made)
    return {name: seconds(made.root, command) for name, command in COMMANDS.items()}


def seconds(root: Path, command: tuple[str, ...]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [BIN / command[0], *command[1:]], cwd=root, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def write_tables(made: MadeClass) -> None:
    """The tables that Canvas and Moodle give out, for the exporters to fill."""
    folder = made.root / "downloaded"
    folder.mkdir()
    canvas = [["Student", "ID", "SIS Login ID", "Section", f"{ASSIGNMENT} (4711)"]]
    moodle = [["Identifier", "Full name", "Username", "Status", "Grade", "Feedback comments"]]
    for number, student in enumerate(made.students):
        canvas.append([f"No. {number}, Stu", str(10_000 + number), student, "Lab", ""])
        moodle.append([f"Participant {number}", f"Stu No. {number}", student, "Submitted", "", ""])
    for name, rows in (("canvas", canvas), ("moodle", moodle)):
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)


if __name__ == "__main__":
    main()
