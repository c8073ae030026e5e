"""Which cells can be left out without being missed. The first cell is the one that may be."""

import dis
import re

import pytest
import torch

from proctor.inside.examinee import cells_not_missed
from proctor.inside.shell import make_shell
from proctor.wire import names


@pytest.fixture(scope="module")
def left_out():
    """`left_out("figure = 1", "print(2)", ...)`: whether nobody misses the first cell."""
    shell = make_shell()

    def ask(*cells, candidates=(0,), students=None):
        students = range(len(cells)) if students is None else students
        message = {"cells": cells, "candidates": candidates, "students": students}
        return cells_not_missed(shell, message)

    return ask


FIGURE = "for loss in [1, 2]:\n    curve = [loss]\nfrom math import pi as number\ndef draw(): pass"


@pytest.mark.parametrize(
    "other",
    [
        "x = 1",
        "def train(x):\n    loss = x.mean()\n    return loss",  # a name of its own
        "def draw_all(curve): return [curve for curve in curve]",
        "loss, curve, number = 1, 2, 3",  # bound, never loaded
        "print('curve')  # loss",
        "self.loss",
        "await x",
    ],
)
def test_what_no_other_cell_uses_is_left_out(left_out, other):
    assert left_out(FIGURE, other) == [0]


@pytest.mark.parametrize(
    "other",
    [
        "print(loss)",
        "x = curve[0]",
        "def train(x):\n    return x * loss",
        "class A:\n    b = [lambda: number]",
        "f'{curve}'",
        "draw()",
        "del curve",
        "def f():\n    global loss\n    loss += 1",
        "globals()['loss']",
        "eval('lo' + 'ss')",
        "import __main__ as me\nme.loss",
        "import sys\nsys.modules['__main__'].loss",
        "import timeit\ntimeit.timeit('loss')",
        "repeat('curve', 'from __main__ import curve')",
        "draw_all.__globals__['curve']",
        "'curve' in dir()",
        "%time loss",
        "!ls {curve}",
        "%%capture\nloss",
        "def broken(:",
        "a = '\0'",
        "(" * 5000,
    ],
)
def test_what_another_cell_uses_or_may_use_is_not_left_out(left_out, other):
    assert left_out(FIGURE, other) == []


@pytest.mark.parametrize(
    "figure",
    [
        "from math import *",
        "%pylab inline",
        "%%capture out\n1",
        "globals()['pi'] = 3",
        "exec('a = 1')",
    ],
)
def test_a_figure_that_may_bind_any_name_is_not_left_out(left_out, figure):
    assert left_out(figure, "x = 1") == []


def test_a_cell_too_deep_to_look_through_leaves_none_out(left_out):
    assert left_out("a = 1", "x = " + "lambda: " * 1500 + "0") == []


def test_cells_of_the_release_may_look_names_up(left_out):
    cells = (FIGURE, "kept = globals()['answer']", "answer = 1")
    assert left_out(*cells, students=[2]) == [0]
    assert left_out(*cells, students=[1, 2]) == []


def test_figures_that_use_each_others_names_are_left_out_together(left_out):
    cells = ("a = 1", "b = a", "c = b", "d = c")
    assert left_out(*cells, candidates=[0, 1, 2, 3]) == [0, 1, 2, 3]
    assert left_out(*cells, candidates=[0, 1, 3]) == [3]  # 2 uses b, so 1 is run, and uses a


def test_no_warning_of_a_cell_is_shown(left_out, recwarn):
    assert left_out("a = 1", r"b = '\d'") == [0]
    assert not recwarn.list


def test_names_are_those_that_dis_tells():
    """Of all that this file, pytest and torch's optimizers define."""
    source = "global seven\n" + "\n".join(f"name_{n} = name_{n - 1}" for n in range(1, 600))
    codes = [compile(source + "\ndel name_3, seven\n[len for len in seven.name_5]", "", "exec")]
    for module in (pytest, torch.optim.Optimizer, torch.optim.SGD, names, re):
        codes += [value.__code__ for value in vars(module).values() if hasattr(value, "__code__")]
    for code in codes:
        for operations in (names.BINDING, names.LOADING):
            told = [one for part in names.parts_of(code) for one in dis.get_instructions(part)]
            expected = {one.argval for one in told if one.opname in operations}
            assert names.names_of(code, operations) == expected
    assert len(names.names_of(codes[0], names.LOADING)) > 590
