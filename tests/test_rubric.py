"""Rubrics of written answers, as authors write them into the cells of source/."""

from __future__ import annotations

import pytest

from proctor.grading.rubric import faults, parse, score

SOURCE = """**Rubric (3 points)**

> Ten seconds an item.
* 1: says that accuracy moves only when a decision flips
  It counts decisions.
  So it stays the same.
> "It is a percentage" alone does not count.
> Nor does "it is slow".

- 1.5: so its slope is 0
* +0.5: names a loss
* \u22120.5: confuses metric and loss
* 0: a nice example

A good answer: it stands still.

* 2 steps of weights (no item: there is no colon)
* accuracy: counts
1: nor is this
"""


def test_items_notes_and_the_model_answer():
    rubric = parse(SOURCE)
    assert [(item.points, item.text) for item in rubric.items] == [
        (1.0, "says that accuracy moves only when a decision flips"),
        (1.5, "so its slope is 0"),
        (0.5, "names a loss"),
        (-0.5, "confuses metric and loss"),
        (0.0, "a nice example"),
    ]
    assert rubric.items[0].explanation == "It counts decisions.\nSo it stays the same."
    assert (
        rubric.items[0].notes
        == '"It is a percentage" alone does not count.\nNor does "it is slow".'
    )
    assert rubric.notes == "Ten seconds an item."
    assert "A good answer: it stands still." in rubric.model_answer
    assert "* accuracy: counts" in rubric.model_answer
    assert "percentage" not in rubric.model_answer


@pytest.mark.parametrize(
    "source", ["", "REFERENCE_SOLUTION", "**1 point** for a reason", "* no: 1"]
)
def test_a_cell_without_items_is_left_to_its_author(source):
    assert parse(source).items == []
    assert faults(source, 3) == []


@pytest.mark.parametrize(
    ("source", "points", "fault"),
    [
        ("* 1: a\n* 1: b", 3, "(1 + 1) cannot add up to the 3 points"),
        ("* 2: a\n* 2: b", 3, "(2 + 2) cannot add up to the 3 points"),
        ("* 5: a", 3, "(5) cannot add up to the 3 points"),
        ("* 0: a", 3, "no item adds or takes points"),
        ("* 1: a\n* 1: a\n* 1: b", 3, "two items say 'a'"),
        ("* 1: a\n* 2 b\n* 2: c", 3, "'* 2 b' has no colon"),
    ],
)
def test_what_cannot_add_up_is_told(source, points, fault):
    assert any(fault in found for found in faults(source, points))


@pytest.mark.parametrize(
    ("source", "points"),
    [
        ("* 1: a\n* 1: b\n* 1: c\n* -1: d", 3),
        ("* 0.5: a\n* 0.5: b", 1),
        ("* 0.1: a\n* 0.2: b", 0.3),
        ("* 3: all of it\n* 2: most of it\n* 1: some of it", 3),
        ("* -1: a\n* -2: b", 3),
        ("\n".join(f"* 0.1: item {n}" for n in range(40)), 4),
    ],
)
def test_what_adds_up_is_let_through(source, points):
    assert faults(source, points) == []


@pytest.mark.parametrize(
    ("items", "given", "points", "expected"),
    [
        ([1, 1, 1, -0.5], [1, 1], 3, 2),
        ([1, 1, 1, -0.5], [1, -0.5], 3, 0.5),
        ([1, -0.5], [-0.5], 3, 0),
        ([3, 2], [3, 2], 3, 3),
        ([-1, -2], [], 3, 3),
        ([-1, -2], [-1, -2], 3, 0),
        ([0.1, 0.2], [0.1, 0.2], 0.3, 0.3),
    ],
)
def test_points_stay_between_nothing_and_all(items, given, points, expected):
    assert score(items, given, points) == expected
