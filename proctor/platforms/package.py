"""`proctor package`: an assignment as one zip file, for students who have no nbgrader.

In it: the released notebook, the files released beside it, a requirements.txt and a short README.
The same release gives the same bytes, on every machine.
"""

from __future__ import annotations

import ast
import importlib.metadata
import io
import re
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from proctor.course import Course, CourseError, read_notebook
from proctor.grading.missing import requirement

EARLIEST = (1980, 1, 1, 0, 0, 0)  # that a zip file can name
REGION = re.compile(r"### BEGIN (SOLUTION|HIDDEN TESTS|MARK SCHEME)")
# Written by this module, so a release must not hold files of these names.
OWN_FILES = ("README.md", "requirements.txt")
README = """\
# {title}

You need Python {python} and the packages in `requirements.txt`: {packages}. In this folder:

    python3 -m venv .venv
    .venv/bin/pip install -r requirements.txt
    .venv/bin/jupyter lab {assignment}.ipynb

On Windows, `py` is what `python3` is here, and `.venv\\Scripts\\` what `.venv/bin/` is. Any other
program that runs notebooks will do, too, and no graphics card is needed.

Write your answers where the notebook says `YOUR CODE HERE` or `YOUR ANSWER HERE`; leave the other
cells as they are. Before you hand in, choose *Restart Kernel and Run All Cells* and save.

Hand in `{assignment}.ipynb`, and Python files of your own if it imports some; nothing else: no zip
file, no other format.
"""


def package(course: Course, assignment: str, packages: Sequence[str] = ()) -> bytes:
    """The zip file; `packages` are those that the course lists. Raises CourseError if the release
    is missing, stale or asks for too much."""
    path = course.release(assignment)
    released = read_notebook(path)
    demand_fresh(read_notebook(course.reference(assignment)), released, assignment)
    files = released_files(path.parent)
    for name in OWN_FILES:
        if name in files:
            raise CourseError(
                f"release/{assignment}/{name} is in the way: the package has a {name} of its own. "
                f"Give it another name in source/{assignment}/ and release anew"
            )
    imported = imported_modules(released) - {
        Path(name).parts[0].removesuffix(".py") for name in files
    }
    requirements = requirements_of(imported, versions(course.root), packages)
    files["requirements.txt"] = "".join(f"{line}\n" for line in requirements).encode()
    files["README.md"] = README.format(
        title=title_of(released) or assignment,
        python=f"{pythons()[0]} to {pythons()[-1]}",
        packages=", ".join(requirements),
        assignment=assignment,
    ).encode()
    return zipped({f"{assignment}/{name}": data for name, data in files.items()})


def demand_fresh(reference: NotebookNode, released: NotebookNode, assignment: str) -> None:
    """Refuse a release that the instructor's notebook has left behind. Raises CourseError.

    Compared is what a release takes over as it is; solutions and hidden parts differ anyway.
    """
    known = {key_of(cell): cell for cell in released.cells}
    for cell in reference.cells:
        found = known.get(key_of(cell))
        if found is None:
            difference = "is not in the release"
        elif labels_of(cell).get("points") != labels_of(found).get("points"):
            difference = "has other points"
        elif is_taken_over(cell) and cell.source.strip() != found.source.strip():
            difference = "reads otherwise"
        else:
            continue
        raise CourseError(
            f"release/{assignment} is older than source/{assignment}: cell {key_of(cell)} "
            f"{difference}. `proctor release {assignment}` makes it anew"
        )


def is_taken_over(cell: NotebookNode) -> bool:
    return not labels_of(cell).get("solution") and not REGION.search(cell.source)


def key_of(cell: NotebookNode) -> str | None:
    return labels_of(cell).get("grade_id") or cell.get("id")


def labels_of(cell: NotebookNode) -> dict:
    return cell.metadata.get("nbgrader", {})


def released_files(folder: Path) -> dict[str, bytes]:
    """Everything that was released, by its path in the folder; what programs leave behind is not.

    Raises CourseError for a link: nobody would see from the outside where it leads.
    """
    files = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if any(part.startswith((".", "__")) for part in name.parts):
            continue
        if path.is_symlink():
            raise CourseError(f"{path} is a link: put the file itself into the release")
        if path.is_file():
            files[name.as_posix()] = path.read_bytes()
    return files


def requirements_of(imported: set[str], pins: dict[str, str], packages: Sequence[str]) -> list[str]:
    """JupyterLab, the packages of what the notebook imports, and those that the course lists, in
    the versions that grading has.

    Raises CourseError for an import that a student cannot have.
    """
    providers = importlib.metadata.packages_distributions()
    needed = set()
    for module in sorted(imported):
        if module == "proctor" or module not in providers:
            raise CourseError(
                f"the released notebook imports {module}, which "
                + ("students do not have" if module == "proctor" else "is not installed here")
                + ": take the import out of it"
            )
        needed.add(providers[module][0])
    listed = {canonicalize_name(each.name): each for each in map(requirement, packages)}
    needed -= {name for name in needed if canonicalize_name(name) in listed}
    pinned = [f"{name}=={pins[name]}" if name in pins else name for name in needed]
    pinned += [
        f"{name}=={pins[name]}" if name in pins else str(each) for name, each in listed.items()
    ]
    return ["jupyterlab", *sorted(pinned)]


def imported_modules(notebook: NotebookNode) -> set[str]:
    """Top-level modules that the code cells import, those of Python itself left out."""
    found: set[str] = set()
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        for node in ast.walk(ast.parse(TransformerManager().transform_cell(cell.source))):
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module)
    return {name.partition(".")[0] for name in found} - sys.stdlib_module_names


def versions(root: Path) -> dict[str, str]:
    """What constraints.txt of the course pins, by the name of the package; empty without one."""
    path = root / "constraints.txt"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    pins = [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]
    return {pin.name: str(pin.specifier).removeprefix("==") for pin in pins}


def pythons() -> list[str]:
    """The Pythons that this project is made for, and its pins with it, the oldest first."""
    needed = SpecifierSet(importlib.metadata.metadata("proctor")["Requires-Python"])
    return [f"3.{minor}" for minor in range(100) if f"3.{minor}" in needed]


def title_of(notebook: NotebookNode) -> str | None:
    lines = "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown").splitlines()
    return next((line[2:].strip() for line in lines if line.startswith("# ")), None)


def zipped(files: dict[str, bytes]) -> bytes:
    """A zip file. Not compressed: versions of zlib give different bytes for the same text."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, EARLIEST)
            entry.create_system = 3  # Unix, so that the mode counts, wherever it is made
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, files[name])
    return buffer.getvalue()
