"""What `proctor doctor` says beside the sandbox: how a hub and Formgrader see a course."""

from pathlib import Path

import pytest

from proctor.commands import doctor


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course that lies elsewhere than at home."""
    (tmp_path / "course").mkdir()
    (tmp_path / "course/nbgrader_config.py").write_text("c = get_config()\n")
    (tmp_path / "home/.jupyter").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "course")
    return tmp_path / "course"


def test_a_server_that_is_started_at_home_shows_the_course_it_is_told(course):
    assert str(course) in doctor.notes(course)["Formgrader"]
    settings = Path.home() / ".jupyter/nbgrader_config.py"
    settings.write_text(f"c = get_config()\nc.CourseDirectory.root = {str(course)!r}\n")
    assert "Formgrader" not in doctor.notes(course)


def test_where_there_is_no_course_nothing_is_said_of_formgrader(course):
    assert "Formgrader" not in doctor.notes(course.parent)


def test_a_package_that_the_course_lists_and_this_machine_has_not_is_told(course):
    assert doctor.missing_in(course) == []
    with (course / "nbgrader_config.py").open("a") as config:
        config.write("c.Grading.packages = ['torch']\n")
        config.write("c.Grading.assignments = {'tables': {'packages': ['no-such-package']}}\n")
    assert doctor.missing_in(course) == ["no-such-package is not installed"]
    assert doctor.missing_in(course.parent) == []


def test_a_terminal_that_does_not_find_proctor_is_told_how(course, monkeypatch):
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert "~/.profile" in doctor.notes(course)["PATH"]
    monkeypatch.setenv("PATH", str(course))
    program = course / "proctor"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert "PATH" not in doctor.notes(course)
