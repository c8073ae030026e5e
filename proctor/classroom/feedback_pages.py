"""`nbgrader generate_feedback`: a page is made anew when what it shows has changed, and only then.

nbgrader leaves a page alone that is there, whatever was graded since. Each page of ours ends with a
mark that says what it was made of.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from pathlib import Path
from typing import Any

from nbgrader.converters import GenerateFeedback

from proctor.classroom.stored import Stored, stored_submissions
from proctor.course import CourseError

MADE_OF = re.compile(rb"<!-- made of ([0-9a-f]{64}) -->\s*\Z")
MARK_BYTES = 200
PAGES = Path(__file__).parents[1] / "pages"
# Settings that change what a page looks like.
SECTIONS = ("GenerateFeedback", "FeedbackExporter", "HTMLExporter", "GetGrades")


def mark_page(page: Path, made_of: str) -> None:
    """Mark a page that was just made with what there was before that."""
    if page.exists():
        with page.open("a", encoding="utf-8") as file:
            file.write(f"\n<!-- made of {made_of} -->\n")


def is_stored(converter: GenerateFeedback, assignment: str, student: str) -> bool:
    """Whether the gradebook has the points that the page is to show."""
    return student in stored(converter, assignment)


def page_of(converter: GenerateFeedback, assignment: str, student: str) -> Path:
    return Path(converter._format_dest(assignment, student)) / f"{assignment}.html"


def mark_of(page: Path) -> str | None:
    """What a page says that it was made of, if it is there and says so."""
    if not page.exists():
        return None
    with page.open("rb") as file:
        file.seek(max(0, page.stat().st_size - MARK_BYTES))
        found = MADE_OF.search(file.read())
    return found[1].decode() if found else None


def made_of(converter: GenerateFeedback, assignment: str, student: str) -> str:
    """A hash of all that a page is made of: the graded notebook, points and comments, this code."""
    notebook = Path(converter._format_source(assignment, student)) / f"{assignment}.ipynb"
    of_student = stored(converter, assignment).get(student, Stored())
    settings = {name: converter.config.get(name, {}) for name in SECTIONS}
    parts = [
        notebook.read_bytes() if notebook.exists() else b"",
        as_text(vars(of_student)).encode(),
        as_text(settings).encode(),
        code_of_pages(),
    ]
    found = hashlib.sha256()
    for part in parts:
        found.update(f"{len(part)}\n".encode() + part)
    return found.hexdigest()


def as_text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=lambda other: type(other).__qualname__)


def stored(converter: GenerateFeedback, assignment: str) -> dict[str, Stored]:
    """What the gradebook holds of the class; it is read once in a run."""
    known = vars(converter).setdefault("_proctor_stored", {})
    if assignment not in known:
        try:
            known[assignment] = stored_submissions(converter.coursedir, assignment)
        except CourseError as error:
            converter.log.warning("%s", error)
            known[assignment] = {}
    return known[assignment]


@functools.cache
def code_of_pages() -> bytes:
    """A hash of what makes pages look as they do."""
    found = hashlib.sha256()
    for path in sorted(PAGES.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            found.update(path.name.encode() + path.read_bytes())
    return found.digest()
