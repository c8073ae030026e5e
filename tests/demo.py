"""`make demo`: a class of sample students, from release to feedback, in the course's own folders.

Most answers come from the labelled answers in `tests/answers/`; a few submissions hang, attack or
are broken. Everything after that is what an instructor would type. It starts afresh when run again,
and refuses where the folders hold submissions that it did not make.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from nbgrader.api import Gradebook

from proctor.course import Course, read_notebook
from proctor.grading.labelled import (
    LabelledAnswer,
    as_submission,
    load_answers,
    reference_answers,
    with_answers,
)
from proctor.grading.records import read_record

ROOT = Path(__file__).resolve().parents[1]
ASSIGNMENT = "mnist_loss"
MANIFEST = ROOT / "submitted" / ".made-by-demo.json"
COURSE = Course(ROOT)

HANG = "def train_epoch(weights, bias, x, y, lr):\n    while True:\n        pass"
EQUAL_TO_EVERYTHING = '''
class Anything:
    """Equal to everything, and small."""
    shape = ()
    def __eq__(self, other): return True
    def __lt__(self, other): return True
    def __sub__(self, other): return self
    def __abs__(self): return self
    def __float__(self): return 0.0

def mnist_loss(predictions, targets):
    return Anything()
'''
REWRITE_THE_GRADEBOOK = """
import sqlite3, pathlib
for place in pathlib.Path("/").glob("**/gradebook.db"):
    with sqlite3.connect(place) as gradebook:
        gradebook.execute("update grade set manual_score = 100")

def mnist_loss(predictions, targets):
    return targets.sum() * 0 + 0.4333
"""
KILL_EVERYTHING = """
import os, signal
def mnist_loss(predictions, targets):
    os.kill(-1, signal.SIGKILL)
    os._exit(0)
"""
WRITTEN_ANSWER = (
    "Accuracy is 2 of 3 before and after, because 0.4 is still below 0.5. mnist_loss falls from "
    "0.4333 to 0.3667, so a model that follows the loss knows that the step was a good one."
)


@dataclass(frozen=True)
class Sample:
    """One student's submission: what it is, and the file's content."""

    what: str
    content: bytes


def answered(sources: dict[str, str], written: bool = True) -> bytes:
    """The released notebook with these answers in it."""
    if written:
        sources = {**sources, "explain_better": WRITTEN_ANSWER}
    return as_submission(with_answers(read_notebook(COURSE.release(ASSIGNMENT)), sources))


def samples(count: int) -> Iterator[Sample]:
    """The submissions of the class: first the odd ones, then answers from the catalogue."""
    reference = reference_answers(read_notebook(COURSE.reference(ASSIGNMENT)))
    answers = load_answers(COURSE, ASSIGNMENT)
    right = [answer for answer in answers if answer.is_right]
    wrong = [answer for answer in answers if not answer.is_right]
    first_half = dict(list(reference.items())[: len(reference) // 2])

    yield Sample("all right", answered(reference))
    yield Sample("unanswered", answered({}, written=False))
    yield Sample("partly answered", answered(first_half, written=False))
    yield Sample("train_epoch never ends", answered({**reference, "train_epoch": HANG}))
    for what, source in (
        ("attack: equal to everything", EQUAL_TO_EVERYTHING),
        ("attack: rewrites the gradebook", REWRITE_THE_GRADEBOOK),
        ("attack: kills every process", KILL_EVERYTHING),
    ):
        yield Sample(what, answered({**reference, "mnist_loss": source}))
    yield Sample("not a notebook", b"I could not open the file, sorry")
    choose = random.Random(0)
    right, wrong = Deck(right, choose), Deck(wrong, choose)
    for number in range(count - 8):
        if number % 3 == 0:
            chosen = right.one_for_each_cell()
            what = "right, in other ways"
        else:
            chosen = wrong.some(1 + number % 2)
            what = "; ".join(f"{answer.cell}: {answer.name}" for answer in chosen)
        sources = {answer.cell: answer.source for answer in chosen}
        yield Sample(what, answered({**reference, **sources}, written=number % 4 > 0))


class Deck:
    """Labelled answers to deal out: no two students have the same one, as long as there are any."""

    def __init__(self, answers: list[LabelledAnswer], choose: random.Random):
        self.left = choose.sample(answers, len(answers))

    def one_for_each_cell(self) -> list[LabelledAnswer]:
        return self._take({answer.cell: answer for answer in self.left}.values())

    def some(self, count: int) -> list[LabelledAnswer]:
        return self._take(self.left[-count:])

    def _take(self, dealt: Iterable[LabelledAnswer]) -> list[LabelledAnswer]:
        taken = list(dealt)
        self.left = [answer for answer in self.left if answer not in taken]
        return taken


def submitted_files() -> dict[str, str]:
    """Every file below submitted/, with its hash."""
    return {
        str(path.relative_to(ROOT)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((ROOT / "submitted").rglob("*"))
        if path.is_file() and path != MANIFEST
    }


def refuse_others_work() -> None:
    """Stop where anything lies in the course's folders that a demo did not make."""
    made = json.loads(MANIFEST.read_text()) if MANIFEST.exists() else {"files": {}, "students": []}
    strangers = [
        name for name, found in submitted_files().items() if made["files"].get(name) != found
    ]
    students = []
    if (ROOT / "gradebook.db").exists():
        with Gradebook(f"sqlite:///{ROOT / 'gradebook.db'}") as gradebook:
            students = [student.id for student in gradebook.students]
    strangers += [
        f"{student} in gradebook.db" for student in students if student not in made["students"]
    ]
    if strangers:
        shown = ", ".join(strangers[:3]) + (" ..." if len(strangers) > 3 else "")
        raise SystemExit(
            f"make demo: this course holds work that the demo did not make ({shown}). "
            "Run it in a fresh clone instead; nothing was changed."
        )


def start_afresh() -> None:
    """Remove what an earlier demo left."""
    made = json.loads(MANIFEST.read_text())["students"] if MANIFEST.exists() else []
    for student in made:
        for step in ("submitted", "autograded", "feedback", "records"):
            shutil.rmtree(ROOT / step / student, ignore_errors=True)
    MANIFEST.unlink(missing_ok=True)
    (ROOT / "gradebook.db").unlink(missing_ok=True)


def hand_in(count: int) -> list[tuple[str, str]]:
    """Put the class's submissions where nbgrader collects them; returns who handed in what."""
    made = []
    now = datetime.now(UTC)
    for number, sample in enumerate(samples(count), start=1):
        student = f"student-{number:02}"
        folder = ROOT / "submitted" / student / ASSIGNMENT
        folder.mkdir(parents=True)
        (folder / f"{ASSIGNMENT}.ipynb").write_bytes(sample.content)
        handed_in = now - timedelta(minutes=7 * number)
        (folder / "timestamp.txt").write_text(f"{handed_in:%Y-%m-%d %H:%M:%S} UTC\n")
        made.append((student, sample.what))
    students = [student for student, _ in made]
    MANIFEST.write_text(json.dumps({"students": students, "files": submitted_files()}))
    return made


def run(*command: str, well: tuple[int, ...] = (0,)) -> None:
    """What an instructor types; its output is shown when it fails."""
    print(f"$ {' '.join(command)}", flush=True)
    done = subprocess.run(
        [str(Path(sys.executable).with_name(command[0])), *command[1:]],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode not in well:
        raise SystemExit(f"{done.stdout[-3000:]}\nmake demo: `{' '.join(command)}` failed")


def print_class(made: list[tuple[str, str]]) -> None:
    with Gradebook(f"sqlite:///{ROOT / 'gradebook.db'}") as gradebook:
        print(f"\n{'student':<12}{'automatic score':<18}{'seconds':>7}  what was handed in")
        for student, what in made:
            submission = gradebook.find_submission(ASSIGNMENT, student)
            record = read_record(COURSE, student, ASSIGNMENT)
            grades = [grade for notebook in submission.notebooks for grade in notebook.grades]
            automatic = sum(grade.auto_score or 0 for grade in grades)
            score = f"{automatic:g} of {record['max_score']:g}"
            print(f"{student:<12}{score:<18}{record['seconds']:>7.1f}  {what}")
            for incident in record["incidents"] or [record["error"]] * bool(record["error"]):
                print(f"{'':<39}{incident}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--students", type=int, default=40, help="size of the class (at least 8)")
    options = parser.parse_args()
    os.chdir(ROOT)
    refuse_others_work()
    start_afresh()
    run("proctor", "doctor")
    run("nbgrader", "generate_assignment", ASSIGNMENT)
    made = hand_in(max(8, options.students))
    print(f"  {len(made)} sample students handed in submitted/*/{ASSIGNMENT}/{ASSIGNMENT}.ipynb")
    run("proctor", "grade", ASSIGNMENT, well=(0, 1))  # 1: some are worth a look
    run("nbgrader", "generate_feedback", ASSIGNMENT)
    run("proctor", "report", ASSIGNMENT)
    print_class(made)
    print("\nWhere to look next:")
    for place, what in (
        (f"reports/{ASSIGNMENT}.html", "the report on the class"),
        (f"feedback/student-01/{ASSIGNMENT}/{ASSIGNMENT}.html", "what a student gets back"),
        (f"records/student-04/{ASSIGNMENT}.json", "the record of one grading, for you alone"),
        (f".venv/bin/proctor read {ASSIGNMENT}", "read the written answers, in JupyterLab"),
        (f".venv/bin/proctor explain {ASSIGNMENT} student-09", "one mark, check by check"),
    ):
        print(f"  {place:<52} {what}")


if __name__ == "__main__":
    main()
