"""One assignment that is watched: its attempts, what was stored of them, and their pages."""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import Any

from traitlets.config import Config

from proctor.classroom.feedback_pages import InGradebook
from proctor.classroom.folders import handed_in
from proctor.classroom.gradebook import demand_same_cells
from proctor.classroom.watch.allowance import allowance, at, came_after, left, time_of
from proctor.classroom.watch.arrivals import Arrival, put_in_place
from proctor.classroom.watch.attempt import (
    SECRET,
    TIMESTAMP,
    Attempt,
    Sign,
    key_of,
    look_at,
    of_attempt,
    sign_of,
)
from proctor.classroom.watch.best import (
    as_in_gradebook,
    folder_apart,
    graded_notebook,
    is_worth_more,
    lying_apart,
)
from proctor.classroom.watch.ledger import HELD, MARKED, SHOWN, Ledger, Student, ledger_file
from proctor.classroom.watch.pages import Pages
from proctor.classroom.whole_class import Classroom, Store, Tally
from proctor.classroom.workers import MarkingSettings, Outcome
from proctor.course import Course, read_release
from proctor.grading import intake, rebuilding
from proctor.grading.marks import Marks
from proctor.grading.records import read_record
from proctor.grading.submitted import read_submitted, submitted_at
from proctor.settings import Grading, LateDays, Watch
from proctor.text import plain

LOG = logging.getLogger(__name__)


class WatchedAssignment:
    """Raises CourseError where the assignment is not released or a setting is wrong."""

    def __init__(self, config: Config, course: Course, assignment: str):
        self.name = assignment
        self.config = config
        self.course = course
        self.classroom = Classroom(config, course, assignment)
        self.settings = Watch(config=config).of(assignment)
        self.marking = MarkingSettings.of(course.root, Grading(config=config).of(assignment))
        self.zone = LateDays.of(config).zone()
        until = self.settings.until
        self.end = None if until in ("", "duedate") else time_of(until, self.zone)
        self.ledger = Ledger(ledger_file(course, assignment), mend=True)
        self.pages = Pages(config, course, assignment)
        self._taken: dict[str, tuple[str, str]] = {}  # by student: its name in the exchange, key
        self.decided = False  # whether pages held in an earlier run were looked at again
        self._store: Store | None = None
        self._signs: dict[Path, Sign] = {}
        self._looked: dict[Path, Sign] = {}
        self._worse: dict[str, Marks] = {}  # of newest attempts that do not count

    # Attempts

    def has_taken(self, arrival: Arrival) -> bool:
        """Whether an attempt was collected before: by us, by nbgrader's command, or as an older one
        than what a person has put into submitted/ since."""
        student = self.ledger.of(arrival.student)
        known = self._taken.get(arrival.student)
        if arrival.name in (student.taken, known and known[0]):
            return True
        folder = self.newest(arrival.student)
        if not folder.is_dir():
            return False
        if all(
            of_attempt(folder, name) == of_attempt(arrival.path, name)
            for name in (TIMESTAMP, SECRET)
        ):
            self.remember_taken(arrival, forget=False)
            return True
        if student.marked is not None:
            return False
        try:
            there = submitted_at(folder)
        except intake.Rejected:
            return False
        return there is not None and there > arrival.time

    def place_for(self, student: str) -> Path:
        """Where to put a newer attempt: where the best one counts, apart from it."""
        if self.is_best_of_all and self.ledger.of(student).counting is not None:
            return folder_apart(self.course, self.name, student)
        return self.classroom.folder(student)

    def newest(self, student: str) -> Path:
        """Where the student's newest attempt lies."""
        apart = folder_apart(self.course, self.name, student)
        return apart if apart.is_dir() else self.classroom.folder(student)

    def remember_taken(self, arrival: Arrival, forget: bool = True) -> None:
        key = self._look_at(self.newest(arrival.student))[0]
        self._taken[arrival.student] = arrival.name, key
        if forget:
            self.forget(arrival.student)

    def new_attempts(
        self, busy: Collection[str], fresh: Collection[str], now: float
    ) -> tuple[list[Attempt], bool]:
        """The attempts in submitted/ that are not marked yet, and whether there are others that
        must be looked at once more: they may be half written. `fresh` ones are whole."""
        found: list[Attempt] = []
        unsure: list[Attempt] = []
        unsettled = False
        signs = {}
        coursedir = self.classroom.coursedir
        apart = lying_apart(self.course, self.name)
        for student, folder in [*handed_in(coursedir, self.name), *apart]:
            sign = sign_of(folder, self.name)
            if student in busy or self._signs.get(folder) == sign:
                continue
            if student not in fresh and self._looked.get(folder) != sign:
                self._looked[folder] = sign
                unsettled = True
                continue
            key, sha256 = self._look_at(folder)
            signs[folder] = sign
            known = self.ledger.of(student)
            if key not in (known.key, known.counting and known.counting["key"]):
                attempt = Attempt(student, self.name, key, sha256, now, folder)
                (found if student in fresh else unsure).append(attempt)
        found += self._not_stored(unsure)
        self._signs |= signs
        return found, unsettled

    def _not_stored(self, attempts: list[Attempt]) -> list[Attempt]:
        """Those that were not marked and stored: before the ledger could say so, or by a person's
        command."""
        graded = self.classroom.graded_before([each.student for each in attempts])
        waiting = []
        for attempt in attempts:
            record = read_record(self.course, attempt.student, self.name)
            autograded = self.pages.graded_file(attempt.student).parent
            if (
                attempt.student in graded
                and record is not None
                and key_of(attempt.sha256, autograded) == attempt.key
            ):
                self.write_marked(attempt, record, counts=True)
            else:
                waiting.append(attempt)
        return waiting

    def forget(self, student: str) -> None:
        """Look at the student's folder anew, whatever was seen there before."""
        for folder in (self.classroom.folder(student), self.newest(student)):
            self._signs.pop(folder, None)

    def is_still(self, attempt: Attempt) -> bool:
        """Whether the attempt is what lies in its place now."""
        return self._look_at(attempt.folder)[0] == attempt.key

    # Marks

    def demand_ready(self) -> None:
        """Raises CourseError where nothing could be stored."""
        demand_same_cells(self.classroom.coursedir, self.course.release(self.name))

    def store(self, attempt: Attempt, outcome: Outcome) -> bool:
        """Store marks, and write them down; whether the attempt was not set aside."""
        submitted, marks = self.classroom.folder(attempt.student), outcome.marks
        counting = self.ledger.of(attempt.student).counting
        if attempt.folder != submitted and marks is not None and counting is not None:
            if not is_worth_more(marks, counting):
                self._worse[attempt.student] = marks
                if self.ledger.of(attempt.student).key != attempt.key:  # else for its page alone
                    self.write_marked(attempt, vars(marks), counts=False)
                return True
            put_in_place(attempt.folder, submitted)
        self._store = self._store or Store(self.classroom)
        if not self.classroom.take(outcome, self._store, Tally()):
            return False
        self.write_marked(attempt, vars(marks), counts=True)
        return True

    def write_marked(self, attempt: Attempt, marks: dict[str, Any], *, counts: bool) -> None:
        facts = ("status", "error", "score", "max_score", "seconds", "sha256")
        name, key = self._taken.get(attempt.student, (None, None))
        self.ledger.write(
            MARKED,
            attempt.student,
            key=attempt.key,
            attempt=name if key == attempt.key else None,
            handed_in=of_attempt(self.newest(attempt.student), TIMESTAMP),
            counts=counts,
            **{name: marks[name] for name in facts},
        )

    # Pages

    def withheld(
        self, name: str, handed_in: str | None, attempt: str | None, now: datetime
    ) -> tuple[str, datetime | None] | None:
        """Why an attempt that was handed in then gets no page now, and until when, as far as that
        can be told before it is marked. `attempt` is its name in the exchange, if it came there."""
        if self.settings.shows == "nothing":
            return "Your instructor will show you later what it got.", None
        if self._is_late(name, handed_in, attempt):
            return "It came too late for a page here, so your instructor will return it.", None
        before = allowance(self.settings, self.ledger.of(name).counted, now)
        if not before.is_spent:
            return None
        if before.opens is None:
            return (
                f"All {self.settings.pages} pages for this assignment were shown, so your "
                "instructor will return it.",
                None,
            )
        return (
            f"Its page comes at {at(before.opens, now)}, as {self.settings.pages_per_day} pages "
            "were shown in the last 24 hours. If you hand in again, it will show your newest "
            "attempt.",
            before.opens,
        )

    def receipt(self, name: str, now: datetime) -> None:
        """Tell who gets no page now that the work is there. It is told before the work is marked:
        the time when this comes says nothing of it. Raises CourseError."""
        folder = self.newest(name)
        taken, key = self._taken.get(name, (None, None))
        attempt = taken if key == self._look_at(folder)[0] else None
        if withheld := self.withheld(name, of_attempt(folder, TIMESTAMP), attempt, now):
            notice = f"Your work was received; it is graded and counts. {withheld[0]}"
            self.pages.make(name, folder, "nothing", [notice])
            self.pages.give_out(name)

    def page_is_due(self, student: Student, now: datetime) -> bool:
        if student.waits_for_page:
            return True
        page = student.page
        if page is None or page["what"] != HELD:
            return False
        return not self.decided or (
            page["until"] is not None and now >= datetime.fromisoformat(page["until"])
        )

    def page_waits(self, student: Student) -> bool:
        """Whether the newest attempt's page is yet to come, at a known time or at the next look."""
        page = student.page
        return student.waits_for_page or (
            page is not None and page["what"] == HELD and page["until"] is not None
        )

    def decide(self, name: str, now: datetime) -> None:
        """Show the page of the attempt that was marked last, or hold it, and write down why.

        Raises CourseError where that cannot be done now.
        """
        student = self.ledger.of(name)
        marked = student.marked or {}
        free = self._costs_nothing(name, student)
        came = marked["handed_in"], marked["attempt"]
        held = self.withheld(name, *came, now)
        if free and self.settings.shows != "nothing" and not self._is_late(name, *came):
            held = None
        if held is not None:
            until = held[1].isoformat() if held[1] else None
            self._write_page(HELD, student, name, why=held[0], until=until)
            return
        counted = [*student.counted, *([] if free else [now])]
        end = self._end_for(name)
        notice = left(self.settings, counted, now, end)
        made_of = self._make(name, notice)
        out = self.pages.give_out(name)
        why = free or notice
        if not out:
            why = "It did not come by the exchange, so its page lies in attempts/pages/ alone."
        self._write_page(SHOWN, student, name, why=why, counted=not free, made_of=made_of, out=out)

    def _write_page(self, what: str, student: Student, name: str, **facts: Any) -> None:
        marked = student.marked or {}
        page = student.page or {}
        same = [page.get("what"), page.get("key"), page.get("why")]
        if same == [HELD, marked["key"], facts["why"]] and what == HELD:
            return  # it is written down already
        self.ledger.write(what, name, key=marked["key"], sha256=marked["sha256"], **facts)
        LOG.info("%s: page of %s %s: %s", self.name, plain(name), what, facts["why"])

    def _costs_nothing(self, name: str, student: Student) -> str | None:
        """Why the page counts for no limit, if that is so: nothing of the file was run. One of the
        same file as before is not free: its functions can do by the clock, or by chance, something
        else with the same hidden inputs each time."""
        marked = student.marked or {}
        if marked["status"] == "rejected" and self._is_refused_unrun(name, marked["error"]):
            return "The file could not be read, so none of it was run."
        return None

    def _is_refused_unrun(self, name: str, error: str) -> bool:
        """Whether the file alone is why it was rejected. What befalls who looks at its values can
        be chosen by them, and is worth a page."""
        try:
            read = read_submitted(self.newest(name), self.name, self.classroom.most_bytes)
            rebuilding.rebuild(read.notebook, read_release(self.course.release(self.name)))
        except intake.Rejected as refused:
            return str(refused) == error
        return False

    def _look_at(self, folder: Path) -> tuple[str, str | None]:
        return look_at(folder, self.name, self.classroom.most_bytes)

    def _is_late(self, name: str, handed_in: str | None, attempt: str | None) -> bool:
        there_since = self.ledger.of(name).there_since.get(attempt or "")
        return came_after(self._end_for(name), handed_in, there_since)

    def _end_for(self, name: str) -> datetime | None:
        if self.settings.until == "duedate":
            return self.pages.due(name)
        return self.end

    def needs_marks(self, student: Student) -> bool:
        """Whether the newest attempt has to be marked once more for its page: it does not count, so
        that its marks were not stored."""
        marked = student.marked
        return marked is not None and not marked["counts"] and marked["student"] not in self._worse

    def attempt_apart(self, name: str, now: float) -> Attempt:
        folder = folder_apart(self.course, self.name, name)
        return Attempt(name, self.name, *self._look_at(folder), now, folder)

    def _make(self, name: str, notice: str) -> str | None:
        """Make the page of the attempt that was marked last; returns what it was made of."""
        student, folder, shows = self.ledger.of(name), self.newest(name), self.settings.shows
        marked, counting = student.marked or {}, student.counting or {}
        if marked["counts"]:
            notices = ["This attempt counts.", notice] if self.is_best_of_all else [notice]
            in_gradebook = self.pages.in_gradebook(name)
            made_of = self.pages.made_of(name, in_gradebook, shows)
            self.pages.make(name, folder, shows, notices, in_gradebook)
            return made_of
        marks = self._worse.pop(name)
        which = self.pages.time_told(self.classroom.folder(name)) or "before"
        better = (
            f"Your attempt of {which} counts, with {counting['score']:g} of "
            f"{counting['max_score']:g} points from checks."
        )
        notebook = graded_notebook(marks, folder, self.course, self.classroom.most_bytes)
        of_marks = as_in_gradebook(marks, folder)
        self.pages.make(name, folder, shows, [better, notice], of_marks, notebook)
        return None

    @property
    def is_best_of_all(self) -> bool:
        return self.settings.counts == "best"

    def renew_pages(self, now: datetime) -> None:
        """Give out anew the pages whose points or comments have changed since, by a regrade or a
        person. That counts for no limit, and leaves alone what you have released yourself."""
        shown = [
            (name, student, student.page)
            for name, student in list(self.ledger.students.items())
            if student.page
            and student.page["what"] == SHOWN
            and student.page["key"] == student.key
            and student.counting is student.marked
        ]
        in_class = self.pages.in_gradebook() if shown else InGradebook()
        for name, student, page in shown:
            try:
                made_of = self.pages.made_of(name, in_class, self.settings.shows)
            except FileNotFoundError:
                continue  # it is being graded anew, by a command of yours
            if made_of == page["made_of"] or not self.pages.is_out(name):
                continue
            notice = left(self.settings, student.counted, now, self._end_for(name))
            self._make(name, notice)
            self.pages.give_out(name)
            why = "Its points or comments had changed."
            facts = {"key": page["key"], "sha256": page["sha256"], "counted": False, "out": True}
            self.ledger.write(SHOWN, name, why=why, made_of=made_of, **facts)
