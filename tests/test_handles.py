"""Objects of the student's in graders: modules, optimizers, items, iteration, contexts, figures."""

import collections
import time

import numpy
import pytest
import torch
from torch.testing import assert_close

from proctor.authoring import (
    Handle,
    Member,
    Raised,
    equals,
    fields_of,
    figure_of,
    is_instance,
    table_of,
    text_of,
    train,
    type_name_of,
)
from proctor.grading.connection import Connection, Died, NotDefined, StudentError, TooMuch
from proctor.grading.student import Student
from proctor.sandbox.examination import Examination
from proctor.settings import TimeLimits

NOTEBOOK = """
import collections, contextlib, dataclasses, enum, itertools
import numpy as np
import torch
from torch import nn

class LayerNorm(nn.Module):
    def __init__(self, size, eps=1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.bias = nn.Parameter(torch.zeros(size))
        self.eps = eps

    def forward(self, x):
        mean = x.mean(-1, keepdim=True)
        variance = x.var(-1, keepdim=True, unbiased=False)
        return self.weight * (x - mean) / torch.sqrt(variance + self.eps) + self.bias

class Words(dict):
    def __init__(self, words):
        super().__init__((word, place) for place, word in enumerate(words))
    def encode(self, text): return [self.get(word, -1) for word in text.split()]
    def itself(self): return self

class Stack(list):
    @property
    def top(self): return self[-1]

def counted(words): return collections.Counter(words)

class Vocab:
    def __init__(self, words):
        self.places = {word: place for place, word in enumerate(words)}
    def __getitem__(self, word): return self.places[word]
    def __setitem__(self, word, place): self.places[word] = place
    def __delitem__(self, word): del self.places[word]
    def __len__(self): return len(self.places)
    def __contains__(self, word): return word in self.places
    def __iter__(self): return iter(self.places)
    def __repr__(self): return f"Vocab of {len(self)}"
    @property
    def first(self): return next(iter(self.places))
    @staticmethod
    def kind(): return "words"

class Liar:
    def __eq__(self, other): return True
    def __lt__(self, other): return True
    def __sub__(self, other): return 0.0
    def __float__(self): return 0.0
    def __bool__(self): return True
    def __abs__(self): return 0.0
    def __array__(self, *a, **k): return np.zeros(())
    def __len__(self): return 1 << 40

class Timer:
    def __enter__(self):
        self.entered = True
        return self
    def __exit__(self, kind, error, traceback):
        self.left_by = None if kind is None else (kind.__name__, str(error))
        return kind is KeyError

class MissingWord(KeyError): pass
def look_up(vocab, word):
    if word not in vocab: raise MissingWord(word)
    return vocab[word]

@dataclasses.dataclass
class Settings:
    rate: float
    sizes: list
    def doubled(self): return Settings(2 * self.rate, self.sizes)

class Colour(enum.Enum):
    RED = 1
    BLUE = 2

Pair = collections.namedtuple("Pair", ["first", "second"])
data = {
    "array": np.arange(6.0).reshape(2, 3), "ints": np.arange(3), "flags": np.array([True, False]),
    "set": {1, 2}, "bytes": b"x", "complex": 1 + 2j, "tuple keys": {("a", 1): [2], None: 3},
    "pair": Pair(1, torch.ones(2)), "enum": Colour.RED, "dtype": torch.float64,
    "counter": collections.Counter("aab"), "max": torch.tensor([1.0, 3.0]).max(dim=0),
    "big endian": np.arange(3, dtype=">i4"), "numpy key": {np.int64(3): "three"},
    "numpy complex": np.complex64(1j), "scalars": [np.float32(0.5)],
}
def give(what): return data[what]
def same(value): return value
def kind_of(value): return type(value).__name__
def count(): return itertools.count()
def fail_after(most):
    for number in range(most): yield number
    raise LookupError("no more")
def steps(value):
    seen = []
    def one_by_one():
        for number in range(value):
            seen.append(number)
            yield number
    return one_by_one(), lambda: list(seen)
def zeros(size, *, device=None, dtype=None): return torch.zeros(size, device=device, dtype=dtype)
def draw(generator, size): return torch.rand(size, generator=generator)
def device_type(): return torch.accelerator.current_accelerator().type
def read(path): return f"the text of {path}"
def gru(x): return nn.GRU(2, 3, bias=False).to(x.device)(x)[0]
def raise_library(): torch.empty(2).to_sparse().values(); nn.Module().forward(1)
def raise_own(): raise NotImplementedError("exercise is not solved yet")
def lstm(x): return nn.LSTM(2, 3).to(x.device)(x)[0]
def refuse(): raise AttributeError("own")
model = nn.Linear(2, 1)
vocab = Vocab(["x"])

def plot(x, y):
    import matplotlib.pyplot as plt
    figure, axes = plt.subplots()
    axes.plot(x, y, label="loss")
    axes.bar([0, 1], [3.0, 4.0])
    axes.scatter([1.0], [2.0])
    axes.imshow(np.eye(2))
    axes.set(xlabel="step", ylabel="loss", title="Training", yscale="log")
    axes.legend()
    return figure
"""


@pytest.fixture(scope="module")
def notebook(sandbox):
    limits = TimeLimits(cell=10.0, call=4.0, submission=300.0)
    with Examination(sandbox, [NOTEBOOK], limits=limits) as examined:
        (run,) = examined.run_cells()
        assert run.status == "ok", run.outputs
        yield examined


@pytest.fixture
def student(notebook):
    yield Student(Connection(notebook))
    notebook.end_question()


@pytest.fixture
def layer(student):
    return student.LayerNorm(3)


# Modules


def test_a_module_is_called_and_its_gradients_reach_inputs_and_parameters(layer):
    x = torch.tensor([[1.0, 2.0, 4.0], [0.0, 1.0, -1.0]], requires_grad=True)
    weight = torch.tensor([1.0, 2.0, 3.0])
    layer.load_state_dict({"weight": weight, "bias": torch.zeros(3)})
    out = layer(x)
    ours = x.detach().clone().requires_grad_()
    scale, shift = weight.clone().requires_grad_(), torch.zeros(3, requires_grad=True)
    expected = torch.nn.functional.layer_norm(ours, (3,), scale, shift)
    assert_close(out, expected)
    (out**2).sum().backward()
    (expected**2).sum().backward()
    assert_close(x.grad, ours.grad)
    assert_close(layer.weight.grad, scale.grad)
    assert_close(layer.bias.grad, shift.grad)


def test_a_parameter_is_read_as_a_leaf_with_its_gradient(layer):
    weight = layer.weight
    assert type(weight) is torch.Tensor
    assert (weight.requires_grad, weight.is_leaf, weight.grad) == (True, True, None)
    layer(torch.rand(2, 3)).sum().backward()
    layer(torch.rand(2, 3)).sum().backward()
    assert layer.weight.grad.shape == (3,)
    assert_close(layer.bias.grad, torch.full((3,), 4.0))
    layer.zero_grad()
    assert layer.bias.grad is None


def test_only_backward_fills_the_gradients_of_parameters(layer):
    x = torch.rand(2, 3, requires_grad=True)
    torch.autograd.grad(layer(x).sum(), x)
    layer(x).sum().backward(inputs=[x])
    assert layer.weight.grad is None
    assert torch.autograd.gradcheck(layer.double(), (x.detach().double().requires_grad_(),))
    assert layer.weight.grad is None


def test_without_grad_the_sandbox_keeps_no_graph(layer):
    with torch.no_grad():
        out = layer(torch.rand(2, 3))
    assert not out.requires_grad
    assert layer(torch.rand(2, 3)).requires_grad


def test_what_torch_offers_on_modules_works(layer):
    assert sorted(dict(layer.named_parameters())) == ["bias", "weight"]
    assert [tuple(p.shape) for p in layer.parameters()] == [(3,), (3,)]
    state = layer.state_dict()
    assert {name: value.tolist() for name, value in state.items()} == {
        "weight": [1.0] * 3,
        "bias": [0.0] * 3,
    }
    assert layer.training is True
    assert layer.eval() == layer
    assert layer.training is False
    layer.train()
    layer.eps = 0.5
    assert layer.eps == 0.5
    assert hasattr(layer, "eps")
    assert not hasattr(layer, "momentum")
    del layer.eps
    assert not hasattr(layer, "eps")
    with pytest.raises(RuntimeError, match="size mismatch"):
        layer.load_state_dict({"weight": torch.ones(2), "bias": torch.zeros(3)})


def test_modules_on_the_accelerator(layer):
    moved = layer.on_accelerator()
    x = torch.rand(2, 3, requires_grad=True)
    out = moved(x)
    assert moved._held_in_sandbox.connection.last_call.result_devices == ["accel"]
    out.sum().backward()
    assert_close(moved.bias.grad, torch.full((3,), 2.0))
    assert moved._held_in_sandbox.connection.last_call.result_devices == ["accel"]
    with pytest.raises(Raised, match="same device"):
        layer(x)


def test_an_optimizer_of_a_library_trains_a_module_of_the_students(student, layer):
    x, y = torch.rand(8, 3), torch.rand(8, 3)
    optimizer = student.remote(torch.optim.SGD, layer.parameters(), lr=0.1)
    assert is_instance(optimizer, torch.optim.SGD)
    before = layer.bias.detach()
    optimizer.zero_grad()
    torch.nn.functional.mse_loss(layer(x), y).backward()
    gradient = layer.bias.grad
    optimizer.step()
    assert_close(layer.bias.detach(), before - 0.1 * gradient)


def test_a_training_of_100_steps_crosses_once(student, layer, notebook, monkeypatch):
    asked = []
    ask = Connection.ask
    monkeypatch.setattr(
        Connection, "ask", lambda self, *a, **k: asked.append(a[0]) or ask(self, *a, **k)
    )
    x, y = torch.rand(8, 3), torch.rand(8, 3)
    losses = train(layer, x, y, steps=100, optimizer=torch.optim.Adam, lr=0.05)
    assert len(asked) == 1
    ours = torch.nn.LayerNorm(3)
    optimizer, expected = torch.optim.Adam(ours.parameters(), lr=0.05), []
    for _ in range(100):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(ours(x), y)
        loss.backward()
        optimizer.step()
        expected.append(loss.detach())
    assert_close(losses, torch.stack(expected), atol=1e-4, rtol=1e-3)
    loss = torch.nn.functional.mse_loss(layer(x), y)
    made = student.remote(torch.optim.SGD, layer.parameters(), lr=0.0)
    assert_close(train(layer, x, y, steps=2, optimizer=made)[1], loss.detach())


def test_a_call_of_a_handle_costs_little(layer):
    """The whole way there and back. The fastest of many, as the machine may be busy."""
    x = torch.rand(2, 3)
    seconds = []
    for _ in range(200):
        began = time.perf_counter()
        layer(x)
        seconds.append(time.perf_counter() - began)
    assert min(seconds) < 0.002


# Other objects


def test_items_length_membership_and_iteration(student):
    vocab = student.Vocab(["a", "b"])
    assert (vocab["b"], len(vocab), "a" in vocab, "z" in vocab, list(vocab)) == (
        1,
        2,
        True,
        False,
        ["a", "b"],
    )
    vocab["c"] = 7
    del vocab["a"]
    assert dict(vocab.places) == {"b": 1, "c": 7}
    assert (vocab.first, vocab.kind(), student.Vocab.kind()) == ("b", "words", "words")
    assert text_of(vocab) == "Vocab of 2"
    assert repr(vocab) == "<Vocab in the sandbox>"
    assert type_name_of(vocab) == "Vocab"
    assert is_instance(vocab, student.Vocab)
    assert not is_instance(vocab, torch.nn.Module)
    assert student.vocab["x"] == 0
    assert student.model.weight.shape == (1, 2)


def test_an_object_of_an_own_class_that_derives_from_dict_or_list_is_an_object(student):
    words = student.Words(["to", "be"])
    assert words.encode("be or") == [1, -1]
    assert (
        words["be"] == 1 and len(words) == 2 and "or" not in words and list(words) == ["to", "be"]
    )
    assert words.itself() == words
    assert student.Stack([1, 2]).top == 2
    # Others are the data that they are.
    assert student.counted("abb") == {"a": 1, "b": 2}
    assert student.remote(collections.Counter, "abb") == {"a": 1, "b": 2}
    assert words.copy() == {"to": 0, "be": 1}


def test_exceptions_can_be_caught_as_what_they_are(student):
    vocab = student.Vocab([])
    with pytest.raises(KeyError) as caught:
        vocab["missing"]
    assert isinstance(caught.value, Raised)
    assert caught.value.reason == "`Vocab(...)[...]` raised KeyError."
    with pytest.raises(LookupError) as caught:
        student.look_up(vocab, "z")
    assert caught.value.kinds[:3] == ("MissingWord", "KeyError", "LookupError")
    assert caught.value.reason == "`look_up` raised an exception."
    with pytest.raises(AttributeError):
        student.refuse()


def test_objects_are_arguments_and_results_and_the_same_one_is_the_same(student):
    vocab = student.Vocab(["a"])
    assert student.same(vocab) == vocab
    assert student.Vocab(["a"]) != vocab
    assert student.look_up(vocab, "a") == 0
    assert student.same([vocab, {"k": vocab}])[1]["k"] == vocab
    assert isinstance(student.same(student.Vocab), Handle)


def test_an_object_answers_no_comparison_and_no_arithmetic(student):
    liar = student.Liar()
    assert liar != 1
    assert liar != student.Liar()
    assert equals(liar, 1) is True
    for judge in (
        lambda: liar < 1,
        lambda: liar - 1,
        lambda: float(liar),
        lambda: bool(liar),
        lambda: abs(liar),
        lambda: torch.as_tensor(liar),
        lambda: torch.tensor(1.0) - liar,
    ):
        with pytest.raises((TypeError, ValueError, OverflowError, StudentError)):
            judge()


def test_contexts_are_entered_and_left(student):
    timer = student.Timer()
    with timer as inner:
        assert inner == timer
        assert timer.entered is True
    assert timer.left_by is None
    with timer:
        raise KeyError("swallowed")
    assert timer.left_by == ("KeyError", "'swallowed'")
    with pytest.raises(ValueError, match="kept"), timer:
        raise ValueError("kept")


def test_iteration_is_bounded_and_takes_each_item_once(student):
    numbers = student.count()
    assert [number for number, _ in zip(numbers, range(600), strict=False)] == list(range(600))
    with pytest.raises(TooMuch, match="10,000 items"):
        list(student.count())
    items = iter(student.fail_after(5))
    assert [next(items) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(LookupError):
        next(items)
    values, seen = student.steps(20)
    assert next(iter(values)) == 0
    assert seen() == [0]
    assert next(student.steps(3)[0]) == 0


def test_fields_of_dataclasses(student):
    settings = student.Settings(0.1, [1, 2])
    assert fields_of(settings) == {"rate": 0.1, "sizes": [1, 2]}
    assert fields_of(settings.doubled())["rate"] == 0.2
    assert fields_of(student.Vocab(["a"])) == {"places": {"a": 0}}


def test_objects_end_with_their_question(student, notebook):
    vocab = student.Vocab(["a"])
    notebook.end_question()
    other = student.Vocab(["b"])
    assert list(other) == ["b"]
    with pytest.raises(Died, match="ended with the process"):
        vocab["a"]
    with pytest.raises(Died):
        student.look_up(vocab, "a")


# Values that cross


def test_data_arrives_as_what_it_is(student):
    array = student.give("array")
    assert type(array) is numpy.ndarray
    assert array.tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    assert student.give("ints").dtype == numpy.int64
    assert student.give("flags").tolist() == [True, False]
    assert student.give("big endian").tolist() == [0, 1, 2]
    assert student.give("set") == {1, 2}
    assert student.give("bytes") == b"x"
    assert student.give("complex") == 1 + 2j
    assert student.give("numpy complex") == 1j
    assert student.give("tuple keys") == {("a", 1): [2], None: 3}
    assert student.give("numpy key") == {3: "three"}
    assert student.give("counter") == collections.Counter("aab")
    assert student.give("scalars") == [0.5]
    assert student.give("enum") == Member("Colour", "RED")
    assert student.give("dtype") is torch.float64
    pair = student.give("pair")
    assert pair.first == pair[0] == 1
    assert_close(pair.second, torch.ones(2))
    largest = student.give("max")
    assert (largest.values.item(), largest.indices.item()) == (3.0, 1)


@pytest.mark.parametrize(
    "value",
    [{("a", 1): {2}}, b"x", 1j, frozenset([1]), (1, None), {"n": 2**70}],
    ids=lambda value: type(value).__name__,
)
def test_data_goes_there_and_comes_back(student, value):
    assert student.same(value) == value


def test_more_goes_there_by_name_or_value(student):
    assert student.kind_of(numpy.ones(2)) == "ndarray"
    assert student.kind_of(numpy.float32(1)) == "float"
    assert student.kind_of(torch.relu) == "builtin_function_or_method"
    assert student.kind_of(torch.nn.ReLU) == "type"
    assert student.kind_of(student.look_up) == "function"
    assert student.kind_of(slice(1, 2)) == "slice"
    assert student.kind_of(...) == "ellipsis"
    assert student.zeros(2, dtype=torch.float64).dtype is torch.float64
    drawn = student.draw(torch.Generator().manual_seed(3), 4)
    assert_close(drawn, torch.rand(4, generator=torch.Generator().manual_seed(3)))
    assert student.same(torch.Size([2, 3])) == (2, 3)


def test_a_bad_argument_is_the_graders_error_and_not_the_students(student):
    for argument in (lambda x: x, [object()], {1: student}, torch.ones(1).to_sparse()):
        with pytest.raises(TypeError) as caught:
            student.same(argument)
        assert not isinstance(caught.value, StudentError)
    with pytest.raises(TypeError, match="NameError") as caught:
        student.same(student.source("nonsense"))
    assert not isinstance(caught.value, StudentError)


def test_the_device_is_an_argument_and_needs_no_tensor_before(student):
    student.on_accelerator.zeros(2, device=student.device)
    assert student.last_call.result_devices == ["accel"]
    student.zeros(2, device=student.device)
    assert student.last_call.result_devices == ["cpu"]


def test_what_a_function_sees_of_the_accelerator_is_the_same_from_the_first_call(student):
    assert student.device_type() == "accel"


def test_names_of_the_engine_hide_no_function(student):
    assert student["read"]("x") == "the text of x"
    with pytest.raises(TypeError, match=r'student\["read"\]'):
        student.read("x")


def test_a_library_that_lacks_something_is_not_an_answer_that_is_not_written(student):
    with pytest.raises(Raised) as caught:
        student.raise_library()
    assert caught.value.reason == "`raise_library` raised NotImplementedError."
    with pytest.raises(Raised) as caught:
        student.raise_own()
    assert "not written yet" in caught.value.reason


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_a_recurrent_layer_on_the_accelerator(student, name):
    function, there = getattr(student, name), getattr(student.on_accelerator, name)
    x = torch.rand(4, 2, 2, requires_grad=True)
    results, gradients = [], []
    for one in (function, there):
        student.remote(torch.manual_seed, 0)
        results.append(one(x))
        gradients.append(torch.autograd.grad((results[-1] ** 2).sum(), x)[0])
    assert student.last_call.host_copies == []
    assert student.last_call.result_devices == ["accel"]
    assert_close(*results)
    assert_close(*gradients)


def test_a_figure_as_facts(student):
    shown = student.plot([1, 2, 3], torch.tensor([9.0, 3.0, 1.0]))
    figure = figure_of(shown)
    (axes,) = figure.axes
    assert (axes.title, axes.xlabel, axes.ylabel, axes.yscale) == (
        "Training",
        "step",
        "loss",
        "log",
    )
    (line,) = axes.lines
    assert (line.x.tolist(), line.y.tolist(), line.label) == ([1, 2, 3], [9, 3, 1], "loss")
    assert [bar.height for bar in axes.bars] == [3.0, 4.0]
    assert axes.points[0].y.tolist() == [2.0]
    assert axes.images[0].values.tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert axes.legend == ["loss"]
    with pytest.raises(Raised, match="is no figure"):
        figure_of(student.Vocab([]))


def test_a_table_by_its_columns(examine):
    pytest.importorskip(
        "pandas", reason="this course needs no pandas; its tables were tried with 3.1"
    )
    examined = examine(
        """
        import pandas as pd

        def frame():
            dates = pd.to_datetime(["2026-01-01", None])
            columns = {"word": ["a", None], "count": [1, 2], "when": dates}
            return pd.DataFrame(columns, index=["x", "y"])

        def total(frame):
            return int(frame["count"].sum())
        """
    )
    student = Student(Connection(examined))
    frame = student.frame()
    told = table_of(frame)
    assert told["index"] == ["x", "y"]
    assert told["columns"].pop("count").tolist() == [1, 2]
    assert told["columns"] == {"word": ["a", None], "when": ["2026-01-01", None]}
    assert student.total(frame) == 3
    with pytest.raises(Raised, match="is no pandas frame"):
        table_of(student.total)


def test_a_missing_name_is_told_with_the_cells_that_failed(examine):
    examined = examine("import no_such_package\nrows = 1")
    with pytest.raises(NotDefined, match="No module named 'no_such_package'") as caught:
        Student(Connection(examined)).rows  # noqa: B018
    assert caught.value.reason == "`rows` is not defined after the notebook has run."
