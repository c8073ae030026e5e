"""Within a call on the pretend accelerator: who asks whether it is on a GPU hears what CUDA says.

The device of its tensors reads `cuda:0`, `is_cuda` is True, `torch.cuda.is_available()` too, and
"cuda" as a device means the accelerator. Code that does one thing on a GPU and another elsewhere
does here what it would do there. Sparse tensors are dense ones here: they hold the same numbers.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from proctor.inside import accelerator

CUDA = torch.device("cuda", 0)
NAMED = re.compile(r"cuda(:0)?")

# What programs ask torch.cuda, and what a machine with one GPU says.
ANSWERS = {
    "is_available": lambda: True,
    "is_initialized": lambda: True,
    "device_count": lambda: 1,
    "current_device": lambda: 0,
    "get_device_name": lambda device=None: "NVIDIA GPU",
    "synchronize": lambda device=None: None,
    "empty_cache": lambda: None,
}


def own_device() -> torch.device:
    return torch.device(accelerator.DEVICE_TYPE, 0)


class CudaIsTheAccelerator(TorchFunctionMode):
    """Takes "cuda", wherever torch is given it as a device, for the accelerator."""

    def __torch_function__(self, function, types, arguments=(), keywords=None):
        keywords = {name: meant(value) for name, value in (keywords or {}).items()}
        if function is torch.Tensor.cuda:
            tensor, *_ = arguments
            return tensor.to(own_device())
        if function is torch.sparse_coo_tensor and any(map(on_accelerator, arguments)):
            return _sparse_coo_tensor(*arguments, **keywords)
        return function(*map(meant, arguments), **keywords)


def on_accelerator(value: Any) -> bool:
    return isinstance(value, accelerator.AcceleratorTensor)


def meant(value: Any) -> Any:
    if isinstance(value, torch.device):
        return own_device() if value.type == "cuda" else value
    return own_device() if isinstance(value, str) and NAMED.fullmatch(value) else value


@contextlib.contextmanager
def posing() -> Iterator[None]:
    """Within this block the accelerator answers as CUDA does."""
    before = {name: getattr(torch.cuda, name) for name in ANSWERS}
    try:
        accelerator.register()
        for name, answer in ANSWERS.items():
            setattr(torch.cuda, name, answer)
        accelerator.INSTEAD.update(INSTEAD)
        with CudaIsTheAccelerator():
            yield
    finally:
        for name in INSTEAD:
            accelerator.INSTEAD.pop(name, None)
        for name, function in before.items():
            setattr(torch.cuda, name, function)


def _sparse_coo_tensor(
    indices: torch.Tensor,
    values: torch.Tensor,
    size: Any = None,
    *,
    dtype: torch.dtype | None = None,
    **_: Any,
) -> torch.Tensor:
    """The dense tensor of the same numbers; double entries add up, as they do when it is made
    dense."""
    if not isinstance(values, torch.Tensor):
        values = torch.tensor(values, device=own_device())
    if values.device != indices.device:
        raise RuntimeError(
            f"device of indices ({indices.device}) must match device of values ({values.device})"
        )
    if size is None:
        size = [int(row.max()) + 1 for row in accelerator.to_host(indices)]
    values = values if dtype is None else values.to(dtype)
    zeros = torch.zeros(*size, *values.shape[1:], dtype=values.dtype, device=own_device())
    return zeros.index_put(tuple(indices.unbind(0)), values, accumulate=True)


def _sum(tensor: torch.Tensor, dim: Any = None, dtype: torch.dtype | None = None) -> torch.Tensor:
    return tensor.sum(dtype=dtype) if dim is None else tensor.sum(dim, dtype=dtype)


def _itself(tensor: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
    return tensor


# Instead of torch's own functions: what CUDA says of a tensor, and dense tensors for sparse ones.
INSTEAD = {
    torch.Tensor.device.__get__: lambda tensor: CUDA,
    torch.Tensor.is_cuda.__get__: lambda tensor: True,  # type: ignore[attr-defined]
    torch.Tensor.coalesce: _itself,
    torch.Tensor.to_dense: _itself,
    torch.Tensor.to_sparse: _itself,
    torch.Tensor.to_sparse_coo: _itself,
    torch.sparse.mm: torch.matmul,
    torch._sparse_sum: _sum,
}
