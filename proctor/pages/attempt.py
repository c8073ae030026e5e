"""What a student sees of an attempt while the class works: points, or only that it was received."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import jinja2
from markupsafe import Markup

from proctor.pages.feedback import markdown_to_html
from proctor.pages.formgrader import TEMPLATES
from proctor.pages.returned import Returned, placed
from proctor.text import points


def attempt_page(
    assignment: str,
    student: str,
    handed_in: str | None,
    notices: Sequence[str],
    page: Returned | None = None,
    penalty: float = 0.0,
) -> str:
    """The page as HTML; without `page` it says nothing of what the attempt got."""
    return (
        environment()
        .get_template("attempt/index.html.j2")
        .render(
            assignment=assignment,
            student=student,
            handed_in=handed_in,
            notices=notices,
            page=page,
            penalty=penalty,
        )
    )


@functools.cache
def environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    made.filters["in_points"] = points
    made.filters["markdown"] = lambda source: Markup(placed(markdown_to_html(source), 2))
    return made
