"""One notebook in, marks out: scores, order, repetition, and what no student may see."""

import json
import os
import re
import time
from pathlib import Path

import nbformat
import psutil
import pytest
from conftest import LIMITS, cell
from nbformat import v4

from proctor.course import CourseError
from proctor.grading import marking
from proctor.grading.marking import mark
from proctor.pages.returned import kept_marks
from proctor.sandbox.examination import Examination
from proctor.sandbox.patience import Starved
from proctor.sandbox.sessions import Sandbox
from proctor.sandbox.unavailable import SandboxUnavailable

CANARY = "CANARY-7f3a"

CELLS = [
    v4.new_code_cell("import torch", id="imports"),
    cell("double", "def double(x):\n    return 2 * x"),
    cell("double_values", "assert double(2) == 4", points=3),
    cell("half", "def half(x):\n    return x / 2"),
    cell("half_values", "assert half(2) == 1", points=2),
    cell("explain", "Because.", points=4, kind="markdown", solution=True),
]

GRADERS = f'''
@grades("double_values", hint="Try a few numbers by hand.", weight=2)
def test_values(student, generator):
    """Doubles numbers"""
    x = torch.rand(3, generator=generator)
    assert torch.equal(student.double(x), 2 * x), "{CANARY}"

@grades("double_values", hint="What about nothing?")
def test_zero(student):
    """Leaves zero alone."""
    assert student.double(0) == 0, "{CANARY}"

@grades("half_values", hint="Halve it.", requires="test_zero")
def test_half(student):
    """Halves what was doubled

    The rest of the text is for instructors: {CANARY}.
    """
    assert student.half(4) == 2, "{CANARY}"
'''


@pytest.fixture
def course(tiny_course):
    stubs = {"double": "def double(x):\n    raise NotImplementedError", "explain": "YOUR ANSWER"}
    return tiny_course.add("tiny", CELLS, GRADERS, stubs=stubs)


@pytest.fixture
def marks_of(course, sandbox):
    """`marks_of(double="def double(x): ...")`: the marks of the reference with other answers."""

    def run(*, seed=None, data=None, **answers):
        data = data or course.submission(**answers)
        return mark(data, "tiny", course.course, sandbox=sandbox, limits=LIMITS, seed=seed)

    return run


def graders(course, text):
    """Replace the graders of the course."""
    course.add("tiny", CELLS, text)


def scores(marks):
    return {cell.grade_id: cell.score for cell in marks.cells}


def checks(marks):
    return {check.name: check for cell in marks.cells for check in cell.checks}


def only(grader, cells=("double_values", "half_values")):
    """Graders of which `grader` is the only one that can fail."""
    rest = "".join(
        f"""
        @grades({name!r}, hint="h")
        def test_rest_of_{name}(student):
            pass
        """
        for name in cells
    )
    return rest + grader


# Scores


def test_the_reference_gets_exactly_all_marks(marks_of):
    marks = marks_of()
    assert (marks.status, marks.error, marks.incidents) == ("graded", None, [])
    assert scores(marks) == {"double_values": 3.0, "half_values": 2.0, "explain": None}
    assert (marks.score, marks.max_score) == (5.0, 5.0)
    assert type(marks.score) is float
    assert [cell.needs_manual_grade for cell in marks.cells] == [False, False, True]
    assert [check.hint for check in checks(marks).values()] == [None] * 3
    assert [check.title for check in checks(marks).values()] == [
        "Doubles numbers",
        "Leaves zero alone",
        "Halves what was doubled",
    ]


def test_part_of_the_checks_is_part_of_the_points(marks_of):
    marks = marks_of(double="def double(x):\n    return x * 0")
    assert scores(marks)["double_values"] == 1.0
    assert checks(marks)["test_values"].hint == "Try a few numbers by hand."
    assert (marks.score, marks.max_score) == (3.0, 5.0)
    marks = marks_of(
        double="def double(x):\n    return 2 * x if isinstance(x, torch.Tensor) else 1"
    )
    assert scores(marks)["double_values"] == 2.0


def test_a_check_that_requires_another_is_not_tried_without_it(marks_of):
    marks = marks_of(
        double="def double(x):\n    return 2 * x if isinstance(x, torch.Tensor) else 1"
    )
    assert scores(marks)["half_values"] == 0.0
    half = checks(marks)["test_half"]
    assert half.hint == "Not tried: it needs “Leaves zero alone” first."
    assert (half.state, half.cause) == ("not tried", "test_zero")
    zero = checks(marks)["test_zero"]
    assert (zero.state, zero.cause) == ("failed", None)


def test_an_answer_not_written_gets_nothing_and_says_so(marks_of):
    marks = marks_of(double="def double(x):\n    raise NotImplementedError")
    assert marks.score == 0.0
    assert checks(marks)["test_values"].hint == (
        "`double` is not written yet: it raised NotImplementedError."
    )


def test_a_name_not_defined_is_named(marks_of):
    marks = marks_of(half="")
    assert scores(marks) == {"double_values": 3.0, "half_values": 0.0, "explain": None}
    assert checks(marks)["test_half"].hint == (
        "`half` is not defined after the notebook has run. Halve it."
    )


def test_what_a_student_wrote_into_a_graded_cell_counts_for_nothing(marks_of):
    marks = marks_of(double_values="print('10/10'); assert False")
    assert marks.score == 5.0
    assert len(marks.incidents) == 1
    assert marks.incidents[0].startswith("double_values had been changed")
    failing = "def double(x):\n    return 1"
    assert marks_of(double=failing, double_values="3.0").score == 0.0


@pytest.mark.parametrize("data", [b"", b"{", b"[1]", b'{"nbformat": 3}', b"\xff" * 100])
def test_what_is_no_notebook_is_rejected_with_a_reason(marks_of, data):
    marks = marks_of(data=data or b"\n")
    assert (marks.status, marks.score, marks.max_score, marks.cells) == ("rejected", 0.0, 5.0, [])
    assert "JupyterLab" in marks.error


# Order and random inputs


def test_the_same_file_gets_the_same_inputs_and_another_file_others(course, marks_of):
    graders(
        course,
        only("""
        @grades("half_values", hint="h")
        def test_shows(student, generator):
            assert torch.rand(1, generator=generator).item() == 0
        """),
    )
    details = [
        checks(marks_of(**answers))["test_shows"].detail
        for answers in ({}, {}, {"half": "def half(x): return 0.5 * x"})
    ]
    shown = [detail.partition("assert 0.")[2][:6] for detail in details]
    assert shown[0] == shown[1] != shown[2]
    first, second, other = (marks_of(seed=seed) for seed in (1, 1, 2))
    assert scores(first) == scores(second)
    shown = [
        checks(marks)["test_shows"].detail.partition("assert 0.")[2][:6]
        for marks in (first, second, other)
    ]
    assert shown[0] == shown[1] != shown[2]
    assert first.seed == 1


def test_checks_run_in_an_order_that_the_seed_decides(course, marks_of):
    text = """
        import os, pytest
        @pytest.mark.parametrize("number", range(6))
        @grades("half_values", hint="h")
        def test_number(student, number):
            with open(os.environ["ORDER"], "a") as file:
                print(number, end="", file=file)
    """
    graders(course, only(text))

    def order(seed):
        path = course.root / f"order-{time.monotonic_ns()}"
        os.environ["ORDER"] = str(path)
        try:
            marks_of(seed=seed)
        finally:
            del os.environ["ORDER"]
        return path.read_text()

    orders = [order(seed) for seed in (1, 1, 2, 3)]
    assert orders[0] == orders[1]
    assert len(set(orders)) >= 3
    assert all(sorted(found) == list("012345") for found in orders)


@pytest.mark.parametrize("seed", range(3))
def test_a_required_check_runs_first_whatever_the_order(course, marks_of, seed):
    graders(
        course, GRADERS.replace('requires="test_zero"', 'requires=["test_zero", "test_values"]')
    )
    marks = marks_of(double="def double(x):\n    return 1", seed=seed)
    assert checks(marks)["test_half"].hint.startswith("Not tried")


# Spoilt by an earlier check


@pytest.mark.parametrize("seed", range(4))
def test_what_a_wrong_answer_changes_costs_no_other_exercise(course, marks_of, seed):
    graders(
        course,
        """
        @grades("double_values", hint="h")
        def test_first(student):
            assert student.double(1) == 2
        """,
    )
    (course.course.graders("tiny") / "test_other.py").write_text(
        "from proctor.authoring import grades\n\n"
        '@grades("half_values", hint="h")\n'
        "def test_second(student):\n"
        "    assert student.half(4) == 2\n"
    )
    spoils = """
        def double(x):
            global half
            half = None
            return 3 * x
    """
    assert scores(marks_of(double=spoils, seed=seed)) == {
        "double_values": 0.0,
        "half_values": 2.0,
        "explain": None,
    }


def test_a_crash_in_one_check_costs_that_check_alone(marks_of):
    crash = """
        import os
        def double(x):
            if isinstance(x, torch.Tensor):
                os._exit(1)
            return 2 * x
    """
    marks = marks_of(double=crash)
    assert scores(marks) == {"double_values": 1.0, "half_values": 2.0, "explain": None}
    assert checks(marks)["test_values"].hint.startswith("`double` ended the process it ran in.")


def test_a_hang_in_one_check_costs_that_check_and_is_an_incident(marks_of):
    marks = marks_of(
        double="def double(x):\n    while isinstance(x, torch.Tensor): pass\n    return 2*x"
    )
    assert scores(marks) == {"double_values": 1.0, "half_values": 2.0, "explain": None}
    assert marks.incidents == ["double took longer than its 0.8 s"]
    hint = checks(marks)["test_values"].hint
    assert hint.startswith("`double` took longer than the 0.8 s allowed for a call.")
    assert "a loop that never ends" in hint
    assert "by hand" not in hint  # the check's own, which is about values


def test_a_grader_that_stumbles_over_a_strange_value_is_a_failed_check(course, marks_of):
    text = only("""
        @grades("half_values", hint="Return a number.")
        def test_half(student):
            assert student.half(4).sum() == 2
    """)
    graders(course, text)
    for returned in ("None", "'text'", "{}", "object()", "[[1]]", "10**400", "float('nan')"):
        marks = marks_of(half=f"def half(x):\n    return {returned}")
        assert scores(marks) == {"double_values": 3.0, "half_values": 1.0, "explain": None}
        assert checks(marks)["test_half"].hint.endswith("Return a number.")


def test_a_course_may_have_fixtures_of_its_own_beside_the_engines_and_in_place_of_one(
    course, marks_of
):
    graders(
        course,
        """
        import pytest

        @pytest.fixture
        def generator():
            return "the course's own"

        @pytest.fixture
        def twice(student):
            return student

        @grades("double_values", hint="h")
        def test_double(student, generator, twice):
            assert generator == "the course's own"
            assert twice is student

        @grades("half_values", hint="h")
        def test_half(twice):
            assert twice.half(2) == 1
        """,
    )
    assert scores(marks_of()) == {"double_values": 3.0, "half_values": 2.0, "explain": None}


@pytest.mark.parametrize("seed", range(4))
def test_checks_of_a_file_share_one_fork_though_others_require_some_of_them(
    course, marks_of, monkeypatch, seed
):
    forks, fork = [], Examination._fork_question
    monkeypatch.setattr(
        Examination, "_fork_question", lambda self: forks.append(self) or fork(self)
    )
    graders(
        course,
        """
        @grades("double_values", hint="h")
        def test_one(student):
            assert student.double(1) == 2

        @grades("double_values", hint="h")
        def test_two(student):
            assert student.double(2) == 4
        """,
    )
    (course.root / "tests/graders/tiny/test_half.py").write_text(
        "from proctor.authoring import grades\n"
        '@grades("half_values", hint="h", builds_on="test_two")\n'
        "def test_half(student):\n"
        "    assert student.half(2) == 1\n"
    )
    assert scores(marks_of(seed=seed)) == {
        "double_values": 3.0,
        "half_values": 2.0,
        "explain": None,
    }
    assert len(forks) == 2


# The course is at fault


BROKEN_GRADERS = {
    "does not import": ("import no_such_module", "no_such_module"),
    "syntax error": ("def test_(:", "SyntaxError"),
    "nothing": ("", "has no test in a file test_*.py"),
    "no grader for a cell": (
        '@grades("double_values", hint="h")\ndef test_a(student): pass',
        "graded cells without a hidden test: half_values",
    ),
    "grader for no cell": (
        only('\n        @grades("doubel_values", hint="h")\n        def test_a(student): pass'),
        "tests for other cells: doubel_values",
    ),
    "requires what is not there": (
        only(
            '\n        @grades("half_values", hint="h", requires="test_b")\n        def test_a(): 0'
        ),
        "names 'test_b', which is not a hidden test of tiny",
    ),
    "requires itself": (
        only("""
        @grades("half_values", hint="h", requires="test_b")
        def test_a(): pass
        @grades("half_values", hint="h", requires="test_a")
        def test_b(): pass
        """),
        "requires itself",
    ),
    "stops pytest": (
        only("""
        import pytest
        @grades("half_values", hint="h")
        def test_a(): pytest.exit("enough")
        """),
        "stopped pytest: enough",
    ),
}


@pytest.mark.parametrize(("text", "reason"), BROKEN_GRADERS.values(), ids=BROKEN_GRADERS)
def test_graders_that_do_not_work_are_the_courses_fault(course, marks_of, text, reason):
    graders(course, text)
    with pytest.raises(CourseError, match="tiny") as caught:
        marks_of()
    assert reason in str(caught.value)


def test_a_course_without_its_parts_says_what_is_missing(course, sandbox):
    for path, part in (("release/tiny", "release/tiny"), ("tests/graders/tiny", "tests/graders")):
        (course.root / path).rename(course.root / "away")
        with pytest.raises(CourseError, match=part):
            mark(course.submission(), "tiny", course.course, sandbox=sandbox)
        (course.root / "away").rename(course.root / path)


def test_without_a_sandbox_no_check_is_failed_but_all_refused(course, monkeypatch):
    unavailable = SandboxUnavailable("no", "help")

    class Gone(Sandbox):
        def session(self, serve="examinee"):
            raise unavailable

    with pytest.raises(SandboxUnavailable):
        mark(course.submission(), "tiny", course.course, sandbox=Gone())


def test_a_sandbox_that_goes_away_under_the_graders_costs_no_marks(course, sandbox):
    class GoesAway:
        protection = ""
        limits = sandbox.limits
        left = 1

        def session(self):
            self.left -= 1
            if self.left < 0:
                raise SandboxUnavailable("gone", "help")
            return sandbox.session()

    text = only("""
        @grades("half_values", hint="h")
        def test_half(student, candidate):
            candidate.examination.close()
            assert student.half(4) == 2
    """)
    graders(course, text)
    with pytest.raises(SandboxUnavailable):
        mark(course.submission(), "tiny", course.course, sandbox=GoesAway(), limits=LIMITS)


def newest_session(sandbox):
    """The newest process that is number 1 of its own namespace."""
    [outer] = psutil.Process(sandbox.start()._process.pid).children()
    [warm] = outer.children()
    sessions = [process for process in warm.children() if is_first(process.pid)]
    return max(sessions, key=lambda process: process.create_time())


def is_first(process):
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return False
    return status.split("NSpid:")[1].splitlines()[0].split()[-1] == "1"


@pytest.fixture(params=["before its cells", "while it is asked"])
def kills(request, sandbox, monkeypatch):
    """As many sessions as this says are killed as the machine does it when its memory runs out."""
    left = {"kills": 0}

    def and_kill(made):
        if left["kills"]:
            left["kills"] -= 1
            newest_session(sandbox).kill()
        return made

    session, fork = sandbox.session, Examination._fork_question
    if request.param == "before its cells":
        monkeypatch.setattr(sandbox, "session", lambda: and_kill(session()))
    else:
        monkeypatch.setattr(Examination, "_fork_question", lambda self: and_kill(fork(self)))
    return left


def test_a_session_that_the_machine_kills_costs_no_marks(course, marks_of, kills):
    kills["kills"] = 1
    marks = marks_of()
    assert kills["kills"] == 0
    assert marks.score == marks.max_score
    assert any(text.startswith("its session was ended from outside") for text in marks.incidents)
    # What the first attempt has seen is of no use in the second.
    assert marks.seed != marks_of().seed


def test_a_session_that_is_killed_every_time_gets_no_mark(course, marks_of, kills):
    kills["kills"] = 1000
    with pytest.raises(Starved, match="2 times"):
        marks_of()


ENDS_ITSELF = {
    "a lower limit": (
        "import resource, signal\nsignal.signal(signal.SIGALRM, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_CPU, (1, 1))\nwhile True: pass"
    ),
    "an exit": "import os\nos._exit(9)",
    "a crash": "import ctypes\nctypes.string_at(0)",
    "a signal to itself": "import os\nos.kill(os.getpid(), 9); os.abort()",
}


@pytest.mark.parametrize("end", ENDS_ITSELF.values(), ids=ENDS_ITSELF)
def test_who_ends_its_own_session_has_no_second_try(course, marks_of, sandbox, monkeypatch, end):
    """A lowered limit of processor time has the kernel itself kill process 1."""
    seeds = []
    candidate = marking.Candidate
    monkeypatch.setattr(
        marking, "Candidate", lambda *given: seeds.append(given[3]) or candidate(*given)
    )
    marks = marks_of(half=f"{end}\ndef half(x): return x / 2")
    assert marks.seed in seeds
    assert len(seeds) == 1
    assert not any("from outside" in incident for incident in marks.incidents)


def test_whatever_goes_wrong_while_it_is_marked_is_the_submissions_result(
    course, marks_of, monkeypatch
):
    def burst(*_):
        raise OverflowError("HIDDEN")

    monkeypatch.setattr(marking, "diagnose", burst)
    marks = marks_of(half="def half(x): return x")
    assert marks.status == "graded"
    assert marks.score == 3.0
    assert marks.incidents == ["looking for known mistakes led to OverflowError"]
    monkeypatch.setattr(marking, "mark_cells", burst)
    marks = marks_of()
    assert (marks.status, marks.score) == ("rejected", 0.0)
    assert "OverflowError" in marks.error
    assert "HIDDEN" not in marks.error


def test_each_file_of_graders_has_a_question_of_its_own_whatever_was_found(
    course, marks_of, monkeypatch
):
    """Nothing that happens inside tells how the checks of another file went."""
    (course.course.graders("tiny") / "test_other.py").write_text(
        "from proctor.authoring import grades\n\n"
        '@grades("half_values", hint="h")\n'
        "def test_more(student):\n"
        "    assert student.half(8) == 4\n"
    )
    forked = []
    fork = Examination._fork_question
    monkeypatch.setattr(Examination, "_fork_question", lambda self: forked.append(1) or fork(self))
    marks_of()
    right = len(forked)
    marks_of(half="def half(x): return -x")
    assert len(forked) - right == right > 1


def test_two_assignments_with_graders_of_the_same_name_do_not_mix(course, tiny_course, sandbox):
    for number in (1, 2):
        name = f"number{number}"
        cells = [cell("s", f"x = {number}"), cell("s_values", "", points=1)]
        text = (
            f'@grades("s_values", hint="h")\ndef test_x(student):\n    assert student.x == {number}'
        )
        tiny_course.add(name, cells, text)
        folder = tiny_course.course.graders(name)
        (folder / f"test_{name}.py").rename(folder / "test_same.py")
        marks = mark(tiny_course.submission(), name, tiny_course.course, sandbox=sandbox)
        assert marks.score == 1.0


def test_changed_graders_are_read_again(course, marks_of):
    assert marks_of().score == 5.0
    graders(course, GRADERS.replace("student.half(4) == 2", "student.half(4) == 3"))
    assert marks_of().score == 3.0


# What a student may see


def test_no_hidden_text_and_no_input_is_shown(course, marks_of):
    tell = "def test_zero(student):\n    print('" + CANARY + "')"
    graders(course, GRADERS.replace("def test_zero(student):", tell))
    telltale = """
        import sys, warnings
        def double(x):
            print("told", x)
            print("told", x, file=sys.stderr)
            warnings.warn(f"told {x}")
            raise type(f"told{x}", (Exception,), {})(f"told {x}")
    """
    for double in ("def double(x):\n    return 1", telltale, "def double(x): return f'told {x}'"):
        marks = marks_of(double=double)
        outputs = [one.get("outputs", []) for one in marks.notebook.cells]
        shown = [kept_marks(cell) for cell in marks.cells if cell.checks]
        seen = json.dumps([outputs, shown, marks.incidents, marks.error])
        assert marks.score == 0.0
        assert CANARY not in seen
        assert CANARY not in json.dumps(marks.notebook)
        assert "told" not in seen
        assert "tensor" not in seen
    assert CANARY in checks(marks)["test_values"].detail


def test_an_exception_comes_with_its_meaning_and_nothing_of_its_text(marks_of):
    marks = marks_of(double="def double(x):\n    return torch.ones(17) + torch.ones(4)")
    check = checks(marks)["test_values"]
    assert check.meaning == "the sizes of two tensors do not match"
    told = "`double` raised RuntimeError: the sizes of two tensors do not match."
    assert check.hint == f"{told} Try a few numbers by hand."
    assert "17" in check.detail


def test_the_notebook_shows_what_the_cells_printed_and_is_valid(course, marks_of):
    marks = marks_of(half="print('seen')\ndef half(x):\n    print('unseen')\n    return x / 2")
    nbformat.validate(marks.notebook)
    outputs = [one.get("outputs", []) for one in marks.notebook.cells]
    assert "seen" in str(outputs)
    assert "unseen" not in str(outputs)


def test_what_graders_print_does_not_go_to_standard_output(course, marks_of, capfd):
    graders(course, GRADERS.replace("assert student.half", "print('PRINTED'); assert student.half"))
    marks_of()
    assert "PRINTED" not in capfd.readouterr().out


# Plain pytest


@pytest.fixture
def plain_pytest(course, monkeypatch, capfd):
    """`plain_pytest("--seed", "1")`: exit code and output of pytest, run by hand on the course."""
    monkeypatch.chdir(course.root)
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)

    def run(*arguments):
        folder = "tests/graders/tiny"
        options = ["-q", "-p", "no:cacheprovider", "--import-mode=importlib", "--rootdir=."]
        status = pytest.main([folder, *options, *arguments])
        return status, capfd.readouterr().out

    return run


def test_plain_pytest_grades_the_reference_and_shows_every_detail_of_a_submission(
    course, plain_pytest
):
    text = (
        GRADERS
        + """
def test_both(request):
    pass
"""
    )
    graders(course, text)
    status, output = plain_pytest()
    assert status == 0, output
    assert "4 passed" in output
    wrong = course.submission(double="def double(x):\n    return 1")
    (course.root / "wrong.ipynb").write_bytes(wrong)
    status, output = plain_pytest("--submission", "wrong.ipynb", "--seed", "1")
    assert status == 1
    # Between them: pytest's own warnings, where an earlier test has imported what it would rewrite.
    assert re.search(r"2 failed, 1 passed, (\d+ warnings?, )?1 error", output), output
    assert CANARY in output
    assert "assert 1 == 0" in output
    assert "Not tried" in output


def test_plain_pytest_says_why_a_submission_cannot_be_read(course, plain_pytest):
    (course.root / "broken.ipynb").write_text("{")
    status, output = plain_pytest("--submission", "broken.ipynb")
    assert status == 1
    assert "not valid JSON" in output


# Figures


DRAWING = "drawn = [1, 2]"


@pytest.fixture
def marks_without_figures(tiny_course, sandbox):
    """Marks of answers in a course with a figure cell, which the release has as well."""
    figure = v4.new_code_cell(DRAWING, id="drawing", metadata={"tags": ["figure"]})
    course = tiny_course.add("tiny", [CELLS[0], figure, *CELLS[1:]], GRADERS)

    def run(**answers):
        data = course.submission(**answers)
        return mark(data, "tiny", course.course, sandbox=sandbox, limits=LIMITS, figures=False)

    return run


def figure_of(marks):
    (figure,) = (cell for cell in marks.notebook.cells if cell.id == "drawing")
    return figure


def test_without_figures_a_cell_that_only_draws_is_left_out(marks_without_figures):
    marks = marks_without_figures()
    assert marks.score == 5.0
    assert "left out" in figure_of(marks).outputs[0].text
    assert figure_of(marks).execution_count is None


@pytest.mark.parametrize(
    "answers",
    [
        {"double": "def double(x):\n    return drawn[1] * x"},
        {"double": "def double(x):\n    return globals()['drawn'][1] * x"},
        {"drawing": "two = 2", "double": "def double(x):\n    return two * x"},
    ],
    ids=["used", "looked up", "changed"],
)
def test_an_answer_that_needs_a_figure_cell_gets_the_same_marks(marks_without_figures, answers):
    marks = marks_without_figures(**answers)
    assert marks.score == 5.0
    assert figure_of(marks).execution_count == 2
