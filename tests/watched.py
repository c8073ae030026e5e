"""A small class with an exchange, for tests of `proctor watch` and `make rush`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from nbgrader.exchange.default import ExchangeFetchAssignment, ExchangeFetchFeedback, ExchangeSubmit
from nbgrader.utils import notebook_hash
from test_exchange import SmallClass, succeeded

GRADERS = '''
from proctor.authoring import grades


@grades("double_values", hint="Try two.")
def test_positive(student):
    """Two is doubled"""
    assert student.double(2) == 4


@grades("double_values", hint="Try minus three.")
def test_negative(student):
    """Minus three is doubled"""
    assert student.double(-3) == -6
'''
# What each body of `double` gets, of 2 points.
RIGHT, NO_NEGATIVE, NO_POSITIVE, WRONG = (
    "return 2 * x",
    "return 2 * abs(x)",
    "return -2 * abs(x)",
    "return x",
)
SCORES = {RIGHT: 2.0, NO_NEGATIVE: 1.0, NO_POSITIVE: 1.0, WRONG: 0.0}


class WatchedClass(SmallClass):
    """Its course names the exchange in its own configuration, as commands need it."""

    def __init__(self, folder: Path):
        folder.mkdir(parents=True)
        super().__init__(folder)
        (self.course / "tests/graders/tiny/test_tiny.py").write_text(GRADERS)

    def release(self) -> None:
        self.configure()
        instructor = self.instructor()
        succeeded(instructor.generate_assignment("tiny"))
        succeeded(instructor.release_assignment("tiny"))

    def copy(self, folder: Path) -> WatchedClass:
        """The same class in another folder."""
        shutil.copytree(self.folder, folder)
        copied = WatchedClass.__new__(WatchedClass)
        copied.folder, copied.course = folder, folder / "course"
        copied.exchange = folder / "exchange"
        copied.configure()
        return copied

    def configure(self, *lines: str, check_owner: bool = False) -> None:
        text = (self.course / "nbgrader_config.py").read_text().split("\n# of this test\n")[0]
        own = [
            f"c.Exchange.root = {str(self.exchange)!r}",
            "c.CourseDirectory.course_id = 'small'",
            f"c.ExchangeCollect.check_owner = {check_owner}",
            "c.Grading.preload = []",  # a watcher of its own starts sooner
            *lines,
        ]
        (self.course / "nbgrader_config.py").write_text(
            "\n".join([text, "# of this test", *own, ""])
        )

    def hand_in(
        self, body: str, student: str = "student-01", written: str = "Twice.", note: str = ""
    ) -> None:
        """As the student's nbgrader does it. `note` makes a file another one."""
        self.fetch(student)
        self.answer(f"def double(x):  # {note}\n    {body}", written, student)
        succeeded(self.student(ExchangeSubmit, student))

    def fetch(self, student: str = "student-01") -> None:
        if not (self.work(student) / "tiny").exists():
            succeeded(self.student(ExchangeFetchAssignment, student))

    def pages(self, student: str = "student-01") -> list[str]:
        """The pages that a student can fetch, in the order in which their attempts were made."""
        shutil.rmtree(self.work(student) / "tiny/feedback", ignore_errors=True)
        self.student(ExchangeFetchFeedback, student)
        found = sorted((self.work(student) / "tiny/feedback").glob("*/tiny.html"))
        return [path.read_text() for path in found]

    def ledger(self, what: str | None = None) -> list[dict]:
        path = self.course / "attempts/tiny.jsonl"
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        return [line for line in lines if what is None or line["what"] == what]

    def scores(self) -> dict[str, float | None]:
        with self.gradebook() as gradebook:
            return {
                submission.student_id: gradebook.find_grade(
                    "double_values", "tiny", "tiny", submission.student_id
                ).auto_score
                for submission in gradebook.assignment_submissions("tiny")
            }

    def start(self, *options: str, wrapper: tuple[str, ...] = ()) -> subprocess.Popen:
        """`proctor watch`, in a process of its own; what it says goes to a file."""
        command = [str(Path(sys.executable).parent / "proctor"), "watch", "tiny", *options]
        with (self.folder / "said").open("a") as said:
            return subprocess.Popen(
                [*wrapper, *command],
                cwd=self.course,
                env={**os.environ, "HOME": str(self.folder)},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def said(self) -> str:
        return (self.folder / "said").read_text()

    def complaints(self, expected: dict[str, str]) -> list[str]:
        """What is not as it must be, when these are the bodies that each has handed in last: one
        mark for each attempt that was marked, the right one, and one page that shows it."""
        found = []
        scores = self.scores()
        keys = [line["key"] for line in self.ledger("marked")]
        found += [f"{key} was marked twice" for key in set(keys) if keys.count(key) > 1]
        secrets = {}
        for path in self.inbound():
            student, _, stamp = path.name.split("+")[:3]
            secret = (path / "submission_secret.txt").read_text()
            page = f"{notebook_hash(secret=secret, notebook_id='tiny')}.html"
            secrets[student] = max(secrets.get(student, ("", "")), (stamp, page))
        out = {path.name for path in (self.exchange / "small/feedback").iterdir()}
        found += [f"left behind in the exchange: {name}" for name in out if "tmp" in name]
        for student, body in expected.items():
            score = SCORES[body]
            if scores.get(student) != score:
                found.append(f"{student} has {scores.get(student)}, not {score}")
            name = secrets[student][1]
            if name not in out:
                found.append(f"{student} has no page of the newest attempt")
            elif f"{score:g} of 2 points" not in (
                (self.exchange / "small/feedback" / name).read_text()
            ):
                found.append(f"{student}'s page does not show {score}")
        found += [str(path) for path in self.course.rglob("*.new")]
        return found


def wait_for(there: Callable[[], bool], seconds: float, what: Callable[[], str]) -> float:
    """Wait until it is there; returns how long that took."""
    began = time.monotonic()
    while not there():
        assert time.monotonic() - began < seconds, what()
        time.sleep(0.05)
    return time.monotonic() - began


def utc(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
