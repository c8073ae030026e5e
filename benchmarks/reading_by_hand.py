"""Forty written answers by hand, in Formgrader and on the page for reading: keys, clicks, pages.

The same class twice, in a real browser: 11 answers are empty, and everybody else gets one point.
Nothing is measured but what a person has to do, and how often a page is loaded. Needs a Chromium.
"""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from nbgrader.api import Gradebook
from playwright.sync_api import Browser, Page, expect, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from test_browser import UNTIL_FORMGRADER_IS_LOADED, chromium
from written import ASSIGNMENT, EXERCISE, WrittenCourse

from proctor.classroom.lab import Server
from proctor.classroom.nbgrader_defaults import prepare_this_process

STUDENTS, EMPTY, EQUAL = 40, 11, 8
CONFIG = """\
from pathlib import Path
from proctor.classroom.nbgrader_defaults import use_proctor
c = get_config()
use_proctor(c, course=Path(__file__).parent)
"""


@dataclass
class Counts:
    """What one way through the class took."""

    keys: int = 0
    clicks: int = 0
    pages: int = 0
    visits: int = 0
    requests: int = 0


class Hand:
    """Somebody at a browser, counted."""

    def __init__(self, browser: Browser, address: str):
        self.counts = Counts()
        self.page: Page = browser.new_context(viewport={"width": 1400, "height": 850}).new_page()
        self.page.on("load", lambda _: self._add("pages"))
        self.page.on("request", lambda _: self._add("requests"))
        self.page.goto(address)

    def _add(self, what: str) -> None:
        setattr(self.counts, what, getattr(self.counts, what) + 1)

    def press(self, key: str) -> None:
        self._add("keys")
        self.page.keyboard.press(key)

    def click(self, selector: str) -> None:
        self._add("clicks")
        self.page.locator(selector).first.click()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        prepare_this_process(folder)
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=chromium(), args=options)
        expect.set_options(timeout=120_000)
        found = {}
        for name, way in (("Formgrader", in_formgrader), ("proctor read", in_proctor_read)):
            course = class_of(Path(folder) / name.replace(" ", "-"))
            home = course.root.parent / "home"
            server = Server("instructor", home, course.root, CONFIG_OF_HOME, port=8895)
            server.start()
            try:
                found[name] = way(browser, server)
            finally:
                server.stop()
            points = [course.given(f"student-{number:02}")[0] for number in range(STUDENTS)]
            assert points == [1.0 if is_answered(number) else None for number in range(STUDENTS)]
    print(f"{STUDENTS} answers, {EMPTY} of them empty; {EQUAL} say the same")
    for name, counts in found.items():
        print(f"  {name:<14} {counts}")


CONFIG_OF_HOME = "c = get_config()\n"


def is_answered(number: int) -> bool:
    return number >= EMPTY


def class_of(folder: Path) -> WrittenCourse:
    folder.mkdir()
    empty = folder / "empty.db"
    Gradebook(f"sqlite:///{empty}").close()
    course = WrittenCourse(folder / "course", empty)
    (course.root / "nbgrader_config.py").write_text(CONFIG)
    said = [f"Between two steps nothing moves, say I, number {n}." for n in range(STUDENTS)]
    said[-EQUAL:] = ["Accuracy is a staircase."] * EQUAL
    course.hand_in({f"student-{n:02}": said[n] if is_answered(n) else "" for n in range(STUDENTS)})
    return course


def in_formgrader(browser: Browser, server: Server) -> Counts:
    """From the list of assignments: the first answer by Tab, the others by Ctrl+."""
    hand = Hand(browser, server.url("formgrader/gradebook"))
    for _ in range(2):
        hand.click(f'td.name a:text-is("{ASSIGNMENT}")')
    hand.click("td.name a.name-hidden")
    for number in range(STUDENTS):
        hand.page.locator(f"input#{EXERCISE}").wait_for()
        hand.page.locator("body").evaluate(UNTIL_FORMGRADER_IS_LOADED)
        hand.counts.visits += 1
        while hand.page.evaluate("document.activeElement.id") != EXERCISE:
            hand.press("Tab")
        waits = hand.page.locator(f"input#{EXERCISE}").get_attribute("placeholder") != "0"
        if waits:
            hand.press("1")
        if number == STUDENTS - 1:
            with hand.page.expect_response(lambda answer: "/api/grade/" in answer.url):
                hand.press("Tab")
            break
        before = hand.page.url
        hand.press("Control+.")
        hand.page.wait_for_url(lambda url, before=before: url != before)
    return hand.counts


def in_proctor_read(browser: Browser, server: Server) -> Counts:
    """From the page, which opens at the first answer that waits: a key for the item, and Enter."""
    hand = Hand(browser, server.url(f"proctor/read/{ASSIGNMENT}"))
    title = hand.page.locator("#title")
    expect(title).to_contain_text("Answer")
    while "Nothing left" not in (before := title.inner_text()):
        hand.counts.visits += 1
        hand.press("1")
        hand.press("Enter")
        expect(title).not_to_have_text(before)
    return hand.counts


if __name__ == "__main__":
    main()
