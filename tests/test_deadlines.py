"""Deadlines that bend: times, the table of extensions, late days, penalties, `proctor extend`."""

from __future__ import annotations

import argparse
import csv
import itertools
import os
import random
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory
from test_classroom import proctor
from test_nbgrader import RIGHT, SmallCourse
from traitlets.config import Config

from proctor import cli
from proctor.classroom.deadlines.late_days import UNKNOWN_SECONDS, Work, last_moment, settle
from proctor.classroom.deadlines.penalties import ClassDeadlines, renew_penalties
from proctor.classroom.deadlines.table import table_of
from proctor.classroom.deadlines.telling import length, notices
from proctor.classroom.deadlines.times import NotUnderstood, more_time
from proctor.commands.completion import assignment_then_students
from proctor.course import CourseError
from proctor.settings import LateDays

pytestmark = pytest.mark.filterwarnings("ignore:Object of type")  # nbgrader's own, and harmless

DUE = datetime(2026, 3, 2, 17, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
BERLIN = {"time_zone": "Europe/Berlin"}


def rule(**settings) -> LateDays:
    return LateDays.of(Config(LateDays=settings))


def mark(raw: float, lateness, late_days: LateDays) -> float:
    return raw * (1 - late_days.share_lost(lateness.charged))


# Late days

USUAL = {"per_assignment": 2, "penalty_per_day": 0.1, "zero_after_days": 4}


@pytest.mark.parametrize(
    ("days", "bank", "used", "points"),
    [(0, 5, 0, 100), (1, 5, 1, 100), (2, 2, 2, 100), (3, 5, 2, 90), (4, 2, 2, 80), (5, 2, 0, 0)],
)
def test_bank_then_penalty_then_zero(days, bank, used, points):
    late_days = rule(bank=bank, **USUAL)
    found = settle([Work("a", DUE, None, DUE + days * DAY)], late_days)["a"]
    assert (found.used, found.left) == (used, bank - used)
    assert mark(100, found, late_days) == pytest.approx(points)


@pytest.mark.parametrize(
    ("late", "grace", "used"),
    [
        (timedelta(), 0, 0),
        (timedelta(seconds=1), 0, 1),
        (timedelta(minutes=15), 15, 0),
        (timedelta(minutes=15, seconds=1), 15, 1),
        (DAY, 0, 1),
        (DAY + timedelta(seconds=1), 0, 2),
        (DAY + timedelta(minutes=15), 15, 1),  # each day has its grace
        (-DAY, 15, 0),
    ],
)
def test_a_day_begins_with_its_first_second_and_ends_with_its_last(late, grace, used):
    late_days = rule(bank=5, grace_minutes=grace)
    assert settle([Work("a", DUE, None, DUE + late)], late_days)["a"].used == used


def in_berlin(text: str) -> datetime:
    return more_time(text).ends(None, rule(**BERLIN).zone())


@pytest.mark.parametrize(
    ("due", "handed_in", "used", "seconds"),
    [
        # Clocks go back on 25 October 2026 and forward on 29 March: days of 25 and 23 hours.
        ("2026-10-24 18:00", "2026-10-25 18:00", 1, 25 * 3600),
        ("2026-10-24 18:00", "2026-10-25 18:01", 2, 25 * 3600 + 60),
        ("2026-03-28 18:00", "2026-03-29 18:00", 1, 23 * 3600),
        ("2026-03-28 18:00", "2026-03-29 18:01", 2, 23 * 3600 + 60),
        ("2026-03-28 02:30", "2026-03-29 03:30", 1, 24 * 3600),  # half past two does not come
        ("2026-03-28 02:30", "2026-03-30 02:30", 2, 47 * 3600),
    ],
)
def test_a_day_is_one_of_the_calendar(due, handed_in, used, seconds):
    work = Work("a", in_berlin(due), None, in_berlin(handed_in))
    assert (work.handed_in - work.due).total_seconds() == seconds
    for bank in (0, 9):
        late_days = rule(bank=bank, penalty_per_day=0.1, **BERLIN)
        found = settle([work], late_days)["a"]
        # What the bank does not cover costs as many days as it would have taken.
        lost = 0 if bank else used * 0.1
        assert found.used == (used if bank else 0)
        assert late_days.share_lost(found.charged) == pytest.approx(lost)


def test_hours_are_counted_one_by_one():
    late_days = rule(bank=30, unit="hour", per_assignment=5, penalty_per_day=0.2)
    works = [Work("a", DUE, None, DUE + 3.5 * HOUR), Work("b", DUE + DAY, None, DUE + DAY * 2.5)]
    found = settle(works, late_days)
    assert (found["a"].used, found["a"].charged, found["a"].left) == (4, 0, 26)
    assert (found["b"].used, found["b"].left) == (5, 21)
    assert late_days.share_lost(found["b"].charged) == pytest.approx(0.4)  # 31 hours are two days


def test_the_bank_is_used_in_order_of_due_dates_and_given_back():
    late_days = rule(bank=3, penalty_per_day=0.1)
    first, second = (Work(name, DUE + place * DAY) for place, name in enumerate("ab"))
    late = [
        Work("b", second.due, None, second.due + 2 * DAY),
        Work("a", first.due, None, first.due + 2 * DAY),
    ]
    found = settle(late, late_days)
    assert (found["a"].used, found["b"].used) == (2, 1)
    assert late_days.share_lost(found["b"].charged) == pytest.approx(0.1)
    late[1] = Work("a", first.due, first.due + 2 * DAY, first.due + 2 * DAY)
    found = settle(late, late_days)
    assert (found["a"].used, found["b"].used, found["b"].charged) == (0, 2, 0)


def test_an_extension_takes_no_time_away():
    [found] = settle([Work("a", DUE, DUE - DAY, DUE)], rule(bank=1)).values()
    assert (found.deadline, found.late, found.used) == (DUE, 0, 0)


def some_works(generator: random.Random) -> list[Work]:
    works = []
    for name in "abcd":
        due = DUE + timedelta(hours=generator.randrange(0, 24 * 40))
        late = timedelta(seconds=generator.randrange(-2 * 86400, 6 * 86400))
        until = due + generator.randrange(1, 4) * DAY if generator.random() < 0.3 else None
        handed_in = due + late if generator.random() < 0.9 else None
        works.append(Work(name, due, until, handed_in))
    return works


@pytest.mark.parametrize("seed", range(8))
def test_whatever_comes_when_the_rules_hold(seed):
    generator = random.Random(seed)
    for _ in range(40):
        works = some_works(generator)
        settings = {
            **BERLIN,
            "bank": generator.randrange(0, 6),
            "unit": generator.choice(["day", "hour"]),
            "grace_minutes": generator.choice([0, 15]),
            "penalty_per_day": generator.choice([0.0, 0.1, 0.4]),
            "per_assignment": generator.choice([None, 1, 2]),
        }
        late_days = rule(**settings)
        found = settle(works, late_days)
        # The order in which things are graded is nothing.
        for order in itertools.islice(itertools.permutations(works), 5):
            assert settle(order, late_days) == found
        assert 0 <= sum(one.used for one in found.values()) <= late_days.bank
        assert all(one.left >= 0 and one.charged >= 0 for one in found.values())
        assert all(0 <= late_days.share_lost(one.charged) <= 1 for one in found.values())
        for one in found.values():
            assert one.late or not (one.used or one.charged)
        # More time makes no mark worse: not this one, and no other.
        chosen = generator.choice(works)
        until = chosen.deadline + generator.randrange(1, 80) * HOUR
        longer = [
            Work(w.assignment, w.due, until if w is chosen else w.until, w.handed_in) for w in works
        ]
        better = settle(longer, late_days)
        for name, one in found.items():
            gained = mark(100, better[name], late_days) - mark(100, one, late_days)
            assert gained >= -1e-9, (settings, chosen, until, name)
        # Neither does handing in earlier.
        if chosen.handed_in:
            earlier = [
                Work(
                    w.assignment,
                    w.due,
                    w.until,
                    w.handed_in - 5 * HOUR if w is chosen else w.handed_in,
                )
                for w in works
            ]
            before = settle(earlier, late_days)
            for name, one in found.items():
                assert mark(100, before[name], late_days) >= mark(100, one, late_days) - 1e-9
        # With a day after which nothing counts, the mark of the work itself gets no worse.
        ended = rule(**settings, zero_after_days=3)
        name = chosen.assignment
        now, then = settle(longer, ended)[name], settle(works, ended)[name]
        assert mark(100, now, ended) >= mark(100, then, ended) - 1e-9


def test_a_time_that_cannot_be_read_is_not_on_time_and_costs_no_late_day():
    late_days = rule(bank=5, penalty_per_day=0.1)
    found = settle([Work("a", DUE, DUE + DAY, None, time_is_unreadable=True)], late_days)["a"]
    assert (found.used, found.left, found.charged) == (0, 5, UNKNOWN_SECONDS)
    assert mark(100, found, late_days) == 0
    assert settle([Work("a", None, None, None, time_is_unreadable=True)], late_days)["a"].late == 0


@pytest.mark.parametrize(
    ("settings", "days"),
    [
        ({}, 0),
        ({"bank": 5}, 5),
        ({"bank": 5, "per_assignment": 2}, 2),
        ({"bank": 5, "per_assignment": 2, "penalty_per_day": 0.5}, 3),
        ({"bank": 5, "per_assignment": 2, "penalty_per_day": 0.1, "zero_after_days": 4}, 4),
        ({"zero_after_days": 3}, 3),
    ],
)
def test_the_last_moment_that_may_earn_points(settings, days):
    late_days = rule(**settings)
    last = last_moment(DUE, late_days)
    assert last == DUE + days * DAY
    if late_days.has_penalty or late_days.bank:
        strict = rule(**{"penalty_per_day": 1.0, **settings})
        for moment, counts in ((last, True), (last + timedelta(seconds=1), False)):
            found = settle([Work("a", DUE, None, moment)], strict)["a"]
            if settings != {"zero_after_days": 3}:
                assert (mark(100, found, strict) > 0) is counts


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"bnak": 5}, "there is no setting c.LateDays.bnak: did you mean bank?"),
        ({"bank": -1}, "c.LateDays"),
        ({"unit": "week"}, "c.LateDays"),
        ({"penalty_per_day": 10}, "c.LateDays"),
        ({"time_zone": "Europe/Berln"}, "did you mean Europe/Berlin?"),
        ({"bank": 2, "zero_after_days": 0}, "penalty_per_day = 1"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(settings, said):
    with pytest.raises(CourseError, match="LateDays") as refused:
        rule(**settings)
    assert said in str(refused.value)


def test_the_zone_is_formgraders_unless_the_course_says_otherwise():
    config = Config(NbGraderAPI={"timezone": "America/New_York"})
    assert LateDays.of(config).zone().key == "America/New_York"
    config.NbGraderAPI.timezone = "UTC+3"  # as nbgrader may have it
    assert LateDays.of(config).zone().key == "UTC"
    config.LateDays.time_zone = "Europe/Berlin"
    assert LateDays.of(config).zone().key == "Europe/Berlin"


# Times and tables


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-12-03 18:00", "2026-12-03 17:00:00"),
        ("2026-12-03T18:00:30", "2026-12-03 17:00:30"),
        ("2026-12-03", "2026-12-03 22:59:59"),
        ("3.12.2026 18:00", "2026-12-03 17:00:00"),
        ("03.12.2026", "2026-12-03 22:59:59"),
        ("12/23/2026 6:00 PM", "2026-12-23 17:00:00"),
        ("23/12/2026 12:00 am", "2026-12-22 23:00:00"),
        ("12/12/2026 18:00", "2026-12-12 17:00:00"),
        ("2026-12-03 18:00 UTC", "2026-12-03 18:00:00"),
        ("2026-12-03 18:00Z", "2026-12-03 18:00:00"),
        ("2026-12-03 18:00 +0530", "2026-12-03 12:30:00"),
        ("2026-12-03 18:00 America/New_York", "2026-12-03 23:00:00"),
        ("2026-10-25 02:30", "2026-10-25 01:30:00"),  # of the two the later
        ("due + 2 days", "2026-10-26 17:00:00"),
        ("+2 days", "2026-10-26 17:00:00"),
        ("1 week", "2026-10-31 17:00:00"),
        ("48 hours", "2026-10-26 16:00:00"),
    ],
)
def test_times_as_people_write_them(text, utc):
    zone = rule(**BERLIN).zone()
    ends = more_time(text).ends(in_berlin("2026-10-24 18:00"), zone)
    assert f"{ends.astimezone(UTC):%Y-%m-%d %H:%M:%S}" == utc
    again = more_time(str(more_time(text))).ends(in_berlin("2026-10-24 18:00"), zone)
    assert abs(ends - again) < timedelta(minutes=1)


@pytest.mark.parametrize(
    "text",
    [
        *("", "soon", "2", "0 days", "-2 days", "99999 days", "2026-13-01", "2026-02-30 18:00"),
        *("1/2/2026", "2026-12-03 25:00", "2026-12-03 13:00 pm", "2026-12-03 18:00 Mars/Base"),
        *("9999-12-31", "2026-12-03 18:00 ../../etc/passwd", "\x1b[31m", "1" * 5000),
    ],
)
def test_what_is_no_time_is_refused(text):
    with pytest.raises(NotUnderstood):
        more_time(text)


TABLE = """\
assignment,student,until,reason,by,on
tiny,student-01,2026-12-03 18:00,"ill, says
the doctor",ana,2026-11-26

tiny,student-02,soon,,ana,
tiny,student-03,due + 2 days,=1+1,ana,
*,student-01,due + 1 day,,ben,
tiny,,due + 1 day,,ben,
tiny,student-04,"due + 1 day,,ben,
tiny,student-05,due + 1 day
"""


def test_a_row_that_cannot_be_read_is_told_with_its_line_and_kept():
    table = table_of(TABLE.encode(), "t.csv")
    assert [each.student for each in table.extensions] == [
        *("student-01", "student-03", "student-01", "student-05")
    ]
    assert table.extensions[0].reason == "ill, says the doctor"
    places = [problem.split(":")[0] for problem in table.problems]
    assert places == ["line 5", "line 8", "line 9"]
    assert "2026-12-03 18:00" in table.problems[0]
    assert table.text() == TABLE
    table.remove("tiny", "student-03")
    table.add(table.extensions[0])
    lines = TABLE.splitlines(keepends=True)
    assert table.text().startswith("".join(lines[:5] + lines[6:]))
    assert len(table.text().splitlines()) == len(lines)
    table.add(replace(table.extensions[0], student="@one"))
    assert "'@one" in table.text()  # no spreadsheet takes it for a formula
    assert table_of(table.text().encode(), "t.csv").extensions[-1].student == "@one"


@pytest.mark.parametrize(
    "data",
    [
        b"Student ID;Assignment;Extension;Comment\r\nstudent-01;tiny;2 days;ill\r\n",
        "\ufeffusername,assignment,extra days,reason\nstudent-01,tiny,2.0,ill\n".encode(),
        "id\tassignment\tdays\treason\nstudent-01\ttiny\t2\till\n".encode("utf-16"),
    ],
)
def test_tables_as_spreadsheets_write_them(data):
    table = table_of(data, "t.csv")
    assert not table.problems
    [found] = table.extensions
    assert (found.assignment, found.student, str(found.more)) == (
        "tiny",
        "student-01",
        "due + 2 days",
    )
    assert found.reason == "ill"


def test_a_crafted_table_is_told_and_costs_its_own_lines_alone():
    """People are called what they like, and a table from elsewhere has their names."""
    rows = [
        "student,name,until,assignment",
        f"student-01,{'x' * 200_000},2 days,tiny",
        "student-02,=HYPERLINK(0);\x00\x1b[2J\u202e,2 days,tiny",
        'student-03,"two\nstudent-09,lines,9 days,tiny",2 days,tiny',
        "student-04,three,2 days,tiny",
        *(['student-05,"odd,2 days,tiny', "student-06,x,2 days,tiny"] * 20_001),
    ]
    table = table_of("\n".join(rows).encode(), "table.csv")
    given = {each.student for each in table.extensions}
    assert given >= {"student-02", "student-03", "student-04"}
    assert not given & {"student-01", "student-09"}
    assert "line 2: it is not written as a table" in table.problems[0]
    assert table.text() == "\n".join(rows)


def test_a_table_without_its_columns_is_told():
    table = table_of(b"tiny,student-01,2 days\nx,y,z\n", "t.csv")
    assert not table.extensions
    assert "there is no column assignment and no column student" in table.problems[0]


def test_words_for_lengths():
    assert length(0.2) == "1 second"
    assert length(3600) == "1 hour"
    assert length(86400 + 3 * 3600 + 59) == "1 day and 3 hours"
    assert length(2 * 86400 + 59) == "2 days"
    assert length(61) == "1 minute and 1 second"


# A class


NAMES = ("student-01", "student-02", "student-03")


@pytest.fixture(scope="module")
def graded(empty_gradebook, tmp_path_factory):
    """A gradebook of two assignments and three students who handed both in one day late, for ten
    points each."""
    path = tmp_path_factory.mktemp("graded") / "gradebook.db"
    shutil.copy(empty_gradebook, path)
    with Gradebook(f"sqlite:///{path}") as gradebook:
        for student in NAMES:
            gradebook.add_student(student)
        for name, due in (("second", DUE + 7 * DAY), ("first", DUE)):
            gradebook.add_assignment(name, duedate=f"{due:%Y-%m-%d %H:%M} UTC")
            gradebook.add_notebook(name, name)
            gradebook.add_grade_cell("cell", name, name, max_score=10, cell_type="code")
            for student in NAMES:
                timestamp = (due + DAY).replace(tzinfo=None)
                gradebook.add_submission(name, student, timestamp=timestamp)
                gradebook.find_grade("cell", name, name, student).auto_score = 10
        gradebook.db.commit()
    return path


@pytest.fixture
def course(tiny_course, graded, monkeypatch):
    for name in ("first", "second"):
        path = tiny_course.root / "source" / name / f"{name}.ipynb"
        path.parent.mkdir(parents=True)
        path.touch()
    shutil.copy(graded, tiny_course.root)
    monkeypatch.chdir(tiny_course.root)
    settings(tiny_course, penalty_per_day=0.1)
    return tiny_course


def settings(course, **late_days):
    lines = [f"c.LateDays.{name} = {value!r}" for name, value in late_days.items()]
    start = "c = get_config()\n"
    chosen = (
        "c.Autograde.autograde_preprocessors = "
        "['proctor.classroom.deadlines.penalties.AssignLatePenalties']\n"
        "c.AssignLatePenalties.plugin_class = 'proctor.classroom.deadlines.penalties.LatePenalty'\n"
    )
    text = "\n".join([start + chosen, *lines]) + "\n"
    (course.root / "nbgrader_config.py").write_text(text)


def penalties(course) -> dict[tuple[str, str], float]:
    with Gradebook(f"sqlite:///{course.root}/gradebook.db") as gradebook:
        return {
            (found.student_id, found.name): found.late_submission_penalty
            for name in ("first", "second")
            for found in gradebook.assignment_submissions(name)
            if found.late_submission_penalty
        }


def extend(*arguments: str) -> int:
    return cli.main(["extend", *arguments])


def table_text(course) -> str:
    return (course.root / "extensions.csv").read_text()


def test_more_time_takes_the_penalty_away_and_removing_brings_it_back(course, capsys):
    assert extend("first", "student-01", "--hours", "1", "--reason", "ill") == 0
    assert len(penalties(course)) == 6 and set(penalties(course).values()) == {1.0}
    assert extend("first", "student-01", "--days", "1") == 0
    said = capsys.readouterr().out
    assert "student-01, first: until 3 March 2026, 17:00 UTC, in place of due + 1 hour" in said
    assert "student-01, first: 0 points are taken off for being late, instead of 1" in said
    assert "`proctor feedback first` makes its pages anew" in said
    assert ("student-01", "first") not in penalties(course)
    assert len(table_text(course).splitlines()) == 2
    with Gradebook(f"sqlite:///{course.root}/gradebook.db") as gradebook:
        assert gradebook.find_submission("first", "student-01").extension == DAY
    assert extend("first", "student-01", "--remove") == 0
    assert penalties(course)["student-01", "first"] == 1.0
    assert table_text(course).splitlines() == ["assignment,student,until,reason,by,on"]
    assert extend("first", "student-01", "--remove") == 2


def test_the_later_of_two_rows_counts(course, capsys):
    assert extend("--all-assignments", "student-01", "--days", "2") == 0
    assert {name for name, _ in penalties(course)} == {"student-02", "student-03"}
    assert extend("first", "student-01", "--hours", "1") == 0
    assert "the row for all assignments gives more" in capsys.readouterr().out
    assert ("student-01", "first") not in penalties(course)
    assert extend("first", "student-02", "--until", "2026-03-03 16:00", "--dry-run") == 0
    assert "student-02" not in table_text(course)
    assert extend("first", "student-02", "--hours", "1") == 0
    assert extend("--all-assignments", "student-02", "--days", "2") == 0
    assert {name for name, _ in penalties(course)} == {"student-03"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("frist", "student-01", "--days", "2"), "no assignment frist here: did you mean first?"),
        (("first", "studnet-01", "--days", "2"), "not in the gradebook: did you mean student-01?"),
        (("first", "student-01"), "say how much more time"),
        (("first", "--days", "2"), "name the assignment and then the students"),
        (("first", "student-01", "--until", "soon"), "write it as 2026-12-03 18:00"),
        (("first", "student-01", "--until", "2026-03-02"), None),
        (("first", "student-01", "--until", "2026-03-02 16:59"), "is not after the due date"),
        (("first", "student-01", "student-99", "--days", "2"), "nothing was changed"),
        (("--import", "nowhere.csv"), "nowhere.csv cannot be read"),
        (("--list", "frist"), "did you mean first?"),
    ],
)
def test_what_cannot_be_meant_is_told_and_changes_nothing(course, capsys, arguments, said):
    code = extend(*arguments)
    assert (code == 0) is (said is None)
    if said is not None:
        assert said in capsys.readouterr().err
        assert not (course.root / "extensions.csv").exists()


def test_a_gradebook_that_cannot_be_used_is_told(course, capsys, monkeypatch):
    monkeypatch.setattr("getpass.getuser", lambda: {}["no name"])
    with closing(sqlite3.connect(course.root / "gradebook.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        monkeypatch.setattr("proctor.classroom.gradebook.PATIENCE_SECONDS", 0.1)
        assert extend("first", "student-01", "--days", "2") == 2
    said = capsys.readouterr().err
    assert "extensions.csv is written, and the gradebook follows when you grade" in said
    assert f",{os.getuid()}," in table_text(course)
    assert renew(course) == [] and ("student-01", "first") not in penalties(course)
    (course.root / "gradebook.db").write_bytes(b"no gradebook, this" * 100)
    for arguments in (("first", "student-02", "--days", "2"), ("--list",)):
        assert extend(*arguments) == 2
        assert "the gradebook cannot be used" in capsys.readouterr().err
    assert "student-02" not in table_text(course)


def test_tab_offers_assignments_and_then_students(course):
    (course.root / "submitted/student-01/first").mkdir(parents=True)
    for typed, offered in (([], ["first", "second"]), (["first"], ["student-01"])):
        parsed = argparse.Namespace(names=typed, all_assignments=False)
        assert assignment_then_students(parsed) == offered


def test_it_works_before_anything_was_handed_in_and_without_a_due_date(course, capsys):
    with Gradebook(f"sqlite:///{course.root}/gradebook.db") as gradebook:
        gradebook.add_assignment("third")
    assert extend("third", "student-04", "--days", "2", "--new-student") == 0
    assert "due + 2 days; it has no due date yet" in capsys.readouterr().out
    (course.root / "source/first").rename(course.root / "source/third")
    (course.root / "source/third/first.ipynb").rename(course.root / "source/third/third.ipynb")
    (course.root / "gradebook.db").unlink()
    assert extend("--all-assignments", "student-05", "--days", "2", "--new-student") == 0
    assert len(table_text(course).splitlines()) == 3


def test_a_table_is_taken_row_by_row(course, capsys):
    (course.root / "from.csv").write_bytes(
        b"\xef\xbb\xbfid;days;until;reason\r\nstudent-01;2;;ill\r\n"
        b"student-02;;03.03.2026 18:00;\r\nstudent-03;;soon;\r\nstudnet-03;1;;\r\n"
        b"student-01;1;;twice\r\n"
    )
    assert extend("first", "--import", "from.csv") == 1
    said = capsys.readouterr()
    assert "from.csv, line 4" in said.err and "from.csv, line 5" in said.err
    assert "did you mean student-03?" in said.err
    assert set(penalties(course)) == {
        *(("student-03", "first"), ("student-01", "second")),
        *(("student-02", "second"), ("student-03", "second")),
    }
    assert "student-01,due + 2 days,ill" in table_text(course)
    before = table_text(course)
    assert extend("first", "--import", "from.csv") == 1
    assert sorted(table_text(course).splitlines()) == sorted(before.splitlines())


def test_a_hand_written_table_is_the_truth_and_stays_as_written(course, capsys):
    text = "student;assignment;until;why\nstudent-01;first;2026-03-04;because\n"
    text += "student-02;fisrt;1 day;\n"
    header, rest = text.encode().split(b"\n", 1)
    (course.root / "extensions.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert extend("second", "student-03", "--days", "3", "--reason", "two; parts") == 1
    assert "extensions.csv, line 3: there is no assignment fisrt: did you mean first?" in (
        capsys.readouterr().err
    )
    data = (course.root / "extensions.csv").read_bytes()
    assert data.startswith(b"\xef\xbb\xbf" + header + b";by;on\n" + rest)
    assert b'student-03;second;due + 3 days;"two; parts";' in data.splitlines()[-1]
    assert ("student-01", "first") not in penalties(course)
    assert ("student-03", "second") not in penalties(course)


def test_extensions_of_the_gradebook_are_taken_over_when_the_table_begins(course, capsys):
    with Gradebook(f"sqlite:///{course.root}/gradebook.db") as gradebook:
        gradebook.grant_extension("first", "student-02", days=2)
    assert extend("first", "student-01", "--days", "2") == 0
    assert "from the gradebook: student-02, first: until 4 March" in capsys.readouterr().out
    assert ("student-02", "first") not in penalties(course)
    assert "student-02,due + 48 hours,was in the gradebook" in table_text(course)


def deadlines(course) -> ClassDeadlines:
    from proctor.settings import load_config

    config = load_config()
    return ClassDeadlines(CourseDirectory(config=config), config)


def renew(course) -> list[str]:
    found = deadlines(course)
    said: list[str] = []
    renew_penalties(found.coursedir, found.config, said.append)
    return said


def test_late_days_go_to_the_first_due_and_come_back(course, capsys):
    settings(course, bank=1, penalty_per_day=0.2)
    renew(course)
    assert penalties(course) == {(name, "second"): 2.0 for name in NAMES}
    assert extend("first", "student-01", "--days", "1") == 0
    assert "student-01, second: 0 points are taken off" in capsys.readouterr().out
    assert set(penalties(course)) == {("student-02", "second"), ("student-03", "second")}
    # A regrade: the penalty is a share of the points of now.
    with Gradebook(f"sqlite:///{course.root}/gradebook.db") as gradebook:
        gradebook.find_grade("cell", "second", "second", "student-02").auto_score = 5
        gradebook.db.commit()
    renew(course)
    assert penalties(course)["student-02", "second"] == 1.0
    assert extend("--list") == 0
    table = capsys.readouterr().out
    assert "first       student-01  3 March 2026, 17:00 UTC  due + 1 day" in table
    row = next(line for line in table.splitlines() if line.startswith("second") and "-02" in line)
    assert row.split()[-3:] == ["0", "0", "-1"]
    first = next(line for line in table.splitlines() if line.startswith("first") and "-03" in line)
    assert "1 day" in first and first.split()[-3:] == ["1", "0", "0"]


def test_what_is_handed_in_and_not_graded_yet_has_its_late_day_already(course):
    settings(course, bank=1, penalty_per_day=0.2)
    with Gradebook(f"sqlite:///{course.root}/gradebook.db") as gradebook:
        gradebook.remove_submission("first", "student-01")
    renew(course)
    assert ("student-01", "second") not in penalties(course)
    folder = course.root / "submitted/student-01/first"
    folder.mkdir(parents=True)
    (folder / "timestamp.txt").write_text(f"{DUE + HOUR:%Y-%m-%d %H:%M:%S} UTC")
    renew(course)
    assert penalties(course)["student-01", "second"] == 2.0


FAR = "9999-12-31 23:59:59 UTC"  # no calendar goes on from there


@pytest.mark.parametrize(
    "text", ["yesterday, I swear", "", "2026-03-02 16:00 UTC", "\x00\xff", FAR]
)
def test_a_timestamp_that_cannot_be_read_is_not_on_time(course, text):
    folder = course.root / "submitted/student-01/first"
    folder.mkdir(parents=True)
    (folder / "timestamp.txt").write_text(text)
    with Gradebook(f"sqlite:///{course.root}/gradebook.db") as gradebook:
        # On time, as the gradebook has it of an earlier hand-in.
        gradebook.update_or_create_submission(
            "first", "student-01", timestamp=DUE.replace(tzinfo=None)
        )
    renew(course)
    readable = text.startswith("2026")
    assert penalties(course).get(("student-01", "first"), 0.0) == (0.0 if readable else 10.0)
    if not readable:  # mended: two days late
        (folder / "timestamp.txt").write_text(f"{DUE + 2 * DAY:%Y-%m-%d %H:%M:%S} UTC")
        renew(course)
        assert penalties(course)["student-01", "first"] == 2.0


def test_a_table_that_says_nothing_takes_no_extension_away(course):
    with Gradebook(f"sqlite:///{course.root}/gradebook.db") as gradebook:
        gradebook.grant_extension("first", "student-01", days=2)
    renew(course)
    assert ("student-01", "first") not in penalties(course)
    (course.root / "extensions.csv").write_text("what is this?\nstudent-02,first,2 days\n")
    assert "line 1: there is no column assignment" in renew(course)[0]
    assert ("student-01", "first") not in penalties(course)
    assert extend("first", "student-02", "--days", "2") == 2
    (course.root / "extensions.csv").write_text("assignment,student,until\n")
    assert renew(course) == []
    assert penalties(course)["student-01", "first"] == 1.0


def test_a_slip_in_a_students_row_takes_no_time_away(course, caplog):
    for student in ("student-01", "student-02"):
        assert extend("first", student, "--days", "2") == 0
    good = table_text(course)
    slip = good.replace("student-01,due + 2 days", "student-01,due + two days")
    (course.root / "extensions.csv").write_text(slip)
    assert "line 2: 'due + two days' is not a time" in renew(course)[0]
    assert ("student-01", "first") not in penalties(course)
    # A row that is gone is gone, whatever is wrong with another.
    (course.root / "extensions.csv").write_text("".join(slip.splitlines(keepends=True)[:2]))
    renew(course)
    assert penalties(course)["student-02", "first"] == 1.0
    assert "student-02 had time until 4 March 2026, 17:00 UTC in the gradebook" in caplog.text
    assert ("student-01", "first") not in penalties(course)
    # What the row says once it can be read counts, less time included.
    (course.root / "extensions.csv").write_text(good.replace("01,due + 2 days", "01,due + 2 hours"))
    assert renew(course) == []
    assert penalties(course)["student-01", "first"] == 1.0


def test_another_rule_of_the_course_is_asked_for_what_is_left(course):
    settings(course, bank=1)
    with (course.root / "nbgrader_config.py").open("a") as config:
        config.write("c.LateSubmissionPlugin.penalty_method = 'zero'\n")
    renew(course)
    assert penalties(course) == {(name, "second"): 10.0 for name in NAMES}


OWN_RULE = """
from nbgrader.plugins import BasePlugin
class OwnRule(BasePlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return {"student-01": 99.0, "student-02": -1.0}.get(student_id)
c.AssignLatePenalties.plugin_class = OwnRule
"""


def test_a_rule_of_ones_own_stays_within_the_points(course):
    with (course.root / "nbgrader_config.py").open("a") as config:
        config.write(OWN_RULE)
    renew(course)
    assert penalties(course) == {("student-01", name): 10.0 for name in ("first", "second")}


def test_the_page_says_what_was_used_and_never_why():
    late_days = rule(bank=5, penalty_per_day=0.1, **BERLIN)
    work = Work("a", DUE, DUE + DAY, DUE + 3 * DAY + 2 * HOUR)
    assert notices(work, settle([work], late_days)["a"], late_days) == [
        "Your deadline was extended until 3 March 2026, 18:00 CET.",
        "It was handed in 2 days and 2 hours after the deadline.",
        "3 late days used for it, 2 of 5 late days left after it.",
    ]
    on_time = Work("a", DUE, None, DUE)
    assert notices(on_time, settle([on_time], late_days)["a"], late_days) == []


# With nbgrader's own commands


def test_a_class_graded_by_nbgrader_has_its_extensions_and_late_days(tmp_path):
    course = SmallCourse(tmp_path / "course")
    config = (course.root / "nbgrader_config.py").read_text()
    course.write(
        "nbgrader_config.py",
        f"{config}\nc.LateDays.bank = 1\nc.LateDays.penalty_per_day = 0.5\n"
        "c.LateDays.time_zone = 'Europe/Berlin'\n",
    )
    made = course.nbgrader("generate_assignment", "tiny")
    assert made.returncode == 0, made.stderr
    with course.gradebook() as gradebook:
        gradebook.update_or_create_assignment("tiny", duedate="2030-01-01 12:00:00 UTC")
    done = proctor(
        course, "extend", "tiny", "ill", "--until", "2030-01-03 13:00", "--reason", "flu"
    )
    assert done.returncode == 0, done.stderr
    for student in ("ill", "banked", "late", "odd"):
        course.submit(student, {"double": RIGHT})
    course.write("submitted/ill/tiny/timestamp.txt", "2030-01-03 12:00:00 UTC")
    course.write("submitted/banked/tiny/timestamp.txt", "2030-01-02 12:00:00 UTC")
    course.write("submitted/late/tiny/timestamp.txt", "2030-01-03 12:00:00 UTC")
    course.write("submitted/odd/tiny/timestamp.txt", "in time, of course")
    done = course.nbgrader("autograde", "tiny")
    assert done.returncode == 0, done.stderr
    assert (
        "ill> is" not in done.stderr and "SubmittedAssignment<tiny for ill> is" not in done.stderr
    )
    assert taken(course) == {"banked": 0, "ill": 0, "late": 1.5, "odd": 3}
    with course.gradebook() as gradebook:
        assert gradebook.find_submission("tiny", "ill").total_seconds_late == 0
    made = course.nbgrader("generate_feedback", "tiny")
    assert made.returncode == 0, made.stderr
    assert "until 3 January 2030, 13:00 CET" in course.feedback("ill")
    assert "flu" not in course.feedback("ill")
    assert "1 late day used for it, 0 of 1 late day left after it" in course.feedback("banked")
    assert "1.5 points were taken off" in course.feedback("late")
    assert "The time when you handed this in cannot be read" in course.feedback("odd")
    # Another row, and the class follows: gradebook, export, page.
    done = proctor(course, "extend", "tiny", "late", "--days", "1")
    assert "late, tiny: 0 points are taken off for being late, instead of 1.5" in done.stdout
    assert taken(course) == {"banked": 0, "ill": 0, "late": 0, "odd": 3}
    table = (course.root / "extensions.csv").read_text()
    course.write("extensions.csv", table.replace("2030-01-03 13:00", "soon"))
    done = course.nbgrader("export")
    assert "extensions.csv, line 2: 'soon' is not a time" in done.stderr
    with (course.root / "grades.csv").open() as grades:
        rows = {row["student_id"]: row for row in csv.DictReader(grades)}
    assert {name: float(row["late_submission_penalty"]) for name, row in rows.items()} == {
        "banked": 0,
        "ill": 0,
        "late": 0,
        "odd": 3,
    }
    course.write("extensions.csv", table.replace("tiny,ill,2030-01-03 13:00", "tiny,ill,1 hour"))
    made = course.nbgrader("generate_feedback", "tiny")
    assert made.returncode == 0, made.stderr
    assert "1.5 points were taken off" in course.feedback("ill")
    assert "taken off" not in course.feedback("late")
    assert "Your deadline was extended until 2 January 2030, 13:00 CET" in course.feedback("late")


def taken(course) -> dict[str, float]:
    with course.gradebook() as gradebook:
        return {
            found.student_id: found.late_submission_penalty
            for found in gradebook.assignment_submissions("tiny")
        }
