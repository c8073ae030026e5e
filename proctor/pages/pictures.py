"""Pictures that a student pasted into a text, shown in it.

Their data stays away from what makes HTML of the text: there they have numbers, and they are put
into the finished page, each at the first place that names it.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping
from urllib.parse import unquote

from jinja2 import pass_context
from jinja2.runtime import Context

from proctor.grading.pictures import attached_pictures
from proctor.pages import bounded
from proctor.pages.feedback import ATTACHED_PICTURE

PLACE = re.compile(r'src="attached-picture:([0-9]{1,2})"', re.IGNORECASE)
NOWHERE = 'src="data:,"'


@pass_context
def cell_to_html(context: Context, source: str) -> str:
    """Markdown in a template of a notebook: with the pictures of the cell that it stands in."""
    cell = context.get("cell") or {}
    pictures = attached_pictures(cell) if cell.get("attachments") else {}
    return markdown_with_pictures(source, pictures)


def markdown_with_pictures(
    source: str,
    pictures: Mapping[str, str],
    render: Callable[[str], str] = bounded.markdown_to_html,
) -> str:
    """Markdown as clean HTML, with these pictures (name to `data:` address) where it names them."""
    if not pictures:
        return render(source)
    names = list(pictures)

    def numbered(written: re.Match[str]) -> str:
        name = written[2].strip()
        name = name if name in pictures else unquote(name)
        if name not in pictures:
            return written[0]
        return f"![{written[1]}](attached-picture:{names.index(name)})"

    return put_in(render(ATTACHED_PICTURE.sub(numbered, source)), list(pictures.values()))


def put_in(page: str, addresses: list[str]) -> str:
    """The page with the pictures in it: once each, as it would grow without end otherwise."""
    left = dict(enumerate(addresses))

    def address(found: re.Match[str]) -> str:
        picture = left.pop(int(found[1]), None)
        return NOWHERE if picture is None else f'src="{html.escape(picture)}"'

    return PLACE.sub(address, page)
