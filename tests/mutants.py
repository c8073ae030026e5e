"""`make mutants`: are the graders sharp? Small wrong versions of the reference must all lose.

Each mutant changes one thing in a reference answer: an operator, a constant, an axis, a reduction,
a sign, the order of two arguments, a statement left out, a result detached. Those that still get
full marks are listed. `EQUIVALENT` names those that do what was asked as the reference does, and
why; any other survivor is a gap in the graders.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import functools
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from conftest import SESSION_LIMITS
from tqdm import tqdm

from proctor.classroom.workers import Job, MarkingSettings, Workers
from proctor.course import Course, read_notebook
from proctor.grading.labelled import as_submission, reference_answers, with_answers
from proctor.grading.modules import Submission
from proctor.sandbox.sessions import Sandbox
from proctor.settings import TimeLimits

ROOT = Path(__file__).resolve().parents[1]
COURSE = Course(ROOT)
STUDENT = "student-01"  # whose own numbers the reference holds

# Why a mutant does the same as the reference: its assignment and cell, and what it changes.
EQUIVALENT: dict[str, dict[tuple[str, str], list[str]]] = {
    "a list of numbers is taken as a tensor is": {
        ("accuracy", "same_accuracy"): [
            "line 1, column 16: argument of torch.tensor alone",
            "line 2, column 16: argument of torch.tensor alone",
        ],
        ("mnist_loss", "hand_gradient"): ["line 1, column 11: argument of torch.tensor alone"],
        ("mnist_loss", "three_ways"): [
            "line 1, column 13: argument of torch.tensor alone",
            "line 2, column 19: argument of torch.tensor alone",
            "line 3, column 23: argument of torch.tensor alone",
        ],
    },
    "any vector on the right sides and of the right distance will do": {
        ("accuracy", "same_accuracy"): [
            "line 1, column 35: 0.4 -> 0.2",
            "line 1, column 40: 0.4 -> 0.2",
            "line 1, column 50: 0.2 -> 0.1",
            "line 2, column 35: 0.1 -> 0.05",
            "line 2, column 40: 0.2 -> 0.1",
            "line 2, column 50: 0.4 -> 0.2",
        ],
        ("mnist_loss", "three_ways"): [
            "line 2, column 38: 0.1 -> 0.05",
            "line 3, column 47: 0.45 -> 0.225",
        ],
    },
    "the result has no gradient to lose": {
        ("accuracy", "accuracy"): ["line 4, column 4: result detached"],
        ("accuracy", "flat_fraction"): ["line 4, column 4: result detached"],
        ("mnist_loss", "where_by_hand"): ["line 3, column 4: result detached"],
    },
    "it is the same in both directions": {
        ("accuracy", "flat_fraction"): ["line 3, column 15: slope: arguments 2 and 3 swapped"],
        ("loss_zoo", "bce_with_logits"): [
            "line 3, column 16: torch.logaddexp: arguments 1 and 2 swapped"
        ],
        ("loss_zoo", "mae"): ["line 3, column 12: predictions - targets -> targets - predictions"],
        ("loss_zoo", "mse"): ["line 3, column 13: predictions - targets -> targets - predictions"],
        ("loss_zoo", "rmse"): ["line 3, column 12: mse: arguments 1 and 2 swapped"],
    },
    "the sigmoid is as flat there as a float64 can tell": {
        ("mnist_loss", "sigmoid"): ["line 4, column 44: 80 -> 40", "line 4, column 44: 80 -> 81"],
    },
    "the three vectors have the same length": {
        ("mnist_loss", "where_by_hand"): [
            "line 3, column 66: zip without strict",
            "line 3, column 86: True -> False",
        ],
    },
    "the four decimals asked for are the same in float32": {
        ("cross_entropy", "own_numbers"): ["line 2, column 12: torch.tensor without dtype"],
    },
    "an epsilon up to 1e-8 is accepted": {
        ("loss_zoo", "rmse"): ["line 3, column 40: 1e-12 -> 5e-13"]
    },
}

OPERATORS = {
    ast.Add: [ast.Sub],
    ast.Sub: [ast.Add],
    ast.Mult: [ast.Div, ast.Add],
    ast.Div: [ast.Mult],
    ast.Pow: [ast.Mult],
    ast.Eq: [ast.NotEq],
    ast.NotEq: [ast.Eq],
    ast.Gt: [ast.GtE, ast.Lt],
    ast.GtE: [ast.Gt, ast.LtE],
    ast.Lt: [ast.LtE, ast.Gt],
    ast.LtE: [ast.Lt, ast.GtE],
}
# Methods and functions, and what is easily taken for them.
NAMES = {
    "mean": ["sum", "max"],
    "sum": ["mean"],
    "max": ["min"],
    "min": ["max"],
    "amax": ["amin"],
    "exp": ["log"],
    "log": ["exp", "log2", "log10"],
    "abs": ["square"],
    "square": ["abs"],
    "sqrt": ["square"],
    "logsumexp": ["sum"],
    "softplus": ["relu"],
    "no_grad": ["enable_grad"],
}


@dataclass(frozen=True)
class Mutant:
    assignment: str
    cell: str
    what: str
    source: str

    @property
    def key(self) -> tuple[str, str, str]:
        return self.assignment, self.cell, self.what


def mutants_of(assignment: str) -> Iterator[Mutant]:
    """Every mutant of every code answer of an assignment, each source once."""
    for cell, source in reference_answers(read_notebook(COURSE.reference(assignment))).items():
        tree = ast.parse(source)
        seen = {ast.unparse(tree)}
        for place, node in enumerate(ast.walk(tree)):
            for what, new in variants(node):
                mutated = ast.unparse(with_node(tree, place, new))
                if mutated not in seen:
                    seen.add(mutated)
                    place_in_text = f"line {node.lineno}, column {node.col_offset}"
                    yield Mutant(assignment, cell, f"{place_in_text}: {what}", mutated)


def variants(node: ast.AST) -> Iterator[tuple[str, ast.AST | None]]:
    """What may stand in a node's place; None leaves a statement out."""
    shown = ast.unparse(node) if isinstance(node, ast.expr | ast.stmt) else ""
    if isinstance(node, ast.BinOp):
        for other in OPERATORS.get(type(node.op), []):
            yield changed(node, shown, op=other())
        if isinstance(node.op, ast.Sub | ast.Div):
            yield changed(node, shown, left=node.right, right=node.left)
    if isinstance(node, ast.Compare):
        for other in OPERATORS.get(type(node.ops[0]), []):
            yield changed(node, shown, ops=[other()])
    if isinstance(node, ast.UnaryOp):
        yield f"{shown} -> {ast.unparse(node.operand)}", node.operand
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        for value in (node.value + 1, node.value * 0.5 if node.value else -1):
            yield changed(node, shown, value=type(node.value)(value))
    if isinstance(node, ast.Constant) and type(node.value) is bool:
        yield changed(node, shown, value=not node.value)
    if isinstance(node, ast.Attribute):
        for other in NAMES.get(node.attr, []):
            yield changed(node, shown, attr=other)
    if isinstance(node, ast.IfExp):
        yield changed(node, shown, body=node.orelse, orelse=node.body)
    if isinstance(node, ast.AugAssign):
        for other in OPERATORS.get(type(node.op), []):
            yield changed(node, shown, op=other())
    if isinstance(node, ast.Call):
        yield from variants_of_call(node)
    if isinstance(node, ast.Return) and node.value is not None:
        detached = ast.parse(f"({ast.unparse(node.value)}).detach()", mode="eval").body
        yield "result detached", replaced(node, value=detached)
    if isinstance(node, ast.Expr | ast.AugAssign | ast.Assign) and not is_docstring(node):
        yield f"without {shown}", None


def variants_of_call(node: ast.Call) -> Iterator[tuple[str, ast.AST]]:
    name = ast.unparse(node.func)
    for one in range(len(node.args) - 1):
        swapped = list(node.args)
        swapped[one], swapped[one + 1] = swapped[one + 1], swapped[one]
        yield f"{name}: arguments {one + 1} and {one + 2} swapped", replaced(node, args=swapped)
    for keyword in node.keywords:
        left = [other for other in node.keywords if other is not keyword]
        yield f"{name} without {keyword.arg}", replaced(node, keywords=left)
    if isinstance(node.func, ast.Attribute) and not node.args:
        yield f"without .{node.func.attr}()", node.func.value
    if len(node.args) == 1 and isinstance(node.func, ast.Attribute | ast.Name):
        yield f"argument of {name} alone", node.args[0]


def changed(node: ast.AST, shown: str, **fields: object) -> tuple[str, ast.AST]:
    new = replaced(node, **fields)
    return f"{shown} -> {ast.unparse(ast.fix_missing_locations(new))}", new


def replaced(node: ast.AST, **fields: object) -> ast.AST:
    """A copy of the node with other fields."""
    new = copy.deepcopy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return new


def is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def with_node(tree: ast.Module, place: int, new: ast.AST | None) -> ast.Module:
    """A copy of the tree with another node at this place in `ast.walk`'s order."""
    mutated = copy.deepcopy(tree)
    old = next(node for number, node in enumerate(ast.walk(mutated)) if number == place)
    if new is None:
        new = ast.Pass()
    for parent in ast.walk(mutated):
        for name, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, name, new)
            elif isinstance(value, list) and any(item is old for item in value):
                setattr(parent, name, [new if item is old else item for item in value])
    return ast.fix_missing_locations(mutated)


def survivors(mutants: list[Mutant], workers: int) -> list[tuple[Mutant, str]]:
    """The mutants that got full marks or could not be marked, with what came of each."""
    references = {
        name: read_notebook(COURSE.reference(name)) for name in {m.assignment for m in mutants}
    }
    jobs = {
        Job(STUDENT, mutant.assignment, functools.partial(submission, references, mutant)): mutant
        for mutant in mutants
    }
    # What hangs, hangs for ever: no need to wait long for each.
    settings = MarkingSettings(ROOT, False, TimeLimits(cell=2.0, call=1.0, repeated_call=0.3))
    found = []
    with (
        contextlib.closing(Sandbox(SESSION_LIMITS)) as sandbox,
        Workers(workers, sandbox, settings) as pool,
    ):
        for outcome in tqdm(pool.mark(jobs), total=len(jobs), unit="mutant"):
            mutant = jobs[outcome.job]
            if outcome.marks is None:
                found.append((mutant, f"not marked: {outcome.error}"))
            elif outcome.marks.score == outcome.marks.max_score:
                found.append((mutant, "full marks"))
    return sorted(found, key=lambda pair: pair[0].key)


def submission(references: dict, mutant: Mutant) -> Submission:
    answers = {mutant.cell: mutant.source}
    return Submission(as_submission(with_answers(references[mutant.assignment], answers)))


def reasons() -> dict[tuple[str, str, str], str]:
    """For each mutant known to be equivalent, why it is."""
    return {
        (*cell, what): reason
        for reason, cells in EQUIVALENT.items()
        for cell, changes in cells.items()
        for what in changes
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("assignments", nargs="*", default=COURSE.assignments())
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()
    mutants = [mutant for name in options.assignments for mutant in mutants_of(name)]
    found = survivors(mutants, options.jobs)
    equivalent = {key: why for key, why in reasons().items() if key[0] in options.assignments}
    gaps = [pair for pair in found if pair[0].key not in equivalent]
    for mutant, fate in found:
        reason = equivalent.get(mutant.key, "NOT CAUGHT")
        print(f"{mutant.assignment} {mutant.cell}, {mutant.what}: {fate}. {reason}")
    stale = equivalent.keys() - {mutant.key for mutant, _ in found}
    for key in sorted(stale):
        print(f"no longer a survivor, take it off the list: {key}")
    different = len(mutants) - (len(found) - len(gaps))
    caught = different - len(gaps)
    print(
        f"{len(mutants)} mutants, {len(found) - len(gaps)} of them equivalent; "
        f"{caught} of {different} others caught: {100 * caught / different:.1f} %"
    )
    return 1 if gaps or stale else 0


if __name__ == "__main__":
    sys.exit(main())
