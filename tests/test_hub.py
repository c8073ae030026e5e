"""A JupyterHub on this machine, set up by the files of docs/operators.md as they stand there.

Its users, folders and settings are there for it alone: it runs where /etc, /home, /srv and /opt are
other ones. That takes root, and node for the hub's proxy; `make hub` installs the rest.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
import requests

from proctor.course import Course, read_notebook
from proctor.grading.labelled import reference_answers

pytestmark = pytest.mark.skipif(
    "HUB" not in os.environ, reason="starts a JupyterHub as root: `make hub` runs it"
)
REPOSITORY = Path(__file__).parent.parent
FILE = re.compile(
    r"`(/(?:etc|home)/[\w./-]+)`[^`]*?(?:`[^`\n]*`[^`]*?)*?```\w+\n(.*?)```", re.DOTALL
)
COURSE = Path("srv/courses/loss-functions")
ASSIGNMENT, COURSE_ID, PASSWORD = "accuracy", "loss-functions", "a password"
USERS = {"ana": 30001, "student-01": 30002, "student-02": 30003}
SECONDS = 240.0

# Everything below these folders is the hub's own; all that it starts ends with it.
VIEW = """
set -e
for place in etc home srv opt; do mount --bind "$1/$place" "/$place"; done
mount --bind "$2" /opt/proctor
mount --bind "$3" /opt/proxy
if [ "$4" != / ]; then  # the interpreter lies below a folder of root's alone
    mount --bind "$5" "$1/interpreter"
    mount -t tmpfs -o mode=755 none "$4"
    mkdir -p "$5"
    mount --bind "$1/interpreter" "$5"
fi
shift 5
exec "$@"
"""


class Hub:
    """The hub, and what its users do."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.process: subprocess.Popen | None = None
        self.port, hub_port, proxy_port = free_ports(3)
        self.url = f"http://127.0.0.1:{self.port}"
        self.options = [
            f"--JupyterHub.bind_url={self.url}",
            f"--JupyterHub.hub_port={hub_port}",
            f"--ConfigurableHTTPProxy.api_url=http://127.0.0.1:{proxy_port}",
        ]

    def set_up(self) -> None:
        """The folders, users and files, as docs/operators.md has them."""
        shutil.copytree("/etc", self.folder / "etc", symlinks=True)
        for place in ("home", "opt/proctor", "opt/proxy", "interpreter", "srv/nbgrader/exchange"):
            (self.folder / place).mkdir(parents=True)
        (self.folder / "srv/jupyterhub").mkdir(mode=0o700)
        (self.folder / "srv/nbgrader/exchange").chmod(0o777)
        secret = subprocess.run(
            ["openssl", "passwd", "-6", PASSWORD], capture_output=True, text=True, check=True
        ).stdout.strip()
        for name, number in USERS.items():
            self.add_line("etc/passwd", f"{name}:x:{number}:{number}::/home/{name}:/bin/sh")
            self.add_line("etc/group", f"{name}:x:{number}:")
            self.add_line("etc/shadow", f"{name}:{secret}:19000:0:99999:7:::")
            (self.folder / "home" / name).mkdir(mode=0o700)
        for path, text in files_of_documentation().items():
            (self.folder / path[1:]).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path[1:]).write_text(text)
        # What pip puts into the environment, unless it is an editable one.
        announced = self.folder / "etc/jupyter/jupyter_server_config.d"
        announced.mkdir(exist_ok=True)
        shutil.copy(REPOSITORY / "proctor/classroom/reading/proctor.json", announced)
        course = self.folder / COURSE
        course.mkdir(parents=True, mode=0o700)
        for name in ("source", "release", "tests/graders", "tests/answers"):
            shutil.copytree(REPOSITORY / name, course / name)
        shutil.copy(REPOSITORY / "nbgrader_config.py", course)
        for name in USERS:
            own(self.folder / "home" / name, USERS[name])
        own(course, USERS["ana"])

    def add_line(self, place: str, line: str) -> None:
        with (self.folder / place).open("a") as file:
            file.write(line + "\n")

    def start(self) -> None:
        prefix = Path(sys.base_prefix)
        private = [path for path in prefix.parents if path.stat().st_mode & 0o5 != 0o5]
        places = (self.folder, Path(sys.prefix), REPOSITORY / "build/proxy")
        view = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
        command = [
            *(*view, "sh", "-c", VIEW, "sh", *map(str, places)),
            *(str(private[-1] if private else "/"), str(prefix)),
            *("/opt/proctor/bin/jupyterhub", *self.options),
            *("--config", "/etc/jupyterhub/jupyterhub_config.py"),
        ]
        with (self.folder / "log").open("w") as log:
            self.process = subprocess.Popen(
                command, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        wait_for(lambda: requests.get(f"{self.url}/hub/api/", timeout=10).ok, self.log)

    def log(self) -> str:
        return (self.folder / "log").read_text()[-8000:]

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def type(self, name: str, *command: str) -> subprocess.CompletedProcess:
        """What a user types in a terminal of the hub."""
        assert self.process is not None
        [inside] = psutil.Process(self.process.pid).children()
        user = str(USERS[name])
        return subprocess.run(
            [
                *("nsenter", "--target", str(inside.pid), "--mount", "--pid"),
                *("setpriv", "--reuid", user, "--regid", user, "--clear-groups"),
                *("env", "-i", f"HOME=/home/{name}", "sh", "-l", "-c", 'cd; exec "$@"', "sh"),
                *command,
            ],
            capture_output=True,
            text=True,
            check=False,
        )


class User:
    """A user, logged in, whose server is started."""

    def __init__(self, hub: Hub, name: str):
        self.hub, self.name = hub, name
        self.session = requests.Session()
        self.session.get(f"{hub.url}/hub/login", timeout=60)
        xsrf = self.session.cookies["_xsrf"]
        form = {"username": name, "password": PASSWORD, "_xsrf": xsrf}
        done = self.session.post(
            f"{hub.url}/hub/login", data=form, allow_redirects=False, timeout=120
        )
        assert done.status_code == 302, (done.status_code, hub.log())
        self.session.get(f"{hub.url}/hub/home", timeout=60)
        xsrf = self.session.cookies.get("_xsrf", path="/hub/")
        at = f"{hub.url}/hub/api/users/{name}"
        done = self.session.post(f"{at}/tokens", headers={"X-XSRFToken": xsrf}, timeout=60)
        assert done.ok, done.text
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"token {done.json()['token']}"
        self.session.post(f"{at}/server", timeout=120)
        wait_for(lambda: '"started"' in self.get("api/status").text, hub.log)

    def at(self, place: str) -> str:
        return f"{self.hub.url}/user/{self.name}/{place}"

    def get(self, place: str) -> requests.Response:
        return self.session.get(self.at(place), timeout=120)

    def post(self, place: str, **data: str) -> Any:
        """What a button asks of the server."""
        done = self.session.post(self.at(place), data=data, timeout=300)
        assert done.ok, (done.status_code, done.text[-2000:], self.hub.log())
        return done.json()

    def do(self, action: str) -> Any:
        return self.post(f"assignments/{action}", assignment_id=ASSIGNMENT, course_id=COURSE_ID)

    def form(self, action: str) -> dict:
        """A button of Formgrader's."""
        found = self.post(f"formgrader/api/assignment/{ASSIGNMENT}/{action}")
        assert found["success"], found
        return found

    def answer(self, answers: dict[str, str]) -> None:
        place = f"api/contents/{ASSIGNMENT}/{ASSIGNMENT}.ipynb"
        notebook = nbformat.from_dict(self.get(place).json()["content"])
        for cell in notebook.cells:
            labels = cell.metadata.get("nbgrader", {})
            cell.source = answers.get(labels.get("grade_id"), cell.source)
        body = {"type": "notebook", "format": "json", "content": notebook}
        assert self.session.put(self.at(place), json=body, timeout=60).ok

    def pages(self) -> list[str]:
        """Fetches the feedback, and reads what there is."""
        self.do("fetch_feedback")
        place = f"api/contents/{ASSIGNMENT}/feedback"
        found = self.get(place)
        if not found.ok:
            return []
        names = sorted(each["name"] for each in found.json()["content"])
        return [
            self.get(f"{place}/{name}/{ASSIGNMENT}.html?content=1").json()["content"]
            for name in names
        ]


def files_of_documentation() -> dict[str, str]:
    """The files that docs/operators.md shows: path to text."""
    return dict(FILE.findall((REPOSITORY / "docs/operators.md").read_text()))


def own(folder: Path, number: int) -> None:
    for path in (folder, *folder.rglob("*")):
        os.chown(path, number, number, follow_symlinks=False)


def free_ports(number: int) -> list[int]:
    sockets = [socket.socket() for _ in range(number)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def wait_for(there: Callable[[], Any], said: Callable[[], str]) -> float:
    """Wait until it is there, and say how long that took."""
    began = time.monotonic()
    while True:
        try:
            if there():
                return time.monotonic() - began
        except requests.ConnectionError:
            pass
        assert time.monotonic() - began < SECONDS, said()
        time.sleep(0.3)


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    assert os.geteuid() == 0, "`make hub` needs root: it starts servers as other users"
    with tempfile.TemporaryDirectory(prefix="hub-") as folder:
        made = Hub(Path(folder))
        Path(folder).chmod(0o755)
        made.set_up()
        made.start()
        try:
            yield made
        finally:
            made.stop()


@pytest.fixture(scope="module")
def ana(hub) -> User:
    """The instructor, who has released the assignment by Formgrader's buttons."""
    made = User(hub, "ana")
    names = [each["name"] for each in made.get("formgrader/api/assignments").json()]
    assert ASSIGNMENT in names
    made.form("assign")
    made.form("release")
    return made


@pytest.fixture(scope="module")
def student(hub, ana) -> User:
    """A student who has fetched, solved and handed in."""
    made = User(hub, "student-01")
    made.do("fetch")
    answers = reference_answers(read_notebook(Course(REPOSITORY).reference(ASSIGNMENT)))
    made.answer({**answers, "explain_accuracy": "It moves only when a decision flips."})
    made.do("submit")
    return made


def test_files_are_those_of_the_documentation():
    assert set(files_of_documentation()) == {
        "/etc/jupyter/nbgrader_config.py",
        "/home/ana/.jupyter/nbgrader_config.py",
        "/etc/jupyterhub/jupyterhub_config.py",
        "/etc/profile.d/proctor.sh",
        "/etc/systemd/system/proctor-watch.service",
    }


def test_feedback_comes_by_itself(hub, ana, student):
    took = wait_for(student.pages, lambda: hub.log() + watch_log(hub))
    print(f"feedback after {took:.1f} s")
    [page] = student.pages()
    assert "11 of 11 points so far" in page
    assert "4 points are still being read" in page
    found = hub.type("ana", "sh", "-c", "cd /srv/courses/loss-functions; proctor watch --status")
    assert found.returncode == 0, found
    assert "watched by process" in found.stdout


def watch_log(hub: Hub) -> str:
    path = hub.folder / "home/ana/watch.log"
    return path.read_text() if path.exists() else "the watcher wrote no log"


def test_what_a_person_reads_reaches_the_student(hub, ana, student):
    wait_for(student.pages, hub.log)
    page = ana.get(f"proctor/read/{ASSIGNMENT}")
    assert page.ok
    assert "explain_accuracy" in page.text
    [submission] = ana.get(f"formgrader/api/submissions/{ASSIGNMENT}").json()
    assert submission["student"] == "student-01"
    assert submission["needs_manual_grade"]
    [notebook] = ana.get(f"formgrader/api/submitted_notebooks/{ASSIGNMENT}/{ASSIGNMENT}").json()
    grades = ana.get(f"formgrader/api/grades?submission_id={notebook['id']}").json()
    [written] = [grade for grade in grades if grade["name"] == "explain_accuracy"]
    place = ana.at(f"formgrader/api/grade/{written['id']}")
    assert ana.session.put(place, json={"manual_score": 3, "extra_credit": 0}, timeout=60).ok
    wait_for(lambda: "14 of 15 points" in student.pages()[-1], hub.log)


def test_the_course_is_closed_to_students(hub, ana, student):
    course, exchange = f"/{COURSE}", "/srv/nbgrader/exchange/loss-functions"
    for place in (course, f"{course}/gradebook.db", f"{exchange}/inbound", f"{exchange}/feedback"):
        found = hub.type("student-02", "ls", place)
        assert found.returncode != 0, place
        assert "Permission denied" in found.stderr
    assert hub.type("ana", "ls", course).returncode == 0


def test_another_students_name_is_not_taken(hub, ana, student):
    """student-02 puts a folder there that claims to be student-01's newest attempt."""
    wait_for(student.pages, hub.log)
    script = (
        "cp -r /tmp/forged /srv/nbgrader/exchange/loss-functions/inbound/"
        "'student-01+accuracy+2099-01-01 10:00:00.000000 UTC'"
    )
    made = hub.type("student-02", "sh", "-c", "mkdir -p /tmp/forged; echo x > /tmp/forged/a")
    assert made.returncode == 0, made
    assert hub.type("student-02", "sh", "-c", script).returncode == 0
    ledger = hub.folder / COURSE / f"attempts/{ASSIGNMENT}.jsonl"

    def refused() -> list[dict]:
        lines = map(json.loads, ledger.read_text().splitlines())
        return [line for line in lines if line["what"] == "not taken"]

    wait_for(refused, hub.log)
    assert "it belongs to student-02" in refused()[0]["why"]


def test_a_watcher_that_is_killed_is_started_again(hub, ana, student):
    def watcher() -> psutil.Process | None:
        assert hub.process is not None
        for each in psutil.Process(hub.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if each.cmdline()[1:3] == ["/opt/proctor/bin/proctor", "watch"]:
                    return each
        return None

    wait_for(student.pages, hub.log)
    before = watcher()
    assert before is not None
    before.kill()
    wait_for(lambda: (found := watcher()) is not None and found.pid != before.pid, hub.log)
    student.do("submit")
    wait_for(lambda: len(student.pages()) == 2, lambda: hub.log() + watch_log(hub))
    assert all("Points by exercise" in page for page in student.pages())
