"""Reading written answers: what is stored, who reads what, and that nothing is lost."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
import time

import pytest
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config
from written import (
    ASSIGNMENT,
    EXERCISE,
    PNG,
    RUBRIC,
    WrittenCourse,
    notebook_of,
    written_cell,
)

from proctor.classroom.feedback_pages import read_gradebook
from proctor.classroom.reading import groups, sharing, tables
from proctor.classroom.reading.gradings import Gone, Saving
from proctor.classroom.reading.room import Room
from proctor.classroom.reading.statistics import written_reports
from proctor.classroom.reading.storing import SaveGrades
from proctor.classroom.reading.tables import Grading, Locked, opened
from proctor.course import Course, CourseError

AT = (ASSIGNMENT, EXERCISE)
STAIRS = "Accuracy is a staircase: between two steps nothing moves."
FLAT = "The slope is $0$, so no step follows."
CLASS = {
    "student-01": STAIRS,
    "student-02": STAIRS.upper().replace(" ", "   "),
    "student-03": FLAT,
    "student-04": STAIRS + " So the slope is 0.",
    "student-05": "",
    "student-06": "Because of imbalanced classes.",
}


@pytest.fixture
def course(tmp_path, empty_gradebook) -> WrittenCourse:
    course = WrittenCourse(tmp_path / "course", empty_gradebook)
    course.hand_in(CLASS)
    return course


@pytest.fixture
def room(course) -> Room:
    return room_of(course)


def room_of(course: WrittenCourse) -> Room:
    return Room(Course(course.root), course.url)


def key_of(room: Room, student: str) -> str:
    """What the page calls a student's answer; only `who` tells."""
    listed = room.listed(*AT, "ana")["answers"]
    return next(one["key"] for one in listed if room.who(*AT, one["key"])["student"] == student)


def answer_of(room: Room, student: str, grader: str = "ana") -> dict:
    return room.open(*AT, grader, key_of(room, student))["answer"]


def items_of(room: Room) -> list[int]:
    return [item["id"] for item in room.open(*AT, "ana", None)["items"]]


def read(room: Room, student: str, grader: str = "ana", places=(0,), **more) -> dict:
    """Open an answer and save it with these items of the rubric."""
    answer = answer_of(room, student, grader)
    items = [items_of(room)[place] for place in places]
    return save(room, answer, grader, items=items, **more)


def save(room: Room, answer: dict, grader: str = "ana", **given) -> dict:
    return room.save(*AT, grader, Saving(answer["key"], answer["version"], **given))


# One reader


def test_a_save_gives_nbgrader_its_points_and_comment(course, room):
    told = read(room, "student-03", places=(0, 1, 3), remark="Say *why*.", seconds=12.0)
    assert told["saved"]["points"] == 1.5
    assert course.given("student-03") == (1.5, False, "Say *why*.")
    with course.gradebook() as gradebook:
        assert gradebook.find_submission(ASSIGNMENT, "student-03").score == 1.5
        assert not gradebook.find_submission(ASSIGNMENT, "student-03").needs_manual_grade
    assert told["remarks"] == ["Say *why*."]
    assert told["answer"]["key"] != answer_of(room, "student-03")["key"]


def test_the_page_never_learns_a_name_unless_it_asks(room):
    told = str([room.open(*AT, "ana", None), room.listed(*AT, "ana")])
    assert "student-0" not in told
    key = key_of(room, "student-03")
    assert room.who(*AT, key) == {"student": "student-03", "name": ""}


def test_all_answers_come_up_once_and_the_empty_one_never(room):
    answer, seen = room.open(*AT, "ana", None)["answer"], []
    while answer is not None:
        seen.append(room.who(*AT, answer["key"])["student"])
        answer = save(room, answer)["answer"]
    assert sorted(seen) == [student for student, text in CLASS.items() if text]
    assert room.open(*AT, "ana", None)["progress"]["read"] == len(seen)


def test_it_opens_where_the_reader_stopped_and_skipped_ones_come_again(room):
    first = room.open(*AT, "ana", None)["answer"]
    second = save(room, first)["answer"]
    assert room.open(*AT, "ana", None)["answer"]["key"] == second["key"]
    third = room.next(*AT, "ana", second["key"])["answer"]
    assert third["key"] != second["key"]
    left = [third["key"]]
    while (answer := save(room, answer_by(room, left[-1]))["answer"]) is not None:
        left.append(answer["key"])
    assert left[-1] == second["key"]


def answer_by(room: Room, key: str, grader: str = "ana") -> dict:
    return room.answer(*AT, grader, key, 0, False)["answer"]


def test_back_and_forth(room):
    keys = [one["key"] for one in room.listed(*AT, "ana")["answers"]]
    assert room.answer(*AT, "ana", keys[1], -1, False)["answer"]["key"] == keys[0]
    assert room.answer(*AT, "ana", keys[1], 1, False)["answer"]["key"] == keys[2]
    assert room.answer(*AT, "ana", keys[0], -1, False)["answer"] is None


def test_time_left_comes_from_what_reading_took(room):
    assert room.open(*AT, "ana", None)["progress"]["seconds"] is None
    told = read(room, "student-03", seconds=30.0)
    assert told["progress"] == {"total": 5, "read": 1, "seconds": 4 * 30.0, "others": 0}
    told = read(room, "student-06", seconds=86_400.0)  # went for lunch and home
    assert told["progress"]["seconds"] == 3 * (30.0 + 300.0) / 2


def test_a_reading_can_be_taken_back(course, room):
    read(room, "student-03", remark="good")
    answer = answer_of(room, "student-03")
    told = room.withdraw(*AT, "ana", answer["key"], answer["version"])
    assert told["answer"]["waits"]
    assert course.given("student-03") == (None, True, None)
    again = room.withdraw(*AT, "ana", answer["key"], answer["version"])
    assert again["saved"]["state"] == "beside"


def test_without_items_points_are_given_as_a_number(course, room):
    course.write_rubric("Look for the staircase.")
    answer = answer_of(room, "student-03")
    with pytest.raises(CourseError, match="from 0 to 3"):
        save(room, answer, points=3.5)
    save(room, answer, points=2.25)
    assert course.given("student-03")[0] == 2.25


def test_what_stands_above_is_shown_on_demand(room):
    above = room.above(*AT, key_of(room, "student-03"), False)["html"]
    assert "Explain it to a friend." in above
    assert f'src="data:image/png;base64,{PNG}"' in above


# The same for several


def test_equal_answers_get_the_same_at_once_and_one_can_be_taken_out(course, room):
    answer = answer_of(room, "student-01")
    [other] = answer["equal"]
    also = {other["key"]: other["version"]}
    told = save(room, answer, items=items_of(room)[:1], remark="why?", also=also, seconds=10.0)
    assert len(told["saved"]["stored"]) == 2
    assert course.given("student-01") == course.given("student-02") == (1.0, False, "why?")
    assert told["progress"]["seconds"] == 3 * 5.0  # the second one took no time
    answer = answer_of(room, "student-02")
    room.withdraw(*AT, "ana", answer["key"], answer["version"])
    assert course.given("student-01")[0] == 1.0
    assert course.given("student-02") == (None, True, None)


def test_one_that_changed_meanwhile_is_left_alone(course, room):
    answer = answer_of(room, "student-01")
    [other] = answer["equal"]
    course.give_in_formgrader("student-02", 3.0, "mine")
    told = save(room, answer, also={other["key"]: other["version"]})
    assert told["saved"]["left"] == [other["key"]]
    assert course.given("student-02") == (3.0, False, "mine")


def test_alike_answers_are_found_by_a_cut(room):
    def found(alike):
        told = room.alike(*AT, "ana", key_of(room, "student-01"), alike)
        return {room.who(*AT, one["key"])["student"] for one in told["members"]}

    assert found(0.95) == {"student-02"}
    assert found(0.5) == {"student-02", "student-04"}


def test_too_many_answers_are_not_compared(room, monkeypatch):
    monkeypatch.setattr(groups, "MOST_TEXTS", 3)
    told = room.alike(*AT, "ana", key_of(room, "student-01"), 0.5)
    assert "at most 3 are compared" in told["message"]
    assert len(told["members"]) == 1  # the equal one


def test_photos_are_not_alike_because_their_texts_are(course, room):
    other = PNG[:-8] + "AAAAAAA="
    text = "![photo](attachment:photo.png)"
    course.hand_in(
        {"student-07": text, "student-08": text},
        {
            "student-07": {"photo.png": {"image/png": PNG}},
            "student-08": {"photo.png": {"image/png": other}},
        },
    )
    answer = answer_of(room, "student-07")
    assert f'<img src="data:image/png;base64,{PNG}" alt="photo">' in answer["html"]
    assert answer["equal"] == []
    assert room.alike(*AT, "ana", answer["key"], 0.5)["members"] == []


# Several graders


def test_the_second_save_is_kept_beside_the_first(course, room):
    seen = answer_of(room, "student-03", "ben")
    read(room, "student-03", "ana", places=(0, 1), remark="ana's")
    told = save(room, seen, "ben", items=items_of(room)[:1], remark="ben's")
    assert told["saved"]["state"] == "beside"
    assert course.given("student-03") == (2.0, False, "ana's")
    answer = told["answer"]
    assert (answer["given"]["grader"], answer["given"]["remark"]) == ("ana", "ana's")
    [kept] = answer["beside"]
    assert (kept["grader"], kept["points"], kept["remark"]) == ("ben", 1.0, "ben's")
    save(room, answer, "ben", items=kept["items"], remark=kept["remark"])
    assert course.given("student-03") == (1.0, False, "ben's")
    assert answer_of(room, "student-03")["beside"] == []


def test_what_formgrader_gave_appears_and_is_not_replaced_unseen(course, room):
    seen = answer_of(room, "student-03")
    course.give_in_formgrader("student-03", 2.75, "by hand")
    told = save(room, seen, items=items_of(room)[:1])
    assert told["saved"]["state"] == "beside"
    assert course.given("student-03") == (2.75, False, "by hand")
    answer = told["answer"]
    assert answer["formgrader"] == {"points": 2.75, "remark": "by hand"}
    assert answer["remark"] == "by hand"
    save(room, answer, items=items_of(room)[:1], remark="read")
    assert course.given("student-03") == (1.0, False, "read")
    with opened(room.url) as session:
        kept = session.query(Grading).filter_by(student="student-03", grader="Formgrader").one()
        assert (kept.state, kept.points, kept.remark) == ("replaced", 2.75, "by hand")


def test_an_answer_is_open_to_one_at_a_time(room, monkeypatch):
    first = room.open(*AT, "ana", None)["answer"]
    second = room.open(*AT, "ben", None)["answer"]
    assert first["key"] != second["key"]
    assert answer_by(room, first["key"], "ben")["open_elsewhere"] == "ana"
    later = time.time() + sharing.LEASE_SECONDS + 1
    monkeypatch.setattr(sharing.time, "time", lambda: later)
    assert room.open(*AT, "cem", None)["answer"]["key"] == first["key"]
    # Whoever's lease ran out can save all the same, as long as nobody else did.
    assert save(room, first, "ana")["saved"]["state"] == "current"


def test_answers_are_dealt_out_and_equal_ones_go_together(room):
    [(_, dealt)] = room.deal(room.exercises(ASSIGNMENT), ["ana", "ben"], 0.0)
    assert sorted(dealt.values()) == [2, 3]
    for_ana = {
        one["pseudonym"] for one in room.listed(*AT, "ana")["answers"] if one["dealt_to"] == "ana"
    }
    equal = {answer_of(room, student)["pseudonym"] for student in ("student-01", "student-02")}
    assert equal <= for_ana or not equal & for_ana
    told = room.open(*AT, "ana", None)["progress"]
    assert (told["total"], told["others"]) == (dealt["ana"], dealt["ben"])


def test_an_answer_is_passed_on(room):
    answer = room.open(*AT, "ana", None)["answer"]
    told = room.pass_on(*AT, "ana", answer["key"], "ben")
    assert told["answer"]["key"] != answer["key"]
    assert room.open(*AT, "ben", None)["answer"]["key"] == answer["key"]
    assert told["progress"]["others"] == 1
    with pytest.raises(CourseError, match="is not a name"):
        room.pass_on(*AT, "ana", told["answer"]["key"], " ")


@pytest.mark.parametrize(
    ("names", "twice", "reason"),
    [
        (["ana", "ana"], 0, "named twice"),
        (["ana"], 0.5, "two people"),
        (["ana", ""], 0, "not a name"),
    ],
)
def test_what_cannot_be_dealt_is_told(room, names, twice, reason):
    with pytest.raises(CourseError, match=reason):
        room.deal(room.exercises(ASSIGNMENT), names, twice)


def test_two_read_the_same_without_seeing_each_other_and_the_report_says_how_far_they_agree(
    course, room
):
    room.deal(room.exercises(ASSIGNMENT), ["ana", "ben"], 1.0)
    students = [student for student, text in CLASS.items() if text]
    ids = items_of(room)
    for student in students:
        key = key_of(room, student)
        shares = {one["key"]: one["dealt_to"] for one in room.listed(*AT, "ana")["answers"]}
        first = shares[key]
        second = "ben" if first == "ana" else "ana"
        save(room, answer_by(room, key, first), first, items=ids[:2], remark="first")
        shown = answer_by(room, key, second)
        assert (shown["second"], shown["items"], shown["remark"]) == (True, [], "")
        given = ids[:1] if student == "student-03" else ids[:2]
        assert save(room, shown, second, items=given)["saved"]["state"] == "second"
        assert course.given(student) == (2.0, False, "first")
    [report] = written_reports(config_of(course), ASSIGNMENT)
    assert (report.read, report.twice, report.differ) == (5, 5, 1)
    assert [item.agreement for item in report.items] == [1.0, 0.8, 1.0, 1.0]
    assert [item.share for item in report.items] == [1.0, 1.0, 0.0, 0.0]


def config_of(course: WrittenCourse) -> Config:
    return Config({"CourseDirectory": {"root": str(course.root), "db_url": course.url}})


# A rubric that changes


def test_a_changed_item_is_shown_first_and_stored_when_confirmed(course, room):
    read(room, "student-03", places=(0, 1), remark="good")
    read(room, "student-04", places=(0,))
    course.give_in_formgrader("student-04", 2.75, "by hand")
    course.write_rubric(
        RUBRIC.replace("* 1: so its slope is 0 nearly", "* 0.5: so the slope is 0 nearly")
    )
    told = room.open(*AT, "ana", None)
    assert told["change"]["items"] == [
        {
            "before": (1.0, "so its slope is 0 nearly everywhere"),
            "after": (0.5, "so the slope is 0 nearly everywhere"),
        }
    ]
    [effect] = told["change"]["effects"]
    assert (effect["before"], effect["after"], effect["held"]) == (2.0, 1.5, None)
    assert course.given("student-03")[0] == 2.0
    assert room.change(*AT, "ana", told["digest"]) == {"changed": 1}
    assert course.given("student-03") == (1.5, False, "good")
    assert course.given("student-04") == (2.75, False, "by hand")
    assert room.open(*AT, "ana", None)["change"] is None
    assert answer_of(room, "student-03")["given"]["grader"] == "ana"


def test_a_rubric_that_changed_once_more_is_not_stored(course, room):
    read(room, "student-03")
    course.write_rubric(RUBRIC.replace("* 1: says", "* 0.5: says"))
    digest = room.open(*AT, "ana", None)["digest"]
    course.write_rubric(RUBRIC.replace("* 1: says", "* 0.25: says"))
    with pytest.raises(CourseError, match="changed again"):
        room.change(*AT, "ana", digest)


def test_a_new_item_changes_nobody_and_an_item_that_goes_is_taken_from_all(course, room):
    read(room, "student-03", places=(0, 1))
    course.write_rubric(RUBRIC.replace("* -0.5:", "* -1: says nothing\n* -0.5:"))
    told = room.open(*AT, "ana", None)
    assert (told["change"], len(told["items"])) == (None, 5)
    course.write_rubric(RUBRIC.replace("* 1: so its slope is 0 nearly everywhere\n", ""))
    told = room.open(*AT, "ana", None)
    assert [(one["before"], one["after"]) for one in told["change"]["effects"]] == [(2.0, 1.0)]
    room.change(*AT, "ana", told["digest"])
    assert course.given("student-03")[0] == 1.0


def test_a_rubric_with_markup_is_words(course, room):
    course.write_rubric(
        '* 3: <img src="x" onerror="alert(1)"><b>so</b>\n> <script>alert(2)</script>'
    )
    [item] = room.open(*AT, "ana", None)["items"]
    assert "<b>so</b>" in item["html"]
    assert "onerror" not in item["html"]
    assert "<script" not in item["notes"]


# Grading again


def grade_again(course: WrittenCourse, student: str, text: str) -> None:
    """What `proctor grade` and `nbgrader autograde` do at the end of grading a submission."""
    notebook = notebook_of(written_cell(text))
    given = {"notebook": ASSIGNMENT, "assignment": ASSIGNMENT, "student": student}
    SaveGrades().preprocess(notebook, {"nbgrader": {**given, "db_url": course.url}})


def test_an_answer_that_stayed_the_same_stays_read(course, room):
    read(room, "student-03", places=(0, 1), remark="good")
    grade_again(course, "student-03", FLAT)
    assert course.given("student-03") == (2.0, False, "good")
    course.give_in_formgrader("student-04", 2.75, "by hand")
    grade_again(course, "student-04", CLASS["student-04"])
    assert course.given("student-04") == (2.75, False, "by hand")


def test_an_answer_that_changed_comes_up_again_beside_what_was_given(course, room):
    read(room, "student-03", places=(0, 1), remark="good")
    grade_again(course, "student-03", FLAT + " Whatever the rate.")
    assert course.given("student-03") == (2.0, True, "good")
    grade_again(course, "student-03", FLAT + " Whatever the rate.")
    assert course.given("student-03") == (2.0, True, "good")
    answer = answer_of(room, "student-03")
    assert answer["waits"]
    assert "Whatever the rate." in answer["html"]
    assert "Whatever the rate." not in answer["before"]["html"]
    assert (answer["before"]["points"], answer["items"]) == (2.0, items_of(room)[:2])
    save(room, answer, items=items_of(room)[:3])
    assert course.given("student-03")[:2] == (3.0, False)


def test_what_was_read_outlives_the_assignment_in_the_gradebook(course, room):
    read(room, "student-03", places=(0, 1), remark="good")
    with course.gradebook() as gradebook:
        gradebook.remove_assignment(ASSIGNMENT)
    course.enter_assignment()
    course.hand_in({"student-03": FLAT})
    assert course.given("student-03") == (None, True, None)
    grade_again(course, "student-03", FLAT)
    assert course.given("student-03") == (2.0, False, "good")


def test_feedback_tells_the_items_unless_points_came_from_elsewhere(course, room):
    read(room, "student-03", places=(0,))
    coursedir = CourseDirectory(config=Config(CourseDirectory={"root": str(course.root)}))
    [item] = read_gradebook(coursedir, ASSIGNMENT).students["student-03"].items[EXERCISE]
    assert item["text"] == "says that accuracy moves only when a decision flips"
    assert item["explanation"].startswith("It counts decisions")
    with course.gradebook() as gradebook:
        gradebook.find_grade(EXERCISE, ASSIGNMENT, ASSIGNMENT, "student-03").manual_score = 2.0
        gradebook.db.commit()
    assert read_gradebook(coursedir, ASSIGNMENT).students["student-03"].items == {}


# What goes wrong

KILLED = """
import os, signal, sys
from pathlib import Path
from proctor.classroom.reading import gradings
from proctor.classroom.reading.gradings import Saving
from proctor.classroom.reading.room import Room
from proctor.course import Course

def die(*arguments, **more):
    os.kill(os.getpid(), signal.SIGKILL)

root, url, key, version, where = sys.argv[1:]
setattr(gradings, where, die)
Room(Course(Path(root)), url).save("essay", "explain", "ana", Saving(key, version, remark="half"))
"""


@pytest.mark.parametrize("where", ["write_to_gradebook", "Place"])
def test_a_kill_in_the_middle_of_a_save_leaves_nothing_half(course, room, where):
    answer = answer_of(room, "student-03")
    arguments = [str(course.root), room.url, answer["key"], answer["version"], where]
    done = subprocess.run([sys.executable, "-c", KILLED, *arguments], timeout=120, check=False)
    assert done.returncode == -signal.SIGKILL
    assert course.given("student-03") == (None, True, None)
    again = answer_of(room, "student-03")
    assert (again["version"], again["given"], again["beside"]) == (answer["version"], None, [])
    assert save(room, answer, remark="whole")["saved"]["state"] == "current"
    assert course.given("student-03") == (0.0, False, "whole")


def test_a_locked_gradebook_is_told_and_nothing_is_lost(course, room, monkeypatch):
    answer = answer_of(room, "student-03")
    monkeypatch.setattr(tables, "LOCKED_SECONDS", 0.1)
    tables.engine_of.cache_clear()
    with sqlite3.connect(course.root / "gradebook.db", isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(Locked, match="wait a moment") as told:
            save(room, answer)
        assert "nothing was saved" in str(told.value)
        other.execute("ROLLBACK")
    assert save(room, answer)["saved"]["state"] == "current"
    tables.engine_of.cache_clear()


def test_a_student_who_was_removed_meanwhile(course, room):
    answer = answer_of(room, "student-03")
    with course.gradebook() as gradebook:
        gradebook.remove_student("student-03")
    with pytest.raises(Gone, match="removed meanwhile"):
        save(room, answer)
    with pytest.raises(Gone):
        answer_by(room, answer["key"])
    assert room.answer(*AT, "ana", answer["key"], 1, False)["answer"] is not None
    assert len(room.listed(*AT, "ana")["answers"]) == 4


def test_a_megabyte_is_shown_in_part_and_whole_on_demand(course, room):
    course.hand_in({"student-07": "<b>" + "long " * 200_000})
    answer = answer_of(room, "student-07")
    assert answer["cut"]
    assert answer["characters"] == 1_000_003
    assert len(answer["html"]) < 30_000
    whole = room.answer(*AT, "ana", answer["key"], 0, True)["answer"]["html"]
    assert len(whole) > 1_000_000
    assert "<b>" not in whole
    assert save(room, answer)["saved"]["state"] == "current"


def test_answers_that_were_graded_before_are_taken_in(course, room):
    with opened(room.url, write=True) as session:
        session.query(tables.Answer).delete()
    answer = answer_of(room, "student-03")
    assert "no step follows" in answer["html"]


def test_another_gradebook_in_the_place_of_the_first(course, room, empty_gradebook):
    read(room, "student-03")
    (course.root / "gradebook.db").unlink()
    shutil.copy(empty_gradebook, course.root / "gradebook.db")
    course.enter_assignment()
    course.hand_in({"student-03": FLAT})
    read(room, "student-03", places=(0, 1))
    assert course.given("student-03")[:2] == (2.0, False)


def test_names_that_are_not_there(tmp_path, monkeypatch, room, empty_gradebook):
    with pytest.raises(CourseError, match=r"no written answer 'nothing' here\. There is explain"):
        room.open(ASSIGNMENT, "nothing", "ana", None)
    with pytest.raises(CourseError, match="knows no written answers of other"):
        room.exercises("other")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CourseError, match="Start JupyterLab in the course's folder"):
        Room.here()
    assert not (tmp_path / "gradebook.db").exists()


def test_a_save_with_items_of_an_older_rubric_is_refused(room):
    answer = answer_of(room, "student-03")
    with pytest.raises(CourseError, match="reload it"):
        save(room, answer, items=[99])
