"""What one attack is: a submission, the same submission without the attack, and what may come."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode

ASSIGNMENT = "mnist_loss"
# A script of an attacker would do something with this word; in feedback it may stand as text alone.
MARK = "hostile_mark"

RIGHT = """
def mnist_loss(predictions, targets):
    return torch.where(targets == 1, 1 - predictions, predictions).mean()
"""
# Right shape, right dtype, takes part in the graph, and no right value.
WRONG = """
def mnist_loss(predictions, targets):
    return (predictions * 0).sum()
"""
# Right values, but one example after the other and on the CPU: loses the marks for device handling.
LOOP = """
def mnist_loss(predictions, targets):
    distances = [
        1 - p if t == 1 else p
        for p, t in zip(predictions.flatten(), targets.flatten().tolist(), strict=True)
    ]
    return sum(distances) / len(distances)
"""
HANGS_TOGETHER = frozenset(
    {
        "mnist_loss_values",
        "mnist_loss_gradient",
        "mnist_loss_device",
        "train_epoch_step",
        "train_epoch_learns",
    }
)
NOTHING: frozenset[str] = frozenset()
EVERYTHING = frozenset({"*"})


@dataclass(frozen=True)
class Attack:
    """One hostile submission.

    `answers` are sources by grade id; the other cells are those of an honest submission. `base`
    holds the answers without the attack: in no graded cell may the attack get more than these,
    except in those of `claims`, where a mark rests on what the sandbox says about itself. In the
    cells of `may_lose` it may get less. `reason` must be found in the record. `rewrite` changes
    the finished file, `place` what lies in the student's folder; `suffix` ends the student's id.
    `set_aside`: nbgrader cannot work with it at all, and the instructor is told so.
    """

    name: str
    tries: str
    answers: dict[str, str] = field(default_factory=dict)
    base: dict[str, str] = field(default_factory=dict)
    may_lose: frozenset[str] = HANGS_TOGETHER
    claims: frozenset[str] = NOTHING
    reason: str = ""
    rewrite: Callable[[NotebookNode], NotebookNode | bytes] | None = None
    place: Callable[[Path, bytes], None] | None = None
    suffix: str = "-hostile"
    set_aside: bool = False
    seconds: float = 15.0


def source(text: str) -> str:
    return textwrap.dedent(text).strip() + "\n"


def on_wrong(name: str, tries: str, text: str, **more) -> Attack:
    """An attack beside a wrong mnist_loss, or in place of it: it wants marks."""
    given = source(text)
    answer = given if "def mnist_loss" in given else WRONG + "\n" + given
    return Attack(name, tries, {"mnist_loss": answer}, {"mnist_loss": WRONG}, **more)


def on_right(name: str, tries: str, text: str, **more) -> Attack:
    """An attack beside a right mnist_loss: it wants to harm or to spy."""
    given = source(text)
    answer = given if "def mnist_loss" in given else RIGHT + "\n" + given
    return Attack(name, tries, {"mnist_loss": answer}, {"mnist_loss": RIGHT}, **more)


def cell_of(notebook: NotebookNode, grade_id: str) -> NotebookNode:
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == grade_id:
            return cell
    raise LookupError(grade_id)


def with_sources(notebook: NotebookNode, sources: dict[str, str]) -> NotebookNode:
    notebook = nbformat.from_dict(notebook)
    for grade_id, text in sources.items():
        cell_of(notebook, grade_id).source = source(text)
    return notebook


def unique(attacks: Iterable[Attack]) -> list[Attack]:
    """The attacks in one list; two of one name would hide each other in the table."""
    found = list(attacks)
    names = [attack.name for attack in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two attacks have the same name: {', '.join(twice)}")
    return found
