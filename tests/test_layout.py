"""The house itself: which way imports run, how long files are, how soon help comes."""

import importlib.metadata
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROGRAMS = Path(sys.executable).parent
MOST_LINES = 400
HEAVY = ("torch", "nbgrader", "nbformat", "matplotlib", "IPython", "traitlets", "sqlalchemy")


def lint_imports(root):
    return subprocess.run(
        [PROGRAMS / "lint-imports", "--no-cache", "--config", root / "pyproject.toml"],
        cwd=root,
        env={"PYTHONPATH": str(root), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("wire/frames.py", "from proctor.inside import names"),
        ("inside/changes.py", "from proctor.grading import marks"),
        ("inside/changes.py", "from proctor.settings import TimeLimits"),
        ("sandbox/sessions.py", "from proctor.inside import isolation"),
        ("grading/marks.py", "def late():\n    from proctor.classroom import workers"),
        ("pages/formulas.py", "from proctor.platforms import names"),
    ],
)
def test_an_import_against_the_direction_is_refused(tmp_path, file, line):
    shutil.copytree(ROOT / "proctor", tmp_path / "proctor")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "proctor" / file).open("a") as source:
        source.write(f"\n\n{line}\n")
    found = lint_imports(tmp_path)
    assert found.returncode == 1, found.stdout + found.stderr
    assert "BROKEN" in found.stdout


def test_types_fit():
    done = subprocess.run(
        [PROGRAMS / "mypy"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_file_of_the_engine_is_too_long_to_read():
    lengths = {
        path.relative_to(ROOT): len(path.read_text().splitlines())
        for path in (ROOT / "proctor").rglob("*.py")
    }
    assert {path: lines for path, lines in lengths.items() if lines > MOST_LINES} == {}


def test_no_parser_of_addresses_is_built():
    """It would take longer than all else that a command imports. The package is there."""
    assert importlib.metadata.version("lark")
    assert "jsonschema" in sys.modules
    assert "lark" not in sys.modules


@pytest.mark.parametrize("arguments", [["--help"], ["check", "--help"], ["--version"]])
def test_help_imports_nothing_that_takes_time(arguments):
    source = (
        "import sys\nfrom proctor.cli import main\n"
        f"try:\n    main({arguments!r})\nexcept SystemExit:\n    pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert found.stderr.strip() == "[]"
    assert found.stdout
    # Some five times what it takes: a slow machine is no fault of ours.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.9
