"""Whatever a value does to the process that looks at it: that submission fails, the others are
marked."""

import dataclasses
import signal
import time

import pytest
from conftest import LIMITS, busy_neighbours, cell

from proctor.classroom import workers as workers_module
from proctor.classroom.workers import Job, MarkingSettings, PatienceWithWorker, Workers, is_crash
from proctor.grading.modules import Submission
from proctor.sandbox.machine import cores
from proctor.sandbox.patience import Starved
from proctor.wire.errors import Late

CELLS = [cell("answer", "answer = 1"), cell("answer_values", "", points=1)]
# Looking at a value does what a value of a stranger might make torch or safetensors do.
GRADER = """
import os, signal, time

@grades("answer_values", hint="h")
def test_answer(student):
    value = student.answer
    if value == 2:
        os.abort()
    if value == 3:
        while True:
            pass
    if value == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    if value == 5:
        time.sleep(3600)
    if value == 6:
        raise MemoryError
    assert value == 1
"""


@pytest.fixture
def marked(tiny_course, sandbox, monkeypatch):
    """`marked(1, 2)`: what became of these answers, marked one after the other by one worker."""
    tiny_course.add("tiny", CELLS, GRADER)
    monkeypatch.setattr(workers_module, "MORE_SECONDS", 0.0)
    monkeypatch.setattr(workers_module, "QUIET_SECONDS", 0.0)

    def mark(*answers, waiting=900.0):
        limits = dataclasses.replace(LIMITS, submission=8.0, questions=4.0, waiting=waiting)
        settings = MarkingSettings(tiny_course.root, False, limits)
        files = {str(n): tiny_course.submission(answer=f"answer = {n}") for n in answers}
        jobs = [
            Job(name, "tiny", lambda data=data: Submission(data)) for name, data in files.items()
        ]
        with Workers(1, sandbox, settings) as workers:
            outcomes = list(workers.mark(jobs))
        return {int(outcome.job.student): outcome for outcome in outcomes}

    return mark


def test_a_value_that_ends_who_looks_at_it_costs_its_own_submission(marked):
    found = marked(2, 3, 6, 1)
    assert {n: outcome.marks.score for n, outcome in found.items()} == {2: 0, 3: 0, 6: 0, 1: 1}
    assert found[2].marks.status == found[3].marks.status == "rejected"
    assert found[2].marks.error == "looking at its values ended it (SIGABRT), 2 times"
    assert found[3].marks.error == "looking at its values took longer than 8 s"
    assert len(found[2].marks.sha256) == 64
    assert found[6].marks.status == "graded"


def test_what_another_ends_says_nothing_of_the_submission(marked):
    found = marked(4, 1)
    assert found[4].marks is None
    assert found[4].error == "the worker that marked it ended, 2 times"
    assert found[1].marks.score == 1


def test_a_worker_that_never_answers_is_not_waited_for(marked):
    began = time.monotonic()
    found = marked(5, 1, waiting=10.0)
    assert found[5].marks is None
    assert found[5].starved
    assert found[1].marks.score == 1
    assert time.monotonic() - began < 120


def test_what_the_machine_was_too_busy_for_is_tried_again_with_other_inputs(marked, monkeypatch):
    tried = []

    def starve(worker, job, attempt):
        tried.append((job.student, attempt))
        if job.student == "1" and len(tried) < 3:
            return workers_module.Outcome(job, None, "busy", starved=True)
        return really(worker, job, attempt)

    really = workers_module.Worker.mark
    monkeypatch.setattr(workers_module.Worker, "mark", starve)
    found = marked(1, 7)
    assert tried == [("1", 0), ("7", 0), ("1", 2)]
    assert {n: outcome.marks.score for n, outcome in found.items()} == {1: 1, 7: 0}


CLASS = {
    "right": "def f(x): return 2 * x",
    "right, but slow": (
        "import time\n"
        "def f(x):\n"
        "    end = time.process_time() + 0.4\n"
        "    while time.process_time() < end: pass\n"
        "    return 2 * x"
    ),
    "wrong": "def f(x): return 3 * x",
    "never ends": "def f(x):\n    while True: pass",
    "sleeps": "import time\ndef f(x): time.sleep(600)",
}
CALLS = '''
@grades("f_values", hint="h")
def test_f(student):
    """Doubles."""
    assert student.f(2) == 4
'''


def test_a_class_gets_the_same_marks_on_a_busy_machine(tiny_course, sandbox):
    """A call may take 0.8 s and one takes 0.4: beside eight others a core, that is seconds. More
    submissions at a time than there are cores hold each other up as well."""
    tiny_course.add(
        "tiny", [cell("f", "def f(x): return 2 * x"), cell("f_values", "", points=1)], CALLS
    )
    settings = MarkingSettings(tiny_course.root, False, LIMITS)
    jobs = [
        Job(name, "tiny", lambda source=source: Submission(tiny_course.submission(f=source)))
        for name, source in CLASS.items()
    ]

    def marks(workers):
        with Workers(workers, sandbox, settings) as started:
            return {
                outcome.job.student: (outcome.marks.score, outcome.marks.incidents)
                for outcome in started.mark(jobs)
            }

    quiet = marks(1)
    with busy_neighbours(8 * cores()):
        busy = marks(4)
    assert busy == quiet
    assert quiet == {
        "right": (1.0, []),
        "right, but slow": (1.0, []),
        "wrong": (0.0, []),
        "never ends": (0.0, ["f took longer than its 0.8 s"]),
        "sleeps": (0.0, ["f took longer than its 0.8 s"]),
    }


@pytest.mark.parametrize(
    ("code", "crash"),
    [(None, False), (0, False), (1, False), (-signal.SIGKILL, False), (-signal.SIGABRT, True)],
)
def test_a_crash_is_told_from_a_kill(code, crash):
    assert is_crash(code) is crash


def test_patience_with_a_worker_ends(monkeypatch):
    used = [10.0]
    monkeypatch.setattr(workers_module, "processor_time", lambda _: used[0])
    patience = PatienceWithWorker(1, 5.0, 1000.0)
    used[0] = 14.0
    assert patience.next_wait() > 0
    used[0] = 15.1
    with pytest.raises(Late, match="longer than 5 s"):
        patience.next_wait()
    with pytest.raises(Starved):
        PatienceWithWorker(1, 5.0, -1.0).next_wait()
