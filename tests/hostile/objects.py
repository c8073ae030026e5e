"""Objects that stay in the sandbox, and every kind of value that crosses: none is a way out."""

from __future__ import annotations

from hostile.attack import EVERYTHING, on_right, on_wrong


def reply(name: str, tries: str, result: str, tensors: str = "", **more):
    """An attack by the part of the engine that answers calls, replaced by one that answers so."""
    return on_wrong(
        name,
        tries,
        f"""
        import torch
        from proctor.inside import questions

        facts = {{"changed": [], "operations": 1, "host_copies": []}}

        def call(self, message, tensors):
            return questions.Reply({{"results": [{result}], "facts": [facts]}}, [{tensors}])

        questions.Question.call = call
        """,
        may_lose=EVERYTHING,
        **more,
    )


LEAF = '{"requires_grad": True, "device": "cpu", "leaf": True, "has_gradient": True}'

ATTACKS = [
    on_wrong(
        "A01 an object that answers everything",
        "an object with every method of Python's that a comparison or a sum could ask for",
        """
        class Yes:
            def __getattr__(self, name): return self
            def __call__(self, *a, **k): return self
            def __getitem__(self, key): return self
            def __iter__(self): return iter(lambda: self, None)
            def __len__(self): return 1 << 60
            def __contains__(self, item): return True
            def __enter__(self): return self
            def __exit__(self, *a): return True

        def answer(self, other=None): return True
        def zero(self, other=None): return 0.0

        for name in ("eq", "ne", "lt", "le", "gt", "ge", "bool"):
            setattr(Yes, f"__{name}__", answer)
        for name in ("sub", "rsub", "add", "radd", "mul", "rmul", "abs", "float", "neg"):
            setattr(Yes, f"__{name}__", zero)
        Yes.__hash__ = lambda self: 0

        def mnist_loss(predictions, targets):
            return Yes()
        """,
        reason=r"Yes in the sandbox",
    ),
    on_wrong(
        "A01 a named tuple with torch's names",
        "a tuple whose fields are called shape, dtype and requires_grad",
        """
        import collections
        Loss = collections.namedtuple("Loss", ["shape", "dtype", "requires_grad", "item", "grad"])

        def mnist_loss(predictions, targets):
            return Loss((), predictions.dtype, True, 0.25, None)
        """,
    ),
    on_wrong(
        "A01 an enum, a set, bytes, an array for a tensor",
        "a value of another new kind at each call",
        """
        import enum, itertools, numpy

        class Answer(enum.Enum):
            RIGHT = 1

        kinds = itertools.cycle([
            Answer.RIGHT, {0.25}, b"0.25", 0.25j, numpy.full((), 0.25), numpy.ones(3),
            frozenset([1]), {("a", 1): 0.25}, torch.float32,
        ])

        def mnist_loss(predictions, targets):
            return next(kinds)
        """,
    ),
    on_right(
        "I02 a named tuple with NumPy's protocols",
        "a field called __array_interface__ that would make a number an address",
        """
        from proctor.inside import results

        def named(value, depth=0):
            return ["named", [
                ["__array_interface__", "__array_struct__", "__torch_function__", "__array__"],
                [["dict", [[["plain", "data"], ["tuple", [["plain", 4096], ["plain", False]]]],
                           [["plain", "shape"], ["tuple", [["plain", 1 << 20]]]],
                           [["plain", "typestr"], ["plain", "<f8"]],
                           [["plain", "version"], ["plain", 3]]]],
                 ["plain", 1], ["plain", 2], ["plain", 3]],
            ]]

        results.Results.encode = lambda self, value: named(value)
        """,
        may_lose=EVERYTHING,
    ),
    on_right(
        "J01 an endless number of objects",
        "a result with more objects than are held, and an endless iterator",
        """
        import itertools

        def mnist_loss(predictions, targets):
            return [object() for _ in range(50_000)], itertools.count()
        """,
        reason=r"too large to look at",
    ),
    on_right(
        "J01 many small tensors",
        "a result of more tensors than a frame describes",
        """
        def mnist_loss(predictions, targets):
            return [torch.zeros(1) for _ in range(20_000)]
        """,
        reason=r"too large to look at",
    ),
    on_right(
        "J01 a structure in itself",
        "a list, a dict and an object that hold themselves",
        """
        def mnist_loss(predictions, targets):
            inner = [predictions]
            inner.append({"again": inner})
            return inner
        """,
    ),
    reply(
        "G01 an object of a number that is none", "a forged object", '["object", -(1 << 70), "X"]'
    ),
    reply("G01 an object called by a text", "a forged object", '["object", "0", "X"]'),
    reply(
        "G01 an object for each check",
        "an object in place of every result, so that each question goes to another",
        '["object", 0, "Tensor"]',
    ),
    reply("G01 a source comes back", "what only graders send", '["source", "1"]'),
    reply("G01 an import comes back", "what only graders send", '["import", "os", "system"]'),
    reply("G01 an array without values", "a forged array", '["array", 0, {}]'),
    reply("G01 a dtype that is none", "a forged dtype", '["dtype", "load"]'),
    reply(
        "G01 a gradient of another shape",
        "a leaf whose gradient would not fit it",
        f'["tensor", 0, {LEAF}]',
        "torch.tensor(0.25), torch.ones(1 << 20)",
    ),
    reply(
        "G01 a leaf without its gradient",
        "a leaf that promises a gradient and sends none",
        f'["tensor", 0, {LEAF}]',
        "torch.tensor(0.25)",
    ),
    reply(
        "G01 a leaf with a gradient for an answer",
        "a constant that claims to be a parameter, with a gradient that nothing made",
        f'["tensor", 0, {LEAF}]',
        "torch.tensor(0.25), torch.tensor(1.0)",
    ),
]
