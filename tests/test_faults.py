"""What goes wrong by itself around grading: disks, gradebooks, clocks, files that change, kills.

After each of them the instructor is told what to do, every mark is the old one or the new one, and
the same command given again makes the class whole, what a person gave included.
"""

from __future__ import annotations

import contextlib
import random
import shutil
import signal
import sqlite3
import tempfile
import threading
import time
from pathlib import Path

import pytest
from hostile.faults import ASSIGNMENT, Classroom, kill_one, locked

from proctor import cli
from proctor.classroom import gradebook, whole_class
from proctor.classroom.preprocessors import MarkInSandbox
from proctor.commands import options
from proctor.sandbox.bubblewrap import find_bubblewrap, is_root


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    """A class of four, graded by the graders and by a person."""
    made = Classroom(tmp_path_factory.mktemp("faults") / "class", students=4)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made.root)
        assert cli.main(["grade", ASSIGNMENT, "-j", "1"]) == 0
    made.give_by_hand()
    assert made.complaints(by_hand=True) == []
    return made


@pytest.fixture
def classroom(origin, monkeypatch):
    """That class, as the current folder, with other answers handed in by all since."""
    # A short path: sockets of its processes lie below it, whose names have a limit.
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        copied = origin.copy(Path(folder) / "class")
        for number, student in enumerate(copied.expected, start=1):
            copied.hand_in(student, number)
        monkeypatch.chdir(copied.root)
        yield copied
        monkeypatch.undo()


@pytest.fixture
def grade(capfd):
    """`grade()`: exit code and terminal of `proctor grade`, in this process and its sandbox."""

    def run(*options):
        capfd.readouterr()
        code = cli.main(["grade", ASSIGNMENT, "-j", "1", *options])
        return code, "".join(capfd.readouterr())

    return run


def assert_told(written, *words):
    assert "Traceback" not in written
    for word in words:
        assert word in written


def assert_whole_after(grade, classroom):
    code, written = grade()
    assert code == 0, written
    assert classroom.complaints(by_hand=True) == []


AGAIN = "run the same command again to go on"


def test_a_locked_gradebook_is_waited_for(classroom, grade, monkeypatch):
    monkeypatch.setattr(gradebook, "PATIENCE_SECONDS", 100.0)
    release = contextlib.ExitStack()
    release.enter_context(locked(classroom, check_same_thread=False))
    threading.Timer(3.0, release.close).start()
    code, written = grade()
    assert code == 0, written
    assert_told(written, "another program writes to the gradebook: waiting, at most 100 s")
    assert classroom.complaints(by_hand=True) == []


def test_a_gradebook_that_is_locked_in_the_midst_of_it(classroom, grade, monkeypatch):
    be_impatient(classroom)
    mark, release, locks = whole_class.Store.marks, contextlib.ExitStack(), iter([1])

    def lock_once(self, student, marks):
        for _ in locks:
            release.enter_context(locked(classroom, check_same_thread=False))
            threading.Timer(3.0, release.close).start()
        return mark(self, student, marks)

    monkeypatch.setattr(whole_class.Store, "marks", lock_once)
    code, written = grade()
    assert code == 0, written
    assert_told(written, "another program writes to the gradebook")
    assert classroom.complaints(by_hand=True) == []


def be_impatient(classroom):
    """SQLite itself waits for a moment only."""
    url = f"sqlite:///{classroom.root}/gradebook.db?timeout=0.1"
    with (classroom.root / "nbgrader_config.py").open("a") as config:
        config.write(f"c.CourseDirectory.db_url = {url!r}\n")


def test_a_gradebook_of_an_older_nbgrader(classroom, grade):
    with contextlib.closing(sqlite3.connect(classroom.root / "gradebook.db")) as database:
        database.execute("alter table student drop column lms_user_id")
        database.execute("update alembic_version set version_num = '167914646830'")
        database.commit()
    code, written = grade()
    assert code == options.COULD_NOT_WORK
    assert_told(written, "It comes from an older nbgrader: run `nbgrader db upgrade`", AGAIN)
    upgraded = classroom.type("nbgrader", "db", "upgrade")
    assert upgraded.returncode == 0, upgraded.stdout
    assert_whole_after(grade, classroom)


def test_a_gradebook_that_cannot_be_written(classroom, grade):
    place = str(classroom.root / "gradebook.db")
    done = classroom.grade(wrapper=in_a_view("--ro-bind", place, place))
    assert done.returncode == options.COULD_NOT_WORK
    assert_told(done.stdout, "Make sure that you may write to gradebook.db and to its folder")
    assert_whole_after(grade, classroom)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_each_signal_that_stops_says_what_is_left(classroom, grade, monkeypatch, number):
    marks = whole_class.Store.marks

    def marks_and_signal(self, student, given):
        stored = marks(self, student, given)
        signal.raise_signal(number)
        return stored

    with monkeypatch.context() as patch:
        patch.setattr(whole_class.Store, "marks", marks_and_signal)
        code, written = grade()
    assert code == options.STOPPED
    assert_told(written, "stopped with 3 to go: run the same command again to go on with them")
    code, written = grade()
    assert (code, "1 unchanged, 3 graded" in written) == (0, True), written
    assert classroom.complaints(by_hand=True) == []


def test_a_command_that_is_told_to_end_is_gone(classroom, grade):
    record = classroom.course.record("student-01", ASSIGNMENT)
    old = record.read_bytes()
    # It would take too long to end by itself.
    answer = classroom.submission("import time\nfor _ in range(99): time.sleep(9)", "Twice.")
    classroom.write(f"submitted/student-02/{ASSIGNMENT}/{ASSIGNMENT}.ipynb", answer)
    process = classroom.start("proctor", "grade", ASSIGNMENT, "-j", "1", "--log", "run.log")
    log = classroom.root / "run.log"
    while process.poll() is None and not (log.exists() and "student-01" in log.read_text()):
        time.sleep(0.01)
    process.terminate()
    written, _ = process.communicate(timeout=300)
    assert process.returncode == options.STOPPED
    assert_told(written, "to go: run the same command again to go on with them")
    assert record.read_bytes() != old
    classroom.hand_in("student-02", 2)
    assert_whole_after(grade, classroom)


def test_a_gradebook_that_stays_locked(classroom, grade, monkeypatch):
    monkeypatch.setattr(gradebook, "PATIENCE_SECONDS", 0.5)
    be_impatient(classroom)
    before = classroom.scores()
    with locked(classroom):
        code, written = grade()
    assert code == options.COULD_NOT_WORK
    assert_told(written, "gradebook.db", "locked", AGAIN)
    assert classroom.neither_old_nor_new(before) == []
    assert_whole_after(grade, classroom)


def test_a_corrupt_gradebook_is_left_as_it_is(classroom, grade):
    place = classroom.root / "gradebook.db"
    sound, broken = place.read_bytes(), b"This is no database." * 500
    place.write_bytes(broken)
    code, written = grade()
    assert code == options.COULD_NOT_WORK
    assert_told(written, "gradebook.db", "not a database", AGAIN)
    assert place.read_bytes() == broken
    place.write_bytes(sound)
    assert_whole_after(grade, classroom)


def in_a_view(*options):
    """A wrapper that runs a command where the file system looks different: root may write
    anywhere, so that permissions alone would prove nothing."""
    capabilities = ("--cap-add", "ALL") if is_root() else ()
    return (str(find_bubblewrap()), "--dev-bind", "/", "/", *capabilities, *options)


def test_a_folder_that_cannot_be_written(classroom, grade):
    before, folder = classroom.scores(), str(classroom.root / "autograded")
    done = classroom.grade(wrapper=in_a_view("--ro-bind", folder, folder))
    assert done.returncode == options.COULD_NOT_WORK
    assert_told(done.stdout, "Read-only file system", "autograded", AGAIN)
    assert classroom.neither_old_nor_new(before) == []
    assert_whole_after(grade, classroom)


@pytest.mark.parametrize("folder", ["autograded", "records"])
def test_a_full_disk(classroom, grade, folder):
    before, place = classroom.scores(), str(classroom.root / folder)
    full = 'head -c 9999 /dev/zero > "$0/full" 2> /dev/null; exec "$@"'
    view = in_a_view("--size", "4096", "--tmpfs", place)
    done = classroom.grade(wrapper=(*view, "sh", "-c", full, place))
    assert done.returncode == options.COULD_NOT_WORK
    assert_told(done.stdout, "No space left on device", AGAIN)
    assert classroom.neither_old_nor_new(before) == []
    assert_whole_after(grade, classroom)


def test_a_clock_that_jumps(classroom, grade, monkeypatch):
    """Neither limits nor the question what has to be graded again hang on the time of day."""
    real, choose = time.time, random.Random(5)
    monkeypatch.setattr(time, "time", lambda: real() + choose.uniform(-1e8, 1e8))
    assert_whole_after(grade, classroom)
    assert " 0 graded, " in grade()[1]
    classroom.hand_in("student-01", 9)
    for path in Path("submitted").rglob("*.ipynb"):
        shutil.copystat("source", path)  # older than anything that was graded
    assert " 1 graded, " in grade()[1]
    assert classroom.complaints(by_hand=True) == []


def test_a_submission_that_changes_while_it_is_read(classroom, grade, monkeypatch):
    """What was read counts for this run. The next one sees that the file is another."""
    read = whole_class.Classroom.read
    changed = iter([("student-02", 100)])

    def read_and_change(self, student):
        data = read(self, student)
        if student == "student-02":
            for name, number in changed:
                classroom.hand_in(name, number)
        return data

    monkeypatch.setattr(whole_class.Classroom, "read", read_and_change)
    code, written = grade()
    assert code == 0, written
    assert_whole_after(grade, classroom)


def test_a_submission_that_is_still_being_written(classroom, grade):
    path = classroom.root / "submitted" / "student-03" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    code, written = grade()
    assert code == options.NEEDS_A_LOOK
    assert_told(written, "student-03: rejected")
    path.write_bytes(whole)
    assert_whole_after(grade, classroom)


@pytest.mark.parametrize("left", ["graded notebook", "record", "half a record"])
def test_what_a_kill_left_half_done_is_graded_again(classroom, grade, left):
    assert_whole_after(grade, classroom)
    record = classroom.course.record("student-01", ASSIGNMENT)
    if left == "graded notebook":
        (classroom.root / "autograded" / "student-01" / ASSIGNMENT / "tiny.ipynb").unlink()
    elif left == "record":
        record.unlink()
    else:
        record.write_text('{"half": ')
    assert " 1 graded, " in grade()[1]
    assert classroom.complaints(by_hand=True) == []


class Killed(BaseException):
    """Ends the grader where it is raised: nothing but a process's end goes on from there."""


def test_a_kill_before_a_notebook_shows_its_marks(classroom, grade, monkeypatch):
    """nbgrader writes each notebook twice; only the second time are the marks in it."""

    def kill(*_):
        raise Killed

    assert_whole_after(grade, classroom)
    with monkeypatch.context() as patch:
        patch.setattr(MarkInSandbox, "preprocess", kill)
        with pytest.raises(Killed):
            grade("--force")
    assert_whole_after(grade, classroom)


def test_a_grader_that_is_killed(classroom, grade):
    """`make faults` kills graders, workers, sessions and warm processes at random moments."""
    before, record = classroom.scores(), classroom.course.record("student-01", ASSIGNMENT)
    old = record.read_bytes()

    def until_one_is_stored(process):
        with contextlib.suppress(FileNotFoundError):  # what is graded anew loses its record first
            while process.poll() is None and record.read_bytes() == old:
                time.sleep(0.01)

    killed, _ = kill_one(classroom, "the grader", until_one_is_stored)
    assert killed
    assert classroom.neither_old_nor_new(before) == []
    assert_whole_after(grade, classroom)
