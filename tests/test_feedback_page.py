"""The page of feedback: what it says of a submission, and that everybody can read it."""

# ruff: noqa: F401, F811 (`browser` is a fixture of another file)

from __future__ import annotations

import dataclasses
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import nbgrader
import pytest
from accessible import LOOKS, WCAG, browser, each_look, faults, opened, overflow, violations
from bs4 import BeautifulSoup
from conftest import cell
from nbconvert.exporters import HTMLExporter
from nbformat.v4 import new_markdown_cell, new_notebook, new_output
from nbgrader.coursedir import CourseDirectory
from playwright.sync_api import expect
from traitlets.config import Config

from proctor.classroom import feedback_pages, preprocessors
from proctor.classroom.nbgrader_defaults import use_proctor
from proctor.grading.marks import CellMarks, Check, Marks
from proctor.pages.attempt import attempt_page
from proctor.pages.feedback import notes_cell
from proctor.pages.formgrader import FeedbackExporter
from proctor.pages.returned import returned

PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAoAAAAKCAIAAAACUFjqAAAAEklEQVR4nGP4z8CAB+GTG8HSALfKY52fTcuYAAAAAElF"
    "TkSuQmCC"
)
HINTS = """Stuck?

<details><summary>Hint: I do not know how to start</summary>

Look at one number.

</details>
<details><summary>Hint: "Can't call numpy() on Tensor that requires grad"</summary>

Stay in *torch*.

</details>
"""
WORDS = "# My answer\n\nBecause $1 + 1 = 2$."
LONG = "a_name_that_is_so_long_that_no_telephone_has_room_for_it_in_one_line = 'and' + 'more of it'"
PRINTED = "\x1b[33mcareful\x1b[0m \x1b[31;43mred on yellow\x1b[0m \x1b[38;5;229mpale\x1b[0m\n"


def text(source):
    return new_markdown_cell(source)


def notebook():
    """Two exercises with checks and one of words, as students handed it in."""
    own = text("# Notes of my own")
    own.metadata["proctor"] = {"own": True}
    answer = cell("double", f"def double(x):\n    return 2 * x  # {LONG}")
    answer.outputs = [
        new_output("stream", name="stderr", text=PRINTED + LONG),
        new_output("display_data", data={"image/png": PNG}),
        new_output("display_data", data={"text/html": f"<h1>x</h1><pre>{LONG}</pre>"}),
    ]
    return new_notebook(
        cells=[
            text("# Doubling\n\nHow it begins. $x^2$\n\n|  | b |\n|-|-|\n| 1 | 2 |"),
            text("## 1. Twice\n\n### Exercise `double`"),
            answer,
            text(HINTS),
            own,
            cell("double_values", "assert double(1) == 2", points=2),
            cell("double_device", "assert double(1) == 2", points=1),
            text("## 2. Half"),
            cell("half", "def half(x):\n    pass"),
            cell("half_values", "assert half(2) == 1", points=4),
            text("## 3. Words"),
            cell("explain", WORDS, points=3, kind="md", solution=True),
        ]
    )


def check(name, passed=True, **fields):
    hint = None if passed else f"Hint of {name}."
    made = Check(name, f"Title of `{name}`", passed, hint, 1.0, "SECRET", 0.1)
    return dataclasses.replace(made, **fields)


def waiting(name, cause):
    """A check that was not tried."""
    hint = f"Not tried: it needs “Title of {cause}” first."
    return check(name, passed=False, tried=False, cause=cause, hint=hint)


NUMPY = "NumPy cannot take a tensor that requires a gradient"
RIGHT = {
    "double_values": [check("sums"), check("zero")],
    "double_device": [check("device")],
    "half_values": [check("halves")],
}
# `values` is the cause of all but `halves`; that one costs more by itself than any other.
WRONG = {
    "double_values": [
        check("values", passed=False, meaning=NUMPY),
        check("zero"),
        waiting("digits", "values"),
        check("again", passed=False, meaning=NUMPY),
    ],
    "double_device": [waiting("device", "digits")],
    "half_values": [
        check("halves", passed=False, weight=0.6),
        check("built", passed=False, weight=0.4, cause="device", hint="This builds on it."),
    ],
}  # fmt: skip


def cell_marks(name, checks, points, **fields):
    total = sum(one.weight for one in checks)
    score = points * sum(one.weight for one in checks if one.passed) / total
    return CellMarks(name, score, points, False, checks=checks, **fields)


def marks(checks=RIGHT, *, unanswered=(), diagnosis=None, error=None):
    points = {"double_values": 2.0, "double_device": 1.0, "half_values": 4.0}
    cells = [
        cell_marks(name, checks[name], most, unanswered=name in unanswered)
        for name, most in points.items()
    ]
    cells[0] = cell_marks("double_values", checks["double_values"], 2.0, diagnosis=diagnosis)
    cells.append(CellMarks("explain", None, 3.0, True, "explain" in unanswered))
    return Marks(
        *("tiny", "student-01", "rejected" if error else "graded", error),
        *(0.0, 7.0, 0.1, []),
        cells=[] if error else cells,
    )


def in_gradebook(marks, *, by_hand=None, comment=None, head=None, given=None, late=0.0):
    """A graded notebook with what the gradebook holds, as nbgrader puts it in: `by_hand` is the
    points of the words, `given` those of other cells that a person changed."""
    graded = notebook()
    if marks.error:
        graded.cells.insert(0, notes_cell("This submission could not be graded", [marks.error]))
    preprocessors.report(graded, marks)
    scores = {one.grade_id: one.score or 0.0 for one in marks.cells} | (given or {})
    manual = next((one for one in marks.cells if one.needs_manual_grade), None)
    for one in graded.cells:
        labels = one.metadata.get("nbgrader", {})
        if labels.get("grade"):
            labels["score"] = scores.get(labels.grade_id, 0.0)
        if labels.get("solution"):
            labels["comment"] = None
        if labels.get("grade_id") == "explain":
            waits = manual is not None and by_hand is None and not manual.unanswered
            labels.update(score=by_hand or 0.0, needs_manual_grade=waits, comment=comment)
    totals = {"notebook": "tiny", "student": "student-01", "max_score": 10.0, "late_penalty": late}
    return graded, {"nbgrader": {**totals, "head": head, "score": None}}


def page(marks, **stored):
    config = Config()
    use_proctor(config, ".")
    config.HTMLExporter.template_name = "feedback"
    made, _ = FeedbackExporter(config=config).from_notebook_node(*in_gradebook(marks, **stored))
    return made


def read(made):
    return BeautifulSoup(made, "html.parser")


def words(element):
    return " ".join(element.get_text().replace("\N{MINUS SIGN}", "-").split())


HEAD = {
    "submitted_at": "20 November 2026, 18:03 CET",
    "graded_at": "26 November 2026, 05:32 CET",
    "attempt": 2,
    "notices": ["1 late day used, 3 left.", "3 of 5 pages left until <18:00>."],
}


def test_whose_it_is_and_which_submission_stands_on_top():
    top = read(page(marks(), head=HEAD))
    assert top.title.get_text() == "tiny, student-01: feedback"
    rows = [[part.get_text() for part in row("dt") + row("dd")] for row in top.select("dl div")]
    assert rows == [
        ["Student", "student-01"],
        ["File", "tiny.ipynb"],
        ["Handed in", "20 November 2026, 18:03 CET"],
        ["Attempt", "2"],
        ["Graded", "26 November 2026, 05:32 CET"],
    ]  # fmt: skip
    assert [one.get_text() for one in top.select(".notices li")] == HEAD["notices"]


def test_points_that_nobody_has_given_yet_are_not_lost():
    seen = read(page(marks()))
    assert seen.select_one(".total").get_text() == "7 of 7 points so far"
    assert words(seen.select_one(".waiting")).startswith("3 points are still being read")
    assert "Nothing so far" in seen.main.section.get_text()
    seen = read(page(marks(), by_hand=3.0, late=2.0))
    assert seen.select_one(".total").get_text() == "8 of 10 points"
    assert words(seen.select_one(".late")).startswith("2 points were taken off")
    assert not seen.select(".waiting")


def test_what_cost_points_comes_first_worst_first_and_causes_before_what_followed():
    seen = read(
        page(marks(WRONG, diagnosis="Known mistake: “a”. Do b."), by_hand=1.5, comment="Why?")
    )
    rows = [
        (words(row.select_one(".cost")), words(row.h3), words(row.select_one(".where")))
        for row in seen.select(".lost > li")
    ]
    assert rows == [
        ("-3.6 points", "Title of values", "Exercise double; 0.5 points for this alone"),
        ("-2.4 points", "Title of halves", "2. Half"),
        ("-1.5 points", "1.5 of 3 points for your answer", "3. Words"),
        ("-0.5 points", "Title of again", "Exercise double"),
    ]
    first = seen.select_one(".lost > li")
    assert "Hint of values." in first.get_text()
    assert "Known mistake: “a”. Do b." in first.get_text()
    assert [words(one) for one in first.select(".others summary")] == [
        "2 checks not tried because of it (-1.5 points)",
        "1 check failed with it (-1.6 points)",
    ]
    not_tried, failed_too = first("ul")
    assert [words(one) for one in not_tried("li")] == [
        "Title of digits (-0.5 points)",
        "Title of device (-1 point)",
    ]
    assert [words(one) for one in failed_too("li")] == ["Title of built (-1.6 points)"]
    ids = {element["id"] for element in seen.select("[id]")}
    assert {link["href"][1:] for link in seen.select("a[href^='#']")} <= ids
    assert "SECRET" not in str(seen)


def test_three_states_are_told_apart_by_words_and_points_stand_at_each():
    seen = read(page(marks(WRONG)))
    checks = {words(one.h5): words(one.select_one(".worth")) for one in seen.select("main .check")}
    assert checks == {
        "✗ Failed: Title of values": "0 of 0.5 points",
        "○ Not tried: Title of digits": "0 of 0.5 points",
        "✗ Failed: Title of again": "0 of 0.5 points",
        "✓ Passed: Title of zero": "0.5 of 0.5 points",
        "○ Not tried: Title of device": "0 of 1 point",
        "✗ Failed: Title of halves": "0 of 2.4 points",
        "✗ Failed: Title of built": "0 of 1.6 points",
    }
    folded = seen.select_one("details.passed")
    assert not folded.has_attr("open")
    assert words(folded.summary) == "1 check passed"
    assert "Title of zero" in folded.get_text()


def test_the_notebook_s_own_hint_on_a_message_is_there_once():
    seen = read(page(marks(WRONG)))
    for hints in (seen.select(".lost details.hint"), seen.select(".check details.hint")):
        (hint,) = hints
        assert words(hint.summary).endswith('"Can\'t call numpy() on Tensor that requires grad"')
        assert hint.em.get_text() == "torch"


def test_an_exercise_that_was_left_is_one_line():
    failed = [check("halves", passed=False), waiting("more", "halves")]
    wrong = {**RIGHT, "double_device": [check("built", passed=False, cause="halves")]}
    left = marks({**wrong, "half_values": failed}, unanswered=("half_values", "explain"))
    seen = read(page(left))
    rows = [(words(one.select_one(".cost")), words(one.h3)) for one in seen.select(".lost > li")]
    assert rows == [("-5 points", "Not answered"), ("-3 points", "Not answered")]
    assert "Title of built" in seen.select_one(".lost").get_text()
    assert not seen.select(".waiting")


def test_points_that_a_person_changed_are_told_as_theirs():
    seen = read(page(marks(WRONG), given={"half_values": 3.0}))
    titles = [words(one.h3) for one in seen.select(".lost > li")]
    assert "3 of 4 points for these checks" in titles
    assert "Title of halves" not in titles


def test_a_rejected_submission_says_why_and_nothing_of_checks():
    seen = read(page(marks(error="the file is not valid JSON")))
    assert "The file is not valid JSON" in seen.select_one(".alert").get_text()
    assert not seen.select(".exercise")
    assert not seen.select(".lost")
    assert "What cost points" not in seen.main.get_text()


def test_a_notebook_that_an_older_version_graded_shows_its_reports():
    graded = notebook()
    preprocessors.report(graded, marks(WRONG))
    for one in graded.cells:
        one.metadata.pop("proctor", None)
        one.metadata.get("nbgrader", {}).update(score=0.0)
    given = {"nbgrader": {"max_score": 10.0, "late_penalty": 0.0}}
    assert [part.points for part in returned(graded, given).exercises] == [3.0, 4.0, 3.0]


def test_there_is_one_title_and_no_level_of_headings_is_left_out():
    for made in (page(marks(WRONG), by_hand=1.0, comment="# Loud"), page(marks(error="no"))):
        levels = [int(one.name[1]) for one in read(made).select("h1, h2, h3, h4, h5, h6")]
        assert levels.count(1) == 1
        assert all(lower - upper <= 1 for upper, lower in pairwise(levels))


def test_attempts_are_counted_in_the_exchange(tmp_path):
    config = Config()
    config.Exchange.root = str(tmp_path)
    config.Exchange.timezone = "Europe/Berlin"
    config.CourseDirectory.course_id = "losses"
    for name in (
        "student-01+tiny+2026-11-18 10:00:00.000000 UTC+abc",
        "student-01+tiny+2026-11-20 18:03:00.000000 CET",
        "student-01+tiny+2026-11-21 10:00:00.000000 UTC",  # after the one that was graded
        "student-01+other+2026-11-18 10:00:00.000000 UTC",
        "student-010+tiny+2026-11-18 10:00:00.000000 UTC",
        "student-01+tiny+nonsense",
        "stray",
    ):
        (tmp_path / "losses" / "inbound" / name).mkdir(parents=True)
    converter = SimpleNamespace(config=config, coursedir=CourseDirectory(config=config))
    at = datetime(2026, 11, 20, 17, 3)
    assert feedback_pages.attempt_of(converter, "tiny", "student-01", at) == 2
    assert feedback_pages.attempt_of(converter, "tiny", "student-02", at) == 0
    assert feedback_pages.time_told(converter, at) == "20 November 2026, 18:03 CET"


# In a browser


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """A page of each kind, as files."""
    slow = {**RIGHT, "half_values": [
        check("halves", passed=False, hint="`half` took longer than the 4 s allowed for a call.")
    ]}  # fmt: skip
    attempt = ("tiny", "student-01", HEAD["submitted_at"], HEAD["notices"])
    made = {
        "right": page(marks(), by_hand=3.0, comment="Well *said*."),
        "wrong": page(marks(WRONG, diagnosis="Known mistake: “a”."), by_hand=1.0, comment="# Why?"),
        "waiting": page(marks(), head=HEAD),
        "rejected": page(marks(error="the file is not valid JSON")),
        "slow": page(marks(slow, unanswered=("explain",)), late=1.0),
        "received": attempt_page(*attempt),
        "attempt": attempt_page(*attempt, returned(*in_gradebook(marks(WRONG))), 1.0),
    }
    folder = tmp_path_factory.mktemp("pages")
    for name, text in made.items():
        (folder / f"{name}.html").write_text(text)
    return [folder / f"{name}.html" for name in made]


def test_axe_finds_nothing_and_nothing_sticks_out(browser, pages):
    found = {}
    for path in pages:
        with opened(browser, path, *LOOKS[0]) as shown:
            found[path.stem, "folded"] = faults(shown)
            shown.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
            found |= {(path.stem, look): faults(shown) for look in each_look(shown)}
    assert len(found) == len(pages) * (1 + len(LOOKS))
    assert {where: what for where, what in found.items() if what} == {}


def grading_page(folder):
    """nbgrader's page for grading by hand with our template, and what it loads, in a folder."""
    graded = notebook()
    preprocessors.report(graded, marks(WRONG))
    config = Config()
    use_proctor(config, ".")
    config.HTMLExporter.template_name = "formgrade"
    names = dict.fromkeys(("assignment_id", "notebook_id"), "tiny")
    names |= {"student": "student-01", "submission_id": "1", "base_url": folder.as_uri()}
    resources = {"index": 0, "total": 1, **names}
    made, _ = HTMLExporter(config=config).from_notebook_node(graded, resources=resources)
    (folder / "formgrader").mkdir()
    static = Path(nbgrader.__file__).parent / "server_extensions/formgrader/static"
    (folder / "formgrader/static").symlink_to(static)
    (folder / "page.html").write_text(made)
    return folder / "page.html"


def test_axe_finds_nothing_on_the_page_for_grading_by_hand(browser, tmp_path):
    with opened(browser, grading_page(tmp_path), "light", 1280) as shown:
        expect(shown.get_by_label("Points for explain", exact=True)).to_be_visible()
        expect(shown.get_by_label("Comment on explain", exact=True)).to_be_visible()
        panel = shown.locator(".panel").first
        assert panel.evaluate("one => getComputedStyle(one).borderStyle") == "solid"
        assert violations(shown, WCAG) == []


def test_the_helper_finds_what_is_wrong(browser, tmp_path):
    """The counter-check: an unnamed picture, grey on grey, and a line that sticks out."""
    path = tmp_path / "bad.html"
    path.write_text(
        "<!DOCTYPE html><html lang='en'><title>x</title><main><h1 style='color:#777;"
        f"background:#888'>heading</h1><img src='data:image/png;base64,{PNG}'>"
        f"<pre>{'x' * 300}</pre></main>"
    )
    with opened(browser, path, "light", 390) as shown:
        found = faults(shown)
    assert [one[:9] for one in found] == ["color-con", "image-alt", "<main><h1", "<pre>xxxx"]


def test_by_keyboard_from_what_cost_points_to_the_check_and_its_hint(browser, pages):
    with opened(browser, pages[1], "light", 1280) as shown:
        shown.keyboard.press("Tab")
        assert shown.evaluate("document.activeElement.textContent") == "Title of values"
        assert shown.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        shown.keyboard.press("Tab")
        shown.keyboard.press("Enter")
        expect(shown.locator(".lost details.hint").first).to_have_attribute("open", "")
        shown.keyboard.press("Shift+Tab")
        shown.keyboard.press("Enter")
        expect(shown.locator("#double_values-1")).to_be_in_viewport()


def test_a_link_into_what_is_folded_opens_it(browser, pages):
    """As browsers do for anchors: the check that passed is in sight."""
    with opened(browser, f"{pages[1].as_uri()}#double_values-2", "light", 1280) as shown:
        expect(shown.locator("#double_values-2")).to_be_in_viewport()


def test_printed_it_is_black_on_white_and_no_wider_than_the_paper(browser, pages):
    with opened(browser, pages[1], "dark", 720) as shown:
        shown.emulate_media(media="print", color_scheme="dark")
        paper = shown.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        assert paper == "rgb(255, 255, 255)"
        assert overflow(shown) == []
