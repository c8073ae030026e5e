"""What tests of pages share: a browser, the looks that a page must bear, and what axe finds.

A test file that imports the fixture `browser` has one for all its tests.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, Page, expect, sync_playwright

SECONDS = 120  # for one step, on a machine that has other things to do
WCAG = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa")
RULES = (*WCAG, "best-practice")
# Colour scheme and width in pixels. A screen 1280 wide at 200 % zoom is one of 640.
LOOKS = (("light", 390), ("light", 640), ("light", 1280), ("dark", 1280))
# A page has had two frames to follow its size, and what fades or moves into its place is judged
# when it is there, not at some shade on the way.
AT_REST = """async () => {
    for (let frame = 0; frame < 2; frame++)
        await new Promise(shown => requestAnimationFrame(shown));
    document.getAnimations()
        .filter(one => Number.isFinite(one.effect.getComputedTiming().endTime))
        .forEach(one => one.finish());
}"""
# What is wider than the window, outermost first, but for what can be scrolled by itself.
TOO_WIDE = """() => [...document.querySelectorAll("body *")]
    .filter(one => {
        const place = one.getBoundingClientRect();
        const sticksOut = getComputedStyle(one).overflowX === "visible" ? one.scrollWidth : 0;
        return Math.max(place.right, place.left + sticksOut) > innerWidth + 1;
    })
    .filter(one => !one.closest("[tabindex='0']"))
    .map(one => one.outerHTML.slice(0, 200))"""


def chromium() -> str:
    found = [path for name in ("chromium", "chromium-browser") if (path := shutil.which(name))]
    if not found and os.environ.get("CI"):
        pytest.fail("there is no Chromium, and CI must not go without this test: see .ci/run")
    if not found:
        pytest.skip("there is no Chromium: `apt-get install chromium` brings one")
    return found[0]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=chromium(),
            args=["--no-sandbox"] if os.geteuid() == 0 else [],
        )
        expect.set_options(timeout=1000 * SECONDS)
        yield started
        started.close()


@contextmanager
def opened(browser: Browser, page: Path | str, scheme: str, width: int) -> Iterator[Page]:
    """A page, by address or file, in a window of its own without the internet."""
    address = page.as_uri() if isinstance(page, Path) else page
    context = browser.new_context(
        color_scheme=scheme, viewport={"width": width, "height": 900}, offline=True
    )
    try:
        shown = context.new_page()
        shown.goto(address)
        yield shown
    finally:
        context.close()


def each_look(page: Page, looks: Iterable[tuple[str, int]] = LOOKS) -> Iterator[str]:
    """Shows the page as it looks in each of these, one after the other; gives their names."""
    for scheme, width in looks:
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 900})
        yield f"{scheme}, {width}"


def violations(page: Page, rules: tuple[str, ...] = RULES) -> list[str]:
    """What axe has against the page as it is now: each rule, and the elements that break it."""
    page.evaluate(AT_REST)
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(AXE_SCRIPT)
    found = page.evaluate(
        "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})", list(rules)
    )["violations"]
    return [f"{one['id']}: {[node['html'] for node in one['nodes']]}" for one in found]


def overflow(page: Page) -> list[str]:
    """What sticks out of the window to the right, if the page has to be scrolled sideways."""
    if page.evaluate("document.documentElement.scrollWidth <= innerWidth"):
        return []
    return page.evaluate(TOO_WIDE) or ["something that cannot be found"]


def faults(page: Page) -> list[str]:
    """All of the above."""
    return violations(page) + overflow(page)
