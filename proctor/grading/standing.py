"""In which state of the notebook an exercise is marked: as it stood when its checks were reached.

Cells further down may add what it still lacked, but what it stands on they change no more. Most
notebooks change nothing there, so that all exercises are asked about once all cells have run. Where
a later cell does change what an exercise stands on, the cells before that one are run in a session
of their own, and the exercise is asked about there.

What cells change is the sandbox's claim. It only picks the place, which a student may choose by the
order of the cells anyway.
"""

from __future__ import annotations

import ast
import builtins
import functools
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from nbformat import NotebookNode

from proctor.grading.intake import GradedCell, labels_of
from proctor.sandbox.examination import CellRun, Examination
from proctor.text import plain

OF_PYTHON = frozenset(dir(builtins))
# Graders use these of tensors; of a student's names they are only if the student made them.
OF_TORCH = frozenset((*dir(torch), *dir(torch.Tensor)))
NAME_PART = re.compile(r"\w+")
MOST_NAMED = 3  # of several things that a cell changes
LONGEST_LINE = 60


def is_run(cell: NotebookNode) -> bool:
    """Whether grading runs this cell: graders take the place of graded code cells. Code that a
    person grades is run, so that there is something to look at."""
    labels = labels_of(cell)
    return cell.cell_type == "code" and (not labels.get("grade") or bool(labels.get("solution")))


@dataclass(frozen=True)
class Change:
    """The first cell further down that changes what an exercise stands on, and what it changes."""

    cell: int
    what: tuple[str, ...]


@dataclass
class Standings:
    """Gives out the examination in which each exercise is asked about.

    An exercise goes by the grade id of its solution cell. `reached` says how many of the cells that
    are run stand above its checks; one that is not in there is marked as it stands at the end.
    """

    whole: Examination
    reached: Mapping[str, int]
    exercises: Mapping[str, str]  # by the grade id of their graded cells
    blank: frozenset[int] = frozenset()  # the cells that still hold what was released as an answer
    notes: dict[str, str] = field(default_factory=dict)
    _spent_again: float = 0.0  # seconds, for cells that were run again
    _by_end: dict[int, Examination | None] = field(default_factory=dict)
    _others: dict[int, Examination | None] = field(default_factory=dict)
    _chosen: dict[tuple[str, Path], Examination] = field(default_factory=dict)

    def examination(self, grade_id: str, file: Path) -> Examination:
        """Where the graders in `file` of this graded cell are to ask."""
        exercise = self.exercises.get(grade_id, grade_id)
        key = exercise, file
        if key not in self._chosen:
            self._chosen[key] = self._choose(exercise, file)
        return self._chosen[key]

    def examination_of_answer(self, exercise: str) -> Examination:
        """Where the graders of this exercise have asked."""
        found = (each for (name, _), each in self._chosen.items() if name == exercise)
        return next(found, self.whole)

    def examinations(self) -> list[Examination]:
        return [self.whole, *filter(None, (*self._by_end.values(), *self._others.values()))]

    def close(self) -> None:
        """Close what was opened here, which the whole notebook's examination is not."""
        for examination in self.examinations()[1:]:
            examination.close()

    def _choose(self, exercise: str, file: Path) -> Examination:
        reached = self.reached.get(exercise)
        if reached is None:
            return self.whole
        # What a blank answer binds may come further down.
        runs = [CellRun() if n in self.blank else run for n, run in enumerate(self.whole.runs)]
        cells = [n for n in self.whole.student_cells if n < reached]
        of_student = names_bound(runs[n] for n in cells)
        of_answers = names_bound(runs[n] for n in cells if n not in self.whole.own_cells)
        change = first_change(runs, reached, names_in_graders(file).asked(of_student, of_answers))
        if change is None:
            return self.whole
        open_already = (end for end in self._by_end if reached <= end <= change.cell)
        examination = self._examination_of_cells(next(open_already, change.cell))
        if examination is None:
            return self.whole
        self.notes[exercise] = note_of(change, self.whole)
        return examination

    def _examination_of_cells(self, end: int) -> Examination | None:
        """One in which only the cells before this one were run; None where there was no time for
        all of them, though there had been before."""
        if end not in self._by_end:
            self._by_end[end] = self._run_again(end)
        return self._by_end[end]

    def another(self, examination: Examination) -> Examination | None:
        """One in which the same cells were run, in a session of its own that was asked nothing;
        None as above."""
        end = len(examination.cells)
        if end not in self._others:
            self._others[end] = self._run_again(end)
        return self._others[end]

    def _run_again(self, end: int) -> Examination | None:
        examination = self.whole.of_first_cells(end, self._spent_again)
        examination.run_cells()
        self._spent_again = examination.spent
        if examination.out_of_time:
            examination.close()
            return None
        examination.incidents = self.whole.incidents  # what came up now, it did before
        return examination


def standings_of(
    whole: Examination,
    notebook: NotebookNode,
    known: Mapping[str, GradedCell],
    unanswered: Collection[str],
) -> Standings:
    """The standings of a notebook whose cells the examination runs. `known` are its graded cells.

    An answer that is as it was released may stand anywhere else: it counts as it is at the end.
    """
    exercises = {name: cell.answer or name for name, cell in known.items()}
    reached: dict[str, int] = {}
    blank = set()
    run = 0
    for cell in notebook.cells:
        grade_id = labels_of(cell).get("grade_id", "")
        if is_run(cell):
            blank |= {run} if grade_id in unanswered else set()
            run += 1
        if grade_id in known and known[grade_id].kind == "graded":
            reached.setdefault(exercises[grade_id], run)
    answered = {name: place for name, place in reached.items() if name not in unanswered}
    return Standings(whole, answered, exercises, frozenset(blank))


def first_change(runs: Sequence[CellRun], reached: int, asked: Collection[str]) -> Change | None:
    """The first cell from `reached` on that changes what the `asked` names stand on, if there is
    one: their own functions, the names that these load, a switch or a library that all share."""
    loads: dict[str, frozenset[str]] = {}
    for run in runs[:reached]:
        loads |= run.changes.names
    stands_on: set[str] = set()
    waiting = [name for name in asked if name in loads]
    while waiting:
        name = waiting.pop()
        if name not in stands_on:
            stands_on.add(name)
            waiting.extend(loads.get(name, ()))
    stands_on &= OF_PYTHON | loads.keys()  # what was not there yet may come later
    for index, run in enumerate(runs[reached:], start=reached):
        names = tuple(sorted(stands_on & run.changes.names.keys()))
        if names or run.changes.ground:
            return Change(index, names + run.changes.ground)
    return None


def names_bound(runs: Iterable[CellRun]) -> set[str]:
    return {name for run in runs for name in run.changes.names}


@dataclass(frozen=True)
class NamesInGraders:
    """The names that graders may ask a student for: `student.mse`, and texts and parts of texts
    that could be one (`getattr(student, f"mse_{n}")`). `perhaps` are attributes of something else,
    which may be the student under another name."""

    surely: frozenset[str]
    perhaps: frozenset[str]
    patterns: tuple[re.Pattern[str], ...]

    def asked(self, of_student: Collection[str], of_answers: Collection[str]) -> set[str]:
        """Those for which a notebook is asked that binds these names, in its cells and in those of
        its answers."""
        surely = {n for n in self.surely if n in of_student or n not in OF_TORCH}
        composed = {n for n in of_student if any(one.fullmatch(n) for one in self.patterns)}
        return surely | composed | self.perhaps.intersection(of_answers)


def names_in_graders(file: Path) -> NamesInGraders:
    """Of the graders in a file, and the helpers beside it."""
    helpers = [path for path in file.parent.glob("*.py") if not path.name.startswith("test_")]
    texts = tuple(path.read_text(encoding="utf-8") for path in (file, *sorted(helpers)))
    return names_in(texts)


@functools.lru_cache(200)
def names_in(texts: tuple[str, ...]) -> NamesInGraders:
    nodes = [node for text in texts for node in ast.walk(ast.parse(text))]
    attributes = [node for node in nodes if isinstance(node, ast.Attribute)]
    surely = {node.attr for node in attributes if is_of_student(node.value)}
    written = {node.value for node in nodes if isinstance(node, ast.Constant)}
    return NamesInGraders(
        frozenset(surely | {one for one in written if isinstance(one, str) and one.isidentifier()}),
        frozenset(node.attr for node in attributes),
        tuple(re.compile(one) for one in {pattern_of(node) for node in nodes} if one),
    )


def is_of_student(node: ast.AST) -> bool:
    """`student`, `self.student`, `student.on_accelerator`, `student.repeating(40)`."""
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Attribute) and node.attr != "student":
            node = node.value
        elif isinstance(node, ast.Call):
            node = node.func
        else:
            return isinstance(node, ast.Attribute)
    return node.id == "student"


def pattern_of(node: ast.AST) -> str:
    """The names that an expression like `f"mse_{n}"` or `"mse_" + n` can make, if any."""
    parts: Sequence[ast.AST] = ()
    if isinstance(node, ast.JoinedStr):
        parts = node.values
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        parts = (node.left, node.right)
    texts = [part.value if isinstance(part, ast.Constant) else None for part in parts]
    known = [text for text in texts if text is not None]
    if not known or not all(isinstance(text, str) and NAME_PART.fullmatch(text) for text in known):
        return ""
    return "".join(r"\w+" if text is None else str(text) for text in texts)


def note_of(change: Change, examination: Examination) -> str:
    """What a student is told of a change: what changed, in which cell, and what was marked."""
    told = map(plain, change.what[:MOST_NAMED])
    what = ", ".join(each if " " in each else f"`{each}`" for each in told)
    more = len(change.what) - MOST_NAMED
    what += f" and {more} more" if more > 0 else ""
    lines = (line.strip() for line in examination.cells[change.cell].splitlines())
    line = next((line for line in lines if line and not line.startswith("#")), "")
    line = plain(line).replace("`", "'")
    line = line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]} ..."
    return (
        f"Further down, {examination.names[change.cell]} (`{line}`) changes {what}. This exercise "
        "was marked as it stood before that."
    )
