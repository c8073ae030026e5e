"""Packages that grading has not: those that the course lists, and those that a notebook imports,
which are named, not only the errors that follow."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import re
import site
import sys
from collections.abc import Sequence
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from proctor.course import CourseError
from proctor.grading.marks import CellMarks
from proctor.sandbox.examination import Examination


def demand_packages(packages: Sequence[str]) -> None:
    """Raises CourseError where a package that the course lists is not installed, or in another
    version."""
    if missing := missing_here(packages):
        raise CourseError(
            f"the notebooks need packages (c.Grading.packages): {'; '.join(missing)}. Install with "
            f"`{sys.executable} -m pip install {' '.join(map(repr, packages))}`"
        )


def missing_here(packages: Sequence[str]) -> list[str]:
    """What of these is not here, one line each. Raises CourseError for what names no package."""
    lines = []
    for needed in map(requirement, packages):
        found = installed_version(needed.name)
        if needed.marker and not needed.marker.evaluate():
            continue
        if found is None:
            lines.append(f"{needed.name} is not installed")
        elif not needed.specifier.contains(found, prereleases=True):
            lines.append(f"{needed} is asked for, and {found} is installed")
    return lines


def requirement(package: str) -> Requirement:
    try:
        return Requirement(package)
    except InvalidRequirement as error:
        raise CourseError(f"c.Grading.packages: {package!r} names no package: {error}") from None


def installed_version(name: str) -> str | None:
    """Of a package that the sandbox can import: what lies in a user's own folder is not shown."""
    own = Path(site.getusersitepackages())
    shown = [place for place in sys.path if not Path(place).is_relative_to(own)]
    found = importlib.metadata.Distribution.discover(name=name, path=shown)
    return next((one.version for one in found), None)


NO_MODULE = re.compile(r"No module named '([\w.]{1,100})'")


def missing_packages(examination: Examination) -> list[str]:
    """A line for each cell that stopped because grading has not the package that it imports."""
    lines = []
    for name, run in zip(examination.names, examination.runs, strict=True):
        for output in run.outputs:
            found = NO_MODULE.match(output.get("evalue", ""))
            if found:
                package = found[1].partition(".")[0]
                lines.append(
                    f"{name} stopped: there is no package `{package}` where it is graded, nor was "
                    "a module of that name handed in beside the notebook"
                )
    return lines


def with_missing(cell: CellMarks, missing: Sequence[str]) -> CellMarks:
    """The marks, with the packages that were missing told where points were lost."""
    if not missing or all(check.passed for check in cell.checks):
        return cell
    told = f"In grading, {'; '.join(missing)}. What follows in such a cell was not run."
    return dataclasses.replace(cell, note=" ".join(filter(None, [cell.note, told])))
