"""What the tests of the engine share: one sandbox, and tiny courses made on the spot."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import nbformat
import pytest
import typed  # noqa: F401 - gradebooks are made sooner
from nbformat import v4
from nbgrader.api import Gradebook

from proctor.course import Course
from proctor.grading import seeds
from proctor.sandbox.examination import Examination
from proctor.sandbox.sessions import shared_sandbox
from proctor.settings import SessionLimits, TimeLimits

# A file belongs to one worker of several: these come first, or the last of them would keep one at
# work when the others have done theirs.
LONG = (
    *("browser", "answers", "course", "hostile", "watch", "faults", "reading_page", "docs", "ask"),
    *("sandbox", "group", "cluster", "workers", "examination", "classroom", "installed"),
)

# A shell that starts the tests in its background has them ignore Ctrl-C, and so all they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Short enough for tests that wait for them, long enough for a busy machine.
LIMITS = TimeLimits(cell=0.8, call=0.8, repeated_call=0.3, submission=30.0, questions=10.0)


# What this course's nbgrader_config.py says.
SESSION_LIMITS = SessionLimits(preloaded=("torch._dynamo", "sklearn.datasets"))


def pytest_collection_modifyitems(items):
    def place(item):
        name = item.path.stem.removeprefix("test_")
        return LONG.index(name) if name in LONG else len(LONG)

    items.sort(key=place)


@pytest.fixture(scope="session", autouse=True)
def _the_same_inputs_each_time():
    """Random inputs come from a secret that each clone of this course makes by chance. Tests have
    one and the same, but for those that try every answer: nobody knows what these will draw."""
    secret, root = seeds.course_secret, Path(__file__).resolve().parents[1]

    def known(folder):
        return b"known to all" if folder.resolve() == root else secret(folder)

    with pytest.MonkeyPatch.context() as patch:
        if not os.environ.get("EVERY_ANSWER"):
            patch.setattr(seeds, "course_secret", known)
        yield


@pytest.fixture(scope="session")
def sandbox():
    """The sandbox of this process; graders under plain pytest use the same one."""
    return shared_sandbox(SESSION_LIMITS)


@pytest.fixture
def examine(sandbox):
    """`examine("x = 1", ...)` gives an Examination whose cells have been run."""
    opened = []

    def run(*cells, limits=LIMITS, figures=True):
        sources = [textwrap.dedent(cell) for cell in cells]
        examination = Examination(sandbox, sources, limits=limits, figures=figures)
        opened.append(examination)
        examination.run_cells()
        return examination

    yield run
    for examination in opened:
        examination.close()


def cell(grade_id, source, *, points=None, kind="code", solution=None):
    """One cell of a tiny course: with points it is graded, with `solution=True` an answer."""
    solution = points is None if solution is None else solution
    labels = {
        "grade_id": grade_id,
        "grade": points is not None,
        "solution": solution,
        "locked": not solution,
        "task": False,
        "schema_version": 3,
    }
    if points is not None:
        labels["points"] = points
    new = v4.new_code_cell if kind == "code" else v4.new_markdown_cell
    return new(textwrap.dedent(source).strip(), id=grade_id, metadata={"nbgrader": labels})


class TinyCourse:
    """A course in a folder of its own, with notebooks written by a test."""

    def __init__(self, root: Path):
        self.root = root
        self.course = Course(root)
        root.mkdir(exist_ok=True)
        (root / "nbgrader_config.py").write_text("c = get_config()\n")

    def add(self, assignment, cells, graders, *, stubs=None):
        """Write an assignment; `stubs` are what the release shows in place of solutions."""
        stubs = stubs or {}
        released = [
            nbformat.from_dict({**one, "source": stubs.get(one["id"], one["source"])})
            for one in cells
        ]
        self._write(f"source/{assignment}/{assignment}.ipynb", cells)
        self._write(f"release/{assignment}/{assignment}.ipynb", released)
        folder = self.root / "tests" / "graders" / assignment
        folder.mkdir(parents=True, exist_ok=True)
        text = "import torch\nfrom proctor.authoring import grades\n\n" + textwrap.dedent(graders)
        (folder / f"test_{assignment}.py").write_text(text)
        self.cells = cells
        return self

    def submission(self, **answers) -> bytes:
        """The reference with other answers, as the file a student hands in."""
        cells = [
            nbformat.from_dict(
                {**one, "source": textwrap.dedent(answers.pop(one["id"], one["source"])).strip()}
            )
            for one in self.cells
        ]
        assert not answers, f"no cell {answers}"
        return nbformat.writes(v4.new_notebook(cells=cells)).encode()

    def _write(self, place, cells):
        path = self.root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(v4.new_notebook(cells=list(cells)), path)


@pytest.fixture
def tiny_course(tmp_path):
    """An empty course, to be filled with `add`."""
    return TinyCourse(tmp_path / "course")


@pytest.fixture(scope="session")
def empty_gradebook(tmp_path_factory):
    """A gradebook to copy."""
    path = tmp_path_factory.mktemp("gradebook") / "gradebook.db"
    Gradebook(f"sqlite:///{path}").close()
    return path


@contextlib.contextmanager
def busy_neighbours(number, core=None):
    """So many processes that do nothing but compute, on one core if it is named."""
    pin = "" if core is None else f"import os\nos.sched_setaffinity(0, {{{core}}})\n"
    spin = [sys.executable, "-c", f"{pin}while True: pass"]
    found = [subprocess.Popen(spin) for _ in range(number)]
    try:
        time.sleep(0.5)
        yield
    finally:
        for one in found:
            one.kill()
            one.wait()
