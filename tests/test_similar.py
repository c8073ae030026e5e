"""`proctor similar`: planted copies are found, honest answers are left alone."""

import csv
import io
import os
import random
import re
import subprocess
import sys
import time
from pathlib import Path

import demo
import pytest
from nbformat import v4

from proctor import cli
from proctor.course import Course, read_notebook
from proctor.grading.labelled import (
    as_submission,
    load_answers,
    reference_answers,
    with_answers,
)
from proctor.grading.rebuilding import rebuild
from proctor.pages.likeness import (
    Document,
    Part,
    compare,
    document_of,
    names_given,
    pieces_of,
    typed_id,
)
from proctor.pages.similar import evidence, marked, similar_csv, similar_page

ROOT = Path(__file__).parent.parent
COURSE = Course(ROOT)
ASSIGNMENT = "mnist_loss"
HONEST = 32
WORDS = """I think that the loss moves although nothing is decided anew, wheras accuracy is blind to
it. Imagine a thermometer with two marks only: that is accuracy. You could heat the
soup for an hour and it would definately still say cold."""
PARAPHRASE = """The loss moves, I believe, although nothing is decided anew; accuracy, wheras, is
blind to it. Imagine some thermometer with two marks only, this is what accuracy is. You could be
heating soup for an hour and it would definately go on to say cold."""


@pytest.fixture(scope="module")
def notebooks():
    return read_notebook(COURSE.release(ASSIGNMENT)), read_notebook(COURSE.reference(ASSIGNMENT))


@pytest.fixture(scope="module")
def reference(notebooks):
    return reference_answers(notebooks[1])


@pytest.fixture(scope="module")
def known():
    return [
        Document("", (Part(answer.cell, "code", answer.source),))
        for answer in load_answers(COURSE, ASSIGNMENT)
    ]


def submission(notebooks, reference, sources, prose=None):
    answers = {**reference, **sources}
    if prose is not None:
        answers["explain_better"] = prose
    return as_submission(with_answers(notebooks[0], answers))


def document(student, content, notebooks):
    return document_of(student, rebuild(content, notebooks[0]).notebook, notebooks[0])


@pytest.fixture(scope="module")
def unusual(reference):
    """One student's answers, each of them right or wrong in a way of its own."""
    deck = demo.Deck(
        [answer for answer in load_answers(COURSE, ASSIGNMENT) if not answer.is_right],
        random.Random(5),
    )
    return {answer.cell: answer.source for answer in deck.one_for_each_cell()}


@pytest.fixture(scope="module")
def honest(notebooks):
    """The class of the demo: different answers, most with the same written one."""
    return [
        document(f"student-{number:02}", sample.content, notebooks)
        for number, sample in enumerate(demo.samples(HONEST), start=1)
        if sample.what != "not a notebook"
    ]


def renamed(source):
    """The answer with other names for whatever it binds."""
    functions = set(re.findall(r"def (\w+)", source))
    bound = set(re.findall(r"\b(\w+)\s*=[^=]", source)) | set(re.findall(r"for (\w+)", source))
    for number, name in enumerate(sorted(bound - functions)):
        source = re.sub(rf"(?<![.\w]){name}\b", f"other_{number}", source)
    return source


def recommented(source):
    lines = [re.sub(r"\s*#.*", "", line) for line in source.splitlines()]
    return "\n".join(f"{line}  # now this" if line.strip() else line for line in lines)


def with_own_cells_first(content, notebooks):
    """The same answers in a notebook whose own cells stand elsewhere."""
    notebook = rebuild(content, notebooks[0]).notebook
    own = [cell for cell in notebook.cells if not cell.metadata.get("nbgrader")]
    rest = [cell for cell in notebook.cells if cell.metadata.get("nbgrader")]
    notebook.cells = own + rest
    return as_submission(notebook)


COPIES = {
    "the same": lambda sources: sources,
    "renamed": lambda sources: {cell: renamed(source) for cell, source in sources.items()},
    "re-commented": lambda sources: {cell: recommented(text) for cell, text in sources.items()},
    "renamed and re-commented": lambda sources: {
        cell: recommented(renamed(text)) for cell, text in sources.items()
    },
    "reordered": lambda sources: dict(reversed(sources.items())),
    "some of it": lambda sources: dict(list(sources.items())[:4]),
}


@pytest.mark.parametrize("copy", COPIES)
def test_a_copy_is_found_and_nobody_else_is(copy, honest, unusual, notebooks, reference, known):
    source = submission(notebooks, reference, unusual)
    taken = submission(notebooks, reference, COPIES[copy](unusual))
    if copy == "reordered":
        taken = with_own_cells_first(taken, notebooks)
    documents = [
        *honest,
        document("source", source, notebooks),
        document("taker", taken, notebooks),
    ]
    found = compare(documents, given=notebooks, known=known)
    assert found.groups == [["source", "taker"]]


def test_modules_that_two_students_share_are_found(honest, notebooks, reference, unusual, known):
    own = rebuild(submission(notebooks, reference, {}), notebooks[0]).notebook
    modules = {f"{cell}.py": source.encode() for cell, source in unusual.items()}
    documents = [
        document_of(name, own, notebooks[0], modules=modules) for name in ("source", "taker")
    ]
    found = compare([*honest, *documents], given=notebooks, known=known)
    assert found.groups == [["source", "taker"]]


def test_a_paraphrase_is_found_by_its_rare_words(honest, notebooks, reference, known):
    documents = [
        *honest,
        document("source", submission(notebooks, reference, {}, WORDS), notebooks),
        document("taker", submission(notebooks, reference, {}, PARAPHRASE), notebooks),
    ]
    found = compare(documents, given=notebooks, known=known)
    assert found.groups == [["source", "taker"]]
    assert {"wheras", "definately"} <= set(found.pairs[0].words)


def test_an_honest_class_has_no_pair(honest, notebooks, known):
    found = compare(honest, given=notebooks, known=known)
    assert (found.pairs, found.groups) == ([], [])
    assert any("answers are the same but for names" in line for line in found.left_out)


def test_the_same_twice_is_all_of_it_and_the_release_is_nothing(notebooks, reference, unusual):
    source = submission(notebooks, reference, unusual, WORDS)
    twice = [document(name, source, notebooks) for name in ("one", "two")]
    [pair] = compare(twice, given=notebooks).pairs
    assert pair.share == 1.0
    released = as_submission(notebooks[0])
    blank = [document(name, released, notebooks) for name in ("one", "two")]
    assert blank[0].parts == ()
    assert compare(blank, given=notebooks).pairs == []
    solved = submission(notebooks, reference, {})
    same = [document(name, solved, notebooks) for name in ("one", "two")]
    assert compare(same, given=notebooks).pairs == []  # what the reference has says nothing


def test_order_and_hash_seed_change_nothing(honest, unusual, notebooks, reference, known):
    source = document("source", submission(notebooks, reference, unusual), notebooks)
    taker = document(
        "taker", submission(notebooks, reference, COPIES["renamed"](unusual)), notebooks
    )
    documents = [*honest, source, taker]
    one = compare(documents, given=notebooks, known=known)
    other = compare(documents[::-1], given=notebooks, known=known[::-1])
    given = names_given(notebooks[:1])
    assert similar_page("a", one, given) == similar_page("a", other, given)
    assert similar_csv(one) == similar_csv(other)


def test_another_class_is_compared_with_ours_alone(unusual, notebooks, reference):
    content = submission(notebooks, reference, unusual)
    notebook = rebuild(content, notebooks[0]).notebook
    ours = document_of("student-01", notebook, notebooks[0])
    theirs = [
        document_of(f"2025/student-0{number}", notebook, notebooks[0], is_of_class=False)
        for number in (1, 2)
    ]
    found = compare([ours, *theirs], given=notebooks)
    assert {pair.names for pair in found.pairs} == {
        ("2025/student-01", "student-01"),
        ("2025/student-02", "student-01"),
    }


def test_ids_out_of_place_are_told():
    def answer(student, text):
        return Document(student, (Part("own_numbers", "code", text),), known_id=text.split('"')[1])

    documents = [
        answer("student-01", 'student_id = "student-01"'),
        answer("student-02", 'student_id = "student-01"'),
        answer("student-03", 'student_id = "student-03"'),
    ]
    found = compare(documents, given=[read_notebook(COURSE.release("cross_entropy"))])
    assert found.ids == [
        "The id “student-01” was typed by student-01, student-02.",
        "student-02's notebook names student-01.",
    ]


SLOW = {
    "a quote that never ends, again and again": '"\\' * 20_000,
    "empty lines": "x" + "\n" * 40_000 + "y",
}


@pytest.mark.parametrize("text", SLOW.values(), ids=SLOW)
def test_a_text_that_wants_to_be_slow_is_not(text):
    """Ten times the text takes ten times as long, not a hundred times."""
    short, long = (Part("own cells", "code", text[:size]) for size in (4_000, 40_000))
    assert least_time(long, 1) < 0.1 + 30 * least_time(short, 3)


def least_time(part, tries):
    """Processor time."""
    times = []
    for _ in range(tries):
        before = time.process_time()
        assert list(pieces_of(part, frozenset())) is not None
        assert typed_id([part]) is None
        times.append(time.process_time() - before)
    return min(times)


def test_own_cells_and_modules_without_end_are_cut_and_answers_are_not(notebooks, reference):
    """Each character may begin a piece, and takes many bytes of memory then."""
    content = submission(notebooks, reference, {"mnist_loss": "mine = 1"}, WORDS)
    notebook = rebuild(content, notebooks[0]).notebook
    answers = document_of("a", notebook, notebooks[0]).parts
    own = [v4.new_code_cell(f"x{number} = 1\n" * 5_000) for number in range(100)]
    notebook.cells = own + notebook.cells
    stuffed = document_of("a", notebook, notebooks[0], modules={"b.py": b"y = 2\n" * 100}).parts
    assert tuple(part for part in stuffed if part.exercise != "own cells") == answers
    assert len(answers) > 1
    assert sum(len(part.text) for part in stuffed) < 300_000


def test_what_is_shared_is_marked_and_nothing_runs(notebooks, reference, unusual):
    evil = {"mnist_loss": '# <script>alert(1)</script> quite unusual remark indeed\nx = "</pre>"'}
    sources = {**unusual, **evil}
    content = submission(notebooks, reference, sources)
    both = [document(name, content, notebooks) for name in ("<b>one</b>", "two")]
    found = compare(both, given=notebooks)
    given = names_given(notebooks[:1])
    page = similar_page("mnist_loss", found, given)
    assert "<script>alert" not in page
    assert "&lt;b&gt;one" in page
    assert "<mark>" in page
    assert "default-src 'none'" in page
    [pair] = found.pairs
    part = next(part for part in pair.one.parts if part.exercise == "train_epoch")
    segments = marked(part, pair.keys, given)
    assert "".join(text for text, _ in segments) == part.text
    assert any(is_shared for _, is_shared in segments)
    assert evidence(pair).startswith("100 % of what is rare in one is also in the other, most")
    hidden = similar_page("mnist_loss", found, given, anonymous=True)
    assert "&lt;b&gt;" not in hidden
    assert "submission 1 and submission 2" in hidden


@pytest.fixture
def course(tmp_path, monkeypatch, notebooks, reference, unusual):
    """A course folder with four submissions, of which one cannot be read."""
    for name in ("source", "release", "tests", "nbgrader_config.py"):
        (tmp_path / name).symlink_to(ROOT / name)
    contents = {
        "student-01": submission(notebooks, reference, unusual),
        "student-02": submission(notebooks, reference, COPIES["renamed"](unusual)),
        "student-03": submission(notebooks, reference, {}),
        "student-04": b"{",
    }
    for student, content in contents.items():
        folder = tmp_path / "submitted" / student / ASSIGNMENT
        folder.mkdir(parents=True)
        (folder / f"{ASSIGNMENT}.ipynb").write_bytes(content)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_command_writes_a_page(course, capsys):
    assert cli.main(["similar", ASSIGNMENT]) == 0
    assert "1 pair in 1 group, of 3 submissions" in capsys.readouterr().out
    page = (course / "reports" / f"{ASSIGNMENT}-similar.html").read_text()
    assert "student-01 and student-02" in page
    assert "student-04" in page.split("Not compared")[1]
    assert not list(course.glob("feedback*"))


def test_the_command_prints_rows_and_names_a_folder_that_is_none(course, capsys, tmp_path):
    assert cli.main(["similar", ASSIGNMENT, "--csv", "--anonymous"]) == 0
    [row] = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (row["one"], row["other"]) == ("submission 1", "submission 2")
    assert cli.main(["similar", ASSIGNMENT, "--also", str(tmp_path / "none")]) == 2
    assert "name a folder like submitted/" in capsys.readouterr().err


def test_two_hash_seeds_print_the_same(course):
    printed = {
        subprocess.run(
            [Path(sys.executable).parent / "proctor", "similar", ASSIGNMENT, "--csv"],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1
