"""Commands as people type them, run in this process: a process of their own would take seconds to
import what is here already, and would start a sandbox of its own. Some tests type them in earnest.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import nbgrader.api
from alembic.script import ScriptDirectory
from jupyter_core.application import NoStart
from nbgrader.apps.nbgraderapp import NbGraderApp

from proctor import cli
from proctor.classroom.preprocessors import MarkInSandbox
from proctor.classroom.stopping import SIGNALS

CREATE_ENGINE = nbgrader.api.create_engine


@functools.cache
def newest_version() -> str:
    """What `alembic heads` says of gradebooks. nbgrader starts that program for each that it
    makes, which takes seconds."""
    migrations = Path(nbgrader.api.__file__).with_name("alembic")
    return ScriptDirectory(str(migrations)).get_current_head()


nbgrader.api.get_alembic_version = newest_version


def typed(program: str, arguments: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """What `proctor` or `nbgrader` with these arguments does in this folder, and says."""
    run = {"proctor": cli.main, "nbgrader": nbgrader_main}[program]
    written, told = io.StringIO(), io.StringIO()
    with (
        as_in_a_new_process(),
        contextlib.chdir(folder),
        contextlib.redirect_stdout(written),
        contextlib.redirect_stderr(told),
    ):
        code = exit_code(run, list(arguments))
    command = [program, *arguments]
    return subprocess.CompletedProcess(command, code, written.getvalue(), told.getvalue())


def exit_code(run: Callable[[list[str]], int | None], arguments: list[str]) -> int:
    try:
        return run(arguments) or 0
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code)
            return 1
        return end.code or 0
    except Exception:  # noqa: BLE001 - as Python itself ends a process
        traceback.print_exc()
        return 1


def nbgrader_main(arguments: list[str]) -> None:
    """Its applications are singletons: each command has its own."""
    app = NbGraderApp.instance()
    try:
        with contextlib.suppress(NoStart):  # a subcommand has run
            app.initialize(arguments)
            app.start()
    finally:
        app.reset()


@contextlib.contextmanager
def as_in_a_new_process() -> Iterator[None]:
    """Nothing that another command has left is seen, and nothing is left."""
    environment, path = dict(os.environ), list(sys.path)
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    before = nbgrader.api.create_engine
    nbgrader.api.create_engine = CREATE_ENGINE
    try:
        yield
    finally:
        nbgrader.api.create_engine = before
        MarkInSandbox.ready.clear()
        MarkInSandbox.stored.clear()
        for number, handler in handlers.items():
            signal.signal(number, handler)
        sys.path[:] = path
        os.environ.clear()
        os.environ.update(environment)


def serve() -> None:
    """Run as a program: commands one a line, as JSON, and what each does and says as another line.
    So a test has another user type several of them."""
    commands, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    # What processes of a command read and write does not get in between.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    for line in commands:
        program, *arguments = json.loads(line)
        done = typed(program, arguments, Path.cwd())
        print(json.dumps([done.returncode, done.stdout + done.stderr]), file=answers, flush=True)


if __name__ == "__main__":
    serve()
