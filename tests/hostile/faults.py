"""What goes wrong by itself: kills, full disks, locked files. Trials for `make faults` and tests.

A small class is graded by the real command, which is disturbed; then the same command is given
again. Afterwards the class is whole: every mark is the right one, and what a person gave is there.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import os
import random
import secrets
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
import psutil
from nbformat import v4
from nbgrader.api import Gradebook
from typed import typed

from proctor.course import Course
from proctor.grading.records import read_record

REPOSITORY = Path(__file__).resolve().parents[2]
COMMANDS = Path(sys.executable).parent
ASSIGNMENT = "tiny"

GRADERS = '''
from proctor.authoring import grades

@grades("double_values", hint="Try a few numbers by hand.", weight=2)
def test_numbers(student):
    """Numbers are doubled"""
    assert student.double(2) == 4

@grades("double_values", hint="What is twice minus three?")
def test_negative(student):
    """Negative numbers are doubled"""
    assert student.double(-3) == -6
'''
# Each with what it must get, of 3 points.
ANSWERS = (
    ("def double(x):\n    return 2 * x", 3.0),
    ("def double(x):\n    return 2 * abs(x)", 2.0),
    ("def double(x):\n    return x", 0.0),
    ("import time\ntime.sleep(0.3)\ndef double(x):\n    return x + x", 3.0),
)
GIVEN_BY_A_PERSON = 2.0
COMMENT = "Well seen."
MOST_SECONDS = 200


def labels(grade_id: str, **changes) -> dict:
    plain = {"grade": False, "solution": False, "locked": False, "task": False}
    return {"nbgrader": {**plain, "schema_version": 3, "grade_id": grade_id, **changes}}


def notebook(answer: str, written: str = "MODEL") -> nbformat.NotebookNode:
    return v4.new_notebook(
        cells=[
            v4.new_code_cell(answer, id="double", metadata=labels("double", solution=True)),
            v4.new_code_cell(
                "assert double(1) == 2",
                id="double_values",
                metadata=labels("double_values", grade=True, locked=True, points=3),
            ),
            v4.new_markdown_cell(
                written,
                id="explain",
                metadata=labels("explain", grade=True, solution=True, points=4),
            ),
        ],
        metadata={
            "kernelspec": {"name": "python3", "display_name": "Python", "language": "python"}
        },
    )


class Classroom:
    """A course of its own with a small class, and nbgrader's and our commands in it."""

    def __init__(self, folder: Path, students: int = 6):
        self.folder = folder
        self.root = folder / "course"
        self.course = Course(self.root)
        self.expected: dict[str, float] = {}
        for place in ("home", "course"):
            (folder / place).mkdir(parents=True)
        config = (REPOSITORY / "nbgrader_config.py").read_text()
        self.write("nbgrader_config.py", f"{config}\nc.Grading.preload = []\n")  # starts sooner
        solution = "def double(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION"
        self.write(f"source/{ASSIGNMENT}/{ASSIGNMENT}.ipynb", nbformat.writes(notebook(solution)))
        self.write(f"tests/graders/{ASSIGNMENT}/test_tiny.py", GRADERS)
        done = typed("nbgrader", ["generate_assignment", ASSIGNMENT], self.root)
        assert done.returncode == 0, done.stdout + done.stderr
        for number in range(students):
            self.hand_in(f"student-{number + 1:02}", number)

    def copy(self, folder: Path) -> Classroom:
        """The same class in another folder."""
        copied = copy.copy(self)
        copied.folder, copied.root = folder, folder / "course"
        copied.course, copied.expected = Course(copied.root), dict(self.expected)
        shutil.copytree(self.folder, folder)
        return copied

    def write(self, place: str, text: str) -> None:
        path = self.root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def hand_in(self, student: str, number: int) -> None:
        answer, score = ANSWERS[number % len(ANSWERS)]
        data = self.submission(f"{answer}\n# version {number}", f"Twice as much, says {student}.")
        self.write(f"submitted/{student}/{ASSIGNMENT}/{ASSIGNMENT}.ipynb", data)
        self.expected[student] = score

    def submission(self, answer: str, written: str) -> str:
        """The release with these answers, as the file that a student hands in."""
        released = nbformat.read(self.course.release(ASSIGNMENT), as_version=4)
        answers = {"double": answer, "explain": written}
        for cell in released.cells:
            cell.source = answers.get(cell.metadata.nbgrader.grade_id, cell.source)
        return nbformat.writes(released)

    def environment(self) -> dict[str, str]:
        return {**os.environ, "HOME": str(self.folder / "home")}

    def start(self, *command: str, wrapper: tuple[str, ...] = ()) -> subprocess.Popen:
        return subprocess.Popen(
            [*wrapper, str(COMMANDS / command[0]), *command[1:]],
            cwd=self.root,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )

    def type(
        self, *command: str, wrapper: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        process = self.start(*command, wrapper=wrapper)
        try:
            written, _ = process.communicate(timeout=MOST_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise
        return subprocess.CompletedProcess(command, process.returncode, written)

    def grade(self, *options: str, wrapper: tuple[str, ...] = ()):
        return self.type("proctor", "grade", ASSIGNMENT, "-j", "2", *options, wrapper=wrapper)

    def give_by_hand(self) -> None:
        """A person reads the written answers: a score and a comment for everybody."""
        with self.gradebook() as gradebook:
            for student in self.expected:
                written = gradebook.find_grade("explain", ASSIGNMENT, ASSIGNMENT, student)
                written.manual_score, written.needs_manual_grade = GIVEN_BY_A_PERSON, False
                comment = gradebook.find_comment("explain", ASSIGNMENT, ASSIGNMENT, student)
                comment.manual_comment = COMMENT
            gradebook.db.commit()

    def gradebook(self) -> Gradebook:
        return Gradebook(f"sqlite:///{self.root / 'gradebook.db'}")

    def scores(self) -> dict[str, float | None]:
        """The automatic scores in the gradebook; None for who has none yet."""
        with self.gradebook() as gradebook:
            return {
                submission.student_id: gradebook.find_grade(
                    "double_values", ASSIGNMENT, ASSIGNMENT, submission.student_id
                ).auto_score
                for submission in gradebook.assignment_submissions(ASSIGNMENT)
            }

    def complaints(self, by_hand: bool = False) -> list[str]:
        """What is not as it must be once the class has been graded."""
        found = []
        scores = self.scores()
        for student, score in self.expected.items():
            if scores.get(student) != score:
                found.append(f"{student} has {scores.get(student)} in the gradebook, not {score}")
            record = read_record(self.course, student, ASSIGNMENT)
            if record is None or record["score"] != score:
                found.append(f"{student}'s record says {record and record['score']}, not {score}")
            shown = self.score_shown(student)
            if shown != score:
                found.append(f"{student}'s graded notebook says {shown}, not {score}")
        if by_hand:
            found += self.complaints_by_hand()
        names = [path.name for path in self.root.rglob("*.new")]
        found += [f"left behind: {name}" for name in names]
        return found

    def score_shown(self, student: str) -> float | str:
        """What the graded notebook says, or why it says nothing."""
        path = self.root / "autograded" / student / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
        try:
            graded = nbformat.read(path, as_version=4)
            cells = {cell.metadata.nbgrader.grade_id: cell for cell in graded.cells}
            return float(cells["double_values"].outputs[-1].data["text/plain"])
        except (OSError, ValueError, LookupError) as error:
            return repr(error)

    def neither_old_nor_new(self, before: dict[str, float | None]) -> list[str]:
        """What is in the gradebook, though it is neither the mark before nor that of today."""
        return [
            f"{student} has {score} in the gradebook, neither old nor new"
            for student, score in self.scores().items()
            if score not in (before[student], self.expected[student])
        ]

    def complaints_by_hand(self) -> list[str]:
        found = []
        with self.gradebook() as gradebook:
            for student in self.expected:
                written = gradebook.find_grade("explain", ASSIGNMENT, ASSIGNMENT, student)
                comment = gradebook.find_comment("explain", ASSIGNMENT, ASSIGNMENT, student)
                if written.manual_score != GIVEN_BY_A_PERSON or comment.manual_comment != COMMENT:
                    found.append(f"{student} lost what a person had given")
        return found


def processes_below(root: psutil.Process) -> list[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        return [root, *root.children(recursive=True)]
    return []


def inside_bubblewrap(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return any("warm.py" in word for word in process.cmdline()) or process.name() == "bwrap"
    return False


def grader(process: psutil.Process) -> psutil.Process | None:
    return process


def warm(process: psutil.Process) -> psutil.Process | None:
    inside = [one for one in processes_below(process) if inside_bubblewrap(one)]
    return inside[-1] if len(inside) == 1 else inside[1] if len(inside) > 1 else None


def session(process: psutil.Process) -> psutil.Process | None:
    inside = [one for one in processes_below(process) if inside_bubblewrap(one)]
    return inside[-1] if len(inside) > 2 else None


def worker(process: psutil.Process) -> psutil.Process | None:
    others = [one for one in processes_below(process)[1:] if not inside_bubblewrap(one)]
    return others[-1] if others else None


# How long each is there, roughly, in a run of so small a class.
SECONDS = {"the grader": 4.0, "the warm process": 2.0, "a session": 0.5, "a worker": 1.5}
VICTIMS: dict[str, Callable[[psutil.Process], psutil.Process | None]] = {
    "the grader": grader,
    "the warm process": warm,
    "a session": session,
    "a worker": worker,
}


def kill_one(
    classroom: Classroom,
    victim: str,
    wait: Callable[[subprocess.Popen], None],
    *options: str,
) -> tuple[bool, str]:
    """Start grading; when there is such a process and `wait` is over, kill -9 it. Says whether
    there was one still, and what the command wrote."""
    process = classroom.start("proctor", "grade", ASSIGNMENT, "-j", "2", *options)
    root = psutil.Process(process.pid)
    while process.poll() is None and VICTIMS[victim](root) is None:
        time.sleep(0.02)
    wait(process)
    killed = False
    while not killed and process.poll() is None:
        found = VICTIMS[victim](root)
        if found is not None:
            with contextlib.suppress(psutil.Error):
                found.kill()
                killed = True
    written, _ = process.communicate(timeout=MOST_SECONDS)
    return killed, written


def some_time(seconds: float) -> Callable[[subprocess.Popen], None]:
    def wait(process: subprocess.Popen) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)

    return wait


def one_kill(origin: Classroom, folder: Path, seed: int) -> tuple[str, list[str]]:
    """One trial: a class, graded, then changed, and a kill somewhere while it is graded again."""
    choose = random.Random(seed)
    victim = choose.choice(list(VICTIMS))
    classroom = origin.copy(folder)
    before = classroom.scores()
    for number, student in enumerate(list(classroom.expected), start=choose.randrange(1, 4)):
        if choose.random() < 0.7:
            classroom.hand_in(student, number)
    options = ("--force",) if choose.random() < 0.3 else ()
    moment = some_time(choose.uniform(0.0, SECONDS[victim]))
    killed, written = kill_one(classroom, victim, moment, *options)
    complaints = [] if "Traceback" not in written else [f"not in plain words: {written[-800:]}"]
    complaints += classroom.neither_old_nor_new(before)
    again = classroom.grade()
    if again.returncode != 0:
        complaints.append(f"the second run ended with {again.returncode}: {again.stdout[-500:]}")
    complaints += classroom.complaints(by_hand=True)
    return f"{victim} {'killed' if killed else 'was not there'}", complaints


def graded_class(folder: Path, students: int = 6) -> Classroom:
    """A class that was graded, by the graders and by a person."""
    classroom = Classroom(folder, students)
    done = classroom.grade()
    assert done.returncode == 0, done.stdout
    classroom.give_by_hand()
    assert classroom.complaints(by_hand=True) == []
    return classroom


@contextlib.contextmanager
def locked(classroom: Classroom, **how):
    """Somebody else writes into the gradebook, and does not finish."""
    other = sqlite3.connect(classroom.root / "gradebook.db", **how)
    other.execute("begin exclusive")
    try:
        yield
    finally:
        other.rollback()
        other.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    options = parser.parse_args()
    print(f"{options.trials} kills, seeds from {options.seed}", flush=True)
    bad = 0
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        origin = graded_class(Path(folder) / "origin")
        for seed in range(options.seed, options.seed + options.trials):
            trial = Path(folder) / str(seed)
            what, complaints = one_kill(origin, trial, seed)
            shutil.rmtree(trial)
            bad += bool(complaints)
            print(f"{seed}: {what}: {'; '.join(complaints) or 'whole again'}", flush=True)
    print(f"{options.trials} kills, after {bad} of them the class was not whole")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
