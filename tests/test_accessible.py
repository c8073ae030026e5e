"""axe on the pages that have no browser test of their own: likeness, and questions on own code."""

# ruff: noqa: F401, F811 (`browser` is a fixture of another file)

from __future__ import annotations

import random

import pytest
from accessible import LOOKS, browser, each_look, faults, opened

from proctor.grading.asking import Asked, Sheet
from proctor.pages.likeness import Document, Part, compare
from proctor.pages.questions import sheets_page
from proctor.pages.similar import similar_page

LINE = "remarkably_unusual_name_for_a_variable = weird_helper(another_unusual_word, 12345.678)"
SHEET = Sheet(
    "student-01",
    5,
    "",
    (
        Asked("n", "mnist_loss", f"What is `{LINE}` for $x = 1$?", 0.5, 0.005),
        Asked("n", "sigmoid", "Which one?", "grows", 0.0, ("grows", "falls")),
    ),
)


def unusual(exercise, words):
    """An answer that nobody else writes by chance."""
    lines = []
    for number in range(30):
        name, other, value = (
            f"{one}_{words.randrange(10**6)}" for one in ("name", "help", "value")
        )
        sign = words.choice(["+", "*", "-", "**", "@", "<", "%"])
        lines.append(f"{name} = {other}({value} {sign} {number}.{words.randrange(1000)}) # {name}")
    return Part(exercise, "code", "\n".join([LINE, *lines]))


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    words = random.Random(5)
    same = tuple(unusual(f"exercise_{number}", words) for number in range(6))
    documents = [Document(name, same) for name in ("student-01", "student-02")]
    documents += [
        Document(f"student-{number}", (unusual("exercise_1", words),)) for number in range(10, 40)
    ]
    alike = compare(documents, given=[])
    assert alike.pairs
    made = {
        "likeness": similar_page("mnist_loss", alike, frozenset(), unread=["student-09: no file"]),
        "questions": sheets_page("mnist_loss", [SHEET], with_key=False),
        "key": sheets_page("mnist_loss", [SHEET], with_key=True),
    }
    folder = tmp_path_factory.mktemp("pages")
    for name, text in made.items():
        (folder / f"{name}.html").write_text(text)
    return [folder / f"{name}.html" for name in made]


def test_axe_finds_nothing_and_nothing_sticks_out(browser, pages):
    found = {}
    for path in pages:
        with opened(browser, path, *LOOKS[0]) as shown:
            found |= {(path.stem, look): faults(shown) for look in each_look(shown)}
    assert len(found) == len(pages) * len(LOOKS)
    assert {where: what for where, what in found.items() if what} == {}
