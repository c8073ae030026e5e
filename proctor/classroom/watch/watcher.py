"""`proctor watch`: takes what comes, marks the newest attempt of each student, shows its page.

What it has done stands in nbgrader's gradebook, the records and the ledger, in this order, and a
page in the exchange before its line in the ledger. So a kill at any moment leaves work that is done
again with the same result, or not at all: never a mark or a page that is lost.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from nbgrader.converters.base import NbGraderException
from traitlets.config import Config

from proctor.classroom.deadlines.penalties import renew_penalties
from proctor.classroom.deadlines.table import NAME as EXTENSIONS
from proctor.classroom.gradebook import sqlite_file
from proctor.classroom.stopping import held_interrupts
from proctor.classroom.watch.arrivals import Arrival, Inbound, NotTaken, clear_away
from proctor.classroom.watch.assignment import WatchedAssignment
from proctor.classroom.watch.attempt import Attempt, seen
from proctor.classroom.watch.ledger import CAME, NOT_TAKEN, make_attempts_folder
from proctor.classroom.watch.troubles import Clock, Troubles
from proctor.classroom.workers import Job, Outcome, Workers
from proctor.course import Course, CourseError
from proctor.grading.submitted import read_submitted, read_time
from proctor.sandbox.sessions import shared_sandbox
from proctor.sandbox.unavailable import SandboxUnavailable
from proctor.text import plain

LOG = logging.getLogger(__name__)
TROUBLES = (CourseError, SandboxUnavailable, NbGraderException, OSError)
MOST_TRIES = 3
LOOK_AGAIN_SECONDS = 1.0
RENEW_SECONDS = 30.0
Place = tuple[str, str]  # assignment, student


class Watcher:
    """Watches some assignments of a course, until it is stopped."""

    def __init__(
        self,
        config: Config,
        course: Course,
        assignments: Sequence[str],
        jobs: int,
        tell: Callable[[Watcher], None] = lambda watcher: None,
    ):
        self.jobs = jobs
        self.tell = tell
        self.assignments: dict[str, WatchedAssignment] = {}
        for name in assignments:
            each = self.assignments[name] = WatchedAssignment(config, course, name)
            each.pages.clear_away()
            clear_away(each.classroom.coursedir, name)
        first = next(iter(self.assignments.values()))
        make_attempts_folder(course, shared=first.classroom.coursedir.groupshared)
        self.poll_seconds = min(each.settings.poll_seconds for each in self.assignments.values())
        self.inbound = Inbound(config, first.classroom.coursedir)
        self.waiting: dict[Place, Attempt] = {}
        self.at_work: dict[Place, Attempt] = {}
        self.receipts: deque[Place] = deque()
        self.marked: Counter[str] = Counter()  # by assignment, since this was started
        self.troubles = Troubles()
        self._lock = threading.RLock()  # the thread that hands out work looks for more
        self._unsettled = False  # something in submitted/ may be half written
        self._half_written = False  # something in the exchange is
        self._looked_at = 0.0
        self._renewed_at = 0.0
        self._gradebook_seen: tuple[int, int, int] | None = None
        self._page_tried: dict[Place, float] = {}  # not to be tried again before
        self._clock = Clock()

    def watch(self, once: bool = False) -> None:
        """Attend to what comes; with `once`, until nothing waits, and then the first trouble ends
        it: CourseError, SandboxUnavailable. Without, they are raised by a wrong name or setting,
        and by a machine that gives no sandbox."""
        for each in self.assignments.values():
            if once:
                each.demand_ready()
            shared_sandbox(each.marking.session_limits).start()
        while True:
            try:
                self.attend()
                self.troubles.over("work")
            except Exception as error:
                with self._lock:
                    self.waiting = {**self.at_work, **self.waiting}
                    self.at_work.clear()
                if once:
                    raise
                told = str(error)
                if not isinstance(error, TROUBLES):
                    told = "".join(traceback.format_exception(error))
                self.troubles.tell("work", f"{told.strip()} Trying again until it works.")
            self.tell(self)
            if once and not self._unsettled and not self.waiting:
                return
            soon = self._unsettled or self._half_written
            time.sleep(min(LOOK_AGAIN_SECONDS, self.poll_seconds) if soon else self.poll_seconds)

    def attend(self) -> None:
        """Look once, and do all that there is to do. Raises one of TROUBLES."""
        self.look()
        self.show_pages()
        while self._ready():
            self.mark()
            self.show_pages()
        if time.monotonic() - self._renewed_at > RENEW_SECONDS and self._gradebook_changed():
            self._renewed_at = time.monotonic()
            for each in self.assignments.values():
                each.renew_pages(now(each.zone))

    def _gradebook_changed(self) -> bool:
        """Whether it may have changed since this was asked last. Where it is no file, it may."""
        path = sqlite_file(next(iter(self.assignments.values())).classroom.coursedir)
        before, self._gradebook_seen = self._gradebook_seen, seen(path) if path else None
        return path is None or self._gradebook_seen != before

    # Looking

    def look(self) -> None:
        """Take what is new in the exchange, and see what waits in submitted/."""
        with self._lock:
            self._looked_at = time.monotonic()
            if back := self._clock.set_back():
                LOG.warning(
                    "the clock of this machine was set back by %.0f s: of two attempts the one "
                    "that came later counts as the newer, whatever its time says",
                    back,
                )
            self._unsettled = self._half_written = False
            fresh = self._take_what_came()
            for name, each in self.assignments.items():
                busy = {student for assignment, student in self.at_work if assignment == name}
                found, unsettled = each.new_attempts(busy, fresh.get(name, ()), time.time())
                self._unsettled |= unsettled
                for attempt in found:
                    place = name, attempt.student
                    before = self.waiting.get(place)
                    since = before.since if before else attempt.since
                    self.waiting[place] = replace(attempt, since=since)

    def _take_what_came(self) -> dict[str, set[str]]:
        """Collect the newest attempt of each student; returns whose, by assignment."""
        fresh: dict[str, set[str]] = {name: set() for name in self.assignments}
        watched = [name for name, each in self.assignments.items() if each.settings.exchange]
        if not watched:
            return fresh
        try:
            arrivals = self.inbound.list(watched)
        except CourseError as error:
            self.troubles.tell("exchange", str(error))
            return fresh
        self.troubles.over("exchange")
        newest: dict[Place, Arrival] = {}
        by_name = {}
        for arrival in arrivals:
            by_name[arrival.name] = arrival
            if self._is_known(arrival):
                newest[arrival.assignment, arrival.student] = arrival
        for place in newest:
            student = self.assignments[place[0]].ledger.of(place[1])
            newest[place] = next(by_name[n] for n in reversed(student.came) if n in by_name)
        for place, arrival in newest.items():
            if place not in self.at_work and self._take(arrival):
                fresh[arrival.assignment].add(arrival.student)
                self.receipts.append(place)
        return fresh

    def _is_known(self, arrival: Arrival) -> bool:
        """Whether an attempt may be taken; it is written down when it is first seen whole."""
        each = self.assignments[arrival.assignment]
        student = each.ledger.of(arrival.student)
        if arrival.name in student.refused:
            return False
        if arrival.name in student.came:
            return True
        try:
            self.inbound.demand_owner(arrival)
        except NotTaken as reason:
            LOG.warning("%s: not taken: %s", ascii(arrival.name), plain(str(reason)))
            each.ledger.write(NOT_TAKEN, arrival.student, attempt=arrival.name, why=str(reason))
            return False
        if not self.inbound.is_whole(arrival):
            self._half_written = True
            return False
        if student.stamp is not None and arrival.time < read_time(student.stamp):
            LOG.warning(
                "%s: %s handed in after %s, by a clock that says %s: it was set back. What came "
                "last counts as the newest",
                *(arrival.assignment, plain(arrival.student), student.stamp, arrival.stamp),
            )
        there = arrival.lies_there_since()
        each.ledger.write(
            CAME,
            arrival.student,
            attempt=arrival.name,
            handed_in=arrival.stamp,
            there_since=there.isoformat(timespec="seconds") if there else None,
        )
        return True

    def _take(self, arrival: Arrival) -> bool:
        """Copy an attempt into submitted/, unless it lies there; whether it was copied."""
        each = self.assignments[arrival.assignment]
        if each.has_taken(arrival):
            return False
        folder = each.place_for(arrival.student)
        try:
            self.inbound.take(arrival, folder)
        except NotTaken as reason:
            LOG.warning("%s: not taken: %s", ascii(arrival.name), plain(str(reason)))
            each.ledger.write(
                NOT_TAKEN, arrival.student, attempt=arrival.name, why=plain(str(reason))
            )
            return False
        each.remember_taken(arrival)
        LOG.info("%s: taken from %s", arrival.assignment, plain(arrival.student))
        return True

    # Marking

    def _ready(self) -> list[Attempt]:
        """What waits and can be marked; an assignment that cannot be is told."""
        able = set()
        for name in {attempt.assignment for attempt in self.waiting.values()}:
            try:
                self.assignments[name].demand_ready()
                able.add(name)
                self.troubles.over(name)
            except CourseError as error:
                self.troubles.tell(name, str(error))
        return [attempt for attempt in self.waiting.values() if attempt.assignment in able]

    def mark(self) -> None:
        """Mark what waits, and what comes meanwhile, until nothing is left. Assignments with the
        same limits are marked together. Raises one of TROUBLES."""
        ready = self._ready()
        if not ready:
            return
        settings = self.assignments[ready[0].assignment].marking
        together = {attempt.assignment for attempt in ready}
        together = {name for name in together if self.assignments[name].marking == settings}
        pool = Workers(self.jobs, shared_sandbox(settings.session_limits), settings)
        over = threading.Event()
        try:
            jobs = self._jobs(together, over)
            with pool, contextlib.closing(pool.mark_once(jobs, self.jobs)) as outcomes:
                for outcome in outcomes:
                    self._give_receipts()
                    self._finish(outcome)
                    self.tell(self)
        finally:
            over.set()
        each = self.assignments[ready[0].assignment]
        renew_penalties(each.classroom.coursedir, each.config, self._tell_of_row)

    def _tell_of_row(self, problem: str) -> None:
        told = f"{EXTENSIONS}, {problem}"
        self.troubles.tell(told, told)

    def _jobs(self, assignments: set[str], over: threading.Event) -> Iterator[Job]:
        """Hand out what waits, who has waited longest first. Runs in a thread of its own."""
        while True:
            with self._lock:
                if over.is_set():
                    return
                if time.monotonic() - self._looked_at > self.poll_seconds:
                    self.look()
                attempt = next(
                    (each for each in self.waiting.values() if each.assignment in assignments),
                    None,
                )
                if attempt is not None:
                    place = attempt.assignment, attempt.student
                    self.at_work[place] = self.waiting.pop(place)
                elif not self.at_work:
                    return
            if attempt is None:
                over.wait(0.1)
                continue
            most = self.assignments[attempt.assignment].classroom.most_bytes
            read = functools.partial(read_submitted, attempt.folder, attempt.assignment, most)
            yield Job(attempt.student, attempt.assignment, read)

    def _finish(self, outcome: Outcome) -> None:
        """Store an outcome, and show its page."""
        place = outcome.job.assignment, outcome.job.student or ""
        attempt = self.at_work[place]
        each = self.assignments[attempt.assignment]
        if outcome.starved:
            self.troubles.tell("busy", "the machine is too busy to mark: trying again")
            self._put_back(attempt)
        elif not each.is_still(attempt):
            self._give_up(place)  # it was replaced meanwhile, and is found anew
        else:
            with held_interrupts():
                stored = each.store(attempt, outcome)
            self.troubles.over("busy")
            if stored:
                self.marked[each.name] += 1
                self._show(each, attempt.student)
                self._give_up(place, forget=False)
            elif attempt.tries + 1 < MOST_TRIES:
                self._put_back(replace(attempt, tries=attempt.tries + 1))
            else:
                LOG.warning(
                    "%s: %s is left aside until it is handed in again, or the watch is restarted",
                    *(each.name, plain(attempt.student)),
                )
                self._give_up(place, forget=False)

    def _put_back(self, attempt: Attempt) -> None:
        place = attempt.assignment, attempt.student
        with self._lock:
            del self.at_work[place]
            self.waiting[place] = attempt

    def _give_up(self, place: Place, forget: bool = True) -> None:
        with self._lock:
            del self.at_work[place]
            if forget:
                self.assignments[place[0]].forget(place[1])

    # Pages

    def show_pages(self) -> None:
        """Show what is due: pages whose day has come, and those that a stop kept back."""
        self._give_receipts()
        for name, each in self.assignments.items():
            for student, facts in list(each.ledger.students.items()):
                place = name, student
                if place in self.waiting or self._page_tried.get(place, 0.0) > time.monotonic():
                    continue
                if not each.page_is_due(facts, now(each.zone)):
                    continue
                if each.needs_marks(facts):
                    self.waiting[place] = each.attempt_apart(student, time.time())
                elif not self._show(each, student):
                    return
            each.decided = True

    def _give_receipts(self) -> None:
        while self.receipts:
            name, student = self.receipts[0]
            try:
                each = self.assignments[name]
                each.receipt(student, now(each.zone))
            except CourseError as error:
                self.troubles.tell("pages", str(error))
                return
            except Exception as error:  # noqa: BLE001 - its page comes all the same
                LOG.warning("%s: no word to %s: %s", name, plain(student), plain(str(error)))
            self.receipts.popleft()

    def _show(self, each: WatchedAssignment, student: str) -> bool:
        """Show or hold a page; False where no page can be shown now, so that all are tried again
        at the next look."""
        try:
            each.decide(student, now(each.zone))
        except CourseError as error:
            self.troubles.tell("pages", str(error))
            return False
        except Exception as error:  # noqa: BLE001 - one page costs nobody else theirs
            LOG.warning(
                "%s: the page of %s could not be made, and is tried again: %s: %s",
                *(each.name, plain(student), type(error).__name__, plain(str(error))),
            )
            self._page_tried[each.name, student] = time.monotonic() + RENEW_SECONDS
            return True
        self.troubles.over("pages")
        return True


def now(zone: ZoneInfo) -> datetime:
    return datetime.now(zone)
