"""Asking a student about their own code: which questions, with which key and which wrong options.

The key is what the student's own function gives, in the sandbox; the wrong options are what
labelled wrong answers would give. What is asked is kept with its seed, so that the key can be had
again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import random
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from nbformat import NotebookNode

from proctor.course import Course, read_notebook
from proctor.grading import rebuilding
from proctor.grading.connection import Connection
from proctor.grading.diagnosis import defines_names, watch
from proctor.grading.graders import bounded_memory
from proctor.grading.labelled import LabelledAnswer, answers_file, load_answers
from proctor.grading.marking import examine
from proctor.grading.modules import Submission, with_modules
from proctor.grading.questions import (
    Answer,
    Asks,
    Question,
    alike,
    load_questions,
    settled,
    told,
)
from proctor.grading.records import asked_file
from proctor.grading.student import Student
from proctor.sandbox.beside import furnished
from proctor.sandbox.examination import Examination
from proctor.sandbox.patience import Starved
from proctor.sandbox.sessions import Sandbox
from proctor.settings import TimeLimits

MOST_OPTIONS = 4
MOST_TRIED = 8  # labelled wrong answers, for the wrong options of one question


@dataclass(frozen=True)
class Asked:
    """A question to one student. `options` are texts, the right one among them, or empty."""

    name: str
    exercise: str
    text: str
    key: Answer
    within: float
    options: tuple[str, ...] = ()

    @property
    def right(self) -> str:
        return told(self.key, self.within)

    def accepts(self, answer: Any) -> bool:
        """Whether this is the student's own function's answer."""
        with contextlib.suppress(ValueError, TypeError):
            return alike(settled(answer), self.key, self.within)
        return False


@dataclass(frozen=True)
class Sheet:
    """What one student is asked, or why nothing is."""

    student: str
    seed: int
    sha256: str
    questions: tuple[Asked, ...] = ()
    reason: str | None = None
    answered_right: int | None = None  # how many of them, once somebody asked


class Asking:
    """Makes the sheets of one assignment; a session for each exercise stays open meanwhile."""

    def __init__(self, course: Course, assignment: str, sandbox: Sandbox, limits: TimeLimits):
        self.course = course
        self.assignment = assignment
        self.sandbox = sandbox
        self.limits = limits
        self.written = load_questions(course, assignment)
        self.release = read_notebook(course.release(assignment))
        self._mistakes: list[LabelledAnswer] = []
        if answers_file(course, assignment).exists():
            self._mistakes = [a for a in load_answers(course, assignment) if not a.is_right]
        self._references: dict[str, tuple[Examination, list[str]]] = {}

    def __enter__(self) -> Asking:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for examination, _ in self._references.values():
            examination.close()

    def sheet(
        self, student: str, submission: Submission, count: int, seed: int | None = None
    ) -> Sheet:
        """What a student is asked about the submission. Raises intake.Rejected."""
        sha256 = submission.sha256
        seed = secrets.randbits(48) if seed is None else seed
        taken = rebuilding.rebuild(submission.notebook, self.release)
        with self._examined(taken.notebook, submission.modules) as examination, bounded_memory():
            chosen = list(self._choose(examination, taken.unanswered, seed, count))
        reason = None if chosen else "no exercise of this notebook can be asked about"
        return Sheet(student, seed, sha256, tuple(chosen), reason)

    @contextlib.contextmanager
    def _examined(
        self, notebook: NotebookNode, modules: Mapping[str, bytes]
    ) -> Iterator[Examination]:
        beside = self.course.files_beside(self.course.release(self.assignment))
        sandbox, _, _ = with_modules(furnished(self.sandbox, beside), modules, beside)
        with examine(
            notebook, self.release, sandbox, limits=self.limits, figures=False
        ) as examination:
            examination.run_cells()
            yield examination

    def _choose(
        self, examination: Examination, unanswered: frozenset[str], seed: int, count: int
    ) -> Iterator[Asked]:
        """Up to `count` questions that can be asked, about as many exercises as there are."""
        left = [question for question in self.written if question.exercise not in unanswered]
        random.Random(seed).shuffle(left)
        seen: dict[str, int] = {}
        for question in left:
            seen[question.exercise] = seen.get(question.exercise, 0) + 1
        order = {id(question): place for place, question in enumerate(left)}
        turn: dict[str, int] = {}
        turns = {}
        for question in left:
            turns[id(question)] = turn[question.exercise] = turn.get(question.exercise, 0) + 1
        left.sort(key=lambda question: (turns[id(question)], order[id(question)]))
        given = 0
        for question in left:
            if given == count:
                return
            asked = self._ask(question, examination, seed)
            if asked is not None:
                given += 1
                yield asked

    def _ask(self, written: Asks, examination: Examination, seed: int) -> Asked | None:
        """The question to this student, or None where their function gives no answer."""
        examination.end_question()
        student = Student(Connection(examination))
        text = f"{seed} {written.name}"
        number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
        try:
            question = written.author(student, torch.Generator().manual_seed(number))
            key = settled(question.call(student))
        except Starved:
            raise
        except Exception:  # noqa: BLE001 - whatever a function does costs its own questions alone
            return None
        if question.choices and key not in question.choices:
            return None
        options = self._options(written, question, key, random.Random(number))
        return Asked(
            written.name, written.exercise, question.text, key, question.within, tuple(options)
        )

    def _options(
        self, written: Asks, question: Question, key: Answer, choose: random.Random
    ) -> list[str]:
        """The right answer among wrong ones, none of them right within the tolerance."""
        if question.choices:
            return list(question.choices)
        if isinstance(key, bool):
            return ["yes", "no"]
        mistakes = [answer for answer in self._mistakes if answer.cell == written.exercise]
        wrong: list[Answer] = []
        for mistake in choose.sample(mistakes, min(MOST_TRIED, len(mistakes))):
            found = self._answer_of(mistake, question)
            taken = [key, *wrong]
            if found is None or any(too_near(found, other, question.within) for other in taken):
                continue
            wrong.append(found)
            if len(wrong) == MOST_OPTIONS - 1:
                break
        if not wrong:
            return []
        options = [told(answer, question.within) for answer in (key, *wrong)]
        choose.shuffle(options)
        return options

    def _answer_of(self, mistake: LabelledAnswer, question: Question) -> Answer | None:
        """What a known mistake would answer."""
        examination, after = self._reference_before(mistake.cell)
        [found] = watch(
            [mistake.source, *after], [lambda student: settled(question.call(student))], examination
        )
        return found if isinstance(found, bool | int | float | str | list) else None

    def _reference_before(self, exercise: str) -> tuple[Examination, list[str]]:
        """The reference as it stands before an exercise, and the cells that come after it."""
        if exercise not in self._references:
            reference = read_notebook(self.course.reference(self.assignment))
            cells = [cell for cell in reference.cells if defines_names(cell)]
            place = [cell.metadata.nbgrader.grade_id for cell in cells].index(exercise)
            before = [cell.source for cell in cells[:place]]
            examination = Examination(self.sandbox, before, figures=False)
            examination.run_cells()
            self._references[exercise] = examination, [c.source for c in cells[place + 1 :]]
        return self._references[exercise]


def too_near(one: Answer, other: Answer, within: float) -> bool:
    """Whether a person could not tell these two apart, or who has the one would be right with the
    other."""
    return alike(one, other, 2 * within) or told(one, within) == told(other, within)


def write_sheet(course: Course, assignment: str, sheet: Sheet) -> None:
    path = asked_file(course, sheet.student, assignment)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(dataclasses.asdict(sheet), indent=1), encoding="utf-8")


def read_sheet(course: Course, student: str, assignment: str) -> Sheet | None:
    """The sheet that was made for a student, or None."""
    path = asked_file(course, student, assignment)
    if not path.exists():
        return None
    data = json.loads(path.read_text(encoding="utf-8"))
    questions = [
        Asked(**{**entry, "options": tuple(entry["options"])}) for entry in data["questions"]
    ]
    return Sheet(**{**data, "questions": tuple(questions)})


def write_result(course: Course, assignment: str, student: str, answered_right: int) -> None:
    """Keep how many questions were answered right."""
    sheet = read_sheet(course, student, assignment)
    if sheet is not None:
        write_sheet(course, assignment, dataclasses.replace(sheet, answered_right=answered_right))


def assert_own_answer(assignment: str, student: str | None, number: int, answer: Any) -> None:
    """For the graders of a follow-up notebook: question `number` (from 1) of the sheet that the
    student was given is answered as their own function answers it. The course is the current
    folder."""
    sheet = read_sheet(Course(Path.cwd()), student, assignment) if student else None
    assert sheet is not None, f"no sheet on {assignment} was made for {student}"
    assert number <= len(sheet.questions), f"the sheet of {student} has no question {number}"
    asked = sheet.questions[number - 1]
    assert asked.accepts(answer), f"{student} should answer {asked.right}, got {answer!r}"
