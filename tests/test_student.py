"""A student's functions in the grader's process: values, gradients, facts, errors and lies."""

import builtins
import math

import pytest
import torch
from torch.testing import assert_close

from proctor.grading import assertions
from proctor.grading.connection import (
    NOT_SEEN_AS,
    Connection,
    Died,
    NotDefined,
    Raised,
    StudentError,
    Told,
    TookTooLong,
    TooMuch,
    Untrustworthy,
)
from proctor.grading.handles import type_name_of
from proctor.grading.student import Student
from proctor.pages.report.acting import time_ran_out
from proctor.sandbox import patience as patience_module
from proctor.sandbox.examination import Examination
from proctor.sandbox.question import Question
from proctor.settings import TimeLimits
from proctor.wire.values import Foreign

NOTEBOOK = """
import os, sys, time
import numpy as np
import torch
from torch import nn

returned = {
    "None": None, "True": True, "int": 7, "float": 1.5, "text": "text", "nan": float("nan"),
    "list": [1, 2.0, "x"], "tuple": (1, (2, None)), "dict": {"a": [1], 2: 0.5},
    "numpy float": np.float32(0.5), "numpy int": np.int64(3), "numpy bool": np.bool_(True),
    "list of tensors": [torch.ones(2), (torch.zeros(1),)],
    "parameter": nn.Parameter(torch.ones(2)),
    "big int": 10**100,
}

class AlwaysEqual:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __hash__(self): return 0
    def __float__(self): return 0.0
    def __bool__(self): return True
    def __array__(self, *a, **k): return np.zeros(())

class EqualText(str):
    def __eq__(self, other): return True
    __hash__ = str.__hash__

class EqualNumber(float):
    def __eq__(self, other): return True
    def __sub__(self, other): return 0.0

class LyingTensor(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return True

class PlainSubclass(torch.Tensor):
    pass

foreign = {
    "huge int": 10**5000,
    "complex tensor": torch.ones(2, dtype=torch.complex64),
    "sparse": torch.eye(2).to_sparse(), "meta": torch.ones(2, device="meta"),
    "quantized": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8),
    "huge tensor": torch.empty(1, dtype=torch.uint8).expand(40 << 20),
}

def give(what): return returned[what]
def give_foreign(what): return foreign[what]
def give_subclass(what): return {"text": EqualText("a"), "float": EqualNumber(2.0)}[what]
def plain_subclass(x): return (x * 2).as_subclass(PlainSubclass)
def lying_subclass(x): return x.as_subclass(LyingTensor)
def many_large(): return [torch.zeros(7 << 20) for _ in range(3)]
def endless_list():
    items = []
    items.append(items)
    return items
def many_small(): return [torch.zeros(1) for _ in range(5000)]
def many_numbers(): return list(range(1_000_000))
def long_text(): return "x" * 10_000_000

def loss(predictions, targets, scale=1.0):
    return scale * ((predictions - targets) ** 2).mean()
def detached(predictions, targets): return loss(predictions.detach(), targets)
def rescued(predictions, targets): return loss(predictions, targets).detach().requires_grad_()
def wrong_gradient(x): return x.detach() ** 2 + 2 * x - (2 * x).detach()
def two(x): return (x * 2).sum(), {"cube": x ** 3, "sign": x > 0, "rank": x.argsort()}
def same_twice(x):
    y = x.sin()
    return y, y
def identity(x): return x
def unused(x, y): return x.sum()
def no_tensors(): return torch.tensor(3.0)
def nothing_differentiable(x): return x.shape[0], x.argmax()
def backward_fails(x):
    class Bad(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x): return x.clone()
        @staticmethod
        def backward(ctx, gradient): raise LookupError("in backward")
    return Bad.apply(x)

def change_first(a, b):
    a.add_(1)
    return b.sum()
def change_data(a, b):
    b.data[0] = 5
    return a.sum()
def change_nothing(a, b): return (a.clone().add_(1) + b).sum()
def change_and_undo(a, b):
    a.add_(1).sub_(1)
    return a.sum()
def change_nan(a, b): return a.sum()

def with_loop(x): return sum(value * 2 for value in x)
def without_loop(x): return (x * 2).sum()
def by_item(x): return torch.zeros_like(x) + x.sum().item()
def by_cpu(x): return x.cpu() * 2
def by_numpy(x): return torch.from_numpy(x.detach().cpu().numpy()) * 2
def on_device(x): return torch.where(x > 0, x, torch.zeros_like(x)).sum()
def wrong_device(x): return x + torch.ones(3)

steps = 0
def count_up(weights, amount):
    global steps
    steps += 1
    weights += amount
    return steps
def step(weights, rate):
    with torch.no_grad():
        weights -= rate * weights.grad
def forward_backward(weights, x):
    loss = (weights * x).sum()
    loss.backward()
    return loss
def replace(weights):
    weights.data = weights.data * 2

def apply(f, x): return f(x)
def nap(seconds): time.sleep(seconds)
def slope(f, x, *, step=1e-3): return (f(x + step) - f(x - step)) / (2 * step)

class SecretIs42(Exception): pass
class ValueError42(ValueError): pass
class Unprintable(Exception):
    def __str__(self): raise RuntimeError
def raise_it(name): raise {**vars(__builtins__), **globals()}[name]("input was 42")
def leave(): sys.exit("input was 42")
def die(): os._exit(0)
def crash():
    import ctypes
    ctypes.string_at(0)
def fill_memory():
    held = []
    while True:
        held.append(bytearray(64 << 20))
def hang(seconds=60): time.sleep(seconds)
def hang_hard():
    import signal
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    while True: pass
def recurse(): recurse()
def forks():
    os.fork()
    return 1

counter = 0
def count():
    global counter
    counter += 1
    return counter
def prints():
    print("HIDDEN")
    sys.stderr.write("HIDDEN")
    os.write(1, b"HIDDEN")
    os.system("echo HIDDEN")
    return 1

a_tensor = torch.arange(3.0, requires_grad=True)
an_array = np.arange(4.0).reshape(2, 2)
texts = np.array(["a", "b"])
a_number = np.float64(2.5)
module = nn.Linear(2, 1)
"""


@pytest.fixture(scope="module")
def notebook(sandbox):
    """The notebook above, run once; each test asks in a question of its own."""
    limits = TimeLimits(cell=10.0, call=1.0, repeated_call=0.3, submission=300.0)
    with Examination(sandbox, [NOTEBOOK], limits=limits) as examined:
        (run,) = examined.run_cells()
        assert run.status == "ok", run.outputs
        yield examined


@pytest.fixture
def answers(notebook):
    """The notebook's names, as a grader's `student` gives them."""
    notebook.incidents.clear()
    yield Student(Connection(notebook))
    notebook.end_question()


def pair():
    generator = torch.Generator().manual_seed(1)
    predictions = torch.rand(4, generator=generator, dtype=torch.float64, requires_grad=True)
    return predictions, torch.rand(4, generator=generator, dtype=torch.float64)


# Values and types


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("None", None),
        ("True", True),
        ("int", 7),
        ("float", 1.5),
        ("text", "text"),
        ("list", [1, 2.0, "x"]),
        ("tuple", (1, (2, None))),
        ("dict", {"a": [1], 2: 0.5}),
        ("numpy float", 0.5),
        ("numpy int", 3),
        ("numpy bool", True),
        ("big int", 10**100),
    ],
)
def test_a_result_has_the_value_and_the_type_it_had_there(answers, what, expected):
    result = answers.give(what)
    assert result == expected
    assert repr(result) == repr(expected)


def test_results_of_tensors_and_floats_that_are_not_finite(answers):
    assert math.isnan(answers.give("nan"))
    first, (second,) = answers.give("list of tensors")
    assert_close(first, torch.ones(2))
    assert_close(second, torch.zeros(1))
    parameter = answers.give("parameter")
    assert type(parameter) is torch.Tensor
    assert_close(parameter.detach(), torch.ones(2))


@pytest.mark.parametrize(
    ("what", "type_name"),
    [
        ("huge int", "a number with too many digits"),
        ("complex tensor", "a tensor of dtype complex64"),
        ("sparse", "a sparse tensor"),
        ("meta", "a tensor without values (device meta)"),
        ("quantized", "a tensor of dtype qint8"),
        ("huge tensor", "a tensor too large to look at"),
    ],
)
def test_what_does_not_cross_is_foreign_and_equals_nothing(answers, what, type_name):
    result = answers.give_foreign(what)
    assert result == Foreign(type_name)
    assert result not in (1, 0.0, None, "x", True)


def test_subclasses_arrive_as_what_they_are_made_of(answers):
    text, number = answers.give_subclass("text"), answers.give_subclass("float")
    assert (type(text), type(number)) == (str, float)
    assert text != "b"
    assert number != 3.0
    doubled = answers.plain_subclass(torch.ones(2))
    assert type(doubled) is torch.Tensor
    assert_close(doubled, torch.full((2,), 2.0))


@pytest.mark.parametrize("name", ["many_large", "many_small", "many_numbers", "long_text"])
def test_a_result_that_cannot_be_sent_is_told_as_too_large_and_ends_nothing(answers, name):
    with pytest.raises(TooMuch, match="too large to look at") as caught:
        getattr(answers, name)()
    assert caught.value.reason == f"The result of `{name}` is too large to look at."
    assert answers.give("int") == 7


def test_a_tensor_that_lies_about_itself_does_not_cross(answers):
    assert isinstance(answers.lying_subclass(torch.ones(2)), Foreign)
    assert answers.give("int") == 7


def test_variables_have_values_and_arrays_arrive_as_tensors(answers):
    assert_close(answers.a_tensor, torch.arange(3.0))
    assert_close(answers.an_array, torch.arange(4.0, dtype=torch.float64).reshape(2, 2))
    assert type_name_of(answers.texts) == "ndarray"
    assert answers.a_number == 2.5
    assert type(answers.a_number) is float
    assert answers.module(torch.ones(1, 2)).shape == (1, 1)
    assert answers.has("loss")
    assert not answers.has("no_such_name")
    with pytest.raises(NotDefined, match="no_such_name"):
        answers.no_such_name  # noqa: B018


def test_private_names_are_not_asked_for(answers):
    with pytest.raises(AttributeError):
        answers.__wrapped__  # noqa: B018


# Gradients


def test_gradients_are_those_of_the_function(answers):
    predictions, targets = pair()
    loss = answers.loss(predictions, targets, scale=3.0)
    assert_close(loss, 3.0 * ((predictions - targets) ** 2).mean())
    loss.backward()
    assert_close(predictions.grad, 6 * (predictions.detach() - targets) / 4)


def test_keyword_arguments_may_be_tensors(answers):
    predictions, targets = pair()
    answers.loss(targets=targets, predictions=predictions).backward()
    assert_close(predictions.grad, (predictions.detach() - targets) / 2)


def test_gradcheck_tells_a_right_gradient_from_a_wrong_one(answers):
    x, targets = pair()
    assert torch.autograd.gradcheck(answers.loss, (x, targets))
    assert torch.autograd.gradcheck(lambda x: answers.two(x)[1]["cube"], (x,))
    assert not torch.autograd.gradcheck(answers.wrong_gradient, (x,), raise_exception=False)
    with pytest.raises(ValueError, match="at least one"):
        torch.autograd.gradcheck(answers.detached, (targets, targets))
    with pytest.raises(RuntimeError, match="expected to be zero"):
        torch.autograd.gradcheck(answers.detached, (x, targets))


def test_a_detached_result_takes_no_part_in_autograd(answers):
    predictions, targets = pair()
    result = answers.detached(predictions, targets)
    assert not result.requires_grad
    with pytest.raises(RuntimeError, match="does not require grad"):
        result.backward()


def test_pretending_to_require_a_gradient_gives_none(answers):
    predictions, targets = pair()
    result = answers.rescued(predictions, targets)
    assert_close(result.detach(), ((predictions - targets) ** 2).mean().detach())
    result.backward()
    assert predictions.grad is None


def test_a_result_can_be_used_twice_and_several_results_each(answers):
    x = torch.tensor([0.5, -2.0, 1.0], dtype=torch.float64, requires_grad=True)
    total, rest = answers.two(x)
    assert not rest["sign"].requires_grad
    assert rest["rank"].tolist() == [1, 0, 2]
    assert rest["sign"].dtype is torch.bool
    (total * total + rest["cube"].sum()).backward()
    assert_close(x.grad, 2 * total.detach() * 2 + 3 * x.detach() ** 2)


def test_one_tensor_returned_twice_adds_up(answers):
    x = torch.tensor([0.5], requires_grad=True)
    first, second = answers.same_twice(x)
    (first + 2 * second).backward()
    assert_close(x.grad, 3 * x.detach().cos())


def test_an_input_returned_as_it_is_has_the_gradient_of_itself(answers):
    x = torch.tensor([0.5, 1.0], requires_grad=True)
    answers.identity(x).sum().backward()
    assert_close(x.grad, torch.ones(2))


def test_an_unused_input_has_no_gradient(answers):
    x, y = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    answers.unused(x, y).backward()
    assert_close(x.grad, torch.ones(2))
    assert y.grad is None


def test_results_without_a_gradient(answers):
    assert answers.no_tensors().item() == 3.0
    x = torch.tensor([1.0, 3.0], requires_grad=True)
    length, largest = answers.nothing_differentiable(x)
    assert (length, largest.item(), largest.requires_grad) == (2, 1, False)


def test_backward_can_be_asked_again_and_with_a_vector(answers):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    cube = answers.two(x)[1]["cube"]
    for upstream in (torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])):
        (gradient,) = torch.autograd.grad(cube, x, upstream, retain_graph=True)
        assert_close(gradient, 3 * x.detach() ** 2 * upstream)
    loss = (cube * cube).sum()
    loss.backward(retain_graph=True)
    loss.backward()
    assert_close(x.grad, 2 * 6 * x.detach() ** 5)


def test_calls_may_be_chained_and_mixed_with_torch(answers):
    x = torch.tensor([0.3, 0.4], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: answers.identity(answers.identity(x * 2).exp()), (x,))


def test_a_second_derivative_is_refused_and_not_zero(answers):
    x = torch.tensor([1.0], requires_grad=True)
    (gradient,) = torch.autograd.grad(answers.two(x)[1]["cube"] ** 2, x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.backward()


def test_without_grad_nothing_requires_it(answers):
    predictions, targets = pair()
    with torch.no_grad():
        assert not answers.loss(predictions, targets).requires_grad


def test_an_error_in_backward_is_the_students(answers):
    x = torch.ones(2, requires_grad=True)
    result = answers.backward_fails(x)
    with pytest.raises(Raised) as caught:
        result.sum().backward()
    assert caught.value.type_name == "LookupError"
    assert "in backward" in str(caught.value)
    assert "in backward" not in caught.value.reason


# Facts about a call


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("change_first", [0]),
        ("change_data", [1]),
        ("change_nothing", []),
        ("change_and_undo", []),
    ],
)
def test_changed_inputs_are_noticed(answers, name, changed):
    a, b = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0])
    getattr(answers, name)(a, b)
    assert answers.last_call.changed_inputs == changed
    assert a.tolist() == [1.0, 2.0]


def test_nan_in_an_input_is_no_change(answers):
    answers.change_nan(torch.tensor([math.nan]), torch.tensor([1.0]))
    assert answers.last_call.changed_inputs == []


def test_operations_are_counted_where_asked_for(answers):
    def operations(name, size):
        getattr(answers.counting_operations, name)(torch.ones(size))
        return answers.last_call.operations

    assert operations("with_loop", 40) > 3 * operations("with_loop", 10)
    assert operations("without_loop", 40) == operations("without_loop", 10)
    answers.without_loop(torch.ones(3))
    assert answers.last_call.operations is None


def test_a_call_made_several_times_in_one_go(answers):
    kept = answers.keep(torch.zeros(2))
    assert answers.repeating(7).count_up(kept, 0.5) == 7
    assert answers.read(kept).value.tolist() == [3.5, 3.5]
    assert answers.count_up(kept, 0.5) == 8


def test_a_call_is_made_at_least_once(answers):
    with pytest.raises(ValueError, match="0 times"):
        answers.repeating(0)


def test_calls_made_in_one_go_have_the_time_of_one(answers):
    with pytest.raises(TookTooLong):
        answers.repeating(20).nap(0.1)


def test_a_call_on_the_accelerator(answers):
    x = torch.tensor([1.0, -1.0, 2.0], requires_grad=True)
    result = answers.on_accelerator.on_device(x)
    assert result.item() == 3.0
    assert answers.last_call.result_devices == ["accel"]
    assert answers.last_call.host_copies == []
    result.backward()
    assert x.grad.tolist() == [1.0, 0.0, 1.0]
    with pytest.raises(Raised, match="same device"):
        answers.on_accelerator.wrong_device(x)


@pytest.mark.parametrize(
    ("name", "copy", "device"),
    [("by_item", ".item()", "accel"), ("by_cpu", ".cpu()", "cpu"), ("by_numpy", ".cpu()", "cpu")],
)
def test_copies_to_the_host_are_told(answers, name, copy, device):
    getattr(answers.on_accelerator, name)(torch.ones(3))
    assert copy in answers.last_call.host_copies
    assert answers.last_call.result_devices == [device]
    getattr(answers, name)(torch.ones(3))
    assert answers.last_call.host_copies == []


# Tensors that stay, functions as arguments


def test_a_kept_tensor_lives_over_several_calls(answers):
    weights = answers.keep(torch.tensor([1.0, 2.0]), requires_grad=True)
    assert answers.read(weights).gradient is None
    loss = answers.forward_backward(weights, torch.tensor([3.0, 4.0]))
    assert loss.item() == 11.0
    kept = answers.read(weights)
    assert kept.gradient.tolist() == [3.0, 4.0]
    assert (kept.is_leaf, kept.requires_grad) == (True, True)
    answers.step(weights, 0.5)
    answers.replace(weights)
    assert answers.read(weights).value.tolist() == [-1.0, 0.0]
    assert answers.last_call.changed_inputs == []


def test_kept_tensors_cross_with_the_call_that_uses_them(answers, monkeypatch):
    asked, ask, count_up = [], Question.ask, answers.count_up

    def noted(self, message, *rest):
        asked.append(message["ask"])
        return ask(self, message, *rest)

    monkeypatch.setattr(Question, "ask", noted)
    first, second = answers.keep(torch.zeros(2)), answers.keep(torch.ones(2))
    count_up(first, 0.5)
    assert answers.read(first).value.tolist() == [0.5, 0.5]
    answers.read(first).value.zero_()  # a copy
    assert answers.read(first).value.tolist() == [0.5, 0.5]
    assert asked == ["call"]
    assert answers.read(second).value.tolist() == [1.0, 1.0]
    assert asked == ["call", "read"]
    large = answers.keep(torch.ones(2 << 20))
    assert asked == ["call", "read", "keep"]
    count_up(large, 1.0)
    assert answers.read(large).value.sum() == 4 << 20
    assert asked == ["call", "read", "keep", "call", "read"]


def test_kept_tensors_are_told_apart_and_end_with_the_question(answers, notebook):
    first, second = answers.keep(torch.zeros(1)), answers.keep(torch.ones(1))
    assert [answers.read(kept).value.item() for kept in (first, second)] == [0.0, 1.0]
    notebook.end_question()
    with pytest.raises(StudentError):
        answers.read(first)


def test_a_function_can_be_an_argument(answers):
    square = answers.source("lambda x: x ** 2")
    assert answers.apply(square, 3) == 9
    assert answers.slope(square, 3.0, step=0.5) == pytest.approx(6.0)
    x = torch.tensor([2.0], requires_grad=True)
    answers.apply(answers.source("torch.exp"), x).sum().backward()
    assert_close(x.grad, x.detach().exp())


@pytest.mark.parametrize(
    "argument",
    [lambda x: x, object(), torch.ones(2, dtype=torch.complex64)],
    ids=["a function", "an object", "complex numbers"],
)
def test_an_argument_that_cannot_be_sent_is_the_graders_error(answers, argument):
    with pytest.raises(TypeError, match="cannot be an argument"):
        answers.give(argument)
    assert answers.give("int") == 7


# Errors


@pytest.mark.parametrize(
    ("type_name", "shown"),
    [
        ("ValueError", "ValueError"),
        ("KeyboardInterrupt", "KeyboardInterrupt"),
        ("SystemExit", "SystemExit"),
        ("GeneratorExit", "GeneratorExit"),
        ("SecretIs42", "an exception"),
        ("ValueError42", "an exception"),
        ("Unprintable", "an exception"),
    ],
)
def test_an_exception_is_told_by_its_type_and_never_by_its_text(answers, type_name, shown):
    with pytest.raises(Raised) as caught:
        answers.raise_it(type_name)
    assert caught.value.type_name == type_name
    assert caught.value.reason == f"`raise_it` raised {shown}."
    assert "42" not in caught.value.reason
    assert answers.give("int") == 7


def test_a_stub_is_called_not_written_yet(answers):
    with pytest.raises(Raised) as caught:
        answers.raise_it("NotImplementedError")
    assert "not written yet" in caught.value.reason


def test_exit_and_endless_recursion_are_errors_as_others(answers):
    with pytest.raises(Raised) as caught:
        answers.leave()
    assert caught.value.type_name == "SystemExit"
    assert "42" not in caught.value.reason
    with pytest.raises(Raised) as caught:
        answers.recurse()
    assert caught.value.type_name == "RecursionError"


@pytest.mark.parametrize("name", ["die", "crash"])
def test_a_call_that_ends_its_process_costs_itself_alone(answers, name):
    with pytest.raises(Died, match=f"`{name}` ended the process"):
        getattr(answers, name)()
    assert answers.give("int") == 7


def test_a_call_that_fills_the_memory_costs_itself_alone(answers):
    with pytest.raises(StudentError):
        answers.fill_memory()
    assert answers.give("int") == 7


def test_a_call_that_takes_too_long_is_stopped_and_later_ones_sooner(answers, notebook):
    with pytest.raises(
        TookTooLong, match=r"longer than the 1 s allowed for a call\. Is there a loop"
    ):
        answers.hang()
    before = notebook.spent
    with pytest.raises(TookTooLong, match=r"`hang` took too long here, too\. Is there a loop"):
        answers.hang()
    assert notebook.spent - before < 1.0
    assert answers.hang(0.01) is None
    assert notebook.incidents == ["hang took longer than its 1 s"]
    assert time_ran_out(notebook.incidents[0])


def test_a_call_that_cannot_be_stopped_is_ended(answers, notebook, monkeypatch):
    monkeypatch.setattr(patience_module, "GRACE", 0.3)
    with pytest.raises(TookTooLong):
        answers.hang_hard()
    assert 1.0 < notebook.spent < 10
    assert answers.give("int") == 7


def test_a_function_that_forks_answers_once(answers):
    assert [answers.forks(), answers.give("int"), answers.give("text")] == [1, 7, "text"]


def test_state_lasts_for_one_question(answers, notebook):
    assert [answers.count(), answers.count()] == [1, 2]
    assert answers.counter == 2
    notebook.end_question()
    assert answers.count() == 1


def test_a_function_of_the_graders_can_stand_in_for_one_of_the_students(answers):
    predictions, targets = pair()
    own = answers.detached(predictions, targets)
    with answers.with_standing_in({"loss": "lambda p, t: (p * t).max()", "new": "lambda x: x + 1"}):
        assert_close(answers.detached(predictions, targets), (predictions * targets).max())
        assert answers.new(1) == 2
    assert_close(answers.detached(predictions, targets), own)
    assert not answers.has("new")


def test_what_a_call_prints_goes_nowhere(sandbox, capfd):
    with Examination(sandbox, [NOTEBOOK, "print('seen')"]) as examined:
        examined.run_cells()
        assert Student(Connection(examined)).prints() == 1
        assert "HIDDEN" not in str(examined.runs) + str(examined.incidents)
        assert "seen" in str(examined.runs)
    assert "HIDDEN" not in "".join(capfd.readouterr())


# Lies: the process answers by itself what it likes

LIAR = '''
import json, os, socket, stat, struct
import torch

def sockets():
    numbers = [int(name) for name in os.listdir("/proc/self/fd")]
    found = [number for number in numbers if is_socket(number)]
    return [socket.socket(fileno=os.dup(number)) for number in found]

def is_socket(number):
    try:
        return stat.S_ISSOCK(os.fstat(number).st_mode)
    except OSError:
        return False

def lie(*frames):
    """Send these answers before the honest one."""
    from proctor.wire.tensors import pack_tensors
    for one in sockets():
        for message, tensors in frames:
            header = json.dumps(message).encode()
            blob = pack_tensors(tensors)
            one.sendall(struct.pack(">II", len(header), len(blob)) + header + blob)

facts = {"changed": [], "operations": None, "host_copies": []}
described = {"requires_grad": True, "device": "cpu"}
leaf = {**described, "leaf": True, "has_gradient": True}

def answer(result, tensors=(), facts=facts):
    return {"results": [result], "facts": [facts]}, tensors

def tell_ahead(number): lie(answer(["plain", 1000 + number]))
def tell_bytes(index):
    for one in sockets():
        one.sendall(BYTES[index])
def tell(index): lie(LIES[index])
def tell_gradient(x, index):
    lie(answer(["tensor", 0, described], [x.sum()]), GRADIENTS[index])
'''

LIES = """
LIES = [
    ({}, []),
    ({"results": None}, []),
    ({"results": [["plain", 1]]}, []),
    ({"results": [], "facts": []}, []),
    ({"results": [["plain", 1]] * 2, "facts": [facts] * 2}, []),
    ({"results": [["plain", 1]], "facts": [facts], "ended": 1}, []),
    answer(["unknown", 1]),
    answer(["tensor", 0, described]),
    answer(["plain", 1], [torch.ones(1)]),
    answer(["tensor", 0], [torch.ones(1)]),
    answer(["tensor", 0, []], [torch.ones(1)]),
    answer(["tensor", 1, described], [torch.ones(1), torch.ones(1)]),
    answer(["tensor", "0", described], [torch.ones(1)]),
    answer(["list", [["tensor", 0, described]] * 2], [torch.ones(1)]),
    answer(["tensor", -1, described], [torch.ones(1)]),
    answer(["dict", [[["tensor", 0, described], ["plain", 1]]]], [torch.ones(1)]),
    answer(["plain", 1], facts=None),
    answer(["plain", 1], facts={"changed": "all"}),
    answer(["plain", 1], facts={"changed": [True], "host_copies": []}),
    answer(["plain", 1], facts={"changed": [], "host_copies": [1]}),
    answer(["plain", 1], facts={"changed": [], "host_copies": [], "operations": "few"}),
    answer(["object", "0", "X"]),
    answer(["object", True, "X"]),
    answer(["object", 0]),
    answer(["dtype", "load"]),
    answer(["array", 0, {}]),
    answer(["array", 0, {}], [torch.ones(1, dtype=torch.bfloat16)]),
    answer(["set", [["tensor", 0, described]]], [torch.ones(1)]),
    answer(["tensor", 0, leaf], [torch.ones(1)]),
    answer(["tensor", 0, leaf], [torch.ones(1), torch.ones(2)]),
    answer(["tensor", 0, {**described, "has_gradient": True}], [torch.ones(1), torch.ones(1)]),
    ({"raised": "ValueError"}, []),
    ({"raised": {"type": 1, "text": ""}}, []),
    ({"raised": {"type": "E"}}, []),
]
GRADIENTS = [
    ({}, []),
    ({"present": [True]}, []),
    ({"present": []}, [torch.ones(3)]),
    ({"present": [True, True]}, [torch.ones(3), torch.ones(3)]),
    ({"present": [True]}, [torch.ones(4)]),
    ({"present": [True]}, [torch.ones(1)]),
    ({"present": [True]}, [torch.ones(3, dtype=torch.float64)]),
    ({"present": [True]}, [torch.ones(3, dtype=torch.bool)]),
    ({"present": "yes"}, [torch.ones(3)]),
]
BYTES = [
    bytes([255] * 100),
    struct.pack(">II", 3, 0) + b"[1]",
    struct.pack(">II", 2, 100) + b"{}" + bytes([128] * 100),
    struct.pack(">II", 200_000, 0) + b"[" * 200_000,
]
"""


@pytest.fixture(scope="module")
def liar(sandbox):
    with Examination(sandbox, [LIAR, LIES], limits=TimeLimits(cell=10, submission=300)) as examined:
        assert [run.status for run in examined.run_cells()] == ["ok", "ok"], examined.runs
        yield examined


@pytest.mark.parametrize("index", range(LIES.partition("GRADIENTS")[0].count("\n    ")))
def test_a_forged_answer_is_untrustworthy(liar, index):
    with pytest.raises(Untrustworthy) as caught:
        Student(Connection(liar)).tell(index)
    assert caught.value.reason == "The sandbox sent back something invalid."
    liar.end_question()


@pytest.mark.parametrize(
    "index", range(LIES.partition("GRADIENTS")[2].partition("BYTES")[0].count("\n    "))
)
def test_a_forged_gradient_is_untrustworthy(liar, index):
    x = torch.ones(3, requires_grad=True)
    result = Student(Connection(liar)).tell_gradient(x, index)
    with pytest.raises(Untrustworthy):
        result.backward()
    assert x.grad is None
    liar.end_question()


@pytest.mark.parametrize("index", range(LIES.partition("BYTES")[2].count("\n    ")))
def test_what_is_no_frame_is_untrustworthy_and_the_next_question_is_a_new_one(liar, index):
    student = Student(Connection(liar))
    with pytest.raises(Untrustworthy):
        student.tell_bytes(index)
    assert student.facts == {"changed": [], "operations": None, "host_copies": []}
    liar.end_question()


def test_answers_sent_ahead_are_read_as_the_next_and_end_with_the_question(liar):
    """A liar may answer later calls early, with values that it would have to know all the same."""
    student = Student(Connection(liar))
    told = []
    for number in range(3):
        told.append(student.tell_ahead(number))
    assert told == [1000, None, 1001]
    liar.end_question()
    assert Student(Connection(liar)).has("LIES")


def test_what_cells_and_calls_leave_running_is_gone_before_the_next_question(examine):
    examined = examine(
        """
        import os, time

        def leave():
            if os.fork() == 0:
                os.setsid()
                time.sleep(60)
                os._exit(0)
            return 1

        def processes():
            return sum(name.isdigit() for name in os.listdir("/proc"))

        for _ in range(10):
            leave()
        """
    )
    student = Student(Connection(examined))
    for _ in range(3):
        assert student.processes() == 2  # the session and the question
        student.leave()
        assert student.processes() == 3
        examined.end_question()


EXCEPTIONS = [
    kind
    for kind in vars(builtins).values()
    if isinstance(kind, type) and issubclass(kind, Exception) and kind is not ExceptionGroup
]


@pytest.mark.parametrize("kind", EXCEPTIONS, ids=lambda kind: kind.__name__)
def test_every_exception_of_python_is_told_as_what_it_is(kind):
    """Some are made in a way of their own: an OSError, a UnicodeDecodeError."""
    kinds = tuple(each.__name__ for each in kind.__mro__[:-1])
    error = Raised("f", Told(kind.__name__, kinds, "a text", False))
    assert error.reason.startswith(f"`f` raised {kind.__name__}")
    assert str(error) == f"{error.reason} ({kind.__name__}: a text)"
    assert isinstance(error, kind) or issubclass(kind, NOT_SEEN_AS)


def test_exceptions_of_a_students_own_leave_nothing_behind():
    """A class of ours for each name that somebody thinks of would stay as long as the process."""
    own = [("Own" + "n" * number, "ValueError", "Exception") for number in range(5)]
    assert len({type(Raised("f", Told(kinds[0], kinds, "", False))) for kinds in own}) == 1


def test_a_file_that_is_not_there_is_told_as_that(examine):
    examination = examine("def f():\n    return open('/nowhere')")
    with pytest.raises(FileNotFoundError) as caught:
        Student(Connection(examination)).f()
    assert isinstance(caught.value, Raised)
    assert caught.value.reason.startswith("`f` raised FileNotFoundError")


def test_of_many_numbers_the_worst_is_told():
    expected = torch.arange(40.0).reshape(8, 5)
    result = expected.clone()
    result[2, 3], result[7, 0] = 0, 34
    with pytest.raises(AssertionError) as caught:
        assertions.assert_close("the result", result, expected)
    assert str(caught.value) == (
        "the result should be as expected within 1.0e-09, but 2 of 40 numbers are not. The worst, "
        "at [2, 3], should be 13, got 0"
    )
    with pytest.raises(assertions.Fault, match="2 of 40 numbers that are nan or infinite"):
        assertions.assert_close(
            "the result", torch.where(result == expected, 1, torch.nan), expected
        )
    with pytest.raises(
        AssertionError, match=r"should be tensor\(\[2\., 3\.\].*got tensor\(\[2\., 4"
    ):
        assertions.assert_close("the result", torch.tensor([2.0, 4]), torch.tensor([2.0, 3]))
