"""Every hand-in ends in a mark or a reason: odd files, folders, names and times."""

import io
import zipfile
from datetime import datetime

import pytest

from proctor.grading.intake import Rejected
from proctor.grading.submitted import notes_on, read_submitted, submitted_at

NOTEBOOK = b'{"nbformat": 4, "cells": []}'


def packed(*names):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name in names:
            archive.writestr(name, NOTEBOOK)
    return data.getvalue()


def hand_in(folder, **files):
    """`hand_in(folder, **{"a.txt": b"..."})`"""
    folder = folder / "student-01" / "tiny"
    folder.mkdir(parents=True)
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


@pytest.mark.parametrize(
    "name",
    [
        *("tiny.ipynb.txt", "tiny.ipynb.json", "tiny.IPYNB", "Tiny (1).ipynb", "other.ipynb"),
        *("my folder/tiny.ipynb", "a/b/homework.ipynb"),
    ],
)
def test_one_notebook_under_another_name_is_read_and_told(tmp_path, name):
    folder = hand_in(tmp_path, **{name: NOTEBOOK, "timestamp.txt": b"2026-11-26 12:00:00 UTC"})
    assert read_submitted(folder, "tiny").notebook == NOTEBOOK
    assert notes_on(folder, "tiny")[-1] == f"the notebook was named {name!r}, not tiny.ipynb."


@pytest.mark.parametrize("inside", ["tiny.ipynb", "hw/tiny.ipynb"])
def test_one_notebook_in_a_zip_file_is_read_and_told(tmp_path, inside):
    data = packed(inside, "notes.txt", "__MACOSX/._tiny.ipynb", ".ipynb_checkpoints/tiny.ipynb")
    folder = hand_in(tmp_path, **{"hw.zip": data})
    found = read_submitted(folder, "tiny")
    assert found.notebook == NOTEBOOK
    [note] = found.notes
    assert note == f"the notebook was named 'hw.zip/{inside}', not tiny.ipynb."


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({}, "no file was handed in"),
        ({"timestamp.txt": b"", "submission_secret.txt": b""}, "no file was handed in"),
        ({"essay.docx": b"x", "photo.png": b"y"}, "found: 'essay.docx', 'photo.png'"),
        ({"a.ipynb.txt": NOTEBOOK, "b.ipynb.txt": NOTEBOOK}, "found: 'a.ipynb.txt', 'b.ipynb.txt'"),
        ({"a/x.ipynb": NOTEBOOK, "b/x.ipynb": NOTEBOOK}, "found: 'a/x.ipynb', 'b/x.ipynb'"),
        ({"hw.zip": b"PK no archive"}, "'hw.zip' holds no notebooks that can be read"),
        ({"hw.zip": packed("a.ipynb", "b.ipynb")}, "'hw.zip' holds 2 notebooks"),
    ],
)
def test_what_cannot_be_told_gets_a_reason(tmp_path, files, reason):
    with pytest.raises(Rejected, match="Submit the notebook") as caught:
        read_submitted(hand_in(tmp_path, **files), "tiny")
    assert reason in str(caught.value)


def test_a_large_notebook_in_a_small_zip_file_is_not_unpacked(tmp_path):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("tiny.ipynb", b" " * (20 << 20))
    with pytest.raises(Rejected, match=r"hw\.zip"):
        read_submitted(hand_in(tmp_path, **{"hw.zip": data.getvalue()}), "tiny")


def test_no_link_within_a_folder_is_followed(tmp_path):
    (tmp_path / "secret.ipynb").write_bytes(NOTEBOOK)
    folder = hand_in(tmp_path)
    (folder / "mine").symlink_to(tmp_path)
    with pytest.raises(Rejected):
        read_submitted(folder, "tiny")


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        *(("2026-11-26 12:00:00 UTC", 12), ("2026-11-26 12:00:00", 12)),
        *(("2026-11-26 12:00:00 +0100", 11), ("2026-11-26T12:00:00+01:00", 11)),
        *(("2026-11-26 12:00:00.123456 -0230", 14), ("2026-11-26 12:00:00 Europe/Berlin", 11)),
    ],
)
def test_the_time_of_a_submission(tmp_path, text, hour):
    folder = hand_in(tmp_path, **{"timestamp.txt": text.encode()})
    when = submitted_at(folder)
    assert isinstance(when, datetime) and when.tzinfo is None and when.hour == hour


# dateutil raises an error of `decimal` for it.
NO_TIME = "26:9999123456789012345678901234567890Infinity"


@pytest.mark.parametrize(
    "text",
    [
        *("yesterday", "2026-13-45 12:00:00 UTC", "\x00\x01", NO_TIME),
        *("0001-01-01 00:00:00 UTC", "9999-12-31 23:59:59 UTC"),
    ],
)
def test_a_time_that_cannot_be_read_is_told(tmp_path, text):
    folder = hand_in(tmp_path, **{"timestamp.txt": text.encode(), "tiny.ipynb": NOTEBOOK})
    [note] = notes_on(folder, "tiny")
    assert "timestamp.txt contains no time that can be read" in note
