"""One notebook under examination: whatever a cell does, its neighbours run and it is named."""

import contextlib
import gc
import json
import os
import socket
import time
from pathlib import Path

import pytest

from proctor.pages.report.acting import time_ran_out
from proctor.sandbox import examination as examination_module
from proctor.sandbox import patience as patience_module
from proctor.sandbox.examination import Examination
from proctor.sandbox.outputs import Update, clean_output, clean_updates
from proctor.sandbox.question import QuestionLost
from proctor.settings import TimeLimits
from proctor.wire.errors import Malformed


@pytest.fixture
def impatience(monkeypatch):
    monkeypatch.setattr(patience_module, "GRACE", 0.3)


def text_of(run):
    return "".join(output.get("text", "") for output in run.outputs)


def statuses(examined):
    return [run.status for run in examined.runs]


def test_cells_share_their_names_and_keep_their_numbers(examine):
    examined = examine("x = 20", "x + 1", "_ + 1")
    assert statuses(examined) == ["ok"] * 3
    assert [run.outputs[0]["execution_count"] for run in examined.runs[1:]] == [2, 3]
    assert examined.runs[2].outputs[0]["data"]["text/plain"] == "22"
    assert examined.incidents == []


def test_after_an_error_the_next_cell_runs(examine):
    examined = examine("x = 1", "raise ValueError('no')", "print(x)")
    assert statuses(examined) == ["ok", "error", "ok"]
    assert examined.runs[1].outputs[0]["evalue"] == "no"
    assert text_of(examined.runs[2]) == "1\n"
    assert examined.incidents == []


def test_every_notebook_starts_with_the_same_random_numbers(examine):
    source = "import random, numpy, torch\nrandom.random(), numpy.random.rand(), torch.rand(1)"
    first, second = (examine(source).runs[0].outputs[0]["data"] for _ in range(2))
    assert first == second


FATAL = {
    "os._exit": ("import os\nos._exit(3)", "exit 3"),
    "segmentation fault": ("import ctypes\nctypes.string_at(0)", "SIGSEGV"),
    "abort": ("import os\nos.abort()", "signal"),
    "closes its own socket": (
        "import os\nfor fd in range(3, 200):\n    try:\n        os.close(fd)\n"
        "    except OSError:\n        pass",
        None,
    ),
}


@pytest.mark.parametrize(("source", "reason"), FATAL.values(), ids=FATAL)
def test_a_cell_that_ends_its_process_is_left_out(examine, source, reason):
    examined = examine("x = 1", source, "print(x)")
    assert statuses(examined) == ["ok", "died", "ok"]
    assert text_of(examined.runs[2]) == "1\n"
    (incident,) = examined.incidents
    assert incident.startswith("cell 2 ended its process")
    assert reason is None or reason in incident
    assert "cell 2" not in text_of(examined.runs[0]) + text_of(examined.runs[2])
    assert "ended its process" in text_of(examined.runs[1])


@pytest.mark.parametrize("target", ["os.getpid()", "1", "-1", "os.getppid()", "0"])
def test_a_cell_cannot_kill_what_it_runs_in(examine, target):
    """It is process 1 of its namespace, which nothing in the namespace can kill."""
    kill = f"import os, signal\nos.kill({target}, signal.SIGKILL)"
    stop = f"os.kill({target}, signal.SIGSTOP)"
    examined = examine("x = 1", kill, stop, "print(x)")
    assert text_of(examined.runs[3]) == "1\n"
    assert examined.incidents == []


@pytest.mark.usefixtures("impatience")
@pytest.mark.parametrize(
    "source",
    [
        "import signal\nsignal.signal(signal.SIGALRM, signal.SIG_IGN)\nwhile True:\n    pass",
        "while True:\n    try:\n        while True:\n            pass\n"
        "    except BaseException:\n        pass",
        "import signal, time\nsignal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\n"
        "time.sleep(60)",
        "sum(range(10**13))",
    ],
    ids=["ignores the signal", "swallows them all", "blocks them", "inside C code"],
)
def test_a_cell_that_cannot_be_stopped_is_left_out(examine, source):
    started = time.monotonic()
    examined = examine("x = 1", source, "print(x)")
    assert statuses(examined) == ["ok", "died", "ok"]
    assert text_of(examined.runs[2]) == "1\n"
    assert examined.incidents == [
        "cell 2 did not stop after its 0.8 s; the notebook was run again without it"
    ]
    assert time_ran_out(examined.incidents[0])
    assert time.monotonic() - started < 30


def test_several_cells_that_end_their_process_are_all_left_out(examine):
    examined = examine(
        "x = 1", "import os; os._exit(1)", "x += 1", "import os; os._exit(2)", "print(x)"
    )
    assert statuses(examined) == ["ok", "died", "ok", "died", "ok"]
    assert text_of(examined.runs[4]) == "2\n"
    assert [incident[:6] for incident in examined.incidents] == ["cell 2", "cell 4"]


def test_a_cell_that_dies_only_when_run_again_is_blamed_itself(sandbox):
    """Its neighbour's end is the reason for the second run, not for its own end."""
    cells = ["x = 1", "import os; state = 0", "os._exit(1)", "print(x)"]
    with Examination(sandbox, cells, names=["a", "b", "c", "d"]) as examined:
        examined.run_cells()
        assert statuses(examined) == ["ok", "ok", "died", "ok"]
        examined.cells[1] = "import os; os._exit(7)"
        examined._drop_session()
        assert examined.question().alive
        assert examined.incidents[-1].startswith("b ended its process (exit 7)")


BOMBS = {
    "memory": "held = []\nwhile True:\n    held.append(bytearray(64 << 20))",
    "one tensor": "import torch\ntorch.empty(25 * 10**9).fill_(1)",
    "threads": (
        "import threading, time\n"
        "while True:\n    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()"
    ),
    "forks": "import os, time\nwhile True:\n    if os.fork() == 0:\n        time.sleep(60)",
    "forks of forks": "import os\nwhile True:\n    os.fork()",
    "files": "n = 0\nwhile True:\n    open(f'/tmp/{n}', 'w').close()\n    n += 1",
    "open files": "held = []\nwhile True:\n    held.append(open('/dev/null'))",
}


def test_a_notebook_that_cannot_be_asked_anything_is_not_run_again_for_every_check(
    examine, sandbox, monkeypatch
):
    examined = examine(BOMBS["threads"], limits=TimeLimits(cell=1.0))
    session, sessions = sandbox.session, []
    monkeypatch.setattr(sandbox, "session", lambda: sessions.append(session()) or sessions[-1])
    for _ in range(6):
        with pytest.raises(QuestionLost):
            examined.question()
    assert len(sessions) < 4
    assert [incident[:30] for incident in examined.incidents] == ["once its cells had run, the no"]


@pytest.mark.usefixtures("impatience")
@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_bomb_hurts_its_own_cell_alone(examine, bomb):
    limits = TimeLimits(cell=1.0, submission=200)
    examined = examine("x = 1", bomb, "x", limits=limits)
    assert examined.runs[1].status in ("error", "late", "died")
    # What it holds may keep the next cell from running, but not from being tried and told of.
    assert examined.runs[2].status in ("ok", "error", "died")
    if examined.runs[1].status == "died":
        assert examined.incidents[0].startswith("cell 2 ")
        assert examined.runs[2].status == "ok"


def test_the_time_of_a_submission_is_limited_and_some_is_kept_for_questions(examine):
    limits = TimeLimits(cell=0.5, call=0.5, submission=3.0, questions=1.5)
    examined = examine(*["while True:\n    pass"] * 20, "x = 1", limits=limits)
    assert 1.0 < examined.spent < 2.5
    assert statuses(examined)[0] == "late"
    assert statuses(examined)[-1] == "skipped"
    assert "took longer than its 1.5 s" in examined.incidents[-1]
    assert time_ran_out(examined.incidents[-1])
    assert examined.seconds_for_call(0.5) == 0.5
    assert examined.question().alive


@pytest.mark.usefixtures("impatience")
def test_running_again_does_not_use_up_the_time_for_questions(examine):
    limits = TimeLimits(cell=1.0, call=0.5, submission=5.0, questions=2.0)
    slow = "import time\ntime.sleep(0.5)"
    examined = examine(slow, slow, *["import os\nos._exit(1)"] * 6, limits=limits)
    assert "skipped" in statuses(examined)
    assert examined._remaining(0.0) > 1.0


def test_slow_own_cells_leave_the_others_their_time(sandbox):
    limits = TimeLimits(cell=0.8, call=0.5, submission=5.0, questions=1.0)
    slow, quick = ["while True:\n    pass"] * 4, ["helper = 1"]
    cells = [*slow, *quick, "answer = helper", *slow[:1], "other = 2"]
    with Examination(sandbox, cells, limits=limits, own_cells=range(5)) as examined:
        examined.run_cells()
        assert statuses(examined) == ["late"] * 4 + ["ok", "ok", "late", "ok"]
        assert examined.spent < 4.0
        assert examined.incidents[0] == "cell 1 was stopped after its 0.8 s"
        assert float(examined.incidents[3].split()[-2]) < 0.3


def test_when_the_time_is_used_up_there_is_none_for_a_call(examine):
    limits = TimeLimits(cell=0.5, call=0.5, submission=0.1, questions=0.0)
    examined = examine("import time\ntime.sleep(0.3)", "x = 1", limits=limits)
    assert examined.seconds_for_call(4.0) == 0.0
    assert examined.runs[1].status == "skipped"


def test_figures_are_drawn_only_where_asked_for(examine):
    source = "import matplotlib.pyplot as plt\nplt.plot([1, 2]);"
    drawn, left_out = (examine(source, figures=figures).runs[0] for figures in (True, False))
    assert drawn.outputs[0]["data"]["image/png"].startswith("iVBOR")
    assert left_out.outputs[0]["data"] == {"text/plain": "<Figure size 640x480 with 1 Axes>"}


LEFT_OUT = "[left out: this notebook was graded without figures]\n"


@pytest.mark.parametrize(
    ("last", "figures", "status", "printed"),
    [
        ("print(kept)", True, "ok", "drawn\n"),
        ("print(kept)", False, "skipped", LEFT_OUT),
        ("print(drawn)", False, "ok", "drawn\n"),
        ("def broken(:", False, "ok", "drawn\n"),
    ],
)
def test_figure_cells_that_no_other_needs_are_not_run(sandbox, last, figures, status, printed):
    cells = ["kept = 1", "drawn = kept + 1; print('drawn')", last]
    with Examination(sandbox, cells, figures=figures, figure_cells=[1]) as examined:
        _, run, _ = examined.run_cells()
        assert (run.status, text_of(run)) == (status, printed)
        assert examined.incidents == []
        assert examined.question().alive


def test_errors_name_cells_by_their_numbers_though_a_figure_is_left_out(sandbox):
    cells = ["kept = 1", "drawn = 2", "1 / 0"]
    with Examination(sandbox, cells, figures=False, figure_cells=[1]) as examined:
        *_, failed = examined.run_cells()
        assert "In[3]" in "\n".join(failed.outputs[-1]["traceback"])


def test_a_text_that_python_cannot_compile_leaves_no_figure_out(sandbox):
    bomb = "x = " + "-" * 2_000_000 + "1"
    with Examination(sandbox, ["a = 1", bomb], figures=False, figure_cells=[0]) as examined:
        assert examined.run_cells()[0].status == "ok"


def test_the_first_figure_of_a_session_imports_nothing(examine):
    draw = "plt.plot([1, 2])\nplt.title('a')\nplt.show()"
    look = "import sys\nimport matplotlib.pyplot as plt\nbefore = set(sys.modules)"
    *_, last = examine(look, draw, "sorted(set(sys.modules) - before)").runs
    assert last.outputs[0]["data"]["text/plain"] == "[]"


def test_the_outputs_of_a_whole_notebook_are_limited(examine, monkeypatch):
    monkeypatch.setattr(examination_module, "MAX_OUTPUT_BYTES", 3 << 20)
    examined = examine(*["print('x' * 1_000_000)"] * 5)
    assert sum(len(text_of(run)) for run in examined.runs) < 4 << 20
    assert text_of(examined.runs[0]).startswith("xxx")
    assert text_of(examined.runs[4]).startswith("[output left out")


# A hostile process that writes to its session's own socket

FORGE = """
import json, os, socket, stat, struct

def sockets():
    numbers = [int(name) for name in os.listdir("/proc/self/fd")]
    found = [number for number in numbers if is_socket(number)]
    return [socket.socket(fileno=os.dup(number)) for number in found]

def is_socket(number):
    try:
        return stat.S_ISSOCK(os.fstat(number).st_mode)
    except OSError:
        return False

def forge(header, blob=b''):
    if not isinstance(header, bytes):
        header = json.dumps(header).encode()
    for one in sockets():
        try:
            one.sendall(struct.pack('>II', len(header), len(blob)) + header + blob)
        except OSError:
            pass
"""

FORGED = {
    "other outputs": {"outputs": [{"output_type": "stream", "text": "forged"}], "status": "ok"},
    "no outputs": {"status": "ok"},
    "outputs of no kind": {"outputs": [{"output_type": "stream"}], "status": "ok"},
    "outputs that are no objects": {"outputs": [1], "status": "ok"},
    "an unknown status": {"outputs": [], "status": "full marks"},
    "a question's process": {"process": 1},
    "a process that is none": {"process": "1"},
    "a list": [],
    "no JSON": b"\xff\xfe",
    "deep JSON": b"[" * 100_000,
}


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED)
def test_forged_answers_cost_no_more_than_the_cells_of_the_forger(examine, forged):
    examined = examine("x = 1", FORGE, f"forge({forged!r})", "print(x)", "y = 2")
    assert len(examined.runs) == 5
    assert all(run.status in ("ok", "error", "late", "died") for run in examined.runs)
    # A question can be opened or not; there is an answer either way, and soon.
    started = time.monotonic()
    with contextlib.suppress(QuestionLost):
        examined.question()
    examined.end_question()
    assert time.monotonic() - started < 30


def test_an_answer_to_a_cell_does_not_pass_for_a_question(examine):
    """The forged answer is read for the cell, and the cell's own when a question is opened."""
    forged = {"outputs": [], "status": "ok", "updates": []}
    examined = examine(FORGE, f"forge({forged!r})")
    assert statuses(examined) == ["ok", "ok"]
    with pytest.raises(QuestionLost) as caught:
        examined.question()
    assert caught.value.forged


@pytest.mark.usefixtures("impatience")
def test_a_flood_of_forged_frames_is_read_no_further_than_asked(examine):
    flood = "for _ in range(100_000):\n    forge({'outputs': [], 'status': 'ok', 'updates': []})"
    examined = examine("x = 1", FORGE, flood, "x")
    assert len(examined.runs) == 4


def test_a_process_that_a_cell_forked_answers_nothing(examine):
    examined = examine("import os\nchild = os.fork()\nprint('once')", "print('next')")
    assert [text_of(run) for run in examined.runs] == ["once\n", "next\n"]


MALFORMED_OUTPUTS = [
    None,
    [],
    "stream",
    {},
    {"output_type": "pickle"},
    {"output_type": ["stream"]},
    {"output_type": "stream"},
    {"output_type": "stream", "text": 1},
    {"output_type": "stream", "text": [1]},
    {"output_type": "error", "ename": 1, "evalue": "", "traceback": []},
    {"output_type": "error", "ename": "E", "evalue": "", "traceback": [1]},
    {"output_type": "display_data"},
    {"output_type": "display_data", "data": {"text/plain": {"a": 1}}},
    {"output_type": "execute_result", "data": []},
]


@pytest.mark.parametrize("output", MALFORMED_OUTPUTS, ids=json.dumps)
def test_an_output_that_is_none_is_malformed(output):
    with pytest.raises(Malformed):
        clean_output(output)


def test_of_an_output_only_what_a_reader_may_see_is_kept():
    data = {"text/plain": "x", "text/html": "<b>", "application/javascript": "alert(1)"}
    metadata = {
        "image/png": {"width": 3, "height": -1, "onload": "x"},
        "needs_background": "light",
        "tags": ["x"],
    }
    output = {
        "output_type": "execute_result",
        "data": data,
        "metadata": metadata,
        "execution_count": "1; rm",
        "transient": {},
    }
    assert clean_output(output) == {
        "output_type": "execute_result",
        "data": {"text/plain": "x", "text/html": "<b>"},
        "metadata": {"image/png": {"width": 3}, "needs_background": "light"},
        "execution_count": None,
    }


def test_text_that_no_file_can_hold_is_made_fit():
    output = {"output_type": "stream", "name": "other", "text": "a\ud800b"}
    assert clean_output(output) == {"output_type": "stream", "name": "stdout", "text": "a?b"}


# Nothing is left behind


def open_descriptors():
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


def processes():
    """Numbers of all processes of this machine below this one."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(path.parent.name)] = int(fields[1])
    found = {os.getpid()}
    while more := {one for one, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def test_nothing_is_left_when_an_examination_is_closed(sandbox):
    def examine_once():
        cells = ["import subprocess, os", "subprocess.Popen(['sleep', '60'])", "os._exit(1)"]
        cells += ["if os.fork() == 0:\n    os.setsid()\n    import time; time.sleep(60)"]
        with Examination(sandbox, cells) as examined:
            examined.run_cells()
            found = processes()
            for _ in range(3):
                examined.question()
                examined.end_question()
            examined.question()
            return found

    examine_once()
    before, descriptors = processes(), open_descriptors()
    assert len(examine_once() - before) >= 3
    assert processes() <= before
    assert open_descriptors() == descriptors


def test_a_question_that_is_lost_leaves_no_descriptor(examine):
    examined = examine("x = 1")
    ask = {"ask": "get", "name": "x"}
    assert examined.question().ask(ask, [], 1.0)[0]["found"] is True
    descriptors = open_descriptors()
    for _ in range(5):
        question = examined.question()
        question.channel.connection.shutdown(socket.SHUT_RDWR)
        with pytest.raises(QuestionLost):
            question.ask(ask, [], 1.0)
        assert examined.question() is not question
    assert open_descriptors() == descriptors


def test_time_in_which_nothing_is_asked_is_not_the_submissions(examine):
    examined = examine("x = 1", limits=TimeLimits(submission=1.0, questions=0.5))
    time.sleep(1.2)
    assert examined.question().ask({"ask": "get", "name": "x"}, [], 1.0)[0]["found"] is True
    assert examined.seconds_for_call(4.0) > 0.3


@pytest.mark.parametrize(
    "updates",
    [
        None,
        5,
        [[1, 0, {}]],
        [["1", 0, {}, {}]],
        [[1, 0, {"text/plain": 5}, {}]],
        [[1, 0, {}, {}]] * 2000,
    ],
)
def test_updates_of_displays_that_are_not_as_agreed(updates):
    with pytest.raises(Malformed):
        clean_updates(updates)


def test_an_update_reaches_no_cell_that_is_not_there(examine):
    examined = examine("x = 1")
    for cell, place in ((5, 0), (-1, 0), (0, 3), (0, -1)):
        examined._update_displays([Update(cell, place, {"text/plain": "forged"}, {})])
    assert examined.runs[0].outputs == []
