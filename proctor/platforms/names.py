"""What Canvas and Moodle call their files, columns and people, and who of the class is meant.

Both name a person by a number: Canvas by one for all courses, Moodle by a new one in each
assignment. nbgrader's own list of students says whose number it is; where it does not, the number
is the id.
"""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nbgrader.api import Gradebook

from proctor.course import NAME, CourseError
from proctor.grading.class_grades import listed_students
from proctor.platforms.full_names import KnownNames, without_group

# lastnamefirstname_LATE_12345_67890_mnist_loss-2.ipynb; a blinded one begins with anon_
CANVAS_FILE = re.compile(
    r"(?:(?P<late_anonymous>LATE_)?(?P<anonymous>anon_[A-Za-z0-9]+)"
    r"|(?P<name>.+?)_(?P<late>LATE_)?(?P<number>\d+))"
    r"_(?P<upload>\d+)_(?P<file>.+)",
    re.DOTALL,
)
# A folder "Full Name_1234567_assignsubmission_file_", or a file whose name goes on after it
MOODLE_FILE = re.compile(
    r"(?P<name>.*)_(?P<number>\d+)_assignsubmission_[a-z]+_?(?P<file>.*)", re.DOTALL
)
# Twice in one name, it may be somebody's display name that poses as another participant.
MOODLE_NUMBER = re.compile(r"_\d+_assignsubmission_")
# The columns that name a person in other ways than by number
CANVAS_IDENTIFIERS = ("SIS User ID", "SIS Login ID", "Integration ID")
MOODLE_IDENTIFIERS = ("Email address", "Username", "ID number")


@dataclass(frozen=True)
class Claim:
    """What a platform's file name says: who handed in which file, and how new it is."""

    platform: str
    number: str
    name: str
    file: str
    upload: int = 0  # counted up by the platform; 0 where it does not count
    late: bool = False


def claim_of(parts: Sequence[str]) -> Claim | None:
    """What the parts of an unpacked file's path say, or None where they fit neither platform.

    The outermost name that fits is the platform's; what lies within is the student's to name.
    Raises NotMatched for a name that says so of two participants.
    """
    for place, part in enumerate(parts):
        is_last = place == len(parts) - 1
        if len(MOODLE_NUMBER.findall(part)) > 1:
            raise NotMatched(
                "its name has the numbers of two participants in it, and nothing tells which is "
                "Moodle's: collect it by hand once you know whose it is"
            )
        if found := MOODLE_FILE.fullmatch(part):
            file = found["file"] if is_last else parts[-1]
            return Claim("Moodle", found["number"], found["name"], file)
        # A folder of such a name is an archive that was handed in.
        if (is_last or part.lower().endswith(".zip")) and (found := CANVAS_FILE.fullmatch(part)):
            return Claim(
                "Canvas",
                found["anonymous"] or found["number"],
                found["name"] or "",
                found["file"] if is_last else parts[-1],
                upload=int(found["upload"]),
                late=bool(found["late"] or found["late_anonymous"]),
            )
    return None


def alike(name: str) -> str:
    """A name without the differences that programs make: capitals, spaces, hyphens."""
    return re.sub(r"[\s_-]+", "_", name.strip()).casefold()


def number_in(identifier: str) -> str:
    """The number in "Participant 1234567", as a Moodle grading worksheet calls somebody."""
    return identifier.rpartition(" ")[2]


# Whose number it is


@dataclass(frozen=True)
class Listed:
    """A student on nbgrader's list."""

    id: str
    name: str
    email: str | None
    lms_user_id: str | None


def students_of(gradebook: Gradebook) -> list[Listed]:
    return [
        Listed(
            student.id,
            f"{student.first_name or ''} {student.last_name or ''}".strip(),
            student.email,
            student.lms_user_id,
        )
        for student in listed_students(gradebook)
    ]


class NotMatched(Exception):
    """Nobody of the class can be meant for sure; the message says why and what to do."""


@dataclass(frozen=True)
class Person:
    """What a platform knows about somebody: a number, logins and addresses, and a full name.

    Canvas gives people numbers that last; Moodle's are for one assignment.
    """

    number: str
    number_lasts: bool
    words: Sequence[str] = ()
    name: str = ""
    groups: Collection[str] = ()  # which the name may begin with


class ClassList:
    """Tells students of a class by what a platform knows about them."""

    def __init__(self, students: Sequence[Listed]):
        self.students = students
        self.names = KnownNames({student.id: student.name for student in students})
        self.ids: dict[str, Listed] = {student.id: student for student in students}
        self.by_number: dict[str, list[str]] = defaultdict(list)
        self.by_identifier: dict[str, list[str]] = defaultdict(list)
        for student in students:
            if student.lms_user_id:
                self.by_number[student.lms_user_id].append(student.id)
            for word in identifiers(student):
                self.by_identifier[word].append(student.id)

    def find(self, person: Person) -> str | None:
        """The id of the one student who is meant, or None where nobody fits.

        By a lasting number, else by a login or e-mail address, else by the full name, else by the
        number as the id. Raises NotMatched where several fit.
        """
        for fitting in self.readings(person):
            if len(fitting) > 1:
                raise NotMatched(
                    f"several students fit: {', '.join(sorted(fitting))}. Give each an lms_user_id "
                    "or an e-mail address of their own (`nbgrader db student import`)"
                )
            if fitting:
                [student] = fitting
                return student
        return None

    def readings(self, person: Person) -> Iterator[Collection[str]]:
        """The ids of all who fit, by each way to tell a person, the surest first."""
        yield self.by_number.get(person.number, []) if person.number_lasts else []
        words = {word.strip().casefold() for word in person.words if word.strip()}
        yield {student for word in words for student in self.by_identifier.get(word, [])}
        shown = [person.name, *without_group(person.name, person.groups)] if person.name else []
        yield next(filter(None, map(self.names.meant_by, shown)), [])
        own = self.ids.get(person.number)
        yield [own.id] if own is not None and not own.lms_user_id else []

    def find_or_new(self, person: Person) -> str:
        """The same, where nobody fits with the number as the id of a new student.

        Raises NotMatched, too, for what cannot become the name of a folder.
        """
        student = self.find(person) or self.demand_new(person.number)
        if not NAME.fullmatch(student):
            raise NotMatched(
                f"the student's id {student!a} cannot be the name of a folder: letters, digits, "
                "'.', '_' and '-' only"
            )
        return student

    def demand_new(self, number: str) -> str:
        if not number.isdecimal():
            raise NotMatched(
                f"the platform hides who {number} is: download without anonymous grading, or give "
                "the student this lms_user_id (`nbgrader db student import`)"
            )
        if number in self.ids:
            raise NotMatched(
                f"{number} is the id of a student with another lms_user_id: give whoever is meant "
                "the right one (`nbgrader db student import`)"
            )
        return number


def identifiers(student: Listed) -> set[str]:
    found = (student.id, student.email, student.lms_user_id)
    return {word.strip().casefold() for word in found if word and word.strip()}


# The tables that instructors download


@dataclass
class Table:
    """A CSV file that is written back as it was read: same columns, separators and line ends."""

    path: Path
    header: list[str]
    rows: list[list[str]]
    delimiter: str
    line_end: str
    mark: str  # the byte order mark that Excel likes, or nothing

    def column(self, *names: str) -> int | None:
        """The place of the column that has one of these names."""
        wanted = [name.casefold() for name in names]
        places = (n for n, title in enumerate(self.header) if title.strip().casefold() in wanted)
        return next(places, None)

    def words(self, row: Sequence[str], *names: str) -> list[str]:
        """What stands in those of the named columns that there are."""
        places = (self.column(name) for name in names)
        return [row[place] for place in places if place is not None and place < len(row)]

    def write(self, path: Path) -> None:
        text = io.StringIO()
        writer = csv.writer(text, delimiter=self.delimiter, lineterminator=self.line_end)
        writer.writerows([self.header, *self.rows])
        path.write_bytes((self.mark + text.getvalue()).encode())


def read_table(path: Path) -> Table:
    """Raises CourseError for what is no CSV file in UTF-8."""
    try:
        text = path.read_bytes().decode("utf-8")
        mark = "\ufeff" if text.startswith("\ufeff") else ""
        first = text.partition("\n")[0]
        delimiter = max(",;\t", key=first.count)
        lines = io.StringIO(text.removeprefix(mark), newline="")
        header, *rows = csv.reader(lines, delimiter=delimiter, strict=True)
    except (OSError, ValueError, csv.Error) as error:
        raise CourseError(
            f"{path} cannot be read as a table ({error}): download it again, as CSV in UTF-8"
        ) from None
    return Table(path, header, rows, delimiter, "\r\n" if first.endswith("\r") else "\n", mark)


def is_canvas_gradebook(table: Table) -> bool:
    return table.column("Student", "LastName") == 0 and None not in (
        table.column("ID"),
        table.column("Section"),
    )


def is_moodle_worksheet(table: Table) -> bool:
    return None not in (table.column("Identifier"), table.column("Grade"))


def downloaded_table(
    folders: Sequence[Path], fits: Callable[[Table], bool], what: str
) -> Table | None:
    """The one table of a kind among the CSV files of the first folder that has any, if there is.

    Raises CourseError where there are several: the right one is for a person to tell.
    """
    for folder in folders:
        tables = [read_table(path) for path in sorted(folder.glob("*.[cC][sS][vV]"))]
        found = [table for table in tables if fits(table)]
        if len(found) > 1:
            names = ", ".join(table.path.name for table in found)
            raise CourseError(f"{folder} holds more than one {what}: {names}. Leave the newest")
        if found:
            return found[0]
    return None
