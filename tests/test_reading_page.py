"""The page for reading written answers, in a real browser: by keyboard, by two people, offline."""

# ruff: noqa: F401, F811 (`browser` is a fixture of another file)

from __future__ import annotations

import os
import sqlite3
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from accessible import browser, each_look, faults, violations
from hostile.attack import MARK
from hostile.files import LIVE
from playwright.sync_api import Browser, Page, expect
from test_browser import Person
from written import ASSIGNMENT, EXERCISE, PNG, RUBRIC, WrittenCourse

from proctor.classroom.lab import Server

STAIRS = "Accuracy is a staircase: between two steps nothing moves, so the slope is $0$."
TELLING = (
    "Between two of its {} steps nothing moves: $\\frac{{0}}{{{}}} = 0$ says nothing to a weight."
)
CLASS = {
    **{f"student-{n:02}": STAIRS for n in range(1, 4)},
    **{f"student-{n:02}": TELLING.format(n, n) for n in range(4, 8)},
    "student-08": "",
    "student-09": "See my page. ![my page](attachment:photo.png)",
    "student-10": "\n\n".join(LIVE),
}
PICTURES = {"student-09": {"photo.png": {"image/png": PNG}}}
EMPTY = 1  # of the class


@pytest.fixture(scope="module")
def course(tmp_path_factory, empty_gradebook) -> WrittenCourse:
    return WrittenCourse(tmp_path_factory.mktemp("reading") / "course", empty_gradebook)


@pytest.fixture(scope="module")
def server(course) -> Iterator[Server]:
    """The instructor's JupyterLab."""
    server = Server(
        "instructor", course.root.parent / "home", course.root, "c = get_config()\n", port=8890
    )
    server.start()
    try:
        server.url()
        yield server
    finally:
        server.stop()


@pytest.fixture
def answers(course) -> WrittenCourse:
    """The class as nobody has read it yet."""
    with sqlite3.connect(course.root / "gradebook.db") as gradebook:
        for table in ("grading", "given", "lease", "share", "place", "item", "answer"):
            exists = "SELECT name FROM sqlite_master WHERE name = ?"
            if gradebook.execute(exists, [f"reading_{table}"]).fetchone():
                gradebook.execute(f"DELETE FROM reading_{table}")
    with course.gradebook() as gradebook:
        for student in [student.id for student in gradebook.students]:
            gradebook.remove_student(student)
    course.write_rubric(RUBRIC)
    course.hand_in(CLASS, PICTURES)
    return course


class Reader(Person):
    """Somebody at the page."""

    def __init__(self, browser: Browser, server: Server, folder: Path, name="ana", **settings):
        address = f"{server.url(f'proctor/read/{ASSIGNMENT}')}&as={name}"
        super().__init__(browser, address, folder, **settings)
        expect(self.page.locator(".item")).to_have_count(4)
        self.keys = 0

    def press(self, *keys: str) -> None:
        for key in keys:
            self.keys += 1
            self.page.keyboard.press(key)

    @property
    def title(self) -> str:
        return self.page.locator("#title").inner_text()

    def said(self, words: str) -> None:
        expect(self.page.locator("#status")).to_contain_text(words)

    def complains(self, words: str) -> None:
        expect(self.page.locator("#problem")).to_contain_text(words)

    def save(self) -> None:
        """Enter, and wait for what comes next."""
        before = self.title
        self.press("Enter")
        expect(self.page.locator("#title")).not_to_have_text(before)

    def left_nothing_outside(self) -> None:
        assert self.refused == []
        assert self.errors == []


@pytest.fixture
def reader(browser, server, answers, tmp_path) -> Iterator[Reader]:
    reader = Reader(browser, server, tmp_path)
    yield reader
    reader.left_nothing_outside()
    reader.page.context.close()


def students(course: WrittenCourse) -> dict[str, tuple]:
    return {student: course.given(student) for student, text in CLASS.items() if text}


def test_a_class_by_keyboard_alone(reader, answers):
    visits = 0
    while "Nothing left" not in reader.title:
        visits += 1
        assert reader.page.evaluate("scrollY") == 0
        for part in ("#text", "#items", "#save"):
            expect(reader.page.locator(part)).to_be_in_viewport()
        reader.press("1")
        reader.save()
    # Three of them say the same, and the empty one never came up.
    assert visits == len(CLASS) - EMPTY - 2
    assert reader.keys == 2 * visits
    assert set(students(answers).values()) == {(1.0, False, None)}
    expect(reader.page.locator("#progress-words")).to_have_text("9 of 9")


def test_every_key_does_what_the_list_says(reader, answers):
    page = reader.page
    first = reader.title
    reader.press("j")
    expect(page.locator("#title")).not_to_have_text(first)
    reader.press("k")
    expect(page.locator("#title")).to_have_text(first)
    reader.press("c")
    page.keyboard.type("1 j s: why?")  # keys are letters here
    expect(page.locator("#remark")).to_have_value("1 j s: why?")
    expect(page.locator(".item input:checked")).to_have_count(0)
    reader.press("Escape", "1", "2", "4", "4")
    expect(page.locator("#points")).to_have_text("2 of 3 points")
    reader.press("u")
    expect(page.locator("#context img")).to_be_visible()
    reader.press("u")
    expect(page.locator("#context")).to_be_hidden()
    reader.press("n")
    expect(page.locator("#title")).to_contain_text("student-")
    student = reader.title.split(": ")[1]
    reader.press("c", "Control+Enter")
    reader.said("Saved")
    assert answers.given(student) == (2.0, False, "1 j s: why?")
    second = reader.title
    reader.press("Shift+1")
    expect(page.locator("#remark")).to_have_value("1 j s: why?")
    reader.press("s")
    expect(page.locator("#title")).not_to_have_text(second)
    reader.press("l")
    expect(page.locator("#rows tr")).to_have_count(9)
    reader.press("Escape", "?")
    expect(page.locator("#keys")).to_be_visible()
    page.locator("#single-keys").uncheck()
    reader.press("Escape", "1", "j")
    expect(page.locator(".item input:checked")).to_have_count(0)
    page.evaluate("localStorage.clear()")


def test_no_item_is_asked_about_once(reader, answers):
    first = reader.title
    reader.press("Enter")
    reader.said("Press Enter again to save 0 of 3 points")
    assert reader.title == first
    assert all(waits for _, waits, _ in students(answers).values())
    reader.save()
    assert sum(not waits for _, waits, _ in students(answers).values()) in (1, 3)


def test_an_answer_is_passed_on_and_a_photo_is_shown(browser, server, reader, answers, tmp_path):
    page = reader.page
    while not page.locator("#text img[alt='my page']").count():
        before = reader.title
        reader.press("j")
        expect(page.locator("#title")).not_to_have_text(before)
    assert page.locator("#text img[alt='my page']").evaluate("one => one.naturalWidth") == 10
    passed = reader.title
    reader.press("p")
    page.keyboard.type("ben")
    reader.press("Enter")
    reader.said("is for ben now")
    ben = Reader(browser, server, tmp_path, "ben")
    while ben.title != passed:
        before = ben.title
        ben.press("j")
        expect(ben.page.locator("#title")).not_to_have_text(before)
    ben.left_nothing_outside()
    ben.page.context.close()


def open_answer(reader: Reader, title: str) -> None:
    """By the list, as the page keeps two people from opening the same one."""
    reader.press("l")
    reader.page.locator("#rows button", has_text=title.removeprefix("Answer ")).click()
    expect(reader.page.locator("#title")).to_have_text(title)


def test_two_graders_at_one_answer(browser, server, reader, answers, tmp_path):
    ben = Reader(browser, server, tmp_path, "ben")
    assert ben.title != reader.title
    open_answer(ben, reader.title)
    expect(ben.page.locator(".notice")).to_contain_text("ana has this answer open now")
    contested = reader.title
    reader.press("1", "2")
    reader.save()
    ben.press("1", "c")
    ben.page.keyboard.type("ben's")
    ben.press("Control+Enter")
    ben.complains("changed while you read it")
    notices = ben.page.locator("#notices")
    expect(notices).to_contain_text("ana, 2 points")
    expect(notices).to_contain_text("ben, 1 points")
    assert violations(ben.page) == []
    given = [given for given in students(answers).values() if given[0] is not None]
    assert {points for points, _, _ in given} == {2.0}
    notices.get_by_role("button", name="Use this one").last.click()
    expect(ben.page.locator("#remark")).to_have_value("ben's")
    assert ben.title == contested
    ben.press("Control+Enter")
    ben.said("Saved")
    assert (1.0, False, "ben's") in students(answers).values()
    ben.left_nothing_outside()
    ben.page.context.close()


def test_what_formgrader_gave_is_shown_before_it_is_replaced(reader, answers):
    for student in students(answers):
        answers.give_in_formgrader(student, 2.75, "by hand")
    reader.press("1")
    reader.press("Enter")
    reader.complains("changed while you read it")
    expect(reader.page.locator(".notice").first).to_contain_text("Given in Formgrader: 2.75 points")
    assert {points for points, _, _ in students(answers).values()} == {2.75}


def test_a_server_killed_in_the_middle_of_a_save(browser, server, reader, answers):
    title = reader.title
    reader.press("1", "c")
    reader.page.keyboard.type("kept")
    with locked(answers):
        with reader.page.expect_request("**/save"):
            reader.press("Control+Enter")
        server.process.kill()
        server.process.wait()
        reader.complains("The server does not answer")
    assert all(waits for _, waits, _ in students(answers).values())
    server.port = int(reader.page.url.split(":")[2].split("/")[0])
    server.start()
    server.url()
    reader.press("Control+Enter")
    reader.said("Saved")
    assert reader.title != title
    given = [given for given in students(answers).values() if given[0] is not None]
    assert set(given) == {(1.0, False, "kept")}


@contextmanager
def locked(course: WrittenCourse) -> Iterator[None]:
    """The gradebook held by another program."""
    with sqlite3.connect(course.root / "gradebook.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def test_a_locked_gradebook_and_a_reload_lose_nothing(reader, answers):
    title = reader.title
    reader.press("1", "3")
    with locked(answers):
        reader.press("Enter")
        reader.complains("Another program may hold it")
    reader.page.reload()
    expect(reader.page.locator("#title")).to_have_text(title)
    expect(reader.page.locator("#points")).to_have_text("2 of 3 points")
    reader.save()
    assert (2.0, False, None) in students(answers).values()


def test_a_changed_rubric_is_confirmed_on_the_page(reader, answers):
    reader.press("1", "2")
    reader.save()
    answers.write_rubric(RUBRIC.replace("* 1: so its slope", "* 0.5: so its slope"))
    reader.page.reload()
    change = reader.page.locator("#change")
    expect(change).to_contain_text("+1 so its slope is 0 nearly everywhere → +0.5")
    assert violations(reader.page) == []
    assert 2.0 in {points for points, _, _ in students(answers).values()}
    change.get_by_role("button").click()
    reader.said("The new rubric applies: 1 answer has different points.")
    assert {points for points, _, _ in students(answers).values()} == {None, 1.5}


# Whether the next answer is shown, or the page says that there is none.
GONE_ON = """before => document.querySelector("#title").innerText !== before
  || document.querySelector("#status").innerText === "This is the last one." """


def test_hostile_answers_are_words(browser, server, answers, tmp_path):
    """The cleaning holds by itself, and the page's policy would hold without it."""
    calls: list[tuple] = []
    context = browser.new_context(bypass_csp=True)
    page = context.new_page()
    page.expose_function(MARK, lambda *given: calls.append(given))
    page.goto(server.url(f"proctor/read/{ASSIGNMENT}/{EXERCISE}"))
    expect(page.locator(".item")).to_have_count(4)
    title = page.locator("#title")
    shown = 0
    while True:
        page.locator("#above").click()
        expect(page.locator("#context")).to_be_visible()
        shown += MARK in page.locator("#text").inner_text()
        page.locator("#text *").evaluate_all("all => all.forEach(one => one.click?.())")
        before = title.inner_text()
        page.locator("#forth").click()
        page.wait_for_function(GONE_ON, arg=before)
        if page.locator("#status").inner_text() == "This is the last one.":
            break
    assert shown == 1
    assert calls == []
    context.close()
    with urllib.request.urlopen(server.url(f"proctor/read/{ASSIGNMENT}")) as response:
        policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy


def test_axe_finds_nothing(browser, server, answers, tmp_path):
    pictures = Path(os.environ.get("PICTURES", tmp_path / "pictures")).resolve()
    reader = Reader(browser, server, pictures)
    page = reader.page

    def judged(by):
        looks = (("light", 390), ("dark", 1400), ("light", 1400))
        return {look: found for look in each_look(page, looks) if (found := by(page))}

    reader.press("1", "3")
    page.locator("#remark").fill("Say *why* it does not move.")
    assert judged(faults) == {}
    page.set_viewport_size({"width": 1400, "height": 850})
    reader.picture("reading")
    reader.press("Control+Enter")
    reader.said("Saved")
    page.locator("#alike").fill("30")
    page.locator("#find").click()
    expect(page.locator("#members li").first).to_be_visible()
    page.locator("#above").click()
    expect(page.locator("#context")).to_be_visible()
    assert judged(violations) == {}
    for key, dialog in (("l", "#list-dialog"), ("?", "#keys"), ("p", "#pass-dialog")):
        page.locator("header h1").click()
        reader.press(key)
        expect(page.locator(dialog)).to_be_visible()
        assert judged(violations) == {}
        reader.press("Escape")
    reader.left_nothing_outside()
    page.context.close()


def test_formgrader_leads_here(browser, server, answers, tmp_path):
    person = Person(browser, server.url("lab"), tmp_path)  # which logs in
    person.page.goto(server.url(f"formgrader/gradebook/{ASSIGNMENT}"))
    person.page.get_by_role("link", name="Read written answers by rubric").click()
    expect(person.page.locator(".item")).to_have_count(4)
    person.page.context.close()


def test_another_folder_is_told(browser, server, answers, tmp_path):
    person = Person(browser, server.url("proctor/read/nothing"), tmp_path)
    expect(person.page.get_by_role("alert")).to_contain_text("knows no written answers of nothing")
    assert violations(person.page) == []
    person.page.context.close()
