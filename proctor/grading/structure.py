"""What a function in the sandbox gave, as it came: data, tensors, and objects that stay there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from proctor.grading.connection import INVALID, Untrustworthy
from proctor.wire.errors import Malformed
from proctor.wire.values import NamedTuple, Object, decode


@dataclass
class ResultTensor:
    """Stands for a tensor of a result until the tensors are in place; `is_array` for one that was a
    NumPy array, `gradient` is the place of a parameter's own."""

    index: int
    is_array: bool = False
    is_leaf: bool = False
    gradient: int | None = None


class Structure:
    """Results as they came, and what is told of each of their tensors. Raises Untrustworthy."""

    def __init__(self, encoded: Any, tensors: Sequence[torch.Tensor]):
        self.facts: list[list[dict[str, Any]]] = []  # by result
        self.in_graph: list[bool] = []
        self.has_objects = False
        self._tensors = tensors
        kinds: dict[str, Callable[[list], Any]] = {
            "tensor": self._tensor,
            "array": self._array,
            "object": self._object,
            "dtype": decode_dtype,
        }
        if type(encoded) is not list:
            raise Untrustworthy(INVALID)
        try:
            self.values = [self._decoded(each, kinds) for each in encoded]
        except Malformed as error:
            raise Untrustworthy(INVALID, f"({error})") from error
        if len(self.in_graph) != len(tensors):
            raise Untrustworthy(INVALID)
        # Their graph leads back here, by a way that a collection of garbage does not see.
        self._tensors = ()

    def fill(self, tensors: Sequence[torch.Tensor], wrap: Callable[[Object], Any]) -> list[Any]:
        return [fill(value, tensors, wrap) for value in self.values]

    def _decoded(self, encoded: Any, kinds: dict[str, Callable[[list], Any]]) -> Any:
        self.facts.append([])
        return decode(encoded, kinds)

    def _next(self, encoded: list) -> tuple[int, dict[str, Any]]:
        index = len(self.in_graph)
        if len(encoded) != 3 or encoded[1] != index or index >= len(self._tensors):
            raise Malformed("a result's tensors are not numbered in order")
        if not isinstance(encoded[2], dict):
            raise Malformed("a result's tensor is not described")
        return index, encoded[2]

    def _tensor(self, encoded: list) -> ResultTensor:
        index, facts = self._next(encoded)
        tensor = self._tensors[index]
        leaf = facts.get("leaf") is True and tensor.is_floating_point()
        required = facts.get("requires_grad") is True and tensor.is_floating_point()
        self.facts[-1].append(facts)
        self.in_graph.append(required and not leaf)
        if facts.get("has_gradient") is not True:
            return ResultTensor(index, is_leaf=leaf)
        if index + 1 >= len(self._tensors) or not leaf:
            raise Malformed("a gradient is missing")
        gradient = self._tensors[index + 1]
        if gradient.shape != tensor.shape or gradient.dtype != tensor.dtype:
            raise Malformed("a gradient has another shape or dtype than its tensor")
        self.in_graph.append(False)
        return ResultTensor(index, is_leaf=True, gradient=index + 1)

    def _object(self, encoded: list) -> Object:
        self.has_objects = True
        return decode_object(encoded)

    def _array(self, encoded: list) -> ResultTensor:
        index, _ = self._next(encoded)
        if self._tensors[index].dtype is torch.bfloat16:
            raise Malformed("an array was sent with an impossible dtype")
        self.in_graph.append(False)
        return ResultTensor(index, is_array=True)


def decode_object(encoded: list) -> Object:
    if len(encoded) != 3 or type(encoded[1]) is not int or type(encoded[2]) is not str:
        raise Malformed("an object was sent without its number")
    return Object(encoded[1], encoded[2][:80])


def decode_dtype(encoded: list) -> torch.dtype:
    found = getattr(torch, encoded[1], None) if type(encoded[1]) is str else None
    if not isinstance(found, torch.dtype):
        raise Malformed("what was sent as a dtype is not one")
    return found


def fill(value: Any, tensors: Sequence[torch.Tensor], wrap: Callable[[Object], Any]) -> Any:
    """A result with its tensors in place, and objects wrapped."""
    if isinstance(value, ResultTensor):
        return filled_tensor(value, tensors)
    if isinstance(value, Object):
        return wrap(value)
    if isinstance(value, NamedTuple):
        return NamedTuple(list(value.names), [fill(item, tensors, wrap) for item in value])
    if type(value) in (list, tuple):
        return type(value)(fill(item, tensors, wrap) for item in value)
    if isinstance(value, dict):
        return {key: fill(item, tensors, wrap) for key, item in value.items()}
    return value


def filled_tensor(place: ResultTensor, tensors: Sequence[torch.Tensor]) -> Any:
    tensor = tensors[place.index]
    if place.is_array:
        return tensor.numpy()
    if place.is_leaf:
        tensor = tensor.detach().requires_grad_()
        if place.gradient is not None:
            tensor.grad = tensors[place.gradient].detach()
    return tensor
