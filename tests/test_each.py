"""`each`: calls that cross to the sandbox together count as calls made one after the other."""

import pytest
import torch

from proctor.grading.assertions import gradients_of
from proctor.grading.connection import Connection, Died, Raised, StudentError, TookTooLong
from proctor.grading.handles import each
from proctor.grading.student import Student
from proctor.grading.witness import Notes, noting
from proctor.sandbox.examination import Examination
from proctor.sandbox.question import Question
from proctor.settings import TimeLimits
from proctor.wire import at_once

NOTEBOOK = """
import os, time
import torch

calls, buffer = [], torch.zeros(1)

def double(x):
    calls.append(float(x.sum()))
    return 2 * x

def square(x): return x ** 2
def below_three(x):
    calls.append(float(x))
    if x >= 3:
        raise ValueError("three")
    return x
def in_one_buffer(x): return buffer.copy_(x)
def after_a_while(x):
    time.sleep(0.06)
    return x
def cube_after_a_while(x): return after_a_while(x) ** 3
def of_any_size(x): return x.expand(int(x))
def as_list(x): return [float(x)] * 3
def changes_large_ones(x): return x.add_(1) if x > 1 else x
def hangs_at_three(x):
    while x == 3:
        pass
    return x
def ends_at_three(x):
    if x == 3:
        os._exit(0)
    return x
def told(): return list(calls)
class Scale:
    def __init__(self, factor): self.factor = factor
    def __call__(self, x): return self.factor * x
"""


@pytest.fixture(scope="module")
def notebook(sandbox):
    with Examination(sandbox, [NOTEBOOK], limits=TimeLimits(call=1)) as examined:
        examined.run_cells()
        yield examined


@pytest.fixture
def student(notebook):
    yield Student(Connection(notebook))
    notebook.end_question()


@pytest.fixture
def asked(monkeypatch):
    """How many calls each message to the sandbox holds."""
    numbers, ask = [], Question.ask

    def noted(self, message, *arguments, **keywords):
        numbers.append(len(message.get("calls", ())))
        return ask(self, message, *arguments, **keywords)

    monkeypatch.setattr(Question, "ask", noted)
    return numbers


def numbers(count):
    return [(torch.tensor(float(number)),) for number in range(count)]


def taken(results):
    """The results that came, and the error that came in place of the next."""
    came = []
    try:
        for result in results:
            came.append(result.item())
    except StudentError as error:
        return came, error
    return came, None


def test_results_come_in_order_from_one_message(student, asked):
    function = student.double
    asked.clear()
    assert [result.item() for result in each(function, numbers(5))] == [0, 2, 4, 6, 8]
    assert asked == [5]
    assert student.told() == [0, 1, 2, 3, 4]


def test_more_calls_than_a_message_holds(student, asked):
    function = student.double
    asked.clear()
    results = list(each(function, numbers(at_once.MOST + 6)))
    assert [result.item() for result in results] == list(range(0, 2 * len(results), 2))
    assert asked == [at_once.MOST, 6]


def test_no_calls_are_no_message(student, asked):
    function = student.double
    asked.clear()
    assert list(each(function, [])) == []
    assert asked == []


def test_what_is_told_of_a_call_is_told_with_its_result(student):
    told = [student.last_call.changed_inputs for _ in each(student.changes_large_ones, numbers(4))]
    assert told == [[], [], [0], [0]]
    results = each(student.on_accelerator.double, numbers(2))
    assert [student.last_call.result_devices for _ in results] == [["accel"], ["accel"]]


def test_an_error_comes_when_it_is_its_turn_and_nothing_after_it_is_called(student):
    came, error = taken(each(student.below_three, numbers(6)))
    assert came == [0, 1, 2]
    assert isinstance(error, Raised)
    assert error.type_name == "ValueError"
    assert student.told() == [0, 1, 2, 3]


def test_a_result_is_as_it_was_before_the_next_call(student):
    assert [result.item() for result in each(student.in_one_buffer, numbers(4))] == [0, 1, 2, 3]


def test_slow_calls_have_messages_of_their_own(student, asked):
    function = student.after_a_while
    asked.clear()
    assert len(list(each(function, numbers(5)))) == 5
    assert len(asked) > 1


def test_large_results_and_other_kinds_are_the_last_of_their_message(student, asked):
    assert [len(one) for one in each(student.as_list, numbers(3))] == [3, 3, 3]
    many = torch.tensor(float(at_once.MOST_BYTES // 4 + 1))
    functions = student.of_any_size, student.as_list
    asked.clear()
    assert [len(one) for one in each(functions[0], [(many,)] * 2)] == [int(many)] * 2
    assert asked == [2, 1]


def test_a_call_that_hangs_is_told_in_its_place_within_its_own_time(student):
    came, error = taken(each(student.hangs_at_three, numbers(6)))
    assert came == [0, 1, 2]
    assert isinstance(error, TookTooLong)
    assert error.reason.startswith("`hangs_at_three` took longer than the 1 s allowed for a call.")


def test_a_call_that_ends_the_process_costs_those_of_its_message(student):
    with pytest.raises(Died):
        list(each(student.ends_at_three, numbers(6)))
    assert [result.item() for result in each(student.ends_at_three, numbers(3))] == [0, 1, 2]


def test_gradients_of_all_calls_come_from_one_message(student, asked):
    tensors = [torch.randn(3, requires_grad=True) for _ in range(4)]
    results = list(each(student.square, [(tensor,) for tensor in tensors]))
    asked.clear()
    gradients = gradients_of("square", results, tensors)
    assert len(asked) == 1
    for gradient, tensor in zip(gradients, tensors, strict=True):
        torch.testing.assert_close(gradient, 2 * tensor.detach())


def test_gradients_of_calls_that_took_several_messages(student, asked):
    tensors = [torch.full((3,), float(number), requires_grad=True) for number in range(5)]
    results = list(each(student.cube_after_a_while, [(tensor,) for tensor in tensors]))
    assert len(asked) > 2
    for gradient, tensor in zip(gradients_of("cube", results, tensors), tensors, strict=True):
        torch.testing.assert_close(gradient, 3 * tensor.detach() ** 2)


def test_gradients_of_what_came_before_an_error(student):
    tensors = [torch.tensor(float(number), requires_grad=True) for number in range(5)]
    results = each(student.below_three, [(tensor,) for tensor in tensors])
    first = [next(results) for _ in range(3)]
    gradients = torch.autograd.grad(sum(first), tensors, allow_unused=True)
    assert gradients == (1, 1, 1, None, None)


def test_a_tensor_passed_to_several_calls_has_the_sum_of_their_gradients(student):
    x = torch.ones(2, requires_grad=True)
    sum(result.sum() for result in each(student.square, [(x,), (3 * x,)])).backward()
    torch.testing.assert_close(x.grad, torch.full((2,), 20.0))


def test_an_object_can_be_called_but_not_passed(student):
    twice = student.Scale(2)
    assert [result.item() for result in each(twice, numbers(3))] == [0, 2, 4]
    kept = student.keep(torch.ones(1))
    assert [result.item() for result in each(student.double, [(kept,)])] == [2]
    with pytest.raises(TypeError, match="one call at a time"):
        list(each(student.double, [(kept,), (kept,)]))


def test_calls_that_are_noted_are_made_one_by_one(student, asked):
    """So that each can be asked for once more, in another order."""
    notes = Notes()
    with noting(student, notes):
        function = student.double
        asked.clear()
        assert len(list(each(function, numbers(3)))) == 3
    assert asked == [1, 1, 1]
    assert len(notes.asked) == 3
