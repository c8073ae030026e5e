"""The page on likeness: groups, then pairs in two columns with what they share marked; or a CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jinja2

from proctor.pages.likeness import Document, Likeness, Pair, Part, pieces_of
from proctor.text import plain, row_of

TEMPLATES = Path(__file__).parent / "templates" / "similar"
MOST_SHOWN = 40  # pairs in two columns; all others are in the table and in the CSV
MOST_LISTED = 400
MOST_WORDS = 4

Segments = list[tuple[str, bool]]
Naming = Callable[[str], str]


def similar_page(
    assignment: str,
    found: Likeness,
    given: frozenset[str],
    *,
    unread: Sequence[str] = (),
    anonymous: bool = False,
) -> str:
    """The page. `given` are the names that everybody was given (see `likeness.names_given`)."""
    naming = pseudonyms(found.documents) if anonymous else plain
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template("index.html.j2").render(
        assignment=assignment,
        compared=told_compared(found.documents),
        # These lines name students.
        ids=[] if anonymous else [plain(line) for line in found.ids],
        groups=[[naming(student) for student in group] for group in found.groups],
        pairs=[
            shown(pair, given, naming, anonymous, in_columns=place < MOST_SHOWN)
            for place, pair in enumerate(found.pairs[:MOST_LISTED])
        ],
        left_out=found.left_out,
        unread=[] if anonymous else [plain(line) for line in unread],
    )


def similar_csv(found: Likeness, *, anonymous: bool = False) -> str:
    """A row for each pair."""
    naming = pseudonyms(found.documents) if anonymous else plain
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["one", "other", "shared", "evidence", "exercises"])
    for pair in found.pairs:
        one, other = map(naming, pair.names)
        exercises = " ".join(pair.by_exercise)
        writer.writerow(row_of([one, other, f"{pair.share:.2f}", f"{pair.bits:.1f}", exercises]))
    return text.getvalue()


def told_compared(documents: Sequence[Document]) -> str:
    ours = sum(document.is_of_class for document in documents)
    others = len(documents) - ours
    also = f", and with {others} of other classes" if others else ""
    return f"{ours} submissions were compared with each other{also}"


def pseudonyms(documents: Sequence[Document]) -> Naming:
    """The same number for a student on the whole page."""
    numbers = {document.student: number for number, document in enumerate(documents, start=1)}
    return lambda student: f"submission {numbers[student]}"


def shown(
    pair: Pair, given: frozenset[str], naming: Naming, anonymous: bool, *, in_columns: bool
) -> dict[str, Any]:
    columns = []
    for exercise in pair.by_exercise if in_columns else ():
        sides = [
            [marked(part, pair.keys, given) for part in document.parts if part.exercise == exercise]
            for document in (pair.one, pair.other)
        ]
        columns.append((exercise, *sides))
    return {
        "names": [naming(name) for name in pair.names],
        "bits": pair.bits,
        "share": pair.share,
        "exercises": list(pair.by_exercise),
        "sentence": evidence(pair),
        "columns": columns,
    }


def evidence(pair: Pair) -> str:
    """One sentence on what the two share."""
    runs = sum(key.startswith(("code ", "prose ")) for key in pair.keys)
    text = f"{100 * pair.share:.0f} % of what is rare in one is also in the other"
    exercises = list(pair.by_exercise)
    if exercises:
        text += f", most of it in {exercises[0]}"
    text += f": {runs} runs of code or words"
    words = [plain(word) for word in pair.words[:MOST_WORDS]]
    if words:
        quoted = ", ".join(f"“{word}”" for word in words)
        text += f", and rare words and names such as {quoted}"
    return f"{text}."


def marked(part: Part, keys: frozenset[str], given: frozenset[str]) -> Segments:
    """The text of a part in segments, each with whether it is shared."""
    covered = bytearray(len(part.text))
    for piece in pieces_of(part, given):
        if piece.key in keys:
            covered[piece.start : piece.end] = b"\x01" * (piece.end - piece.start)
    segments: Segments = []
    start = 0
    for place in range(1, len(part.text) + 1):
        if place == len(part.text) or covered[place] != covered[start]:
            segments.append((part.text[start:place], bool(covered[start])))
            start = place
    return segments
