"""nbgrader's own commands in a small course: what they write, store and show."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from matplotlib.image import imread
from nbconvert.exporters import HTMLExporter
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from nbgrader.api import Gradebook
from traitlets.config import PyFileConfigLoader
from typed import typed

from proctor.classroom.reading.gradings import Saving
from proctor.classroom.reading.room import Room
from proctor.course import Course
from proctor.pages.formgrader import FeedbackExporter

REPOSITORY = Path(__file__).parent.parent
RIGHT = "def double(x):\n    return 2 * x"
SECRETS = ("heron", "kingfisher", "REFERENCE_SOLUTION")

GRADERS = '''
"""heron"""
import torch

from proctor.authoring import grades


@grades("double_values", hint="Try a few numbers by hand.")
def test_positive_numbers(student):
    """Positive numbers are doubled"""
    kingfisher = torch.tensor([1.0, 2.5])
    assert torch.equal(student.double(kingfisher), 2 * kingfisher), "heron"


@grades("double_values", hint="What is twice minus three?")
def test_negative_numbers(student):
    """Negative numbers are doubled"""
    kingfisher = torch.tensor([-3.0])
    assert torch.equal(student.double(kingfisher), 2 * kingfisher), "heron"


@grades("double_shape", hint="How many numbers go in, how many come out?")
def test_shape_is_kept(student):
    """The shape stays the same"""
    assert student.double(torch.zeros(2, 3)).shape == (2, 3), "heron"
'''


def labels(grade_id: str, **changes) -> dict:
    """nbgrader's metadata of a cell."""
    plain = {"grade": False, "solution": False, "locked": False, "task": False}
    return {"nbgrader": {**plain, "schema_version": 3, "grade_id": grade_id, **changes}}


def source_notebook() -> nbformat.NotebookNode:
    graded = {"grade": True, "locked": True}
    return new_notebook(
        cells=[
            new_markdown_cell("# Doubling", id="title"),
            new_code_cell("import torch", id="setup", metadata=labels("setup", locked=True)),
            new_code_cell(
                "def double(x):\n    ### BEGIN SOLUTION\n    REFERENCE_SOLUTION = 2 * x\n"
                "    return REFERENCE_SOLUTION\n    ### END SOLUTION",
                id="double",
                metadata=labels("double", solution=True),
            ),
            new_code_cell(
                "assert double(1) == 2\n### BEGIN HIDDEN TESTS\nheron = 1\n### END HIDDEN TESTS",
                id="double_values",
                metadata=labels("double_values", points=2, **graded),
            ),
            new_code_cell(
                "assert double(torch.ones(3)).shape == (3,)",
                id="double_shape",
                metadata=labels("double_shape", points=1, **graded),
            ),
            new_markdown_cell(
                "REFERENCE_SOLUTION",
                id="explain",
                metadata=labels("explain", grade=True, solution=True, points=3),
            ),
        ],
        metadata={
            "kernelspec": {"name": "python3", "display_name": "Python", "language": "python"}
        },
    )


class SmallCourse:
    """A course folder, and nbgrader in it."""

    def __init__(self, root: Path):
        self.root = root
        self.write("source/tiny/tiny.ipynb", nbformat.writes(source_notebook()))
        self.write("tests/graders/tiny/test_double.py", GRADERS)
        config = (REPOSITORY / "nbgrader_config.py").read_text()
        late = "\nc.LateSubmissionPlugin.penalty_method = 'zero'\n"
        self.write("nbgrader_config.py", config + late)

    def write(self, place: str, text: str) -> Path:
        path = self.root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def nbgrader(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return typed("nbgrader", arguments, self.root)

    def nbgrader_in_earnest(
        self, *arguments: str, path: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """As a user calls it: no PYTHONPATH, and the environment is not activated."""
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("PYTHON")
        }
        environment["PATH"] = path + "/usr/local/bin:/usr/bin:/bin"
        return subprocess.run(
            [Path(sys.executable).parent / "nbgrader", *arguments],
            cwd=self.root,
            env=environment,
            text=True,
            capture_output=True,
            timeout=300,
            check=False,
        )

    def released(self) -> nbformat.NotebookNode:
        return nbformat.read(self.root / "release/tiny/tiny.ipynb", as_version=4)

    def submit(self, student: str, answers: dict[str, str], name: str = "tiny.ipynb") -> Path:
        """Hand in the release with these answers, by grade id."""
        notebook = self.released()
        for cell in notebook.cells:
            cell.source = answers.get(cell.id, cell.source)
        return self.write(f"submitted/{student}/tiny/{name}", nbformat.writes(notebook))

    def gradebook(self) -> Gradebook:
        return Gradebook(f"sqlite:///{self.root / 'gradebook.db'}")

    def scores(self, student: str) -> dict[str, tuple[float | None, bool]]:
        """Automatic score, and whether a person is waited for, of every cell."""
        with self.gradebook() as gradebook:
            submission = gradebook.find_submission("tiny", student)
            return {
                grade.name: (grade.auto_score, grade.needs_manual_grade)
                for notebook in submission.notebooks
                for grade in notebook.grades
            }

    def autograded(self, student: str) -> nbformat.NotebookNode:
        return nbformat.read(self.root / f"autograded/{student}/tiny/tiny.ipynb", as_version=4)

    def cell(self, student: str, grade_id: str) -> nbformat.NotebookNode:
        cells = self.autograded(student).cells
        return next(c for c in cells if c.metadata.get("nbgrader", {}).get("grade_id") == grade_id)

    def feedback(self, student: str) -> str:
        return (self.root / f"feedback/{student}/tiny/tiny.html").read_text()

    def record(self, student: str) -> dict:
        return json.loads((self.root / f"records/{student}/tiny.json").read_text())


HOSTILE_TEXT = """Because 2 is twice 1: $a<b$ and

> a quotation

<script>alert("pwned")</script><img src=x onerror=alert(1)> [click](javascript:alert(1))
![lost](attachment:picture.png) <h1 id="explain" class="modal">big</h1>
"""
FIGURE = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\n"
HOSTILE_CELL = """
from IPython.display import HTML, Javascript, display
display(HTML("<script>alert(2)</script><table><tr><td onclick='alert(3)'>seen</td></tr></table>"))
display(Javascript("alert(4)"))
"""


@pytest.fixture(scope="module")
def course(tmp_path_factory) -> SmallCourse:
    """A course in which one autograde has met every kind of submission."""
    course = SmallCourse(tmp_path_factory.mktemp("course"))
    made = course.nbgrader_in_earnest("generate_assignment", "tiny")
    assert made.returncode == 0, made.stderr
    submit_all(course)
    with course.gradebook() as gradebook:
        gradebook.update_or_create_assignment("tiny", duedate="2030-01-01 12:00:00 UTC")
    graded = course.nbgrader("autograde", "tiny")
    assert graded.returncode == 0, graded.stderr
    shown = course.nbgrader("generate_feedback", "tiny")
    assert shown.returncode == 0, shown.stderr
    return course


def submit_all(course: SmallCourse) -> None:
    warns = "import sys, warnings\nwarnings.warn('careful')\nprint('loud', file=sys.stderr)\n"
    course.submit("right", {"double": warns + RIGHT, "explain": "Twice is two times."})
    course.submit("half", {"double": "def double(x):\n    return 2 * x.abs()"})
    course.submit("untouched", {})
    course.submit("drawn", {"double": FIGURE + RIGHT})
    course.submit("hostile", {"double": HOSTILE_CELL + RIGHT, "explain": HOSTILE_TEXT})
    course.submit("renamed", {"double": RIGHT}, name="tiny (1).ipynb")
    course.submit("late", {"double": RIGHT})
    course.write("submitted/late/tiny/timestamp.txt", "2030-01-03 12:00:00 UTC")
    course.submit("timeless", {"double": RIGHT})
    (course.root / "submitted/timeless/tiny/timestamp.txt").symlink_to("/dev/zero")
    course.write("submitted/broken/tiny/tiny.ipynb", '{"cells": [')
    course.submit("two", {"double": RIGHT}, name="first.ipynb")
    course.submit("two", {"double": RIGHT}, name="second.ipynb")
    folder = course.submit("linked", {}).parent
    (folder / "tiny.ipynb").unlink()
    (folder / "tiny.ipynb").symlink_to(course.root / "source/tiny/tiny.ipynb")
    folder = course.submit("pipe", {}).parent
    (folder / "tiny.ipynb").unlink()
    os.mkfifo(folder / "tiny.ipynb")
    folder = course.submit("baggage", {"double": RIGHT}).parent
    (folder / "data.txt").symlink_to(course.root / "source/tiny/tiny.ipynb")
    os.mkfifo(folder / "pipe.txt")
    (folder / "notes.txt").write_text("my notes")
    with (folder / "huge.bin").open("wb") as huge:
        huge.truncate(10 << 30)
    forge(course)


def forge(course: SmallCourse) -> None:
    """A wrong answer with everything about the marks rewritten."""
    notebook = course.released()
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade"):
            cell.metadata.nbgrader.points = 500
        if cell.cell_type == "code":
            cell.source = "def double(x):\n    return x"
            cell.metadata.tags = ["skip-execution"]
            cell.outputs = [
                nbformat.v4.new_output("execute_result", {"text/plain": "500"}, execution_count=1)
            ]
    course.write("submitted/forger/tiny/tiny.ipynb", nbformat.writes(notebook))


def test_release_names_the_exercise_and_hides_the_solution(course):
    cells = {cell.id: cell.source for cell in course.released().cells}
    assert 'NotImplementedError("exercise double is not solved yet")' in cells["double"]
    assert not any("REFERENCE_SOLUTION" in source for source in cells.values())


def test_right_answer_keeps_its_marks_whatever_it_prints(course):
    scores = course.scores("right")
    assert scores["double_values"] == (2, False)
    assert scores["double_shape"] == (1, False)
    outputs = course.cell("right", "double").outputs
    assert any("careful" in output.get("text", "") for output in outputs)


def test_partial_credit_reaches_the_gradebook(course):
    assert course.scores("half")["double_values"] == (1, False)
    assert course.scores("half")["double_shape"] == (1, False)


def test_written_answers_wait_for_a_person_unless_untouched(course):
    assert course.scores("right")["explain"] == (None, True)
    assert course.scores("untouched")["explain"] == (0, False)


def test_unanswered_exercise_gets_nothing(course):
    assert course.scores("untouched")["double_values"] == (0, False)
    assert course.scores("untouched")["double_shape"] == (0, False)


def test_rewriting_the_marks_changes_nothing(course):
    assert course.scores("forger")["double_values"] == (0, False)
    with course.gradebook() as gradebook:
        assert gradebook.find_submission("tiny", "forger").max_score == 6
    assert any("500" in incident for incident in course.record("forger")["incidents"])


def test_renamed_notebook_is_graded(course):
    assert course.scores("renamed")["double_values"] == (2, False)


@pytest.mark.parametrize(
    ("student", "reason"),
    [
        ("broken", "not valid JSON"),
        ("linked", "symbolic link"),
        ("pipe", "named pipe"),
        ("two", "first.ipynb"),
    ],
)
def test_rejected_submission_gets_nothing_and_a_reason(course, student, reason):
    assert set(course.scores(student).values()) == {(0, False)}
    assert course.record(student)["status"] == "rejected"
    assert reason in course.record(student)["error"]
    report = course.cell(student, "double_values").outputs[0].data["text/plain"]
    assert reason in report
    assert reason in course.feedback(student)


def test_only_regular_files_of_sensible_size_go_along(course):
    folder = course.root / "autograded/baggage/tiny"
    assert sorted(path.name for path in folder.iterdir()) == ["notes.txt", "tiny.ipynb"]
    assert course.scores("baggage")["double_values"] == (2, False)
    incidents = " ".join(course.record("baggage")["incidents"])
    assert all(name in incidents for name in ("data.txt", "pipe.txt", "huge.bin"))


def test_timestamp_that_is_no_file_is_not_read(course):
    assert course.scores("timeless")["double_values"] == (2, False)


def test_late_penalty_is_nbgraders(course):
    with course.gradebook() as gradebook:
        late = gradebook.find_submission("tiny", "late")
        assert late.late_submission_penalty == late.score == 3
        assert gradebook.find_submission("tiny", "right").late_submission_penalty == 0


def test_report_shows_titles_and_hints(course):
    display, result = course.cell("half", "double_values").outputs
    assert result.output_type == "execute_result"
    assert result.data == {"text/plain": "1.0"}
    for text in (display.data["text/plain"], display.data["text/html"], course.feedback("half")):
        assert "Positive numbers are doubled" in text
        assert "What is twice minus three?" in text
        assert "1 of 2 points" in text
    assert "Try a few numbers by hand." not in display.data["text/plain"]


def test_nothing_hidden_reaches_a_student(course):
    for folder in ("release", "autograded", "feedback"):
        for path in (course.root / folder).rglob("*"):
            if path.is_file():
                text = path.read_text()
                assert not [secret for secret in SECRETS if secret in text], path


class LiveParts(HTMLParser):
    """Collects what a browser would obey in a page, rather than show."""

    def __init__(self, page: str):
        super().__init__()
        self.found: list[str] = []
        self.ids: list[str] = []
        self.in_script = False
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.in_script = tag == "script"
        self.found.extend(value for name, value in attributes if name.startswith("on"))
        values = [value or "" for name, value in attributes if name in ("href", "src")]
        self.found.extend(value for value in values if value.startswith("javascript"))
        self.ids.extend(value for name, value in attributes if name == "id")

    def handle_endtag(self, tag):
        self.in_script = False

    def handle_data(self, data):
        if self.in_script and "alert" in data:
            self.found.append(data)


def test_feedback_runs_nothing_of_a_student(course):
    page = course.feedback("hostile")
    live = LiveParts(page)
    assert live.found == []
    assert live.ids.count("explain") == 1  # the heading, not the student's
    # What was meant well is still there.
    assert "<mi>a</mi><mo>&lt;</mo><mi>b</mi>" in page
    assert "<blockquote>" in page
    assert "<td>seen</td>" in page


def formgrader_page(course, student: str) -> str:
    """The page on which an instructor grades by hand, made as Formgrader makes it."""
    config = PyFileConfigLoader("nbgrader_config.py", path=str(course.root)).load_config()
    config.HTMLExporter.template_name = "formgrade"
    exporter = FeedbackExporter(config=config)
    resources = {"index": 0, "total": 1, "base_url": "", "assignment_id": "tiny"}
    page, _ = exporter.from_notebook_node(course.autograded(student), resources=resources)
    return page


def test_formgrader_runs_nothing_of_a_student(course):
    page = formgrader_page(course, "hostile")
    live = LiveParts(page)
    assert all("toggle_name" in found for found in live.found)  # Formgrader's own button
    assert live.ids.count("explain") == 1  # the box for the score
    assert "<blockquote>" in page


def test_feedback_shows_and_describes_pictures(course):
    [picture] = BeautifulSoup(course.feedback("drawn"), "html.parser").find_all("img")
    kind, _, text = picture["src"].partition(",")
    assert kind == "data:image/png;base64"
    height, width, _ = imread(io.BytesIO(base64.b64decode(text))).shape
    assert width > height > 100
    assert picture["alt"] == "what the code above drew"


def test_feedback_adds_up_and_stands_alone(course):
    page = BeautifulSoup(course.feedback("half"), "html.parser")
    assert page.select_one(".total").get_text() == "2 of 6 points"
    rows = [
        [cell.get_text(strip=True) for cell in row.select("td")]
        for row in page.select("main table")[0].select("tbody tr")
    ]
    assert rows == [
        ["double", "2 of 3 points"],
        ["explain", "0 of 3 points, not answered"],
    ]
    assert not page.select("#comment-explain")  # "No response." is nbgrader's, not a person's
    assert not page.select("script, link, iframe, [src^=http], [src^='//']")
    assert "prefers-color-scheme: dark" in page.style.get_text()
    anchors = {element["id"] for element in page.select("[id]")}
    assert {link["href"] for link in page.select("a[href^='#']")} <= {
        f"#{name}" for name in anchors
    }


def test_feedback_says_what_waits_for_a_person(course):
    page = BeautifulSoup(course.feedback("hostile"), "html.parser")
    assert page.select_one(".total").get_text() == "3 of 3 points so far"
    assert page.select_one(".waiting").get_text().startswith("3 points are still being read")
    assert "3 points, still being read" in page.select("main table tbody tr")[1].get_text()


def test_rubric_is_on_formgraders_page_alone(course, monkeypatch):
    monkeypatch.chdir(course.root)
    monkeypatch.setenv("HOME", str(course.root))
    page = BeautifulSoup(formgrader_page(course, "hostile"), "html.parser")
    assert "REFERENCE_SOLUTION" in page.select_one("details.rubric").get_text()
    assert len(page.select("details.rubric")) == 1
    assert not page.select("script[src^=http], link[href^=http]")


def test_stock_filters_would_have_run_it(course):
    """The counter-check: what is looked for above is there without the filters."""
    exporter = HTMLExporter(template_name="classic")
    notebook = course.autograded("hostile")
    for cell in notebook.cells:
        cell.source = cell.source.replace("attachment:", "")  # it would end the export
    page, _ = exporter.from_notebook_node(notebook)
    assert len(LiveParts(page).found) >= 3


def test_record_says_how_the_marks_came_about(course):
    record = course.record("half")
    assert record["score"] == 2
    assert record["max_score"] == 3
    failed = [c for cell in record["cells"] for c in cell["checks"] if not c["passed"]]
    assert [check["name"] for check in failed] == ["test_negative_numbers"]
    assert "heron" in failed[0]["detail"]
    assert len(record["sha256"]) == 64
    assert record["protection"]
    assert record["versions"]["torch"]
    assert datetime.fromisoformat(record["graded_at"]).tzinfo == UTC


def test_export_is_nbgraders(course):
    exported = course.nbgrader("export")
    assert exported.returncode == 0, exported.stderr
    with (course.root / "grades.csv").open() as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file)}
    assert float(rows["half"]["score"]) == 2
    assert float(rows["broken"]["score"]) == 0
    assert float(rows["late"]["score"]) == 0


def test_grading_again_keeps_what_a_person_gave(course):
    with course.gradebook() as gradebook:
        grade = gradebook.find_grade("explain", "tiny", "tiny", "right")
        grade.manual_score, grade.needs_manual_grade = 2.5, False
        comment = gradebook.find_comment("explain", "tiny", "tiny", "right")
        comment.manual_comment = "Well said"
        gradebook.db.commit()
    graded = course.nbgrader("autograde", "tiny", "--student", "right", "--force")
    assert graded.returncode == 0, graded.stderr
    with course.gradebook() as gradebook:
        assert gradebook.find_grade("explain", "tiny", "tiny", "right").score == 2.5
        kept = gradebook.find_comment("explain", "tiny", "tiny", "right")
        assert kept.comment == "Well said"
    assert course.scores("right")["double_values"] == (2, False)
    # Its text is the same, so nobody has to read it again.
    assert course.scores("right")["explain"] == (None, False)


def test_feedback_tells_which_items_of_the_rubric_an_answer_got(course):
    source = course.root / "source/tiny/tiny.ipynb"
    rubric = "* 2: says *twice*\\n  Twice is once more.\\n* 1: shows an example"
    source.write_text(source.read_text().replace('"REFERENCE_SOLUTION"', f'"{rubric}"'))
    room = Room(Course(course.root), f"sqlite:///{course.root / 'gradebook.db'}")
    opened = room.open("tiny", "explain", "ana", None)
    answer = opened["answer"]
    items = [item["id"] for item in opened["items"]][:1]
    saving = Saving(answer["key"], answer["version"], items, "And an example?")
    room.save("tiny", "explain", "ana", saving)
    student = room.who("tiny", "explain", answer["key"])["student"]
    shown = course.nbgrader("generate_feedback", "tiny", "--student", student, "--force")
    assert shown.returncode == 0, shown.stderr
    page = BeautifulSoup(course.feedback(student), "html.parser")
    [item] = page.select(".items li")
    assert item.select_one(".worth").text == "+2"
    assert item.select_one("em").text == "twice"
    assert "Twice is once more." in item.text
    assert "shows an example" not in page.text
    assert "And an example?" in page.select_one(".comment").text


def test_gradebook_that_knows_other_points_is_told(course):
    released = (course.root / "release/tiny/tiny.ipynb").read_text()
    course.write("release/tiny/tiny.ipynb", released.replace('"points": 2', '"points": 9'))
    graded = course.nbgrader("autograde", "tiny", "--student", "half", "--force")
    course.write("release/tiny/tiny.ipynb", released)
    assert graded.returncode != 0
    told = words_logged(graded)
    assert "disagree about double_values" in told
    assert "nbgrader generate_assignment tiny" in told


def test_nothing_is_touched_where_there_is_no_sandbox(course, tmp_path):
    """bubblewrap as in a container that forbids it: told once, with the remedy."""
    write_failing_bubblewrap(tmp_path)
    before = course.autograded("half")
    graded = course.nbgrader_in_earnest("autograde", "tiny", "--force", path=f"{tmp_path}:")
    assert graded.returncode != 0
    told = words_logged(graded)
    assert told.count("No permissions to create new namespace") == 1
    assert "Nothing was graded. There is no sandbox" in told
    assert "seccomp=unconfined" in told
    assert "Traceback" not in graded.stderr
    assert course.autograded("half") == before
    assert course.scores("half")["double_values"] == (1, False)


def words_logged(command: subprocess.CompletedProcess[str]) -> str:
    """What a command of nbgrader said, without line breaks and prefixes."""
    return " ".join(line.partition("] ")[2] for line in command.stderr.splitlines())


def write_failing_bubblewrap(folder: Path) -> None:
    program = folder / "bwrap"
    program.write_text(
        "#!/bin/sh\necho 'bwrap: No permissions to create new namespace, likely because the kernel "
        "does not allow non-privileged user namespaces.' >&2\nexit 1\n"
    )
    program.chmod(0o755)


def test_missing_graders_are_told_before_anything_is_touched(course):
    graders = course.root / "tests/graders/tiny"
    graders.rename(graders.with_name("elsewhere"))
    graded = course.nbgrader("autograde", "tiny", "--student", "half", "--force")
    graders.with_name("elsewhere").rename(graders)
    assert graded.returncode != 0
    told = words_logged(graded)
    assert "Nothing was graded. It cannot start: tests/graders/tiny is missing" in told
    assert course.autograded("half").cells
