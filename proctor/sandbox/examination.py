"""One submission in the sandbox: its cells are run, then its functions are questioned."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from proctor.sandbox.changes import Changes, read_changes
from proctor.sandbox.outputs import Update, clean_output, clean_updates
from proctor.sandbox.patience import GRACE, OwnTime, PatienceWith
from proctor.sandbox.question import Question, QuestionLost
from proctor.sandbox.sessions import AnySandbox, AnySession
from proctor.settings import TimeLimits
from proctor.wire.errors import Closed, Late, Malformed, WireError
from proctor.wire.frames import Channel
from proctor.wire.linux import KILLED_FROM_OUTSIDE
from proctor.wire.names import Facts, facts_of

# A notebook that, when it was run, lets no question be opened is not run again for each check.
MOST_REFUSALS = 4

# Why a session ends that nothing in it has ended, as the warm process and its end attest.
FROM_OUTSIDE = (KILLED_FROM_OUTSIDE, "the sandbox died")

# Outputs of all cells together; each cell's own are cut in the sandbox.
MAX_OUTPUT_BYTES = 20 << 20


@dataclass
class CellRun:
    """Outputs of one cell in nbformat's form, and "ok", "error", "late", "died" or "skipped"."""

    outputs: list[dict[str, Any]] = field(default_factory=list)
    status: str = "skipped"
    changes: Changes = field(default_factory=Changes)
    updates: list[Update] = field(default_factory=list)  # of what earlier cells show


class OutOfTime(Late):
    """The time of the submission is used up."""


@functools.lru_cache(500)
def facts_of_release(source: str) -> Facts | str:
    """What a cell of the release tells of its names; its text where that is not to be had here."""
    from IPython.core.inputtransformer2 import TransformerManager  # for --no-figures alone

    try:
        return facts_of(source, TransformerManager().transform_cell)
    except SyntaxError:
        return source


class Examination:
    """Runs the code cells of one notebook, and opens questions about what they defined.

    With `figures=False` no figure is drawn, and those of the `figure_cells` that bind no name which
    another cell uses are not run at all. `student_cells` are those with a student's text (default:
    all), `own_cells` those they added, which may use up half of the time for cells, so that answers
    get their turn. All are told by the places of cells, counted from 0.

    A cell that hangs beyond interruption, or takes its process with it, is left out and the others
    are run again, so that its neighbours keep their marks. `incidents` tells what happened.
    """

    def __init__(
        self,
        sandbox: AnySandbox,
        cells: Sequence[str],
        *,
        names: Sequence[str] | None = None,
        limits: TimeLimits | None = None,
        figures: bool = True,
        figure_cells: Sequence[int] = (),
        student_cells: Sequence[int] | None = None,
        own_cells: Sequence[int] = (),
    ):
        self.sandbox = sandbox
        self.cells = list(cells)
        self.figure_cells = list(figure_cells)
        self.student_cells = list(range(len(cells)) if student_cells is None else student_cells)
        self.own_cells = frozenset(own_cells)
        self.names = list(names) if names else [f"cell {n}" for n in range(1, len(cells) + 1)]
        self.limits = limits or TimeLimits()
        self.figures = figures
        self.incidents: list[str] = []
        self.runs = [CellRun() for _ in self.cells]
        self._until = time.monotonic() + self.limits.waiting
        self._used = 0.0  # seconds, by sessions that have ended
        self._forgotten = 0.0
        self._spent_by_own = 0.0  # seconds, by own cells in the running session
        self.ended_from_outside = False
        self.out_of_time = False  # before all cells were run
        self._session: AnySession | None = None
        self._own_time: OwnTime | None = None  # of that session
        self._question: Question | None = None
        self._left_out: set[int] = set()
        self._refusals = 0  # one after the other
        self._output_bytes = 0

    def __enter__(self) -> Examination:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._drop_session()

    def of_first_cells(self, end: int, spent: float) -> Examination:
        """Another one, of the cells before `end`: to ask about the notebook as it stood there. What
        ended its session here is left out there, and no figure is drawn again. `spent` is what the
        submission has used already for cells that are run again in this way."""
        examination = Examination(
            self.sandbox,
            self.cells[:end],
            names=self.names[:end],
            limits=self.limits,
            figures=False,
            figure_cells=[index for index in self.figure_cells if index < end],
            student_cells=[index for index in self.student_cells if index < end],
            own_cells=[index for index in self.own_cells if index < end],
        )
        examination._left_out = {index for index in self._left_out if index < end}
        examination._used = spent
        return examination

    def go_on_from(self, other: Examination) -> None:
        """Use what time `other` has left: both are one submission's."""
        self._forgotten += self.spent - other.spent

    def run_cells(self) -> list[CellRun]:
        """Run every cell, in order, each once unless its session dies."""
        if self.figure_cells and not self.figures:
            self._leave_figures_out()
        for index, name in enumerate(self.names):
            if index in self._left_out:
                continue
            limit = self.limits.cell
            try:
                self._start(index, self.limits.questions)
                limit = self._limit_of_cell(index)
                run = self._execute(index, self.limits.questions)
                self.runs[index] = dataclasses.replace(run, outputs=self._admit(run.outputs))
                self._update_displays(run.updates)
            except OutOfTime:
                self._out_of_time(index)
                break
            except WireError as error:
                self._leave_out(index, error)
            if self.runs[index].status == "late":
                self.incidents.append(f"{name} was stopped after its {limit:.2g} s")
        return self.runs

    def question(self) -> Question:
        """The open question, or a new one after the last was lost or closed.

        Raises QuestionLost when none can be opened.
        """
        if self._question is not None and self._question.alive:
            return self._question
        self.end_question()
        refusal: WireError = Closed("no question could be opened earlier")
        for _ in range(min(2, MOST_REFUSALS - self._refusals)):
            try:
                self._start(len(self.cells), kept_back=0.0)
                self._question = self._fork_question()
                self._refusals = 0
                return self._question
            except OutOfTime as error:
                raise QuestionLost(error) from error
            except WireError as error:
                refusal = error
                self._refuse()
        raise QuestionLost(refusal) from refusal

    def is_open(self, question: object) -> bool:
        """Whether this is the open question."""
        return self._question is question and self._question is not None and self._question.alive

    def end_question(self) -> None:
        """Close the open question, so that the next one starts from the notebook's own state."""
        question, self._question = self._question, None
        if question is not None:
            question.channel.close()

    def limit_of_call(self, repeated: bool) -> float:
        return self.limits.repeated_call if repeated else self.limits.call

    def seconds_for_call(self, limit: float) -> float:
        """What the next call may use, 0 when the submission's time is used up."""
        return max(0.0, min(limit, self._remaining(0.0)))

    @property
    def spent(self) -> float:
        """What of its time the submission has used, in seconds. That the machine is slow to start
        a session, or a person looks at a check in a debugger, is not its doing."""
        running = self._own_time.used if self._own_time else 0.0
        return self._used + running - self._forgotten

    def forget_time(self) -> None:
        """What comes has the time of a submission for itself."""
        self._forgotten += self.spent
        self._until = time.monotonic() + self.limits.waiting

    @contextlib.contextmanager
    def waiting(self, seconds: float, process: int | None = None) -> Iterator[PatienceWith]:
        """Patience with the session, of so many seconds of its time."""
        assert self._own_time is not None
        own_time = self._own_time
        own_time.begin()
        try:
            yield PatienceWith(own_time, seconds, self._until, process)
        finally:
            own_time.end()

    def _remaining(self, kept_back: float) -> float:
        return self.limits.submission - kept_back - self.spent

    def _start(self, end: int, kept_back: float) -> None:
        """Have a session in which the cells before `end` were run, without those that end it.

        `kept_back` is the part of the submission's time that this may not use up.
        """
        while self._session is None:
            self._session = self.sandbox.session()
            self._own_time = OwnTime(self._session)
            self._spent_by_own = 0.0
            for index in range(end):
                if index in self._left_out:
                    continue
                try:
                    self._execute(index, kept_back)
                except OutOfTime:
                    self._drop_session()
                    raise
                except WireError as error:
                    self._leave_out(index, error)
                    break

    def _leave_figures_out(self) -> None:
        """Do without the figure cells that no other cell needs. Asked before any cell was run."""
        message = {
            "ask": "not missed",
            "cells": [
                source if index in self.student_cells else facts_of_release(source)
                for index, source in enumerate(self.cells)
            ],
            "candidates": self.figure_cells,
            "students": self.student_cells,
        }
        try:
            self._start(0, self.limits.questions)
            answer = self._ask(message, self.limits.cell)
        except WireError:  # a text can crash Python's compiler: then all cells are run
            self._drop_session()
            return
        text = "[left out: this notebook was graded without figures]\n"
        for index in set(answer["cells"]) & set(self.figure_cells):
            self._left_out.add(index)
            self.runs[index].outputs = [{"output_type": "stream", "name": "stdout", "text": text}]

    def _execute(self, index: int, kept_back: float) -> CellRun:
        limit = self._limit_of_cell(index)
        seconds = min(limit, self._remaining(kept_back))
        if seconds <= 0:
            raise OutOfTime("the submission's time is used up")
        message = {
            "ask": "execute",
            "number": index + 1,
            "source": self.cells[index],
            "seconds": float(f"{limit:.2g}"),
            "figures": self.figures,
            "of_student": index in self.student_cells,
        }
        before = self.spent
        answer = self._ask(message, seconds, process=1)
        if index in self.own_cells:
            self._spent_by_own += self.spent - before
        outputs, status = answer.get("outputs"), answer.get("status")
        if not isinstance(outputs, list) or status not in ("ok", "error", "late"):
            raise Malformed("the answer to a cell is invalid")
        cleaned = [clean_output(output) for output in outputs]
        updates = clean_updates(answer.get("updates", []))
        return CellRun(cleaned, status, read_changes(answer.get("changes")), updates)

    def _limit_of_cell(self, index: int) -> float:
        """Half of what is left to own cells, at most, for one of them: quick ones get a turn behind
        slow ones."""
        if index not in self.own_cells:
            return self.limits.cell
        left = (self.limits.submission - self.limits.questions) / 2 - self._spent_by_own
        return max(0.01, min(self.limits.cell, left / 2))

    def _update_displays(self, updates: list[Update]) -> None:
        for update in updates:
            run = self.runs[update.cell] if 0 <= update.cell < len(self.runs) else CellRun()
            shown = run.outputs[update.place : update.place + 1] if update.place >= 0 else []
            for output in shown:
                if output["output_type"] in ("display_data", "execute_result"):
                    [admitted] = self._admit([{**output, **update.shown}])
                    run.outputs[update.place] = admitted

    def _admit(self, outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        self._output_bytes += len(json.dumps(outputs))
        if self._output_bytes <= MAX_OUTPUT_BYTES:
            return outputs
        text = f"[output left out: a notebook keeps {MAX_OUTPUT_BYTES >> 20} MB of output]\n"
        return [{"output_type": "stream", "name": "stderr", "text": text}]

    def _ask(
        self, message: dict[str, Any], seconds: float, *, process: int | None = None, **passed: Any
    ) -> dict[str, Any]:
        """Ask the session itself, and wait while no more than `seconds` and a little are used.
        Raises WireError and Starved."""
        assert self._session is not None
        with self.waiting(seconds, process) as patience:
            self._session.channel.send(message, deadline=patience, **passed)
            answer, _ = self._session.channel.receive(patience)
        return answer

    def _fork_question(self) -> Question:
        ours, theirs = socket.socketpair()
        with contextlib.ExitStack() as on_failure, theirs:
            on_failure.callback(ours.close)
            answer = self._ask({"ask": "question"}, 2 * GRACE, descriptors=[theirs.fileno()])
            process = answer.get("process")
            if type(process) is not int:
                raise Malformed("the answer to the start of a question is invalid")
            on_failure.pop_all()
        return Question(Channel(ours), process, self.waiting)

    def _leave_out(self, index: int, error: WireError) -> None:
        self._left_out.add(index)
        reason = self._drop_session()
        if isinstance(error, Late):
            what = f"did not stop after its {self.limits.cell:g} s"
        elif isinstance(error, Closed):
            what = f"ended its process ({reason})" if reason else "ended its process"
        else:
            what = "sent something other than its outputs"
        name = self.names[index]
        self.incidents.append(f"{name} {what}; the notebook was run again without it")
        text = f"This cell {what}. The other cells were run without it.\n"
        self.runs[index] = CellRun(
            [{"output_type": "stream", "name": "stderr", "text": text}], "died"
        )

    def _out_of_time(self, index: int) -> None:
        self.out_of_time = True
        seconds = self.limits.submission - self.limits.questions
        self.incidents.append(
            f"the notebook took longer than its {seconds:g} s; {self.names[index]} and the "
            "cells after it were not run"
        )
        self._left_out.update(range(index, len(self.cells)))

    def _drop_session(self) -> str | None:
        """End the session; says why it had ended, as far as the sandbox knows."""
        self.end_question()
        session, own_time = self._session, self._own_time
        self._session = self._own_time = None
        if session is None or own_time is None:
            return None
        session.kill()
        self._used += own_time.used
        if session.end_reason in FROM_OUTSIDE:
            self.ended_from_outside = True
            self.incidents.append(
                f"its session was ended from outside ({session.end_reason}): is the machine short "
                "of memory?"
            )
        return session.end_reason

    def _refuse(self) -> None:
        """Give the session up: no question could be opened in it."""
        self._drop_session()
        self._refusals += 1
        if self._refusals == MOST_REFUSALS:
            self.incidents.append(
                "once its cells had run, the notebook could not be asked anything; the other "
                "checks were not tried"
            )
