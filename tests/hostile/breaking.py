"""Answers that end, hang, flood or starve whatever grades them."""

# ruff: noqa: E501 (lines of students are as long as they are)

from hostile.attack import EVERYTHING, HANGS_TOGETHER, RIGHT, Attack, on_right, source

MNIST_LOSS_AND_SIGMOID = HANGS_TOGETHER | {"sigmoid_values", "sigmoid_gradient"}


def in_function(name, tries, text, **more):
    """What mnist_loss does when it is called. Six of the notebook's own cells call it, too: what
    hangs may take as long as any submission, 45 s of its own time and what comes before and after."""
    body = source(text).replace("\n", "\n    ").rstrip()
    answer = f"def mnist_loss(predictions, targets):\n    {body}\n"
    return on_right(name, tries, answer, seconds=35.0, **more)


ENDS = {
    "C01 sys.exit": ("import sys; sys.exit(0)", r"raised SystemExit"),
    "C02 os._exit": ("import os; os._exit(0)", r"ended the process"),
    "C02 os.abort": ("import os; os.abort()", r"ended the process"),
    "C02 segmentation fault": ("import ctypes; ctypes.string_at(8)", r"ended the process"),
    "C05 KeyboardInterrupt": ("raise KeyboardInterrupt", r"raised KeyboardInterrupt"),
    "C05 GeneratorExit": ("raise GeneratorExit", r"raised GeneratorExit"),
    "C05 BaseException with evil texts": (
        "class Evil(BaseException):\n"
        "    def __str__(self): raise self\n"
        "    __repr__ = __str__\n"
        "raise Evil",
        r"raised an exception",
    ),
    "C05 recursion": ("return mnist_loss(predictions, targets)", r"raised RecursionError"),
    "C05 exception group": (
        "raise BaseExceptionGroup('x', [SystemExit(), KeyboardInterrupt()])",
        r"raised BaseExceptionGroup",
    ),
    "C09 kill everybody": (
        "import os\nfor target in (-1, 1, os.getppid(), 0, os.getpid()):\n"
        "    try:\n        os.kill(target, 9)\n    except OSError:\n        pass",
        r"ended the process",
    ),
    "C09 kill with every signal": (
        "import os\nfor number in range(1, 65):\n"
        "    try:\n        os.kill(1, number); os.kill(-1, number)\n"
        "    except OSError:\n        pass",
        r"mnist_loss",
    ),
    "C12 limits of others": (
        "import resource\nfor target in (1, 2, 3):\n"
        "    try:\n        resource.prlimit(target, resource.RLIMIT_CPU, (1, 1))\n"
        "        resource.prlimit(target, resource.RLIMIT_NOFILE, (0, 0))\n"
        "    except OSError:\n        pass\n"
        "import os; os._exit(1)",
        r"ended the process",
    ),
    "C11 sleep": ("import time; time.sleep(10**9)", r"took longer than"),
    "C03 endless loop": ("while True:\n    pass", r"took longer than"),
    "C04 endless loop that ignores interrupts": (
        "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\n"
        "while True:\n"
        "    try:\n        while True: pass\n"
        "    except BaseException:\n        continue",
        r"took longer than",
    ),
    "C04 endless loop in C": ("sum(range(10**12))", r"took longer than"),
    "own: processor time of children that nobody waits for": (
        "import os, signal, time\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        "while True:\n    if os.fork() == 0:\n        end = time.process_time() + 0.02\n"
        "        while time.process_time() < end: pass\n        os._exit(0)\n"
        "    time.sleep(0.01)",
        r"took longer than|ended",
    ),
    "own: processes too brief to be seen": (
        "import os, signal\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        "os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})\n"
        "os.environ['S'] = 'i=0; while [ $i -lt 2000 ]; do i=$((i+1)); done; sh -c \"$S\" & exit'\n"
        "if os.fork() == 0:\n    os.execv('/bin/sh', ['sh', '-c', os.environ['S']])\n"
        "os.nice(19)\nwhile True: pass",
        r"took longer than|ended",
    ),
    "C04 stopped": (
        "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)",
        r"took longer|ended",
    ),
}

BOMBS = {
    "D01 memory": "kept = []\nwhile True:\n    kept.append(bytearray(64 << 20))",
    "D01 tensors": "kept = []\nwhile True:\n    kept.append(torch.ones(25 << 20))",
    "D02 one huge tensor": "torch.empty(25 * 10**9).fill_(1)",
    "D03 shared maps": (
        "import mmap\nkept = []\nwhile True:\n"
        "    kept.append(mmap.mmap(-1, 100 << 20))\n    kept[-1].write(bytes(100 << 20))"
    ),
    "D04 memfd": ("import os\nwhile True:\n    os.write(os.memfd_create('x'), bytes(32 << 20))"),
    "D05 full disks": (
        "import pathlib\nfor folder in ('/tmp', '/home', '/dev/shm', '/home/student'):\n"
        "    try:\n"
        "        for number in range(100):\n"
        "            pathlib.Path(folder, str(number)).write_bytes(bytes(8 << 20))\n"
        "    except OSError as error:\n        print(error)"
    ),
    "D06 inodes": (
        "import pathlib\nfor number in range(10**6):\n    pathlib.Path('/tmp', str(number)).touch()"
    ),
    "D07 fork bomb": (
        "import os, time\ntry:\n"
        "    while True:\n        os.fork()\n"
        "except OSError:\n    time.sleep(5)"
    ),
    "D08 thread bomb": (
        "import threading, time\n"
        "while True:\n    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()"
    ),
    "D09 memory of many processes": (
        "import os, time\nfor _ in range(20):\n    if os.fork() == 0:\n"
        "        kept = bytearray(os.urandom(1 << 10)) * (300 << 10)\n"
        "        time.sleep(20)\n        os._exit(0)\n"
        "time.sleep(3)"
    ),
    "D10 descriptors": ("import os\nkept = []\nwhile True:\n    kept.append(os.pipe())"),
    "D11 processors": (
        "import os\nfor _ in range(30):\n    if os.fork() == 0:\n        while True: pass\n"
    ),
    "own: processors by sessions": (
        "import os, time\nfor _ in range(45):\n    if os.fork() == 0:\n        os.setsid()\n"
        "        os.execv('/bin/sh', ['sh', '-c', 'while :; do :; done'])\ntime.sleep(3)\n"
    ),
    "D13 output": "while True:\n    print('x' * 10_000)",
    "D13 output by descriptors": "import os\nwhile True:\n    os.write(1, b'y' * 60_000)",
    "D13 displays": (
        "from IPython.display import HTML, display\nwhile True:\n    display(HTML('<b>x</b>' * 1000))"
    ),
    "D13 display updates": (
        "from IPython.display import display\nhandle = display('x', display_id=True)\n"
        "for number in range(10**7):\n    handle.update('x' * 1000)"
    ),
    "D14 core dump": "import os, resource\nos.abort()",
    "D14 sparse file": "with open('/tmp/sparse', 'wb') as file:\n    file.truncate(1 << 50)",
    "C08 daemons": (
        "import os, signal, time\n"
        "for _ in range(10):\n    if os.fork() == 0:\n        os.setsid()\n"
        "        for number in range(1, 64):\n"
        "            try:\n                signal.signal(number, signal.SIG_IGN)\n"
        "            except (OSError, ValueError):\n                pass\n"
        "        while True:\n            time.sleep(0.1)\n"
    ),
    "C08 chain of forks": (
        "import os, time\nif os.fork() == 0:\n    while True:\n"
        "        if os.fork():\n            os._exit(0)\n        time.sleep(0.001)\n"
    ),
    "C06 at exit": (
        "import atexit, weakref, os\natexit.register(os.system, 'touch /tmp/hostile_mark')\n"
        "class Last:\n    def __del__(self): os.system('touch /tmp/hostile_mark')\n"
        "last = Last()"
    ),
    "own: pseudo terminals": ("import os\nkept = []\nwhile True:\n    kept.append(os.openpty())"),
    "own: memory of sockets": (
        "import os, socket, time\nfor _ in range(20):\n    if os.fork() == 0:\n        kept = []\n"
        "        try:\n            while True:\n                pair = socket.socketpair()\n"
        "                pair[0].setblocking(False)\n                kept.append(pair)\n"
        "                try:\n                    while True: pair[0].send(bytes(4096))\n"
        "                except BlockingIOError: pass\n"
        "        except OSError: pass\n        time.sleep(20)\n        os._exit(0)\n"
        "time.sleep(2)"
    ),
    "own: threads that burn": (
        "import threading, hashlib\n"
        "def burn():\n    while True: hashlib.pbkdf2_hmac('sha256', b'x', b'y', 10**6)\n"
        "for _ in range(30):\n    threading.Thread(target=burn, daemon=True).start()\n"
    ),
    "own: signals blocked for good": (
        "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\n"
        "signal.setitimer = signal.alarm = signal.signal = lambda *a: None"
    ),
    "own: pretty printing without end": (
        "class Deep:\n    def _repr_pretty_(self, printer, cycle):\n"
        "        while True: printer.text('x' * 1000)\n"
        "Deep()"
    ),
    "own: representation that ends it": (
        "class Ends:\n    def __repr__(self):\n        __import__('os')._exit(3)\nEnds()"
    ),
}

# The notebook's own cells call the function, too: what they leave running fills the session in which
# all exercises are asked.
STAYS = {"C08 daemons"}

ATTACKS = [
    *(
        in_function(name, "ends or hangs the process when it is called", text, reason=reason)
        for name, (text, reason) in ENDS.items()
    ),
    *(
        on_right(f"{name}, in a cell", "uses up what others need", text, may_lose=EVERYTHING)
        for name, text in BOMBS.items()
    ),
    *(
        in_function(
            f"{name}, in a call",
            "uses up what others need, when it is asked for a value",
            f"{text}\nreturn torch.where(targets == 1, 1 - predictions, predictions).mean()",
            may_lose=EVERYTHING if name in STAYS else HANGS_TOGETHER,
        )
        for name, text in BOMBS.items()
        if name.split()[0] in ("D01", "D03", "D05", "D07", "D09", "D11", "D13", "C08")
    ),
    Attack(
        "own: a cell that ends its process",
        "the session is run again without the cell; its neighbours keep their marks",
        {"mnist_loss": RIGHT + "\nimport os; os._exit(7)"},
        {"mnist_loss": RIGHT},
        reason=r"ended its process \(exit 7\)",
    ),
    Attack(
        "own: ends only when it is run again",
        "a cell that behaves the first time, and ends its process on every replay",
        {
            "mnist_loss": RIGHT,
            "sigmoid": source(
                """
                def sigmoid(x):
                    return 1 / (1 + torch.exp(-x.clamp(min=-80)))
                import os, signal
                os.register_at_fork(after_in_child=lambda: os.kill(os.getpid(), signal.SIGKILL))
                """
            ),
        },
        {},
        may_lose=EVERYTHING,
    ),
    Attack(
        "own: slow but never late",
        "each call takes a little less than its limit, until the submission's time is used up",
        {
            "mnist_loss": source(
                """
                import time
                def mnist_loss(predictions, targets):
                    time.sleep(0.9)
                    return torch.where(targets == 1, 1 - predictions, predictions).mean()
                """
            )
        },
        {"mnist_loss": RIGHT},
        seconds=40.0,
    ),
    Attack(
        "own: slow cells",
        "every cell takes a little less than its limit",
        {
            grade_id: f"import time; time.sleep(2.5)\n{text}"
            for grade_id, text in {
                "where_by_hand": "where_by_hand = torch.where",
                "mnist_loss": RIGHT,
                "three_ways": "more_right = torch.tensor([0.9, 0.4, 0.8])",
                "hand_gradient": "gradient = torch.tensor([-1 / 3, 1 / 3, -1 / 3])",
            }.items()
        },
        {},
        may_lose=EVERYTHING,
        seconds=30.0,
    ),
]
