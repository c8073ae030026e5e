"""Two instructors and a student, system users made for it, set up as docs/operators.md says.

It needs root, who makes the users and takes them away again.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
import pytest
from ordinary import can_read_this, showing_the_interpreter
from test_nbgrader import GRADERS, RIGHT, source_notebook

REPOSITORY = Path(__file__).parent.parent
USERS = ("ana", "ben", "student")
pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can make users"),
    pytest.mark.skipif(not shutil.which("useradd"), reason="there is no useradd"),
]


class School:
    """Users with homes of their own, a course of a group, and an exchange."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.course = folder / "courses/loss-functions"
        self.suffix = f"-{os.getpid()}"
        self.terminals: dict[str, subprocess.Popen[str]] = {}

    def user(self, name: str) -> str:
        return name + self.suffix

    def open(self) -> None:
        self.folder.chmod(0o755)
        for name in USERS:
            home = self.folder / "home" / name
            root("useradd", "--home-dir", str(home), "--create-home", self.user(name))
        exchange = self.folder / "nbgrader/exchange"
        exchange.mkdir(parents=True)
        exchange.chmod(0o777)
        self.course.parent.mkdir()
        for line in lines_of_the_recipe():
            line = re.sub(r"\b(ana|ben|instructors)\b", rf"\1{self.suffix}", line)
            root("sh", "-c", line.replace("/srv", str(self.folder)))
        settings = (REPOSITORY / "nbgrader_config.py").read_text()
        settings += "\nc.CourseDirectory.groupshared = True\nc.Grading.preload = []\n"
        files = {
            "nbgrader_config.py": settings + f"c.Exchange.root = {str(exchange)!r}\n",
            "source/tiny/tiny.ipynb": nbformat.writes(source_notebook()),
            "tests/graders/tiny/test_double.py": GRADERS,
        }
        for place, text in files.items():
            (self.folder / "text").write_text(text)
            write = f"umask 002; mkdir -p $(dirname {place}); cat ../../text > {place}"
            subprocess.run(self.shell("ana", write), cwd=self.course, check=True)
        at_home = f"c = get_config()\nc.Exchange.root = {str(exchange)!r}\n"
        at_home += 'c.CourseDirectory.course_id = "loss-functions"\n'
        config = self.folder / "home/student/.jupyter/nbgrader_config.py"
        config.parent.mkdir(mode=0o755)
        config.write_text(at_home)

    def close(self) -> None:
        for terminal in self.terminals.values():
            terminal.stdin.close()
            terminal.wait(60)
        for name in USERS:
            subprocess.run(["userdel", self.user(name)], check=False, capture_output=True)
        subprocess.run(["groupdel", "instructors" + self.suffix], check=False, capture_output=True)

    def shell(self, name: str, command: str) -> list[str]:
        """A command in a shell of this user, with a usual umask."""
        who = pwd.getpwnam(self.user(name))
        return [
            *("env", "-i", f"HOME={who.pw_dir}", f"USER={who.pw_name}", f"LOGNAME={who.pw_name}"),
            f"PATH={Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
            *showing_the_interpreter(),
            *("setpriv", "--reuid", str(who.pw_uid), "--regid", str(who.pw_gid)),
            *("--init-groups", "sh", "-c", f"umask 022; {command}"),
        ]

    def at_a_terminal(self, name: str, place: Path) -> subprocess.Popen[str]:
        """A process of this user there, that does what the user types."""
        return subprocess.Popen(
            self.shell(name, f"exec python {REPOSITORY / 'tests/typed.py'}"),
            cwd=place,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def type(self, name: str, *commands: str) -> str:
        """What this user types, the instructors in the course. It must work."""
        if name not in self.terminals:
            place = self.folder / "home/student" if name == "student" else self.course
            self.terminals[name] = self.at_a_terminal(name, place)
        terminal, said = self.terminals[name], ""
        for command in commands:
            print(json.dumps(command.split()), file=terminal.stdin, flush=True)
            code, told = json.loads(terminal.stdout.readline())
            assert code == 0, f"{name}: {command}\n{told}"
            said += told
        return said

    def hand_in(self, answer: str) -> None:
        home = self.folder / "home/student"
        shutil.rmtree(home / "tiny", ignore_errors=True)
        self.type("student", "nbgrader fetch_assignment tiny")
        place = home / "tiny/tiny.ipynb"
        notebook = nbformat.read(place, as_version=4)
        for cell in notebook.cells:
            cell.source = answer if cell.id == "double" else cell.source
        place.write_text(nbformat.writes(notebook))  # it stays the student's
        self.type("student", "nbgrader submit tiny")


def root(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def lines_of_the_recipe() -> list[str]:
    """The commands for root in docs/operators.md."""
    page = (REPOSITORY / "docs/operators.md").read_text()
    section = page.partition("## Several instructors")[2].partition("\n## ")[0]
    return re.findall(r"^    ((?:groupadd|usermod|install) .*)$", section, re.MULTILINE)


@pytest.fixture
def school():
    if not can_read_this():
        pytest.skip("the virtual environment cannot be read by an ordinary user")
    with tempfile.TemporaryDirectory(prefix="school-", dir="/tmp") as folder:
        made = School(Path(folder))
        try:
            made.open()
            yield made
        finally:
            made.close()


def test_two_instructors_take_turns_at_everything(school):
    assert len(lines_of_the_recipe()) == 5
    school.type("ana", "nbgrader generate_assignment tiny", "nbgrader release_assignment tiny")
    school.hand_in("def double(x):\n    return x")
    assert "1 graded" in school.type("ben", "nbgrader collect tiny", "proctor grade tiny -j 1")
    school.type("ben", "proctor report tiny", "nbgrader generate_feedback tiny")
    school.type("ben", "nbgrader release_feedback tiny")
    school.hand_in(RIGHT)
    collect = "nbgrader collect tiny --update"
    assert "1 graded" in school.type("ana", collect, "proctor grade tiny -j 1")
    student = school.user("student")
    assert "double_values: 2 of 2" in school.type("ben", f"proctor explain tiny {student}")
    school.type("ana", "proctor report tiny", "nbgrader generate_feedback tiny --force")
    school.type("ana", "nbgrader release_feedback tiny")
    school.type("ben", "nbgrader autograde tiny --force")
    for private in ("gradebook.db", f"records/{student}/tiny.json"):
        assert (school.course / private).stat().st_mode & 0o777 == 0o660
