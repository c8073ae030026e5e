"""Intake: whatever a submitted file holds, what comes out is the release with answers in it."""

from __future__ import annotations

import base64
import copy
import json
import os
import socket
from pathlib import Path
from urllib.parse import quote

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output, new_raw_cell

from proctor.course import CourseError
from proctor.grading import intake, rebuilding
from proctor.grading.intake import MAX_SOURCE_CHARACTERS, Rejected, read_submission
from proctor.grading.pictures import MAX_CHARACTERS, MAX_PICTURES
from proctor.grading.rebuilding import rebuild

ANSWER = "def double(x):\n    return 2 * x"
STUB = "def double(x):\n    raise NotImplementedError"
CHECK = "assert double(1) == 2"
PHOTO = "photo of my page.png"
PICTURE = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(60)).decode()


def labels(grade_id: str, **changes) -> dict:
    """nbgrader's metadata of a cell."""
    plain = {"grade": False, "solution": False, "locked": False, "task": False}
    made = {**plain, "schema_version": 3, "checksum": f"of {grade_id}", "grade_id": grade_id}
    return {"nbgrader": {**made, **changes}}


def make_release() -> nbformat.NotebookNode:
    checks = {"grade": True, "locked": True}
    return new_notebook(
        metadata={
            "kernelspec": {"name": "python3", "display_name": "Python", "language": "python"}
        },
        cells=[
            new_markdown_cell("# Doubling", id="title"),
            new_code_cell("import torch", id="setup", metadata=labels("setup", locked=True)),
            new_code_cell("step = 1  # try others", id="plain"),
            new_code_cell(STUB, id="double", metadata=labels("double", solution=True)),
            new_code_cell(CHECK, id="check", metadata=labels("double_values", points=2, **checks)),
            new_markdown_cell(
                "YOUR ANSWER HERE",
                id="explain",
                metadata=labels("explain", grade=True, solution=True, points=3),
            ),
        ],
    )


@pytest.fixture
def release():
    return make_release()


@pytest.fixture
def submitted():
    """A well-behaved submission, to be spoilt by the tests."""
    notebook = make_release()
    cell(notebook, "double").source = ANSWER
    cell(notebook, "explain").source = "Twice is two times."
    return notebook


def cell(notebook, cell_id):
    return next(cell for cell in notebook.cells if cell.id == cell_id)


def take_in(notebook, release):
    return rebuild(json.dumps(notebook).encode(), release)


def sources(taken):
    return [cell.source for cell in taken.notebook.cells]


def own_sources(taken):
    return [cell.source for cell in taken.notebook.cells if "proctor" in cell.metadata]


def assert_sound(taken, release):
    """What holds of every rebuilt notebook, whatever was submitted."""
    nbformat.validate(taken.notebook)
    assert taken.notebook.metadata == release.metadata
    from_release = [cell for cell in taken.notebook.cells if "proctor" not in cell.metadata]
    assert [cell.id for cell in from_release] == [cell.id for cell in release.cells]
    for got, expected in zip(from_release, release.cells, strict=True):
        assert got.metadata == expected.metadata
        assert got.cell_type == expected.cell_type
        assert got.get("outputs", []) == []
        if not expected.metadata.get("nbgrader", {}).get("solution") and expected.id != "plain":
            assert got.source == expected.source
    for cell in taken.notebook.cells:
        assert set(cell.get("attachments", {})) <= {PHOTO}
        assert cell.metadata.get("proctor", {"own": True}) == {"own": True}
    json.dumps(taken.notebook).encode()


# The file


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "tiny.ipynb"


def test_regular_file_is_read(path):
    path.write_bytes(b"{}")
    assert read_submission(path) == b"{}"


def make_link(path):
    target = path.with_name("other.ipynb")
    target.write_text("secret")
    path.symlink_to(target)


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


def make_sparse(path):
    with path.open("wb") as file:
        file.truncate(100 << 30)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: None, "no file"),
        (lambda path: path.touch(), "empty"),
        (lambda path: path.mkdir(), "a folder"),
        (make_link, "symbolic link"),
        (lambda path: path.symlink_to("/dev/zero"), "symbolic link"),
        (lambda path: path.symlink_to("nowhere"), "symbolic link"),
        (os.mkfifo, "named pipe"),
        (make_socket, "device or socket"),
        (make_sparse, "at most 33,554,432"),
    ],
)
def test_other_files_are_rejected_by_kind_and_name(path, make, reason):
    make(path)
    with pytest.raises(Rejected, match=reason) as caught:
        read_submission(path)
    assert "tiny.ipynb" in str(caught.value)
    assert str(path.parent) not in str(caught.value)


def large(outputs=0, source=0):
    """A notebook with so many bytes of outputs and of source."""
    output = {"output_type": "stream", "name": "stdout", "text": "x" * outputs}
    one = {"cell_type": "code", "source": "y" * source, "metadata": {}, "outputs": [output]}
    return json.dumps({"nbformat": 4, "cells": [one]}).encode()


def test_outputs_do_not_count(path):
    path.write_bytes(large(outputs=9000, source=20))
    [read], _ = intake.parse(read_submission(path, most=1000))
    assert read.source == "y" * 20
    assert len(read_submission(path, most=1000)) < 1000
    assert len(read_submission(path)) > 9000  # what is small is taken as it is


@pytest.mark.parametrize(
    "data",
    [
        *(large(source=2000), b"x" * 2000, b'{"cells": [5]}' + b" " * 2000, b"[" * 2000),
        b'{"cells": 5, "x": "' + b"x" * 2000 + b'"}',
    ],
    ids=["source", "no JSON", "no cells", "deep", "a number of cells"],
)
def test_what_is_large_without_outputs_is_rejected(path, data, monkeypatch):
    monkeypatch.setattr(intake, "MAX_CONTAINERS", 1000)
    path.write_bytes(data)
    with pytest.raises(Rejected, match=r"at most 1,000 are read, not counting outputs.*Clear its"):
        read_submission(path, most=1000)


def test_file_exchanged_for_a_link_after_the_first_look_is_rejected(path, monkeypatch):
    path.write_bytes(b"{}")
    regular = os.lstat(path)
    path.unlink()
    make_link(path)
    monkeypatch.setattr(intake, "_look", lambda path, folder: regular)
    with pytest.raises(Rejected, match="ELOOP"):
        read_submission(path)


@pytest.mark.parametrize("name", ["\0.ipynb", "x" * 5000, "no\x1b[31mcolour.ipynb"])
def test_odd_names_are_rejected(tmp_path, name):
    with pytest.raises(Rejected) as caught:
        read_submission(tmp_path / name)
    assert "\x1b" not in str(caught.value)


# What is in it


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not valid JSON"),
        (b"not JSON", "not valid JSON .* line 1"),
        (b'{"nbformat": 4, "cells": [', "not valid JSON"),
        (b"\xff\xfe\xfa", "not valid JSON"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"nbformat": 4, "cells": ' + b"[" * 200_000 + b"]" * 200_000 + b"}", "too deeply"),
        (b'{"nbformat": ' + b"9" * 10_000 + b', "cells": []}', "not valid JSON"),
        (b"5", "holds 5"),
        (b"[]", "holds a list"),
        (b"{}", "nbformat.* is missing"),
        (b'{"nbformat": 99, "cells": []}', "is 99, 4 is needed"),
        (b'{"nbformat": 3, "worksheets": []}', "is 3, 4 is needed"),
        (b'{"nbformat": "4", "cells": []}', "is '4', 4 is needed"),
        (b'{"nbformat": 4}', "cells are missing"),
        (b'{"nbformat": 4, "cells": {"a": 1}}', "cells are an object"),
        (b'{"nbformat": 4, "cells": [' + b"0," * 600 + b"0]}", "601 cells, at most 500"),
    ],
)
def test_what_is_no_notebook_is_rejected_with_a_remedy(data, reason, release):
    with pytest.raises(Rejected, match=reason) as caught:
        rebuild(data, release)
    assert "submit it again" in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "odd",
    [
        None,
        7,
        "text",
        [],
        {},
        {"cell_type": "code"},
        {"cell_type": "code", "source": 7},
        {"cell_type": "code", "source": ["a", 7]},
        {"cell_type": "code", "source": {"a": "b"}},
        {"cell_type": "code", "source": "x" * 200_001},
    ],
)
def test_odd_cell_costs_that_cell_only(submitted, release, odd):
    submitted.cells.insert(3, odd)
    taken = take_in(submitted, release)
    assert_sound(taken, release)
    assert ANSWER in sources(taken)
    assert taken.repairs[0].startswith("cell 4 was left out:")


@pytest.mark.parametrize("metadata", [None, 7, [], {"nbgrader": 7}, {"nbgrader": {"grade_id": []}}])
def test_odd_metadata_of_an_answer_is_no_obstacle(submitted, release, metadata):
    cell(submitted, "double")["metadata"] = metadata
    taken = take_in(submitted, release)
    assert_sound(taken, release)
    assert cell(taken.notebook, "double").source == ANSWER


def test_lone_surrogates_are_replaced(submitted, release):
    cell(submitted, "double").source = ANSWER + "  # \ud800"
    taken = take_in(submitted, release)
    assert cell(taken.notebook, "double").source == ANSWER + "  # ?"
    assert "not valid Unicode" in taken.repairs[0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_encodings_that_editors_write_are_read(submitted, release, encoding):
    cell(submitted, "double").source = ANSWER + "  # ħ"
    taken = rebuild(json.dumps(submitted, ensure_ascii=False).encode(encoding), release)
    assert cell(taken.notebook, "double").source == ANSWER + "  # ħ"


@pytest.mark.parametrize("line_end", ["\r\n", "\r", "\n"])
def test_line_ends_do_not_matter(submitted, release, line_end):
    cell(submitted, "double").source = ANSWER.replace("\n", line_end)
    cell(submitted, "check").source = CHECK + line_end
    taken = take_in(submitted, release)
    assert cell(taken.notebook, "double").source == ANSWER
    assert taken.repairs == []


def test_source_as_a_list_of_lines(submitted, release):
    cell(submitted, "double").source = ANSWER.splitlines(keepends=True)
    assert cell(take_in(submitted, release).notebook, "double").source == ANSWER


# The rebuilt notebook


def test_good_submission_needs_no_repair(submitted, release):
    taken = take_in(submitted, release)
    assert_sound(taken, release)
    assert cell(taken.notebook, "double").source == ANSWER
    assert cell(taken.notebook, "explain").source == "Twice is two times."
    assert taken.repairs == []
    assert taken.unanswered == frozenset()


def test_nothing_but_sources_is_taken(submitted, release):
    submitted.metadata = {"kernelspec": {"name": "evil"}, "widgets": {"a": 1}}
    for each in submitted.cells:
        each.metadata["tags"] = ["skip-execution"]
        each["attachments"] = {"a.png": {"image/png": "AAAA"}, "b": {"text/html": "<b>"}, "c": 3}
        if each.cell_type == "code":
            each.outputs = [new_output("execute_result", {"text/plain": "500"})]
    submitted.cells.append(
        new_markdown_cell("mine", metadata={"proctor": {"own": True, "notes": True}, "x": 1})
    )
    taken = take_in(submitted, release)
    assert_sound(taken, release)
    assert "pictures attached to its text were left out: 'a.png' is not a PNG" in taken.repairs[0]


def with_photo(notebook, source):
    """The written answer with a picture pasted into it."""
    answer = cell(notebook, "explain")
    answer.source = source
    answer["attachments"] = {PHOTO: {"image/png": PICTURE}}
    return notebook


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (f"![mine](attachment:{PHOTO})", f"![mine](attachment:{PHOTO})"),
        ("see below", f"see below\n\n![a picture](attachment:{quote(PHOTO)})"),
        ("YOUR ANSWER HERE", f"YOUR ANSWER HERE\n\n![a picture](attachment:{quote(PHOTO)})"),
    ],
)
def test_a_photo_is_an_answer(submitted, release, source, expected):
    taken = take_in(with_photo(submitted, source), release)
    assert_sound(taken, release)
    answer = cell(taken.notebook, "explain")
    assert answer.source == expected
    assert answer.attachments == {PHOTO: {"image/png": PICTURE}}
    assert taken.unanswered == frozenset()
    assert taken.repairs == []


def test_a_picture_whose_name_no_file_can_hold_costs_no_mark(submitted, release):
    """JSON can hold halves of characters: they could neither be quoted nor written."""
    half = {"\ud800.png": {"image/png": PICTURE}}
    for each in submitted.cells:
        each["attachments"] = half
    answer = cell(submitted, "explain")
    answer.source, answer["attachments"] = "Twice.", {**half, PHOTO: {"image/png": PICTURE}}
    data = json.dumps(submitted).encode()
    taken = rebuild(data, release)
    assert_sound(taken, release)
    assert cell(taken.notebook, "explain").attachments == {PHOTO: {"image/png": PICTURE}}
    assert nbformat.writes(taken.notebook).encode()
    assert "'\\ud800.png' is no name" in taken.repairs[0]


def test_what_is_wrong_with_a_submission_is_its_own_and_with_a_release_is_not(
    submitted, release, monkeypatch
):
    """Who goes through a class goes on with the next one."""

    def fails(*_):
        raise LookupError

    monkeypatch.setattr(rebuilding, "_with_pictures_shown", fails)
    photo = with_photo(submitted, "x")
    with pytest.raises(Rejected, match="could not be read"):
        take_in(photo, release)
    monkeypatch.setattr(rebuilding, "labels_of", fails)
    with pytest.raises(LookupError):
        take_in(photo, release)


def test_pictures_have_bounds(submitted, release):
    answer = cell(submitted, "explain")
    many = {f"{n}.png": {"image/png": PICTURE} for n in range(MAX_PICTURES + 2)}
    answer["attachments"] = {
        "huge.png": {"image/png": PICTURE + "A" * MAX_CHARACTERS},
        "x" * 300: {"image/png": PICTURE},
        "drawing.svg": {"image/svg+xml": "<svg/>"},
        "liar.png": {"image/png": base64.b64encode(b"<svg onload=alert(1)>").decode()},
        **many,
    }
    taken = take_in(submitted, release)
    assert len(cell(taken.notebook, "explain").attachments) == MAX_PICTURES
    [repair] = taken.repairs
    for words in (
        "larger than 3 MB",
        "name is too long",
        "not a PNG, JPEG or GIF",
        "'liar.png' is",
    ):
        assert words in repair


def test_the_beginning_of_a_written_answer_of_a_megabyte_is_read(submitted, release):
    cell(submitted, "explain").source = "Because. " * 120_000
    taken = take_in(submitted, release)
    answer = cell(taken.notebook, "explain").source
    assert answer.startswith("Because. ")
    assert answer.endswith("(... the rest was cut ...)")
    assert len(answer) < 1.01 * MAX_SOURCE_CHARACTERS
    assert "explain" not in taken.unanswered
    assert "the first 200,000 are read" in taken.repairs[0]


def test_release_is_not_changed(submitted, release):
    before = copy.deepcopy(release)
    take_in(submitted, release)
    assert release == before


def test_no_cells_at_all(release):
    taken = rebuild(b'{"nbformat": 4, "cells": []}', release)
    assert_sound(taken, release)
    assert taken.unanswered == {"double", "explain"}
    # A written answer that is exactly the stub gets 0 from nbgrader, without a person.
    assert cell(taken.notebook, "explain").source == "YOUR ANSWER HERE"
    assert taken.repairs == [
        "missing cells were put back: setup, double (empty), double_values, explain (empty)."
    ]


@pytest.mark.parametrize("text", ["YOUR ANSWER HERE", "YOUR ANSWER HERE \n\n", "\n", ""])
def test_untouched_answers_are_known(release, text):
    untouched = make_release()
    cell(untouched, "explain").source = text
    taken = take_in(untouched, release)
    assert taken.unanswered == {"double", "explain"}
    assert cell(taken.notebook, "explain").source == "YOUR ANSWER HERE"


def test_emptied_code_answer_stays_empty(submitted, release):
    cell(submitted, "double").source = "\n"
    taken = take_in(submitted, release)
    assert_sound(taken, release)
    assert taken.unanswered == {"double"}
    assert cell(taken.notebook, "double").source == ""


def test_outputs_of_the_release_are_not_the_students(submitted, release):
    cell(release, "setup").outputs = [new_output("stream", text="from the instructor")]
    assert_sound(take_in(submitted, release), release)


def test_own_cells_stay_where_they_stood(submitted, release):
    submitted.cells.insert(0, new_markdown_cell("first"))
    position = submitted.cells.index(cell(submitted, "double"))
    submitted.cells.insert(position, new_code_cell("helper = 2"))
    submitted.cells.append(new_code_cell("last"))
    submitted.cells.append(new_code_cell("  \n"))
    taken = take_in(submitted, release)
    assert_sound(taken, release)
    found = sources(taken)
    assert found[0] == "first"
    assert found.index("helper = 2") == found.index(ANSWER) - 1
    assert found[-1] == "last"
    assert taken.repairs == []


def test_plain_cells_are_the_students_to_change(submitted, release):
    cell(submitted, "plain").source = "step = 2"
    cell(submitted, "title").source = "# Doubling\n\nMy notes."
    taken = take_in(submitted, release)
    assert cell(taken.notebook, "plain").source == "step = 2"
    assert cell(taken.notebook, "title").source == "# Doubling\n\nMy notes."
    assert taken.repairs == []


def test_deleted_plain_cell_comes_back_without_fuss(submitted, release):
    submitted.cells.remove(cell(submitted, "plain"))
    taken = take_in(submitted, release)
    assert_sound(taken, release)
    assert taken.repairs == []


def test_edited_check_is_replaced_and_the_edit_still_runs(submitted, release):
    cell(submitted, "check").source = "def double(x):\n    return x + x"
    taken = take_in(submitted, release)
    assert_sound(taken, release)
    assert cell(taken.notebook, "check").source == CHECK
    assert own_sources(taken) == ["def double(x):\n    return x + x"]
    assert taken.repairs == [
        "double_values had been changed: the released text was put back, and the changed text "
        "runs after it as an ungraded cell."
    ]


def test_check_of_an_older_release_is_no_edit(submitted, release):
    cell(submitted, "check").source = "assert double(1) == 2.0"
    cell(submitted, "check").metadata.nbgrader.checksum = "of an older one"
    taken = take_in(submitted, release)
    assert_sound(taken, release)
    assert own_sources(taken) == []
    assert "another version" in taken.repairs[0]


def test_deleted_check_is_put_back(submitted, release):
    submitted.cells.remove(cell(submitted, "check"))
    taken = take_in(submitted, release)
    assert_sound(taken, release)
    assert taken.repairs == ["missing cells were put back: double_values."]


def test_answer_given_in_another_cell_is_not_overruled_by_a_stub(submitted, release):
    position = submitted.cells.index(cell(submitted, "double"))
    submitted.cells[position] = new_code_cell(ANSWER)
    taken = take_in(submitted, release)
    assert_sound(taken, release)
    defined: dict = {}
    for source in sources(taken)[3:]:
        if source.startswith(("def", "#")):
            exec(source, defined)  # noqa: S102 (the test's own text)
    assert defined["double"](3) == 6


def test_missing_written_answer_waits_for_a_person_if_text_stands_elsewhere(submitted, release):
    position = submitted.cells.index(cell(submitted, "explain"))
    submitted.cells[position] = new_markdown_cell("Twice is two times.")
    taken = take_in(submitted, release)
    assert_sound(taken, release)
    assert own_sources(taken) == ["Twice is two times."]
    assert "missing" in cell(taken.notebook, "explain").source


@pytest.mark.parametrize("cell_type", ["markdown", "raw", "heading", "", None, 7])
def test_retyped_answer_is_code_again(submitted, release, cell_type):
    cell(submitted, "double")["cell_type"] = cell_type
    taken = take_in(submitted, release)
    assert_sound(taken, release)
    assert cell(taken.notebook, "double").source == ANSWER
    assert taken.repairs == [
        "double had been turned into another kind of cell: it was turned back into code."
    ]


def test_retyped_written_answer_is_text_again(submitted, release):
    cell(submitted, "explain")["cell_type"] = "code"
    taken = take_in(submitted, release)
    assert_sound(taken, release)
    assert cell(taken.notebook, "explain").source == "Twice is two times."


@pytest.mark.parametrize(
    ("changes", "repair"),
    [
        ({"points": 500}, "points had been set to 500; the release says 2."),
        ({"points": "x" * 999}, "points had been set to 'xxx"),
        ({"points": [[[]]]}, "points had been set to a list"),
        ({"grade": False}, "grade had been set to False"),
        ({"locked": False}, "locked had been set to False"),
        ({"solution": True}, "solution had been set to True"),
    ],
)
def test_rewritten_metadata_is_put_right(submitted, release, changes, repair):
    cell(submitted, "check").metadata.nbgrader.update(changes)
    taken = take_in(submitted, release)
    assert_sound(taken, release)
    assert len(taken.repairs) == 1
    assert repair in taken.repairs[0]
    assert len(taken.repairs[0]) < 200


@pytest.mark.parametrize(
    "grade_id", ["bonus", "d\u043euble", "double ", "*", "../double", "double\0"]
)
def test_invented_grade_id_is_an_ungraded_cell(submitted, release, grade_id):
    # The second one is spelt with a Cyrillic letter.
    submitted.cells.append(
        new_code_cell("bonus = 1", metadata=labels(grade_id, grade=True, points=100))
    )
    taken = take_in(submitted, release)
    assert_sound(taken, release)
    assert own_sources(taken) == ["bonus = 1"]
    assert "which the assignment does not have" in taken.repairs[0]
    assert taken.repairs[0].isascii()


def test_swapped_grade_ids(submitted, release):
    """The check's id on the answer and the other way round: each goes where its id says."""
    check, answer = cell(submitted, "check"), cell(submitted, "double")
    check.metadata, answer.metadata = answer.metadata, check.metadata
    taken = take_in(submitted, release)
    assert_sound(taken, release)
    assert cell(taken.notebook, "check").source == CHECK
    assert ANSWER in own_sources(taken)


@pytest.mark.parametrize("copy_first", [True, False])
def test_untouched_copy_of_an_answer_does_not_count(submitted, release, copy_first):
    untouched = new_code_cell(STUB, metadata=labels("double", solution=True))
    submitted.cells.insert(0 if copy_first else len(submitted.cells), untouched)
    taken = take_in(submitted, release)
    assert_sound(taken, release)
    assert cell(taken.notebook, "double").source == ANSWER
    assert STUB not in sources(taken)
    assert taken.unanswered == frozenset()


def test_second_answer_runs_after_the_first_as_it_did_for_the_student(submitted, release):
    second = new_code_cell("def double(x):\n    return x + x", metadata=labels("double"))
    submitted.cells.append(second)
    taken = take_in(submitted, release)
    assert_sound(taken, release)
    assert cell(taken.notebook, "double").source == ANSWER
    assert own_sources(taken) == [second.source]
    assert sources(taken)[-1] == second.source
    assert "double appears more than once" in taken.repairs[0]


def test_edited_copy_of_a_check_leaves_the_check_alone(submitted, release):
    submitted.cells.append(new_code_cell("assert double(2) == 4", metadata=labels("double_values")))
    taken = take_in(submitted, release)
    assert_sound(taken, release)
    assert sources(taken)[-1] == "assert double(2) == 4"


def test_moved_cells_go_back_in_the_released_order(submitted, release):
    submitted.cells.reverse()
    taken = take_in(submitted, release)
    assert_sound(taken, release)
    assert cell(taken.notebook, "double").source == ANSWER
    assert taken.repairs == ["cells had been moved: they were put back in the released order."]


def test_metadata_lost_but_cell_ids_kept(submitted, release):
    for each in submitted.cells:
        each.metadata = {}
    taken = take_in(submitted, release)
    assert_sound(taken, release)
    assert cell(taken.notebook, "double").source == ANSWER
    assert cell(taken.notebook, "explain").source == "Twice is two times."
    assert taken.repairs == [
        "cells had lost their nbgrader metadata: setup, double, double_values, explain."
    ]


def test_cell_ids_that_were_given_anew_say_nothing(submitted, release):
    """As by a tool that numbers cells: each has the id that the release gives to the next one."""
    ids = [each.id for each in release.cells]
    submitted.cells.insert(0, new_code_cell("own = 1"))
    cell(submitted, "plain").source = "step = 2"
    for each, cell_id in zip(submitted.cells, [*ids, "other"], strict=True):
        each.id = cell_id
    taken = take_in(submitted, release)
    assert cell(taken.notebook, "double").source == ANSWER
    assert cell(taken.notebook, "setup").source == "import torch"
    assert cell(taken.notebook, "title").source == "# Doubling"
    assert [each.source for each in taken.notebook.cells if each.id.startswith("own-")] == [
        "own = 1",
        "step = 2",
    ]
    assert taken.repairs == []


def test_cell_ids_lost_but_metadata_kept(submitted, release):
    for each in submitted.cells:
        del each["id"]
    taken = take_in(submitted, release)
    assert_sound(taken, release)
    assert own_sources(taken) == []
    assert taken.repairs == []


def test_everything_lost_but_the_text(submitted, release):
    for each in submitted.cells:
        del each["id"]
        each.metadata = {}
    taken = take_in(submitted, release)
    assert_sound(taken, release)
    assert own_sources(taken) == [ANSWER, "Twice is two times."]


def test_release_in_an_older_format_has_no_cell_ids(submitted, release):
    release.nbformat_minor = 4
    for each in release.cells:
        del each["id"]
    submitted.cells.append(new_code_cell("mine"))
    taken = take_in(submitted, release)
    nbformat.validate(taken.notebook)
    assert ANSWER in sources(taken)
    assert own_sources(taken) == ["mine"]


def test_raw_cells_become_text_that_no_page_obeys(submitted, release):
    submitted.cells.append(new_raw_cell("<script>```</script>"))
    taken = take_in(submitted, release)
    assert_sound(taken, release)
    assert taken.notebook.cells[-1].cell_type == "markdown"
    assert taken.notebook.cells[-1].source == "````text\n<script>```</script>\n````"


def test_notebook_of_another_assignment_is_told(release):
    other = new_notebook(cells=[new_code_cell("x = 1", metadata=labels("other", solution=True))])
    taken = take_in(other, release)
    assert_sound(taken, release)
    assert any("is it the right one?" in repair for repair in taken.repairs)


def test_graded_cells_of_a_release(release):
    cells = intake.graded_cells(release)
    assert [(cell.grade_id, cell.kind, cell.points) for cell in cells.values()] == [
        ("double", "solution", 0),
        ("double_values", "graded", 2),
        ("explain", "manual", 3),
    ]
    assert cells["double_values"].answer == "double"


# Which assignment


@pytest.fixture
def course(tmp_path):
    for name, grade_id in (("tiny", "double"), ("tiny_zoo", "lion")):
        notebook = new_notebook(cells=[new_code_cell("1", metadata=labels(grade_id))])
        folder = tmp_path / "source" / name
        folder.mkdir(parents=True)
        nbformat.write(notebook, folder / f"{name}.ipynb")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "assignment"),
    [
        ("tiny.ipynb", "tiny"),
        ("tiny (1).ipynb", "tiny"),
        ("tiny-Copy1.ipynb", "tiny"),
        ("tiny_zoo (2).ipynb", "tiny_zoo"),
        ("tiny_zoo/homework.ipynb", "tiny_zoo"),
    ],
)
def test_assignment_told_from_the_name(course, name, assignment):
    assert intake.assignment_named(Path(name), course) == assignment
    assert intake.identify_assignment(Path(name), b"not JSON", course) == assignment


def test_assignment_told_from_grade_ids(course):
    lion = new_notebook(cells=[new_code_cell("1", metadata=labels("lion", solution=True))])
    data = nbformat.writes(lion).encode()
    assert intake.identify_assignment(Path("homework.ipynb"), data, course) == "tiny_zoo"
    assert intake.identify_assignment(Path("tiny (1).ipynb"), data, course) == "tiny_zoo"
    assert intake.identify_assignment(Path("tiny.ipynb"), data, course) == "tiny"


@pytest.mark.parametrize("name", ["homework.ipynb", "tinytim.ipynb"])
def test_assignment_that_cannot_be_told(course, name):
    with pytest.raises(CourseError, match=r"tiny, tiny_zoo.*--assignment"):
        intake.identify_assignment(Path(name), b"{}", course)


def test_a_large_notebook_of_few_parts_is_read_and_one_of_many_is_not():
    """Pictures make notebooks large; small parts would take many times their bytes in memory."""
    picture = {"output_type": "display_data", "data": {"image/png": "x" * (12 << 20)}}
    drawn = new_code_cell("1", id="a")
    drawn.outputs = [nbformat.from_dict({**picture, "metadata": {}})]
    data = nbformat.writes(new_notebook(cells=[drawn])).encode()
    assert len(data) > 12 << 20
    assert [one.source for one in intake.parse(data)[0]] == ["1"]
    for part in (b"[]", b"{}", b'"ab"'):
        many = b'{"nbformat": 4, "cells": [], "x": [' + b",".join([part] * 1_100_000) + b"]}"
        with pytest.raises(Rejected, match="too many small parts"):
            intake.parse(many)
