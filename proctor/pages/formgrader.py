"""The pages made of a graded notebook: feedback, and Formgrader's for grading by hand.

`templates/` holds what is ours of them; nbgrader_config.py names that folder and these filters.
"""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import nbformat
import nbgrader
from nbconvert.exporters import HTMLExporter
from nbformat import NotebookNode

from proctor.course import CourseError, read_notebook
from proctor.pages.feedback import markdown_to_html

TEMPLATES = str(Path(__file__).parent / "templates")
# nbgrader's own, which ours extend.
NBGRADER_TEMPLATES = str(
    Path(nbgrader.__file__).parent / "server_extensions" / "formgrader" / "templates"
)


class FeedbackExporter(HTMLExporter):
    """nbconvert's HTMLExporter without what takes longer than making the page; Formgrader's pages
    for grading by hand are made by it, too.

    Its last step reads the finished page once more, to describe pictures that our template
    describes itself. And it copies and checks a notebook again and again for whoever else may use
    it; this one is read from its file for one page alone.
    """

    def from_file(  # type: ignore[override]
        self, file_stream: Any, resources: dict[str, Any] | None = None, **settings: Any
    ) -> tuple[str, dict[str, Any]]:
        notebook = nbformat.reader.reads(file_stream.read())
        notebook = nbformat.convert(notebook, 4)
        return self.from_notebook_node(OfOnePage(notebook), resources, **settings)

    def _preprocess(
        self, nb: NotebookNode, resources: dict[str, Any]
    ) -> tuple[NotebookNode, dict[str, Any]]:
        for preprocessor in self._preprocessors:
            nb, resources = preprocessor(nb, resources)
        return nb, resources

    def from_notebook_node(  # type: ignore[override]  # nbconvert's own does not fit its base, either
        self, nb: NotebookNode, resources: dict[str, Any] | None = None, **settings: Any
    ) -> tuple[str, dict[str, Any]]:
        resources = self._init_resources(resources)
        return super(HTMLExporter, self).from_notebook_node(nb, resources, **settings)


class OfOnePage(NotebookNode):
    """A notebook that nobody else uses, so that no copies are needed."""

    def __deepcopy__(self, memo: dict[int, Any]) -> OfOnePage:
        return self


FIELD = re.compile(
    r'<(?:textarea id="(?P<comment>[^"]+)-comment"'
    r'|input class="score tabbable" id="(?P<points>[^"]+)"'
    r'|input class="extra-credit tabbable" id="(?P<extra>[^"]+)_extra_credit")'
)
FIELDS = {"comment": "Comment on", "points": "Points for", "extra": "Extra credit for"}


def accessible(page: str) -> str:
    """nbgrader's page for grading by hand, with its language, a name for each field, and no list
    that holds none of its items. Students' text has neither fields nor lists with these classes."""

    def named(field: re.Match[str]) -> str:
        kind = field.lastgroup or ""
        return f'{field[0]} aria-label="{FIELDS[kind]} {field[kind]}"'

    page = page.replace("<html>", '<html lang="en">', 1)
    page = page.replace('<ul class="nav text-center">', '<ul class="nav text-center" role="none">')
    return FIELD.sub(named, page)


def rubric(grade_id: str, assignment: str) -> str:
    """How a written answer is to be graded, as HTML: what stands in its cell in source/.

    For Formgrader's page alone. The release has a stub there, and nothing takes it further.
    """
    # Here, because it imports torch, which takes seconds, and most commands need no rubric.
    from proctor.settings import course_of, load_config

    try:
        source = read_notebook(course_of(load_config()).reference(assignment))
    except CourseError as error:
        return f"<p>There is no rubric: {html.escape(str(error))}.</p>"
    for cell in source.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == grade_id:
            return markdown_to_html(cell.source)
    return f"<p>source/{assignment} has no cell <code>{html.escape(grade_id)}</code>.</p>"
