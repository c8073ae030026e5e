"""Text of submissions, where a person or a spreadsheet reads it."""

import csv
import io

import pytest

from proctor.text import MAX_CHARACTERS, defused, plain, row_of


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J\x1b]0;title\x07score 15", "[2J ]0;title score 15"),
        ("a\r\n\tb\x00\x9bc\u2028d", "a b c d"),
        ("\u202eright to left\u2066\ufeff", "right to left"),
        ("\ud800 alone", "alone"),
        ("größer ≥ 0 ✓", "größer ≥ 0 ✓"),
        (None, ""),
    ],
)
def test_nothing_is_left_that_a_terminal_would_obey(text, shown):
    assert plain(text) == shown


def test_a_long_text_is_cut():
    assert len(plain("x" * 10**7)) == MAX_CHARACTERS
    assert plain("x" * 50, 10) == "xxxxxx ..."


@pytest.mark.parametrize(
    "text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "=\x1b1", "\t=1", "-1e5x", "+-"]
)
def test_a_formula_is_text_in_a_spreadsheet(text):
    written = io.StringIO()
    csv.writer(written).writerow(row_of([text]))
    [[cell]] = csv.reader(io.StringIO(written.getvalue()))
    assert cell[0] not in "=+-@\t\r"
    assert cell.endswith(plain(text))


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("sign", "=+-@\uff1d\uff0b\uff0d\uff20")
@pytest.mark.parametrize(
    "text", ["{}1+1", "x;{}cmd|'/c calc'!A1;.ipynb", "x,{}1", 'x;"{}1', '"{}1']
)
def test_no_cell_is_a_formula_whatever_separates_cells_here(text, sign, separator):
    written = io.StringIO()
    csv.writer(written).writerow(row_of(["a", text.format(sign), "b"]))
    [cells] = csv.reader(io.StringIO(written.getvalue()), delimiter=separator)
    assert not [cell for cell in cells if cell.lstrip('"')[:1] == sign]


@pytest.mark.parametrize(
    "text", ["-1.5", "+3", "2,5", "-12%", "-", "student-01", "", "a - b; c", "e-mail"]
)
def test_a_number_stays_a_number(text):
    assert defused(text) == text
    assert row_of([text, -1.5, None]) == [text, -1.5, None]
