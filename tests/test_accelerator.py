"""The pretend accelerator against the CPU: the same values and gradients, and CUDA's rules.

Registering it is for a whole process, so another one (this file run as a program) tries everything
once and prints its verdicts as JSON; the tests read them. With a GPU the same is tried there.
"""

from __future__ import annotations

import copy
import json
import math
import pickle
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from proctor.inside import accelerator, torch_private

ROOT = Path(__file__).parents[1]

# --- right forms: p are probabilities, t labels, z logits, x and y real numbers ---------------


def in_place_on_a_clone(p, t):
    x = p.clone()
    x[t == 1] = 1 - x[t == 1]
    return x.mean()


def row_by_row(p, t):
    rows = [a * b + (1 - a) * (1 - b) for a, b in zip(p, t, strict=True)]
    return 1 - torch.stack(rows).mean()


def one_by_one_with_a_total(p, t):
    total = 0
    for i in range(len(p)):
        total = total + (t[i] - p[i]).abs().sum()
    return total / len(p)


def with_autograd_inside(p, t):
    loss = torch.where(t == 1, 1 - p, p).mean()
    (gradient,) = torch.autograd.grad(loss, p, create_graph=True)
    return loss + 0 * gradient.sum()


def matrix_product(p, t):
    signs = (1 - 2 * t.flatten()).to(p.dtype)
    return ((signs @ p.flatten()) + t.sum()) / p.numel()


class SquaredError(torch.autograd.Function):
    @staticmethod
    def forward(context, x, y):
        context.save_for_backward(x, y)
        return ((x - y) ** 2).mean()

    @staticmethod
    def backward(context, gradient):
        x, y = context.saved_tensors
        return gradient * 2 * (x - y) / x.numel(), None


def log_sum_exp_by_hand(z, t):
    largest = z.max(dim=1, keepdim=True).values
    logs = (z - largest).exp().sum(dim=1).log() + largest.squeeze(1)
    return (logs - z[range(len(t)), t]).mean()


def filled_one_hot(z, t):
    chosen = torch.zeros_like(z)
    chosen[torch.arange(len(t)), t] = 1
    return -(chosen * z.log_softmax(1)).sum(1).mean()


def loop_over_rows(z, t):
    rows = zip(z, t[:, None], strict=True)
    return torch.stack([row.logsumexp(0) - row.gather(0, label) for row, label in rows]).mean()


def vmapped(z, t):
    def one(row, label):
        return -F.log_softmax(row, dim=0).gather(0, label)

    return torch.vmap(one)(z, t[:, None]).mean()


def eye_on_the_device(z, t):
    table = torch.eye(z.shape[1], device=z.device, dtype=z.dtype)
    return -(table[t] * z.log_softmax(1)).sum(1).mean()


def einsum(z, t):
    chosen = F.one_hot(t, z.shape[1]).to(z.dtype)
    return (z.logsumexp(1) - torch.einsum("nc,nc->n", z, chosen)).mean()


def two_branches(x):
    small = torch.exp(-x.abs())
    return torch.where(x >= 0, 1 / (1 + small), small / (1 + small))


def filled_sigmoid(x):
    result = torch.empty_like(x)
    positive = x >= 0
    result[positive] = 1 / (1 + torch.exp(-x[positive]))
    powers = torch.exp(x[~positive])
    result[~positive] = powers / (1 + powers)
    return result


MNIST_LOSS = {
    "where": lambda p, t: torch.where(t == 1, 1 - p, p).mean(),
    "ones_like": lambda p, t: torch.where(t == 1, torch.ones_like(p) - p, p).mean(),
    "ones on the device": lambda p, t: torch.where(
        t == 1, torch.ones(1, device=p.device, dtype=p.dtype) - p, p
    ).mean(),
    "where with numbers": lambda p, t: (p - torch.where(t == 1, 1.0, 0.0)).abs().mean(),
    "a CPU number": lambda p, t: torch.where(t == 1, torch.tensor(1.0) - p, p).mean(),
    "masks": lambda p, t: ((1 - p[t == 1]).sum() + p[t == 0].sum()) / p.numel(),
    "concatenated": lambda p, t: torch.cat([1 - p[t == 1], p[t == 0]]).mean(),
    "in place on a clone": in_place_on_a_clone,
    "row by row": row_by_row,
    "one by one with a total": one_by_one_with_a_total,
    "absolute difference": lambda p, t: (t - p).abs().mean(),
    "arithmetic": lambda p, t: (p + t - 2 * p * t).mean(),
    "lerp": lambda p, t: torch.lerp(p, 1 - p, t.to(p.dtype)).mean(),
    "heaviside": lambda p, t: (torch.heaviside(t - 0.5, torch.tensor(0.0)) - p).abs().mean(),
    "matrix product": matrix_product,
    "autograd inside": with_autograd_inside,
    "F.l1_loss": lambda p, t: F.l1_loss(p, t.to(p.dtype)),
}
CROSS_ENTROPY = {
    "F.cross_entropy": lambda z, t: F.cross_entropy(z, t),
    "nn.CrossEntropyLoss": lambda z, t: torch.nn.CrossEntropyLoss()(z, t),
    "F.nll_loss": lambda z, t: F.nll_loss(F.log_softmax(z, dim=1), t),
    "arange on the device": lambda z, t: (
        -torch.log_softmax(z, 1)[torch.arange(len(t), device=z.device), t].mean()
    ),
    "arange on the CPU": lambda z, t: -z.log_softmax(1)[torch.arange(len(t)), t].mean(),
    "range": lambda z, t: -z.log_softmax(1)[range(len(t)), t].mean(),
    "list": lambda z, t: -z.log_softmax(1)[list(range(len(t))), t].mean(),
    "gather": lambda z, t: (z.logsumexp(1) - z.gather(1, t[:, None]).squeeze(1)).mean(),
    "one_hot": lambda z, t: -(F.one_hot(t, z.shape[1]) * z.log_softmax(1)).sum(1).mean(),
    "one_hot finding the size": lambda z, t: -(F.one_hot(t) * z.log_softmax(1)).sum(1).mean(),
    "eye on the device": eye_on_the_device,
    "filled one-hot": filled_one_hot,
    "scatter": lambda z, t: (
        -(torch.zeros_like(z).scatter_(1, t.unsqueeze(1), 1.0) * z.log_softmax(1)).sum(1).mean()
    ),
    "einsum": einsum,
    "by hand": log_sum_exp_by_hand,
    "loop over rows": loop_over_rows,
    "vmap": vmapped,
}
SIGMOID = {
    "torch.sigmoid": lambda x: torch.sigmoid(x),
    "by hand": lambda x: 1 / (1 + torch.exp(-x)),
    "ones on the device": lambda x: torch.ones(x.shape, device=x.device) / (1 + (-x).exp()),
    "tanh": lambda x: (torch.tanh(x / 2) + 1) / 2,
    "two branches": two_branches,
    "filled": filled_sigmoid,
    "nn.Sigmoid": lambda x: torch.nn.Sigmoid()(x),
    "softmax of two": lambda x: torch.stack([x, torch.zeros_like(x)]).softmax(0)[0],
}
MSE = {
    "square": lambda x, y: ((x - y) ** 2).mean(),
    "pow": lambda x, y: torch.pow(x - y, 2).sum() / x.numel(),
    "F.mse_loss": lambda x, y: F.mse_loss(x, y),
    "nn.MSELoss": lambda x, y: torch.nn.MSELoss()(x, y),
    "divided by a CPU number": lambda x, y: torch.sum((x - y) * (x - y)) / torch.tensor(x.numel()),
    "dot product": lambda x, y: (x - y).flatten().dot((x - y).flatten()) / x.numel(),
    "norm": lambda x, y: torch.linalg.vector_norm(x - y).square() / x.numel(),
    "autograd.Function": lambda x, y: SquaredError.apply(x, y),
    "sorted, accumulated": lambda x, y: (x - y).square().sort(0).values.cumsum(0)[-1].mean() / 8,
    "a list as a tensor": lambda x, y: ((x - y) ** 2 * torch.tensor([1.0], device=x.device)).mean(),
    "Python's sum": lambda x, y: (
        sum((a - b).square().mean() for a, b in zip(x, y, strict=True)) / len(x)
    ),
}
BCE = {
    "F.binary_cross_entropy": lambda p, t: F.binary_cross_entropy(p, t.to(p.dtype)),
    "nn.BCELoss": lambda p, t: torch.nn.BCELoss()(p, t.to(p)),
    "with logits": lambda p, t: F.binary_cross_entropy_with_logits(p.logit(), t.to(p.dtype)),
    "where of logs": lambda p, t: -torch.where(t == 1, p, 1 - p).log().mean(),
    "both logs": lambda p, t: -(t * p.log() + (1 - t) * (1 - p).log()).mean(),
    "clamped": lambda p, t: -torch.where(t == 1, p, 1 - p).clamp(1e-7, 1 - 1e-7).log().mean(),
    "weighted": lambda p, t: F.binary_cross_entropy(p, t.to(p), weight=torch.ones_like(p)),
}


# Training forms change their first input and its gradient instead of returning something.
def train_step(w, x):
    for _ in range(3):
        ((w - x) ** 2).sum().backward()
        with torch.no_grad():
            w -= 0.1 * w.grad
        w.grad.zero_()


def train_on_data(w, x):
    ((w - x) ** 2).sum().backward()
    w.data -= 0.1 * w.grad
    w.data = w.data * 2
    w.grad = None
    (w * x).sum().backward()


def train_by_optimizer(w, x):
    optimizer = torch.optim.SGD([w], lr=0.1, momentum=0.9)
    for _ in range(3):
        optimizer.zero_grad()
        ((w - x) ** 2).sum().backward()
        optimizer.step()


TRAINING = {
    "in place under no_grad": train_step,
    "on .data": train_on_data,
    "SGD": train_by_optimizer,
}
FORMS = {
    "mnist_loss": MNIST_LOSS,
    "cross_entropy": CROSS_ENTROPY,
    "sigmoid": SIGMOID,
    "mse": MSE,
    "bce": BCE,
    "training": TRAINING,
}


def variants(group: str) -> dict[str, list[torch.Tensor]]:
    """Inputs for a group of forms, on the CPU; the first is the one with a gradient."""
    labels = torch.tensor([0, 1, 1, 0, 1, 1, 0, 1])
    real = torch.linspace(-3, 3, 8)
    inputs = {
        "mnist_loss": [torch.linspace(0.05, 0.9, 8), labels],
        "bce": [torch.linspace(0.05, 0.9, 8), labels],
        "cross_entropy": [
            torch.linspace(-4, 4, 18).sin().reshape(6, 3) * 3,
            torch.tensor([2, 0, 1, 2, 2, 0]),
        ],
        "sigmoid": [real],
        "mse": [real, real.cos()],
        "training": [real, real.cos()],
    }[group]
    wide = [tensor.double() if tensor.is_floating_point() else tensor for tensor in inputs]
    found = {"float32": inputs, "float64": wide}
    if group != "cross_entropy":
        found["column"] = [tensor.unsqueeze(1) for tensor in inputs]
    return found


# --- habits: wrong ones, and some that only look wrong ----------------------------------------

MIXED = "RuntimeError: Expected all tensors to be on the same device"
CPU_TABLE = "RuntimeError: indices should be either on cpu or on the same device"
NO_NUMPY = "TypeError: can't convert"


@dataclass(frozen=True)
class Habit:
    """A function of p and t, how its error begins or where its result lies, and what it copies."""

    function: Callable
    error: str | None = None
    result: str | None = None
    host_copies: Sequence[str] = ()


def to_the_host_and_back(p, t):
    return torch.where(t.cpu() == 1, 1 - p.cpu(), p.cpu()).mean().to(p.device)


def filled_on_the_cpu(p, t):
    result = torch.zeros(len(p))
    result[:] = p
    return result.mean()


def added_to_a_cpu_total(p, t):
    total = torch.tensor(0.0)
    total += p.sum()
    return total


def masked_on_the_cpu(p, t):
    result = torch.zeros(len(p))
    result[t == 1] = 1
    return result


def branch_on_each_row(p, t):
    return torch.stack([1 - a if b == 1 else a for a, b in zip(p, t, strict=True)]).mean()


def cpu_labels(p, t):
    return F.cross_entropy(torch.stack([p, 1 - p], 1), torch.zeros(8, dtype=torch.int64))


def cpu_values_into_a_mask(p, t):
    x = p.clone()
    x[t == 1] = torch.ones(5)
    return x.mean()


def reshaped_in_place(p, t):
    x = p.detach().clone()
    x.unsqueeze_(1)
    return x if x.shape == (8, 1) else None


def a_parameter_on_the_cpu(p, t):
    weight = torch.ones(8, requires_grad=True)
    (weight.to(p.device) * p).sum().cpu().backward()  # autograd copies, unasked, to weight.grad
    return weight.grad


HABITS = {
    "ones on the CPU": Habit(lambda p, t: torch.ones(len(p)) - p, MIXED),
    "zeros on the CPU in where": Habit(lambda p, t: torch.where(t == 1, p, torch.zeros(1)), MIXED),
    "a CPU mask in where": Habit(lambda p, t: torch.where(torch.ones(8) > 0, p, 1 - p), MIXED),
    "a CPU table": Habit(lambda p, t: torch.eye(2)[t] * p[:, None], CPU_TABLE),
    "a CPU tensor by a mask": Habit(masked_on_the_cpu, CPU_TABLE),
    "CPU values into a mask": Habit(cpu_values_into_a_mask, MIXED),
    "CPU labels in gather": Habit(lambda p, t: p.gather(0, torch.tensor([1])), MIXED),
    "CPU labels in cross_entropy": Habit(cpu_labels, MIXED),
    "a CPU number in stack": Habit(lambda p, t: torch.stack([p[0], torch.tensor(0.0)]), MIXED),
    "added to a CPU total": Habit(added_to_a_cpu_total, MIXED),
    "a layer on the CPU": Habit(lambda p, t: torch.nn.Linear(8, 1)(p), MIXED),
    ".numpy()": Habit(lambda p, t: p.detach().numpy(), NO_NUMPY, host_copies=[".numpy()"]),
    "numpy.asarray": Habit(lambda p, t: np.asarray(p.detach()), NO_NUMPY, None, [".numpy()"]),
    ".cpu().numpy()": Habit(
        lambda p, t: torch.from_numpy(p.detach().cpu().numpy()), None, "cpu", [".cpu()"]
    ),
    "to the host and back": Habit(to_the_host_and_back, None, "device", [".cpu()"] * 3),
    ".to('cpu')": Habit(lambda p, t: p.to("cpu").mean(), None, "cpu", [".to()"]),
    ".to(a CPU tensor)": Habit(lambda p, t: p.to(torch.zeros(1)), None, "cpu", [".to()"]),
    ".type(a CPU type)": Habit(lambda p, t: p.type(torch.FloatTensor), None, "cpu", [".type()"]),
    "as_tensor on the CPU": Habit(
        lambda p, t: torch.as_tensor(p, device="cpu"), None, "cpu", ["torch.tensor()"]
    ),
    ".item()": Habit(lambda p, t: p.mean().item(), host_copies=[".item()"]),
    ".item() as a tensor": Habit(
        lambda p, t: torch.tensor(p.mean().item(), device=p.device), None, "device", [".item()"]
    ),
    "float()": Habit(lambda p, t: p * math.exp(p[0]), None, "device", ["float()"]),
    "int()": Habit(lambda p, t: p[int(t[1])] + [1, 2][t[1]], None, "device", ["int()"] * 2),
    ".tolist()": Habit(lambda p, t: torch.tensor(p.tolist()), None, "cpu", [".tolist()"]),
    "a tensor of elements": Habit(
        lambda p, t: torch.tensor([p[0], p[1]]), None, "cpu", ["float()"] * 2
    ),
    "if on a value": Habit(
        lambda p, t: p.mean() if (t == 1).any() else p.sum(), None, "device", ["bool()"]
    ),
    "if on each row": Habit(branch_on_each_row, None, "device", ["bool()"] * 8),
    "in": Habit(lambda p, t: p.mean() if 1 in t else p.sum(), None, "device", ["in"]),
    "filled on the CPU": Habit(filled_on_the_cpu, None, "cpu", ["[...] ="]),
    "zeros_like on the CPU": Habit(lambda p, t: torch.zeros_like(p, device="cpu"), None, "cpu"),
    "in place on the input": Habit(
        lambda p, t: p.masked_fill_(t == 1, 0), "RuntimeError: a leaf Variable that requires grad"
    ),
    "in place on a saved result": Habit(
        lambda p, t: p.exp().mul_(2).sum().backward(),
        "RuntimeError: one of the variables needed for gradient computation has been modified",
    ),
    "printed": Habit(lambda p, t: p.mean() if f"{p} {p[0]:.2f} {t!r}" else p, None, "device"),
    "a deep copy": Habit(lambda p, t: copy.deepcopy(p).mean(), None, "device"),
    "to its own device": Habit(lambda p, t: p.to(p.device).mean(), None, "device"),
    "torch.full": Habit(lambda p, t: torch.full((8,), 1.0, device=p.device) - p, None, "device"),
    "new_tensor": Habit(lambda p, t: p.new_tensor([1.0]) - p, None, "device"),
    "a CPU index": Habit(lambda p, t: p[torch.tensor([0, 2])], None, "device"),
    "a CPU mask as an index": Habit(lambda p, t: p[torch.ones(8) > 0], None, "device"),
    "reshaped in place": Habit(reshaped_in_place, None, "device"),
    "a parameter on the CPU": Habit(a_parameter_on_the_cpu, None, "cpu", [".cpu()"]),
}

# --- what the other process does --------------------------------------------------------------


def on_device(tensor: torch.Tensor, device: str, requires_grad: bool = False) -> torch.Tensor:
    if device == accelerator.DEVICE_TYPE:
        return accelerator.to_accelerator(tensor, requires_grad)
    return tensor.clone().to(device).requires_grad_(requires_grad)


@dataclass(frozen=True)
class Outcome:
    result: torch.Tensor
    gradient: torch.Tensor
    record: accelerator.Recorder

    def lies_on(self, device: str) -> bool:
        return self.result.device.type == device == self.gradient.device.type


def run_form(form: Callable, inputs: list[torch.Tensor], device: str) -> Outcome:
    first = on_device(inputs[0], device, requires_grad=True)
    others = [on_device(tensor, device) for tensor in inputs[1:]]
    with accelerator.Recorder() as record:
        result = form(first, *others)
    if result is None:
        return Outcome(first, first.grad, record)
    upstream = torch.linspace(1, 2, result.numel(), dtype=result.dtype).reshape(result.shape)
    result.backward(on_device(upstream, device))
    return Outcome(result, first.grad, record)


def same(expected: torch.Tensor, actual: torch.Tensor) -> bool:
    actual = accelerator.to_host(actual).cpu()
    return (
        expected.shape == actual.shape
        and expected.dtype == actual.dtype
        and torch.allclose(expected, actual, rtol=1e-5, atol=1e-6)
    )


def describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def judge_form(form: Callable, inputs: list[torch.Tensor], device: str) -> dict:
    expected = run_form(form, inputs, "cpu")
    try:
        actual = run_form(form, inputs, device)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the verdict
        return {"error": describe(error)}
    return {
        "same value": same(expected.result, actual.result),
        "same gradient": same(expected.gradient, actual.gradient),
        "on the device": actual.lies_on(device),
        "counted": actual.record.operations > 0,
        "host copies": actual.record.host_copies,
    }


def judge_habit(habit: Habit, device: str) -> dict:
    p, t = variants("mnist_loss")["float32"]
    p, t = on_device(p, device, requires_grad=True), on_device(t, device)
    error, place = None, None
    with accelerator.Recorder() as record:
        try:
            result = habit.function(p, t)
        except Exception as problem:  # noqa: BLE001 - whatever it is, it is the verdict
            error, result = describe(problem), None
    if isinstance(result, torch.Tensor):
        place = "device" if result.device.type == device else result.device.type
    return {"error": error, "result": place, "host copies": record.host_copies}


def describe_a_tensor() -> dict:
    tensor = accelerator.to_accelerator(torch.arange(3.0), requires_grad=True)
    with accelerator.Recorder() as record:
        host = accelerator.to_host(tensor)
        text = repr(tensor)
    host += 1  # must not reach the tensor
    try:
        pickled = str(pickle.dumps(tensor))
    except TypeError as error:
        pickled = describe(error)
    return {
        "device": str(tensor.device),
        "repr": text,
        "host copies": record.host_copies,
        "values": tensor.tolist(),
        "pickled": pickled,
    }


def judge_everything(device: str) -> dict:
    # A backward before the device is registered, as after a notebook that trained something.
    torch.ones(2, requires_grad=True).sum().backward()
    report: dict = {}
    if device == accelerator.DEVICE_TYPE:
        accelerator.register()
        accelerator.register()  # a second time does nothing
        report["tensor"] = describe_a_tensor()
    report["habits"] = {name: judge_habit(habit, device) for name, habit in HABITS.items()}
    report["forms"] = {
        f"{group}: {name}, {variant}": judge_form(form, inputs, device)
        for group, forms in FORMS.items()
        for variant, inputs in variants(group).items()
        for name, form in forms.items()
    }
    return report


# --- the tests --------------------------------------------------------------------------------


def report_of_a_process(device: str) -> dict:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.test_accelerator", device],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def report() -> dict:
    return report_of_a_process(accelerator.DEVICE_TYPE)


@pytest.mark.parametrize(
    ("group", "name"), [(group, name) for group, forms in FORMS.items() for name in forms]
)
def test_a_right_form_gives_what_it_gives_on_the_cpu(report, group, name):
    for variant in variants(group):
        assert report["forms"][f"{group}: {name}, {variant}"] == {
            "same value": True,
            "same gradient": True,
            "on the device": True,
            "counted": True,
            "host copies": [],
        }


@pytest.mark.parametrize("name", HABITS)
def test_a_habit_does_what_it_does_on_cuda(report, name):
    habit, verdict = HABITS[name], report["habits"][name]
    assert (verdict["error"] is None) == (habit.error is None), verdict
    assert (verdict["error"] or "").startswith(habit.error or ""), verdict
    assert verdict["result"] == habit.result
    assert verdict["host copies"] == list(habit.host_copies)


def test_the_engine_reads_a_copy_of_the_values_unseen(report):
    assert report["tensor"]["host copies"] == []
    assert report["tensor"]["values"] == [0.0, 1.0, 2.0]


def test_a_tensor_says_where_it_is_and_cannot_be_pickled(report):
    assert report["tensor"]["device"] == "accel:0"
    assert report["tensor"]["repr"] == "tensor([0., 1., 2.], device='accel:0', requires_grad=True)"
    assert report["tensor"]["pickled"].startswith("TypeError")


def test_a_loop_needs_more_operations_for_more_rows_and_a_whole_form_does_not():
    def count(form: Callable, rows: int) -> int:
        p, t = torch.rand(rows), torch.arange(rows) % 2
        with accelerator.count_operations() as operations:
            loss = form(p, t)
        assert torch.equal(loss, form(p, t)), "counting changed the result"
        return operations.number

    whole, loop = MNIST_LOSS["where"], MNIST_LOSS["row by row"]
    assert count(whole, 4) == count(whole, 64) > 0
    assert count(loop, 64) > 10 * count(loop, 4)


def test_importing_the_module_registers_nothing():
    with pytest.raises(RuntimeError):
        torch.device(accelerator.DEVICE_TYPE)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU to compare with")
def test_a_gpu_gives_the_same_verdicts(report):
    def comparable(verdict: dict) -> dict:
        """Without what a GPU does not tell, and of errors only what names no device."""
        verdict = {key: value for key, value in verdict.items() if key != "host copies"}
        if verdict.get("error"):
            verdict["error"] = verdict["error"].split(",")[0].split(" cuda")[0].split(" accel")[0]
        return verdict

    on_gpu = report_of_a_process("cuda")
    for table in ("forms", "habits"):
        assert {name: comparable(verdict) for name, verdict in on_gpu[table].items()} == {
            name: comparable(verdict) for name, verdict in report[table].items()
        }


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps(judge_everything(sys.argv[1])))


def test_a_torch_that_lacks_a_private_part_is_named_at_start(monkeypatch):
    torch_private.demand_known_torch()
    monkeypatch.setattr(torch, "__version__", "9.9.9")
    monkeypatch.setattr(torch_private, "NEEDED", (*torch_private.NEEDED, "_C._no_such_part"))
    with pytest.raises(RuntimeError, match=r"torch 9\.9\.9, which lacks _C\._no_such_part"):
        torch_private.demand_known_torch()
    with pytest.raises(RuntimeError, match=r"torch 9\.9\.9, which lacks no_such_operation"):
        torch_private.operations("copy_.default", "no_such_operation.default")
