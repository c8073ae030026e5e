"""An instructor's and a student's day in JupyterLab, by clicks, in a real browser and offline.

`make e2e` runs it and takes the pictures of the documentation. It needs a Chromium.
"""

# ruff: noqa: F401, F811 (`browser` is a fixture of another file)

from __future__ import annotations

import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
import pytest
from accessible import SECONDS, browser
from hostile.attack import MARK
from hostile.files import LIVE
from hostile.trial import ATTACKS, Trial
from nbconvert.exporters import HTMLExporter
from nbformat.v4 import new_markdown_cell, new_notebook
from nbgrader.api import Gradebook
from PIL import Image
from playwright.sync_api import (
    Browser,
    FrameLocator,
    Locator,
    Page,
    Response,
    expect,
)
from traitlets.config import PyFileConfigLoader
from typed import typed

from proctor.classroom.lab import Lab, Server
from proctor.course import Course, read_notebook
from proctor.grading.labelled import reference_answers
from proctor.pages.formgrader import FeedbackExporter

REPOSITORY = Path(__file__).parent.parent
ASSIGNMENT = "mnist_loss"
STUDENT = "student-01"
ANSWER = """Accuracy is $\\frac{2}{3}$ before and after, and the loss falls.
"""
# What follows it, but for the pictures of the documentation: they show ordinary work.
ATTACK = """
<script>window.top.hacked = true</script><img src="x" onerror="window.top.hacked = true">
<svg onload="window.top.hacked = true"></svg> [a link](javascript:window.top.hacked=true)
"""
# The checks in the notebook find the first mistake, and only the hidden ones the second.
VISIBLE_MISTAKE = """def mnist_loss(predictions, targets):
    return torch.where(targets == 1, 1 - predictions, predictions).sum()
"""
HIDDEN_MISTAKE = """def mnist_loss(predictions, targets):
    return (predictions.double() - targets).abs().mean()
"""
UNTIL_FORMGRADER_IS_LOADED = """() => new Promise(done => {
    const parts = [formgrader, formgrader.grades, formgrader.comments];
    const look = () => parts.every(part => part.loaded) ? done() : setTimeout(look, 50);
    look();
})"""
POINTS_BY_HAND = 1.5
COMMENT = "Say *why* accuracy stays the same: 0.4 is below 0.5. Its slope is $0$."


@pytest.fixture
def lab(tmp_path, empty_gradebook) -> Lab:
    """A course with one assignment that nobody has released yet."""
    course = tmp_path / "course"
    for part in (f"source/{ASSIGNMENT}", f"tests/graders/{ASSIGNMENT}"):
        shutil.copytree(REPOSITORY / part, course / part)
    for part in ("nbgrader_config.py", f"tests/answers/{ASSIGNMENT}.py"):
        (course / part).parent.mkdir(exist_ok=True)
        shutil.copy(REPOSITORY / part, course / part)
    # Each labelled answer is run once for a new version of the course: one exercise's are enough.
    with (course / f"tests/answers/{ASSIGNMENT}.py").open("a") as answers:
        answers.write('\nANSWERS = [one for one in ANSWERS if one.cell == "mnist_loss"]\n')
    shutil.copy(empty_gradebook, course / "gradebook.db")
    lab = Lab(course, state=tmp_path / "lab", student=STUDENT)
    for server in lab.servers:
        # So that every cell is on the page, not only those in sight.
        place = ".jupyter/lab/user-settings/@jupyterlab/notebook-extension"
        (server.home / place).mkdir(parents=True)
        settings = server.home / place / "tracker.jupyterlab-settings"
        settings.write_text(json.dumps({"windowingMode": "none"}))
    return lab


class Person:
    """Somebody at a browser window from which nothing leads out of this machine."""

    def __init__(self, browser: Browser, address: str, pictures: Path, **settings: str):
        self.pictures = pictures
        self.refused: list[str] = []
        self.errors: list[str] = []
        context = browser.new_context(viewport={"width": 1700, "height": 850}, **settings)
        context.set_default_timeout(1000 * SECONDS)
        context.route(lambda url: not is_here(url), self.refuse)
        context.on("page", self.watch)
        self.page = context.new_page()
        self.page.goto(address)

    def refuse(self, route) -> None:
        self.refused.append(route.request.url)
        route.abort()

    def watch(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def picture(self, name: str, of: Locator | None = None) -> None:
        """A picture for the documentation, with few colours so that it is small."""
        taken = (of or self.page).screenshot(animations="disabled")
        image = Image.open(io.BytesIO(taken))
        image.thumbnail((1200, 1200))
        self.pictures.mkdir(parents=True, exist_ok=True)
        image.quantize(64).save(self.pictures / f"{name}.png", optimize=True)


class LabUser(Person):
    """The same in JupyterLab."""

    def __init__(self, browser: Browser, server: Server, pictures: Path):
        super().__init__(browser, server.url(), pictures)
        self.page.locator("#jupyterlab-splash").wait_for(state="detached")
        self.page.locator(".jp-Launcher").wait_for()

    def choose(self, command: str) -> None:
        """An entry of the menu Nbgrader."""
        self.page.locator('#jp-menu-panel .lm-MenuBar-itemLabel:text-is("Nbgrader")').click()
        entry = f'#jp-mainmenu-nbgrader li[data-command="nbgrader:{command}"]'
        self.page.locator(entry).click()

    def show(self, tab: str) -> None:
        """Bring an open tab to the front."""
        self.page.locator(f'.lm-TabBar-tab:has(.lm-TabBar-tabLabel:text-is("{tab}"))').first.click()


def is_here(url: str) -> bool:
    parts = urlsplit(url)
    return parts.hostname == "127.0.0.1" or parts.scheme in ("data", "blob", "file")


class Instructor(LabUser):
    """At Formgrader."""

    @property
    def formgrader(self) -> FrameLocator:
        return self.page.frame_locator("#formgrader-iframe iframe")

    def open_formgrader(self) -> None:
        self.choose("open-formgrader")
        expect(self.row.locator("td.status")).to_have_text("draft")

    @property
    def row(self) -> Locator:
        """The assignment's row in "Manage Assignments"."""
        rows = self.formgrader.locator("#main-table tr")
        return rows.filter(has=self.page.locator(f'td.name a:text-is("{ASSIGNMENT}")'))

    @property
    def submission(self) -> Locator:
        """The student's row in "Manage Submissions"."""
        rows = self.formgrader.locator("#main-table tr")
        return rows.filter(has=self.page.locator(f'td.student-id:text-is("{STUDENT}")'))

    def go_to(self, section: str) -> None:
        self.formgrader.locator(f'a:text-is("{section}")').click()

    def press(self, icon: Locator, picture: str | None = None) -> str:
        """Click an icon; returns what the dialog says that comes then."""
        icon.click()
        dialog = self.formgrader.locator("#success-modal.in, #error-modal.in")
        said = dialog.locator(".modal-body").inner_text()
        if picture:
            # Not the traceback under it, which names folders of this machine.
            self.picture(picture, dialog.locator(".modal-body .panel").first)
        dialog.locator(".modal-footer button").click()
        expect(self.formgrader.locator(".modal, .modal-backdrop")).to_have_count(0)
        return said


class Student(LabUser):
    """At the Assignment List and the notebook."""

    def open_list(self) -> None:
        self.choose("open-assignment-list")

    def listed(self, status: str) -> Locator:
        """An assignment's entry among the released, fetched or submitted ones."""
        entries = self.page.locator(f"#{status}_assignments_list > .list_item")
        return entries.filter(has_text=ASSIGNMENT)

    def open_notebook(self) -> None:
        self.listed("fetched").locator("a.assignment-notebooks-link").click()
        self.listed("fetched").locator(".nested_list_item .item_name a").click()
        self.page.locator('.jp-NotebookPanel:visible [data-status="idle"]').first.wait_for()

    def cell(self, text: str) -> Locator:
        """The first cell of the notebook with this text."""
        return self.page.locator(".jp-NotebookPanel:visible .jp-Cell").filter(has_text=text).first

    def run(self, cell: Locator) -> None:
        cell.locator(".cm-content").click()
        self.page.keyboard.press("Control+Enter")

    def answer(self, cell: Locator, text: str) -> None:
        if "jp-MarkdownCell" in cell.get_attribute("class"):
            cell.locator(".jp-RenderedMarkdown").dblclick()
        cell.locator(".cm-content").click()
        self.page.keyboard.press("Control+A")
        self.page.keyboard.insert_text(text)

    def validate(self, picture: str) -> str:
        """What the button Validate finds."""
        self.page.locator(".jp-NotebookPanel:visible .validate-button").click()
        dialog = self.page.locator(".nbgrader-SuccessDialog, .nbgrader-ErrorDialog")
        said = dialog.inner_text()
        # A long message ends with what is wrong.
        dialog.locator("*").evaluate_all("all => all.forEach(e => e.scrollTop = e.scrollHeight)")
        self.picture(picture)
        dialog.locator("button.jp-Dialog-button").click()
        dialog.wait_for(state="detached")
        return said


def test_a_day(browser, lab, tmp_path):
    pictures = Path(os.environ.get("PICTURES", tmp_path / "pictures")).resolve()
    programs = tmp_path / "programs"
    lab.instructor.path = f"{programs}:{lab.instructor.path}"
    with lab:
        instructor = Instructor(browser, lab.instructor, pictures)
        student = Student(browser, lab.student, pictures)
        release(instructor)
        fetch_and_read(student)
        solve_and_submit(student, lab)
        collect(instructor)
        with failing_bubblewrap(programs):
            grading_is_refused(instructor)
        marks = grade(instructor, lab)
        grade_by_hand(instructor)
        return_feedback(instructor)
        total = marks["score"] + POINTS_BY_HAND
        read_feedback(student, total)
        for person in (instructor, student):
            assert not person.page.evaluate("window.hacked")
            assert person.refused == []
            assert person.errors == []
    check_gradebook(lab, marks, total)
    check_feedback_file(browser, lab, total, pictures)


def release(instructor: Instructor) -> None:
    instructor.open_formgrader()
    said = instructor.press(instructor.row.locator("td.assign a"))
    assert "Successfully created the student version" in said
    instructor.row.locator("td.preview a").click()
    expect(instructor.page.locator(".jp-DirListing-item")).to_contain_text([f"{ASSIGNMENT}.ipynb"])
    instructor.show("Formgrader")
    said = instructor.press(instructor.row.locator("td.release a"))
    assert "Successfully released" in said
    expect(instructor.row.locator("td.status")).to_have_text("released")
    instructor.picture("formgrader")


def fetch_and_read(student: Student) -> None:
    student.open_list()
    student.listed("released").locator("button:text-is('Fetch')").click()
    expect(student.listed("fetched").locator("button:text-is('Submit')")).to_be_visible()
    student.picture("assignment-list")
    student.open_notebook()
    formula = student.page.locator(".jp-RenderedMarkdown mjx-container").first
    formula.scroll_into_view_if_needed()
    expect(formula).to_be_visible()
    hint = student.page.locator("details:has(summary:text('side by side'))")
    expect(hint.locator("code").first).to_be_hidden()
    hint.locator("summary").click()
    expect(hint.locator("code").first).to_be_visible()
    for text in ("import matplotlib.pyplot", "load_digits()", "Give 16 images a white frame"):
        student.run(student.cell(text))
    figure = student.cell("Give 16 images a white frame").locator(".jp-OutputArea img")
    figure.scroll_into_view_if_needed()
    expect(figure).to_be_visible()
    student.picture("notebook")


def solve_and_submit(student: Student, lab: Lab) -> None:
    course = Course(lab.instructor.folder)
    answers = reference_answers(read_notebook(course.reference(ASSIGNMENT)))
    for grade_id in answers:
        student.answer(student.cell(f'"exercise {grade_id} is not solved yet"'), answers[grade_id])
    move_a_slider(student)
    mnist_loss = student.cell("def mnist_loss")
    student.answer(mnist_loss, VISIBLE_MISTAKE)
    student.answer(
        student.cell("YOUR ANSWER HERE"),
        ANSWER + ("" if "PICTURES" in os.environ else ATTACK),
    )
    said = student.validate("validate-fails")
    assert "right shape, wrong value" in said
    student.answer(mnist_loss, HIDDEN_MISTAKE)
    assert "Success" in student.validate("validate-passes")
    student.show("Assignments")
    student.listed("fetched").locator("button:text-is('Submit')").click()
    expect(student.listed("submitted")).to_be_visible()


def move_a_slider(student: Student) -> None:
    """By keyboard: the figure above it is drawn again."""
    student.page.locator('#jp-MainMenu .lm-MenuBar-itemLabel:text-is("Run")').click()
    student.page.locator('#jp-mainmenu-run li[data-command="runmenu:run-all"]').click()
    cell = student.cell('once_solved("mnist_loss", "more_right"')
    figure = cell.locator(".jp-OutputArea img")
    slider = cell.locator(".widget-slider [role=slider]")
    slider.scroll_into_view_if_needed()
    before, at = figure.get_attribute("src"), slider.get_attribute("aria-valuetext")
    slider.focus()
    student.page.keyboard.press("ArrowRight")
    expect(slider).not_to_have_attribute("aria-valuetext", at)
    expect(figure).not_to_have_attribute("src", before)


def collect(instructor: Instructor) -> None:
    said = instructor.press(instructor.row.locator("td.collect a"))
    assert f"Collecting submission: {STUDENT}" in said
    assert "cheating" not in said
    instructor.row.locator("td.num-submissions a").click()
    expect(instructor.submission.locator("td.status")).to_have_text("needs autograding")


@contextmanager
def failing_bubblewrap(folder: Path) -> Iterator[None]:
    """The sandbox as in a container that forbids it."""
    program = folder / "bwrap"
    folder.mkdir()
    program.write_text(
        "#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n"
    )
    program.chmod(0o755)
    yield
    program.unlink()


def grading_is_refused(instructor: Instructor) -> None:
    said = instructor.press(instructor.submission.locator("td.autograde a"), "no-sandbox")
    assert "There was an error autograding" in said
    said = " ".join(said.replace("[ERROR]", " ").split())
    assert "Nothing was graded. There is no sandbox" in said
    assert "--security-opt seccomp=unconfined" in said
    expect(instructor.submission.locator("td.status")).to_have_text("needs autograding")


def grade(instructor: Instructor, lab: Lab) -> dict:
    said = instructor.press(instructor.submission.locator("td.autograde a"))
    assert "Successfully autograded" in said
    expect(instructor.submission.locator("td.status")).to_have_text("needs manual grading")
    submitted = f"submitted/{STUDENT}/{ASSIGNMENT}/{ASSIGNMENT}.ipynb"
    checked = typed("proctor", ["check", "--json", submitted], lab.instructor.folder)
    assert checked.returncode == 1  # this notebook loses points
    marks = json.loads(checked.stdout)
    # The command line gives the same marks: all but for what only the hidden graders see.
    lost = {
        cell["grade_id"]
        for cell in marks["cells"]
        if cell["score"] not in (None, cell["max_score"])
    }
    assert lost == {"mnist_loss_values"}
    expect(instructor.submission.locator("td.score")).to_have_text(
        f"{round(marks['score'], 2):g} / 20"
    )
    return marks


def grade_by_hand(instructor: Instructor) -> None:
    page = instructor.formgrader
    instructor.go_to("Manual Grading")
    page.locator(f'td.name a:text-is("{ASSIGNMENT}")').click()
    page.locator(f'td.name a:text-is("{ASSIGNMENT}")').click()
    page.locator("td.name a.name-hidden").click()
    expect(page.locator("#explain_better")).to_be_visible()
    page.locator("body").evaluate(UNTIL_FORMGRADER_IS_LOADED)
    rubric = page.locator("details.rubric")
    expect(rubric).to_contain_text("1: says that accuracy stays the same")
    expect(page.locator(".nbgrader_cell mfrac")).to_have_count(1)
    with instructor.page.expect_response(lambda answer: is_saved(answer, "grade")):
        page.locator("#explain_better").fill(str(POINTS_BY_HAND))
        page.locator("#explain_better").blur()
    with instructor.page.expect_response(lambda answer: is_saved(answer, "comment")):
        page.locator("#explain_better-comment").fill(COMMENT)
        page.locator("#explain_better-comment").blur()
    rubric.evaluate("element => element.scrollIntoView({block: 'center'})")
    instructor.picture("grading-by-hand")


def is_saved(answer: Response, what: str) -> bool:
    return f"/api/{what}/" in answer.url and answer.request.method == "PUT" and answer.ok


def return_feedback(instructor: Instructor) -> None:
    instructor.go_to("Manual Grading")
    instructor.go_to("Manage Assignments")
    said = instructor.press(instructor.row.locator("td.generate-feedback a"))
    assert "Successfully generated feedback" in said
    said = instructor.press(instructor.row.locator("td.release-feedback a"))
    assert "Successfully released feedback" in said


def read_feedback(student: Student, total: float) -> None:
    student.page.locator("#refresh_assignments_list").click()
    student.listed("submitted").locator("button:text-is('Fetch Feedback')").click()
    student.listed("submitted").locator("a:has-text('view feedback')").click()
    student.page.locator(f'.jp-DirListing-item:has-text("{ASSIGNMENT}.html")').dblclick()
    page = student.page.frame_locator(".jp-HTMLViewer iframe")
    expect(page.locator(".total")).to_have_text(f"{round(total, 2):g} of 20 points")
    expect(page.locator("mfrac").first).to_be_attached()
    student.picture("feedback-in-jupyterlab")


def check_gradebook(lab: Lab, marks: dict, total: float) -> None:
    with Gradebook(f"sqlite:///{lab.instructor.folder / 'gradebook.db'}") as gradebook:
        submission = gradebook.find_submission(ASSIGNMENT, STUDENT)
        [notebook] = submission.notebooks
        grades = {grade.name: grade for grade in notebook.grades}
        for cell in marks["cells"]:
            assert grades[cell["grade_id"]].auto_score == cell["score"]
        assert grades["explain_better"].manual_score == POINTS_BY_HAND
        assert submission.score == pytest.approx(total)
        assert not submission.needs_manual_grade
        comment = gradebook.find_comment("explain_better", ASSIGNMENT, ASSIGNMENT, STUDENT)
        assert comment.manual_comment == COMMENT


def check_feedback_file(browser: Browser, lab: Lab, total: float, pictures: Path) -> None:
    """The page as a student opens it from a folder: no server, no internet, by day and by night."""
    [page] = (lab.student.folder / ASSIGNMENT / "feedback").glob("*/*.html")
    text = page.read_text()
    course = lab.instructor.folder
    assert text == (course / f"feedback/{STUDENT}/{ASSIGNMENT}/{ASSIGNMENT}.html").read_text()
    for hidden in ("Rubric", "BEGIN SOLUTION", "tests/graders", "torch.Generator"):
        assert hidden not in text
    for scheme in ("light", "dark"):
        reader = Person(browser, page.as_uri(), pictures, color_scheme=scheme)
        expect(reader.page.locator(".total")).to_have_text(f"{round(total, 2):g} of 20 points")
        reader.picture(f"feedback-{scheme}")
        assert reader.refused == []
        assert reader.errors == []
    exercise = reader.page.locator("section.exercise:has(#mnist_loss_values)")
    expect(exercise).to_contain_text("mnist_loss keeps float32 and float64, and all their digits")
    expect(exercise).to_contain_text("print the dtype of every step")  # the hint
    expect(exercise).to_contain_text("“cast to float64”")  # the diagnosis
    expect(exercise.locator(".check.failed")).to_be_visible()
    expect(reader.page.locator(".comment:has(em)")).to_contain_text("0.4 is below 0.5")
    formula = reader.page.locator("section.exercise:has(#explain_better) mfrac")
    assert formula.bounding_box()["height"] > 20  # set as a fraction, not as text
    reader.picture("feedback-exercise", exercise)


def test_notebook_in_two_tabs(browser, lab, tmp_path):
    """The tab that saves second is asked, and the first one's text is still there."""
    server = lab.student
    notebook = server.folder / "essay.ipynb"
    server.folder.mkdir(parents=True)
    cells = [new_markdown_cell("nothing yet", id="essay")]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), notebook)
    server.start()
    try:
        first = Person(browser, server.url("lab/tree/essay.ipynb"), tmp_path)
        second = Person(browser, server.url("lab/tree/essay.ipynb"), tmp_path)
        for person in (first, second):
            # A kernel that gets ready changes the notebook, too.
            person.page.locator('.jp-NotebookPanel [data-status="idle"]').first.wait_for()
        write_and_save(first, "from the first tab")
        saved = first.page.locator(".lm-TabBar-tab:has-text('essay.ipynb'):not(.jp-mod-dirty)")
        saved.wait_for()
        assert "from the first tab" in notebook.read_text()
        write_and_save(second, "from the second tab")
        dialog = second.page.locator(".jp-Dialog")
        expect(dialog).to_contain_text("has changed on disk since the last time it was opened")
        expect(dialog.locator("button")).to_contain_text(["Cancel", "Revert", "Overwrite"])
        assert "from the first tab" in notebook.read_text()
        dialog.locator("button:has-text('Cancel')").click()
        expect(second.page.locator(".jp-RenderedMarkdown")).to_contain_text("from the second tab")
    finally:
        server.stop()


def write_and_save(person: Person, text: str) -> None:
    person.page.locator(".jp-NotebookPanel .jp-RenderedMarkdown").dblclick()
    person.page.locator(".jp-NotebookPanel .cm-content").click()
    person.page.keyboard.press("Control+A")
    person.page.keyboard.insert_text(text)
    person.page.keyboard.press("Control+Enter")
    expect(person.page.locator(".jp-NotebookPanel .jp-RenderedMarkdown")).to_contain_text(text)
    person.page.locator('.jp-NotebookPanel [data-command="docmanager:save"]').first.click()


VECTORS = "H01 live markup"
CLICK_EVERYTHING = """() => document.querySelectorAll("a, button, summary, details").forEach(
    element => element.click()
)"""


@pytest.fixture
def shallow_folder() -> Iterator[Path]:
    """Sockets lie in a trial's folder for temporary files, and may not lie as deep as pytest's."""
    with tempfile.TemporaryDirectory(prefix="hostile-") as folder:
        yield Path(folder)


def test_no_known_vector_runs(browser, shallow_folder, tmp_path, monkeypatch):
    """Scripts, handlers, links and frames of a student, on the pages that instructors and students
    open; without our filters nbgrader's templates run them."""
    trial = Trial(shallow_folder / "trial", [one for one in ATTACKS if one.name == VECTORS], seed=1)
    trial.seats = [seat for seat in trial.seats if seat.attack is not None]
    trial.prepare()
    [student] = [seat.student for seat in trial.seats]
    graded = typed("proctor", ["grade", ASSIGNMENT, "-j", "1"], trial.root)
    assert "1 graded" in graded.stdout, graded.stdout + graded.stderr
    made = typed("nbgrader", ["generate_feedback", ASSIGNMENT], trial.root)
    assert made.returncode == 0, made.stderr
    feedback = trial.root / "feedback" / student / ASSIGNMENT / f"{ASSIGNMENT}.html"
    graded = trial.root / "autograded" / student / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
    notebook = nbformat.read(graded, as_version=4)
    monkeypatch.chdir(trial.root)
    config = PyFileConfigLoader("nbgrader_config.py", path=str(trial.root)).load_config()
    config.HTMLExporter.template_name = "formgrade"
    resources = {"index": 0, "total": 1, "base_url": "", "assignment_id": ASSIGNMENT}
    formgrader, _ = FeedbackExporter(config=config).from_notebook_node(
        notebook, resources=resources
    )
    # A picture that is not attached would end the stock export.
    cells = [new_markdown_cell(vector) for vector in LIVE if "attachment:" not in vector]
    stock, _ = HTMLExporter(template_name="classic").from_notebook_node(new_notebook(cells=cells))
    assert not is_attacked(browser, feedback.read_text(), tmp_path)
    assert not is_attacked(browser, formgrader, tmp_path)
    assert is_attacked(browser, stock, tmp_path, awaited=True)


def is_attacked(browser: Browser, text: str, folder: Path, awaited: bool = False) -> bool:
    """Whether a page calls the attackers' function, when it is opened and everything is clicked.
    A call that is awaited may take its time."""
    place, calls = folder / "page.html", []
    place.write_text(text)
    page = browser.new_context(offline=True).new_page()
    page.expose_function(MARK, lambda *given: calls.append(given))
    page.goto(place.as_uri(), wait_until="domcontentloaded")
    page.evaluate(CLICK_EVERYTHING)
    for _ in range(10 * SECONDS if awaited else 5):
        if not calls:
            page.wait_for_timeout(100)
    page.close()
    return bool(calls)
