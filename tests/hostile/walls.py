"""Attacks on the walls themselves: calls of the kernel that reach beyond a session.

Each cell tries, and lists in `got` what it got; the function tells. "the walls held" must stand in
the record.
"""

# ruff: noqa: E501 (lines of students are as long as they are)

from hostile.attack import EVERYTHING, RIGHT, Attack, cell_of, on_right, source

TELL = """
def mnist_loss(predictions, targets):
    raise RuntimeError(f"the walls gave {got}"[:300] if got else "the walls held")
"""
CALL = """
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
x86 = os.uname().machine == "x86_64"
got = []
def call(name, result):
    if result != -1:
        got.append(name)
"""

TRIES = {
    "leases on files that are shown": """
import fcntl, pathlib, torch
for place in ("/engine/proctor", pathlib.Path(torch.__file__).parent, "/usr/lib"):
    for path in list(pathlib.Path(place).rglob("*.py"))[:50]:
        with path.open() as file:
            for command, value in ((1024, 1), (1024, 0), (1026, 0x80000001)):
                try:
                    fcntl.fcntl(file, command, value)
                    got.append(str(path))
                except OSError:
                    pass
""",
    "every slot for asynchronous input": """
for size in (60000, 1000, 1):
    context = ctypes.c_ulong()
    call("io_setup", libc.syscall(206 if x86 else 0, size, ctypes.byref(context)))
for number in (425, 426, 427):
    call(f"io_uring {number}", libc.syscall(number, 8, ctypes.create_string_buffer(200), 0, 0, 0, 0))
""",
    "every watch of files": """
made = 0
while libc.inotify_init1(0) >= 0:
    made += 1
if made > 8:
    got.append(f"{made} watchers")
call("fanotify", libc.fanotify_init(0, 0))
""",
    "spared when memory runs out": """
for name in ("oom_score_adj", "oom_adj", "autogroup", "coredump_filter", "timerslack_ns", "sched"):
    for process in ("self", "1", "thread-self"):
        try:
            with open(f"/proc/{process}/{name}", "w") as file:
                file.write("0")
            got.append(name)
        except OSError:
            pass
""",
    "settings and counters of the machine": """
for name in ("sys", "stat", "loadavg", "meminfo", "locks", "kallsyms", "kcore", "sysrq-trigger", "irq", "bus", "pressure", "keys", "timer_list"):
    if os.path.lexists(f"/proc/{name}"):
        got.append(name)
""",
    "sockets of other families": """
import socket
room = (ctypes.c_int * 2)()
for family in range(2, 50):
    for kind in (1, 2, 3, 5):
        call(f"socketpair {family}", libc.socketpair(family, kind, 0, room))
        if family not in (2, 10):
            call(f"socket {family}", libc.socket(family, kind, 0))
for protocol in (33, 132, 136, 255, 262):
    for family in (2, 10):
        for kind in (1, 2, 3, 5):
            call(f"protocol {protocol}", libc.socket(family, kind, protocol))
""",
    "its end by a limit of its own": """
import resource
for change in (resource.setrlimit, lambda *what: resource.prlimit(0, *what)):
    try:
        change(resource.RLIMIT_CPU, (1, 1))
        got.append("RLIMIT_CPU")
    except (OSError, ValueError):
        pass
call("a filter of its own", libc.prctl(22, 1, 0, 0, 0))
call("a filter of its own", libc.syscall(317 if x86 else 277, 0, 0, 0))
""",
    "what others read of files": """
with open(os.__file__, "rb") as file:
    size, room = 4096, ctypes.create_string_buffer(4096)
    libc.mmap.restype = ctypes.c_void_p
    place = libc.mmap(None, ctypes.c_size_t(size), 1, 1, file.fileno(), ctypes.c_long(0))
    call("mincore", libc.mincore(ctypes.c_void_p(place), ctypes.c_size_t(size), room))
    call("pageout", libc.madvise(ctypes.c_void_p(place), ctypes.c_size_t(size), 21))
    call("fadvise", libc.syscall(221 if x86 else 223, file.fileno(), 0, 0, 4))
    call("readahead", libc.syscall(187 if x86 else 213, file.fileno(), 0, size))
    call("cachestat", libc.syscall(451, file.fileno(), room, room, 0))
    try:
        os.preadv(file.fileno(), [bytearray(9)], 0, os.RWF_NOWAIT)
        got.append("RWF_NOWAIT")
    except OSError:
        pass
""",
    "memory that belongs to the machine": """
libc.mmap.restype = ctypes.c_void_p
if libc.mmap(None, ctypes.c_size_t(2 << 20), 3, 0x40022, -1, ctypes.c_long(0)) not in (None, 2**64 - 1):
    got.append("huge pages")
call("merging", libc.prctl(67, 1, 0, 0, 0))
for name, numbers in {"mbind": (237, 235), "set_mempolicy": (238, 237), "move_pages": (279, 239), "memfd": (319, 279), "memfd_secret": (447, 447), "userfaultfd": (323, 282), "vmsplice": (278, 75)}.items():
    call(name, libc.syscall(numbers[0 if x86 else 1], 0, 0, 0, 0, 0, 0))
""",
    "calls of newer kernels": """
for number in [*range(452, 700), 1000, 5000]:
    ctypes.set_errno(0)
    if libc.syscall(number, -1, 0, 0, 0, 0, 0) != -1 or ctypes.get_errno() != errno.ENOSYS:
        got.append(number)
""",
    "namespaces, keys, tracing and mounts": """
for name, numbers, first in (("unshare", (272, 97), 0x10000000), ("setns", (308, 268), 0), ("keyctl", (250, 219), 0), ("ptrace", (101, 117), 0),
        ("bpf", (321, 280), 0), ("perf", (298, 241), 0), ("mount", (165, 40), 0), ("open_tree", (428, 428), -100), ("fsopen", (430, 430), 0),
        ("personality", (135, 92), 0), ("pidfd_getfd", (438, 438), 0), ("sync", (162, 81), 0), ("syncfs", (306, 267), 1), ("mq_open", (240, 180), 0),
        ("shmget", (29, 194), 0), ("semget", (64, 190), 0), ("msgget", (68, 186), 0), ("swapon", (167, 224), 0), ("open_by_handle_at", (304, 265), 0)):
    call(name, libc.syscall(numbers[0 if x86 else 1], first, 0, 0, 0, 0))
call("clone", libc.syscall(56 if x86 else 220, 0x10000011, 0, 0, 0, 0))
""",
    "files that only the mounts protect": """
for folder in ("/usr/lib", "/engine/proctor", "/", "/proc", "/dev"):
    try:
        open(f"{folder}/planted", "w")
        got.append(folder)
    except OSError:
        pass
for number, flags in ((0, 2), (1, 0x5000)):
    call("device", libc.mknod(b"/tmp/device", 0o20666, os.makedev(1, 1 + number)))
""",
}

MAPS = """
import ctypes, os, time
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
for _ in range(5):
    if os.fork() == 0:
        break
made = 0
while libc.mmap(None, ctypes.c_size_t(4096), 1 + made % 2, 0x22, -1, ctypes.c_long(0)) not in (None, 2**64 - 1):
    made += 1
time.sleep(2.5)
"""
LOCKS = """
import fcntl, os, time
for _ in range(5):
    if os.fork() == 0:
        break
until = time.process_time() + 4
with open(f"/tmp/{os.getpid()}", "w") as file:
    place = 0
    while time.process_time() < until:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        place += 2
"""
FLIGHT = """
import array, os, socket
pairs = [socket.socketpair() for _ in range(60)]
for end, _ in pairs:
    end.setblocking(False)
    try:
        while True:
            end.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [1] * 200))])
    except OSError:
        pass
"""


def slow_to_show(notebook):
    """Cells that cost whoever colours code and cleans markup the square of their length."""
    cell = cell_of(notebook, "mnist_loss")
    place = notebook.cells.index(cell) + 1
    for number in range(12):
        extra = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
        text = f"%%js\n// {number}\n" + '"\\' * 20_000
        notebook.cells.insert(place, {**extra, "id": f"slow-{number}", "source": text})
    return notebook


ATTACKS = [
    *(
        on_right(
            f"own: {name}",
            "a call of the kernel that reaches beyond the session",
            CALL + text + TELL,
            reason="the walls held",
        )
        for name, text in TRIES.items()
    ),
    on_right(
        "own: maps without end",
        "memory of the kernel, a little for each map",
        RIGHT + MAPS,
        may_lose=EVERYTHING,
        seconds=25.0,
    ),
    on_right(
        "own: locks without end",
        "memory of the kernel, a little for each lock",
        RIGHT + LOCKS,
        may_lose=EVERYTHING,
        seconds=25.0,
    ),
    on_right(
        "own: descriptors in flight",
        "as many descriptors sent and not received as a user may have",
        RIGHT + FLIGHT,
    ),
    Attack(
        "own: slow to show",
        "cells that take long to be coloured in the feedback",
        {"mnist_loss": source(RIGHT)},
        {"mnist_loss": source(RIGHT)},
        rewrite=slow_to_show,
    ),
]
