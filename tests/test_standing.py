"""An exercise is marked as the notebook stood when it reached the exercise's checks."""

import textwrap

import nbformat
import pytest
from conftest import LIMITS, TinyCourse, cell
from nbformat import v4

from proctor.grading.marking import mark
from proctor.grading.standing import Standings, first_change, names_in
from proctor.sandbox.changes import Changes, read_changes
from proctor.sandbox.examination import CellRun
from proctor.settings import TimeLimits

CELLS = [
    v4.new_code_cell("import math\nimport torch", id="imports"),
    cell("scale", "FACTOR = 2.0\n\ndef scaled(x):\n    return FACTOR * x"),
    cell("scale_values", "assert scaled(2) == 4", points=2),
    cell("total", "def total(x):\n    return sum(scaled(v) for v in x.tolist())"),
    cell("total_values", "assert total(torch.ones(3)) == 6", points=3),
]
GRADERS = '''
@grades("scale_values", hint="Double it.")
def test_scaled(student):
    """Doubles"""
    x = torch.tensor([1.5, 2.0], requires_grad=True)
    student.scaled(x).sum().backward()
    assert x.grad.tolist() == [2, 2] and student.scaled(x).dtype == torch.float32

@grades("total_values", hint="Add it up.")
def test_total(student):
    """Adds up"""
    assert student.total(torch.tensor([1.0, 2.0])) == 6
'''
AT_END = len(CELLS)
STUB = "def scaled(x):\n    raise NotImplementedError"


class Counted:
    """A sandbox that counts the sessions it makes."""

    def __init__(self, sandbox):
        self.sandbox, self.sessions = sandbox, 0

    def __getattr__(self, name):
        return getattr(self.sandbox, name)

    def session(self):
        self.sessions += 1
        return self.sandbox.session()


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    stubs = {"scale": STUB, "total": "def total(x):\n    raise NotImplementedError"}
    place = tmp_path_factory.mktemp("standing") / "course"
    return TinyCourse(place).add("tiny", CELLS, GRADERS, stubs=stubs)


@pytest.fixture
def marked(course, sandbox):
    """`marked("x = 1", at=3)`: the marks of the solved notebook with an own cell at that place."""

    def run(own, at=AT_END, **answers):
        notebook = nbformat.reads(course.submission(**answers).decode(), as_version=4)
        own_cell = v4.new_code_cell(textwrap.dedent(own).strip())
        notebook.cells.insert(at, own_cell)
        counted = Counted(sandbox)
        data = nbformat.writes(notebook).encode()
        marks = mark(data, "tiny", course.course, sandbox=counted, limits=LIMITS)
        run.sessions = counted.sessions
        return marks

    return run


def scores(marks):
    return {cell.grade_id: cell.score for cell in marks.cells}


def notes(marks):
    return {cell.grade_id: cell.note for cell in marks.cells}


FULL = {"scale_values": 2, "total_values": 3}


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ("scaled = scaled(3)", "`scaled`"),
        ("def scaled(x):\n    return 3 * x", "`scaled`"),
        ("FACTOR = 3.0", "`FACTOR`"),
        ("del FACTOR", "`FACTOR`"),
        ("%reset -f", "`FACTOR`, `scaled`"),
        ("for torch in [1, 2]:\n    sum = torch", None),
        ("globals()['scaled'] = None", "`scaled`"),
        ("torch.set_grad_enabled(False)", "whether torch records gradients"),
        ("torch.set_default_dtype(torch.float64)", "torch's default dtype"),
        ("torch.Tensor.__rmul__ = lambda *_: 7.0", "`torch.Tensor.__rmul__`"),
        ("import builtins\nbuiltins.sum = max", "`builtins.sum`"),
        ("import sys\ndel sys.modules['math']", '`sys.modules["math"]`'),
        ("import os\nos.chdir('/')", "the working folder"),
    ],
)
def test_a_cell_further_down_changes_no_mark_and_is_named(marked, own, told):
    marks = marked(own)
    assert scores(marks) == FULL
    if told is not None:
        assert told in notes(marks)["scale_values"]
        first = own.splitlines()[0] if "import" not in own else "import"
        assert f"code cell 4 (`{first}" in notes(marks)["scale_values"]


def test_a_builtin_that_a_later_cell_hides(marked):
    marks = marked("sum = 0")
    assert scores(marks) == FULL
    assert notes(marks)["scale_values"] is None and "`sum`" in notes(marks)["total_values"]


def test_a_notebook_that_changes_nothing_needs_one_session(marked):
    marks = marked("""
        x = scaled(2)
        losses = [total(torch.ones(2))]
        def my_scaled(x):
            return x
    """)
    assert scores(marks) == FULL and marked.sessions == 1
    assert set(notes(marks).values()) == {None}


def test_one_more_session_serves_all_exercises_before_the_change(marked):
    marks = marked("FACTOR = 3.0")
    assert marked.sessions == 2
    assert all("`FACTOR`" in note for note in notes(marks).values())


def test_what_a_later_exercise_needs_is_its_own_matter(marked):
    marks = marked("def scaled(x):\n    return 3 * x", at=3)
    assert scores(marks) == {"scale_values": 2, "total_values": 0}
    assert "`scaled`" in notes(marks)["scale_values"] and notes(marks)["total_values"] is None


def test_an_answer_further_down_changes_no_earlier_one(marked):
    total = "def scaled(x):\n    return 0 * x\n\ndef total(x):\n    return 2 * float(x.sum())"
    marks = marked("None", total=total)
    assert scores(marks) == FULL
    assert "total (`def scaled(x):`)" in notes(marks)["scale_values"]


def test_what_stands_above_the_checks_counts(marked):
    marks = marked("def scaled(x):\n    return 3 * x", at=2)
    assert scores(marks)["scale_values"] == 0


def test_an_exercise_answered_further_down_counts(marked):
    marks = marked("FACTOR = 2\n\ndef scaled(x):\n    return FACTOR * x", scale=STUB)
    assert scores(marks) == FULL


def test_what_was_missing_may_come_further_down(marked):
    marks = marked("FACTOR = 2.0", scale="def scaled(x):\n    return FACTOR * x")
    assert scores(marks) == FULL


def test_files_too_are_as_they_were(marked):
    answer = """
        from pathlib import Path
        Path("factor").write_text("2.0")

        def scaled(x):
            return float(Path("factor").read_text()) * x
    """
    own = "Path('factor').unlink()\nscaled = None"
    assert scores(marked(own, scale=answer)) == FULL


CLASS = """
class Scaled:
    factor = 2.0

    def __call__(self, x):
        return self.times(x)

    def times(self, x):
        return self.factor * x

scaled = Scaled()
"""
FROM_A_FILE = """
from pathlib import Path
Path("factor.txt").write_text("2.0")

def scaled(x):
    return float(open("factor.txt").read()) * x
"""
A_MODULE = """
import sys
from pathlib import Path
sys.path.insert(0, "")
Path("mine.py").write_text("def double(x): return 2 * x")
import mine

def scaled(x):
    return mine.double(x)
"""
TWICE = "def scaled(x, factor=2):\n    return factor * x"


@pytest.mark.parametrize(
    ("answer", "own", "told"),
    [
        (CLASS, "Scaled.times = lambda self, x: 3 * x", "`scaled`"),
        (CLASS, "scaled.factor = 3.0", "`scaled`"),
        (TWICE, "scaled.__defaults__ = (3,)", "`scaled`"),
        (FROM_A_FILE, "Path('factor.txt').write_text('3.0')", "the file factor.txt"),
        (
            A_MODULE,
            "import importlib\n"
            "Path('mine.py').write_text('def double(x): return 3 * x + 0')\n"
            "importlib.reload(mine)",
            "`mine`",
        ),
    ],
)
def test_what_changes_in_place_is_marked_as_it_stood(marked, answer, own, told):
    marks = marked(own, scale=answer)
    assert scores(marks) == FULL and told in notes(marks)["scale_values"]


def test_what_stays_the_same_needs_one_session(marked):
    own = """
        from pathlib import Path
        FACTOR = 2.0
        Scaled.factor = 2.0
        Scaled.__annotations__
        Path("other.txt").write_text("1")
        scaled(torch.ones(3)); total(torch.ones(2))
    """
    answer = f'{CLASS}\nopen("other.txt", "w").close()\nFACTOR = 2.0'
    marks = marked(own, scale=answer)
    assert scores(marks) == FULL and marked.sessions == 1


def test_a_wrong_answer_is_not_saved_by_its_cell(marked):
    marks = marked("FACTOR = 2.0", scale="FACTOR = 3.0\n\ndef scaled(x):\n    return FACTOR * x")
    assert scores(marks) == {"scale_values": 0, "total_values": 0}


def test_a_missing_package_is_named_where_points_are_lost(marked):
    answer = "import no_such_package\n\ndef scaled(x):\n    return no_such_package.double(x)"
    marks = marked("None", scale=answer)
    assert "scale stopped: there is no package `no_such_package`" in notes(marks)["scale_values"]
    assert any("`no_such_package`" in incident for incident in marks.incidents)
    assert set(notes(marked("import no_such_package")).values()) == {None}


# What is asked of the sandbox's claims


def runs(*names):
    return [
        CellRun(changes=Changes({n: frozenset(needs) for n, needs in c.items()})) for c in names
    ]


def test_only_what_a_function_stands_on_matters():
    cells = runs({"f": ["g", "sum"], "g": ["K"], "K": [], "x": []}, {"x": []}, {"K": []}, {"f": []})
    assert first_change(cells, 1, {"f"}).cell == 2
    assert first_change(cells, 1, {"x"}).cell == 1
    assert first_change(cells, 3, {"g"}) is None
    assert first_change(runs({"f": ["sum"]}, {"sum": []}), 1, {"f"}).what == ("sum",)
    assert first_change(runs({"f": ["later"]}, {"later": []}), 1, {"f"}) is None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("student.mse(1)", "mse"),
        ("student.on_accelerator.mse(1)", "mse"),
        ("self.student.repeating(40).mse(1)", "mse"),
        ('getattr(student, "mse")', "mse"),
        ('for name in ("mse", "mae"):\n    getattr(student, name)', "mse"),
        ('getattr(student, f"mse_{n}")', "mse_1"),
        ('getattr(student, f"{n}_mse")', "my_mse"),
        ('getattr(student, "mse_" + n)', "mse_1"),
        ("who = student\nwho.mse(1)", "mse"),
    ],
)
def test_names_that_graders_ask_for(text, name):
    assert names_in((text,)).asked({name, "x"}, {name, "x"}) >= {name}
    assert "x" not in names_in((text,)).asked({name, "x"}, {name, "x"})


def test_what_graders_call_their_own_things_is_no_name_of_a_student():
    text = 'def test(student):\n    case.share(student.mse)\n    say(f"got {x}: {y}", "a " + x)'
    assert names_in((text,)).asked({"share", "got", "mse"}, {"mse"}) == {"mse"}


@pytest.mark.parametrize(
    "told",
    [
        None,
        7,
        {"names": 3, "ground": {}},
        {"names": {"a b": [], "x" * 200: [], "f": "text"}, "ground": [1, None]},
    ],
)
def test_a_claim_that_is_not_as_agreed_says_nothing(told):
    read = read_changes(told)
    assert set(read.names) <= {"f"} and read.ground == ()
    assert not any(read.names.values())


def test_all_that_is_run_again_has_the_time_of_cells_once(examine):
    limits = TimeLimits(cell=0.8, submission=1.7, questions=0.6)
    whole = examine("import time\ntime.sleep(0.5)", "x = 1", "y = 2", "z = 3", limits=limits)
    standings = Standings(whole, {}, {})
    found = [standings._examination_of_cells(end) for end in (1, 2, 3)]
    standings.close()
    assert [examination is not None for examination in found] == [True, True, False]
    assert not whole.out_of_time
