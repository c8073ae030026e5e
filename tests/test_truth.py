"""The gradebook is the truth: what it lacks is stored again, and pages follow what it holds."""

import contextlib
import errno
import shutil

import nbformat
import pytest
from nbgrader.apps.api import NbGraderAPI
from nbgrader.converters.base import BaseConverter
from nbgrader.coursedir import CourseDirectory
from nbgrader.server_extensions.formgrader import formgrader
from sqlalchemy import Engine, event
from test_classroom import HALF, RIGHT, copy_of, proctor
from test_nbgrader import SmallCourse

from proctor.classroom import whole_class
from proctor.classroom.feedback_of_class import make_pages, side_by_side
from proctor.classroom.reading.tables import Given, Grading, Item, opened
from proctor.classroom.whole_class import Classroom, Store
from proctor.course import Course, CourseError
from proctor.grading.marks import rejected_unread
from proctor.pages.formgrader import FeedbackExporter
from proctor.settings import load_config


@pytest.fixture(scope="module")
def graded(tmp_path_factory) -> SmallCourse:
    """A class of three, one of them late, graded and with feedback."""
    course = SmallCourse(tmp_path_factory.mktemp("truth") / "course")
    made = course.nbgrader("generate_assignment", "tiny")
    assert made.returncode == 0, made.stderr
    shutil.copy(course.root / "gradebook.db", course.root / "empty.db")
    course.submit("right", {"double": RIGHT, "explain": "Twice is two times."})
    course.submit("half", {"double": HALF})
    course.submit("late", {"double": RIGHT})
    course.write("submitted/late/tiny/timestamp.txt", "2030-01-03 12:00:00 UTC")
    with course.gradebook() as gradebook:
        gradebook.update_or_create_assignment("tiny", duedate="2030-01-01 12:00:00 UTC")
    done = proctor(course, "grade", "tiny", "-j", "2")
    assert "3 graded" in done.stdout, done.stdout + done.stderr
    made = course.nbgrader("generate_feedback", "tiny")
    assert made.returncode == 0, made.stderr
    return course


def pages(course):
    """When each page was written, by student."""
    return {
        path.parts[-3]: path.stat().st_mtime_ns for path in course.root.glob("feedback/*/*/*.html")
    }


def made_anew(course):
    before = pages(course)
    made = course.nbgrader("generate_feedback", "tiny")
    assert made.returncode == 0, made.stderr
    return {name for name, when in pages(course).items() if before.get(name) != when}


def test_an_exchanged_gradebook_gets_all_marks_again(graded):
    course = copy_of(graded, "exchanged")
    by_hand = course.scores("right")["explain"]
    shutil.copy(course.root / "empty.db", course.root / "gradebook.db")
    done = proctor(course, "grade", "tiny", "-j", "2")
    assert "0 unchanged, 3 graded" in done.stdout, done.stdout + done.stderr
    assert course.scores("right")["double_values"] == (2, False)
    assert course.scores("right")["explain"] == by_hand
    assert made_anew(course) <= {"right", "half", "late"}


def test_a_removed_student_and_changed_points_are_stored_again(graded):
    course = copy_of(graded, "removed")
    with course.gradebook() as gradebook:
        gradebook.remove_student("half")
        grade = gradebook.find_grade("double_values", "tiny", "tiny", "right")
        grade.auto_score = 0.25
        grade = gradebook.find_grade("explain", "tiny", "tiny", "right")
        grade.manual_score, grade.needs_manual_grade = 1.5, False
        gradebook.db.commit()
    # Without marks a page is told of and left; the others are made.
    made = course.nbgrader("generate_feedback", "tiny")
    assert "half has no feedback on tiny: the gradebook has no marks of it" in made.stderr
    assert "MissingEntry" not in made.stderr
    done = proctor(course, "grade", "tiny", "-j", "2")
    assert "1 unchanged, 2 graded" in done.stdout, done.stdout + done.stderr
    assert course.scores("right")["double_values"] == (2, False)
    with course.gradebook() as gradebook:
        grade = gradebook.find_grade("explain", "tiny", "tiny", "right")
        assert grade.manual_score == 1.5
    done = proctor(course, "grade", "tiny", "-j", "2")
    assert "3 unchanged" in done.stdout


def test_pages_are_made_anew_when_what_they_show_has_changed_and_only_then(graded):
    course = copy_of(graded, "pages")
    assert made_anew(course) == set()
    with course.gradebook() as gradebook:
        grade = gradebook.find_grade("explain", "tiny", "tiny", "right")
        grade.manual_score, grade.needs_manual_grade = 1.5, False
        gradebook.find_comment("explain", "tiny", "tiny", "half").manual_comment = "Say more."
        gradebook.db.commit()
    assert made_anew(course) == {"right", "half"}
    assert "Say more." in (course.root / "feedback/half/tiny/tiny.html").read_text()
    assert course.nbgrader("generate_feedback", "tiny", "--force").returncode == 0
    assert made_anew(course) == set()
    (course.root / "feedback/right/tiny/tiny.html").unlink()
    course.submit("half", {"double": RIGHT})
    assert "1 graded" in proctor(course, "grade", "tiny", "-j", "2").stdout
    assert made_anew(course) == {"right", "half"}


def test_a_changed_item_of_a_rubric_reaches_the_page(graded):
    course = copy_of(graded, "items")
    url = f"sqlite:///{course.root / 'gradebook.db'}"
    key = {"assignment": "tiny", "exercise": "explain"}
    with course.gradebook() as gradebook:
        grade = gradebook.find_grade("explain", "tiny", "tiny", "right")
        grade.manual_score, grade.needs_manual_grade = 1.0, False
        gradebook.db.commit()
    made_anew(course)
    with opened(url, write=True) as session:
        item = Item(**key, place=0, points=1.0, text="Says *why*.")
        session.add(item)
        session.flush()
        given = [Given(item_id=item.id, points=1.0, text=item.text)]
        read = {"grader": "ana", "saved": "", "state": "current", "points": 1.0, "sha256": ""}
        session.add(Grading(**key, **read, student="right", given=given))
    assert made_anew(course) == {"right"}
    assert "Says <em>why</em>." in (course.root / "feedback/right/tiny/tiny.html").read_text()


def pages_as_bytes(course):
    return {path.parts[-3]: path.read_bytes() for path in course.root.glob("feedback/*/*/*.html")}


def test_pages_made_side_by_side_are_those_of_nbgrader(graded, monkeypatch):
    course = copy_of(graded, "side-by-side")
    plain = pages_as_bytes(course)
    assert set(plain) == {"right", "half", "late"}
    monkeypatch.chdir(course.root)
    config, own = load_config(), Course(course.root)
    told = []
    tally = make_pages(config, own, "tiny", [], workers=2, force=False, progress=told.append)
    assert (tally.unchanged, tally.made, tally.look_at) == (3, 0, [])
    shutil.rmtree(course.root / "feedback")
    pages = list(side_by_side(course.root, "tiny", sorted(plain), workers=2, force=False))
    assert all(page.made for page in pages)
    assert pages_as_bytes(course) == plain
    # One that was ended in the middle of a page leaves none, or one that is made again.
    page = course.root / "feedback/half/tiny/tiny.html"
    page.write_bytes(plain["half"][: len(plain["half"]) // 2])
    tally = make_pages(config, own, "tiny", [], workers=2, force=False)
    assert (tally.unchanged, tally.made) == (2, 1)
    assert pages_as_bytes(course) == plain


def test_the_database_is_asked_as_often_for_one_page_as_for_three(graded, monkeypatch):
    course = copy_of(graded, "asked")
    monkeypatch.chdir(course.root)
    config, own, found = load_config(), Course(course.root), []
    make_pages(
        config, own, "tiny", [], workers=1, force=True
    )  # what is late is worked out the first time
    for wanted in (["right"], []):
        with counted("before_cursor_execute") as asked:
            tally = make_pages(config, own, "tiny", wanted, workers=1, force=True)
        assert tally.made == (len(wanted) or 3)
        found.append(len(asked))
    assert found[0] == found[1] > 0


def test_formgrader_finds_a_place_in_the_class_with_as_many_questions_for_one_as_for_three(
    graded, monkeypatch
):
    course = copy_of(graded, "place")
    monkeypatch.chdir(course.root)
    config, found = load_config(), []
    api = NbGraderAPI(CourseDirectory(config=config), config=config)
    for removed in ((), ("half", "late")):
        with course.gradebook() as gradebook:
            for student in removed:
                gradebook.remove_student(student)
        with counted("before_cursor_execute") as asked:
            places = api.get_notebook_submission_indices("tiny", "tiny")
        assert sorted(places.values()) == list(range(3 - len(removed)))
        found.append(len(asked))
    assert found[0] == found[1] > 0
    assert formgrader.HTMLExporter is FeedbackExporter  # whose pages others look at


def test_with_nothing_to_do_nothing_is_started(graded, monkeypatch):
    course = copy_of(graded, "nothing-to-do")
    monkeypatch.chdir(course.root)
    classroom = Classroom(load_config(), Course(course.root), "tiny")
    monkeypatch.setattr(whole_class, "shared_sandbox", None)
    monkeypatch.setattr(whole_class, "Workers", None)
    tally = classroom.grade(classroom.students(), workers=2)
    assert (tally.total, tally.unchanged, tally.look_at) == (3, 3, [])


@contextlib.contextmanager
def counted(what):
    """How often SQLAlchemy tells of this, in a list."""
    told = []

    def tell(*_):
        told.append(what)

    event.listen(Engine, what, tell)
    try:
        yield told
    finally:
        event.remove(Engine, what, tell)


def rows_of_student(course, student):
    with course.gradebook() as gradebook:
        submission = gradebook.find_submission("tiny", student)
        [notebook] = submission.notebooks
        return sorted(
            (grade.name, grade.auto_score, grade.manual_score, grade.needs_manual_grade)
            for grade in notebook.grades
        ), sorted((comment.name, comment.auto_comment) for comment in notebook.comments)


def test_what_is_stored_of_a_submission_is_one_transaction(graded, monkeypatch):
    course = copy_of(graded, "one-transaction")
    monkeypatch.chdir(course.root)
    store = Store(Classroom(load_config(), Course(course.root), "tiny"))
    marks = rejected_unread("tiny", Course(course.root), "right", "it was not read")
    before = rows_of_student(course, "right")
    with monkeypatch.context() as patched:

        def fail(*_):
            raise OSError(errno.ENOSPC, "No space left on device")

        # The last that nbgrader does.
        patched.setattr(BaseConverter, "set_permissions", fail)
        with pytest.raises(CourseError, match="No space left"):
            store.marks("right", marks)
    assert rows_of_student(course, "right") == before
    assert "3 unchanged" not in proctor(course, "grade", "tiny", "-j", "1").stdout
    assert rows_of_student(course, "right") == before
    monkeypatch.setattr(whole_class, "count_rows", lambda _: None)
    for student in ("right", "somebody-new"):
        marks = rejected_unread("tiny", Course(course.root), student, "it was not read")
        course.submit(student, {})
        with counted("commit") as commits:
            assert store.marks(student, marks) is None
        assert len(commits) == 1
        grades, comments = rows_of_student(course, student)
        assert ("double_values", 0.0, None, False) in grades
        assert [name for name, *_ in grades] == [name for name, *_ in before[0]]
        assert [name for name, _ in comments] == [name for name, _ in before[1]]


def test_a_notebook_that_makes_no_page_keeps_nobody_else_from_theirs(graded):
    course = copy_of(graded, "no-page")
    shutil.rmtree(course.root / "feedback")
    (course.root / "autograded/half/tiny/tiny.ipynb").chmod(0o644)
    course.write("autograded/half/tiny/tiny.ipynb", "no notebook")
    done = proctor(course, "feedback", "tiny", "-j", "1")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "tiny: 3 pages: 0 unchanged, 2 made, 1 not possible" in done.stdout
    assert "half: no page: NotJSONError: Notebook does not appear to be JSON" in done.stdout
    assert set(pages(course)) == {"right", "late"}
    done = proctor(course, "feedback", "tiny", "--student", "riht")
    assert done.returncode == 2
    assert "no graded submission of tiny by riht: did you mean right?" in done.stderr


def test_a_changed_rule_for_what_is_late_reaches_gradebook_and_page(graded):
    course = copy_of(graded, "late-rule")
    config = course.root / "nbgrader_config.py"
    rule = "c.LateSubmissionPlugin.penalty_method"
    config.write_text(f"{config.read_text()}\n{rule} = 'none'\n")
    none = made_anew(course)
    config.write_text(f"{config.read_text()}\n{rule} = 'zero'\n")
    zero = made_anew(course)
    assert zero == {"late"} and none in (set(), {"late"})
    with course.gradebook() as gradebook:
        assert gradebook.find_submission("tiny", "late").late_submission_penalty == 3.0
    config.write_text(f"{config.read_text()}\n{rule} = 'none'\n")
    course.write("extensions.csv", "assignment,student,until\ntiny,late,soon\n")
    done = proctor(course, "grade", "tiny")
    assert done.returncode == 1 and "3 unchanged" in done.stdout
    assert "extensions.csv: line 2: 'soon' is not a time" in done.stdout
    with course.gradebook() as gradebook:
        assert not gradebook.find_submission("tiny", "late").late_submission_penalty
    assert made_anew(course) == {"late"}


def test_every_folder_that_was_handed_in_gets_a_mark_or_a_reason(graded):
    course = copy_of(graded, "odd")
    notebook = (course.root / "submitted/right/tiny/tiny.ipynb").read_text()
    odd = {"as-text": "tiny.ipynb.txt", "with [brackets]": "tiny.ipynb"}
    for student, name in {**odd, "blank ": "tiny.ipynb"}.items():
        course.write(f"submitted/{student}/tiny/{name}", notebook)
    course.write("submitted/essay/tiny/essay.docx", "words")
    (course.root / "submitted/nothing/tiny").mkdir(parents=True)
    done = proctor(course, "grade", "tiny", "-j", "2")
    assert "3 unchanged, 2 graded, 2 rejected, 1 set aside" in done.stdout, done.stdout
    assert "submitted/'blank ' begins or ends with a blank" in done.stdout
    assert "as-text" in done.stdout and "the notebook was named" in done.stdout
    told = proctor(course, "explain", "tiny", "blank ")
    assert told.returncode == 2 and "has no mark for tiny: set aside" in told.stderr
    assert "begins or ends with a blank" in told.stderr and "grade again" in told.stderr
    proctor(course, "report", "tiny")
    page = (course.root / "reports/tiny.html").read_text()
    assert "Set aside, not graded" in page and "rename the folder" in page
    (course.root / "submitted/blank ").rename(course.root / "submitted/blank")
    done = proctor(course, "grade", "tiny")
    assert "1 graded" in done.stdout and "0 set aside" in done.stdout, done.stdout
    for student in (*odd, "blank"):
        assert course.scores(student)["double_values"] == (2, False)
    for student in ("essay", "nothing"):
        assert course.scores(student)["double_values"] == (0, False)
    served = copy_of(course, "odd-again")
    done = served.nbgrader("autograde", "tiny", "--student", "nothing", "--force")
    assert served.scores("nothing")["double_values"] == (0, False), done.stderr


def test_a_release_that_nbgrader_refuses_leaves_the_old_one(graded):
    course = copy_of(graded, "refused")
    release = course.root / "release/tiny/tiny.ipynb"
    before = release.read_bytes()
    source = course.root / "source/tiny/tiny.ipynb"
    notebook = nbformat.read(source, as_version=4)
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == "double_values":
            cell.metadata.nbgrader.grade_id = "renamed"
    nbformat.write(notebook, source)
    refused = course.nbgrader("generate_assignment", "tiny")
    assert refused.returncode != 0
    assert "is as it was: no new one was made" in refused.stderr
    assert release.read_bytes() == before
