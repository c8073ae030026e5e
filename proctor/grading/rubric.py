"""The rubric of a written answer, as its author writes it into the answer's cell in source/.

    * 1: says that accuracy moves only when a decision flips
      Students who get the item see these lines, too.
    > "It is not differentiable" alone does not count.
    * -0.5: confuses metric and loss

List lines that begin with points are items, and indented lines below one explain it. Lines with `>`
are notes for whoever reads, about the item above them or, before the first, about all. Everything
else is the model answer. Where no item adds points, an answer starts with all of them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

ITEM = re.compile(r"^ {0,3}[*+-]\s+([+\-\u2212]?\d+(?:\.\d+)?)\s*:\s*(\S.*)$")
# What somebody may have meant as an item.
ALMOST = re.compile(r"^ {0,3}[*+-]\s+[+\-\u2212]?\d+(?:\.\d+)?\s+(?!:)\S")
NOTE = re.compile(r"^\s{0,8}>\s?(.*)$")
MORE = re.compile(r"^(?: {2,}|\t)(\S.*)$")
DIGITS = 4  # of points


@dataclass
class Item:
    """One thing to be decided about an answer, and the points that it adds or takes away."""

    points: float
    text: str
    explanation: str = ""
    notes: str = ""


@dataclass
class Rubric:
    """What stands in the cell of a written answer in source/."""

    items: list[Item] = field(default_factory=list)
    notes: str = ""
    model_answer: str = ""


def parse(source: str) -> Rubric:
    """The rubric that a cell holds. Any text is one; it may have no items."""
    rubric = Rubric()
    answer: list[str] = []
    item: Item | None = None  # that the next lines may belong to
    for line in source.splitlines():
        if found := ITEM.match(line):
            points = float(found[1].replace("\u2212", "-"))
            item = Item(points, found[2].strip())
            rubric.items.append(item)
        elif found := NOTE.match(line):
            noted = item or rubric
            noted.notes = f"{noted.notes}\n{found[1]}".strip()
        elif item is not None and not item.notes and (found := MORE.match(line)):
            item.explanation = f"{item.explanation}\n{found[1]}".strip()
        else:
            item = item if item is not None and not line.strip() else None
            answer.append(line)
    rubric.model_answer = "\n".join(answer).strip()
    return rubric


def score(items: Collection[float], given: Collection[float], points: float) -> float:
    """What an answer is worth that was given some of the items' points, of at most `points`."""
    start = 0.0 if any(worth > 0 for worth in items) or not items else points
    return round(min(max(start + sum(given), 0.0), points), DIGITS)


def faults(source: str, points: float) -> list[str]:
    """What is wrong with the rubric in a cell that is worth these points; nothing if it has no
    items."""
    items = parse(source).items
    if not items:
        return []
    found = [
        f"{line.strip()!r} has no colon after its points, so it is no item: write `* 1: ...`"
        for line in source.splitlines()
        if ALMOST.match(line) and not ITEM.match(line)
    ]
    texts = [item.text for item in items]
    found += [f"two items say {text!r}" for text in dict.fromkeys(texts) if texts.count(text) > 1]
    gains = [item.points for item in items if item.points > 0]
    if not gains and not any(item.points < 0 for item in items):
        found.append(f"no item adds or takes points, and the cell is worth {points:g}")
    elif gains and not can_add_up(gains, points):
        listed = " + ".join(f"{worth:g}" for worth in gains)
        found.append(f"its items ({listed}) cannot add up to the {points:g} points of the cell")
    return found


def can_add_up(gains: Sequence[float], points: float) -> bool:
    """Whether some of these add up to exactly the points."""
    unit = 10**DIGITS
    goal = round(points * unit)
    sums = {0}
    for gain in gains:
        sums |= {total for one in sums if (total := one + round(gain * unit)) <= goal}
    return goal in sums
