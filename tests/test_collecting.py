"""`nbgrader zip_collect` with archives as Canvas and Moodle make them, and with bad ones."""

from __future__ import annotations

import csv
import io
import logging
import shutil
import struct
import zipfile
from pathlib import Path

import pytest
from conftest import cell
from nbformat import v4, writes
from nbgrader.api import Gradebook
from nbgrader.apps.zipcollectapp import ZipCollectApp

from proctor.platforms.collecting import copies_of
from proctor.platforms.full_names import KnownNames
from proctor.platforms.names import NotMatched, claim_of

REPOSITORY = Path(__file__).parent.parent
CANVAS_GRADEBOOK = """\
Student,ID,SIS User ID,SIS Login ID,Section,tiny (77)
    Points Possible,,,,,2.00
"One, Student",101,s-101,one@school.example,Section A,
"Two, Student",102,s-102,two@school.example,Section A,
"""
MOODLE_WORKSHEET = """\
Identifier,Full name,Email address,Status,Grade,Maximum Grade,Grade can be changed
Participant 7001,Student One,one@school.example,Submitted,,2.00,Yes
Participant 7002,Student Two,two@school.example,Submitted,,2.00,Yes
"""


def cells(assignment: str):
    return [cell(assignment, "x = 1"), cell(f"{assignment}_check", "assert x", points=2)]


def notebook(text: str, assignment: str = "tiny") -> bytes:
    """A submission; the text tells it from others."""
    return writes(
        v4.new_notebook(cells=[*cells(assignment), v4.new_code_cell(text, id="own")])
    ).encode()


class Collecting:
    """A course with the assignments `tiny` and `other`, and archives of `tiny`."""

    def __init__(self, course, log):
        self.root = course.root
        self.log = log
        for assignment in ("tiny", "other"):
            course.add(assignment, cells(assignment), "")
        shutil.copy(REPOSITORY / "nbgrader_config.py", course.root)
        self.downloaded = course.root / "downloaded/tiny"
        self.archive = self.downloaded / "archive"
        self.archive.mkdir(parents=True)

    def zip(self, files: dict[str | zipfile.ZipInfo, bytes], name: str = "submissions.zip") -> Path:
        path = self.archive / name
        path.write_bytes(zip_of(files))
        return path

    def students(self, *rows: dict[str, str]) -> None:
        with Gradebook(f"sqlite:///{self.root / 'gradebook.db'}") as gradebook:
            for row in rows:
                gradebook.update_or_create_student(row.pop("id"), **row)

    def collect(self, *arguments: str) -> dict[str, str]:
        """Run the command; gives what is in submitted/: a word of each notebook, by student."""
        app = ZipCollectApp()
        app.initialize(["tiny", *arguments])
        app.log.propagate = True
        self.log.clear()
        with self.log.at_level(logging.INFO, logger=app.log.name):
            app.start()
        return self.submitted()

    def submitted(self) -> dict[str, str]:
        return {
            path.parts[-3]: path.read_text().rpartition("source")[2].split('"')[2]
            for path in sorted(self.root.glob("submitted/*/tiny/tiny.ipynb"))
        }

    def reasons(self) -> dict[str, str]:
        """What was not collected, or is older, and why."""
        with (self.downloaded / "collected.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return {row["file"]: row["reason"] for row in rows if row["outcome"] != "collected"}


def zip_of(files: dict[str | zipfile.ZipInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


@pytest.fixture
def collecting(tiny_course, empty_gradebook, monkeypatch, caplog) -> Collecting:
    shutil.copy(empty_gradebook, tiny_course.root)
    monkeypatch.chdir(tiny_course.root)
    monkeypatch.setenv("HOME", str(tiny_course.root))
    return Collecting(tiny_course, caplog)


# The platforms' names


def test_canvas_archive_with_late_renamed_and_repeated_files(collecting):
    collecting.zip(
        {
            "onestudent_101_9001_tiny.ipynb": notebook("one"),
            "twostudent_LATE_102_9002_tiny-2.ipynb": notebook("two"),
            "threestudent_103_9003_tiny (1).ipynb": notebook("three"),
            "fourstudent_104_9004_TINY.IPYNB": notebook("four"),
            "müllerß_105_9005_tiny-Copy1.ipynb": notebook("five"),
            "李雷_106_9006_my homework.ipynb": notebook("six"),
            "with_underscore_107_9007_hw_1_2_tiny.ipynb": notebook("seven"),
        }
    )
    assert collecting.collect() == {
        "101": "one",
        "102": "two",
        "103": "three",
        "104": "four",
        "105": "five",
        "106": "six",
        "107": "seven",
    }
    assert collecting.reasons() == {}
    assert "collected: 7, older: 0, not collected: 0. Each file is listed in" in collecting.log.text
    listed = (collecting.downloaded / "collected.csv").read_text()
    assert 'twostudent_LATE_102_9002_tiny-2.ipynb,collected,102,"late, says Canvas"' in listed


def test_moodle_archives_of_both_forms(collecting):
    collecting.zip(
        {
            "Student One_7001_assignsubmission_file_/tiny.ipynb": notebook("one"),
            "Zoë Ñandú_7002_assignsubmission_file_/work/tiny (2).ipynb": notebook("two"),
            "Student Three_7003_assignsubmission_file/tiny.ipynb": notebook("three"),
            "Student Four_7004_assignsubmission_file_tiny.ipynb": notebook("four"),
            "Student One_7001_assignsubmission_onlinetext_/onlinetext.html": b"<p>hello</p>",
        }
    )
    assert collecting.collect() == {"7001": "one", "7002": "two", "7003": "three", "7004": "four"}
    [(name, reason)] = collecting.reasons().items()
    assert name.endswith("onlinetext.html")
    assert "not a notebook" in reason


def test_modules_go_with_the_notebook_that_they_lie_beside(collecting):
    own_zip = zip_of({"hw/tiny.ipynb": notebook("zip"), "hw/parts/more.py": b"zip", "x.py": b""})
    folder = "Student One_7001_assignsubmission_file_"
    collecting.zip(
        {
            "onestudent_101_9001_tiny.ipynb": notebook("one"),
            "onestudent_101_9002_helpers-1.py": b"old",
            "onestudent_101_9003_helpers-2.py": b"one",
            "twostudent_102_9004_helpers.py": b"nobody's",
            "onestudent_101_9005_x_assignsubmission.py": b"odd",
            "threestudent_103_9006_work.zip": own_zip,
            f"{folder}/tiny.ipynb": notebook("moodle"),
            f"{folder}/helpers.py": b"moodle",
            f"{folder}/C_7004_assignsubmission_file_/mine.py": b"named by a student",
            f"{folder}/two words.py": b"",
            "Student Four_7004_assignsubmission_file_tiny.ipynb": notebook("flat"),
            "Student Four_7004_assignsubmission_file_helpers.py": b"flat",
            "helpers.py": b"whose?",
        }
    )
    collecting.collect()
    collected = {
        "/".join(path.relative_to(collecting.root / "submitted").parts): path.read_text()
        for path in collecting.root.glob("submitted/**/*.py")
    }
    assert collected == {
        "101/tiny/helpers.py": "one",
        "101/tiny/x_assignsubmission.py": "odd",
        "103/tiny/parts/more.py": "zip",
        "7001/tiny/helpers.py": "moodle",
        "7001/tiny/C_7004_assignsubmission_file_/mine.py": "named by a student",
        "7004/tiny/helpers.py": "flat",
    }
    reasons = {name.rpartition("/")[2]: reason for name, reason in collecting.reasons().items()}
    assert reasons["onestudent_101_9002_helpers-1.py"] == "another helpers.py is newer"
    assert reasons["two words.py"].startswith("no import can name it")
    for name in ("twostudent_102_9004_helpers.py", "helpers.py", "x.py"):
        assert reasons[name] == "it is not beside a notebook that is collected"


def test_newest_submission_wins_and_the_older_ones_are_named(collecting):
    collecting.zip(
        {
            "onestudent_101_9001_tiny-2.ipynb": notebook("older"),
            "onestudent_101_9010_tiny.ipynb": notebook("newer"),
            "Student Two_7002_assignsubmission_file_/tiny.ipynb": notebook("older"),
            "Student Two_7002_assignsubmission_file_/tiny (1).ipynb": notebook("old"),
            "Student Two_7002_assignsubmission_file_/tiny-10.ipynb": notebook("newer"),
        }
    )
    assert collecting.collect() == {"101": "newer", "7002": "newer"}
    reasons = collecting.reasons()
    assert len(reasons) == 3
    assert reasons["submissions/onestudent_101_9001_tiny-2.ipynb"] == (
        "submissions/onestudent_101_9010_tiny.ipynb is newer"
    )
    assert "older: submissions/onestudent_101_9001_tiny-2.ipynb" in collecting.log.text


def test_of_two_downloads_the_later_one_wins(collecting):
    name = "Student One_7001_assignsubmission_file_/tiny.ipynb"
    for archive, year, text in (("b.zip", 2025, "older"), ("a.zip", 2026, "newer")):
        collecting.zip({zipfile.ZipInfo(name, (year, 11, 22, 9, 0, 0)): notebook(text)}, archive)
    assert collecting.collect() == {"7001": "newer"}


def test_newest_that_cannot_be_told_is_left_to_a_person(collecting):
    folder = "Student One_7001_assignsubmission_file_"
    collecting.zip(
        {
            f"{folder}/tiny.ipynb": notebook("one"),
            f"{folder}/again/tiny.ipynb": notebook("other"),
            "Student Two_7002_assignsubmission_file_/tiny.ipynb": notebook("same"),
            "Student Two_7002_assignsubmission_file_/again/tiny.ipynb": notebook("same"),
        }
    )
    assert set(collecting.collect()) == {"7002"}
    reasons = collecting.reasons()
    for name in (f"submissions/{folder}/tiny.ipynb", f"submissions/{folder}/again/tiny.ipynb"):
        assert "not clear which is newest" in reasons[name]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("tiny.ipynb", "neither as Canvas makes them"),
        ("onestudent_101_9001_other.ipynb", "a notebook of other, not of tiny"),
        ("onestudent_101_9001_thoughts.ipynb", "neither its name nor its grade ids"),
        ("anon_Ab3dE_9001_tiny.ipynb", "the platform hides who anon_Ab3dE is"),
        ("LATE_anon_Ab3dE_9001_tiny.ipynb", "the platform hides who anon_Ab3dE is"),
        ("onestudent_101_9001_text.html", "not a notebook"),
        ("onestudent_101_9001_tiny.ipynb.txt", "not a notebook"),
    ],
)
def test_what_fits_nobody_is_listed_with_its_reason(collecting, name, reason):
    right = "twostudent_102_9002_tiny.ipynb"
    collecting.zip({name: b"{}", right: notebook("two")})
    assert collecting.collect() == {"102": "two"}
    assert reason in "".join(collecting.reasons().values())
    assert reason in collecting.log.text


def test_copies_and_claims():
    assert copies_of("mnist_loss.ipynb", "mnist_loss") == ()
    assert copies_of("Mnist-Loss (3)-Copy1.ipynb", "mnist_loss") == (3, 1)
    assert copies_of("homework-2.ipynb", "homework-2") == ()
    assert copies_of("homework-2-1.ipynb", "homework-2") == (1,)
    assert copies_of("homework-3.ipynb", "homework-2") is None
    # The outermost name is the platform's; what is within was named by a student.
    claim = claim_of(["onestudent_101_9001_work.zip", "x_999_1_tiny.ipynb"])
    assert (claim.number, claim.file) == ("101", "x_999_1_tiny.ipynb")
    claim = claim_of(["A B_7001_assignsubmission_file_", "C D_7002_assignsubmission_file_t.ipynb"])
    assert claim.number == "7001"
    assert claim_of(["course_2026_1_all", "tiny.ipynb"]) is None


@pytest.mark.parametrize(
    "part",
    [
        "Jane_77_assignsubmission_file_x_7001_assignsubmission_file_",
        "Jane_77_assignsubmission_file__7001_assignsubmission_file_tiny.ipynb",
    ],
)
def test_a_display_name_does_not_pose_as_another_participant(part):
    with pytest.raises(NotMatched, match="numbers of two participants"):
        claim_of([part, "tiny.ipynb"])


# Whose they are


def test_list_of_students_names_canvas_users_by_number_login_or_address(collecting):
    collecting.students(
        {"id": "student-01", "lms_user_id": "101"},
        {"id": "student-02", "email": "Two@School.example"},
        {"id": "s-103"},
    )
    extra = '"Three, Student",103,s-103,three@school.example,Section A,\n'
    (collecting.root / "downloaded/Grades-course.csv").write_text(CANVAS_GRADEBOOK + extra)
    collecting.zip(
        {f"student_{n}_900{n}_tiny.ipynb": notebook(str(n)) for n in (101, 102, 103, 104)}
    )
    assert collecting.collect() == {
        "student-01": "101",
        "student-02": "102",
        "s-103": "103",
        "104": "104",
    }


def test_list_of_students_names_moodle_users_by_address_or_full_name(collecting):
    collecting.students(
        {"id": "student-01", "email": "one@school.example"},
        {"id": "student-03", "first_name": "Zoë", "last_name": "Three", "lms_user_id": "7004"},
    )
    (collecting.downloaded / "Grades-tiny-55.csv").write_text("\ufeff" + MOODLE_WORKSHEET)
    names = ("Student One_7001", "Zoë Three_7003", "Student Four_7004")
    collecting.zip(
        {f"{name}_assignsubmission_file_/tiny.ipynb": notebook(name[-4:]) for name in names}
    )
    # 7004 is a number of Moodle's for this assignment, and nobody's own.
    assert collecting.collect() == {"student-01": "7001", "student-03": "7003", "7004": "7004"}


CLASS = {
    "student-01": "Miles O'Brien",
    "student-02": "Zoë Three",
    "student-03": "Anna Maria Four",
    "student-04": "Jean-Luc Five",
    "student-05": "Ann Six",
}


@pytest.mark.parametrize(
    ("shown", "student"),
    [
        *(("Miles OBrien", "student-01"), ("Miles O\u2019Brien", "student-01")),
        *(("miles  o'brien", "student-01"), ("O'Brien, Miles", "student-01")),
        *(("Zoe\u0308 Three", "student-02"), ("Three Zoë", "student-02")),
        *(("Anna Four", "student-03"), ("Four Anna Maria", "student-03")),
        *(("Jean-Luc Five", "student-04"), ("Luc Five", None), ("Ann Lee", None)),
        *(("Ann", None), ("", None), ("Four", None)),
    ],
)
def test_a_full_name_is_known_however_a_system_writes_it(shown, student):
    assert KnownNames(CLASS).meant_by(shown) == ([student] if student else [])


def test_a_name_that_fits_several_is_left_to_a_person():
    twice = {"a": "Anna Maria Four", "b": "Anna Rose Four"}
    assert sorted(KnownNames(twice).meant_by("Anna Four")) == ["a", "b"]


def test_groups_of_moodle_make_no_new_students(collecting):
    collecting.students(
        {"id": "student-01", "first_name": "Miles", "last_name": "O'Brien"},
        {"id": "student-02", "first_name": "Zoë", "last_name": "Three"},
    )
    names = ("Team Blue_77-Miles OBrien_7001", "Team Blue_77-Zoë Three_7002", "Un-Known_7003")
    collecting.zip(
        {f"{name}_assignsubmission_file_/tiny.ipynb": notebook(name[-4:]) for name in names}
    )
    assert collecting.collect() == {"student-01": "7001", "student-02": "7002", "7003": "7003"}
    assert "7003_assignsubmission_file_/tiny.ipynb: a new student" in collecting.log.text
    with (collecting.downloaded / "collected.csv").open(encoding="utf-8") as file:
        assert "a new student: nobody on the class list fits" in file.read()


def test_two_people_are_never_taken_for_one(collecting):
    collecting.students({"id": "student-01", "email": "one@school.example", "lms_user_id": "s-102"})
    (collecting.downloaded / "gradebook.csv").write_text(CANVAS_GRADEBOOK)
    collecting.zip(
        {
            "onestudent_101_9001_tiny.ipynb": notebook("one"),
            "twostudent_102_9002_tiny.ipynb": notebook("two"),
            "threestudent_103_9003_tiny.ipynb": notebook("three"),
        }
    )
    assert collecting.collect() == {"103": "three"}
    reasons = collecting.reasons()
    assert len(reasons) == 2
    assert "different people come to this student: onestudent (101) and" in str(reasons)


def test_id_that_fits_several_or_is_no_folder_name_is_listed(collecting):
    collecting.students(
        {"id": "a", "email": "one@school.example"},
        {"id": "b", "email": "one@school.example"},
        {"id": "../two", "lms_user_id": "102"},
        {"id": "103", "lms_user_id": "999"},
    )
    (collecting.downloaded / "gradebook.csv").write_text(CANVAS_GRADEBOOK)
    collecting.zip({f"s_{n}_900{n}_tiny.ipynb": notebook("x") for n in (101, 102, 103)})
    assert collecting.collect() == {}
    reasons = list(collecting.reasons().values())
    assert "several students fit: a, b" in reasons[0]
    assert "'../two' cannot be the name of a folder" in reasons[1]
    assert "103 is the id of a student with another lms_user_id" in reasons[2]
    assert not (collecting.root / "two").exists()


# Collecting again, and courses that are not ready


def test_collecting_again_replaces_only_when_told(collecting, caplog):
    collecting.zip({"onestudent_101_9001_tiny.ipynb": notebook("first")})
    collecting.collect()
    shutil.rmtree(collecting.downloaded / "extracted")
    collecting.zip(
        {
            "newstudent_100_9002_tiny.ipynb": notebook("new"),
            "onestudent_101_9003_tiny-1.ipynb": notebook("second"),
        }
    )
    with pytest.raises(SystemExit):
        collecting.collect()
    assert "there are submissions already of 101. --force replaces them" in caplog.text
    assert collecting.submitted() == {"101": "first"}
    assert collecting.collect("--force") == {"100": "new", "101": "second"}


def test_two_gradebooks_or_no_release_are_refused_with_the_remedy(collecting, caplog):
    collecting.zip({"onestudent_101_9001_tiny.ipynb": notebook("one")})
    for name in ("a.csv", "b.csv"):
        (collecting.downloaded / name).write_text(CANVAS_GRADEBOOK)
    with pytest.raises(SystemExit):
        collecting.collect()
    assert "more than one Canvas gradebook: a.csv, b.csv. Leave the newest" in caplog.text
    (collecting.downloaded / "b.csv").unlink()
    shutil.rmtree(collecting.root / "release")
    with pytest.raises(SystemExit):
        collecting.collect("--force")
    assert "nbgrader generate_assignment tiny" in caplog.text


# Archives that are not as they should be


def entry(name: str, **changes) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name)
    made.compress_type = zipfile.ZIP_DEFLATED
    for key, value in changes.items():
        setattr(made, key, value)
    return made


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../../../escaped.ipynb", "leads out of the archive"),
        ("..\\..\\escaped.ipynb", "leads out of the archive"),
        ("/tmp/escaped.ipynb", "leads out of the archive"),
        ("C:\\escaped.ipynb", "leads out of the archive"),
        (entry("link.ipynb", external_attr=0o120777 << 16), "a link or a device"),
        (entry("pipe.ipynb", external_attr=0o010777 << 16), "a link or a device"),
        (entry("odd.ipynb", compress_type=zipfile.ZIP_LZMA), "compressed in an uncommon way"),
        (f"{300 * 'x'}.ipynb", "cannot be written"),
        ("__MACOSX/._tiny.ipynb", "that a person made"),
        (".ipynb_checkpoints/tiny-checkpoint.ipynb", "that a person made"),
    ],
)
def test_bad_entry_is_left_out_and_the_others_are_collected(collecting, name, reason):
    collecting.zip({name: notebook("bad"), "onestudent_101_9001_tiny.ipynb": notebook("one")})
    assert collecting.collect() == {"101": "one"}
    [told] = collecting.reasons().values()
    assert reason in told
    assert not list(collecting.root.rglob("escaped*"))


def test_too_large_entries_and_bombs_are_left_out(collecting):
    (collecting.root / "nbgrader_config.py").open("a").write(
        "\nc.CarefulExtractor.max_file_mebibytes = 3\n"
    )
    collecting.zip(
        {
            "large_101_9001_tiny.ipynb": 4 * b" " * (1 << 20),
            "bomb_102_9002_tiny.ipynb": 2 * b" " * (1 << 20),
            "right_103_9003_tiny.ipynb": notebook("right"),
        }
    )
    assert collecting.collect() == {"103": "right"}
    reasons = collecting.reasons()
    assert "has 4 MiB, at most 3" in reasons["submissions.zip/large_101_9001_tiny.ipynb"]
    assert "times its size" in reasons["submissions.zip/bomb_102_9002_tiny.ipynb"]


@pytest.mark.parametrize(
    ("setting", "reason"),
    [("max_files = 2", "holds 3 files, at most 2"), ("max_mebibytes = 0", "unpacks to 0 MiB")],
)
def test_too_large_archive_is_refused_and_others_are_collected(collecting, setting, reason):
    (collecting.root / "nbgrader_config.py").open("a").write(f"\nc.CarefulExtractor.{setting}\n")
    collecting.zip({f"s_{n}_900{n}_tiny.ipynb": notebook("x") for n in (101, 102, 103)})
    loose = collecting.archive / "loose_104_9004_tiny.ipynb"
    loose.write_bytes(notebook("loose"))
    assert collecting.collect() == {"104": "loose"}
    assert reason in collecting.reasons()["submissions.zip"]


def test_damaged_archives_and_entries_are_told_and_others_are_collected(collecting):
    good = zip_of({"onestudent_101_9001_tiny.ipynb": notebook("one")})
    (collecting.archive / "a-text.zip").write_text("this is no archive")
    (collecting.archive / "b-cut.zip").write_bytes(good[:-30])
    bad = bytearray(zip_of({"twostudent_102_9002_tiny.ipynb": notebook("two")}))
    bad[200] ^= 0xFF
    (collecting.archive / "c-flipped.zip").write_bytes(bad)
    (collecting.archive / "d-link.zip").symlink_to(collecting.root / "nbgrader_config.py")
    (collecting.archive / "e-good.ZIP").write_bytes(good)
    assert collecting.collect() == {"101": "one"}
    reasons = collecting.reasons()
    assert "no zip archive: download it again" in reasons["a-text.zip"]
    assert "no zip archive: download it again" in reasons["b-cut.zip"]
    assert "it is damaged" in reasons["c-flipped.zip/twostudent_102_9002_tiny.ipynb"]
    assert "it is a link" in reasons["d-link.zip"]


def test_encrypted_entry_is_told(collecting):
    data = bytearray(zip_of({"onestudent_101_9001_tiny.ipynb": notebook("one")}))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = data.index(signature) + offset
        struct.pack_into("<H", data, place, struct.unpack_from("<H", data, place)[0] | 1)
    (collecting.archive / "locked.zip").write_bytes(data)
    collecting.zip({"twostudent_102_9002_tiny.ipynb": notebook("two")})
    assert collecting.collect() == {"102": "two"}
    assert "encrypted" in "".join(collecting.reasons().values())


def test_entry_that_lies_about_its_size_is_left_out(collecting):
    data = bytearray(zip_of({"onestudent_101_9001_tiny.ipynb": notebook("one")}))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", data, data.index(signature) + offset, 50)
    (collecting.archive / "liar.zip").write_bytes(data)
    collecting.zip({"twostudent_102_9002_tiny.ipynb": notebook("two")})
    assert collecting.collect() == {"102": "two"}
    assert "it is damaged" in "".join(collecting.reasons().values())


def test_students_own_archives_are_unpacked_once_and_stay_theirs(collecting):
    work = {"work/tiny.ipynb": notebook("zipped"), "work/notes.txt": b"", "deep.zip": zip_of({})}
    collecting.zip(
        {
            "onestudent_101_9001_work.zip": zip_of(work),
            "twostudent_102_9002_evil.zip": zip_of({"x_103_9999_tiny.ipynb": notebook("evil")}),
            "threestudent_103_9003_tiny.ipynb": notebook("mine"),
            "Student Four_7004_assignsubmission_file_/w.zip": zip_of({"tiny.ipynb": notebook("4")}),
            "fivestudent_105_9005_many.zip": zip_of({f"{n}.ipynb": b"" for n in range(201)}),
        }
    )
    assert collecting.collect() == {"101": "zipped", "103": "mine", "7004": "4", "102": "evil"}
    reasons = collecting.reasons()
    prefix = "submissions.zip/onestudent_101_9001_work.zip"
    assert "an archive in an archive in an archive" in reasons[f"{prefix}/deep.zip"]
    assert "not a notebook" in reasons[f"{prefix}/work/notes.txt"]
    assert "holds 201 files" in reasons["submissions.zip/fivestudent_105_9005_many.zip"]


def test_names_that_a_terminal_or_a_spreadsheet_would_obey_are_harmless(collecting):
    collecting.zip(
        {
            "=cmd()_101_9001_x\x1b[31m.ipynb": b"{}",
            "onestudent_102_9002_tiny\u202e.ipynb": notebook("two"),
        }
    )
    collecting.collect()
    listed = (collecting.downloaded / "collected.csv").read_text()
    assert not set("\x1b\u202e") & set(listed + collecting.log.text)
    assert not any(line.startswith(("=", '"=')) for line in listed.splitlines())


def test_utf8_names_without_the_flag_for_it_are_read(collecting):
    data = zip_of({"müller_101_9001_tiny.ipynb": notebook("one")})
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = data.index(signature) + offset
        data = data[:place] + b"\0\0" + data[place + 2 :]
    (collecting.archive / "canvas.zip").write_bytes(data)
    assert collecting.collect() == {"101": "one"}
    assert "müller_101_9001" in (collecting.downloaded / "collected.csv").read_text()
