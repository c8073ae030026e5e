"""`nbgrader zip_collect`, second step: which unpacked file is whose, and which of them is newest.

Each file ends up in one of three ways: collected, older than another one, or not collected, with
the reason. `collected.csv` beside the archives lists all of them.
"""

from __future__ import annotations

import contextlib
import csv
import io
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook
from nbgrader.plugins import FileNameCollectorPlugin

from proctor.course import Course, CourseError
from proctor.grading import intake
from proctor.platforms.beside import name_beside, newest_first
from proctor.platforms.full_names import groups_among
from proctor.platforms.names import (
    CANVAS_IDENTIFIERS,
    MOODLE_IDENTIFIERS,
    Claim,
    ClassList,
    NotMatched,
    Person,
    alike,
    claim_of,
    downloaded_table,
    is_canvas_gradebook,
    is_moodle_worksheet,
    number_in,
    students_of,
)
from proctor.text import plain, row_of

# What browsers, JupyterLab and the platforms add to the name of a copy: " (1)", "-2", "-Copy1"
COPY = re.compile(r"(?:[ _-]*\((\d{1,4})\)|-(\d{1,4})|[ _-]+copy[ _-]*(\d{0,4}))$", re.IGNORECASE)
NEW_STUDENT = (
    "a new student: nobody on the class list fits. Whoever it is, give that student this "
    "lms_user_id or name (`nbgrader db student import`), remove the new one, and collect again"
)
COLLECTED, OLDER, NOT_COLLECTED = "collected", "older", "not collected"


@dataclass(frozen=True)
class Found:
    """An unpacked notebook that belongs to a student."""

    path: Path
    claim: Claim
    student: str
    newness: tuple
    is_new: bool = False  # nobody on a list of students fits

    @property
    def person(self) -> tuple[str, str]:
        return self.claim.number, self.claim.name


@dataclass(frozen=True)
class Collected:
    """What becomes of one file. `path` is below the folder of unpacked files; `name` is what a
    module is called beside the notebook."""

    path: str
    outcome: str
    student: str = ""
    reason: str = ""
    name: str | None = None


class PlatformCollector(FileNameCollectorPlugin):
    """Tells nbgrader whose each file is, from the names that Canvas and Moodle give to files."""

    def __init__(self, **settings: Any):
        super().__init__(**settings)
        self.found: dict[Path, Collected] | None = None  # what is to be collected

    def collect(self, submitted_file: str) -> dict[str, str] | None:
        """What nbgrader needs to know about one file, or None if it is not to be collected."""
        if self.found is None:
            self.found = self.survey()
        found = self.found.get(Path(submitted_file))
        if found is None:
            return None
        name = found.name or self.parent.coursedir.assignment_id
        return {"student_id": found.student, "file_id": name}

    def survey(self) -> dict[Path, Collected]:
        """Look at all files at once, tell what becomes of each, and refuse what would fail later.

        The newest of a student cannot be told from one file, and nbgrader would stop halfway where
        something was collected before.
        """
        app = self.parent
        extracted = Path(app._format_collect_path(app.extracted_directory))
        try:
            outcomes = Survey(app, extracted).outcomes()
        except CourseError as error:
            app.fail(str(error))
        collected = [each for each in outcomes if each.outcome == COLLECTED]
        for each in outcomes:
            if each.outcome != COLLECTED or NEW_STUDENT in each.reason:
                self.log.warning("%s: %s: %s", each.outcome, plain(each.path), each.reason)
        left_out = getattr(app.extractor_plugin_inst, "left_out", [])
        outcomes += [Collected(name, NOT_COLLECTED, reason=why) for name, why in left_out]
        self.demand_room(list(dict.fromkeys(each.student for each in collected)))
        self.write_list(outcomes, extracted.parent / "collected.csv")
        return {extracted / each.path: each for each in collected}

    def demand_room(self, students: Sequence[str]) -> None:
        """Stop before anything is copied, where something would be replaced unasked."""
        coursedir = self.parent.coursedir
        folders = {
            student: coursedir.format_path(
                coursedir.submitted_directory, student, coursedir.assignment_id
            )
            for student in students
        }
        taken = [each for each, folder in folders.items() if any(Path(folder).glob("*"))]
        if taken and not self.parent.force:
            self.parent.fail(
                "nothing was collected, because there are submissions already of "
                f"{', '.join(taken)}. --force replaces them by those of the archives"
            )

    def write_list(self, outcomes: Sequence[Collected], path: Path) -> None:
        """List every file, with what becomes of it."""
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(("file", "outcome", "student", "reason"))
        for each in outcomes:
            writer.writerow(row_of([each.path, each.outcome, each.student, each.reason]))
        path.write_text(text.getvalue(), encoding="utf-8", newline="")
        counts = Counter(each.outcome for each in outcomes)
        told = ", ".join(f"{kind}: {counts[kind]}" for kind in (COLLECTED, OLDER, NOT_COLLECTED))
        self.log.info("%s. Each file is listed in %s", told, path)


class Survey:
    """All unpacked files of an assignment. Raises CourseError where the course is not ready."""

    def __init__(self, app: Any, extracted: Path):
        self.extracted = extracted
        self.assignment = app.coursedir.assignment_id
        self.course = Course(Path(app.coursedir.root))
        self.course.release(self.assignment)  # says what to do where there is none
        with Gradebook(app.coursedir.db_url, app.coursedir.course_id) as gradebook:
            self.class_list = ClassList(students_of(gradebook))
        self.words = words_of_people(extracted.parent)
        self.groups = groups_in(extracted)

    def outcomes(self) -> list[Collected]:
        """What becomes of each file."""
        outcomes, modules, by_student = [], [], defaultdict(list)
        for path in sorted(path for path in self.extracted.rglob("*") if path.is_file()):
            if path.suffix == ".py":
                modules.append(path)
                continue
            try:
                found = self.found_in(path)
                by_student[found.student].append(found)
            except NotMatched as error:
                name = path.relative_to(self.extracted).as_posix()
                outcomes.append(Collected(name, NOT_COLLECTED, reason=str(error)))
        for student, files in by_student.items():
            outcomes += choose(student, files, self.extracted)
        chosen = {each.path for each in outcomes if each.outcome == COLLECTED}
        collected = {
            found.person: found
            for files in by_student.values()
            for found in files
            if found.path.relative_to(self.extracted).as_posix() in chosen
        }
        outcomes += self.of_modules(modules, collected)
        return sorted(outcomes, key=lambda outcome: outcome.path)

    def of_modules(
        self, paths: Sequence[Path], collected: Mapping[tuple[str, str], Found]
    ) -> Iterator[Collected]:
        """What becomes of each module. `collected` are the notebooks that are, by person."""
        notebooks = {person: found.path for person, found in collected.items()}
        taken = set()
        for path in newest_first(paths, self.extracted):
            shown = path.relative_to(self.extracted).as_posix()
            try:
                person, name = name_beside(path, notebooks, self.extracted)
                student = collected[person].student
                if (student, name) in taken:
                    yield Collected(shown, OLDER, student, f"another {name} is newer")
                    continue
                taken.add((student, name))
                yield Collected(shown, COLLECTED, student, name=name)
            except NotMatched as error:
                yield Collected(shown, NOT_COLLECTED, reason=str(error))

    def found_in(self, path: Path) -> Found:
        """Whose file it is. Raises NotMatched with the reason where that cannot be told."""
        if path.suffix != ".ipynb":
            raise NotMatched("it is not a notebook (.ipynb)")
        claim = claim_of(path.relative_to(self.extracted).parts)
        if claim is None:
            raise NotMatched(
                "its name is neither as Canvas makes them (name_12345_67890_file.ipynb) nor as "
                "Moodle does (Full Name_1234567_assignsubmission_file_): put the archive of the "
                "platform, as it is, into the archive folder"
            )
        copies = copies_of(claim.file, self.assignment)
        if copies is None:
            demand_assignment(path, claim.file, self.course, self.assignment)
        is_canvas = claim.platform == "Canvas"
        person = Person(
            claim.number,
            number_lasts=is_canvas,
            words=self.words.get((claim.platform, claim.number), ()),
            name="" if is_canvas else claim.name,  # Canvas runs the parts of names together
            groups=self.groups,
        )
        newness = (claim.upload, copies or (), path.stat().st_mtime)
        is_new = bool(self.class_list.students) and self.class_list.find(person) is None
        return Found(path, claim, self.class_list.find_or_new(person), newness, is_new)


def groups_in(extracted: Path) -> frozenset[str]:
    """The groups by which Moodle's names of files begin."""
    claims = []
    for path in sorted(path for path in extracted.rglob("*") if path.is_file()):
        with contextlib.suppress(NotMatched):
            claims.append(claim_of(path.relative_to(extracted).parts))
    moodle = [claim for claim in claims if claim is not None and claim.platform == "Moodle"]
    return groups_among((claim.number, claim.name) for claim in moodle)


def words_of_people(folder: Path) -> dict[tuple[str, str], list[str]]:
    """Logins and addresses by platform and number, from the tables that lie beside the archives.

    Raises CourseError where it is not clear which table is meant.
    """
    canvas = downloaded_table((folder, folder.parent), is_canvas_gradebook, "Canvas gradebook")
    moodle = downloaded_table((folder,), is_moodle_worksheet, "Moodle grading worksheet")
    found = {}
    if canvas is not None:
        for row in canvas.rows:
            for number in canvas.words(row, "ID"):
                found["Canvas", number] = canvas.words(row, *CANVAS_IDENTIFIERS)
    if moodle is not None:
        for row in moodle.rows:
            for identifier in moodle.words(row, "Identifier"):
                found["Moodle", number_in(identifier)] = moodle.words(row, *MOODLE_IDENTIFIERS)
    return found


def copies_of(file: str, assignment: str) -> tuple[int, ...] | None:
    """Which copy the name of a file tells: () for mnist_loss.ipynb, (2,) for mnist_loss-2.ipynb.

    None where it is not the assignment's name at all.
    """
    stem = Path(file).stem
    numbers: list[int] = []
    while alike(stem) != alike(assignment):
        found = COPY.search(stem)
        if not found:
            return None
        numbers.insert(0, int(next(filter(None, found.groups()), "1")))
        stem = stem[: found.start()]
    return tuple(numbers)


def demand_assignment(path: Path, file: str, course: Course, assignment: str) -> None:
    """A file of another name is taken if its grade ids tell the assignment. Raises NotMatched."""
    try:
        told = intake.identify_assignment(Path(file), intake.read_submission(path), course.root)
    except (intake.Rejected, CourseError):
        raise NotMatched(
            f"neither its name nor its grade ids are those of {assignment}: rename it "
            f"{assignment}.ipynb in the archive folder if it is the right one"
        ) from None
    if told != assignment:
        raise NotMatched(f"it is a notebook of {told}, not of {assignment}")


def choose(student: str, files: list[Found], extracted: Path) -> Iterator[Collected]:
    """The newest file of a student is collected, unless it cannot be told which that is."""
    files = sorted(files, key=lambda found: found.newness, reverse=True)
    newest = files[0]
    reason = doubt_about(files)
    for found in files:
        name = found.path.relative_to(extracted).as_posix()
        if reason:
            yield Collected(name, NOT_COLLECTED, reason=f"{student}: {reason}")
        elif found is newest:
            notes = [f"late, says {found.claim.platform}"] if found.claim.late else []
            if found.is_new:
                notes.append(NEW_STUDENT)
            yield Collected(name, COLLECTED, student, "; ".join(notes))
        else:
            instead = plain(newest.path.relative_to(extracted).as_posix())
            how = "the same" if found.newness == newest.newness else "newer"
            yield Collected(name, OLDER, student, f"{instead} is {how}")


def doubt_about(files: Sequence[Found]) -> str:
    """Why none of a student's files, newest first, can be collected, or nothing."""
    people = {found.person for found in files}
    if len(people) > 1:
        names = " and ".join(sorted(plain(f"{name} ({number})") for number, name in people))
        return (
            f"files of different people come to this student: {names}. Correct the students' list, "
            "or remove what is somebody else's"
        )
    newest = [found for found in files if found.newness == files[0].newness]
    if len({found.path.read_bytes() for found in newest}) > 1:
        names = ", ".join(plain(found.path.name) for found in newest)
        return f"it is not clear which is newest ({names}): remove the others and collect again"
    return ""
