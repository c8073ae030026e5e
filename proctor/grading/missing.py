"""Packages that a notebook imports and grading has not: named, not only the errors that follow."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

from proctor.grading.marks import CellMarks
from proctor.sandbox.examination import Examination

NO_MODULE = re.compile(r"No module named '([\w.]{1,100})'")


def missing_packages(examination: Examination) -> list[str]:
    """A line for each cell that stopped because grading has not the package that it imports."""
    lines = []
    for name, run in zip(examination.names, examination.runs, strict=True):
        for output in run.outputs:
            found = NO_MODULE.match(output.get("evalue", ""))
            if found:
                package = found[1].partition(".")[0]
                lines.append(f"{name} stopped: there is no package `{package}` where it is graded")
    return lines


def with_missing(cell: CellMarks, missing: Sequence[str]) -> CellMarks:
    """The marks, with the packages that were missing told where points were lost."""
    if not missing or all(check.passed for check in cell.checks):
        return cell
    told = f"In grading, {'; '.join(missing)}. What follows in such a cell was not run."
    return dataclasses.replace(cell, note=" ".join(filter(None, [cell.note, told])))
