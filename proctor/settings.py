"""Every limit there is, and the settings of grading in nbgrader's way: in nbgrader_config.py,
`c.Grading.cell_seconds = 10`. Importing this imports neither nbgrader nor torch."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from traitlets import Bool, Dict, Enum, Float, Integer, List, TraitError, Unicode, default
from traitlets.config import Config, Configurable

from proctor.course import Course, CourseError, meant

MEGABYTE = 1 << 20


@dataclass(frozen=True)
class TimeLimits:
    """In seconds of a submission's own time: the processor time of all its processes plus the time
    in which it is idle. `questions` is the part of `submission` that cells may not use up,
    `function` what all calls of one function may take, so that it leaves time for the others. Cells
    that are run again, to mark an exercise as it stood there, may use as much in all as cells may
    anyway. `waiting` is on the clock: after that long on a machine too busy to run it, a submission
    is tried later."""

    cell: float = 4.0
    call: float = 4.0
    repeated_call: float = 1.0  # for a function that was late before
    submission: float = 45.0
    questions: float = 15.0
    function: float = 10.0
    waiting: float = 900.0


@dataclass(frozen=True)
class SessionLimits:
    """What one session may use; the time of an answer is kept by whoever asks it something.

    Memory of one process counts on top of what the warm interpreter holds already, which has
    imported the modules in `preloaded`.
    """

    data_bytes: int = 1536 * MEGABYTE
    address_bytes: int = 4096 * MEGABYTE
    stack_bytes: int = 16 * MEGABYTE
    # All processes of the session together, by the watchdog.
    resident_bytes: int = 2048 * MEGABYTE
    processes: int = 64
    open_files: int = 256
    file_bytes: int = 64 * MEGABYTE
    cpu_seconds: int = 60
    # Each of the private folders.
    temporary_bytes: int = 64 * MEGABYTE
    temporary_files: int = 4096
    # Else each session's first optimizer, or backward of a vector, imports it: a second.
    preloaded: tuple[str, ...] = ("torch._dynamo",)


@dataclass(frozen=True)
class ArchiveLimits:
    """What is unpacked at most. `ratio` is that of a file to its compressed size."""

    files: int
    total_bytes: int
    file_bytes: int
    ratio: int
    depth: int = 2  # archives within archives


class Grading(Configurable):
    """How submissions are graded. Times are in seconds of the submission's own time: processor time
    of all its processes plus time in which it sleeps; that the machine is busy costs nothing."""

    cell_seconds = Float(
        4.0, help="What one notebook cell may take: processor time plus the time that it sleeps."
    ).tag(config=True)
    call_seconds = Float(
        4.0, help="The same for one call that a hidden test makes to a student's function."
    ).tag(config=True)
    submission_seconds = Float(
        45.0,
        help="The same for a whole submission. Where cells are run again, because later ones "
        "change what an exercise stands on, that may take this less question_seconds once more.",
    ).tag(config=True)
    question_seconds = Float(
        15.0, help="The part of submission_seconds that is kept for hidden tests."
    ).tag(config=True)
    waiting_seconds = Float(
        900.0,
        help="If the machine is too busy to run a submission within this time on the clock, it is "
        "tried again later; if that does not help, it is set aside without a mark.",
    ).tag(config=True)
    memory_mebibytes = Integer(
        2048, help="The most memory that all processes of a submission may use together."
    ).tag(config=True)
    process_mebibytes = Integer(
        1536, help="The most memory that one process may use, beyond what Python with torch needs."
    ).tag(config=True)
    processes = Integer(64, help="The most processes and threads that a submission may have.").tag(
        config=True
    )
    file_mebibytes = Integer(
        64, help="The most that a submission may write into one file, or into one folder."
    ).tag(config=True)
    submission_mebibytes = Integer(
        16,
        min=1,
        max=32,
        help="The largest notebook that is read, not counting its outputs; with them, at most 32.",
    ).tag(config=True)
    packages = List(
        Unicode(),
        help="Packages that the notebooks need, as pip names them: ['pandas', 'scipy>=1.14']. "
        "If one is missing, nothing is released or graded. Students are told what they need.",
    ).tag(config=True)
    preload = List(
        Unicode(),
        list(SessionLimits.preloaded),
        help="Modules that are imported once and shared by all submissions: those that notebooks "
        "import early and that load slowly.",
    ).tag(config=True)
    figures = Bool(
        True,
        help="Whether to draw the figures of submissions, for a person to look at, and to run "
        "cells of the release that only draw.",
    ).tag(config=True)

    assignments = Dict(
        help="Other settings for single assignments, by name: "
        "{'training': {'call_seconds': 60, 'submission_seconds': 200}}."
    ).tag(config=True)

    def of(self, assignment: str) -> Grading:
        """The settings for one assignment. Raises CourseError for one that there is not."""
        return changed_for(self, assignment)

    @property
    def submission_bytes(self) -> int:
        return self.submission_mebibytes * MEGABYTE

    def time_limits(self) -> TimeLimits:
        return TimeLimits(
            cell=self.cell_seconds,
            call=self.call_seconds,
            submission=self.submission_seconds,
            questions=self.question_seconds,
            function=2.5 * self.call_seconds,
            waiting=self.waiting_seconds,
        )

    def session_limits(self) -> SessionLimits:
        return SessionLimits(
            data_bytes=self.process_mebibytes * MEGABYTE,
            # Maps are counted with what the process shares, so with more than its memory.
            address_bytes=max(4096, 2560 + self.process_mebibytes) * MEGABYTE,
            cpu_seconds=max(60, int(self.submission_seconds) + 15),
            resident_bytes=self.memory_mebibytes * MEGABYTE,
            processes=self.processes,
            file_bytes=self.file_mebibytes * MEGABYTE,
            temporary_bytes=self.file_mebibytes * MEGABYTE,
            preloaded=tuple(self.preload),
        )


class Watch(Configurable):
    """What `proctor watch` shows of an attempt, and how often. Whatever the limits say, every
    newest attempt is graded and counts: over a limit only its page waits."""

    shows = Enum(
        ("points", "checks", "nothing"),
        "points",
        help="What the page of an attempt shows: `points` of each exercise; `checks`, each with "
        "its hint, and the notebook, as in feedback; or `nothing` until you return the work.",
    ).tag(config=True)
    pages_per_day = Integer(
        5, min=1, help="The most pages that a student gets within 24 hours, counted from the first."
    ).tag(config=True)
    pages = Integer(
        20, min=1, help="The most pages that a student gets for the whole assignment."
    ).tag(config=True)
    counts = Enum(
        ("last", "best"),
        "last",
        help="Which attempt counts: the `last`, or the `best`: the one with the most automatic "
        "points, and the last of several with the same.",
    ).tag(config=True)
    until = Unicode(
        "duedate",
        help="Work handed in later is graded but gets no page; you return it. `duedate` is the "
        "student's own due date, extensions included. Or a time, `2026-12-01 18:00`; or `` for no "
        "end.",
    ).tag(config=True)
    poll_seconds = Float(
        10.0, min=0.1, help="How often to look into the exchange and submitted/, in seconds."
    ).tag(config=True)
    exchange = Bool(
        True, help="Whether there is an exchange. Without one, only submitted/ is watched."
    ).tag(config=True)

    assignments = Dict(
        help="Other settings for single assignments, by name: {'training': {'pages_per_day': 2}}."
    ).tag(config=True)

    def of(self, assignment: str) -> Watch:
        """The settings for one assignment. Raises CourseError for one that there is not."""
        return changed_for(self, assignment)


Settings = TypeVar("Settings", Grading, Watch)


def changed_for(settings: Settings, assignment: str) -> Settings:
    """The settings as they are for one assignment. Raises CourseError."""
    section = type(settings).__name__
    changed = settings.assignments.get(assignment, {})
    known = set(settings.trait_names(config=True)) - {"assignments"}
    unknown = sorted(set(changed) - known)
    try:
        if unknown:
            raise TraitError(f"there is no setting {', '.join(unknown)}")
        return type(settings)(config=settings.config, **changed)
    except (TraitError, TypeError) as error:
        raise CourseError(f"c.{section}.assignments[{assignment!r}]: {error}") from None


SECONDS_A_DAY = 86400


class LateDays(Configurable):
    """What late work costs. First an extension counts, then the student's late days, then the
    penalty. Without these settings late work costs nothing, or what another rule of nbgrader's
    (`c.LateSubmissionPlugin`, `c.AssignLatePenalties`) says."""

    time_zone = Unicode(
        help="The course's time zone, such as `Europe/Berlin`: for times in extensions.csv, and "
        "for when a day ends. By default that of `c.NbGraderAPI` or `c.Exchange`, else UTC."
    ).tag(config=True)
    grace_minutes = Float(
        0.0,
        min=0.0,
        help="Work this many minutes late still counts as on time, at the due date and at the end "
        "of each late day.",
    ).tag(config=True)
    bank = Integer(
        0,
        min=0,
        help="How many late days (or hours, see `unit`) each student has for the whole course.",
    ).tag(config=True)
    unit = Enum(("day", "hour"), "day", help="Whether the bank holds late days or hours.").tag(
        config=True
    )
    per_assignment = Integer(
        None,
        min=0,
        allow_none=True,
        help="The most that may be taken from the bank for one assignment.",
    ).tag(config=True)
    penalty_per_day = Float(
        0.0,
        min=0.0,
        max=1.0,
        help="The share of the points earned that each started day costs if the bank does not "
        "cover it, such as 0.1.",
    ).tag(config=True)
    zero_after_days = Integer(
        None,
        min=0,
        allow_none=True,
        help="Work more than this many days late gets no points, and takes nothing from the bank.",
    ).tag(config=True)

    @default("time_zone")
    def _zone_of_nbgrader(self) -> str:
        exchange = self.config.get("Exchange", {}).get("timezone", "UTC")
        name = self.config.get("NbGraderAPI", {}).get("timezone", exchange)
        try:
            return ZoneInfo(name).key
        except (ZoneInfoNotFoundError, ValueError, OSError):
            return "UTC"  # nbgrader takes other names, too

    @classmethod
    def of(cls, config: Config) -> LateDays:
        """The settings of a course. Raises CourseError for one that cannot be."""
        known = cls.class_trait_names(config=True)
        for name in config.get("LateDays", {}):
            if name not in known:
                raise CourseError(f"there is no setting c.LateDays.{name}{meant(name, known)}")
        try:
            settings = cls(config=config)
        except TraitError as error:
            raise CourseError(f"c.LateDays: {error}") from None
        settings.zone()
        if settings.bank and settings.zero_after_days == 0:
            raise CourseError(
                "c.LateDays.zero_after_days = 0 leaves no use for c.LateDays.bank: for no points "
                "once the bank is used, set c.LateDays.penalty_per_day = 1"
            )
        return settings

    def zone(self) -> ZoneInfo:
        """The course's time zone. Raises CourseError."""
        try:
            return ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            close = meant(self.time_zone, sorted(available_timezones()))
            wrong = f"c.LateDays.time_zone: there is no {self.time_zone!r}{close}"
            raise CourseError(wrong) from None

    @property
    def has_penalty(self) -> bool:
        return self.penalty_per_day > 0 or self.zero_after_days is not None

    def share_lost(self, seconds: float) -> float:
        """The share of the points, from 0 to 1, that being so late costs."""
        days = ceil(seconds / SECONDS_A_DAY)
        if self.zero_after_days is not None and days > self.zero_after_days:
            return 1.0
        return min(1.0, days * self.penalty_per_day)


def load_config() -> Config:
    """The configuration as every nbgrader command finds it from the current folder."""
    from nbgrader.apps import NbGrader  # half a second

    app = NbGrader()
    app.load_config_file()
    return app.config


def course_of(config: Config) -> Course:
    """The course that the configuration names: the current folder, unless it says otherwise."""
    from nbgrader.coursedir import CourseDirectory

    return Course(Path(CourseDirectory(config=config).root).resolve())
