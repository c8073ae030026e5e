"""Where the page for reading is: on the Jupyter server that shows the course, or on a new one."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

from jupyter_server.serverapp import list_running_servers

from proctor.course import CourseError

EXTENSION = "proctor.classroom.reading"
# So that it answers, too, where the file that announces it was not installed.
ANNOUNCED = f"--ServerApp.jpserver_extensions={{'{EXTENSION}': True}}"


def page(assignment: str, exercise: str | None, grader: str | None) -> str:
    """The page's address, below that of a server."""
    at = f"proctor/read/{assignment}" + (f"/{exercise}" if exercise else "")
    return f"{at}?{urlencode({'as': grader})}" if grader else at


def open_page(root: Path, at: str, *, browser: bool, say: Callable[[str], None]) -> None:
    """Open the page on a server that is there, and print its address; else start JupyterLab in the
    course's folder with it, until Ctrl-C. Raises CourseError where the server has no such page."""
    hub = os.environ.get("JUPYTERHUB_SERVICE_PREFIX")
    if hub:
        say(f"open {hub}{at} on your hub, or Nbgrader > Formgrader > Manual Grading")
        return
    url = running(root, at)
    if url is None:
        start(root, at, browser=browser, say=say)
        return
    say(url)
    if browser:
        webbrowser.open(url)


def running(root: Path, at: str) -> str | None:
    """The page's address on a server that shows the course, with what logs in there."""
    for server in list_running_servers():
        shown = Path(server["root_dir"]).resolve()
        if root.resolve() != shown and shown not in root.resolve().parents:
            continue
        token = server["token"]
        url = f"{server['url']}{at}"
        if token:
            url += ("&" if "?" in at else "?") + urlencode({"token": token})
        demand_page(url, server["url"])
        return url
    return None


def demand_page(url: str, server: str) -> None:
    try:
        with urllib.request.urlopen(url, timeout=30):
            return
    except urllib.error.HTTPError as error:
        said = error.read().decode(errors="replace")
        if error.code == 404 and "cannot be read here" not in said:
            raise CourseError(
                f"JupyterLab at {server} was started without the page for reading. Stop it and run "
                f"this command again, which starts it with the page; for good: "
                f"`jupyter server extension enable --sys-prefix {EXTENSION}`."
            ) from None
        if "cannot be read here" in said:
            raise CourseError(
                f"JupyterLab at {server} shows another course: open {server}, or stop it and run "
                "this command again."
            ) from None
    except OSError as error:
        raise CourseError(f"JupyterLab at {server} does not answer ({error})") from None


def start(root: Path, at: str, *, browser: bool, say: Callable[[str], None]) -> None:
    """JupyterLab in the course's folder, opened at the page."""
    command = [
        *(sys.executable, "-m", "jupyterlab"),
        f"--ServerApp.root_dir={root}",
        f"--LabApp.default_url=/{at}",
        ANNOUNCED,
        *([] if browser else ["--no-browser"]),
        *(["--allow-root"] if os.geteuid() == 0 else []),
    ]
    say("no JupyterLab shows this course: starting one (Ctrl-C stops it)")
    try:
        subprocess.run(command, cwd=root, check=False)
    except KeyboardInterrupt:
        say("\nstopped")
