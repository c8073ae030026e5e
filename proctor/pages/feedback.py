"""What people see in graded notebooks: reports of the checks, and student output made harmless.

Reports are written by the trusted side from titles, hints, scores and diagnoses alone. Everything
that came from a submission is cut down to an allow-list, and cleaned again when it becomes HTML.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import nbformat
from bleach.sanitizer import Cleaner
from nbconvert.filters.markdown_mistune import InvalidNotebook, MarkdownWithMath
from nbformat import NotebookNode

from proctor.pages.formulas import PLACE, PRIVATE, Formulas
from proctor.text import plain, points

if TYPE_CHECKING:
    from proctor.grading.marks import CellMarks, Check

MAX_TEXT_CHARACTERS = 100_000
MAX_IMAGE_CHARACTERS = 2_000_000
MAX_MARKDOWN_CHARACTERS = 20_000
MAX_OUTPUTS = 200
MAX_MARKUP_CHARACTERS = 1_000_000
MAX_PIXELS = 10_000

# Scripts, widgets and SVG stay out; their text/plain twin is shown instead.
TEXT_TYPES = ("text/plain", "text/html", "text/markdown", "text/latex")
IMAGE_TYPES = ("image/png", "image/jpeg")
BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")
# Everything that a terminal or a browser may obey, except colours (escape) and white space.
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]")

TAGS = (
    "a abbr b blockquote br caption cite code dd del details div dl dt em h1 h2 h3 h4 h5 h6 hr i "
    "img ins kbd li mark ol p pre q s samp small span strong sub summary sup table tbody td tfoot "
    "th thead tr u ul var"
)
# Elements that need no end, or that end by themselves.
ENDLESS = (
    "area br col colgroup dd dt hr img input li link meta option p source tbody td tfoot th thead "
    "tr wbr"
)
PROTOCOLS = frozenset({"http", "https", "mailto", "data", "attached-picture"})
SAFE_LINK = re.compile(r"(https?://|mailto:|#)", re.IGNORECASE)
# Attached pictures have numbers here, and are put in last: proctor/pages/pictures.py.
SAFE_IMAGE = re.compile(
    r"data:image/(png|jpeg|gif);base64,[A-Za-z0-9+/=\s]+|attached-picture:[0-9]{1,2}", re.IGNORECASE
)
# The classes of highlighted code; others could borrow the looks of the page around.
CODE_CLASS = re.compile(r"highlight( hl-[a-z0-9]+)*|[a-z][a-z0-9]{0,2}")
# What a browser would not show either; without it, it is shown as text. Never a matter of safety.
INVISIBLE = re.compile(r"<(style|script)\b[^<]*</\1\s*>", re.IGNORECASE)
# What takes a parser of HTML very long: elements within elements, tags with many attributes.
MAX_OPEN_ELEMENTS = 100
MAX_ATTRIBUTES = 50
TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>]*)([^>]*)")
ATTACHED_PICTURE = re.compile(r"!\[([^\[\]]*)\]\(attachment:([^()]*)\)")


# Reports of the checks

# Told apart by word and sign, whatever their colour.
RESULTS = {"passed": "✓ passed", "failed": "✗ failed", "not tried": "○ not tried"}


def cell_report(marks: CellMarks) -> list[NotebookNode]:
    """The outputs of a graded cell: a table of its checks, then the score, which nbgrader reads."""
    rows = "".join(_row(check, marks.worth(check)) for check in marks.checks)
    table = (
        f'<table class="table"><caption>Checks of {with_code(f"`{marks.grade_id}`")}</caption>'
        '<thead><tr><th scope="col">Result</th><th scope="col">What was checked</th>'
        '<th scope="col">Points</th><th scope="col">Hint</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )
    lines = [_line(check) for check in marks.checks]
    if not marks.checks:
        table, lines = "<p>There are no checks of this cell.</p>", ["There are no checks here."]
    if marks.diagnosis:
        table += f"<p>{with_code(marks.diagnosis)}</p>"
        lines.append(marks.diagnosis)
    if marks.note:
        table += f"<p>{with_code(marks.note)}</p>"
        lines.append(marks.note)
    score = f"{marks.score:g} of {points(marks.max_score)}"
    table += f"<p><strong>Score:</strong> {score}</p>"
    lines.append(f"Score: {score}")
    return _report("\n".join(lines), table, marks.score or 0.0)


def refusal_report(reason: str) -> list[NotebookNode]:
    """The outputs of a graded cell of a submission that could not be read."""
    text = f"Not graded: {reason}"
    return _report(text, f"<p><strong>Not graded:</strong> {html.escape(reason)}</p>", 0.0)


def notes_cell(title: str, notes: Iterable[str]) -> NotebookNode:
    """A cell that tells people what happened to the submission before it was graded."""
    items = "".join(f"<li>{_one_line(note[:1].upper() + note[1:])}</li>" for note in notes)
    source = f"<p><strong>{html.escape(title)}</strong></p><ul>{items}</ul>"
    return nbformat.v4.new_markdown_cell(
        source, id="proctor-notes", metadata={"proctor": {"notes": True}}
    )


def _report(text: str, table: str, score: float) -> list[NotebookNode]:
    return [
        _shown("display_data", {"text/plain": text, "text/html": table}, {}),
        _shown("execute_result", {"text/plain": repr(float(score))}, {}),
    ]


def _shown(kind: str, data: dict[str, str], metadata: dict[str, Any]) -> NotebookNode:
    count = {"execution_count": None} if kind == "execute_result" else {}
    return _output(kind, data=data, metadata=metadata, **count)


def _output(kind: str, **fields: Any) -> NotebookNode:
    """As nbformat's `new_output`, which checks each against the schema; the whole notebook is
    checked once, when it is written."""
    return nbformat.from_dict({"output_type": kind, **fields})


def _row(check: Check, worth: float) -> str:
    given = f"{worth if check.passed else 0:.3g} of {worth:.3g}"
    texts = (RESULTS[check.state], check.title, given, check.hint or "")
    return f"<tr>{''.join(f'<td>{with_code(text)}</td>' for text in texts)}</tr>"


def with_code(text: str) -> str:
    """Plain words as HTML; what stands in backticks is set as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


def _line(check: Check) -> str:
    result = RESULTS[check.state]
    return f"{result}: {check.title}" + (f"\n    {check.hint}" if check.hint else "")


def _one_line(text: str) -> str:
    """Untrusted words in a Markdown cell: HTML entities, so that Markdown finds nothing in them."""
    return re.sub(r"[^A-Za-z0-9 .,:;?()/'-]", lambda found: f"&#{ord(found[0])};", plain(text))


# Outputs of the student's cells


def safe_outputs(outputs: Iterable[Any]) -> list[NotebookNode]:
    """What a cell printed, drew or raised, as nbformat outputs of the kinds that are shown."""
    safe = (_safe_output(output) for output in list(outputs)[:MAX_OUTPUTS])
    return [output for output in safe if output is not None]


def limit_markup(cells: Iterable[NotebookNode]) -> None:
    """Leave out what more than enough markup of a whole notebook there is: cleaning takes time."""
    room = MAX_MARKUP_CHARACTERS
    for output in (output for cell in cells for output in cell.get("outputs", [])):
        data = output.get("data", {})
        for kind in [kind for kind in TEXT_TYPES if kind in data and kind != "text/plain"]:
            room -= len(data[kind])
            if room < 0:
                del data[kind]
                data.setdefault("text/plain", "... left out ...")


def _safe_output(output: Any) -> NotebookNode | None:
    if not isinstance(output, dict):
        return None
    kind = output.get("output_type")
    if kind == "stream":
        name = "stderr" if output.get("name") == "stderr" else "stdout"
        return _output("stream", name=name, text=_text(output.get("text")))
    if kind == "error":
        traceback = output.get("traceback")
        return _output(
            "error",
            ename=_text(output.get("ename"))[:200],
            evalue=_text(output.get("evalue")),
            traceback=[_text(line) for line in traceback] if isinstance(traceback, list) else [],
        )
    if kind in ("display_data", "execute_result"):
        data = _safe_data(output.get("data"))
        metadata = _sizes(output.get("metadata"))
        return _shown(kind, data, metadata) if data else None
    return None


def _safe_data(data: Any) -> dict[str, str]:
    if not isinstance(data, dict):
        return {}
    texts = {kind: _joined(data[kind]) for kind in TEXT_TYPES if kind in data}
    images = {kind: _joined(data[kind]) for kind in IMAGE_TYPES if kind in data}
    safe = {
        # Long text is cut; markup cannot be, so it is left to its plain twin.
        kind: _text(text)
        for kind, text in texts.items()
        if kind == "text/plain" or len(text) <= MAX_TEXT_CHARACTERS
    }
    for kind, image in images.items():
        if len(image) <= MAX_IMAGE_CHARACTERS and BASE64.fullmatch(image):
            safe[kind] = image
    return safe


def _sizes(metadata: Any) -> dict[str, dict[str, int]]:
    """The sizes of images: they go into HTML without quotes, so nothing but numbers may stay."""
    sizes: dict[str, dict[str, int]] = {}
    for kind in IMAGE_TYPES:
        given = metadata.get(kind) if isinstance(metadata, dict) else None
        for side in ("width", "height"):
            pixels = given.get(side) if isinstance(given, dict) else None
            if type(pixels) is int and 0 < pixels <= MAX_PIXELS:
                sizes.setdefault(kind, {})[side] = pixels
    return sizes


def _joined(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "".join(value)
    return value if isinstance(value, str) else ""


def _text(value: Any) -> str:
    text = CONTROL.sub("", _joined(value)).encode("utf-8", errors="replace").decode("utf-8")
    if len(text) <= MAX_TEXT_CHARACTERS:
        return text
    return text[:MAX_TEXT_CHARACTERS] + "\n... the rest was cut ..."


# HTML of feedback and Formgrader; `bounded.py` calls these two within bounds


def clean_html(markup: str) -> str:
    """Markup without scripts, styles, frames, forms, ids and links that do anything but lead on."""
    if is_costly(markup):
        return _as_it_is(markup)
    return _cleaner().clean(INVISIBLE.sub("", markup))


def is_costly(markup: str) -> bool:
    """Whether markup is made to be slow to read: nobody nests or describes elements like that."""
    still_open = 0
    for closing, name, attributes in TAG.findall(markup):
        if len(attributes.split()) > MAX_ATTRIBUTES:
            return True
        if name.lower() not in ENDLESS.split():
            still_open = max(0, still_open - 1) if closing else still_open + 1
        if still_open > MAX_OPEN_ELEMENTS:
            return True
    return False


def markdown_to_html(source: str) -> str:
    """Markdown as nbconvert renders it, cleaned after rendering so that text stays whole."""
    source = ATTACHED_PICTURE.sub("*(attached picture, left out)*", PRIVATE.sub("", source))
    if len(source) > MAX_MARKDOWN_CHARACTERS:
        return _as_it_is(source)
    formulas = Formulas()
    try:
        page = MarkdownWithMath(renderer=formulas).render(source)
        page = _cleaner(formulas.inserted).clean(INVISIBLE.sub("", page))
        return PLACE.sub("", page)  # of formulas in attributes, where there can be none
    except (RecursionError, ValueError, LookupError, InvalidNotebook):
        # One student's odd text must not keep the others from their feedback.
        return _as_it_is(source)


def _cleaner(*filters: Any) -> Cleaner:
    return Cleaner(
        tags=frozenset(TAGS.split()),
        attributes=_is_safe_attribute,
        protocols=PROTOCOLS,
        strip_comments=True,
        filters=filters,
    )


def _as_it_is(text: str) -> str:
    return f"<pre>{html.escape(text)}</pre>"


def _is_safe_attribute(tag: str, name: str, value: str) -> bool:
    if name == "href":
        return tag == "a" and SAFE_LINK.match(value.strip()) is not None
    if name == "src":
        return tag == "img" and SAFE_IMAGE.fullmatch(value.strip()) is not None
    if name in ("width", "height", "colspan", "rowspan", "start"):
        return re.fullmatch(r"[0-9]{1,4}%?", value) is not None
    if name == "class" and tag == "table":
        return value == "table"
    if name == "class":
        return tag in ("div", "pre", "span") and CODE_CLASS.fullmatch(value) is not None
    return name in ("alt", "title", "scope", "align", "open")
