"""What commands print fits the terminal, and what Tab offers."""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from proctor import cli
from proctor.classroom.whole_class import Tally
from proctor.commands.progress import Progress, brief
from proctor.commands.terminal import say, within
from proctor.course import Course

PROCTOR = Path(sys.executable).with_name("proctor")
LONG = "    told to the student: " + "Put 2 and -2 into your formula by hand. " * 5


class Terminal:
    """A terminal of so many columns: `stream` leads into it, `shown` is what came out."""

    def __init__(self, columns: int):
        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.stream = os.fdopen(theirs, "w")

    def shown(self) -> str:
        self.stream.flush()
        os.set_blocking(self.ours, False)
        found = b""
        try:
            while data := os.read(self.ours, 65536):
                found += data
        except OSError:  # nothing is left
            pass
        return found.decode().replace("\r\n", "\n")


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    return Terminal(80)


def test_long_lines_go_on_below_a_little_deeper(terminal):
    say(LONG, to=terminal.stream)
    lines = terminal.shown().rstrip("\n").split("\n")
    assert len(lines) > 2
    assert max(map(len, lines)) <= 80
    assert all(line.startswith("      ") and line[6] != " " for line in lines[1:])
    assert " ".join(" ".join(lines).split()) == " ".join(LONG.split())


def test_an_error_about_options_fits_too(terminal, monkeypatch):
    monkeypatch.setattr(sys, "stderr", terminal.stream)
    with pytest.raises(SystemExit) as ended:
        cli.main(["grade", "mnist_loss", "-j", "as many as there are cores in all of the building"])
    assert ended.value.code == 2
    shown = terminal.shown()
    assert max(map(len, shown.split("\n"))) <= 80
    assert "is not a whole number above 0" in " ".join(shown.split())


def test_columns_says_how_wide_it_is(terminal, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    say(LONG, to=terminal.stream)
    assert max(map(len, terminal.shown().split("\n"))) <= 60


def test_a_pipe_gets_whole_lines():
    pipe = io.StringIO()
    say(LONG, to=pipe)
    assert pipe.getvalue() == LONG + "\n"


def test_columns_of_a_table_stay_and_long_words_are_not_broken():
    table = "✗ mnist_loss_values              1.00 of 2"
    assert within(table, 80) == table
    path = "/".join(["folder"] * 20)
    assert path in within(f"the report is in {path}", 80)


def test_progress_can_be_read_in_80_columns(terminal, monkeypatch):
    monkeypatch.setattr(sys, "stderr", terminal.stream)
    with Progress[Tally](2000) as progress:
        progress(Tally(total=2000, graded=1500, rejected=12, set_aside=1, need_person=700))
        progress._bar.refresh()
    last = [line for line in re.split(r"[\r\n]+", terminal.shown()) if line.strip()][-1]
    assert len(last) <= 80
    assert re.search(r"76%\|.{3,}\| 1513/2000 \[", last)
    assert last.rstrip().endswith("12 rejected, 700 to be read, 1 set aside")


@pytest.mark.parametrize(
    ("done", "pace"), [(1, "40.0 s each, about 3160 s"), (60, "1.5 a second, about 13 s")]
)
def test_progress_in_a_file_says_how_long_it_takes(monkeypatch, capsys, done, pace):
    clock = iter([100.0, 140.0])
    monkeypatch.setattr("proctor.commands.progress.time.monotonic", lambda: next(clock))
    with Progress[Tally](80) as progress:
        progress(Tally(total=80, graded=done))
    assert f"{done} of 80, {pace} to go" in capsys.readouterr().err


def test_progress_has_no_room_for_what_is_nothing():
    assert brief("3 graded, 0 rejected, 0 to be read, 0 set aside", 40) == "3 graded"
    assert brief("3 graded, 2 rejected, 1 set aside", 25) == "2 rejected, 1 set aside"
    assert brief("3 graded, 2 rejected", 0) == ""


# Completion


def offered(folder: Path, line: str) -> set[str]:
    """What the shell is told when a person presses Tab at the end of this line."""
    answer = folder / "offered"
    done = subprocess.run(
        [PROCTOR],
        cwd=folder,
        env={
            **os.environ,
            "_ARGCOMPLETE": "1",
            "_ARGCOMPLETE_IFS": "\n",
            "_ARGCOMPLETE_STDOUT_FILENAME": str(answer),
            "COMP_LINE": line,
            "COMP_POINT": str(len(line)),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return {word.strip() for word in answer.read_text().split("\n") if word.strip()}


def test_tab_offers_what_there_is(tiny_course):
    for assignment in ("tiny", "tall", "other"):
        tiny_course.add(assignment, [], "")
    for student in ("ana", "ben"):
        (tiny_course.root / "submitted" / student / "tiny").mkdir(parents=True)
    (tiny_course.root / "submitted/anton/other").mkdir(parents=True)
    (tiny_course.root / "records/amy").mkdir(parents=True)
    (tiny_course.root / "records/amy/tiny.json").write_text("{}")
    assert offered(tiny_course.root, "proctor re") == {"read", "regrade", "release", "report"}
    assert offered(tiny_course.root, "proctor report t") == {"tiny", "tall"}
    assert offered(tiny_course.root, "proctor explain tiny a") == {"ana", "amy"}
    assert offered(tiny_course.root, "proctor grade tiny --student a") == {"ana", "amy"}
    assert "--compare" in offered(tiny_course.root, "proctor report tiny --c")


# As JSON


@pytest.fixture
def released(monkeypatch):
    """What the gate says, without trying any answer."""

    def says(*faults: str) -> None:
        monkeypatch.setattr("proctor.classroom.release_gate.release", lambda *_, **__: list(faults))

    return says


def test_release_as_json(tiny_course, released, monkeypatch, capsys):
    tiny_course.add("tiny", [], "")
    monkeypatch.chdir(tiny_course.root)
    released()
    assert cli.main(["release", "tiny", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"assignment": "tiny", "released": True, "faults": []}
    released("double: right answer “x” has 1 of 2")
    assert cli.main(["release", "tiny", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["released"] is False
    assert told["faults"] == ["double: right answer “x” has 1 of 2"]


def test_whoever_explains_nobodys_mark_is_told_who_was_meant(tiny_course, monkeypatch, capsys):
    tiny_course.add("tiny", [], "")
    record = Course(tiny_course.root).record("student-01", "tiny")
    record.parent.mkdir(parents=True)
    record.write_text("{}")
    monkeypatch.chdir(tiny_course.root)
    assert cli.main(["explain", "tiny", "student-1"]) == 2
    said = capsys.readouterr().err
    assert "nobody called student-1 was graded in tiny: did you mean student-01?" in said
    (tiny_course.root / "submitted/student-1/tiny").mkdir(parents=True)
    assert cli.main(["explain", "tiny", "student-1"]) == 2
    assert "`proctor grade tiny --student student-1` makes one" in capsys.readouterr().err


@pytest.mark.parametrize("columns", [60, 80])
def test_every_help_fits_the_terminal(columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    top = cli.parser()
    [verbs] = [action for action in top._actions if isinstance(action.choices, dict)]
    helps = {"": top, **verbs.choices}
    for name, command in helps.items():
        # A word that is longer cannot be broken.
        wide = [
            line
            for line in command.format_help().splitlines()
            if len(line) > columns and len(line.split()) > 1
        ]
        assert not wide, f"{name}: {wide}"
