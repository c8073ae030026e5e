"""Cells look graded as they looked in Jupyter, and no cell's output or time is without end."""

import re
from collections import Counter

import nbformat
import numpy
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from IPython.core.pylabtools import print_figure
from matplotlib import pyplot, text
from matplotlib.axis import Axis
from matplotlib.markers import MarkerStyle
from matplotlib.ticker import MaxNLocator
from nbclient import NotebookClient
from nbformat import v4

from proctor.inside.drawing import OWNERS, PARTS, key_of_ticks, remembering, taking_over
from proctor.inside.shell import Transformer
from proctor.pages.report.acting import time_ran_out
from proctor.sandbox import patience as patience_module
from proctor.sandbox.examination import Examination
from proctor.settings import TimeLimits

# Every cell is run by a real kernel and by ours, all in one notebook, in this order.
CELLS = {
    "print": "print('a', 1)\nprint('b', end='')\nprint('c')",
    "result": "[1, 'two']",
    "earlier result": "_, Out[2], In[1][:5]",
    "no result": "6 * 7;",
    "None": "None",
    "name": "__name__",
    "stderr between": "import sys\nprint('one')\nprint('two', file=sys.stderr)\nprint('three')",
    "error": "def f():\n    return 1 / 0\nprint('before')\nf()",
    "syntax error": "x = = 1",
    "name error": "not_defined",
    "failed assertion": "assert 1 == 2, 'not equal'",
    "chained error": "try:\n    1 / 0\nexcept Exception as e:\n    raise ValueError('v') from e",
    "keyboard interrupt": "raise KeyboardInterrupt",
    "exception group": "raise ExceptionGroup('many', [ValueError(1), TypeError(2)])",
    "sys.exit": "sys.exit(3)",
    "display": (
        "from IPython.display import HTML, Latex, Markdown, clear_output, display\n"
        "display(1, 'two')\ndisplay(HTML('<b>bold</b>'))\ndisplay(Latex('$x$'))\nMarkdown('*m*')"
    ),
    "rich repr": "class H:\n    def _repr_html_(self):\n        return '<i>'\ndisplay(H())",
    "repr that raises": "class B:\n    def __repr__(self):\n        raise ValueError('b')\nB()",
    "update_display": "handle = display('old', display_id=True)\nprint(1)\nhandle.update('new')",
    "update_display, in a later cell": "handle.update('newest')\nprint(2)",
    "clear_output": "print('gone')\nclear_output()\nprint('stays')",
    "clear_output, wait": "for n in range(3):\n    clear_output(wait=True)\n    print(n)",
    "clear_output, nothing after": "print('stays')\nclear_output(wait=True)",
    "figure": "import matplotlib.pyplot as plt\nplt.plot([1, 2, 3])\nplt.title('t');",
    "figure in the middle": "fig, ax = plt.subplots()\nax.bar([1], [3])\nplt.show()\nprint('a')",
    "figure as a result": "fig",
    "figures are closed": "plt.get_fignums()",
    "shell command": "!echo hello",
    "shell command's output": "lines = !echo a; echo b\nlines",
    "await": "import asyncio\nawait asyncio.sleep(0.01)\n'awaited'",
    "input": "input('name? ')",
    "magic": "%who_ls int",
    "cell magic": "%%capture captured\nprint('inside')",
    "captured": "captured.stdout",
    "unknown magic": "%no_such_magic",
    "warning": "import warnings\nwarnings.warn('careful')",
    "logging": "import logging\nlogging.warning('logged')",
    "child process": "import subprocess\nsubprocess.run('echo child; echo bad >&2', shell=True);",
    "os.write": "import os\nos.write(1, b'written\\n');",
    "unicode": "print('\\u00fc \\U0001f600')",
    "array": "import numpy as np\nnp.eye(2)",
    "endless recursion": "def r():\n    r()\nr()",
    "source of a function": "import inspect\ninspect.getsource(f)",
}
# Which of two streams a kernel shows first is chance, and so is where it ends one of them.
STREAMS_MAY_MIX = {"stderr between", "child process", "os.write"}


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """Here code is to stop by itself, be the machine ever so busy."""
    monkeypatch.setattr(patience_module, "GRACE", 10.0)


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory):
    """The outputs of a real kernel, by name of the cell."""
    # A kernel reads descriptors in a thread of its own, which needs time before the cell ends.
    late = dict.fromkeys(("child process", "os.write"), "\nimport time\ntime.sleep(1)")
    cells = [v4.new_code_cell(source + late.get(name, "")) for name, source in CELLS.items()]
    notebook = v4.new_notebook(cells=cells)
    folder = tmp_path_factory.mktemp("kernel")
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        allow_errors=True,
        timeout=60,
        resources={"metadata": {"path": str(folder)}},
    )
    with pytest.MonkeyPatch.context() as patch:
        # A kernel that knows of pytest leaves its descriptors alone.
        patch.delenv("PYTEST_CURRENT_TEST", raising=False)
        client.execute()
    return dict(zip(CELLS, (cell.outputs for cell in cells), strict=True))


@pytest.fixture(scope="module")
def ours(sandbox):
    limits = TimeLimits(cell=20, submission=90)
    with Examination(sandbox, list(CELLS.values()), limits=limits) as examination:
        runs = examination.run_cells()
        assert examination.incidents == []
    return dict(zip(CELLS, (run.outputs for run in runs), strict=True))


# What may differ: where things lie, process numbers, and what a cell's file is called.
NOISE = (
    (r"0x[0-9a-f]+", "ADDRESS"),
    (r"/tmp/ipykernel_\d+/\w+\.py", "CELL"),
    (r"\w+\.py, line 1\)", "CELL, line 1)"),
)


def comparable(outputs, mix_streams):
    outputs = [{**output} for output in outputs]
    for output in outputs:
        if output["output_type"] == "error":
            output["traceback"] = "\n".join(output["traceback"])[:15_000]
        if "data" in output:
            output["data"] = dict(output["data"])
            output["metadata"] = dict(output["metadata"])
    if mix_streams:
        texts = {"stdout": "", "stderr": ""}
        for output in outputs:
            texts[output["name"]] += output["text"]
        outputs = texts
    text = str(outputs)
    for pattern, word in NOISE:
        text = re.sub(pattern, word, text)
    return text


@pytest.mark.parametrize("name", [name for name in CELLS if name != "input"])
def test_a_cell_looks_as_in_jupyter(jupyter, ours, name):
    mix = name in STREAMS_MAY_MIX
    sorted_keys = [
        [{key: output[key] for key in sorted(output)} for output in outputs]
        for outputs in (ours[name], jupyter[name])
    ]
    assert comparable(sorted_keys[0], mix) == comparable(sorted_keys[1], mix)


def test_input_is_refused_as_in_jupyter(jupyter, ours):
    (theirs,), (mine,) = jupyter["input"], ours["input"]
    assert mine["ename"] == theirs["ename"] == "StdinNotImplementedError"
    assert mine["evalue"] == "input() does not work while a notebook is graded"


def test_streams_keep_the_order_in_which_they_were_written(ours):
    assert [output["text"] for output in ours["stderr between"]] == ["one\n", "two\n", "three\n"]


def test_the_outputs_are_valid_in_a_notebook(ours):
    cells = [
        v4.new_code_cell(source, outputs=[nbformat.from_dict(output) for output in ours[name]])
        for name, source in CELLS.items()
    ]
    nbformat.validate(v4.new_notebook(cells=cells))


def text_of(run):
    return "".join(output.get("text", "") for output in run.outputs)


def size_of(run):
    return len(str(run.outputs))


FLOODS = {
    "print": "while True:\n    print('x' * 1000)",
    "one print": "print('x' * 50_000_000)",
    "characters that take many bytes": "while True:\n    print('\\x00\\U0001f600' * 1000)",
    "displays": "from IPython.display import display\nwhile True:\n    display('x' * 100)",
    "errors": "import sys\nwhile True:\n    print('x', file=sys.stderr)\n    print('y')",
    "os.write": "import os\nwhile True:\n    os.write(1, b'x' * 100_000)",
    "shell": "!yes | head -c 30000000",
    "updates": (
        "from IPython.display import display\n"
        "for n in range(900):\n    handle = display(n, display_id='one')\n"
        "handle.display('x' * 1_000_000)\n"
        "handle.update('x' * 1_000_000)"
    ),
    "one large result": "'x' * 50_000_000",
    "one large error": "raise ValueError('x' * 50_000_000)",
    "clearing": (
        "from IPython.display import clear_output\n"
        "while True:\n    print('x' * 1000)\n    clear_output()"
    ),
}


@pytest.mark.parametrize("source", FLOODS.values(), ids=FLOODS)
def test_a_flood_is_cut_and_the_notebook_goes_on(examine, source):
    limits = TimeLimits(cell=0.6, submission=30)
    examined = examine("before = 1", source, "print(before)", limits=limits)
    _, flood, after = examined.runs
    assert flood.status in ("ok", "error", "late")
    assert size_of(flood) < 8_000_000
    assert text_of(after) == "1\n"


def test_cut_output_says_so_and_still_shows_the_error(examine):
    source = """
        print('first')
        for _ in range(5000):
            print('x' * 1000)
        raise ValueError('at the end')
    """
    (run,) = examine(source).runs
    assert text_of(run).startswith("first\n")
    assert "output cut" in run.outputs[-1]["text"]
    assert [o["evalue"] for o in run.outputs if o["output_type"] == "error"] == ["at the end"]


# Time limits


def test_a_cell_that_takes_too_long_is_stopped_and_says_so(examine):
    examined = examine("print('before')\nwhile True:\n    pass", "print('next')")
    late, after = examined.runs
    assert late.status == "late"
    assert late.outputs[0]["text"] == "before\n"
    assert late.outputs[-1]["evalue"] == "this cell took longer than its 0.8 s and was stopped"
    assert text_of(after) == "next\n"
    assert examined.incidents == ["cell 1 was stopped after its 0.8 s"]
    assert time_ran_out(examined.incidents[0])


@pytest.mark.parametrize(
    "source",
    [
        "import time\ntime.sleep(60)",
        "import asyncio\nawait asyncio.sleep(60)",
        "!sleep 60",
        "while True:\n    try:\n        pass\n    except Exception:\n        pass",
        "import torch\nwhile True:\n    torch.ones(1000) @ torch.ones(1000)",
        "while True:\n    try:\n        while True:\n            pass\n    except BaseException:\n"
        "        break\nwhile True:\n    pass",
    ],
    ids=["sleep", "await", "shell", "except Exception", "torch", "swallows the first"],
)
def test_whatever_waits_is_stopped(examine, source):
    examined = examine("kept = 5", source, "print(kept)")
    assert examined.runs[1].status == "late"
    assert text_of(examined.runs[2]) == "5\n"
    assert len(examined.incidents) == 1


def test_the_clock_of_a_cell_ends_with_it(examine):
    examined = examine("x = 1", "import time\ntime.sleep(0.5)", "time.sleep(0.5)\nprint(x)")
    assert [run.status for run in examined.runs] == ["ok"] * 3


FIGURES = {
    "lines": "plt.plot(x, x, label='a'); plt.plot(x, x**2); plt.legend(); plt.title('t\\nt')",
    "logarithms": "plt.loglog(x, x**3); plt.grid(which='both'); plt.ylabel('$y^2$')",
    "large numbers": "plt.plot(x, 1e7 + x); plt.xticks(rotation=45)",
    "image": "plt.imshow(np.eye(4)); plt.axis('off')",
    "color bar": "plt.imshow(np.eye(4)); plt.colorbar()",
    "bars": "plt.bar(['a', 'b'], [1, 2], hatch='//'); plt.text(0, 3, 'far outside the axes ' * 4)",
    "points": "plt.scatter(x, x, c=x, s=50 * x); plt.gca().set_aspect('equal')",
    "shared axes": (
        "f, a = plt.subplots(1, 2, sharex=True); a[0].plot(x, 9 * x); f.suptitle('over both')\n"
        "a[0].set_aspect('equal', adjustable='datalim')"
    ),
    "two scales": "plt.plot(x); plt.twinx().plot(x**2)",
    "arrow": "plt.plot(x); plt.annotate('here', (3, 3), (60, 3), arrowprops={'arrowstyle': '->'})",
    "wide legend": (
        "plt.plot(x, label='a'); plt.legend(bbox_to_anchor=(0, 1.1, 1, 1), mode='expand')"
    ),
    "laid out": "f, a = plt.subplots(1, 2, layout='constrained'); a[0].set_ylabel('long\\nlabel')",
    "markers": (
        "from matplotlib.markers import MarkerStyle\n"
        "turned = MarkerStyle('^').rotated(deg=30)\n"
        "[first] = plt.plot(x, x, marker=turned, fillstyle='left', markersize=20)\n"
        "[second] = plt.plot(x, 2 * x, 'o'); second.update_from(first); turned.rotated(deg=90)\n"
        "plt.plot(x, 3 * x, marker='$a$'); plt.plot(x, 4 * x, marker=[(0, 0), (1, 1), (1, 0)])"
    ),
    "ticks of all kinds": (
        "from matplotlib import ticker\n"
        "plt.plot(x, x); plt.minorticks_on(); plt.tick_params(which='minor', length=8)\n"
        "plt.gca().yaxis.set_major_formatter(lambda value, place: f'{place}: {value:.1f}')\n"
        "plt.gca().xaxis.set_major_locator(ticker.MaxNLocator(3, prune='both'))\n"
        "plt.gca().invert_xaxis(); plt.gca().xaxis.set_ticks_position('both')"
    ),
    "dates and words": (
        "import datetime as d\n"
        "f, (a, b) = plt.subplots(2); a.plot([d.date(2026, 1, n) for n in (1, 9, 30)], [1, 3, 2])\n"
        "b.plot(['one', 'two', 'three'], [1, 2, 3]); f.autofmt_xdate()"
    ),
    "ticks above": (
        "plt.plot(x); plt.gca().xaxis.tick_top(); plt.title('t'); plt.ylabel('l', rotation=0)"
    ),
    "drawn by hand": (
        "f = plt.figure(); f.gca().plot(x)\n"
        "f.canvas.mpl_connect('draw_event', lambda event: f.gca().set_title('drawn\\nin time'))"
    ),
}


@pytest.fixture
def changed(monkeypatch):
    """To change matplotlib with, also by `remembering`: afterwards it is as before."""
    for owner, part in zip(OWNERS, PARTS, strict=True):
        monkeypatch.setattr(owner, part, getattr(owner, part))
    yield monkeypatch
    pyplot.close("all")


@pytest.mark.parametrize("name", FIGURES)
def test_a_picture_is_the_same_as_matplotlibs_own(name, changed):
    def picture(draw):
        with pyplot.rc_context():
            pyplot.close("all")
            exec(FIGURES[name], {"plt": pyplot, "np": numpy, "x": numpy.linspace(1, 9, 20)})  # noqa: S102
            return draw(pyplot.gcf(), base64=False)

    own = picture(print_figure)
    changed.setattr(MarkerStyle, "_set_marker", taking_over(MarkerStyle._set_marker))
    assert picture(remembering(print_figure)) == own


def test_what_matplotlib_does_again_and_again_is_done_once(changed):
    """Else the pictures are the same, and take as long as matplotlib's own."""
    counted = Counter()
    for part, owner in (("get_majorticklocs", Axis), ("_get_text_metrics_with_cache", text)):
        changed.setattr(owner, part, counting(getattr(owner, part), part, counted))
    figure, axes = pyplot.subplots()
    axes.plot([1, 2, 3])
    print_figure(figure, base64=False)
    own = counted.copy()
    counted.clear()
    remembering(print_figure)(figure, base64=False)
    assert counted["get_majorticklocs"] * 3 < own["get_majorticklocs"]
    assert counted["_get_text_metrics_with_cache"] * 2 < own["_get_text_metrics_with_cache"]


def test_ticks_that_the_students_own_code_makes_are_made_each_time():
    _, axes = pyplot.subplots()
    assert key_of_ticks(axes.xaxis) is not None
    axes.xaxis.set_major_formatter(lambda value, place: str(value))
    assert key_of_ticks(axes.xaxis) is None
    axes.yaxis.set_minor_locator(type("Own", (MaxNLocator,), {})())
    assert key_of_ticks(axes.yaxis) is None
    pyplot.close("all")


def counting(function, name, counted):
    def counts(*arguments, **named):
        counted[name] += 1
        return function(*arguments, **named)

    return counts


def test_a_marker_takes_over_what_has_a_name_and_copies_the_rest(changed):
    changed.setattr(MarkerStyle, "_set_marker", taking_over(MarkerStyle._set_marker))
    named, turned = MarkerStyle("^", fillstyle="left"), MarkerStyle("o").rotated(deg=30)
    assert MarkerStyle(named).get_path() is named.get_path()
    assert vars(MarkerStyle(named)) == vars(named)
    before = turned.get_user_transform().get_matrix().tolist()
    turned.rotated(deg=60)  # it changes a copy
    named.rotated(deg=60)
    assert turned.get_user_transform().get_matrix().tolist() == before
    assert named.get_user_transform() is None


# Special syntax of IPython's, and what only looks like it.
SPECIAL = [
    "%matplotlib inline\nx = 1",
    "x?",
    "x = !ls",
    "a = %time 1",
    "if 1:\n    %time x",
    "/f x",
    "x;\n!ls",
    "%%time\nx",
    "f(a,\n !b)",
    "x =\\\n!ls",
    "?a",
    ">>> x\n... y",
    "\n  x\n  y",
    "d = 1if x else 2",
    "x = 5 \\\n % 3",
    "(1\n%2)",
    "'''\n%magic\n'''",
    "# what?",
    "await x",
    "f'{x!r}'",
    "'a?'",
    "'\\d'",
]


@pytest.mark.parametrize("source", SPECIAL)
def test_a_cell_is_read_as_ipython_reads_it(source):
    assert Transformer().transform_cell(source) == TransformerManager().transform_cell(source)
