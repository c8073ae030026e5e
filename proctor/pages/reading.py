"""The page for reading written answers: its parts as HTML, every one cleaned.

The page runs no script but its own file, by its Content-Security-Policy as well: an answer that got
through the cleaning would still be words.
"""

from __future__ import annotations

import functools
import html
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from nbformat import NotebookNode

from proctor.grading.pictures import attached_pictures
from proctor.pages.bounded import Renderer, Room
from proctor.pages.feedback import MAX_MARKDOWN_CHARACTERS, safe_outputs
from proctor.pages.pictures import markdown_with_pictures
from proctor.text import plain

TEMPLATES = Path(__file__).parent / "templates" / "reading"
EXCERPT_CHARACTERS = 240
# Cells above an answer that are shown with it, if no heading comes before.
MOST_CELLS_ABOVE = 8
# Of students' texts, within bounds.
RENDERER = Renderer()


@functools.cache
def environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["clean_html"] = functools.partial(RENDERER.render, "markup")
    made.filters["markdown_to_html"] = student_html
    made.filters["pictures_of"] = attached_pictures
    return made


def page(**given: Any) -> str:
    return environment().get_template("index.html.j2").render(**given)


def problem_page(**given: Any) -> str:
    return environment().get_template("problem.html.j2").render(**given)


def student_html(text: str, pictures: Mapping[str, str]) -> str:
    """A student's Markdown as clean HTML."""
    return markdown_with_pictures(text, pictures, functools.partial(RENDERER.render, "markdown"))


def answer_html(text: str, pictures: Mapping[str, str], *, is_code: bool, whole: bool) -> str:
    """An answer as its student sees it; a very long one is shown as it was typed, and only its
    beginning unless the `whole` is asked for."""
    RENDERER.room = Room()
    if is_code:
        return f'<pre tabindex="0"><code>{html.escape(text)}</code></pre>'
    if len(text) <= MAX_MARKDOWN_CHARACTERS:
        return student_html(text, pictures)
    shown = text if whole else text[:MAX_MARKDOWN_CHARACTERS]
    drawn = "".join(f'<img src="{address}" alt="a picture">' for address in pictures.values())
    return f'<pre tabindex="0">{html.escape(shown)}</pre>{drawn}'


def is_cut(text: str) -> bool:
    return len(text) > MAX_MARKDOWN_CHARACTERS


def excerpt(text: str) -> str:
    return plain(text, EXCERPT_CHARACTERS)


def cells_above_html(notebook: NotebookNode, grade_id: str, *, everything: bool) -> str:
    """What stands above an answer in the student's notebook: from the last heading on, or all."""
    RENDERER.room = Room()
    above: list[NotebookNode] = []
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == grade_id:
            break
        above.append(cell)
    if not everything:
        above = above[start_of_section(above) :]
    for cell in above:
        if cell.cell_type == "code":
            cell.outputs = safe_outputs(cell.outputs)
    return environment().get_template("cells.html.j2").render(cells=above)


def start_of_section(cells: list[NotebookNode]) -> int:
    """The place of the last heading among these cells, or of one not too far above."""
    for place in range(len(cells) - 1, -1, -1):
        cell = cells[place]
        if cell.cell_type == "markdown" and cell.source.lstrip().startswith(("# ", "## ")):
            return min(place, max(0, len(cells) - 3))
    return max(0, len(cells) - MOST_CELLS_ABOVE)
