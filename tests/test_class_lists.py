"""`nbgrader db student import` with lists as spreadsheets write them."""

import shutil

import pytest
from nbgrader.api import Gradebook
from nbgrader.apps import dbapp

from proctor.classroom.class_lists import as_plain_table, open_table

PLAIN = "id,first_name,last_name,email\nstudent-01,Zoë,O'Brien,one@school.example\n"
AS_WRITTEN = {
    "plain": PLAIN.encode(),
    "with a mark": PLAIN.encode("utf-8-sig"),
    "utf-16": PLAIN.encode("utf-16"),
    "semicolons": PLAIN.replace(",", ";").encode(),
    "tabs and \\r": PLAIN.replace(",", "\t").replace("\n", "\r\n").encode(),
    "western": PLAIN.encode("cp1252"),
    "blanks": PLAIN.replace(",", " , ").replace("\n", " \n\n").encode(),
    "capitals": PLAIN.replace("id,first_name", "ID,First_Name").encode(),
    "quotes": PLAIN.replace("O'Brien", '"O\'Brien"').encode(),
}


@pytest.mark.parametrize("data", AS_WRITTEN.values(), ids=AS_WRITTEN)
def test_all_forms_are_read_alike(data):
    assert as_plain_table(data) == PLAIN


def test_nbgrader_imports_them(empty_gradebook, tmp_path, monkeypatch):
    shutil.copy(empty_gradebook, tmp_path)
    (tmp_path / "list.csv").write_bytes(AS_WRITTEN["semicolons"])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(dbapp, "open", open_table, raising=False)
    app = dbapp.DbStudentImportApp()
    app.initialize(["list.csv"])
    app.start()
    with Gradebook(f"sqlite:///{tmp_path / 'gradebook.db'}") as gradebook:
        student = gradebook.find_student("student-01")
        assert (student.first_name, student.last_name) == ("Zoë", "O'Brien")


def test_what_is_written_is_written_as_before(tmp_path):
    with open_table(str(tmp_path / "new"), "w") as file:
        file.write("text")
    assert (tmp_path / "new").read_text() == "text"
