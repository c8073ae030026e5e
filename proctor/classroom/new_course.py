"""A course from nothing, and the skeleton of an assignment: both release and grade at once."""

from __future__ import annotations

import keyword
import re
from pathlib import Path
from string import Template

import nbformat
from nbformat import NotebookNode, v4

from proctor.course import CourseError

TEMPLATES = Path(__file__).parent / "templates"
FIRST = "mean_square"

SETUP = """import torch
from torch import Tensor"""
TITLE = """# $assignment

What this assignment is about, in a few sentences."""
EXERCISE = """## The mean of the squares

Write the function `$assignment`: the mean of the squares of some numbers. **3 points**"""
SOLUTION = '''def $assignment(x: Tensor) -> Tensor:
    """The mean of the squares of the numbers in x, shape []."""
    ### BEGIN SOLUTION
    return (x**2).mean()
    ### END SOLUTION'''
VALUES = """result = $assignment(torch.tensor([3.0, 4.0]))
assert result.shape == (), f"the result should be one number, yours has shape {list(result.shape)}"
assert torch.isclose(result, torch.tensor(12.5)), f"right shape, wrong value: you got {result}\""""
GRADIENT = """x = torch.tensor([3.0, 4.0], requires_grad=True)
$assignment(x).backward()
assert x.grad is not None, "no gradient reaches x: is every step a torch operation on tensors?\""""


def new_course(folder: Path) -> list[Path]:
    """Make a course in a folder that does not exist or is empty; returns its files.

    Raises CourseError.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CourseError(f"{folder} already exists: a new course needs its own folder")
    course_id = re.sub(r"[^A-Za-z0-9_.-]+", "-", folder.resolve().name).strip("-.") or "course"
    names = {"course_id": course_id, "assignment": FIRST}
    written = [
        write(folder / "nbgrader_config.py", filled("nbgrader_config.py", names)),
        write(folder / "README.md", filled("README.md", names)),
        write(folder / ".gitignore", filled("gitignore", names)),
    ]
    return written + new_assignment(folder, FIRST)


def new_assignment(root: Path, assignment: str) -> list[Path]:
    """Make the skeleton of an assignment in a course; returns its files. Raises CourseError."""
    if not assignment.isidentifier() or keyword.iskeyword(assignment) or not assignment.isascii():
        raise CourseError(
            f"{assignment!r} cannot be the name of an assignment: use letters, digits and _, as in "
            "the name of a function"
        )
    names = {"assignment": assignment}
    notebook = root / "source" / assignment / f"{assignment}.ipynb"
    graders = root / "tests" / "graders" / assignment / f"test_{assignment}.py"
    answers = root / "tests" / "answers" / f"{assignment}.py"
    for path in (notebook, graders, answers):
        if path.exists():
            raise CourseError(f"{path.relative_to(root)} already exists: nothing was changed")
    return [
        write(notebook, nbformat.writes(skeleton(assignment)) + "\n"),
        write(graders, filled("graders.py", names)),
        write(answers, filled("answers.py", names)),
    ]


def skeleton(assignment: str) -> NotebookNode:
    """The notebook of a new assignment: one exercise with visible checks."""
    cells = [
        text(f"{assignment}_title", TITLE),
        code("setup", SETUP, locked=True),
        text(f"{assignment}_exercise", EXERCISE),
        code(assignment, SOLUTION, solution=True),
        code(f"{assignment}_values", VALUES, points=2),
        code(f"{assignment}_gradient", GRADIENT, points=1),
    ]
    for cell in cells:
        cell.source = Template(cell.source).substitute(assignment=assignment)
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return v4.new_notebook(cells=cells, metadata=metadata)


def text(cell_id: str, source: str) -> NotebookNode:
    return v4.new_markdown_cell(source, id=cell_id.replace("_", "-")[:64])


def code(
    grade_id: str,
    source: str,
    *,
    points: float | None = None,
    solution: bool = False,
    locked: bool = False,
) -> NotebookNode:
    """A cell with nbgrader's labels, as its panel in JupyterLab would give it."""
    labels = {
        "grade": points is not None,
        "grade_id": grade_id,
        "locked": locked or points is not None,
        "schema_version": 3,
        "solution": solution,
        "task": False,
    }
    if points is not None:
        labels["points"] = points
    cell_id = grade_id.replace("_", "-")[:64]
    return v4.new_code_cell(source, id=cell_id, metadata={"nbgrader": labels})


def filled(template: str, names: dict[str, str]) -> str:
    return Template((TEMPLATES / f"{template}.txt").read_text(encoding="utf-8")).substitute(names)


def write(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path
