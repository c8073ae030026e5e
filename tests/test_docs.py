"""The documentation: its links lead somewhere, its commands exist, and its example is released."""

# ruff: noqa: F401, F811 (`browser` is a fixture of another file)

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import nbformat
import pytest
from accessible import browser, faults, opened
from conftest import cell
from nbformat import v4
from nbgrader.apps import NbGraderApp
from playwright.sync_api import expect

from proctor import cli
from proctor.classroom import new_course
from proctor.commands import options

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("*.md"))]
TYPES = ("read-only", "autograded answer", "autograded tests", "manually graded answer")
CELL = re.compile(
    rf"^`(\w+)`, ({'|'.join(TYPES)})(?:, (\d+) points?)?[^`]*?:?\n\n```\w+\n(.*?)```", re.M | re.S
)
FILE = re.compile(r"^`(tests/[\w/]+\.py)`:\n\n```python\n(.*?)```", re.M | re.S)


# Links


def build_site(folder: Path) -> subprocess.CompletedProcess:
    """What `make docs` does, on a copy."""
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def copy_documentation(folder: Path) -> Path:
    for name in ("mkdocs.yml", "README.md", "SECURITY.md"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "docs", folder / "docs")
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = copy_documentation(tmp_path_factory.mktemp("documentation"))
    done = build_site(folder)
    assert done.returncode == 0, done.stderr
    return folder / "build/site"


def test_the_site_is_built(site):
    assert {page.with_suffix("").name for page in site.glob("*.html")} >= {
        *(page.stem for page in (ROOT / "docs").glob("*.md")),
        "security",
    }
    index = (site / "index.html").read_text()
    assert 'href="security.html"' in index
    loaded = re.compile(r"<(?:script|link|img)\b[^>]*?(?:src|href)=\"https?://", re.I)
    assert not [page.name for page in site.glob("*.html") if loaded.search(page.read_text())]


def test_the_menu_leads_to_every_page(site):
    menu = (site / "index.html").read_text().partition("<article")[0]
    pages = {page.name for page in site.glob("*.html")} - {"404.html", "index.html"}
    assert not {name for name in pages if f'href="{name}"' not in menu}


# The theme's script lets the keyboard into code that is wider than its place, some time after that
# has become so.
REACHED = """() => [...document.querySelectorAll("pre > code")].every(
    code => code.scrollWidth <= code.clientWidth || code.tabIndex === 0
)"""


def test_pages_bear_axe_in_the_dark_and_on_a_phone(site, browser):
    found = {}
    for page in sorted(set(site.glob("*.html")) - {site / "404.html"}):  # it needs a server
        with opened(browser, page, "dark", 1280) as shown:
            shown.wait_for_function(REACHED)
            found[page.name] = faults(shown)
            shown.emulate_media(color_scheme="light")
            shown.get_by_title("Switch to the light page").click()
            expect(shown.locator("body")).to_have_attribute("data-md-color-scheme", "default")
            shown.set_viewport_size({"width": 390, "height": 900})
            shown.wait_for_function(REACHED)
            found[page.name] += faults(shown)
    assert not {name: what for name, what in found.items() if what}


def test_the_search_works_in_pages_that_are_files(site, browser):
    with opened(browser, site / "index.html", "light", 1280) as page:
        page.get_by_role("textbox", name="Search").click()
        page.keyboard.type("exchange")
        expect(page.locator(".md-search-result")).to_contain_text("For operators")
        page.wait_for_function(REACHED)
        assert not faults(page)


@pytest.mark.parametrize("link", ["nowhere.md", "students.md#nowhere", "images/nowhere.png"])
def test_a_broken_link_ends_the_build(tmp_path, link):
    documentation = copy_documentation(tmp_path)
    with (documentation / "docs/authors.md").open("a") as page:
        page.write(f"\n[a link]({link})\n")
    done = build_site(documentation)
    assert done.returncode != 0
    assert link.split("#")[0] in done.stderr


def test_the_index_leads_to_every_page():
    index = (ROOT / "docs/index.md").read_text()
    others = {page.name for page in (ROOT / "docs").glob("*.md")} - {"index.md"}
    assert not {name for name in others if f"]({name})" not in index}


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "SECURITY.md"], ids=lambda p: p.name)
def test_links_from_the_top_folder_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    assert not [link for link in links if not (ROOT / link).exists()]


# Commands


def code_in(text: str) -> list[str]:
    """What stands in code: words between backticks, and lines of blocks."""
    fenced = re.findall(r"^```\w*\n(.*?)^```", text, re.M | re.S)
    rest = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    indented = re.findall(r"^ {4,}(\S.*)$", rest, re.M)
    inline = re.findall(r"`([^`]+)`", re.sub(r"^ {4,}.*$", "", rest, flags=re.M))
    lines = [line for block in fenced for line in block.splitlines()] + indented
    return [line.partition(" # ")[0] for line in lines] + [" ".join(c.split()) for c in inline]


def commands_of(top: argparse.ArgumentParser) -> dict[str, set[str]]:
    """The commands of `proctor`, each with its options."""
    [commands] = [a for a in top._actions if isinstance(a, argparse._SubParsersAction)]
    return {name: set(p._option_string_actions) for name, p in commands.choices.items()}


def unknown_commands(text: str) -> list[str]:
    """What a page lets a reader type, and nothing here understands."""
    commands = commands_of(cli.parser())
    targets = set(re.findall(r"^([a-z0-9]+):", (ROOT / "Makefile").read_text(), re.M))
    unknown = []
    for code in code_in(text):
        for name, rest in re.findall(r"\bproctor ([a-z]\w*)([^;&|]*)", code):
            options = set(re.findall(r"(?<!\S)-[-\w]+", rest))
            if name not in commands or options - commands[name]:
                unknown.append(code)
        unknown += [code for name in re.findall(r"\bmake ([a-z]\w*)", code) if name not in targets]
        named = re.findall(r"\bnbgrader ([a-z]\w*)", code)
        unknown += [code for name in named if name not in NbGraderApp.subcommands]
    return unknown


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_on_the_page_exist(page):
    assert not unknown_commands(page.read_text())


def test_commands_that_do_not_exist_are_found():
    for text in (
        "`proctor gradee mnist_loss`",
        "    proctor grade mnist_loss --jobz 3",
        "Type `make\ncoffee`.",
        "```\nmake setup\nnbgrader autogrades ps1\n```",
    ):
        assert len(unknown_commands(text)) == 1, text
    assert not unknown_commands("We make sure that proctor can. `proctor grade A -j 8  # all`")


# The worked examples of docs/authors.md


@pytest.fixture
def course(tmp_path, sandbox, empty_gradebook, monkeypatch) -> Path:
    """A course made as the page says."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", sysconfig.get_path("scripts"), prepend=":")
    assert cli.main(["new", "my_course"]) == 0
    monkeypatch.chdir(tmp_path / "my_course")
    shutil.copy(empty_gradebook, "gradebook.db")
    return tmp_path / "my_course"


def write_example(course: Path, assignment: str, cells_on_page: int) -> None:
    """The assignment of the page, made of its code blocks over the skeleton."""
    assert cli.main(["new", "--assignment", assignment]) == 0
    hinge, module = (ROOT / "docs/authors.md").read_text().split("\n## A module\n")
    text = hinge if assignment == "hinge" else module
    cells = [v4.new_markdown_cell("# An exercise", id="title")]
    for grade_id, kind, points, source in CELL.findall(text):
        cells.append(
            cell(
                grade_id,
                source,
                points=int(points) if points else None,
                kind="markdown" if kind == "manually graded answer" else "code",
                solution=kind.endswith("answer"),
            )
        )
    told = re.findall(rf"^`\w+`, (?:{'|'.join(TYPES)})", text, re.M)
    assert len(cells) - 1 == len(told) == cells_on_page
    nbformat.write(
        v4.new_notebook(cells=cells), course / "source" / assignment / f"{assignment}.ipynb"
    )
    files = dict(FILE.findall(text))
    assert set(files) == {
        f"tests/graders/{assignment}/test_{assignment}.py",
        f"tests/answers/{assignment}.py",
    }
    for path, source in files.items():
        (course / path).write_text(source)


def test_the_labels_of_cells_on_the_page_are_those_of_the_skeleton():
    page = (ROOT / "docs/authors.md").read_text()
    rows = re.findall(
        r"^\| ([a-z -]+)(?:, with points)? \| (\w+) \| (\w+) \| (\w+) \|$", page, re.M
    )
    told = {kind: tuple(word == "true" for word in words) for kind, *words in rows}
    names = ("grade", "solution", "locked")
    made = {
        "read-only": new_course.code("a", "", locked=True),
        "autograded answer": new_course.code("a", "", solution=True),
        "autograded tests": new_course.code("a", "", points=1),
        "manually graded answer": new_course.code("a", "", points=1, solution=True),
    }
    made["manually graded answer"].metadata.nbgrader["locked"] = False
    del told["type"]  # the heading
    assert told == {
        kind: tuple(one.metadata.nbgrader[name] for name in names) for kind, one in made.items()
    }
    example = re.search(r'`(\{"nbgrader": .*\}\})`', page)
    labels = json.loads(example[1])["nbgrader"]
    assert labels == new_course.code("hinge_loss_values", "", points=3).metadata.nbgrader


def said_on_the_page(output: str) -> bool:
    told = re.sub(r"seed \d+", "seed N", output)
    indented = "".join(f"    {line}\n" for line in told.splitlines())
    return indented in (ROOT / "docs/authors.md").read_text()


def test_the_example_for_authors_is_released(course, capsys):
    write_example(course, "hinge", 5)
    capsys.readouterr()
    status = cli.main(["release", "hinge", "-j", "1"])
    output = capsys.readouterr().out
    assert status == 0, output
    assert said_on_the_page(output)
    released = nbformat.read(course / "release/hinge/hinge.ipynb", as_version=4)
    sources = {one.id: one.source for one in released.cells}
    assert (
        'raise NotImplementedError("exercise hinge_loss is not solved yet")'
        in (sources["hinge_loss"])
    )
    assert "1 point" not in sources["explain_zero"]


def test_the_example_is_refused_as_the_page_says(course, capsys):
    write_example(course, "hinge", 5)
    answers = course / "tests/answers/hinge.py"
    answers.write_text(answers.read_text().replace(', "hinge_loss_gradient"]', "]"))
    capsys.readouterr()
    assert cli.main(["release", "hinge", "-j", "1"]) == options.REFUSED
    output = capsys.readouterr().out
    assert said_on_the_page(output), output
    assert not (course / "release").exists()


def test_the_module_for_authors_is_released(course, capsys):
    write_example(course, "scale", 4)
    status = cli.main(["release", "scale", "-j", "1"])
    assert status == 0, capsys.readouterr().out
    cli.main(["try", "scale", "a buffer"])
    assert "Known mistake: “a buffer”. A buffer is kept with the module" in capsys.readouterr().out
