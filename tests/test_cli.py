"""The `proctor` command: what it prints, what it returns, and when it refuses."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import cell
from nbformat import v4

from proctor import cli
from proctor.commands.check import table_of
from proctor.grading.marking import mark
from proctor.grading.marks import CellMarks, Check, Marks
from proctor.grading.records import read_record, write_record

CELLS = [
    v4.new_code_cell("print('start')", id="start"),
    cell("double", "def double(x):\n    return 2 * x"),
    cell("double_values", "assert double(2) == 4", points=3),
    cell("explain", "Because.", points=4, kind="markdown", solution=True),
]
GRADERS = '''
@grades("double_values", hint="Try a few numbers by hand.")
def test_values(student):
    """Doubles numbers"""
    assert student.double(2) == 4

@grades("double_values", hint="What about nothing?", weight=2)
def test_zero(student):
    """Leaves zero alone"""
    assert student.double(0) == 0
'''
WRONG = "def double(x):\n    return 3 * x"


@pytest.fixture
def course(tiny_course, monkeypatch):
    """A course with one assignment, as the current folder."""
    tiny_course.add("tiny", CELLS, GRADERS, stubs={"double": "def double(x): pass"})
    (tiny_course.root / "tiny.ipynb").write_bytes(tiny_course.submission())
    (tiny_course.root / "wrong.ipynb").write_bytes(tiny_course.submission(double=WRONG))
    (tiny_course.root / "tiny-broken.ipynb").write_text("{")
    monkeypatch.chdir(tiny_course.root)
    return tiny_course


@pytest.fixture
def proctor(course, sandbox, monkeypatch, capfd):
    """`proctor("check", ...)`: exit code, standard output, standard error."""

    def run(*arguments):
        capfd.readouterr()
        status = cli.main(arguments)
        return status, *capfd.readouterr()

    return run


def run_command(course, *arguments, **environment):
    """The command as a person starts it."""
    return subprocess.run(
        [Path(sys.executable).parent / "proctor", *arguments],
        cwd=course.root,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_command_prints_one_json_object_for_each_notebook(course):
    names = ["tiny.ipynb", "wrong.ipynb", "tiny-broken.ipynb", "tiny/missing.ipynb"]
    done = run_command(course, "check", "--json", "--student", "student-01", *names)
    assert done.returncode == 2, done.stderr  # as one is missing
    right, wrong, broken, missing = (json.loads(line) for line in done.stdout.splitlines())
    assert [found["notebook"] for found in (right, wrong, broken, missing)] == names
    for found in (right, wrong, broken, missing):
        assert (found["assignment"], found["student"]) == ("tiny", "student-01")
        assert found["max_score"] == 3.0
        assert type(found["seconds"]) is float
    assert right == {
        "notebook": "tiny.ipynb",
        "assignment": "tiny",
        "student": "student-01",
        "status": "graded",
        "error": None,
        "score": 3.0,
        "max_score": 3.0,
        "seconds": right["seconds"],
        "incidents": [],
        "cells": [
            {
                "grade_id": "double_values",
                "score": 3.0,
                "max_score": 3.0,
                "needs_manual_grade": False,
                "diagnosis": None,
                "checks": [
                    {"name": name, "title": title, "passed": True, "hint": None}
                    for name, title in (
                        ("test_values", "Doubles numbers"),
                        ("test_zero", "Leaves zero alone"),
                    )
                ],
            },
            {
                "grade_id": "explain",
                "score": None,
                "max_score": 4.0,
                "needs_manual_grade": True,
                "diagnosis": None,
                "checks": [],
            },
        ],
    }
    assert (wrong["status"], wrong["score"]) == ("graded", 2.0)
    for found, reason in ((broken, "not valid JSON"), (missing, "there is no file missing.ipynb")):
        assert (found["status"], found["score"], found["cells"]) == ("rejected", 0.0, [])
        assert reason in found["error"]


def test_a_failed_check_is_told_with_its_hint(course, proctor):
    (course.root / "tiny.ipynb").write_bytes(course.submission(double="def double(x): return 0"))
    status, output, _ = proctor("check", "--json", "tiny.ipynb")
    found = json.loads(output)
    assert status == 1
    assert found["student"] is None
    assert found["score"] == 2.0
    assert found["cells"][0]["checks"][0] == {
        "name": "test_values",
        "title": "Doubles numbers",
        "passed": False,
        "hint": "Try a few numbers by hand.",
    }


def test_the_table_tells_what_waits_for_a_check_in_one_line():
    why = "Not tried: it needs “Doubles numbers” first."
    checks = [Check("a", "Doubles numbers", False, "Try a few.", 1, "", 0.1)]
    checks += [Check(n, n, False, why, 1, "", 0.0, tried=False, cause="a") for n in "bc"]
    cells = [CellMarks("double_values", 0.0, 3.0, False, checks=checks)]
    marks = Marks("tiny", None, "graded", None, 0.0, 3.0, 0.1, [], cells)
    shown = table_of("tiny.ipynb", marks)
    assert shown.count("failed:") == 1
    assert "\n      not tried: it needs “Doubles numbers” first.  (2 checks)\n" in shown


def test_the_table_tells_scores_failures_and_reasons(course, proctor):
    (course.root / "tiny.ipynb").write_bytes(course.submission(double="def double(x): return 0"))
    status, output, _ = proctor(
        "check", "--student", "student-01", "tiny.ipynb", "tiny-broken.ipynb"
    )
    assert status == 1
    for text in (
        "tiny.ipynb  (tiny, student-01)",
        "\n✗ double_values                  2.00 of 3",
        "\n✗     failed: Doubles numbers",
        "Try a few numbers by hand.",
        "explain                      needs manual grading (4 points)",
        "score 2.00 of 3 in",
        "\n✗ rejected: the file is not valid JSON",
        "score 0.00 of 3 in",
    ):
        assert text in output


def test_the_assignment_is_told_by_its_name_its_grade_ids_or_the_option(course, proctor):
    for name in ("tiny (1).ipynb", "tiny-Copy1.ipynb", "homework.ipynb"):
        (course.root / name).write_bytes(course.submission())
        status, output, _ = proctor("check", "--json", name)
        assert (status, json.loads(output)["score"]) == (0, 3.0)
    (course.root / "empty.ipynb").write_bytes(b"")
    status, output, _ = proctor("check", "--json", "--assignment", "tiny", "empty.ipynb")
    assert (status, json.loads(output)["status"]) == (1, "rejected")
    assert "0 bytes" in json.loads(output)["error"]


def test_results_for_gradescope_share_the_points_among_the_checks(course, proctor):
    (course.root / "tiny.ipynb").write_bytes(course.submission(double="def double(x): return 0"))
    status, output, _ = proctor("check", "--gradescope", "results.json", "tiny.ipynb")
    assert (status, "score 2.00 of 3" in output) == (0, True)
    results = json.loads((course.root / "results.json").read_text())
    assert results["score"] == 2.0 == sum(test["score"] for test in results["tests"])
    assert results["stdout_visibility"] == "hidden"
    assert "explain (4 points) was not answered." in results["output"]
    failed, passed = results["tests"]
    (course.root / "tiny.ipynb").write_bytes(course.submission(explain="It is so."))
    proctor("check", "--gradescope", "read.json", "tiny.ipynb")
    read = json.loads((course.root / "read.json").read_text())
    assert "explain (4 points) is still being read." in read["output"]
    assert failed == {
        "name": "double_values: Doubles numbers",
        "number": "1.1",
        "score": 0.0,
        "max_score": 1.0,
        "status": "failed",
        "output": "Try a few numbers by hand.",
        "output_format": "text",
    }
    assert (passed["status"], passed["score"], passed["max_score"]) == ("passed", 2.0, 2.0)
    assert passed["output"] == ""


def test_results_for_gradescope_of_what_is_rejected_and_of_no_single_notebook(course, proctor):
    status, _, _ = proctor("check", "--gradescope", "results.json", "tiny-broken.ipynb")
    results = json.loads((course.root / "results.json").read_text())
    assert (status, results["score"], results["tests"]) == (0, 0.0, [])
    assert results["output"].startswith("Not graded: the file is not valid JSON")
    for arguments, reason in (
        (("results.json", "tiny.ipynb", "wrong.ipynb"), "name just one"),
        (("no/results.json", "tiny.ipynb"), "no/results.json cannot be written"),
    ):
        status, _, error = proctor("check", "--gradescope", *arguments)
        assert status == 2
        assert reason in error


COIN = """
@grades("double_values", hint="Once more?")
def test_coin_{number}(student, generator):
    assert student.double(torch.rand(1, generator=generator).item()) < 1
"""


def test_the_seed_of_a_record_gives_its_marks_again(course, proctor, sandbox):
    """Whether these checks pass hangs on their random input, and so on the seed."""
    course.add("tiny", CELLS, "".join(COIN.format(number=number) for number in range(12)))
    marks = mark(course.submission(), "tiny", course.course, student="a", sandbox=sandbox)
    write_record(course.course, marks)
    record = read_record(course.course, "a", "tiny")
    # Another file, so that the seed is not the same by itself.
    again = course.submission(explain="Another text.")
    (course.root / "tiny.ipynb").write_bytes(again)

    def verdicts(cells):
        return [check["passed"] for cell in cells for check in cell["checks"]]

    def checked(*options):
        return json.loads(proctor("check", "--json", *options, "tiny.ipynb")[1])["cells"]

    assert set(verdicts(record["cells"])) == {True, False}
    cells = checked("--seed", str(record["seed"]))
    assert verdicts(cells) == verdicts(record["cells"])
    assert cells[0]["score"] == record["cells"][0]["score"]
    assert verdicts(checked()) != verdicts(record["cells"])


def test_what_a_terminal_would_obey_is_not_printed(course, proctor):
    name = "tiny\x1b[31m\r\u202e\n.ipynb"
    (course.root / name).write_bytes(course.submission())
    failing = course.submission(double="while True: break\nimport os; os._exit(1)")
    (course.root / "other.ipynb").write_bytes(failing)
    status, output, error = proctor(
        "check", name, "other.ipynb", f"missing-{name}", "--assignment", "tiny"
    )
    assert status == 2
    assert "does not exist" in error
    output += error
    assert not set(output) & set("\x1b\r\u202e\x07\x9b")
    assert "incident: double ended its process (exit 1)" in output


def test_an_assignment_that_is_not_there_is_no_work_at_all(course, proctor):
    for arguments, reason in (
        (
            ("--assignment", "other", "tiny.ipynb"),
            "no assignment other here. There is tiny",
        ),
        (("--assignment", "../tiny", "tiny.ipynb"), "cannot be the name of an assignment"),
        (("unknown.ipynb",), "Say which with --assignment"),
    ):
        status, output, error = proctor("check", "--json", *arguments)
        assert (status, output) == (2, "")
        assert reason in error


def test_graders_that_do_not_load_are_no_work_at_all(course, proctor):
    course.add("tiny", CELLS, "import no_such_module")
    status, output, error = proctor("check", "--json", "tiny.ipynb")
    assert (status, output) == (2, "")
    assert "no_such_module" in error
    assert "tiny" in error


def test_without_a_sandbox_nothing_is_graded(course, tmp_path):
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "bwrap").write_text("#!/bin/sh\necho 'bwrap: no permission for that' >&2\nexit 1\n")
    (folder / "bwrap").chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}"
    done = run_command(course, "check", "--json", "tiny.ipynb", PATH=path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "no sandbox, so nothing is graded" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments", [(), ("check",), ("check", "--seed", "x", "a"), ("no-such-command",)]
)
def test_arguments_that_make_no_sense_are_explained(arguments, capfd):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    assert "usage: proctor" in capfd.readouterr().err


def test_nothing_is_left_in_the_course(course, proctor):
    before = sorted(path for path in course.root.rglob("*") if "__pycache__" not in path.parts)
    status, _, _ = proctor("check", "--json", "tiny.ipynb", "tiny.ipynb")
    after = sorted(path for path in course.root.rglob("*") if "__pycache__" not in path.parts)
    assert status == 0
    assert [path for path in after if path not in before] == [course.root / ".proctor-secret"]
    assert set(before) <= set(after)


def test_a_file_that_is_not_there_is_said_and_the_others_are_marked(course, proctor):
    status, output, error = proctor("check", "nothere.ipynb", "tiny.ipynb", "release")
    assert status == 2
    assert error == "proctor: nothere.ipynb does not exist\nproctor: release is not a file\n"
    assert output.startswith("tiny.ipynb  (tiny)")
    assert "score 3.00 of 3" in output


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_help_of_each_command_has_examples_and_exit_codes(command, capfd):
    with pytest.raises(SystemExit) as caught:
        cli.main([command, "--help"])
    assert caught.value.code == 0
    help_text = capfd.readouterr().out
    assert f"examples:\n  proctor {command}" in help_text
    assert "exit codes:\n  0    " in help_text


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("grad", "tiny"), "there is no command grad: did you mean grade?"),
        (("grade", "tiny", "--forse"), "usage: proctor grade"),
        (("grade", "tiny", "--forse"), "--forse is not understood: did you mean --force?"),
    ],
)
def test_a_slip_is_answered_with_what_was_meant(arguments, told, capfd):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    assert told in capfd.readouterr().err


@pytest.mark.parametrize("command", ["grade", "regrade", "report", "explain", "package", "release"])
def test_an_assignment_misspelled_is_told_in_one_line(command, course, proctor):
    student = ("student-01",) if command == "explain" else ()
    status, output, error = proctor(command, "tinny", *student)
    assert (status, output) == (2, "")
    assert error == "proctor: there is no assignment tinny here: did you mean tiny?\n"


def test_a_folder_that_is_no_course_is_told_and_left_as_it_is(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    for command in ("grade", "report", "release", "package", "check"):
        assert cli.main([command, "tiny"]) == 2
        output, error = capfd.readouterr()
        assert (output, error.count("\n")) == ("", 1)
        assert f"{tmp_path} is not a course" in error
    assert not list(tmp_path.iterdir())


def test_a_reader_that_has_seen_enough_is_no_error(course):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed:
        done = subprocess.run(
            [Path(sys.executable).parent / "proctor", "check", "tiny-broken.ipynb"],
            cwd=course.root,
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert (done.returncode, done.stderr) == (141, "")
