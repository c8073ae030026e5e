"""Questions on one's own code as people get them: sheet and key, Moodle's GIFT, a notebook."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import nbformat
from nbformat import NotebookNode, v4

from proctor.grading.asking import Asked, Sheet
from proctor.pages.feedback import markdown_to_html
from proctor.text import plain

TEMPLATES = Path(__file__).parent / "templates" / "questions"
# What GIFT takes for its own.
GIFT_SIGNS = re.compile(r"([\\~=#{}:])")


def sheets_page(assignment: str, sheets: Sequence[Sheet], *, with_key: bool) -> str:
    """A page for each student, or the answers to all of them."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template("index.html.j2").render(
        assignment=assignment, with_key=with_key, sheets=[shown(sheet) for sheet in sheets]
    )


def shown(sheet: Sheet) -> dict[str, Any]:
    return {
        "student": plain(sheet.student),
        "seed": sheet.seed,
        "reason": sheet.reason and plain(sheet.reason),
        "questions": [
            {
                "html": markdown_to_html(asked.text),
                "options": [plain(option) for option in asked.options],
                "right": plain(asked.right),
                "within": 0 if isinstance(asked.key, bool | str) else asked.within,
                "exercise": asked.exercise,
            }
            for asked in sheet.questions
        ],
    }


def gift(assignment: str, sheets: Sequence[Sheet]) -> str:
    """Moodle's GIFT: a category for each student, a question after the other."""
    parts = []
    for sheet in sheets:
        student = escaped(plain(sheet.student)).replace("/", "//")
        parts.append(f"$CATEGORY: $course$/top/{escaped(assignment)}/{student}\n")
        for number, asked in enumerate(sheet.questions, start=1):
            title = escaped(f"{plain(sheet.student)} {number}: {asked.exercise}")
            parts.append(f"::{title}::[markdown]{escaped(asked.text)} {{{choice_of(asked)}}}\n")
    return "\n".join(parts)


def choice_of(asked: Asked) -> str:
    if asked.options:
        return " ".join(
            f"{'=' if option == asked.right else '~'}{escaped(plain(option))}"
            for option in asked.options
        )
    if isinstance(asked.key, list | str | bool):
        return f"={escaped(plain(asked.right))}"
    return f"#{asked.key:g}:{asked.within:g}"


def escaped(text: str) -> str:
    return GIFT_SIGNS.sub(r"\\\1", " ".join(text.split()))


# The follow-up notebook: the same cells for everybody, with each student's own questions in them


def follow_up(assignment: str, count: int, sheet: Sheet | None = None) -> NotebookNode:
    """A notebook with an answer cell for each of `count` questions; without a sheet, the source."""
    cells = [
        labelled(
            v4.new_markdown_cell(
                f"# Questions on your own {assignment}\n\nYour own code answers these questions; "
                "its numbers differ from everybody else's. Work them out, or run your code."
            ),
            "start",
            locked=True,
        )
    ]
    for number in range(1, count + 1):
        asked = sheet.questions[number - 1] if sheet and number <= len(sheet.questions) else None
        text = asked.text if asked else "This question stands in the notebook that you were given."
        if asked and asked.options and isinstance(asked.key, str):
            text += f" Answer with one of these: {', '.join(map(repr, asked.options))}."
        elif asked and isinstance(asked.key, bool):
            text += " Answer with True or False."
        question = v4.new_markdown_cell(f"## Question {number}\n\n{text}", id=f"question-{number}")
        solution = f"### BEGIN SOLUTION\nanswer_{number} = None\n### END SOLUTION"
        stub = f"# YOUR CODE HERE\nanswer_{number} = None" if sheet else solution
        check = v4.new_code_cell(
            f'assert answer_{number} is not None, "answer_{number} is not given yet"'
        )
        cells += [
            question,  # without a label: each student has another text here
            labelled(v4.new_code_cell(stub), f"answer_{number}", solution=True),
            labelled(check, f"answer_{number}_check", grade=True, points=1, locked=True),
        ]
    for cell in cells:
        if "nbgrader" in cell.metadata:
            cell.id = cell.metadata.nbgrader.grade_id.replace("_", "-")
    notebook = v4.new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {
        "display_name": "Python 3",
        "language": "python",
        "name": "python3",
    }
    return notebook


def labelled(
    cell: NotebookNode,
    name: str,
    *,
    grade: bool = False,
    solution: bool = False,
    locked: bool = False,
    points: int = 0,
) -> NotebookNode:
    labels = {
        "grade": grade,
        "grade_id": name,
        "locked": locked,
        "schema_version": 3,
        "solution": solution,
        "task": False,
    }
    cell.metadata["nbgrader"] = nbformat.from_dict(
        {**labels, "points": points} if grade else labels
    )
    return cell


def follow_up_graders(assignment: str, count: int) -> str:
    """The graders of the follow-up notebook, as a file."""
    lines = [
        f'"""Are the questions on {assignment} answered as the student\'s own function answers?"""',
        "",
        "from proctor.authoring import assert_own_answer, grades",
        "",
    ]
    for number in range(1, count + 1):
        lines += [
            "",
            f'@grades("answer_{number}_check", hint="Run your own code on these very numbers.")',
            f"def test_answer_{number}(student, student_id):",
            f'    """Question {number} is answered as your own code answers it."""',
            f'    assert_own_answer("{assignment}", student_id, {number}, student.answer_{number})',
            "",
        ]
    return "\n".join(lines)
