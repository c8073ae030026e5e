"""`proctor watch`: graded as it comes in, with pages that say no more than they may."""

from __future__ import annotations

import os
import re
import shutil
import signal
import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hostile.rush import rush
from nbgrader.exchange.default import ExchangeSubmit
from test_exchange import succeeded
from test_faults import in_a_view
from test_hand_ins import NO_TIME
from watched import (
    NO_NEGATIVE,
    NO_POSITIVE,
    RIGHT,
    WRONG,
    WatchedClass,
    utc,
    wait_for,
)

from proctor import cli
from proctor.classroom.watch import allowance, troubles, watcher
from proctor.classroom.watch.assignment import WatchedAssignment
from proctor.settings import Watch


@pytest.fixture(scope="module")
def released(tmp_path_factory) -> WatchedClass:
    made = WatchedClass(tmp_path_factory.mktemp("released") / "class")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(made.folder))
        patch.chdir(made.course)
        made.release()
    return made


@pytest.fixture
def small_class(released, tmp_path, monkeypatch) -> WatchedClass:
    copied = released.copy(tmp_path / "class")
    monkeypatch.chdir(copied.course)
    monkeypatch.setenv("HOME", str(copied.folder))
    return copied


# Another answer at each attempt, in a file that is the same.
CHANGING = "import os; return 2 * x if os.urandom(1)[0] % 2 else x"


def once() -> int:
    return cli.main(["watch", "tiny", "--once", "-j", "1"])


@pytest.fixture
def later(monkeypatch):
    """`later(hours)`: pages are shown so much later from now on."""

    def move(hours: float) -> None:
        monkeypatch.setattr(
            watcher, "now", lambda zone: datetime.now(zone) + timedelta(hours=hours)
        )

    return move


def test_what_is_handed_in_comes_back_as_a_page(small_class, capsys):
    small_class.hand_in(RIGHT)
    assert once() == 0
    assert "tiny: 1 graded" in capsys.readouterr().out
    [page] = small_class.pages()
    assert "2 of 2 points so far" in page
    assert "3 points are still being read" in page  # the written answer holds nothing up
    assert "4 of 5 pages left until" in page
    assert [line["what"] for line in small_class.ledger()] == ["came", "marked", "shown"]
    [marked] = small_class.ledger("marked")
    assert (marked["score"], marked["status"]) == (2.0, "graded")
    assert (small_class.course / "attempts").stat().st_mode & 0o077 == 0


def test_equal_points_make_equal_pages(small_class):
    """All that an attempt can tell is the points of each cell: which check failed, what was printed
    and what the notebook holds are nowhere in the page."""
    bodies = {
        "student-01": NO_NEGATIVE,
        "student-02": NO_POSITIVE,
        "student-03": "print('seen', x)\n    return 2 * abs(x)",
        "student-04": "if x < 0:\n        raise KeyError(x)\n    return 2 * x",
        "student-05": WRONG,
        "student-06": RIGHT,
    }
    for student, body in bodies.items():
        small_class.hand_in(body, student)
    assert once() == 0
    points = [line["score"] for line in small_class.ledger("marked")]
    assert sorted(points) == [0, 1, 1, 1, 1, 2]
    pages = {student: without_time(small_class.pages(student)[0]) for student in bodies}
    # Two checks of equal weight: whatever a function finds out, the page has one of three values.
    assert len(set(pages.values())) == len(set(points))
    assert len({pages[f"student-0{number}"] for number in range(1, 5)}) == 1
    for word in ("Two is doubled", "Try two", "seen", "KeyError", "def double", "made of"):
        assert word not in "".join(pages.values())


def without_time(page: str) -> str:
    """A page but for whose it is, and times of day."""
    page = re.sub(r"<title>.*?</title>|<dl.*?</dl>", "", page, flags=re.DOTALL)
    before, found, after = page.partition(" pages left until ")
    assert found
    return before + after[after.index(")") :]


def test_checks_are_shown_where_the_course_says_so(small_class):
    small_class.configure("c.Watch.assignments = {'tiny': {'shows': 'checks'}}")
    small_class.hand_in(NO_NEGATIVE)
    assert once() == 0
    [page] = small_class.pages()
    assert "Try minus three." in page
    assert "Your answer" in page


def test_over_the_limit_the_work_counts_and_its_page_waits(small_class, later):
    small_class.configure("c.Watch.pages_per_day = 1", "c.Watch.pages = 2")
    small_class.hand_in(WRONG)
    assert once() == 0
    small_class.hand_in(NO_NEGATIVE, note="second")
    assert once() == 0
    assert small_class.scores() == {"student-01": 1.0}
    shown, waiting = small_class.pages()
    assert "0 of 1 pages left until" in shown
    assert "Your work was received; it is graded and counts. Its page comes at" in waiting
    assert "Points by exercise" not in waiting
    small_class.hand_in(RIGHT, note="third")
    assert once() == 0
    assert [line["what"] for line in small_class.ledger()][-2:] == ["marked", "held"]
    later(hours=24.1)
    assert once() == 0
    _, second, third = small_class.pages()
    assert "Points by exercise" not in second
    assert "2 of 2 points so far" in third
    assert "This is the last of your 2 pages" in third
    small_class.hand_in(WRONG, note="fourth")
    later(hours=72)
    assert once() == 0
    assert "your instructor will return it" in small_class.pages()[3]
    assert small_class.scores() == {"student-01": 0.0}
    later(hours=1000)
    assert once() == 0
    assert "Points by exercise" not in small_class.pages()[3]


def test_the_best_attempt_counts_where_the_course_says_so(small_class, later):
    small_class.configure("c.Watch.counts = 'best'", "c.Watch.pages_per_day = 3")

    def hand_in(body: str) -> str:
        small_class.hand_in(body, note=str(len(small_class.inbound())))
        assert once() == 0
        return small_class.pages()[-1]

    assert "This attempt counts." in hand_in(NO_NEGATIVE)
    page = hand_in(WRONG)
    assert "0 of 2 points so far" in page
    assert "counts, with 1 of 2 points from checks" in page
    assert small_class.scores() == {"student-01": 1.0}
    page = hand_in(RIGHT)
    assert "2 of 2 points so far" in page
    assert "This attempt counts." in page
    assert small_class.scores() == {"student-01": 2.0}
    assert "Points by exercise" not in hand_in(NO_POSITIVE)  # the fourth of the day
    submitted = small_class.course / "submitted/student-01/tiny/tiny.ipynb"
    assert RIGHT in submitted.read_text()
    later(hours=24.1)
    assert once() == 0
    page = small_class.pages()[-1]
    assert "1 of 2 points so far" in page
    assert "counts, with 2 of 2 points from checks" in page
    assert small_class.scores() == {"student-01": 2.0}
    assert [line["counts"] for line in small_class.ledger("marked")] == [True, False, True, False]
    # A kill between the mark of one that does not count and its page.
    ledger = small_class.course / "attempts/tiny.jsonl"
    ledger.write_text("".join(ledger.read_text().splitlines(keepends=True)[:-1]))
    assert once() == 0
    assert small_class.ledger()[-1]["what"] == "shown"
    assert len(small_class.ledger("marked")) == 4


def test_the_whole_page_of_an_attempt_that_does_not_count(small_class):
    small_class.configure("c.Watch.counts = 'best'", "c.Watch.shows = 'checks'")
    for body in (RIGHT, NO_NEGATIVE):
        small_class.hand_in(body)
        assert once() == 0
    page = small_class.pages()[-1]
    assert "counts, with 2 of 2 points from checks" in page
    assert "Try minus three." in page
    assert small_class.scores() == {"student-01": 2.0}


def test_the_same_file_again_costs_a_page(small_class):
    """What it does may be another thing each time: a free page would tell of as many as one likes
    with the same hidden inputs."""
    small_class.configure("c.Watch.pages_per_day = 1")
    for body in (CHANGING, CHANGING):
        small_class.hand_in(body)
        assert once() == 0
    _, second = small_class.pages()
    assert "Its page comes at" in second
    assert "of 2 points" not in second
    assert small_class.ledger("marked")[0]["sha256"] == small_class.ledger("marked")[1]["sha256"]
    assert [line["counted"] for line in small_class.ledger("shown")] == [True]


def test_a_file_that_cannot_be_read_costs_no_page(small_class):
    small_class.configure("c.Watch.pages_per_day = 1")
    small_class.hand_in(RIGHT)
    notebook = small_class.work("student-01") / "tiny/tiny.ipynb"
    whole = notebook.read_text()
    notebook.write_text(whole[:-40])
    small_class.inbound()[0].rename(small_class.folder / "not yet")
    succeeded(small_class.student(ExchangeSubmit))
    assert once() == 0
    [refused] = small_class.ledger("marked")
    assert refused["status"] == "rejected"
    [page] = small_class.pages()[-1:]
    assert "This submission could not be graded" in page
    assert "0 of 2 points" in page
    notebook.write_text(whole)
    succeeded(small_class.student(ExchangeSubmit))
    assert once() == 0
    assert "2 of 2 points so far" in small_class.pages()[-1]


def test_nothing_is_shown_where_the_course_says_so(small_class):
    small_class.configure("c.Watch.shows = 'nothing'")
    small_class.hand_in(RIGHT)
    assert once() == 0
    [page] = small_class.pages()
    assert "Your instructor will show you later what it got." in page
    assert "Points by exercise" not in page
    assert small_class.scores() == {"student-01": 2.0}


def test_late_work_is_graded_and_its_page_is_left_to_a_person(small_class):
    with small_class.gradebook() as gradebook:
        yesterday = datetime.now().astimezone() - timedelta(days=1)
        gradebook.update_or_create_assignment("tiny", duedate=utc(yesterday))
    small_class.hand_in(RIGHT)
    assert once() == 0
    assert small_class.scores() == {"student-01": 2.0}
    [page] = small_class.pages()
    assert "It came too late for a page here, so your instructor will return it." in page
    assert once() == 0  # nothing changes
    instructor = small_class.instructor()
    succeeded(instructor.generate_feedback("tiny"))
    succeeded(instructor.release_feedback("tiny"))
    assert "Two is doubled" in small_class.pages()[0]
    assert once() == 0  # what was released by hand stays
    assert "Two is doubled" in small_class.pages()[0]


def test_a_time_that_a_student_wrote_gives_no_page_after_the_end(small_class):
    """`timestamp.txt` and the folder's name are the student's, and so are all times that can be
    set; but not when the exchange last saw the folder touched."""
    hour = timedelta(hours=1)
    small_class.configure(f"c.Watch.until = '{datetime.now().astimezone() - hour}'")
    small_class.hand_in(RIGHT)
    [folder] = small_class.inbound()
    early = f"{datetime.now(UTC) - 2 * hour:%Y-%m-%d %H:%M:%S.%f} UTC"
    (folder / "timestamp.txt").write_text(early)
    student, assignment, _, *rest = folder.name.split("+")
    folder = folder.rename(folder.with_name("+".join([student, assignment, early, *rest])))
    for path in (*folder.iterdir(), folder):
        os.utime(path, (0, 0))
    for _ in range(2):  # and after a restart
        assert once() == 0
        [page] = small_class.pages()
        assert "It came too late for a page here" in page
    assert small_class.scores() == {"student-01": 2.0}


def test_an_extension_is_known_before_anything_is_graded(small_class):
    with small_class.gradebook() as gradebook:
        yesterday = datetime.now().astimezone() - timedelta(days=1)
        gradebook.update_or_create_assignment("tiny", duedate=utc(yesterday))
    more = ["extend", "tiny", "student-01", "--days", "3", "--reason", "ill", "--new-student"]
    assert cli.main(more) == 0
    for student in ("student-01", "student-02"):
        small_class.hand_in(RIGHT, student)
    assert once() == 0
    assert "2 of 2 points so far" in small_class.pages("student-01")[0]
    assert "It came too late for a page" in small_class.pages("student-02")[0]


def test_only_the_newest_of_many_attempts_is_marked(small_class):
    for number in range(6):
        small_class.hand_in(WRONG, note=str(number))
    small_class.hand_in(RIGHT)
    small_class.hand_in(NO_NEGATIVE, "student-02")
    assert once() == 0
    assert len(small_class.ledger("came")) == 8
    assert len(small_class.ledger("marked")) == 2
    assert small_class.scores() == {"student-01": 2.0, "student-02": 1.0}


def test_a_stop_between_mark_and_ledger_marks_nothing_twice(small_class):
    small_class.hand_in(RIGHT)
    assert once() == 0
    ledger = small_class.course / "attempts/tiny.jsonl"
    record = small_class.course / "records/student-01/tiny.json"
    written = record.stat().st_mtime_ns
    lines = ledger.read_text().splitlines(keepends=True)
    submitted = small_class.course / "submitted/student-01"
    for kept in ("".join(lines[:2]), "".join(lines[:1]), lines[0] + lines[1][:30], ""):
        ledger.write_text(kept)
        shutil.rmtree(small_class.exchange / "small/feedback")
        (submitted / "tiny").rename(submitted / ".tiny.old")  # a kill while a newer one was taken
        (submitted / ".tiny.new").mkdir()
        assert once() == 0
        assert [path.name for path in submitted.iterdir()] == ["tiny"]
        assert record.stat().st_mtime_ns == written
        assert len(small_class.pages()) == 1
        assert [line["what"] for line in small_class.ledger()] == ["came", "marked", "shown"]
        assert small_class.complaints({"student-01": RIGHT}) == []


def test_a_page_follows_what_a_person_gives_and_counts_for_no_limit(small_class):
    small_class.configure("c.Watch.pages_per_day = 1")
    small_class.hand_in(RIGHT)
    assert once() == 0
    with small_class.gradebook() as gradebook:
        grade = gradebook.find_grade("explain", "tiny", "tiny", "student-01")
        grade.manual_score, grade.needs_manual_grade = 2.5, False
        gradebook.db.commit()
    assert once() == 0
    [page] = small_class.pages()
    assert "4.5 of 5 points" in page
    assert [line["counted"] for line in small_class.ledger("shown")] == [True, False]
    assert once() == 0
    assert len(small_class.ledger("shown")) == 2


def test_what_a_person_puts_into_submitted_is_graded_and_stays(small_class):
    """A newer file in the exchange comes after it; the older one does not come back."""
    small_class.hand_in(WRONG)
    assert once() == 0
    folder = small_class.course / "submitted/student-01/tiny"
    notebook = folder / "tiny.ipynb"
    notebook.chmod(0o644)
    notebook.write_text(notebook.read_text().replace(WRONG, RIGHT))
    assert once() == 0
    assert once() == 0
    assert small_class.scores() == {"student-01": 2.0}
    assert RIGHT in notebook.read_text()
    small_class.hand_in(NO_NEGATIVE)
    assert once() == 0
    assert small_class.scores() == {"student-01": 1.0}


def test_a_folder_of_another_user_is_not_taken(small_class, capfd):
    """Whoever writes into the exchange may choose any name."""
    small_class.configure(check_owner=True)
    small_class.hand_in(RIGHT, "student-02")
    assert once() == 0
    assert small_class.scores() == {}
    [line] = small_class.ledger("not taken")
    assert line["student"] == "student-02"
    assert "it belongs to" in line["why"]
    assert "not taken" in capfd.readouterr().err
    assert once() == 0
    assert len(small_class.ledger()) == 1


def test_odd_names_in_the_exchange_stop_nobody(small_class):
    inbound = small_class.exchange / "small/inbound"
    small_class.hand_in(RIGHT)
    for name in ("..+tiny+2026-11-26 10:00:00 UTC", "x+tiny+when", "+tiny+", "tiny", "a+b+c+d+e"):
        (inbound / name).mkdir()
    (inbound / "student-03+tiny+2026-11-26 10:00:00 UTC").symlink_to(small_class.course)
    # Bytes that are no letters, and times at which a reader of times, or a calendar, gives up.
    (inbound / os.fsdecode(b"student-\xe4+tiny+2026-11-26 10:00:00 UTC")).mkdir()
    for stamp in (NO_TIME, "0001-01-01 00:00:00 UTC", "9999-12-31 23:59:59 UTC"):
        (inbound / f"student-04+tiny+{stamp}").mkdir()
    assert once() == 0
    assert small_class.scores() == {"student-01": 2.0}


def test_a_receipt_that_cannot_be_made_stops_nobody(small_class, monkeypatch, capfd):
    small_class.configure("c.Watch.shows = 'nothing'")
    made = WatchedAssignment.receipt

    def receipt(self, name, now):
        if name == "student-01":
            raise OverflowError
        made(self, name, now)

    monkeypatch.setattr(WatchedAssignment, "receipt", receipt)
    small_class.hand_in(RIGHT)
    small_class.hand_in(RIGHT, "student-02")
    assert once() == 0
    assert small_class.scores() == {"student-01": 2.0, "student-02": 2.0}
    assert "no word to student-01" in capfd.readouterr().err


def test_an_attempt_that_is_half_written_is_not_taken(small_class):
    small_class.hand_in(RIGHT)
    [path] = small_class.inbound()
    secret = path / "submission_secret.txt"
    text = secret.read_text()
    secret.unlink()
    assert once() == 0
    assert not (small_class.course / "submitted/student-01").exists()
    secret.write_text(text)
    assert once() == 0
    assert small_class.complaints({"student-01": RIGHT}) == []


def test_after_a_clock_was_set_back_the_newest_is_what_came_last(small_class, capfd):
    small_class.hand_in(WRONG)
    assert once() == 0
    small_class.hand_in(RIGHT)
    newest, before = small_class.inbound()[-1], "2020-01-01 10:00:00 UTC"
    earlier = newest.with_name(newest.name.replace(newest.name.split("+")[2], before))
    newest.rename(earlier)
    (earlier / "timestamp.txt").write_text(before)
    capfd.readouterr()
    for _ in range(2):
        assert once() == 0
        assert small_class.scores() == {"student-01": 2.0}
    said = capfd.readouterr().err
    assert said.count("it was set back. What came last counts as the newest") == 1


def test_a_clock_of_this_machine_that_was_set_back_is_told(monkeypatch):
    clock, real = troubles.Clock(), time.time
    assert clock.set_back() == 0
    monkeypatch.setattr(time, "time", lambda: real() - 3600)
    assert clock.set_back() == pytest.approx(3600, abs=5)
    assert clock.set_back() == 0
    monkeypatch.setattr(time, "time", real)
    assert clock.set_back() == 0


def test_one_watcher_of_a_course(small_class, capfd):
    process = small_class.start()
    try:
        wait_for(lambda: "watching tiny" in small_class.said(), 60, small_class.said)
        assert once() == 2
        assert f"watched already, by process {process.pid}" in capfd.readouterr().err
        assert cli.main(["watch", "--status"]) == 0
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 130
    assert "run the same command again to go on" in small_class.said()
    assert cli.main(["watch", "--status"]) == 1


def test_exchange_that_goes_and_comes_back_and_a_kill(small_class):
    """One life of a watcher: feedback without a command by anybody; nothing is lost while the
    exchange is away, nor by a kill."""

    def until_pages(number: int) -> None:
        feedback = small_class.exchange / "small/feedback"
        wait_for(lambda: len(list(feedback.glob("*.html"))) == number, 120, small_class.said)

    def until_said(words: str) -> None:
        wait_for(lambda: words in small_class.said(), 120, small_class.said)

    small_class.configure("c.Watch.poll_seconds = 0.5")
    process = small_class.start("-j", "1")
    try:
        small_class.hand_in(NO_NEGATIVE)
        until_pages(1)
        small_class.hand_in(WRONG, "student-02")
        until_pages(2)
        away = small_class.exchange.rename(small_class.folder / "away")
        until_said("nothing comes from the exchange")
        away.rename(small_class.exchange)
        until_said("over, it goes on: nothing comes")
        small_class.hand_in(RIGHT)
        until_pages(3)
        small_class.hand_in(RIGHT, "student-02")
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert once() == 0
    assert small_class.complaints({"student-01": RIGHT, "student-02": RIGHT}) == []
    assert "Traceback" not in small_class.said()


def test_a_small_class_hands_in_while_the_watcher_is_killed(small_class):
    small_class.fetch()
    assert rush(small_class, students=8, seconds=8.0, kills=1, seed=22) == []


def test_a_full_disk_is_told_and_it_goes_on_when_there_is_room(small_class):
    """Ledger and pages lie on a disk that is full for some time."""
    place = small_class.course / "attempts"
    place.mkdir()
    full = (
        'head -c 9999999 /dev/zero > "$0/full" 2> /dev/null;'
        '(while [ ! -e "$0/../room" ]; do sleep 0.1; done; rm "$0/full") & exec "$@"'
    )
    view = in_a_view("--size", "300000", "--tmpfs", str(place))
    small_class.hand_in(RIGHT)
    small_class.configure("c.Watch.poll_seconds = 0.5")
    process = small_class.start("-j", "1", wrapper=(*view, "sh", "-c", full, str(place)))
    try:
        wait_for(lambda: "No space left on device" in small_class.said(), 120, small_class.said)
        (small_class.course / "room").touch()
        feedback = small_class.exchange / "small/feedback"
        wait_for(lambda: list(feedback.glob("*.html")), 120, small_class.said)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert "Traceback" not in small_class.said()
    assert small_class.scores() == {"student-01": 2.0}
    assert len(small_class.pages()) == 1


DAY = timedelta(days=1)
NOON = datetime(2026, 3, 28, 12, tzinfo=ZoneInfo("Europe/Berlin"))  # clocks go forward that night


@pytest.mark.parametrize(
    ("ago", "today", "in_all"),
    [
        ([], 2, 3),
        ([1], 1, 2),
        ([1, 2], 0, 1),
        ([25], 2, 2),
        ([25, 2], 2, 1),  # both of one day, which has ended
        ([25, 0.5], 1, 1),  # the second began another
        ([23, 1], 0, 1),
        ([-1], 1, 2),  # the clock was set back by an hour: no other page for that
        ([-1000], 2, 2),  # it was wrong by weeks: that does not hold pages for weeks
        ([90, 60, 30], 2, 0),
    ],
)
def test_what_is_left_of_pages(ago, today, in_all):
    settings = Watch(pages_per_day=2, pages=3)
    counted = [NOON - timedelta(hours=hours) for hours in ago]
    found = allowance.allowance(settings, counted, NOON)
    assert (found.today, found.in_all) == (today, in_all)
    assert found.is_spent == (min(today, in_all) == 0)
    assert found.day_ends is None or found.day_ends > NOON


def test_what_a_page_says_of_those_to_come():
    settings = Watch(pages_per_day=5, pages=20)
    evening = NOON + timedelta(hours=6)

    def left(*counted, end=None):
        return allowance.left(settings, counted, NOON, end).partition(". ")[0]

    assert left(NOON - DAY + timedelta(hours=6), NOON) == "3 of 5 pages left until 18:00 (CET)"
    assert left(NOON) == "4 of 5 pages left until 13:00 on Sunday, 29 March (CEST)"
    assert left(NOON, end=evening) == "4 of 5 pages left until 18:00 (CET)"
    old = [NOON - number * DAY * 2 for number in range(1, 19)]
    assert "1 of 5 pages left" in left(NOON, *old)
    assert "the last of 20 in all" in left(NOON, *old)
    assert "What you hand in now is graded" in left(NOON, end=NOON - DAY)


def test_a_wrong_setting_is_named(small_class, capfd):
    for line, words in (
        ("c.Watch.until = 'soon'", "c.Watch.until is 'soon', which is not a time"),
        ("c.Watch.assignments = {'tiny': {'pages': 0}}", "c.Watch.assignments['tiny']"),
        ("c.Watch.assignments = {'tiny': {'page': 2}}", "there is no setting page"),
    ):
        small_class.configure(line)
        assert once() == 2
        assert words in capfd.readouterr().err
