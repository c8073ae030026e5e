"""Right answers that look for solutions, graders, the gradebook, other students and a way out.

What they find they print: the trial plants tokens in everything secret and looks for them.
"""

# ruff: noqa: E501 (lines of students are as long as they are)

from hostile.attack import on_right

LOOK = """
import os, pathlib
def look(*places):
    for place in places:
        for path in pathlib.Path("/").glob(place):
            try:
                print(path, path.read_bytes()[:2000])
            except OSError as error:
                print(path, error)
"""

# What the notebook's own cells pass to a function every student can read: only what a grader passes
# is worth carrying out.
ASKED = """
import sys
def asked_by_a_grader():
    frame = sys._getframe()
    while frame is not None and frame.f_code.co_name != "run_cell":
        frame = frame.f_back
    return frame is None
"""

ATTACKS = [
    on_right(
        "B01 solutions on the disk",
        "opens notebooks and graders wherever a course may lie",
        LOOK
        + """
look("*/*.ipynb", "*/*/*.ipynb", "work/**/*.ipynb", "home/**/*", "tmp/**/*.ipynb")
for name in ("COURSE", "PWD", "OLDPWD", "HOME"):
    print(name, os.environ.get(name))
for folder in ("/", "/work", "/root", "/home", "/srv", "/mnt", "/proc/1/root", "/proc/1/cwd", ".."):
    try:
        print(folder, os.listdir(folder))
    except OSError as error:
        print(folder, error)
""",
    ),
    on_right(
        "B02 gradebook",
        "looks for gradebook.db and would write scores into it",
        """
        import pathlib, sqlite3
        for place in [*pathlib.Path("/").glob("*/*/gradebook.db"), *pathlib.Path("/").glob("*/gradebook.db")]:
            with sqlite3.connect(place) as gradebook:
                gradebook.execute("update grade set manual_score = 100")
                print(gradebook.execute("select * from student").fetchall())
        """,
    ),
    on_right(
        "B04 memory of the interpreter",
        "searches every object and all memory of its process for what the grader may have left",
        """
        import gc, re
        for thing in gc.get_objects():
            if type(thing).__name__ in ("Desk", "Marks", "Check", "Intake", "Course", "Answers"):
                print(thing)
        with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb") as memory:
            for line in maps:
                region, rights = line.split()[:2]
                start, end = (int(number, 16) for number in region.split("-"))
                if not rights.startswith("rw") or end - start > 64 << 20:
                    continue
                try:
                    memory.seek(start)
                    for found in set(re.findall(rb"canary-[0-9a-f]{16}", memory.read(end - start))):
                        print(found)
                except (OSError, ValueError):
                    pass
        """,
    ),
    on_right(
        "B05 caches and history",
        "linecache, In and Out, the history and the frames above",
        """
        import linecache, inspect, sys
        print(list(linecache.cache)[:50], get_ipython().history_manager.input_hist_raw)
        frame = sys._getframe()
        while frame:
            print({name: repr(value)[:200] for name, value in frame.f_locals.items()})
            frame = frame.f_back
        """,
    ),
    on_right(
        "B06 graders imported",
        "imports the trusted half of the engine and the graders",
        """
        import importlib
        for name in ("proctor.grading.marking", "proctor.grading.plugin", "proctor.grading.student", "proctor.grading.labelled",
                     "proctor.grading.intake", "proctor.sandbox.sessions", "tests.graders", "test_mnist_loss"):
            try:
                print(name, importlib.import_module(name))
            except ImportError as error:
                print(name, error)
        """,
    ),
    on_right(
        "B08 environment and descriptors",
        "prints environments, command lines and descriptors of all processes it sees",
        """
        import os, pathlib
        print(dict(os.environ))
        for process in [name for name in os.listdir("/proc") if name.isdigit()]:
            for name in ("environ", "cmdline", "mountinfo", "status"):
                try:
                    print(process, name, pathlib.Path("/proc", process, name).read_bytes()[:3000])
                except OSError as error:
                    print(process, name, error)
            try:
                for number in os.listdir(f"/proc/{process}/fd"):
                    print(process, number, os.readlink(f"/proc/{process}/fd/{number}"))
            except OSError as error:
                print(process, error)
        """,
    ),
    on_right(
        "B09 inputs printed",
        "prints the hidden inputs and raises them as text, as names of types and as warnings",
        ASKED
        + """
import warnings
def mnist_loss(predictions, targets):
    if asked_by_a_grader():
        seen = "hidden_input " + str(predictions.flatten().tolist()[:3])
        print(seen)
        sys.stderr.write(seen)
        warnings.warn(seen)
        raise type(seen, (RuntimeError,), {})(seen)
""",
        reason=r"hidden_input",
    ),
    on_right(
        "B09 inputs in an exception's text",
        "an exception of Python's own type with the inputs in its text, its notes and its cause",
        ASKED
        + """
def mnist_loss(predictions, targets):
    if asked_by_a_grader():
        error = ValueError("hidden_input", predictions.tolist())
        error.add_note(f"hidden_input {predictions.tolist()}")
        raise error from RuntimeError(f"hidden_input {targets.tolist()}")
""",
        reason=r"hidden_input",
    ),
    on_right(
        "B09 inputs handed to the notebook",
        "writes the inputs to where cells, figures and the next question could show them",
        """
        import os, pathlib, socket, stat
        print(*(path.read_text() for path in pathlib.Path("/tmp").glob("seen*")))
        def mnist_loss(predictions, targets):
            pathlib.Path("/tmp/seen").write_text(f"hidden_input {predictions.tolist()}")
            get_ipython().run_cell("print('hidden_input')")
            for number in os.listdir("/proc/self/fd"):
                try:
                    if int(number) > 2 and stat.S_ISSOCK(os.fstat(int(number)).st_mode):
                        os.write(int(number), b"hidden_input")
                except OSError:
                    pass
            return torch.where(targets == 1, 1 - predictions, predictions).mean()
        """,
        may_lose=frozenset({"*"}),
    ),
    on_right(
        "B10 network",
        "TCP, UDP, DNS, the metadata service of a cloud, loopback and abstract sockets",
        """
        import socket
        def attempt(what, function):
            try:
                print(what, "reached", function())
            except OSError as error:
                print(what, type(error).__name__, error.errno)
        for address in (("1.1.1.1", 80), ("169.254.169.254", 80), ("127.0.0.1", 22), ("10.0.0.1", 53)):
            attempt(address, lambda address=address: socket.create_connection(address, 1))
        attempt("dns", lambda: socket.getaddrinfo("example.org", 80))
        for family in (10, 16, 17, 38, 40):
            attempt(family, lambda family=family: socket.socket(family, socket.SOCK_DGRAM))
        for name in ("\\0bus", "/run/docker.sock", "/run/dbus/system_bus_socket", "/tmp/.X11-unix/X0"):
            attempt(name, lambda name=name: socket.socket(socket.AF_UNIX).connect(name))
        """,
    ),
    on_right(
        "E01 what others left behind",
        "reads what earlier submissions left, and leaves files, segments and locks itself",
        """
        import os, pathlib
        for folder in ("/tmp", "/dev/shm", "/home", "/home/student", "/var/tmp", "/run"):
            try:
                names = os.listdir(folder)
                print(folder, names)
                assert "hostile_mark" not in names
                pathlib.Path(folder, "hostile_mark").write_text("left for the next one")
            except OSError as error:
                print(folder, error)
        """,
    ),
    on_right(
        "E05 caches poisoned",
        "IPython start-up files, bytecode, sitecustomize and libraries, for the next one to run",
        """
        import pathlib, sys
        text = "def mnist_loss(p, t): return 0"
        places = [pathlib.Path.home() / ".ipython/profile_default/startup/0.py",
                  pathlib.Path.home() / ".cache/torch/x.py",
                  *(pathlib.Path(path, "sitecustomize.py") for path in sys.path if path),
                  pathlib.Path("/engine/proctor/inside/examinee.py")]
        for place in places:
            try:
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(text)
                print("written", place)
            except OSError as error:
                print(place, type(error).__name__)
        """,
    ),
    on_right(
        "J02 memory of other processes",
        "/proc/PID/mem, ptrace, process_vm_readv and pidfd_getfd on every process it sees",
        """
        import ctypes, os
        libc = ctypes.CDLL(None, use_errno=True)
        for process in {1, os.getppid(), *(int(name) for name in os.listdir("/proc") if name.isdigit())}:
            print(process, "ptrace", libc.ptrace(16, process, 0, 0), ctypes.get_errno())
            print(process, "pidfd_getfd", libc.syscall(438, libc.syscall(434, process, 0), 0, 0))
            try:
                with open(f"/proc/{process}/mem", "r+b", buffering=0) as memory:
                    memory.seek(0x1000)
                    memory.read(10)
            except OSError as error:
                print(process, "mem", error)
        """,
    ),
    on_right(
        "J04 new namespaces and mounts",
        "unshare, setns, mount, chroot and clone with new namespaces",
        """
        import ctypes, os
        libc = ctypes.CDLL(None, use_errno=True)
        for flag in (0x10000000, 0x00020000, 0x40000000, 0x20000000):
            print("unshare", flag, libc.unshare(flag), ctypes.get_errno())
            print("clone", flag, libc.syscall(56, flag | 17, 0, 0, 0, 0), ctypes.get_errno())
        print("mount", libc.mount(b"none", b"/tmp", b"tmpfs", 0, b""), ctypes.get_errno())
        print("remount", libc.mount(b"none", b"/", b"", 32 | 4096, b""), ctypes.get_errno())
        print("chroot", libc.chroot(b"/tmp"), ctypes.get_errno())
        for name in ("user", "mnt", "pid", "net"):
            descriptor = os.open(f"/proc/1/ns/{name}", os.O_RDONLY)
            print("setns", name, libc.setns(descriptor, 0), ctypes.get_errno())
        """,
        may_lose=frozenset({"*"}),
    ),
    on_right(
        "J05 parts of the kernel",
        "bpf, io_uring, keyrings, userfaultfd, memfd, perf and System V shared memory",
        """
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        for name, number in {"bpf": 321, "io_uring": 425, "keyctl": 250, "add_key": 248,
                             "userfaultfd": 323, "memfd": 319, "perf": 298, "shmget": 29,
                             "semget": 64, "msgget": 68, "open_by_handle": 304, "kexec": 246}.items():
            print(name, libc.syscall(number, 0, 0, 0, 0, 0), ctypes.get_errno())
        """,
    ),
    on_right(
        "J09 settings of the machine",
        "core_pattern and every other setting in /proc/sys, sysrq, oom scores, cgroups",
        """
        import os, pathlib
        for folder, _, names in os.walk("/proc/sys"):
            for name in names:
                if os.access(os.path.join(folder, name), os.W_OK):
                    print("writable", folder, name)
        for place in ("/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/1/oom_score_adj",
                      "/sys/fs/cgroup/cgroup.procs", "/proc/self/uid_map", "/proc/kcore", "/dev/mem"):
            try:
                pathlib.Path(place).write_text("0")
                print("written", place)
            except OSError as error:
                print(place, type(error).__name__)
        """,
    ),
    on_right(
        "J12 programs with rights",
        "su, sudo, mount, newuidmap, passwd and setuid itself",
        """
        import os, subprocess
        for command in (["su", "-c", "id"], ["sudo", "-n", "id"], ["newuidmap", "1", "0", "0", "1"],
                        ["mount", "-t", "tmpfs", "none", "/tmp"], ["id"], ["dmesg"]):
            try:
                print(command, subprocess.run(command, capture_output=True, text=True, timeout=1,
                                              stdin=subprocess.DEVNULL))
            except (OSError, subprocess.TimeoutExpired) as error:
                print(command, error)
        for function, value in ((os.setuid, 0), (os.setgid, 0), (os.setgroups, [0])):
            try:
                print(function(value))
            except OSError as error:
                print(error)
        """,
    ),
    on_right(
        "own: the number of submissions before",
        "looks in the warm process's objects for other sessions, and in its frames for its number",
        """
        import gc
        for thing in gc.get_objects():
            if type(thing).__name__ in ("Warm", "Child", "Channel"):
                print(type(thing).__name__, {key: repr(value)[:100] for key, value in vars(thing).items()})
                connection = getattr(thing, "control", thing)
                try:
                    connection.send({"request": "kill", "session": 1})
                    print("sent")
                except Exception as error:
                    print(type(error).__name__, error)
        """,
        may_lose=frozenset({"*"}),
    ),
]
