"""Pages of student text: what would take too long is shown plain, and no other page pays for it."""

from __future__ import annotations

import html
import time
from pathlib import Path

import psutil
import pytest

from proctor.pages import bounded

SLOW_CODE = "%%js\n" + '"\\' * 12_000
SLOW_MARKUP = "<p>" + "".join(f"<b a{number}>" for number in range(99)) + "<p>x" * 4_000


@pytest.fixture
def renderer(monkeypatch):
    renderer = bounded.Renderer()
    monkeypatch.setattr(bounded, "RENDERER", renderer)
    yield renderer
    if renderer._process is not None:
        renderer._process.kill()
        renderer._process.communicate()


def test_honest_texts_are_rendered(renderer):
    assert '<span class="k">def</span>' in bounded.highlight_code("def f(): pass")
    assert "<math" in bounded.markdown_to_html("# A title\n\n$x^2$")
    assert bounded.clean_html("<b>x</b><script>y</script>") == "<b>x</b>"
    many = ["x = " + "[1, 2, 3] * y + 'text'\n" * (number + 1) for number in range(60)]
    assert all("<span" in bounded.highlight_code(text) for text in many)


@pytest.mark.parametrize(
    ("render", "text"),
    [(bounded.highlight_code, SLOW_CODE), (bounded.clean_html, SLOW_MARKUP)],
    ids=["code", "markup"],
)
def test_a_costly_text_is_shown_plain_and_its_neighbours_are_not(renderer, render, text):
    before = bounded.highlight_code("x = 1")
    assert render(text) == f"<pre>{html.escape(text)}</pre>"
    assert renderer.room.seconds >= bounded.PAGE_SECONDS - bounded.TEXT_SECONDS - 1
    assert "<span" in bounded.highlight_code("x = 2")
    assert bounded.highlight_code("x = 1") == before


def test_a_page_of_costly_texts_has_an_end_and_the_next_page_all_its_room(renderer):
    texts = [f"{SLOW_CODE}{number}" for number in range(30)]
    began = psutil.Process().cpu_times()
    pages = [bounded.highlight_code(text) for text in texts]
    assert pages == [f"<pre>{html.escape(text)}</pre>" for text in texts]
    assert renderer.room.seconds <= 0
    spent = psutil.Process().cpu_times()
    assert spent.children_user - began.children_user < bounded.PAGE_SECONDS + 5
    assert bounded.markdown_to_html("*a*") == "<pre>*a*</pre>"
    bounded.NewPage()(None, None)
    assert bounded.markdown_to_html("*a*").strip() == "<p><em>a</em></p>"


def test_a_page_holds_so_much_markup(renderer):
    renderer.room.characters = 1000
    assert "<span" in bounded.highlight_code("x = 1")
    assert bounded.highlight_code("x = 1\n" * 100).startswith("<pre>x")
    assert bounded.highlight_code("x = 2\n" * 100) == f"<pre>{bounded.LEFT_OUT}</pre>"
    assert bounded.ansi_to_html("x" * 1000) == bounded.LEFT_OUT
    renderer.room.characters = 10
    assert bounded.ansi_to_html("x" * 1000) == ""


def test_much_coloured_output_of_a_cell_is_shown_plain(renderer):
    red = "\x1b[31mx"
    assert "ansi-red-fg" in bounded.ansi_to_html(red)
    renderer.room.characters = 1_000_000
    texts = [red * 15_000 + str(number) for number in range(5)]
    shown = [bounded.ansi_to_html(text) for text in texts]
    assert shown[1:] == ["x" * 15_000 + str(number) for number in range(1, 5)]


def test_memory_is_bounded(renderer):
    bounded.highlight_code("x = 1")
    limits = Path(f"/proc/{renderer._process.pid}/limits").read_text().splitlines()
    (line,) = [line for line in limits if line.startswith("Max data size")]
    assert int(line.split()[3]) < 800 << 20


def test_a_renderer_that_is_gone_is_started_again(renderer):
    bounded.highlight_code("x = 1")
    renderer._process.kill()
    deadline = time.monotonic() + 10
    while renderer._process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert "<span" in bounded.highlight_code("x = 2")
