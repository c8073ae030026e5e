"""Settings of a course, and of single assignments."""

import contextlib
import functools
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import SESSION_LIMITS, cell
from traitlets.config import Config

from proctor.classroom.workers import MarkingSettings
from proctor.course import CourseError
from proctor.grading.connection import Connection
from proctor.grading.marking import mark, open_candidate
from proctor.grading.missing import installed_version
from proctor.grading.plugin import title_of
from proctor.grading.student import Student
from proctor.sandbox.examination import Examination
from proctor.sandbox.sessions import Sandbox
from proctor.sandbox.unavailable import SandboxUnavailable
from proctor.settings import MEGABYTE, Grading, SessionLimits, load_config


def grading(**settings):
    config = Config()
    config.Grading.call_seconds = 6.0
    config.Grading.assignments = {"training": settings}
    return Grading(config=config)


def test_an_assignment_may_have_settings_of_its_own():
    course = grading(call_seconds=60, submission_seconds=200, memory_mebibytes=4096)
    training, other = course.of("training"), course.of("accuracy")
    assert (training.time_limits().call, other.time_limits().call) == (60, 6)
    assert training.time_limits().submission == 200
    assert training.session_limits().resident_bytes == 4096 * MEGABYTE
    # What the kernel stops must not come before what the settings allow.
    assert training.session_limits().cpu_seconds > 200
    assert other.session_limits().cpu_seconds == 60


def test_the_address_space_grows_with_the_memory():
    limits = grading(process_mebibytes=8192).of("training").session_limits()
    assert limits.address_bytes > limits.data_bytes == 8192 * MEGABYTE


@pytest.mark.parametrize(
    ("settings", "what"),
    [({"call_secs": 1}, "no setting call_secs"), ({"call_seconds": "long"}, "call_seconds")],
)
def test_a_setting_that_there_is_not_is_named(settings, what):
    with pytest.raises(CourseError, match=rf"assignments\['training'\].*{what}"):
        grading(**settings).of("training")


def test_this_courses_modules_are_imported_before_sessions_are_forked(sandbox):
    here = Path(__file__).parent.parent
    with contextlib.chdir(here):
        assert Grading(config=load_config()).session_limits() == SESSION_LIMITS == sandbox.limits
    with Examination(sandbox, ["import sys", "found = 'sklearn.datasets' in sys.modules"]) as one:
        one.run_cells()
        assert Student(Connection(one)).found is True


def test_a_long_training_on_much_data_works_when_it_is_allowed(tiny_course, sandbox):
    """In small: half a second where a fifth is allowed, more bytes than a session has room for.
    The notebook and its graders do without torch, and nothing is loaded ahead for them."""
    cells = [
        cell(
            "setup", "import sys, time\nsize = len(open('data.bin', 'rb').read())", solution=False
        ),
        cell("loaded", "loaded = 'torch._dynamo' in sys.modules", solution=False),
        cell(
            "train",
            """
            def train():
                end = time.process_time() + 0.5
                while time.process_time() < end:
                    pass
                return size
            """,
        ),
        cell("train_check", "assert train", points=1),
    ]
    graders = """
    @grades("train_check", hint="?")
    def test_train(student):
        assert student.train() == 70 << 20
        assert student.loaded is False
    """
    tiny_course.add("training", cells, graders)
    with (tiny_course.root / "release/training/data.bin").open("wb") as data:
        data.truncate(70 << 20)
    mark_it = functools.partial(
        mark, tiny_course.submission(), "training", tiny_course.course, figures=False
    )
    with pytest.raises(CourseError, match=r"room for 1000 files and 64 MiB.*file_mebibytes"):
        mark_it(sandbox=sandbox)
    found = {}
    allowed = grading(file_mebibytes=100, call_seconds=6, preload=[]).of("training")
    roomy = Sandbox(allowed.session_limits())
    for seconds in (0.2, 6.0):
        limits = grading(call_seconds=seconds).of("training").time_limits()
        found[seconds] = mark_it(sandbox=roomy, limits=limits).score
    roomy.close()
    assert found == {0.2: 0, 6.0: 1}


def test_a_module_that_cannot_be_imported_is_told_as_the_courses(monkeypatch):
    unknown = Sandbox(SessionLimits(preloaded=("no_such_package.at_all",)), unsafe=True)
    with pytest.raises(
        SandboxUnavailable, match=r"preload: no_such_package\.at_all cannot"
    ) as told:
        unknown.session()
    assert "remove it from c.Grading.preload" in told.value.remedy


@pytest.mark.parametrize(
    ("packages", "told"),
    [
        (["torch", "Scikit_Learn>=1.5", "scikit-learn; python_version < '3'"], None),
        (["no-such-package", "torch"], "no-such-package is not installed"),
        (["torch<1"], r"torch<1 is asked for, and \d"),
        (["two words"], "'two words' names no package"),
    ],
)
def test_packages_that_the_course_lists_are_here(packages, told, tmp_path):
    listed = grading(packages=packages).of("training")
    if told is None:
        assert MarkingSettings.of(tmp_path, listed).packages == tuple(packages)
        return
    with pytest.raises(CourseError, match=told):
        MarkingSettings.of(tmp_path, listed)


def test_a_package_in_the_users_own_folder_is_not_there(tmp_path, monkeypatch):
    """The sandbox does not show it."""
    (tmp_path / "mine-1.0.dist-info").mkdir()
    (tmp_path / "mine-1.0.dist-info" / "METADATA").write_text("Name: mine\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert installed_version("mine") == "1.0"
    monkeypatch.setattr("site.getusersitepackages", lambda: str(tmp_path))
    assert installed_version("mine") is None


def test_plain_pytest_keeps_the_limits_of_the_course(tiny_course, monkeypatch):
    tiny_course.add("long", [cell("answer", "x = 1"), cell("check", "x", points=1)], "")
    config = tiny_course.root / "nbgrader_config.py"
    config.write_text(
        "c = get_config()\n"
        "c.Grading.call_seconds = 7\n"
        "c.Grading.assignments = {'long': {'cell_seconds': 60}}\n"
    )
    monkeypatch.chdir(tiny_course.root)
    candidate = open_candidate(
        tiny_course.root,
        "long",
        submission=None,
        student=None,
        seed=None,
        accelerator_device="accel",
        unsafe=False,
    )
    with contextlib.closing(candidate.examination) as examination:
        assert (examination.limits.cell, examination.limits.call) == (60, 7)


@pytest.mark.parametrize(
    ("line", "title"), [("The mean.", "The mean"), ("And so on...", "And so on...")]
)
def test_a_title_loses_its_full_stop_and_no_dots(line, title):
    item = SimpleNamespace(obj=SimpleNamespace(__doc__=f"{line}\n\nMore."), name="test_it")
    assert title_of(item) == title
