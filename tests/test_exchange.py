"""The exchange: what people are told when something is wrong with it, and that nothing is lost."""

from __future__ import annotations

import contextlib
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import nbformat
import pytest
from conftest import cell
from nbformat import v4
from nbgrader.api import Gradebook
from nbgrader.apps.api import NbGraderAPI
from nbgrader.auth import Authenticator
from nbgrader.coursedir import CourseDirectory
from nbgrader.exchange import ExchangeError
from nbgrader.exchange.default import (
    ExchangeFetchAssignment,
    ExchangeFetchFeedback,
    ExchangeSubmit,
)
from nbgrader.utils import capture_log
from traitlets.config import Config, PyFileConfigLoader

from proctor.classroom.exchange import Room, copy_carefully

REPOSITORY = Path(__file__).parent.parent
GRADERS = '''
from proctor.authoring import grades


@grades("double_values", hint="Try a few numbers.")
def test_double(student):
    """Numbers are doubled"""
    assert student.double(3) == 6
'''


class SmallClass:
    """A course with an exchange, seen by its instructor and by its students."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.course = folder / "course"
        self.exchange = folder / "exchange"
        self.exchange.mkdir()
        self.exchange.chmod(0o777)
        cells = [
            cell(
                "double",
                "def double(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION",
                solution=True,
            ),
            cell("double_values", "assert double(1) == 2", points=2),
            cell("explain", "The rubric", kind="markdown", points=3, solution=True),
        ]
        for path in ("source/tiny", "tests/graders/tiny"):
            (self.course / path).mkdir(parents=True)
        nbformat.write(v4.new_notebook(cells=cells), self.course / "source/tiny/tiny.ipynb")
        (self.course / "tests/graders/tiny/test_tiny.py").write_text(GRADERS)
        shutil.copy(REPOSITORY / "nbgrader_config.py", self.course)

    def instructor(self, **changes: str) -> NbGraderAPI:
        """What Formgrader's buttons call."""
        config = PyFileConfigLoader("nbgrader_config.py", path=str(self.course)).load_config()
        config.Exchange.root = changes.get("exchange", str(self.exchange))
        config.CourseDirectory.course_id = changes.get("course_id", "small")
        config.ExchangeCollect.check_owner = False
        return NbGraderAPI(config=config)

    def student(self, action: type, student: str = "student-01", course_id: str = "small") -> dict:
        """What the Assignment List's buttons call: fetch, submit, fetch feedback."""
        config = Config()
        config.Exchange.root = str(self.exchange)
        config.Exchange.assignment_dir = str(self.work(student))
        config.Exchange.cache = str(self.folder / "cache" / student)
        config.CourseDirectory.student_id = student
        config.CourseDirectory.course_id = course_id
        config.CourseDirectory.assignment_id = "tiny"
        self.work(student).mkdir(parents=True, exist_ok=True)
        coursedir = CourseDirectory(config=config)
        authenticator = Authenticator(config=config)
        return capture_log(action(coursedir=coursedir, authenticator=authenticator, config=config))

    def work(self, student: str) -> Path:
        return self.folder / "students" / student

    def answer(self, source: str, written: str, student: str = "student-01") -> None:
        path = self.work(student) / "tiny/tiny.ipynb"
        notebook = nbformat.read(path, as_version=4)
        for found in notebook.cells:
            found.source = {"double": source, "explain": written}.get(found.id, found.source)
        nbformat.write(notebook, path)

    def inbound(self) -> list[Path]:
        return sorted((self.exchange / "small/inbound").iterdir())

    def gradebook(self) -> Gradebook:
        return Gradebook(f"sqlite:///{self.course / 'gradebook.db'}")


@pytest.fixture
def small_class(tmp_path, monkeypatch) -> SmallClass:
    """The assignment is released, and student-01 has handed in a right answer."""
    small_class = SmallClass(tmp_path)
    monkeypatch.chdir(small_class.course)
    monkeypatch.setenv("HOME", str(tmp_path))
    instructor = small_class.instructor()
    succeeded(instructor.generate_assignment("tiny"))
    succeeded(instructor.release_assignment("tiny"))
    succeeded(small_class.student(ExchangeFetchAssignment))
    small_class.answer("def double(x):\n    return 2 * x", "Twice is two times.")
    succeeded(small_class.student(ExchangeSubmit))
    return small_class


def succeeded(result: dict) -> str:
    assert result["success"], result
    return result.get("log", "")


def told(result: dict) -> str:
    assert not result["success"]
    return result.get("log", "") + result["error"]


def test_exchange_that_is_not_there_comes_with_its_remedy(small_class):
    nowhere = small_class.folder / "nowhere"
    said = told(small_class.instructor(exchange=str(nowhere)).collect("tiny"))
    assert f"the exchange {nowhere} is not there" in said
    assert f"`mkdir -p {nowhere} && chmod 777 {nowhere}`" in said
    assert "c.Exchange.root" in said
    assert not nowhere.exists()
    assert len(small_class.inbound()) == 1
    succeeded(small_class.instructor().collect("tiny"))


def test_exchange_that_cannot_be_written_to_comes_with_its_remedy(small_class):
    # Not even root can make a file there. (Only collecting: releasing would change its mode.)
    said = told(small_class.instructor(exchange="/proc").collect("tiny"))
    assert "the exchange /proc cannot be written to" in said
    assert len(small_class.inbound()) == 1


def test_course_id_that_differs_is_named(small_class):
    said = told(small_class.student(ExchangeSubmit, course_id="other"))
    assert "other/inbound" in said
    said = told(small_class.instructor(course_id="other").collect("tiny"))
    assert "Course not found" in said
    assert "other/inbound" in said
    assert len(small_class.inbound()) == 1


def test_wrong_student_id_is_another_student_and_hurts_nobody(small_class):
    shutil.copytree(small_class.work("student-01"), small_class.work("student-10"))
    succeeded(small_class.student(ExchangeSubmit, student="student-10"))
    shutil.copytree(small_class.work("student-01"), small_class.work("student+1"))
    said = told(small_class.student(ExchangeSubmit, student="student+1"))
    assert "The student ID should contain no '*' nor '+'" in said
    instructor = small_class.instructor()
    succeeded(instructor.collect("tiny"))
    assert instructor.get_submitted_students("tiny") == {"student-01", "student-10"}
    said = told(instructor.autograde("tiny", "student-1"))
    assert "No notebooks were matched by" in said
    assert "submitted/student-1/tiny" in said


def test_late_submission_is_collected_graded_and_told(small_class):
    instructor = small_class.instructor()
    with small_class.gradebook() as gradebook:
        yesterday = datetime.now(UTC) - timedelta(days=1)
        gradebook.update_or_create_assignment("tiny", duedate=f"{yesterday:%Y-%m-%d %H:%M:%S} UTC")
    succeeded(instructor.collect("tiny"))
    said = succeeded(instructor.autograde("tiny", "student-01"))
    assert "seconds late" in said
    with small_class.gradebook() as gradebook:
        submission = gradebook.find_submission("tiny", "student-01")
        assert submission.total_seconds_late > 80_000
        assert submission.score == 2


def test_submission_changed_after_collection_is_graded_anew(small_class):
    instructor = small_class.instructor()
    succeeded(instructor.collect("tiny"))
    succeeded(instructor.autograde("tiny", "student-01"))
    with small_class.gradebook() as gradebook:
        grade = gradebook.find_grade("explain", "tiny", "tiny", "student-01")
        grade.manual_score, grade.needs_manual_grade = 2.5, False
        gradebook.db.commit()
    small_class.answer("def double(x):\n    return x", "Twice is once more.")
    succeeded(small_class.student(ExchangeSubmit))
    # Nothing happens to what was graded until it is collected, and then it is told.
    assert instructor.get_autograded_students("tiny") == {"student-01"}
    said = succeeded(instructor.collect("tiny"))
    assert "Updating submission: student-01 tiny" in said
    assert instructor.get_autograded_students("tiny") == set()  # "needs autograding"
    succeeded(instructor.autograde("tiny", "student-01"))
    with small_class.gradebook() as gradebook:
        assert gradebook.find_grade("double_values", "tiny", "tiny", "student-01").auto_score == 0
        # What a person gave stays, and is to be looked at again.
        grade = gradebook.find_grade("explain", "tiny", "tiny", "student-01")
        assert (grade.score, grade.needs_manual_grade) == (2.5, True)
    assert len(small_class.inbound()) == 2


def test_submission_edited_by_hand_after_collection_is_regraded_by_the_button(small_class):
    instructor = small_class.instructor()
    succeeded(instructor.collect("tiny"))
    succeeded(instructor.autograde("tiny", "student-01"))
    path = small_class.course / "submitted/student-01/tiny/tiny.ipynb"
    path.chmod(0o644)
    path.write_text(path.read_text().replace("return 2 * x", "return 5 * x"))
    succeeded(instructor.autograde("tiny", "student-01"))
    with small_class.gradebook() as gradebook:
        assert gradebook.find_grade("double_values", "tiny", "tiny", "student-01").auto_score == 0


def test_feedback_goes_back_to_whom_it_belongs(small_class):
    instructor = small_class.instructor()
    succeeded(instructor.collect("tiny"))
    succeeded(instructor.autograde("tiny", "student-01"))
    succeeded(instructor.generate_feedback("tiny"))
    succeeded(instructor.release_feedback("tiny"))
    succeeded(small_class.student(ExchangeFetchFeedback))
    [page] = small_class.work("student-01").rglob("*.html")
    assert "2 of 2 points so far" in page.read_text()
    assert "The rubric" not in page.read_text()


def test_links_and_pipes_in_a_submission_are_not_collected(small_class):
    [submission] = small_class.inbound()
    secret = small_class.course / "tests/graders/tiny/test_tiny.py"
    submission.chmod(0o777)
    (submission / "stolen.py").symlink_to(secret)
    (submission / "folder").symlink_to(secret.parent)
    os.mkfifo(submission / "pipe")
    said = succeeded(small_class.instructor().collect("tiny"))
    assert said.count("not collected, because it is not a regular file") == 3
    collected = small_class.course / "submitted/student-01/tiny"
    assert sorted(path.name for path in collected.iterdir()) == [
        "submission_secret.txt",
        "timestamp.txt",
        "tiny.ipynb",
    ]


def test_a_file_that_becomes_a_link_while_it_is_copied_is_not_followed(small_class, monkeypatch):
    """Whoever handed it in swaps it between the look and the copy."""
    secret = small_class.course / "source/tiny/tiny.ipynb"
    (submission,) = small_class.inbound()
    notebook = submission / "tiny.ipynb"
    seen = os.stat

    def swap(path, **options):
        status = seen(path, **options)
        if path == "tiny.ipynb" and not notebook.is_symlink():
            notebook.unlink()
            notebook.symlink_to(secret)
        return status

    monkeypatch.setattr(os, "stat", swap)
    said = "".join(copy_carefully(submission, fresh(small_class.folder / "copy"), Room()))
    assert notebook.is_symlink()
    assert "because it is not a regular file: 'tiny.ipynb'" in said
    assert not (small_class.folder / "copy/tiny.ipynb").exists()


def test_a_folder_that_becomes_a_link_while_it_is_copied_is_not_followed(tmp_path, monkeypatch):
    secrets, submission = fresh(tmp_path / "secrets"), fresh(tmp_path / "submission")
    (secrets / "solution.py").write_text("secret")
    (submission / "data").mkdir()
    opened = os.open

    def swap(path, *arguments, **options):
        if path == "data" and not (submission / "data").is_symlink():
            (submission / "data").rmdir()
            (submission / "data").symlink_to(secrets)
        return opened(path, *arguments, **options)

    monkeypatch.setattr(os, "open", swap)
    with contextlib.suppress(OSError):
        list(copy_carefully(submission, fresh(tmp_path / "copy"), Room()))
    assert (submission / "data").is_symlink()
    assert "secret" not in "".join(read_all(tmp_path / "copy"))


def test_another_name_for_a_file_of_somebody_else_is_not_collected(tmp_path):
    """Where the system lets students make one, they need not be able to read the file."""
    submission = fresh(tmp_path / "submission")
    (tmp_path / "solution.py").write_text("secret")
    os.link(tmp_path / "solution.py", submission / "answer.py")
    (reason,) = copy_carefully(submission, fresh(tmp_path / "copy"), Room())
    assert "another name" in reason
    assert list((tmp_path / "copy").iterdir()) == []


def test_what_is_collected_is_bounded(tmp_path):
    submission, room = fresh(tmp_path / "submission"), Room(6, 1000, 1)
    with (submission / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    for name in ("a", "b", "c"):
        (submission / name).write_bytes(bytes(400))
    (submission / "d/e").mkdir(parents=True)
    (submission / "d/e/deep").touch()
    said = list(copy_carefully(submission, fresh(tmp_path / "copy"), room))
    assert said == [
        "because it has 400 bytes, and there is room for 200 more: 'c'",
        "because it has 1,099,511,627,776 bytes, and there is room for 200 more: 'sparse'",
        "because it is more than 1 folders deep: what is in 'd'",
    ]
    assert sorted(path.name for path in (tmp_path / "copy").iterdir()) == ["a", "b", "d"]
    for number in range(9):
        (submission / "d" / str(number)).touch()
    said = list(copy_carefully(submission, fresh(tmp_path / "again"), room))
    assert said[-1] == "because there are more than 6 files: what is in 'd'"


def fresh(folder: Path) -> Path:
    folder.mkdir()
    return folder


def read_all(folder: Path) -> list[str]:
    return [path.read_text() for path in folder.rglob("*") if path.is_file()]


def test_stock_collect_would_have_followed_the_link(small_class, monkeypatch):
    """The counter-check: without the guard a grader lies in submitted/, and then in feedback/."""
    from nbgrader.exchange.default.collect import ExchangeCollect

    from proctor.classroom import exchange

    instructor = small_class.instructor()
    monkeypatch.setattr(ExchangeCollect, "do_copy", exchange.DO_COPY)
    [submission] = small_class.inbound()
    submission.chmod(0o777)
    (submission / "stolen.py").symlink_to(small_class.course / "tests/graders/tiny/test_tiny.py")
    succeeded(instructor.collect("tiny"))
    stolen = small_class.course / "submitted/student-01/tiny/stolen.py"
    assert stolen.read_text() == GRADERS


def test_fetching_what_was_not_released_says_so(small_class):
    shutil.rmtree(small_class.exchange / "small/outbound/tiny")
    shutil.rmtree(small_class.work("student-01"))
    assert "Assignment not found" in told(small_class.student(ExchangeFetchAssignment))
    assert ExchangeError.__name__ in told(small_class.student(ExchangeFetchAssignment))
