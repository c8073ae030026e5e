"""How like the submissions of a class are: which rare pieces two of them share.

A piece is a run of code without the student's own names, a run of words, a word or a name. What
the release, the reference or much of the class has says nothing, so it is left out; of the rest, a
piece counts by how few have it. Nothing here is a verdict, and nothing of it reaches a mark.

Pieces are counted by scikit-learn, in sparse matrices: the work grows with what is shared, not with
the number of pairs, and neither order nor hash seed change what comes out.
"""

from __future__ import annotations

import builtins
import keyword
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from nbformat import NotebookNode
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import CountVectorizer

RUN_OF_TOKENS = 8
RUN_OF_WORDS = 4
MIN_NAME = 4  # characters of a name or word that can say something by itself
MAX_CHARACTERS = 20_000  # of one cell
# Of all cells and modules of a student's own: each character may begin a piece, and is held as one.
MAX_OWN_CHARACTERS = 200_000
# A piece that more have is no sign of anything: of code a quarter of the class, of prose half.
COMMON = {"code": 4, "name": 8, "prose": 2, "word": 20}
ALWAYS_RARE = 5  # submissions, however small the class
MOST_SHARED = 250  # however large
# Two are shown if they share so many bits, and so much of the rare pieces of whoever has fewer, in
# so many exercises. Honest answers that happen to be nearly the same share up to 28 bits in one of
# them, and seldom share anything in three.
ENOUGH = ((30.0, 0.5, 1), (60.0, 0.25, 1), (15.0, 0.5, 3))
LEAST_BITS = 2.0  # for an exercise to count as shared

# A string that never ends goes on to where one would: else each quote in it would be looked at as
# the beginning of one, and all that follows with each.
TOKEN = re.compile(
    r"(?P<comment>\#[^\n]*)"
    r"|(?P<string>[rbfuRBFU]{0,2}(?:\"\"\"(?:[^\"\\]|\\.|\"(?!\"\"))*(?:\"\"\")?"
    r"|'''(?:[^'\\]|\\.|'(?!''))*(?:''')?|\"(?:[^\"\\\n]|\\.)*\"?|'(?:[^'\\\n]|\\.)*'?))"
    r"|(?P<number>\d[\w.]*)|(?P<name>[^\W\d]\w*)|(?P<sign>\*\*|//|[<>=!]=|->|[^\s\w])",
    re.DOTALL,
)
WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?")
LANGUAGE = frozenset([*keyword.kwlist, *keyword.softkwlist, *dir(builtins)])


@dataclass(frozen=True)
class Part:
    """Something a student wrote: in the cell of an exercise, in a cell or a module of their own."""

    exercise: str
    kind: str  # "code" or "prose"
    text: str


@dataclass(frozen=True)
class Piece:
    """A piece of a part, and where it stands in the part's text."""

    kind: str
    text: str
    start: int
    end: int

    @property
    def key(self) -> str:
        return f"{self.kind} {self.text}"


@dataclass(frozen=True)
class Document:
    """All that one student wrote. `known_id` is the id typed where a notebook asks for it."""

    student: str
    parts: tuple[Part, ...]
    known_id: str | None = None
    is_of_class: bool = True  # else of another class, which is compared with this one alone


@dataclass(frozen=True)
class Pair:
    """Two submissions that share rare pieces: how many bits, what share of the smaller one's."""

    one: Document
    other: Document
    bits: float
    share: float
    keys: frozenset[str]
    by_exercise: dict[str, float]
    words: tuple[str, ...]

    @property
    def names(self) -> tuple[str, str]:
        return self.one.student, self.other.student


@dataclass
class Likeness:
    """What was found: pairs, most telling first; groups of students; what was left out, and why."""

    documents: list[Document]
    pairs: list[Pair] = field(default_factory=list)
    groups: list[list[str]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)


# What a student wrote


def document_of(
    student: str,
    notebook: NotebookNode,
    release: NotebookNode,
    is_of_class: bool = True,
    modules: Mapping[str, bytes] | None = None,
) -> Document:
    """What a rebuilt submission holds that its release does not, and the student's own modules."""
    released = {cell.get("id"): cell.source.strip() for cell in release.cells}
    texts = set(released.values())
    parts: list[Part] = []
    room = MAX_OWN_CHARACTERS

    def add_own(name: str, kind: str, text: str) -> None:
        nonlocal room
        text = text[: min(MAX_CHARACTERS, room)]
        room -= len(text)
        parts.extend([Part(name, kind, text)] if text else [])

    for cell in notebook.cells:
        source = cell.source.strip()
        labels = cell.metadata.get("nbgrader", {})
        if not source or source == released.get(cell.get("id")) or source in texts:
            continue
        if labels.get("locked", False) or (labels.get("grade") and cell.cell_type == "code"):
            continue
        kind = "code" if cell.cell_type == "code" else "prose"
        if exercise := labels.get("grade_id"):
            parts.append(Part(exercise, kind, source[:MAX_CHARACTERS]))
        else:
            add_own("own cells", kind, source)
    for name, data in (modules or {}).items():
        add_own(name, "code", data.decode(errors="replace").strip())
    return Document(student, tuple(parts), typed_id(parts), is_of_class)


def typed_id(parts: Iterable[Part]) -> str | None:
    """What was written as the student's own id, in an answer that binds `student_id`."""
    for part in parts:
        found = re.search(
            r"^[ \t]*student_id[ \t]*=[ \t]*['\"]([^'\"\n]{1,100})['\"]", part.text, re.M
        )
        if found and part.kind == "code":
            return found[1].strip()
    return None


# Its pieces


def pieces_of(part: Part, given: frozenset[str]) -> Iterator[Piece]:
    """The pieces of a part. `given` are names that everybody was given, which are kept in runs."""
    if part.kind == "prose":
        yield from pieces_of_prose(part.text, 0)
        return
    run: list[tuple[str, int, int]] = []
    before = ""
    for found in TOKEN.finditer(part.text):
        kind, text = found.lastgroup or "", found[0]
        if kind == "comment":
            yield from pieces_of_prose(text, found.start())
            continue
        shown = text
        if kind == "string":
            shown = "'...'"
            yield from pieces_of_prose(text, found.start())
        elif kind == "name" and before != "." and text not in given and text not in LANGUAGE:
            shown = "_"
            if len(text) >= MIN_NAME:
                yield Piece("name", text, found.start(), found.end())
        before = text
        run.append((shown, found.start(), found.end()))
    yield from runs("code", run, RUN_OF_TOKENS)


def pieces_of_prose(text: str, offset: int) -> Iterator[Piece]:
    words = [(found[0].lower(), found.start(), found.end()) for found in WORD.finditer(text)]
    placed = [(word, offset + start, offset + end) for word, start, end in words]
    for word, start, end in placed:
        if len(word) > MIN_NAME:
            yield Piece("word", word, start, end)
    yield from runs("prose", placed, RUN_OF_WORDS)


def runs(kind: str, tokens: Sequence[tuple[str, int, int]], length: int) -> Iterator[Piece]:
    for first in range(len(tokens) - length + 1):
        window = tokens[first : first + length]
        yield Piece(kind, " ".join(token for token, _, _ in window), window[0][1], window[-1][2])


def names_given(notebooks: Iterable[NotebookNode]) -> frozenset[str]:
    """Names that stand in what everybody was given."""
    return frozenset(
        found[0]
        for notebook in notebooks
        for cell in notebook.cells
        for found in re.finditer(r"[^\W\d]\w*", cell.source)
    )


def keys_of(document: Document, given: frozenset[str]) -> list[str]:
    return [piece.key for part in document.parts for piece in pieces_of(part, given)]


# What is shared


def compare(
    documents: Sequence[Document],
    *,
    given: Sequence[NotebookNode],
    known: Sequence[Document] = (),
) -> Likeness:
    """Look for rare pieces that two documents share.

    `given` are notebooks whose text counts for nothing: release and reference. `known` are answers
    that people arrive at by themselves, the labelled ones: what they hold is less rare.
    """
    documents = sorted(documents, key=lambda document: document.student)
    found = Likeness(documents, ids=told_by_ids(documents))
    if len(documents) < 2:
        return found
    names = names_given(given[:1])
    everywhere = {key for notebook in given for key in keys_of(whole(notebook), names)}
    counter = CountVectorizer(analyzer=lambda document: keys_of(document, names), binary=True)
    try:
        held = csr_matrix(counter.fit_transform([*documents, *known]))
    except ValueError:  # nobody wrote anything
        return found
    keys = counter.get_feature_names_out()
    bits = bits_of(held, len(documents), keys, everywhere)
    found.left_out = told_left_out(documents, names)
    shared = held[: len(documents)].multiply(np.sqrt(bits)).tocsr()
    products = (shared @ shared.T).tocoo()
    totals = np.asarray(shared.multiply(shared).sum(axis=1)).ravel()
    mine = [document.is_of_class for document in documents]
    for one, other, amount in zip(products.row, products.col, products.data, strict=True):
        share = min(1.0, float(amount) / float(min(totals[one], totals[other])))
        if one < other and (mine[one] or mine[other]) and is_enough(float(amount), share, 3):
            places = shared[[one]].multiply(shared[[other]]).nonzero()[1]
            weights = {str(keys[place]): float(bits[place]) for place in places}
            pair = pair_of(documents[one], documents[other], weights, share, names)
            exercises = sum(amount >= LEAST_BITS for amount in pair.by_exercise.values())
            if is_enough(pair.bits, share, exercises):
                found.pairs.append(pair)
    found.pairs.sort(key=lambda pair: (-pair.bits, pair.names))
    found.groups = groups_of(found.pairs)
    return found


def whole(notebook: NotebookNode) -> Document:
    """A notebook of the course, all of it, as what a student might have written."""
    kinds = {"code": "code", "markdown": "prose"}
    return Document(
        "",
        tuple(
            Part("", kinds[cell.cell_type], cell.source[:MAX_CHARACTERS])
            for cell in notebook.cells
            if cell.cell_type in kinds
        ),
    )


def bits_of(held: csr_matrix, size: int, keys: Sequence[str], everywhere: set[str]) -> np.ndarray:
    """What it says that two share a piece: more, the fewer have it; 0 for what is left out.

    Pieces that overlap are no news of their own, so that a run counts by its length's share.
    """
    all_ones = np.asarray((held > 0).sum(axis=0)).ravel()
    in_class = np.asarray((held[:size] > 0).sum(axis=0)).ravel()
    bits = np.zeros(len(keys))
    for place, key in enumerate(keys):
        kind = key.partition(" ")[0]
        most = min(max(ALWAYS_RARE, size // COMMON[kind]), MOST_SHARED)
        if not 2 <= in_class[place] <= most or key in everywhere:
            continue
        length = {"code": RUN_OF_TOKENS, "prose": RUN_OF_WORDS}.get(kind, 2)
        bits[place] = math.log2(max(2.0, held.shape[0] / all_ones[place])) / length
    return bits


def is_enough(bits: float, share: float, exercises: int) -> bool:
    return any(
        bits >= least_bits and share >= least_share and exercises >= least_exercises
        for least_bits, least_share, least_exercises in ENOUGH
    )


def pair_of(
    one: Document, other: Document, bits: dict[str, float], share: float, given: frozenset[str]
) -> Pair:
    by_exercise: dict[str, float] = defaultdict(float)
    left = dict(bits)
    for part in one.parts:
        for piece in pieces_of(part, given):
            by_exercise[part.exercise] += left.pop(piece.key, 0.0)
    told = sorted(item for item in by_exercise.items() if item[1] > 0)
    words = [key.partition(" ")[2] for key in bits if key.startswith(("word ", "name "))]
    return Pair(
        one,
        other,
        bits=round(sum(bits.values()), 1),
        share=round(share, 4),
        keys=frozenset(bits),
        by_exercise=dict(sorted(told, key=lambda item: -item[1])),
        words=tuple(sorted(words, key=lambda word: (-len(word), word))),
    )


def groups_of(pairs: Sequence[Pair]) -> list[list[str]]:
    """Students that hang together by pairs, the largest groups first."""
    group: dict[str, set[str]] = {}
    for pair in pairs:
        merged = {*pair.names}
        for name in pair.names:
            merged |= group.get(name, set())
        for name in merged:
            group[name] = merged
    distinct = {id(members): sorted(members) for members in group.values()}
    return sorted(distinct.values(), key=lambda members: (-len(members), members))


# What is told besides


def told_left_out(documents: Sequence[Document], given: frozenset[str]) -> list[str]:
    """For each exercise, how many wrote the same but for names: that says nothing."""
    forms: dict[str, Counter[str]] = defaultdict(Counter)
    for document in documents:
        for part in document.parts:
            if part.kind == "code" and part.exercise != "own cells":
                forms[part.exercise][form_of(part, given)] += 1
    lines = []
    for exercise, counts in sorted(forms.items()):
        most, number = counts.most_common(1)[0][1], sum(counts.values())
        if most > max(ALWAYS_RARE, number // COMMON["code"]):
            lines.append(
                f"{exercise}: {most} of {number} answers are the same but for names, spaces and "
                "comments. That is how it is written, so it was not counted."
            )
    return lines


def form_of(part: Part, given: frozenset[str]) -> str:
    """Code without comments, spaces and the student's own names."""
    shown, before = [], ""
    for found in TOKEN.finditer(part.text):
        kind, text = found.lastgroup, found[0]
        if kind == "comment":
            continue
        is_own = kind == "name" and before != "." and text not in given and text not in LANGUAGE
        shown.append("_" if is_own else text)
        before = text
    return " ".join(shown)


def told_by_ids(documents: Sequence[Document]) -> list[str]:
    """Ids that stand where they should not: one id typed by two, another student's id in a file."""
    lines = []
    typed: dict[str, list[str]] = defaultdict(list)
    for document in documents:
        if document.known_id:
            typed[document.known_id].append(document.student)
    for known_id, students in sorted(typed.items()):
        if len(students) > 1:
            lines.append(f"The id “{known_id}” was typed by {', '.join(students)}.")
    everybody = {document.student for document in documents if document.is_of_class}
    for document in documents:
        text = "\n".join(part.text for part in document.parts)
        others = everybody & set(re.findall(r"[\w.@+-]+", text)) - {document.student}
        for other in sorted(others):
            if not other.isdigit() or len(other) > MIN_NAME:
                lines.append(f"{document.student}'s notebook names {other}.")
    return lines
