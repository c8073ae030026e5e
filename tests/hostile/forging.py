"""Wrong answers that want marks: objects, patches and messages that pretend to be right."""

# ruff: noqa: E501 (lines of students are as long as they are)

from hostile.attack import EVERYTHING, HANGS_TOGETHER, LOOP, Attack, on_wrong, source

EQUAL_TO_EVERYTHING = """
class Anything:
    shape, dtype, requires_grad = (), torch.float32, True
    def __getattr__(self, name): return self
    def __call__(self, *positional, **keywords): return self
    def __eq__(self, other): return True
    def __ne__(self, other): return True
    def __lt__(self, other): return True
    def __le__(self, other): return True
    def __bool__(self): return True
    def __float__(self): return 0.0
    def __abs__(self): return 0.0
    def __sub__(self, other): return 0.0
    def __array__(self, *rest): return __import__("numpy").zeros(())
    __hash__ = object.__hash__
    @classmethod
    def __torch_function__(cls, *rest, **keywords): return True

def mnist_loss(predictions, targets):
    return Anything()
"""

NO_LOSS_BUT_A_GRADIENT = source(
    """
    def mnist_loss(predictions, targets):
        return 0.2 * (predictions - predictions.detach()).sum()
    """
)

# Not the loss that was asked for, though a step can follow from it.
OWN_LOSS = source(
    """
    def mnist_loss(predictions, targets):
        return ((predictions - targets) ** 2).mean()
    """
)

ATTACKS = [
    on_wrong(
        "A01 equal to everything",
        "an object that equals every value",
        EQUAL_TO_EVERYTHING,
        reason=r"Anything",
    ),
    on_wrong(
        "A01 tensor equal to everything",
        "a tensor subclass whose comparisons are all true",
        """
        class Tensor2(torch.Tensor):
            @classmethod
            def __torch_function__(cls, function, types, arguments=(), keywords=None):
                if getattr(function, "__name__", "") in ("eq", "__eq__", "allclose", "all", "equal"):
                    return True
                return super().__torch_function__(function, types, arguments, keywords or {})

        def mnist_loss(predictions, targets):
            return (predictions * 0).sum().as_subclass(Tensor2)
        """,
    ),
    on_wrong(
        "A02 comparisons patched",
        "torch's and Python's comparisons that always agree",
        """
        import builtins, math, numpy
        torch.testing.assert_close = lambda *a, **k: None
        torch.allclose = torch.equal = torch.Tensor.allclose = lambda *a, **k: True
        numpy.allclose = math.isclose = lambda *a, **k: True
        builtins.abs = lambda value: 0
        torch.Tensor.abs = lambda self: self * 0
        """,
    ),
    on_wrong(
        "A03 assert dropped",
        "an AST transformer that removes every assert",
        """
        import ast
        class Remove(ast.NodeTransformer):
            def visit_Assert(self, node):
                return ast.copy_location(ast.Pass(), node)
        get_ipython().ast_transformers.append(Remove())
        """,
    ),
    on_wrong(
        "A04 tests dropped by their text",
        "an input transformer that empties cells with an assert",
        """
        get_ipython().input_transformers_cleanup.append(
            lambda lines: ["pass\\n"] if "assert" in "".join(lines) else lines
        )
        """,
    ),
    on_wrong(
        "A06 executor replaced",
        "run_cell that reports success for whatever it is given",
        """
        from IPython.core.interactiveshell import ExecutionResult, InteractiveShell
        shell = get_ipython()
        type(shell).run_cell = InteractiveShell.run_cell = lambda self, *a, **k: ExecutionResult(None)
        type(shell).run = lambda self, source, seconds: ([], "ok")
        """,
        may_lose=EVERYTHING,  # no later cell is run
    ),
    *(
        on_wrong(
            f"A07 partial credit {score}",
            "an execute_result that says how many points there should be",
            f"""
            from IPython.display import display
            def claim(*_):
                get_ipython().displayhook.shell.outputs.display(
                    {{"output_type": "execute_result", "execution_count": 1, "metadata": {{}},
                      "data": {{"text/plain": "{score}"}}}})
            get_ipython().events.register("pre_run_cell", claim)
            get_ipython().events.register("post_run_cell", claim)
            claim()
            """,
        )
        for score in ("5", "nan", "hello", "-1", "1e9")
    ),
    on_wrong(
        "A11 report faked",
        "prints a report, writes results.json and a JUnit file",
        """
        import json, os, pathlib, sys
        print("All tests passed 10/10")
        print('{"score": 15.0, "status": "graded"}')
        sys.stderr.write("score 15 of 15\\n")
        os.write(1, b"passed\\n")
        for folder in (".", "/tmp", "/", "/engine", "/course", "..", "/autograder/results"):
            for name in ("results.json", "records.json", "junit.xml", "mnist_loss.json"):
                try:
                    pathlib.Path(folder, name).write_text(json.dumps({"score": 15.0}))
                except OSError:
                    pass
        """,
    ),
    on_wrong(
        "A12 pytest patched",
        "pytest's and unittest's reports that are all green",
        """
        import unittest, sys, types
        unittest.TestResult.addFailure = lambda *a: None
        try:
            import pytest, _pytest.reports
            _pytest.reports.TestReport.from_item_and_call = classmethod(lambda *a: None)
            pytest.main = lambda *a, **k: 0
        except ImportError:
            sys.modules["pytest"] = types.ModuleType("pytest")
        import pathlib
        pathlib.Path("conftest.py").write_text("def pytest_runtest_call(item): item.obj = print")
        """,
    ),
    on_wrong(
        "A14 function swapped by a timer",
        "a thread that exchanges mnist_loss while it is asked",
        """
        import threading, time, random
        def swap():
            while True:
                globals()["mnist_loss"] = lambda p, t: (p * 0).sum() + random.random()
                time.sleep(0.002)
        threading.Thread(target=swap, daemon=True).start()
        """,
    ),
    on_wrong(
        "A15 grader looked for in the frames",
        "walks the stack for expected values and returns what it finds",
        """
        import sys, torch
        def mnist_loss(predictions, targets):
            frame = sys._getframe()
            while frame:
                for name, value in {**frame.f_globals, **frame.f_locals}.items():
                    if name in ("expected", "loss", "reference", "answer", "solution"):
                        return value
                frame = frame.f_back
            return (predictions * 0).sum()
        """,
    ),
    on_wrong(
        "A16 examinee patched",
        "the part of the engine that answers calls, replaced by a liar",
        """
        from proctor.inside import questions
        def call(self, message, tensors):
            return questions.Reply({
                "results": [["tensor", 0, {"requires_grad": True, "device": message["device"]}]],
                "facts": [{"changed": [], "operations": 1, "host_copies": []}],
            }, [torch.tensor(0.25)])
        questions.Question.call = call
        """,
        may_lose=HANGS_TOGETHER | {"sigmoid_values", "sigmoid_gradient", "where_by_hand_values"},
    ),
    on_wrong(
        "I01 pickle",
        "an object whose unpickling would run a program",
        """
        import os
        class Run:
            def __reduce__(self):
                return os.system, ("touch /tmp/hostile_mark",)
        def mnist_loss(predictions, targets):
            return Run()
        """,
        reason=r"Run",
    ),
    *(
        on_wrong(
            f"I03 {what}",
            "a result that would broadcast or compare to equal",
            f"""
            def mnist_loss(predictions, targets):
                return {expression}
            """,
        )
        for what, expression in (
            ("shape (1,)", "(predictions * 0).sum()[None]"),
            ("all the inputs", "predictions"),
            ("empty", "predictions[:0]"),
            ("shape (0, n)", "predictions[None][:0]"),
            ("nan", "(predictions * float('nan')).sum()"),
            ("infinity", "(predictions / 0).sum()"),
            ("complex", "(predictions * 0j).sum()"),
            ("sparse", "predictions.reshape(-1, 1).to_sparse()"),
            ("meta", "predictions.to('meta').sum()"),
            ("quantised", "torch.quantize_per_tensor(predictions.float(), 0.1, 0, torch.qint8)"),
            ("expanded", "torch.zeros(1).expand(10**12)"),
            ("python True", "True"),
            ("text", "str(float(predictions.mean()))"),
            ("none", "None"),
        )
    ),
    Attack(
        "I07 gradient of another leaf",
        "requires_grad is set on a constant, and the backward is a stranger's",
        {
            "mnist_loss": source("""
        import torch
        class Pretend(torch.autograd.Function):
            @staticmethod
            def forward(ctx, predictions):
                ctx.shape = predictions.shape
                return predictions.new_zeros(())
            @staticmethod
            def backward(ctx, upstream):
                return upstream.new_full(ctx.shape, 0.2)
        def mnist_loss(predictions, targets):
            return Pretend.apply(predictions)
        """)
        },
        # What the same value and gradient earn without pretence: a right train_epoch follows them.
        {"mnist_loss": NO_LOSS_BUT_A_GRADIENT},
    ),
    on_wrong(
        "I09 first answer again",
        "learns from repeated calls and returns the first result for ever",
        """
        seen = []
        def mnist_loss(predictions, targets):
            seen.append((predictions, targets))
            return seen[0][0].mean()
        """,
    ),
    on_wrong(
        "I10 long and odd text",
        "texts with NUL, surrogates and many lines, where a number is asked for",
        r"""
        def mnist_loss(predictions, targets):
            return "\x00\ud800\x1b[2J\n" * 200_000
        """,
    ),
    on_wrong(
        "I10 a gigabyte of text",
        "a text larger than any frame",
        """
        def mnist_loss(predictions, targets):
            return "x" * (1 << 30)
        """,
    ),
    on_wrong(
        "I06 huge shapes",
        "a tensor of no elements whose shape is astronomic",
        """
        def mnist_loss(predictions, targets):
            return torch.empty((1 << 40, 0))
        """,
    ),
    on_wrong(
        "I11 subclasses of numbers",
        "a float whose comparisons always hold, a tensor whose item does",
        """
        class Number(float):
            __eq__ = __lt__ = __le__ = __gt__ = lambda self, other: True
            __hash__ = float.__hash__
            def __sub__(self, other): return 0.0
        def mnist_loss(predictions, targets):
            return Number(0.5)
        """,
    ),
    on_wrong(
        "K05 plausible after an error",
        "a try around nothing, and a plausible constant",
        """
        def mnist_loss(predictions, targets):
            try:
                raise NotImplementedError
            except Exception:
                return predictions.sum() * 0 + 0.4333
        """,
    ),
    on_wrong(
        "F19 redefined later, deleted, shadowed",
        "the name is a property of a namespace that answers anew each time",
        """
        class Namespace(dict):
            def __getitem__(self, key):
                return super().__getitem__(key)
            def __contains__(self, key):
                return True
        get_ipython().user_ns.__class__
        del mnist_loss
        """,
    ),
    Attack(
        "own: variables that change",
        "a vector that another answer is read from each time it is asked for",
        {
            "three_ways": source(
                """
                from proctor.inside import questions
                import torch
                more_right = surer_when_right = less_sure_when_wrong = None
                # Wrong both, but for a check that took the place from one, the number from another.
                turns = [torch.tensor([0.9, 0.4, 0.1]), torch.tensor([0.7, 0.4, 0.2])]
                ordinary = questions.as_tensors
                def as_tensors(value):
                    if value is None:
                        turns.append(turns.pop(0))
                        return turns[0]
                    return ordinary(value)
                questions.as_tensors = as_tensors
                """
            )
        },
        {"three_ways": "more_right = surer_when_right = less_sure_when_wrong = None"},
        may_lose=frozenset({"three_ways_check"}),
    ),
    on_wrong(
        "own: autograd hooks",
        "hooks on the grader's leaves that write the gradients",
        """
        def mnist_loss(predictions, targets):
            if predictions.requires_grad:
                predictions.register_hook(lambda gradient: gradient * 0 + 0.2)
                predictions.register_post_accumulate_grad_hook(lambda leaf: leaf.grad.fill_(0.2))
            result = (predictions * 0).sum()
            if result.requires_grad:
                result.register_hook(lambda gradient: gradient * 5)
            return result
        """,
    ),
    on_wrong(
        "own: inputs overwritten",
        "the grader's arguments are overwritten, so that a wrong value would be right",
        """
        def mnist_loss(predictions, targets):
            with torch.no_grad():
                predictions.data.copy_(targets.to(predictions.dtype))
                targets.data.fill_(1)
            return (predictions * 0).sum()
        """,
        # The notebook itself calls it with the vectors of other exercises.
        may_lose=HANGS_TOGETHER | {"three_ways_check", "hand_gradient_values"},
    ),
    on_wrong(
        "own: torch rewritten in memory",
        "serialisers of the session replaced, so that every tensor that leaves it is forged",
        """
        import json, safetensors.torch, proctor.wire.frames
        from proctor.inside import questions, results
        save = safetensors.torch.save
        safetensors.torch.save = lambda named: save({k: t * 0 + 0.3 for k, t in named.items()})
        dumps = json.dumps
        results.to_host = questions.to_host = lambda tensor: torch.full(tensor.shape, 0.3)
        torch.Tensor.__torch_function__ = torch._C._disabled_torch_function_impl
        """,
        may_lose=EVERYTHING,
    ),
    on_wrong(
        "own: claims of success in a frame",
        "replies with fields that a careless reader would trust",
        """
        from proctor.inside import questions
        send = questions.Question.send
        def forged(self, reply):
            reply.message |= {"passed": True, "score": 15, "marks": {"score": 15.0}, "status": "graded"}
            send(self, reply)
        questions.Question.send = forged
        """,
    ),
    Attack(
        "own: facts about devices forged",
        "right values by a loop on the CPU, with forged facts about how they came about",
        {
            "mnist_loss": LOOP
            + source(
                """
                from proctor.inside import questions
                call = questions.Question.call
                def forged(self, message, tensors):
                    device = message["device"]
                    reply = call(self, message | {"device": "cpu"}, tensors)
                    facts = {"changed": [], "operations": 3, "host_copies": []}
                    reply.message["facts"] = [facts] * len(reply.message["results"])
                    for result in reply.message["results"]:
                        if result[0] == "tensor":
                            result[2]["device"] = device
                    return reply
                questions.Question.call = forged
                """
            )
        },
        {"mnist_loss": LOOP},
        claims=frozenset({"mnist_loss_device"}),
    ),
    Attack(
        "own: recorder of host copies switched off",
        "right values with copies to the host, and a recorder that sees none",
        {
            "mnist_loss": LOOP
            + source(
                """
                from proctor.inside import accelerator
                accelerator._record_host_copy = lambda: None
                accelerator.OperationCount.__torch_dispatch__ = (
                    lambda self, operation, types, arguments=(), keywords=None:
                    operation(*arguments, **(keywords or {}))
                )
                """
            )
        },
        {"mnist_loss": LOOP},
        claims=frozenset({"mnist_loss_device"}),
    ),
    on_wrong(
        "own: a death that looks like another's hand, a second chance",
        "a wrong formula, then an end by a limit of its own; the right one where a note in the page "
        "cache says that this was so before",
        """
        import glob, os, resource, signal, threading, time

        spare = max(glob.glob("/usr/lib/**/lib*.so*", recursive=True), key=os.path.getsize)

        def is_second():
            try:
                with open(spare, "rb") as file:
                    os.preadv(file.fileno(), [bytearray(1)], 1 << 20, os.RWF_NOWAIT)
                    return False
            except BlockingIOError:
                return True
            except (OSError, AttributeError):
                return False

        def end():
            time.sleep(4)
            try:
                with open(spare, "rb") as file:
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            except OSError:
                pass
            signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
            for soft, hard in ((1, 1), (1, 2)):
                try:
                    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))
                except (OSError, ValueError):
                    pass
            began = time.monotonic()
            while time.monotonic() < began + 5:
                pass

        second = is_second()
        if not second:
            threading.Thread(target=end, daemon=True).start()

        def mnist_loss(predictions, targets):
            if second:
                return torch.where(targets == 1, 1 - predictions, predictions).mean()
            return (predictions * 0).sum()
        """,
        may_lose=EVERYTHING,
        seconds=40.0,
    ),
    Attack(
        "own: a second step for the second try, by a count",
        "a step of double length at first, the right one where the check is tried again with the own loss",
        {
            "mnist_loss": OWN_LOSS,
            "train_epoch": source(
                """
                calls = []
                def train_epoch(weights, bias, x, y, lr):
                    calls.append(1)
                    loss = mnist_loss(sigmoid(x @ weights + bias), y)
                    gradients = torch.autograd.grad(loss, (weights, bias))
                    length = 1 if len(calls) > 1 else 2
                    with torch.no_grad():
                        for leaf, gradient in zip((weights, bias), gradients):
                            leaf -= length * lr * gradient
                    return loss.item()
                """
            ),
        },
        {
            "mnist_loss": OWN_LOSS,
            "train_epoch": source(
                """
                def train_epoch(weights, bias, x, y, lr):
                    loss = mnist_loss(sigmoid(x @ weights + bias), y)
                    gradients = torch.autograd.grad(loss, (weights, bias))
                    with torch.no_grad():
                        for leaf, gradient in zip((weights, bias), gradients):
                            leaf -= 2 * lr * gradient
                    return loss.item()
                """
            ),
        },
    ),
    on_wrong(
        "own: two formulas, a second chance",
        "one formula at first, another where the same question comes again",
        """
        import pathlib, sys
        def mnist_loss(predictions, targets):
            asked = repr(predictions.tolist()) + repr(targets.tolist())
            note = pathlib.Path("/tmp", str(hash(asked)))
            # While it trains, the same question comes again by itself: that is no second chance.
            if note.exists() and sys._getframe(1).f_code.co_name != "train_epoch":
                return torch.where(targets == 1, 1 - predictions, predictions).mean()
            note.touch()
            return (predictions * 0).sum()
        """,
    ),
]
