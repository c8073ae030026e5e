"""A pretend accelerator: a torch device that behaves as CUDA does, on a machine without one.

Tensors on it say `device='accel:0'`, hold real values and have real gradients: every operation is
done on a CPU tensor inside. What CUDA refuses, such as adding a CPU vector, is refused, and what
leaves the device for the host is seen.

It rests on private parts of torch (`torch_private`): the Python backend of
`torch.utils.backend_registration` gives the device its name, `torch.Tensor._make_wrapper_subclass`
makes tensors that lie on it, and `torch.library` kernels build tensors where torch's C++ does not
ask Python: `torch.tensor(..., device=...)`, indexing by a list, `torch.arange(..., device=...)`.

Known not to be as on CUDA: an exception in a tensor hook during backward ends the process, a tensor
does not grow when it is an `out=` argument, and nothing on the device can be pickled or saved.

Registering is for the whole process and cannot be undone: do it only in a session whose cells have
all been run, or in a fork of it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch

from proctor.inside import torch_private
from proctor.inside.recurrent import STEPS
from proctor.inside.torch_private import (
    COPYING,
    FACTORIES,
    INDEXING,
    TAKING_NUMBERS,
    OpOverload,
    TorchDispatchMode,
    no_dispatch,
)

DEVICE_TYPE = "accel"

aten = torch.ops.aten

# What a program calls to bring values to the host, and how a reader knows it.
HOST_COPIES = {
    "cpu": ".cpu()",
    "to": ".to()",
    "type": ".type()",
    "numpy": ".numpy()",
    "__array__": ".numpy()",
    "item": ".item()",
    "tolist": ".tolist()",
    "copy_": ".copy_()",
    "__setitem__": "[...] =",
    "is_nonzero": "bool()",
    "__bool__": "bool()",
    "__float__": "float()",
    "__int__": "int()",
    "__index__": "int()",
    "__complex__": "complex()",
    "__contains__": "in",
}

_library: torch.library.Library | None = None  # kernels live as long as it does
_recorders: list[Recorder] = []
_calls: list[str] = []  # names of the torch functions that are running, outermost first


def register() -> None:
    """Give this process the device. A second call does nothing."""
    global _library
    if _library is not None:
        return
    torch_private.name_device(DEVICE_TYPE)
    _library = torch_private.library_of_kernels()
    for name in FACTORIES:
        packet, _, overload = name.partition(".")
        operation = getattr(getattr(aten, packet), overload or "default")
        torch_private.register_kernel(_library, name, functools.partial(_make, operation))
    torch_private.register_kernel(_library, "_copy_from", _copy_from)
    torch_private.register_kernel(_library, "_local_scalar_dense", _local_scalar_dense)
    torch_private.keep_autograd_in_this_thread()


def to_accelerator(tensor: torch.Tensor, requires_grad: bool = False) -> AcceleratorTensor:
    """A copy of a CPU tensor on the accelerator: a leaf, outside any graph."""
    return AcceleratorTensor(tensor.detach().clone(), requires_grad)


def to_host(tensor: torch.Tensor) -> torch.Tensor:
    """A copy on the CPU, outside any graph, for the engine itself: no recorder sees it."""
    if isinstance(tensor, AcceleratorTensor):
        tensor = tensor.host_values
    return tensor.detach().clone()


class OperationCount(TorchDispatchMode):
    """Counts torch operations, those of `backward` included; it changes no result."""

    number = 0

    def __torch_dispatch__(
        self, operation: Any, types: Any, arguments: Any = (), keywords: Any = None
    ) -> Any:
        self.number += 1
        return operation(*arguments, **(keywords or {}))


def count_operations() -> OperationCount:
    """`with count_operations() as count: ...`, then `count.number`. For any device."""
    return OperationCount()


class Recorder:
    """`with Recorder() as record: ...`, then what happened on the accelerator meanwhile.

    host_copies: what the program called to bring values to the host, such as ".item()".
    operations: how many torch operations ran.
    """

    def __init__(self):
        self.host_copies: list[str] = []
        self._count = count_operations()

    @property
    def operations(self) -> int:
        return self._count.number

    def __enter__(self) -> Recorder:
        _recorders.append(self)
        self._count.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._count.__exit__(*exception)
        _recorders.remove(self)


class AcceleratorTensor(torch.Tensor):
    """A tensor on the accelerator; the CPU tensor `host_values` holds its values."""

    host_values: torch.Tensor

    @staticmethod
    def __new__(cls, host_values: torch.Tensor, requires_grad: bool = False) -> AcceleratorTensor:
        tensor = torch.Tensor._make_wrapper_subclass(
            cls,
            host_values.size(),
            strides=host_values.stride(),
            storage_offset=host_values.storage_offset(),
            dtype=host_values.dtype,
            device=torch.device(DEVICE_TYPE, 0),
            requires_grad=requires_grad,
        )
        tensor.host_values = host_values
        return tensor

    @classmethod
    def __torch_function__(
        cls, function: Any, types: Any, arguments: Any = (), keywords: Any = None
    ) -> Any:
        """Sees each call that the program makes, but none that torch makes inside it."""
        keywords = keywords or {}
        with torch_private.without_torch_function():
            if isinstance(function, OpOverload):  # an operation on its way through a counter
                return function(*arguments, **keywords)
            _calls.append(getattr(function, "__name__", ""))
            try:
                return INSTEAD.get(function, function)(*arguments, **keywords)
            finally:
                _calls.pop()

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]  # torch annotates it as no class method
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Sees each operation, below autograd."""
        return _compute(func, args, kwargs or {})

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        values = repr(self.host_values).removesuffix(")")
        graph = ", requires_grad=True" if self.requires_grad else ""
        if self.grad_fn is not None:
            graph = f", grad_fn=<{type(self.grad_fn).__name__}>"
        return f"{values}, device='{self.device}'{graph})"

    def __format__(self, specification: str) -> str:
        if self.dim() > 0:
            return super().__format__(specification)
        return format(self.host_values, specification)

    def __reduce_ex__(self, protocol):
        raise TypeError("a tensor on the pretend accelerator cannot be pickled")


def _numpy(tensor: AcceleratorTensor, *, force: bool = False) -> Any:
    _record_host_copy()
    if not force:
        raise TypeError(
            f"can't convert {tensor.device} device type tensor to numpy. "
            "Use Tensor.cpu() to copy the tensor to host memory first."
        )
    return tensor.host_values.numpy().copy()


def _array(tensor: AcceleratorTensor, dtype: Any = None) -> Any:
    return _numpy(tensor)


def _tolist(tensor: AcceleratorTensor) -> Any:
    _record_host_copy()
    return tensor.host_values.tolist()


DATA: Any = torch.Tensor.data


def _set_data(tensor: AcceleratorTensor, source: AcceleratorTensor) -> None:
    DATA.__set__(tensor, source)  # refuses a source on the CPU
    tensor.host_values = source.host_values


# Torch functions whose C++ knows only its own kinds of tensor, and what is done instead.
INSTEAD = {
    torch.Tensor.numpy: _numpy,
    torch.Tensor.__array__: _array,
    torch.Tensor.tolist: _tolist,
    DATA.__set__: _set_data,
}


def _compute(operation: OpOverload, arguments: tuple, keywords: dict[str, Any]) -> Any:
    """Do an operation on the values on the host; its results lie where CUDA would put them."""
    written = _written(operation, arguments, keywords)
    _check_devices(operation, arguments, keywords, written)
    device = torch.device(keywords.get("device") or DEVICE_TYPE)
    on_accelerator = device.type == DEVICE_TYPE
    if _leaves_for_host(operation, arguments, on_accelerator):
        _record_host_copy()
    if "device" in keywords and on_accelerator:
        keywords = {**keywords, "device": "cpu", "pin_memory": False}
    entered: dict[int, torch.Tensor] = {}

    def enter(tensor: torch.Tensor) -> torch.Tensor:
        inner = tensor.host_values if isinstance(tensor, AcceleratorTensor) else tensor
        entered[id(inner)] = tensor
        return inner

    def leave(tensor: torch.Tensor) -> torch.Tensor:
        if id(tensor) in entered:  # an operation in place returns what it was given
            return entered[id(tensor)]
        return AcceleratorTensor(tensor) if on_accelerator else tensor

    on_host: Any = STEPS.get(operation, operation)
    result = on_host(*_map_tensors(enter, arguments), **_map_tensors(enter, keywords))
    for tensor in written:
        if isinstance(tensor, AcceleratorTensor):
            _follow_shape(tensor)
    return _map_tensors(leave, result)


def _map_tensors(function: Callable[[torch.Tensor], Any], value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return function(value)
    if isinstance(value, (list, tuple)):
        return type(value)([_map_tensors(function, item) for item in value])
    if isinstance(value, dict):
        return {name: _map_tensors(function, item) for name, item in value.items()}
    return value


def _tensors(value: Any) -> list[torch.Tensor]:
    tensors: list[torch.Tensor] = []
    _map_tensors(tensors.append, value)
    return tensors


def _written(operation: OpOverload, arguments: tuple, keywords: dict) -> list[torch.Tensor]:
    """The tensors that an operation changes in place."""
    schema = operation._schema
    if not schema.is_mutable:
        return []
    names = [argument.name for argument in schema.arguments]
    named = dict(zip(names, arguments, strict=False)) | keywords
    written = [
        named[argument.name]
        for argument in schema.arguments
        if argument.is_write and argument.name in named
    ]
    return _tensors(written)


def _check_devices(
    operation: OpOverload, arguments: tuple, keywords: dict, written: list[torch.Tensor]
) -> None:
    """Raise what CUDA would if the operation mixes tensors of the accelerator and of the CPU."""
    if operation in COPYING:
        return
    if operation in INDEXING:
        table, indices, *others = arguments
        if not isinstance(table, AcceleratorTensor) and _on_accelerator(indices):
            raise RuntimeError(
                "indices should be either on cpu or on the same device as the indexed tensor "
                f"({table.device})"
            )
        arguments = (table, *others)
    strangers = [
        tensor
        for tensor in _tensors((arguments, keywords))
        if not isinstance(tensor, AcceleratorTensor)
    ]
    if not strangers:
        return
    as_numbers = operation in TAKING_NUMBERS or torch.Tag.pointwise in operation.tags
    for tensor in strangers:
        changed = any(tensor is other for other in written)
        if tensor.dim() > 0 or changed or not as_numbers:
            raise RuntimeError(
                "Expected all tensors to be on the same device, but found at least two devices, "
                f"{DEVICE_TYPE}:0 and {tensor.device}!"
            )


def _on_accelerator(value: Any) -> bool:
    return any(isinstance(tensor, AcceleratorTensor) for tensor in _tensors(value))


def _leaves_for_host(operation: OpOverload, arguments: tuple, on_accelerator: bool) -> bool:
    if operation is aten._local_scalar_dense.default:
        return True
    if operation is aten._to_copy.default:
        return not on_accelerator
    if operation is aten.copy_.default:
        return not isinstance(arguments[0], AcceleratorTensor)
    return False


def _record_host_copy() -> None:
    """Note a copy that the program asked for, not one that autograd or printing makes by itself."""
    if torch_private.is_in_backward():
        return
    # Torch tells of every call but these: `torch.tensor`, `torch.as_tensor`, `torch.asarray`.
    name = HOST_COPIES.get(_calls[0]) if _calls else "torch.tensor()"
    if name is not None:
        for recorder in _recorders:
            recorder.host_copies.append(name)


def _follow_shape(tensor: AcceleratorTensor) -> None:
    """After an operation in place on the values, such as `unsqueeze_`, show their shape."""
    values = tensor.host_values
    if tensor.shape != values.shape or tensor.stride() != values.stride():
        with no_dispatch():
            aten.as_strided_.default(
                tensor, values.size(), values.stride(), values.storage_offset()
            )


def _make(factory: OpOverload, *arguments: Any, **keywords: Any) -> AcceleratorTensor:
    """A kernel for a factory: `torch.arange(3, device="accel")` and the like."""
    keywords.update(device="cpu", pin_memory=False)
    return AcceleratorTensor(factory(*arguments, **keywords))


def _copy_from(
    source: torch.Tensor, target: torch.Tensor, non_blocking: bool = False
) -> torch.Tensor:
    """A kernel for `copy_` where C++ has Python's dispatch switched off, as in `torch.tensor`."""
    return _compute(aten.copy_.default, (target, source), {})


def _local_scalar_dense(tensor: AcceleratorTensor) -> bool | int | float | complex:
    """A kernel for `item` where C++ has Python's dispatch switched off, as in `torch.tensor`."""
    return _compute(aten._local_scalar_dense.default, (tensor,), {})
