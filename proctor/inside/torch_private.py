"""What the pretend accelerator takes from torch's private parts, all in one place.

A new version of torch may change any of it: `demand_known_torch` says at start what is missing.

Tried: torch 2.13 and 2.14. `make torch VERSION=...` tries another one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

TRIED = ("2.13", "2.14")


def unknown_torch(missing: str) -> RuntimeError:
    return RuntimeError(
        f"the pretend accelerator does not know torch {torch.__version__}, which lacks {missing}; "
        f"it was tried with {' and '.join(TRIED)}"
    )


try:
    from torch._ops import OpOverload
    from torch.utils._mode_utils import no_dispatch
    from torch.utils._python_dispatch import TorchDispatchMode
except ImportError as error:
    raise unknown_torch(str(error)) from error


def operations(*names: str) -> set[OpOverload]:
    """torch's operations of these names. Raises RuntimeError for a torch that lacks one."""
    return {part_of(torch.ops.aten, name) for name in names}


def part_of(found: Any, name: str) -> Any:
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except (AttributeError, RuntimeError) as error:
            raise unknown_torch(name) from error
    return found


# Operations that may read one device and write the other, as on CUDA.
COPYING = operations("copy_.default", "_to_copy.default")

# Operations whose index tensors may lie on the CPU while the values do not, as on CUDA.
INDEXING = operations(
    "index.Tensor",
    "index_put.default",
    "index_put_.default",
    "_index_put_impl_.default",
)

# Besides the elementwise operations, these take a CPU tensor without dimensions as a number.
TAKING_NUMBERS = (
    operations(
        "fill.Tensor",
        "fill_.Tensor",
        "floor_divide.default",
        "floor_divide_.Tensor",
        "huber_loss.default",
        "index_fill.int_Tensor",
        "index_fill_.int_Tensor",
        "masked_fill.Tensor",
        "masked_fill_.Tensor",
        "mse_loss.default",
        "smooth_l1_loss.default",
    )
    | INDEXING
)

# Factories that get a kernel of their own. All others begin with an empty tensor of their final
# size and fill it; these would be resized by C++, which a tensor made in Python does not allow.
FACTORIES = (
    "arange",
    "arange.start",
    "arange.start_step",
    "empty.memory_format",
    "empty_strided",
    "eye",
    "eye.m",
    "linspace",
    "logspace",
    "randperm",
    "randperm.generator",
    "range",
    "range.step",
    "scalar_tensor",
    "tril_indices",
    "triu_indices",
)

# Looked for at start. The operations above are looked for when this is imported.
NEEDED = (
    "utils.backend_registration._setup_privateuseone_for_python_backend",
    "Tensor._make_wrapper_subclass",
    "library.Library.impl",
    "_C.DisableTorchFunctionSubclass",
    "_C._current_graph_task_id",
    "_C._will_engine_execute_node",
    "autograd.grad_mode.set_multithreading_enabled",
    "ops.aten._thnn_fused_lstm_cell",
    "ops.aten._thnn_fused_gru_cell",
)


def demand_known_torch() -> None:
    """Raises RuntimeError, which names the version, for a torch that lacks what is needed here."""
    import torch.utils.backend_registration

    for name in NEEDED:
        part_of(torch, name)


def name_device(name: str) -> None:
    """Give this process a device of that name, whose tensors Python makes."""
    from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

    _setup_privateuseone_for_python_backend(name)


def library_of_kernels() -> torch.library.Library:
    """Where kernels are registered; they live as long as it does."""
    return torch.library.Library("aten", "IMPL")


def register_kernel(library: torch.library.Library, name: str, kernel: Callable[..., Any]) -> None:
    library.impl(name, kernel, "PrivateUse1")


def keep_autograd_in_this_thread() -> None:
    """Autograd sizes its queues at the first backward, which may have been before the device was
    named: then only the calling thread's queue can serve it."""
    torch.autograd.grad_mode.set_multithreading_enabled(False)


def is_in_backward() -> bool:
    return torch._C._current_graph_task_id() != -1


def without_torch_function() -> Any:
    """A context in which no subclass sees torch's functions."""
    return torch._C.DisableTorchFunctionSubclass()


__all__ = ["OpOverload", "TorchDispatchMode", "no_dispatch"]
