"""The gradebook is the truth: what it lacks is stored again, and pages follow what it holds."""

import shutil

import nbformat
import pytest
from test_classroom import HALF, RIGHT, copy_of, proctor
from test_nbgrader import SmallCourse


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
    assert made_anew(course) == set()
    (course.root / "feedback/right/tiny/tiny.html").unlink()
    course.submit("half", {"double": RIGHT})
    assert "1 graded" in proctor(course, "grade", "tiny", "-j", "2").stdout
    assert made_anew(course) == {"right", "half"}


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
    assert "3 unchanged" in proctor(course, "grade", "tiny").stdout
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
    for student in odd:
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
