"""Attacks on this engine's own parts: its frames, its forks, what it keeps of values."""

# ruff: noqa: E501 (lines of students are as long as they are)

from hostile.attack import EVERYTHING, HANGS_TOGETHER, RIGHT, Attack, on_right, on_wrong, source

SOCKETS = '''
import json, os, socket, stat, struct, sys

def sockets():
    """Every socket this process holds."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            if stat.S_ISSOCK(os.stat(f"/proc/self/fd/{name}").st_mode):
                found.append(socket.socket(fileno=os.dup(int(name))))
        except OSError:
            pass
    return found

def frame(message, blob=b""):
    header = message if isinstance(message, bytes) else json.dumps(message).encode()
    return struct.pack(">II", len(header), len(blob)) + header + blob
'''

# What a forged frame says instead of the answer to a cell.
CELL_FRAMES = {
    "no outputs": '{"status": "ok"}',
    "outputs of a wrong kind": '{"outputs": [{"output_type": "stream"}], "status": "ok"}',
    "score as a result": '{"outputs": [{"output_type": "execute_result", "execution_count": -1, '
    '"metadata": {}, "data": {"text/plain": "15.0"}}], "status": "ok"}',
    "marks": '{"outputs": [], "status": "ok", "score": 15, "marks": {"score": 15}}',
    "nested lists": 'b\'{"outputs": \' + b"[" * 100_000 + b"]" * 100_000 + b"}"',
    "ten thousand digits": 'b\'{"status": \' + b"9" * 10_000 + b"}"',
    "no JSON": "bytes(range(256))",
    "a list": "b'[1, 2, 3]'",
}

# The frame that a question answers a call with.
CALL_FRAMES = {
    "no result": "{}",
    "no facts": '{"results": [["plain", 1]]}',
    "an unknown kind": '{"results": [["object", "x"]], "facts": [{}]}',
    "a tensor that is not there": '{"results": [["tensor", 5, {}]], "facts": [{}]}',
    "a tensor twice": '{"results": [["list", [["tensor", 0, {}], ["tensor", 0, {}]]]], "facts": [{}]}',
    "a source": '{"results": [["source", "__import__(\'os\').system(\'id\')"]], "facts": [{}]}',
    "a kept tensor": '{"results": [["kept", 10**9]], "facts": [{}]}',
    "kept tensors that are none": '{"results": [["plain", 1]], "facts": [{}], "kept": [[1, 2]]}',
    "kept tensors that did not come": '{"results": [["plain", 1]], "facts": [{}], "kept": '
    "[[n, True, True, True] for n in range(100_000)]}",
    "nan as a key": '{"results": [["dict", [[["float", "nan"], ["plain", 1]]]]], "facts": [{}]}',
    "an error of no type": '{"raised": {"type": 5, "text": null}}',
    "an error that is no object": '{"raised": "yes"}',
    "a text of 3 MB": '{"results": [["plain", "\\x1b[2J<script>" * 250_000]], "facts": ['
    '{"changed": [], "operations": None, "host_copies": []}]}',
    "a list of a million": '{"results": [["list", [["plain", 1]] * 300_000]], "facts": ['
    '{"changed": [], "operations": None, "host_copies": ["x" * 50] * 20_000}]}',
    "an int of 400 digits among the facts": '{"results": [["plain", 1]], "facts": ['
    '{"changed": [10**400], "operations": 10**400, "host_copies": []}]}',
    "an int of 4000 digits": '{"results": [["plain", 10**4000]], "facts": ['
    '{"changed": [10**4000], "operations": 10**4000, "host_copies": []}]}',
}

MUTE = """
def mnist_loss(predictions, targets):
    for end in sockets():
        end.sendall(FORGED)
    return (predictions * 0).sum()
"""

ATTACKS = [
    *(
        on_wrong(
            f"G02 frame for a cell: {name}",
            "a forged frame on the session's socket, in place of a cell's outputs",
            f"{SOCKETS}\nFORGED = frame({forged})\nfor end in sockets():\n    end.sendall(FORGED)\n",
            may_lose=EVERYTHING,
        )
        for name, forged in CELL_FRAMES.items()
    ),
    *(
        on_wrong(
            f"G02 frame for a call: {name}",
            "a forged frame on the question's socket, in place of a result",
            f"{SOCKETS}\nFORGED = frame({forged})\n{MUTE}",
            may_lose=EVERYTHING,
        )
        for name, forged in CALL_FRAMES.items()
    ),
    on_wrong(
        "own: a tensor of 80,000 dimensions",
        "a forged frame that ends safetensors for want of memory, or takes torch minutes",
        SOCKETS
        + """
header = json.dumps({"0": {"dtype": "F32", "shape": [1] * 80_000, "data_offsets": [0, 4]}}).encode()
FORGED = frame(
    {"results": [["tensor", 0, {"requires_grad": True, "device": "cpu"}]],
     "facts": [{"changed": [], "operations": None, "host_copies": []}]},
    struct.pack("<Q", len(header)) + header + bytes(4),
)
"""
        + MUTE,
        may_lose=EVERYTHING,
    ),
    on_right(
        "own: 52 MB where a question begins",
        "as large an answer as a frame can be, where a word is asked for",
        SOCKETS
        + """
import threading, time
size = 52 << 20
header = json.dumps({"0": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
LARGE = frame(
    {"process": 1, "outputs": [], "status": "ok"},
    struct.pack("<Q", len(header)) + header + bytes(size),
)
def answer(ends):
    time.sleep(0.5)
    for end in ends:
        end.sendall(LARGE)
threading.Thread(target=answer, args=(sockets(),), daemon=True).start()
""",
        may_lose=EVERYTHING,
    ),
    on_wrong(
        "G03 frame that claims four gigabytes",
        "the lengths of a frame that no memory holds, then silence",
        f'{SOCKETS}\nFORGED = struct.pack(">II", 0xFFFFFFFF, 0xFFFFFFFF)\n{MUTE}',
        may_lose=EVERYTHING,
    ),
    on_wrong(
        "G03 frame that never ends",
        "the lengths of an allowed frame, byte by byte, without an end",
        SOCKETS
        + """
def mnist_loss(predictions, targets):
    import time
    end = sockets()[-1]
    for byte in struct.pack(">II", 4_000_000, 64_000_000) + bytes(1000):
        end.send(bytes([byte]))
        time.sleep(0.05)
""",
        reason=r"took longer than",
    ),
    on_wrong(
        "G04 flood of frames",
        "as many frames as the socket takes, from a thread, while cells and calls are answered",
        f"""{SOCKETS}
import threading
def flood():
    ends = sockets()
    while True:
        for end in ends:
            try:
                end.send(frame({{"outputs": [], "status": "ok", "process": 1}}))
            except OSError:
                return
threading.Thread(target=flood, daemon=True).start()
""",
        may_lose=EVERYTHING,
        seconds=35.0,  # every call hangs: it may take as long as any submission
    ),
    on_wrong(
        "G07 answers before they are asked for",
        "extra frames that would be taken for the next answers",
        f"""{SOCKETS}
def mnist_loss(predictions, targets):
    import torch, safetensors.torch
    loss = torch.where(targets == 1, 1 - predictions, predictions).mean().detach()
    blob = safetensors.torch.save({{"0": loss * 0}})
    early = frame({{"results": [["tensor", 0, {{"requires_grad": True, "device": "accel"}}]],
                   "facts": [{{"changed": [], "operations": 1, "host_copies": []}}]}}, blob)
    for end in sockets():
        end.sendall(early * 3)
    return (predictions * 0).sum()
""",
        may_lose=EVERYTHING,
    ),
    on_wrong(
        "G08 socket exchanged",
        "the session's descriptors are replaced by a pair of the student's own, or shut",
        f"""{SOCKETS}
ours, theirs = socket.socketpair()
for end in sockets():
    end.shutdown(socket.SHUT_RD)
for name in os.listdir("/proc/self/fd"):
    if int(name) > 2:
        try:
            os.dup2(theirs.fileno(), int(name))
        except OSError:
            pass
""",
        may_lose=EVERYTHING,
    ),
    on_wrong(
        "own: descriptors sent to the grader",
        "passes open files, and the socket itself, beside frames",
        f"""{SOCKETS}
def mnist_loss(predictions, targets):
    for end in sockets():
        passed = [os.open("/dev/null", os.O_RDONLY) for _ in range(100)] + [end.fileno()]
        try:
            socket.send_fds(end, [frame({{"results": [["plain", 0]], "facts": [{{}}]}})], passed)
        except OSError:
            pass
    return (predictions * 0).sum()
""",
        may_lose=EVERYTHING,
    ),
    on_wrong(
        "own: processes that answer, too",
        "forks in a cell and in a call, so that several processes answer the same question",
        """
        import os
        os.fork()
        def mnist_loss(predictions, targets):
            os.fork()
            os.fork()
            return (predictions * 0).sum()
        """,
        may_lose=EVERYTHING,
    ),
    on_wrong(
        "own: questions that are killed",
        "a daemon of the session that kills or stops every question",
        """
        import os, signal, threading, time
        def hunt():
            while True:
                for name in os.listdir("/proc"):
                    if name.isdigit() and int(name) > 1:
                        try:
                            os.kill(int(name), signal.SIGKILL)
                        except OSError:
                            pass
                time.sleep(0.01)
        threading.Thread(target=hunt, daemon=True).start()
        """,
        may_lose=EVERYTHING,
    ),
    on_wrong(
        "own: the session rewritten from a question",
        "writes into the memory of process 1 and of the next question",
        """
        import os
        def mnist_loss(predictions, targets):
            for process in (1, os.getpid() + 1):
                try:
                    with open(f"/proc/{process}/maps") as maps:
                        regions = [line.split()[0] for line in maps if "[heap]" in line]
                    with open(f"/proc/{process}/mem", "r+b", buffering=0) as memory:
                        for region in regions:
                            memory.seek(int(region.split("-")[0], 16))
                            memory.write(bytes(1 << 16))
                except OSError:
                    pass
            return (predictions * 0).sum()
        """,
        may_lose=EVERYTHING,
        seconds=35.0,  # every call hangs
    ),
    on_right(
        "own: large tensors in every check",
        "32 MB for each call, so that what failed checks keep adds up in the grader",
        """
        def mnist_loss(predictions, targets):
            return torch.zeros(8 << 20)

        def sigmoid(x):
            return torch.zeros(8 << 20)
        """,
        may_lose=EVERYTHING,
    ),
    Attack(
        "own: kept tensors that grow",
        "weights that became so wide that a product with them takes gigabytes in the grader",
        {
            "train_epoch": source(
                """
                def train_epoch(weights, bias, x, y, lr):
                    weights.data = torch.zeros(len(weights.data), 3_000_000)
                    bias.data = torch.zeros(3_000_000)
                    return 0.0
                """
            )
        },
        {"train_epoch": "def train_epoch(weights, bias, x, y, lr):\n    return 0.0"},
        may_lose=frozenset({"train_epoch_step", "train_epoch_learns"}),
    ),
    Attack(
        "own: kept tensors of a thousand dimensions",
        "weights of an odd shape, dtype or kind, where the grader reads them back",
        {
            "train_epoch": source(
                """
                turn = 0
                def train_epoch(weights, bias, x, y, lr):
                    global turn
                    turn += 1
                    odd = [torch.zeros((1,) * 60), torch.zeros(0, 1 << 40), torch.zeros(()),
                           torch.full((3,), float("nan"))]
                    with torch.no_grad():
                        weights.set_(odd[turn % 4])
                        bias.set_(odd[(turn + 1) % 4])
                    weights.grad = None
                    return float("nan")
                """
            )
        },
        {"train_epoch": "def train_epoch(weights, bias, x, y, lr):\n    return 0.0"},
        may_lose=frozenset({"train_epoch_step", "train_epoch_learns"}),
    ),
    on_wrong(
        "own: dozens of tensors in a result",
        "a thousand tensors where one is asked for, in every container",
        """
        def mnist_loss(predictions, targets):
            many = [predictions.sum() * 0 for _ in range(1000)]
            return {"a": many, "b": tuple(many), 1: [many[:10]] * 5}
        """,
    ),
    on_wrong(
        "own: containers that contain themselves",
        "lists and dicts that hold themselves, nested ten thousand deep",
        """
        def mnist_loss(predictions, targets):
            circle = []
            circle.append(circle)
            deep = []
            for _ in range(10_000):
                deep = [deep]
            return [circle, deep, {1: circle}]
        """,
    ),
    on_wrong(
        "own: names that spell",
        "types, modules and exceptions whose names hold markup, formulas and terminal codes",
        """
        def mnist_loss(predictions, targets):
            name = "\\x1b]0;owned\\x07=cmd|'/c calc'!A0<img src=x onerror=hostile_mark>"
            kind = type(name, (ValueError,), {"__module__": "builtins", "__qualname__": name})
            raise kind(name)
        """,
        reason=r"raised an exception",
    ),
    on_wrong(
        "own: exception that claims to be late",
        "a class with the name of the engine's own error, and attributes that it looks at",
        """
        class TimeUp(BaseException):
            late = True
            args = property(lambda self: 1 / 0)
        def mnist_loss(predictions, targets):
            raise TimeUp
        """,
        reason=r"raised an exception",
    ),
    on_wrong(
        "own: hung in the backward",
        "the value comes at once, the gradient never",
        """
        import torch
        class Hang(torch.autograd.Function):
            @staticmethod
            def forward(ctx, predictions):
                return predictions.mean() * 0
            @staticmethod
            def backward(ctx, upstream):
                while True:
                    pass
        def mnist_loss(predictions, targets):
            return Hang.apply(predictions)
        """,
    ),
    on_wrong(
        "own: gradients of other shapes",
        "a backward whose gradients are of the wrong number, shape and dtype",
        """
        from proctor.inside import questions
        def backward(self, message, tensors):
            return questions.Reply({"present": [True] * 3}, [torch.zeros(2, 2), torch.zeros(1).long()])
        questions.Question.backward = backward
        """,
        # It answers for every function of the notebook.
        may_lose=HANGS_TOGETHER | {"sigmoid_gradient"},
    ),
    on_right(
        "own: display hooks and formatters",
        "formatters, display hooks, event handlers and a post_execute that raise, flood and print",
        """
        shell = get_ipython()
        def bad(*a, **k):
            raise SystemExit("hostile_mark")
        for event in ("pre_execute", "post_execute", "pre_run_cell", "post_run_cell"):
            shell.events.register(event, bad)
        shell.display_formatter.format = bad
        shell.displayhook.write_format_data = bad
        shell.showtraceback = bad
        shell.set_custom_exc((BaseException,), bad)
        import sys
        sys.excepthook = sys.displayhook = sys.stdout.write = bad
        """,
        may_lose=EVERYTHING,
    ),
    on_right(
        "own: builtins and modules gone",
        "deletes what the engine imports later, and shadows modules by files",
        """
        import builtins, pathlib, sys
        for name in ("json", "torch", "random", "socket", "safetensors", "numpy"):
            pathlib.Path(f"{name}.py").write_text("raise SystemExit")
        for name in [name for name in sys.modules if name.startswith(("json", "proctor", "safetensors"))]:
            del sys.modules[name]
        builtins.__import__ = lambda *a, **k: 1 / 0
        builtins.len = builtins.isinstance = lambda *a: True
        """,
        may_lose=EVERYTHING,
    ),
    on_right(
        "own: recursion limit and collector",
        "an endless recursion limit, a collector that runs hostile code, finalisers that raise",
        """
        import gc, sys
        sys.setrecursionlimit(10**9)
        gc.callbacks.append(lambda *a: [[] for _ in range(10)])
        gc.set_threshold(1)
        class Bad:
            def __del__(self):
                raise SystemExit
        for _ in range(100):
            Bad()
        """,
    ),
    on_right(
        "own: random numbers fixed",
        "seeds, default dtype, default device and threads of torch changed for what comes after",
        """
        import torch
        torch.manual_seed(0)
        torch.set_default_dtype(torch.float64)
        torch.set_default_device("meta")
        torch.set_grad_enabled(False)
        torch.set_num_threads(8)
        torch.use_deterministic_algorithms(True)
        """,
        may_lose=EVERYTHING,
    ),
    Attack(
        "own: accelerator registered before",
        "the device's name taken by the student, its kernels replaced",
        {
            "mnist_loss": RIGHT
            + source(
                """
                import torch
                torch.utils.rename_privateuse1_backend("mine")
                library = torch.library.Library("aten", "IMPL")
                try:
                    library.impl("empty_strided", lambda *a, **k: None, "PrivateUse1")
                except RuntimeError as error:
                    print(error)
                """
            )
        },
        {"mnist_loss": RIGHT},
        may_lose=HANGS_TOGETHER | {"sigmoid_values", "sigmoid_gradient"},
    ),
]
