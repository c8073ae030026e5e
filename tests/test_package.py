"""The package for a course page: what is in it, that it needs nothing of ours, and refusals."""

import io
import zipfile
from pathlib import Path

import nbformat
import pytest
from conftest import cell
from nbformat import v4
from packaging.requirements import Requirement

from proctor import cli
from proctor.course import Course, CourseError
from proctor.platforms.package import imported_modules, package

COURSE = Course(Path(__file__).parent.parent)
CELLS = [
    v4.new_markdown_cell("# Doubling\n\nTwice as much.", id="title"),
    v4.new_code_cell("%matplotlib inline\nimport math, torch\nfrom numpy import pi", id="setup"),
    cell(
        "double", "def double(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION"
    ),
    cell("double_values", "assert double(2) == 4", points=3),
    cell("explain", "The rubric.", points=4, kind="markdown", solution=True),
]
STUBS = {"double": "# YOUR CODE HERE", "explain": "YOUR ANSWER HERE"}


@pytest.fixture
def course(tiny_course):
    tiny_course.add("tiny", CELLS, "", stubs=STUBS)
    (tiny_course.root / "constraints.txt").write_text("numpy==2.4.6\nsix==1.17.0\ntorch==2.13.0\n")
    return tiny_course


def contents(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize("assignment", COURSE.assignments())
def test_package_of_each_assignment_needs_nothing_but_its_requirements(assignment):
    files = contents(package(COURSE, assignment))
    notebook = files[f"{assignment}/{assignment}.ipynb"]
    assert notebook == COURSE.release(assignment).read_bytes()
    requirements = files[f"{assignment}/requirements.txt"].decode().splitlines()
    named = {Requirement(line).name for line in requirements}
    modules = imported_modules(nbformat.reads(notebook.decode(), as_version=4))
    assert named == {"jupyterlab", *(m.replace("sklearn", "scikit-learn") for m in modules)}
    assert not {"proctor", "nbgrader", "pytest"} & named
    constraints = (COURSE.root / "constraints.txt").read_text().splitlines()
    assert set(requirements) - {"jupyterlab"} <= set(constraints)


def test_package_has_the_notebook_its_data_requirements_and_a_readme(course):
    release = course.root / "release/tiny"
    (release / "data").mkdir()
    (release / "data/points.csv").write_text("1,2\n")
    (release / ".ipynb_checkpoints").mkdir()
    (release / ".ipynb_checkpoints/tiny-checkpoint.ipynb").write_text("{}")
    files = contents(package(course.course, "tiny"))
    assert sorted(files) == [
        "tiny/README.md",
        "tiny/data/points.csv",
        "tiny/requirements.txt",
        "tiny/tiny.ipynb",
    ]
    assert files["tiny/data/points.csv"] == b"1,2\n"
    assert "torch==2.13.0. In this folder" in files["tiny/README.md"].decode()
    assert files["tiny/requirements.txt"] == b"jupyterlab\nnumpy==2.4.6\ntorch==2.13.0\n"
    readme = files["tiny/README.md"].decode()
    assert readme.startswith("# Doubling\n")
    assert "Hand in `tiny.ipynb`" in readme


def test_what_the_course_lists_is_in_the_requirements_and_its_own_modules_are_not(course):
    for folder in ("source", "release"):
        path = course.root / folder / "tiny" / "tiny.ipynb"
        notebook = nbformat.read(path, as_version=4)
        notebook.cells[1].source += "\nimport helpers, parts.more"
        nbformat.write(notebook, path)
        (path.parent / "parts").mkdir()
        for name in ("helpers.py", "parts/more.py"):
            (path.parent / name).write_text("")
    files = contents(package(course.course, "tiny", ["pandas>=2", "Torch", "six"]))
    listed = files["tiny/requirements.txt"].decode().split()
    assert listed == ["jupyterlab", "numpy==2.4.6", "pandas>=2", "six==1.17.0", "torch==2.13.0"]


def test_same_release_gives_the_same_bytes(course):
    first = package(course.course, "tiny")
    path = course.root / "release/tiny/tiny.ipynb"
    path.write_bytes(path.read_bytes())  # with another date
    path.chmod(0o600)
    assert package(course.course, "tiny") == first


def test_missing_release_is_refused_with_its_remedy(course):
    (course.root / "release/tiny/tiny.ipynb").unlink()
    with pytest.raises(CourseError, match="nbgrader generate_assignment tiny"):
        package(course.course, "tiny")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda cells: cells[1].update(source="import torch"), "cell setup reads otherwise"),
        (
            lambda cells: cells[3].metadata.nbgrader.update(points=2),
            "cell double_values has other points",
        ),
        (lambda cells: cells.pop(0), "cell title is not in the release"),
    ],
)
def test_stale_release_is_refused(course, change, reason):
    path = course.root / "release/tiny/tiny.ipynb"
    notebook = nbformat.read(path, as_version=4)
    change(notebook.cells)
    nbformat.write(notebook, path)
    with pytest.raises(CourseError, match=f"release/tiny is older than source/tiny: {reason}"):
        package(course.course, "tiny")


@pytest.mark.parametrize("module", ["proctor.text", "no_such_module"])
def test_import_that_students_do_not_have_is_refused(course, module):
    course.add("tiny", [*CELLS, v4.new_code_cell(f"import {module}", id="more")], "", stubs=STUBS)
    with pytest.raises(CourseError, match=f"imports {module.partition('.')[0]}"):
        package(course.course, "tiny")


def test_link_and_name_that_is_taken_are_refused(course):
    (course.root / "release/tiny/README.md").write_text("mine")
    with pytest.raises(CourseError, match=r"README\.md is in the way"):
        package(course.course, "tiny")
    (course.root / "release/tiny/README.md").unlink()
    (course.root / "release/tiny/data.csv").symlink_to(course.root / "nbgrader_config.py")
    with pytest.raises(CourseError, match="is a link"):
        package(course.course, "tiny")


def test_command_writes_the_file_and_says_where(course, monkeypatch, capsys):
    monkeypatch.chdir(course.root)
    assert cli.main(["package", "tiny"]) == 0
    written = course.root / "packages/tiny.zip"
    assert str(written) in capsys.readouterr().out
    assert written.read_bytes() == package(course.course, "tiny")
    assert cli.main(["package", "tiny", "--to", "here.zip"]) == 0
    assert (course.root / "here.zip").read_bytes() == written.read_bytes()
    assert cli.main(["package", "other"]) == 2
    assert "there is no assignment other here" in capsys.readouterr().err
