"""`proctor lab`: an instructor's and a student's JupyterLab on one machine, and an exchange.

To see a course as both see it, without JupyterHub and without a second user. Each server has a home
and nbgrader settings of its own; the instructor's shows the course folder, the student's an empty
one. Neither is protected from the other: it is one user's machine.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from proctor.classroom.exchange import demand_exchange
from proctor.classroom.reading.opening import ANNOUNCED
from proctor.course import NAME, CourseError

START_SECONDS = 120.0
STOP_SECONDS = 20.0
STATE = ".lab"
NO_PORT = "no available port could be found"
# Variables that would lead a server to the user's own settings and folders.
FOREIGN_VARIABLES = ("JUPYTER", "NBGRADER", "XDG_", "IPYTHON")
QUIET = {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True}
INSTRUCTOR_CONFIG = """\
# Added to the nbgrader_config.py of the course.
c = get_config()
c.Exchange.root = {exchange!r}
c.ExchangeCollect.check_owner = False  # instructor and students are one user here
"""
STUDENT_CONFIG = """\
c = get_config()
c.Exchange.root = {exchange!r}
c.CourseDirectory.student_id = {student!r}  # without this line it is the user's name
"""


@dataclass
class Server:
    """One person's JupyterLab: `home` holds the settings, `folder` is what it shows."""

    name: str
    home: Path
    folder: Path
    config: str
    port: int  # the next free one from here on
    path: str = field(default_factory=lambda: os.environ.get("PATH", os.defpath))
    process: subprocess.Popen | None = None

    @property
    def log(self) -> Path:
        return self.home / "server.log"

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        settings = self.home / ".jupyter"
        notifications = "lab/user-settings/@jupyterlab/apputils-extension"
        write(settings / "nbgrader_config.py", self.config)
        write(settings / notifications / "notification.jupyterlab-settings", json.dumps(QUIET))
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jupyterlab", *self.options()],
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for `proctor lab`, which then stops it
            )

    def options(self) -> list[str]:
        options = [
            "--no-browser",
            "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.port={self.port}",
            f"--ServerApp.root_dir={self.folder}",
            "--LabApp.extension_manager=readonly",
            ANNOUNCED,
            "--LanguageServerManager.autodetect=False",  # it would start npm
        ]
        return [*options, "--allow-root"] if os.geteuid() == 0 else options

    def environment(self) -> dict[str, str]:
        own = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(FOREIGN_VARIABLES)
        }
        programs = str(Path(sys.executable).parent)
        return {**own, "HOME": str(self.home), "PATH": os.pathsep.join([programs, self.path])}

    def url(self, page: str = "lab") -> str:
        """The address of a page, once the server is there. Raises CourseError if it is not."""
        process = self.process.pid if self.process is not None else "none"
        address = self.home / f".local/share/jupyter/runtime/jpserver-{process}.json"
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.is_running():
            if address.exists() and (text := address.read_text()):
                found = json.loads(text)
                if answers(found["url"], found["token"]):
                    return f"{found['url']}{page}?token={found['token']}"
            time.sleep(0.1)
        raise CourseError(f"the server of {self.name} did not start: {self.last_words()}")

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def last_words(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return f"{lines[-1] if lines else 'it said nothing'} ({self.log})"

    def stop(self) -> None:
        """End the server; it ends its kernels itself, unless it hangs."""
        if self.process is None or not self.is_running():
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


class Lab:
    """An instructor's server on a course, a student's, and the exchange between them."""

    def __init__(
        self,
        course: Path,
        *,
        state: Path | None = None,
        exchange: Path | None = None,
        student: str = "student-01",
    ):
        if not NAME.fullmatch(student):
            raise CourseError(
                f"{student!r} cannot be a student's id: letters, digits, '.', '_' and '-' only"
            )
        self.state = (state or course / STATE).resolve()
        self.exchange = demand_exchange(exchange) if exchange else self.state / "exchange"
        self.instructor = Server(
            "instructor",
            home=self.state / "instructor",
            folder=course.resolve(),
            config=INSTRUCTOR_CONFIG.format(exchange=str(self.exchange)),
            port=8888,
        )
        self.student = Server(
            student,
            home=self.state / "students" / student,
            folder=self.state / "students" / student / "work",
            config=STUDENT_CONFIG.format(exchange=str(self.exchange), student=student),
            port=8889,
        )

    @property
    def servers(self) -> tuple[Server, Server]:
        return self.instructor, self.student

    def __enter__(self) -> Lab:
        if not self.exchange.exists():
            self.exchange.mkdir(parents=True)
            self.exchange.chmod(0o777)  # as nbgrader wants it
        try:
            for server in self.servers:
                server.start()
            for server in self.servers:
                self._wait_for(server)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        for server in self.servers:
            server.stop()

    def _wait_for(self, server: Server) -> None:
        try:
            server.url()
        except CourseError:
            # Somebody else took the port between its choice and its use: it is to choose anew.
            if NO_PORT not in server.last_words():
                raise
            server.start()
            server.url()

    def wait(self) -> None:
        """Until Ctrl-C, or until a server ends by itself: then raises CourseError."""
        while True:
            for server in self.servers:
                if not server.is_running():
                    raise CourseError(f"the server of {server.name} ended: {server.last_words()}")
            time.sleep(0.5)


def answers(url: str, token: str) -> bool:
    """Whether the server with this token is there: another may have taken its port."""
    try:
        with urllib.request.urlopen(f"{url}api/status?token={token}", timeout=5):
            return True
    except OSError:
        return False


def run(course: Path, exchange: Path | None, student: str) -> None:
    """Start both servers, print their addresses and stop them when told to."""
    # `kill` is to stop them as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with Lab(course, exchange=exchange, student=student) as lab:
            print(
                f"instructor  {lab.instructor.url()}\n"
                "            menu Nbgrader > Formgrader\n"
                f"{student:<10}  {lab.student.url()}\n"
                "            menu Nbgrader > Assignment List\n"
                f"What they keep is in {lab.state}. Ctrl-C stops both.",
                flush=True,
            )
            lab.wait()
    except KeyboardInterrupt:
        print("\nboth stopped")


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
