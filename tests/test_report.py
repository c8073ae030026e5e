"""The report on a class, of made-up marks: what it says, whom it names, and how it looks."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import statistics
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

import pytest
from accessible import LOOKS, browser, each_look, faults, opened  # noqa: F401 - a fixture
from bs4 import BeautifulSoup
from made_class import ASSIGNMENT, MadeClass, questions
from PIL import Image
from playwright.sync_api import expect

from proctor import cli
from proctor.classroom.reading.statistics import ItemReport, WrittenReport
from proctor.course import Course
from proctor.grading.marks import state_of
from proctor.grading.records import aside_file, write_aside
from proctor.grading.refusals import refusal
from proctor.pages.exercises import exercises_of
from proctor.pages.report.acting import to_act_on, to_know
from proctor.pages.report.charts import Distribution
from proctor.pages.report.comparison import compare
from proctor.pages.report.gathering import ClassResults, gather
from proctor.pages.report.items import (
    CheckResult,
    causes_first,
    check_results,
    exercise_results,
    parts_of,
    worst_first,
)
from proctor.pages.report.page import report_page
from proctor.pages.report.summary import summary_of
from proctor.settings import course_of, load_config

# Some answers were read by two people, who do not always agree.
WRITTEN = WrittenReport(
    exercise="explain_better",
    points=3.0,
    answers=38,
    read=16,
    mean=1.5,
    items=[
        ItemReport(1.0, "says that <b>accuracy</b> stands still", 0.75, 0.9, 0.8),
        ItemReport(-0.5, "confuses metric and loss", None, 1.0, None),
    ],
    twice=10,
    differ=2,
)
# The one of each kind in the first fifty: see MadeClass.
BLANK, REJECTED, LATE, ENDED = "student-07", "student-17", "student-27", "student-37"


@pytest.fixture(scope="module")
def made(empty_gradebook, tmp_path_factory) -> MadeClass:
    return MadeClass(tmp_path_factory.mktemp("report") / "course", empty_gradebook, 40)


@pytest.fixture(scope="module")
def all_read(empty_gradebook, tmp_path_factory) -> MadeClass:
    """Another class: all that was written has been read."""
    root = tmp_path_factory.mktemp("read") / "last-year"
    return MadeClass(root, empty_gradebook, 20, read=1.0, seed=3, harder=0.8)


@pytest.fixture(scope="module")
def report(made) -> Path:
    return reported(made)


def reported(made: MadeClass, *arguments: str) -> Path:
    with here(made):
        assert cli.main(["report", ASSIGNMENT, *arguments]) == 0
    return made.root / "reports" / f"{ASSIGNMENT}.html"


@contextmanager
def here(made: MadeClass) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made.root)
        yield


def results_of(made: MadeClass) -> ClassResults:
    with here(made):
        config = load_config()
        return gather(config, course_of(config), ASSIGNMENT)


def text_of(page: Path) -> str:
    return " ".join(BeautifulSoup(page.read_text(), "html.parser").get_text(" ").split())


# What it says


def test_scores_are_automatic_ones_until_all_is_read(made, all_read, report):
    results = results_of(made)
    with made.gradebook() as gradebook:
        submissions = gradebook.assignment_submissions(ASSIGNMENT)
        waiting = sum(each.needs_manual_grade for each in submissions)
        assert {one.student: one.stored.score for one in results.submissions} == pytest.approx(
            {each.student_id: each.score for each in submissions}
        )
    assert results.waiting == waiting > 0
    shown = text_of(report)
    assert "Scores are out of 17 points so far" in shown
    assert f"{waiting} written answers have yet to be read" in shown
    automatic = [
        sum(cell["score"] or 0 for cell in one.record["cells"])
        for one in results.submissions
        if one.student != REJECTED
    ]
    assert f"median {statistics.median(automatic):.2f} of 17" in shown
    assert f"mean {statistics.fmean(automatic):.2f} of 17" in shown
    others = text_of(reported(all_read))
    assert "so far" not in others
    totals = [one.stored.score for one in results_of(all_read).marked]
    assert f"mean {statistics.fmean(totals):.2f} of 20" in others


def test_it_begins_with_what_must_be_acted_on(made, report):
    page = BeautifulSoup(report.read_text(), "html.parser")
    assert page.main.find("h2").text == "To act on"
    found = {matter.h3.text: matter.text for matter in page.select(".matter:not(.calm)")}
    assert list(found)[:4] == [
        "Rejected (1)",
        "Handed in, not graded (1)",
        "Unusual, possibly tampering (1)",
        "Out of time (1)",
    ]
    assert f"{REJECTED}: the file is not valid JSON." in found["Rejected (1)"]
    assert "zz-new" in found["Handed in, not graded (1)"]
    assert f"{ENDED}: mnist_loss ended its process" in found["Unusual, possibly tampering (1)"]
    assert f"{LATE}: train_epoch took longer" in found["Out of time (1)"]
    [calm] = page.select(".calm")
    assert "zz-none" in calm.text


def test_exercises_have_the_names_that_students_see(made):
    exercises = {one.name: one for one in exercises_of(made.release)}
    assert exercises["sigmoid"].title == "Exercise sigmoid"
    assert exercises["sigmoid"].cells == {"sigmoid_values": 2.0, "sigmoid_gradient": 1.0}
    assert exercises["explain_better"].by_hand == {"explain_better"}


@pytest.mark.parametrize(
    ("source", "title"),
    [
        ("## 2. The `mean` of [all](x.html) *squares*", "2. The mean of all squares"),
        ("# The whole notebook", "double"),
        ("```python\n# no heading\n```\n### A heading #", "A heading"),
        ("No heading", "double"),
    ],
)
def test_a_heading_becomes_a_title(made, source, title):
    from conftest import cell
    from nbformat.v4 import new_markdown_cell, new_notebook

    cells = [cell("double", "x = 1"), cell("double_values", "assert x", points=2)]
    [exercise] = exercises_of(new_notebook(cells=[new_markdown_cell(source), *cells]))
    assert exercise.title == title
    assert exercise.cells == {"double_values": 2.0}


def test_two_answers_under_one_heading_are_told_apart():
    from conftest import cell
    from nbformat.v4 import new_markdown_cell, new_notebook

    cells = [new_markdown_cell("## Means")]
    for name in ("one", "two"):
        cells += [cell(name, "x = 1"), cell(f"{name}_values", "assert x", points=1)]
    titles = [one.title for one in exercises_of(new_notebook(cells=cells))]
    assert titles == ["Means: one", "Means: two"]


def test_difficulty_and_discrimination(made):
    results = results_of(made)
    found = {one.exercise.name: one for one in exercise_results(results)}
    sigmoid = found["sigmoid"]
    own, rest = [], []
    for one in results.marked:
        scores = {
            cell["grade_id"]: cell["score"] for cell in one.cells if cell["score"] is not None
        }
        mine = scores.pop("sigmoid_values") + scores.pop("sigmoid_gradient")
        own.append(mine / 3)
        rest.append(sum(scores.values()))
    assert sigmoid.mean == pytest.approx(statistics.fmean(own))
    assert sigmoid.discrimination == pytest.approx(statistics.correlation(own, rest))
    assert sigmoid.unanswered == [BLANK]
    # Of a written exercise, only what has been read counts.
    explain = found["explain_better"]
    assert explain.waiting + len(explain.known) + len(explain.unanswered) == len(results.marked)
    means = [one.mean for one in worst_first(list(found.values()))]
    assert means == sorted(means)


def test_a_cause_stands_before_what_waits_for_it(made, report):
    [main, *others] = check_results(results_of(made))["sigmoid"]
    waiting = [check for check in others if check.cause == main.title]
    assert others[: len(waiting)] == waiting
    assert {check.depth for check in waiting} == {1}
    for check in waiting:  # what was not tried did not fail
        assert set(check.not_tried) == set(main.failed)
        assert not set(check.failed) & set(check.not_tried)
    page = BeautifulSoup(report.read_text(), "html.parser")
    row = page.find("th", string=main.title).parent
    assert [one.text for one in row.select(".names a")] == main.failed
    assert f"{len(main.failed)} failed “{main.title}”" in text_of(report)


def test_causes_of_causes():
    checks = [
        CheckResult("e", "c", "third", "Third", failed=["a"], cause="Second"),
        CheckResult("e", "c", "second", "Second", failed=["a"], cause="First"),
        CheckResult("e", "c", "alone", "Alone", failed=["a", "b", "c"]),
        CheckResult("e", "c", "first", "First", failed=["a", "b"]),
        CheckResult("e", "c", "elsewhere", "Elsewhere", cause="In another exercise"),
    ]
    ordered = [(check.name, check.depth) for check in causes_first(checks)]
    assert ordered == [
        ("alone", 0),
        ("first", 0),
        ("second", 1),
        ("third", 2),
        ("elsewhere", 0),
    ]


def test_records_of_before_count_what_was_not_tried(made):
    """Older records say it in the hint alone."""
    results = results_of(made)
    expected = check_results(results)
    for one in results.submissions:
        for check in (check for cell in one.cells for check in cell["checks"]):
            del check["tried"], check["cause"]
    assert check_results(results) == expected


def test_mistakes_are_told_of_by_how_many(made, report):
    page = BeautifulSoup(report.read_text(), "html.parser")
    section = page.find("h2", id="mistakes")
    first = section.find_next("details")
    assert re.match(r"\d+\s+students: without the minus sign", first.summary.text)
    assert "Your answer" not in first.summary.text
    assert "def sigmoid(x):" in first.pre.text
    counts = [
        int(re.match(r"\d+", details.summary.text)[0])
        for details in section.find_next_siblings("details", class_="exercise")
        if "student" in details.summary.text
    ]
    assert counts == sorted(counts, reverse=True)


@pytest.mark.parametrize(
    ("diagnosis", "parts"),
    [
        ("Known mistake: “a (b): c”. Try this. And that.", ("a (b): c", "Try this. And that.")),
        ("Known mistake. Try it: now.", (None, "Try it: now.")),
        ("Your answer does the same as a known mistake, “x”: Do: y.", ("x", "Do: y.")),
        ("Your answer does the same as a known mistake: Do.", (None, "Do.")),
    ],
)
def test_what_is_said_of_a_known_mistake(diagnosis, parts):
    assert parts_of(diagnosis) == parts


def test_written_answers_are_told_of_by_item(compared):
    page = BeautifulSoup(compared.read_text(), "html.parser")
    section = page.find("h2", id="written")
    rows = rows_of(section.find_next("table"))
    assert rows["says that <b>accuracy</b> stands still"] == ["+1", "75 %", "90 %", "0.80"]
    assert rows["confuses metric and loss"][0] == "-0.5"
    assert "16 of 38 answers have been read; the mean is 1.50 of 3 points" in text_of(compared)
    assert "who gave different points to 2 of them" in text_of(compared)


def test_quartiles_and_bars():
    scores = Distribution(17.0, [0.0, 1.0, 2.0, 3.0, 16.999999, 17.0, 17.0])
    assert scores.quartiles == (1.5, 3.0, pytest.approx(16.9999995))
    assert sum(count for _, _, count in scores.bars) == 7
    assert scores.bars[0] == (0.0, 1.0, 1)
    assert scores.bars[-1] == (16.0, 17.0, 3)
    assert (scores.full, scores.nothing) == (2, 1)
    assert len(Distribution(200.0, [200.0]).bars) <= 20
    assert len(Distribution(0.5, [0.25]).bars) == 1


def test_links_lead_to_pages_that_are_there(made, report):
    page = BeautifulSoup(report.read_text(), "html.parser")
    links = [link["href"] for link in page.select("a[href]")]
    inside = {link[1:] for link in links if link.startswith("#")}
    assert inside <= {one["id"] for one in page.select("[id]")}
    outside = {link for link in links if not link.startswith("#")}
    assert len(outside) == 40
    assert all(link.startswith("../feedback/") and link.endswith(".html") for link in outside)
    assert all((report.parent / link).is_file() for link in outside)
    assert not re.search(r"(src|href)=.?(https?:)?//", report.read_text())


def test_nobody_is_named_who_is_not_to_be(made, report):
    page = reported(made, "--anonymous").read_text()
    assert not any(student in page for student in (*made.students, "zz-new", "zz-none"))
    assert "submission 12" in page
    reported(made)


def test_what_graders_met_in_calls_is_told_once_for_each_student(made):
    results = results_of(made)
    met = {
        "Died": "`mnist_loss` ended the process it ran in. (killed)",
        "Untrustworthy": "The sandbox sent back something invalid.",
        "Raised": "`mnist_loss` raised ValueError.",
    }
    students = ("student-01", "student-02", "student-03")
    for student, (name, text) in zip(students, met.items(), strict=True):
        [one] = [one for one in results.submissions if one.student == student]
        for check in one.cells[0]["checks"]:
            check["passed"] = False
            check["detail"] = f"def test_x():\nE   proctor.grading.connection.{name}: {text}\n"
    [unusual] = [one for one in to_act_on(results) if one.key == "unusual"]
    assert unusual.lines[1:] == [(students[0], met["Died"]), (students[1], met["Untrustworthy"])]


def test_why_a_submission_was_set_aside_is_told_until_it_is_graded(made):
    course, new, old = Course(made.root), "zz-new", "student-02"
    error = "Traceback (most recent call last):\n  File \"x.py\"\nKeyError: 'loss'\n"
    for student in (new, old):
        write_aside(course, student, ASSIGNMENT, error, "Grade it again.")
    try:
        results = results_of(made)
        told = {one.key: dict(one.lines) for one in to_act_on(results)}
        assert told["set-aside"].keys() == {new, old}
        assert told["set-aside"][new].endswith("UTC: KeyError: 'loss'. Grade it again.")
        assert new not in told.get("not-graded", {})
        assert old in {one.student for one in results.submissions}
        assert summary_of(results)["set_aside"] == 2
    finally:
        for student in (new, old):
            aside_file(course, student, ASSIGNMENT).unlink()
    assert new in {one.key: dict(one.lines) for one in to_act_on(results_of(made))}["not-graded"]


def test_what_the_sandbox_refused_is_to_be_looked_at(made):
    results = results_of(made)
    told = refusal(["PermissionError", "OSError", "Exception"], "[Errno 13] Permission denied")
    assert told is not None
    assert refusal(["OSError"], "[Errno 101] Network is unreachable") != told
    assert refusal(["ValueError", "Exception"], "no such thing") is None
    results.submissions[0].record["incidents"].append(f"mnist_loss {told}")
    found = {one.key: one.lines for one in to_act_on(results)}
    assert found["refused"] == [(results.submissions[0].student, f"mnist_loss {told}")]
    assert not [one for one in to_know(results) if f"mnist_loss {told}" in str(one.lines)]


def test_what_came_of_questions_on_own_code(made):
    sheet = made.root / "records/student-03" / f"{ASSIGNMENT}.asked.json"
    sheet.write_text(json.dumps({"answered_right": 2, "questions": [1, 2, 3]}))
    page = BeautifulSoup(reported(made).read_text(), "html.parser")
    sheet.unlink()
    row = page.find("th", string="student-03").parent
    assert "2 of 3" in [cell.text for cell in row.find_all("td")]


def test_text_of_students_is_only_text(made):
    place = made.course.record("student-03", ASSIGNMENT)
    before = place.read_text()
    record = json.loads(before)
    record["incidents"] = ['<script>alert(1)</script> & "quoted" \x1b[31m']
    place.write_text(json.dumps(record))
    page = BeautifulSoup(reported(made).read_text(), "html.parser")
    place.write_text(before)
    assert len(page.find_all("script")) == 1
    assert '<script>alert(1)</script> & "quoted" [31m' in page.find("main").text


# As data, and beside another class


def test_as_json(made, capsys):
    reported(made, "--json")
    told = json.loads(capsys.readouterr().out)
    results = results_of(made)
    assert (told["assignment"], told["submissions"], told["rejected"]) == (ASSIGNMENT, 40, 1)
    assert told["answers_waiting"] == results.waiting
    assert told["scores"]["of"] == 17
    exercises = {one["name"]: one for one in told["exercises"]}
    assert exercises["sigmoid"]["unanswered"] == 1
    assert len(told["checks"]) == len(made.checks)
    for check in told["checks"]:
        assert check["passed"] + check["failed"] + check["not_tried"] == 39
    [rejected] = [one for one in told["students"] if one["status"] == "rejected"]
    assert rejected["student"] == REJECTED
    assert {one["kind"] for one in told["act_on"]} >= {"rejected", "timed-out", "unusual"}
    assert told["written"][0]["exercise"] == "explain_better"
    reported(made, "--json", "--anonymous")
    assert "student-" not in capsys.readouterr().out


def states_of(record):
    return {check["name"]: state_of(check) for cell in record["cells"] for check in cell["checks"]}


def test_as_rows_for_a_spreadsheet(made, capsys):
    reported(made, "--csv")
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    [rejected] = [row for row in rows if row["student"] == REJECTED]
    assert (rejected["status"], rejected["diagnosis"]) == (
        "rejected",
        "the file is not valid JSON.",
    )
    written = {"passed": "1", "failed": "0", "not tried": ""}
    student, states = next(
        (one.student, states)
        for one in results_of(made).marked
        if set((states := states_of(one.record)).values()) == set(written)
    )
    mine = [row for row in rows if row["student"] == student]
    told = {row["check"]: row["passed"] for row in mine if row["check"]}
    assert told == {check: written[state] for check, state in states.items()}
    assert {row["passed"] for row in mine if row["diagnosis"]} == {"0"}
    by_hand = [row for row in rows if row["title"] == "graded by a person"]
    assert len(by_hand) == 39
    unread = results_of(made).waiting
    assert sum(row["cell_score"] == "" for row in by_hand) == unread


def test_last_year_as_a_folder_as_records_and_as_json(made, all_read, tmp_path, capsys):
    reported(all_read, "--json", "--anonymous")
    saved = tmp_path / "last-year.json"
    saved.write_text(capsys.readouterr().out)
    pages = [
        BeautifulSoup(reported(made, "--compare", str(other)).read_text(), "html.parser")
        for other in (all_read.root, all_read.root / "records", saved)
    ]
    reported(made)
    tables = [rows_of(page.find("h2", id="comparison").find_next("table")) for page in pages]
    ours, theirs = results_of(made), results_of(all_read)
    here = {one.exercise.title: one for one in exercise_results(ours)}
    there = {one.exercise.title: one for one in exercise_results(theirs)}
    for title, (mine, count, other, others, difference) in tables[0].items():
        assert mine == f"{100 * here[title].mean:.0f} %"
        assert other == f"{100 * there[title].mean:.0f} %"
        assert (count, others) == (str(len(here[title].known)), str(len(there[title].known)))
        apart = 100 * (here[title].mean - there[title].mean)
        assert difference.split(" ±")[0].replace("\N{MINUS SIGN}", "-") == f"{apart:+.0f}"
    assert tables[2] == tables[0]
    # Records alone know of no written answers.
    written = "Exercise explain_better"
    assert tables[1].pop(written)[3] == "0"
    assert tables[1] == {title: row for title, row in tables[0].items() if title != written}
    assert len(pages[0].find("h2", id="comparison").find_next_siblings("details")) == 6


def rows_of(table) -> dict[str, list[str]]:
    return {
        row.th.text: [cell.text.replace("\xa0", " ").strip() for cell in row.find_all("td")]
        for row in table.tbody.find_all("tr")
    }


def test_two_groups_of_a_class(made, tmp_path, capsys):
    first, second = tmp_path / "monday.txt", tmp_path / "tuesday.csv"
    first.write_text("\n".join([*made.students[:20], "zz-new"]))
    second.write_text("".join(f"{student},Stu\n" for student in made.students[20:]))
    reported(made, "--group", str(second), "--json")
    saved = tmp_path / "tuesday.json"
    saved.write_text(capsys.readouterr().out)
    told = json.loads(saved.read_text())
    assert [one["student"] for one in told["students"]] == made.students[20:]
    whole = reported(made).read_text()
    reported(made, "--group", str(first), "--compare", str(saved))
    page = BeautifulSoup(
        (made.root / "reports" / f"{ASSIGNMENT}-monday.html").read_text(), "html.parser"
    )
    assert page.h1.text == "mnist_loss: how monday did"
    assert [row.th.text for row in page.select("table.students tbody tr[id]")] == sorted(
        made.students[:20], key=lambda name: (score_of(page, name), name)
    )
    assert "zz-new" in page.main.text
    assert "zz-none" not in page.main.text
    beginning = page.find(id="comparison").find_next("p").text
    assert beginning.replace("\xa0", " ").startswith("monday has 19 submissions, tuesday has 20.")
    assert {link["href"][1:] for link in page.select("a[href^='#']")} <= {
        one["id"] for one in page.select("[id]")
    }
    assert (made.root / "reports" / f"{ASSIGNMENT}.html").read_text() == whole
    first.write_text("student-1\n")
    with here(made):
        assert cli.main(["report", ASSIGNMENT, "--group", str(first)]) == 2
        assert "there is no student student-1: did you mean student-" in capsys.readouterr().err
        assert cli.main(["report", ASSIGNMENT, "--group", str(tmp_path / "none")]) == 2


def score_of(page, student: str) -> float:
    return float(page.find("th", string=student).find_next("td").text)


def test_nothing_to_compare_with(made, tmp_path, capsys):
    wrong = tmp_path / "wrong.json"
    wrong.write_text('{"format": 1}')
    for place, said in (
        (tmp_path / "nowhere", "does not exist: --compare takes a folder or a saved JSON"),
        (tmp_path, "holds no records of mnist_loss"),
        (wrong, "is not a JSON report"),
    ):
        with here(made):
            assert cli.main(["report", ASSIGNMENT, "--compare", str(place)]) == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "gradebook.db").exists()


CRAFTED = {
    "deep": "[" * 100_000,
    "no object": "[1]",
    "endless": '{"exercises": {"mean_share": NaN}}',
    "a number too large": {"submissions": 10**400},
    "fewer than none": {"rejected": -1},
    "words for numbers": {"submissions": "many"},
    "a list for a name": {"exercises": [{"name": ["x"]}]},
    "no checks": {"checks": None},
    "no number": {"exercises": [{"mean_share": float("nan")}]},
}


@pytest.mark.parametrize("kind", CRAFTED)
def test_a_crafted_file_to_compare_with_is_refused(made, whole_summary, tmp_path, capsys, kind):
    crafted = CRAFTED[kind]
    if isinstance(crafted, dict):
        told = json.loads(whole_summary)
        for key, value in crafted.items():
            several = isinstance(value, list)
            told[key] = [{**told[key][0], **value[0]}] if several else value
        crafted = json.dumps(told)
    (tmp_path / "crafted.json").write_text(crafted)
    with here(made):
        assert cli.main(["report", ASSIGNMENT, "--compare", str(tmp_path / "crafted.json")]) == 2
    assert "is not a JSON report" in capsys.readouterr().err


def test_what_a_file_to_compare_with_says_is_text_on_the_page(made, whole_summary, tmp_path):
    told = json.loads(whole_summary)
    told["exercises"].append(
        {**told["exercises"][0], "name": "x", "title": "<script>alert(1)</script>\u202e\x1b[2J"}
    )
    told["more"] = {"<b>": 1}
    place = tmp_path / "<i>other.json"
    place.write_text(json.dumps(told))
    page = reported(made, "--compare", str(place)).read_text()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    live = ("<script>alert(1)", "<i>other", "\u202e", "\x1b")
    assert [word for word in live if word in page] == []


@pytest.fixture(scope="module")
def whole_summary(made):
    with here(made), redirect_stdout(io.StringIO()) as told:
        assert cli.main(["report", ASSIGNMENT, "--json", "--anonymous"]) == 0
    return told.getvalue()


# How it scales


def test_a_larger_class_asks_the_database_no_more(made, all_read):
    counts = []
    for one in (made, all_read):
        with questions() as asked:
            reported(one)
        counts.append(len(asked))
    assert counts[0] <= counts[1] < 60


def test_six_hundred_students_fit_on_a_few_screens(browser, empty_gradebook, tmp_path):  # noqa: F811
    page = reported(MadeClass(tmp_path / "course", empty_gradebook, 600))
    assert page.stat().st_size < 1_000_000
    with opened(browser, page, "light", 1280) as shown:
        screens = shown.evaluate("document.documentElement.scrollHeight / innerHeight")
        assert screens < 9
        wrapped = "one => one.getClientRects().length > 1"
        split = f"[...document.querySelectorAll('.together')].filter({wrapped}).length"
        assert shown.evaluate(split) == 0
        shown.get_by_label("Find a student").fill("student-3")
        expect(shown.locator("#find output")).to_have_text("100 of 600 shown")


# How it looks


@pytest.fixture(scope="module")
def compared(made, all_read, tmp_path_factory) -> Path:
    """A report with every part that there is."""
    results, other = results_of(made), summary_of(results_of(all_read))
    page = tmp_path_factory.mktemp("compared") / f"{ASSIGNMENT}.html"
    page.write_text(
        report_page(
            results,
            written=[WRITTEN],
            comparison=compare(summary_of(results), other, "last-year"),
        )
    )
    return page


def test_everybody_can_read_it(browser, compared):  # noqa: F811
    with opened(browser, compared, *LOOKS[0]) as shown:
        shown.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        assert {look: faults(shown) for look in each_look(shown)} == {
            f"{scheme}, {width}": [] for scheme, width in LOOKS
        }


def test_a_picture_for_the_documentation(browser, report, tmp_path):  # noqa: F811
    pictures = Path(os.environ.get("PICTURES", tmp_path / "pictures")).resolve()
    pictures.mkdir(parents=True, exist_ok=True)
    with opened(browser, report, "light", 1000) as shown:
        shown.set_viewport_size({"width": 1000, "height": 1150})
        shown.locator("#scores").scroll_into_view_if_needed()
        shown.evaluate("document.getElementById('scores').scrollIntoView()")
        image = Image.open(io.BytesIO(shown.screenshot(animations="disabled")))
    image.quantize(64).save(pictures / "report.png", optimize=True)
    assert (pictures / "report.png").stat().st_size < 200_000


def test_students_are_found_filtered_and_sorted(browser, report):  # noqa: F811
    with opened(browser, report, "light", 1280) as shown:
        said: list[str] = []
        shown.on("pageerror", lambda error: said.append(str(error)))
        rows = shown.locator("table.students tbody tr:visible")
        count = shown.locator("#find output")
        expect(count).to_have_text("40 of 40 shown")
        shown.get_by_label("Find a student").fill("student-1")
        expect(rows).to_have_count(10)
        expect(count).to_have_text("10 of 40 shown")
        shown.get_by_label("Show", exact=True).select_option("rejected")
        expect(rows).to_have_count(1)
        expect(rows).to_contain_text(REJECTED)
        # A link to somebody whom the filters hide shows them.
        shown.locator("#act").locator(f"xpath=following::a[.='{LATE}'][1]").click()
        expect(shown.locator("table.students tr:target")).to_be_visible()
        expect(count).to_have_text("40 of 40 shown")
        shown.get_by_label("Lost points in").select_option(label="5. sigmoid")
        shares = shown.locator("table.students tbody tr:visible td:nth-child(7)")
        assert 0 < shares.count() < 40
        assert "100" not in shares.all_inner_texts()
        shown.get_by_label("Lost points in").select_option(index=0)
        head = shown.locator("table.students").get_by_role("button", name="score")
        for direction in (1, -1):
            head.click()
            scores = shown.locator("table.students tbody tr td:nth-child(2)").all_inner_texts()
            numbers = [float(score) for score in scores]
            assert numbers == sorted(numbers, reverse=direction == -1)
        assert said == []


def test_on_a_jupyter_server_it_leads_to_formgrader(browser, made, report):  # noqa: F811
    address = "http://hub.example/user/ana/files/my%20course/reports/mnist_loss.html"
    context = browser.new_context()
    shown = context.new_page()
    shown.route("**/*", lambda route: route.fulfill(path=report, content_type="text/html"))
    shown.goto(address)
    with made.gradebook() as gradebook:
        notebook = gradebook.find_submission_notebook(ASSIGNMENT, ASSIGNMENT, "student-03").id
    row = shown.locator("table.students tr").filter(has_text="student-03")
    link = row.get_by_role("link", name="Formgrader: student-03")
    assert link.get_attribute("href") == f"/user/ana/formgrader/submissions/{notebook}/"
    read = shown.get_by_role("link", name="Read them")
    assert read.get_attribute("href") == "/user/ana/proctor/read/mnist_loss"
    expect(shown.get_by_text("proctor read mnist_loss opens them")).to_be_hidden()
    context.close()


def test_a_dot_of_the_chart_opens_the_checks_of_its_exercise(browser, report):  # noqa: F811
    with opened(browser, report, "light", 1280) as shown:
        folded = shown.locator("details.exercise[id]:not([open])").last
        number = folded.get_attribute("id").removeprefix("exercise-")
        shown.get_by_role("link", name=re.compile(f"^{number}: ")).focus()
        shown.keyboard.press("Enter")
        expect(shown.locator(f"#exercise-{number} table")).to_be_visible()


def test_without_a_script_all_is_there_and_in_print_too(browser, report):  # noqa: F811
    context = browser.new_context(java_script_enabled=False)
    shown = context.new_page()
    shown.goto(report.as_uri())
    expect(shown.locator("table.students tbody tr")).to_have_count(40)
    expect(shown.locator("#find")).to_be_hidden()
    context.close()
    with opened(browser, report, "light", 700) as printed:
        printed.emulate_media(media="print")
        expect(printed.locator("nav")).to_be_hidden()
        cut = "one => one.scrollHeight > one.clientHeight + 1"
        assert not printed.evaluate(f"[...document.querySelectorAll('.scroll')].some({cut})")
