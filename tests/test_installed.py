"""The package, installed as a wheel and not from this folder, from nothing to a report."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with what `pip install .` puts into an environment; it has no part of ours else."""
    folder = tmp_path_factory.mktemp("installed")
    built = folder / "built"
    shutil.copytree(
        ROOT / "proctor", built / "proctor", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("pyproject.toml", "LICENSE"):
        shutil.copy(ROOT / name, built)
    offline = ("--quiet", "--no-deps", "--no-index", "--disable-pip-version-check")
    pip = [sys.executable, "-m", "pip"]
    subprocess.run(
        [*pip, "wheel", *offline, "--no-build-isolation", "--wheel-dir", folder, built], check=True
    )
    [wheel] = folder.glob("*.whl")
    subprocess.run([*pip, "install", *offline, "--target", folder / "site", wheel], check=True)
    shutil.rmtree(built)
    return folder / "site"


def test_a_new_course_releases_grades_and_reports_at_once(installed, tmp_path, empty_gradebook):
    environment = {**os.environ, "PYTHONPATH": str(installed), "HOME": str(tmp_path)}

    def proctor(*words, folder, code=0):
        command = [sys.executable, installed / "bin" / "proctor", *words]
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    where = [sys.executable, "-c", "import proctor; print(proctor.__file__)"]
    found = subprocess.run(where, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert found.stdout.startswith(str(installed))
    proctor("new", "course", folder=tmp_path)
    course = tmp_path / "course"
    shutil.copy(empty_gradebook, course / "gradebook.db")
    proctor("release", "mean_square", "-j", "1", folder=course)
    handed_in = course / "submitted/student-01/mean_square/mean_square.ipynb"
    handed_in.parent.mkdir(parents=True)
    shutil.copy(course / "source/mean_square/mean_square.ipynb", handed_in)
    proctor("grade", "mean_square", "-j", "1", folder=course)
    assert "3 of 3" in proctor("explain", "mean_square", "student-01", folder=course)
    proctor("report", "mean_square", folder=course)
    assert "student-01" in (course / "reports" / "mean_square.html").read_text()
