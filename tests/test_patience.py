"""A busy machine costs nobody a mark: what counts is what a submission uses, not the clock."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import busy_neighbours

from proctor.course import Course
from proctor.grading.marking import mark
from proctor.inside import meter as meter_module
from proctor.inside.meter import Meter, Process, Thread
from proctor.sandbox import sessions
from proctor.sandbox.examination import Examination
from proctor.sandbox.patience import LAST_PIECES, OwnTime, PatienceWith, Starved, seconds_busy
from proctor.settings import TimeLimits
from proctor.wire.errors import Late
from proctor.wire.usage import Look, UsageFile

ROOT = Path(__file__).parents[1]

# What the warm process sees of a session


@pytest.fixture
def seen(monkeypatch):
    """`look(passed, processor, *threads)`: a look at a session with these, after so long; `inside`
    are the numbers of its processes, and those that they have in there."""
    meter, clock = Meter(at=100.0), [100.0]
    monkeypatch.setattr(meter_module.time, "monotonic", lambda: clock[0])

    def look(passed, processor, *threads, inside=None):
        clock[0] += passed
        process = Process(processor, list(threads))
        monkeypatch.setattr(meter_module, "read_process", lambda _number: process)
        return meter.add([1], inside)

    return look


def total(looks):
    return looks[-1].processor, round(looks[-1].idle, 6)


def test_who_sleeps_is_idle(seen):
    looks = [seen(0.05, 0.0, Thread(1, "S", 0.0, 0.0, 1)) for _ in range(20)]
    assert total(looks) == (0.0, 1.0)


def test_who_computes_uses_the_processor(seen):
    looks = [seen(0.05, n * 0.05, Thread(1, "R", n * 0.05, 0.0, n)) for n in range(1, 21)]
    assert total(looks) == (1.0, 0.0)


def test_who_waits_for_a_processor_is_not_idle(seen):
    """It ran for a tenth of the time, and waited for the rest."""
    looks = [seen(0.05, n * 0.005, Thread(1, "R", n * 0.005, n * 0.045, n)) for n in range(1, 101)]
    assert total(looks) == (0.5, 0.0)


def test_waiting_that_is_told_at_its_end_alone_is_not_idle(seen):
    """A quota may hold it up for long: until it runs again, /proc says nothing of it."""
    waiting = Thread(1, "R", 0.01, 0.0, 1)
    looks = [seen(0.05, 0.01, waiting) for _ in range(40)]
    looks.append(seen(0.05, 0.03, Thread(1, "R", 0.03, 1.93, 2)))
    assert total(looks)[1] < 0.1


def test_who_waits_for_the_disk_is_not_idle_but_for_a_child_it_is(seen, monkeypatch):
    stuck = Thread(1, "D", 0.0, 0.0, 1)
    monkeypatch.setattr(meter_module, "waiting_for_disks", lambda: 1)
    assert total([seen(0.05, 0.0, stuck) for _ in range(20)]) == (0.0, 0.0)
    monkeypatch.setattr(meter_module, "waiting_for_disks", lambda: 0)
    assert total([seen(0.05, 0.0, stuck) for _ in range(20)]) == (0.0, 1.0)


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")
def test_who_waits_for_a_child_to_begin_does_not_wait_for_the_disk_though_it_says_so(
    seen, monkeypatch, tmp_path
):
    """In state D, for as long as the child likes, which waits for somebody to open a pipe."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    opened = [(os.POSIX_SPAWN_OPEN, 0, str(pipe), os.O_RDONLY, 0)]
    spawn = f"import os\nos.posix_spawn('/bin/true', ['true'], {{}}, file_actions={opened})"
    process = subprocess.Popen([sys.executable, "-c", spawn])
    try:
        for _ in range(1000):
            if meter_module.stat_fields(f"/proc/{process.pid}/stat")[0] == "D":
                break
            time.sleep(0.01)
        monkeypatch.setattr(meter_module, "waiting_for_disks", lambda: 1)
        stuck = Thread(process.pid, "D", 0.0, 0.0, 1)
        assert total([seen(0.05, 0.0, stuck) for _ in range(20)]) == (0.0, 1.0)
    finally:
        os.close(os.open(pipe, os.O_RDWR | os.O_NONBLOCK))
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("running", "idle"),
    [
        (3, 1.0),  # nobody else is there: what it does is too brief to be seen
        (4, 1.0),  # one other takes nothing from a single thread: there are two processors
        (5, 2 / 3),
        (11, 2 / 9),
        (2, 0.0),  # a quota keeps some of them from running
    ],
)
def test_whose_own_processes_wait_for_each_other_is_not_held_up(seen, monkeypatch, running, idle):
    """Three threads want two processors; `running` want some on the whole machine."""
    monkeypatch.setattr(meter_module, "processors_for", lambda _thread: 2)
    monkeypatch.setattr(meter_module, "running_on_machine", lambda: running)
    crowd = [Thread(n, "R", 0.0, 0.0, 1) for n in range(3)]
    first, *looks = [seen(0.05, 0.0, *crowd) for _ in range(21)]
    assert looks[-1].idle - first.idle == pytest.approx(idle)


def test_fewer_threads_than_processors_wait_for_others_alone(seen, monkeypatch):
    monkeypatch.setattr(meter_module, "processors_for", lambda _thread: 2)
    monkeypatch.setattr(meter_module, "running_on_machine", lambda: 2)
    waiting = [Thread(n, "R", 0.0, 0.0, 1) for n in range(2)]
    assert total([seen(0.05, 0.0, *waiting) for _ in range(21)])[1] < 0.06


@pytest.mark.parametrize("caught", [1, 3], ids=["each time", "now and then"])
@pytest.mark.parametrize(("running", "idle"), [(1, 1.0), (2, 1.0), (6, 1 / 5)])
def test_processes_too_brief_to_be_seen_are_not_others(seen, monkeypatch, caught, running, idle):
    """One thread waits for the only processor, which a chain of processes has that nobody waits
    for; each makes the next. `running` is how many want some on the whole machine."""
    monkeypatch.setattr(meter_module, "processors_for", lambda _thread: 1)
    monkeypatch.setattr(meter_module, "running_on_machine", lambda: running)
    waits = Thread(1, "R", 0.0, 0.0, 1)
    first = seen(0.05, 0.0, waits, inside={1: 1})
    for number in range(1, 61):
        brief = {100 + number: 1 + 10 * number % 500} if number % caught == 0 else {}
        last = seen(0.05, 0.0, waits, inside={1: 1, **brief})
    assert last.idle - first.idle == pytest.approx(3.0 * idle)


def test_who_starts_programs_one_after_the_other_is_held_up_by_others(seen, monkeypatch):
    """It waits for each, as most do; few are seen, and each of these waits for a processor."""
    monkeypatch.setattr(meter_module, "processors_for", lambda _thread: 2)
    monkeypatch.setattr(meter_module, "running_on_machine", lambda: 6)
    looks = [
        seen(
            *(0.05, 0.01 * number),
            Thread(1, "S", 0.0, 0.0, 1),
            Thread(100 + number, "R", 0.0, 0.04, 1),
            inside={1: 1, 100 + number: 1 + 10 * number},
        )
        for number in range(1, 41)
    ]
    assert total(looks)[1] < 0.01


def test_threads_that_began_are_no_processes_that_nobody_saw(seen, monkeypatch):
    """They have numbers from the same row."""
    monkeypatch.setattr(meter_module, "processors_for", lambda _thread: 1)
    monkeypatch.setattr(meter_module, "running_on_machine", lambda: 6)
    threads = [Thread(number, "S", 0.0, 0.0, 1) for number in range(2, 10)]
    looks = [
        seen(0.05, 0.0, Thread(1, "R", 0.0, 0.0, 1), *threads[:number], inside={1: 1})
        for number in range(1, 9)
    ]
    threads += [Thread(1, "R", 0.0, 0.0, 1), Thread(10, "S", 0.0, 0.0, 1)]
    looks.append(seen(0.05, 0.0, *threads, inside={1: 1, 10: 10}))
    assert looks[-1].idle == looks[0].idle


def test_a_closed_lid_is_not_idleness(seen):
    asleep = Thread(1, "S", 0.0, 0.0, 1)
    looks = [seen(0.05, 0.0, asleep), seen(3600.0, 0.0, asleep), seen(0.05, 0.0, asleep)]
    assert total(looks)[1] <= 0.3


def test_what_vanishes_without_being_waited_for_has_used_its_time(seen):
    asleep = Thread(1, "S", 0.0, 0.0, 1)
    looks = [seen(0.05, seconds, asleep) for seconds in (1.0, 3.0, 0.0, 2.0)]
    assert looks[-1].processor == 5.0


def test_the_processor_time_of_processes_is_what_the_kernel_says():
    spin = "import time\nwhile time.process_time() < {0}: pass\n"
    child = (
        f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {spin.format(0.3)!r}])\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", child + spin.format(0.2) + "print(flush=True)\ntime.sleep(60)"],
        stdout=subprocess.PIPE,
    )
    try:
        process.stdout.readline()
        assert 0.48 < meter_module.read_process(process.pid).processor < 1.0
        assert meter_module.number_inside(process.pid) == process.pid
    finally:
        process.kill()
        process.communicate()
    assert meter_module.read_process(process.pid) is None


def test_a_look_that_is_half_written_is_not_read():
    file = UsageFile.create()
    assert file.read() is None
    file.write(Look(1.0, 2.0, 3.0))
    assert file.read() == Look(1.0, 2.0, 3.0)
    os.pwrite(file.descriptor, b"half", 3)
    assert file.read() == Look(1.0, 2.0, 3.0)
    file.close()
    file.close()
    assert file.read() == Look(1.0, 2.0, 3.0)


# How long an answer is waited for


class Measured:
    """A session that uses what a test says."""

    def __init__(self):
        self.told = []
        self.processor = self.idle = 0.0

    def look(self):
        return Look(time.monotonic(), self.processor, self.idle)

    def interrupt(self, process):
        self.told.append(process)


@pytest.fixture
def impatience(monkeypatch):
    monkeypatch.setattr("proctor.sandbox.patience.LOOK_SECONDS", 0.0)
    monkeypatch.setattr("proctor.sandbox.patience.AGAIN_SECONDS", 0.0)


def patience_with(session, until):
    """Patience of 2 s with process 7 of it."""
    own_time = OwnTime(session)
    own_time.begin()
    return PatienceWith(own_time, 2.0, until, process=7)


@pytest.mark.usefixtures("impatience")
@pytest.mark.parametrize("idle", [0.0, 0.6, 1.0])
def test_who_has_used_the_limit_is_told_then_late(idle):
    """What is computed and what is slept add up, whatever part is which."""
    session = Measured()
    patience = patience_with(session, time.monotonic() + 600)

    def use(seconds):
        session.processor, session.idle = (1 - idle) * seconds, idle * seconds

    for used in (0.0, 1.9):
        use(used)
        assert patience.next_wait() == 0.0
        assert session.told == []
    use(2.5)
    patience.next_wait()
    assert session.told == [7]
    use(3.5)
    # What is there already is still taken, but no more than an answer can be.
    assert {patience.next_wait() for _ in range(LAST_PIECES)} == {0.0}
    with pytest.raises(Late):
        patience.next_wait()
    assert session.told == [7]


@pytest.mark.usefixtures("impatience")
def test_what_was_used_before_the_question_does_not_count():
    session = Measured()
    session.processor = session.idle = 100.0
    patience = patience_with(session, time.monotonic() + 600)
    for _ in range(5):
        patience.next_wait()
    assert session.told == []


@pytest.mark.parametrize("busy", [0.0, 0.03, 0.5])
def test_brief_idling_adds_up_and_what_is_not_the_sessions_own_does_not_count(monkeypatch, busy):
    """The session idles all the time. It is looked at every 0.05 s, and asked for 0.04 s each, of
    which the asking side is held up for a part: an answer may lie there unread."""
    clock, held_up = [0.0], [0.0]
    monkeypatch.setattr("proctor.sandbox.patience.time.monotonic", lambda: clock[0])
    monkeypatch.setattr("proctor.sandbox.patience.seconds_busy", lambda: held_up[0])

    class Idle(Measured):
        def look(self):
            at = round(clock[0] // 0.05) * 0.05
            return Look(at, 0.0, at)

    own_time = OwnTime(Idle())
    for _ in range(100):
        clock[0] += 0.07
        assert own_time.used < 4.01
        own_time.begin()
        clock[0] += 0.04
        held_up[0] += busy
        own_time.end()
        held_up[0] += 1.0
    assert own_time.used == pytest.approx(100 * max(0.0, 0.04 - busy), abs=0.1)


def test_how_long_a_thread_was_busy():
    before, began = seconds_busy(), time.thread_time()
    while time.thread_time() < began + 0.2:
        pass
    worked = seconds_busy()
    time.sleep(0.2)
    assert worked - before > 0.19
    with busy_neighbours(2, core=0):
        held_up = threads_time_on(core=0, seconds=0.1)
    assert held_up > 0.15


def threads_time_on(core, seconds):
    """What a thread is busy for that needs so many seconds of a core that others want as well."""
    allowed, before = os.sched_getaffinity(0), seconds_busy()
    os.sched_setaffinity(0, {core})
    began = time.thread_time()
    while time.thread_time() < began + seconds:
        pass
    os.sched_setaffinity(0, allowed)
    return seconds_busy() - before


@pytest.mark.usefixtures("impatience")
def test_a_machine_that_never_lets_it_run_is_not_its_fault():
    patience = patience_with(Measured(), time.monotonic() - 1)
    with pytest.raises(Starved):
        patience.next_wait()


# Real sessions on a core that eight others want as well


def test_a_starved_session_is_cut_off_for_nothing_that_it_did_not_use(sandbox):
    """Each cell has 0.5 s and needs 0.3: on a core shared with eight others that takes seconds."""
    work = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
    limits = TimeLimits(cell=0.5, call=0.5, submission=30.0, questions=10.0)
    with Examination(sandbox, ["import os\nos.sched_setaffinity(0, {0})", work, "x = 1"]) as quiet:
        quiet.limits = limits
        began = time.monotonic()
        with busy_neighbours(8, core=0):
            quiet.run_cells()
            ask = {"ask": "run", "source": work}
            reply, _ = quiet.question().ask(ask, [], 0.5)
        assert time.monotonic() - began > 1.5  # else this shows nothing
        assert [run.status for run in quiet.runs] == ["ok"] * 3
        assert quiet.incidents == []
        assert reply == {}
        assert 0.5 < quiet.spent < 1.2


@pytest.fixture
def quota():
    """A control group whose processes have a tenth of one core, as containers have a share."""
    version_1 = Path("/sys/fs/cgroup/cpu")
    group = version_1 / f"proctor-quota-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no control group with a quota can be made here: {error.strerror}")
    (group / "cpu.cfs_period_us").write_text("100000")
    (group / "cpu.cfs_quota_us").write_text("10000")
    yield group
    for _ in range(100):  # the last of its processes are on their way out
        with contextlib.suppress(OSError):
            group.rmdir()
            return
        time.sleep(0.1)


def test_a_quota_of_a_container_costs_no_mark(quota, monkeypatch):
    """Everything together runs ten times as long, and nothing is cut off."""
    monkeypatch.setattr(sessions, "group_for", lambda *_: None)  # it would lead out of the quota
    assignment, course = "mnist_loss", Course(ROOT)
    with contextlib.closing(sessions.Sandbox()) as sandbox:
        warm = sandbox.start()
        warm.wait_until_ready()
        for process in meter_module.processes_of(warm._process.pid):
            (quota / "cgroup.procs").write_text(str(process))
        submission = course.reference(assignment).read_bytes()
        marks = mark(submission, assignment, course, sandbox=sandbox, figures=False)
    throttled = dict(line.split() for line in (quota / "cpu.stat").read_text().splitlines())
    assert int(throttled["throttled_time"]) > 1e9  # nanoseconds; else this shows nothing
    assert marks.score == marks.max_score
    assert marks.incidents == []


@pytest.mark.parametrize(
    "cell",
    [
        "import time\nwhile True:\n    time.sleep(0.01)",
        "while True:\n    pass",
        "import threading\nthreading.Event().wait()",
        "import subprocess\nsubprocess.run(['sleep', '60'])",
        "import os, time\nif os.fork() == 0:\n    while True: pass\ntime.sleep(60)",
        "import multiprocessing\nwith multiprocessing.Pool(2) as pool:\n"
        "    pool.map(list, [iter(int, 1)] * 2)",
    ],
    ids=["sleeps", "loops", "waits", "child sleeps", "child loops", "pool loops"],
)
def test_what_never_ends_still_ends(examine, cell):
    began = time.monotonic()
    examined = examine(cell, "x = 1")
    assert [run.status for run in examined.runs] == ["late", "ok"]
    assert examined.incidents == ["cell 1 was stopped after its 0.8 s"]
    assert 0.7 < examined.spent < 2.5
    assert time.monotonic() - began < 20


def test_processes_that_nobody_waits_for_are_not_free(examine):
    """The kernel forgets the processor time of children whose end their parent ignores."""
    storm = (
        "import os, signal, time\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        "while True:\n"
        "    if os.fork() == 0:\n"
        "        end = time.process_time() + 0.02\n"
        "        while time.process_time() < end: pass\n"
        "        os._exit(0)\n"
        "    time.sleep(0.02)"
    )
    began = time.monotonic()
    examined = examine(storm, "x = 1")
    assert examined.runs[0].status in ("late", "died")
    assert time.monotonic() - began < 20


def test_a_late_signal_to_stop_stops_nothing_else(examine):
    """It may come when its cell has ended, or while a cell runs that was not told of it."""
    examined = examine("import os, signal\nos.kill(os.getpid(), signal.SIGALRM)\nx = 1", "y = 2")
    assert [run.status for run in examined.runs] == ["late", "ok"]
    session = examined._session
    for _ in range(3):
        session.interrupt(1)
    assert examined._execute(1, 0.0).status == "ok"
    assert signal.getsignal(signal.SIGALRM) is signal.SIG_DFL
