"""A graph half read: its layers so far, what each node stands for, and the arguments of a call by name."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import numpy as np
import torch
from torch import Tensor, fx

from fpgaprune.capture.origin import Names, base_name
from fpgaprune.capture.records import read_only
from fpgaprune.capture.refusals import refused

if TYPE_CHECKING:
    from fpgaprune.capture.records import FloatArray, Layer
    from fpgaprune.windows import IndexArray


@dataclass(frozen=True)
class Constant:
    """A tensor that does not depend on the input; ``name`` is that of the parameter that it was made from."""

    name: str
    tensor: Tensor


@dataclass(frozen=True, eq=False)
class Result:
    """A tensor that depends on the input, as torch sees it: element i of it is element ``index[i]`` of a layer.

    ``index`` has torch's shape for one sample, with whatever is left of the batch as an axis of size 1, and counts
    the elements of the layer in row-major order. So whatever only moves elements (a permutation, a slice, a flip)
    changes the index and makes no layer, until something needs another order in memory. Where the index is `OUTSIDE`
    the element is ``fill``. ``moved`` is the last operation that moved elements since the layer.
    """

    layer: str
    index: IndexArray
    fill: float = 0.0
    moved: fx.Node | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape that torch sees for one sample."""
        return self.index.shape


Value: TypeAlias = Result | Constant | tuple[Result, ...]
"""What a node stands for: one tensor or, where the operation returns several, a tuple of them."""


@dataclass(frozen=True)
class Reading:
    """The layers so far by their names, the value of each node read so far, and the nodes that will be read."""

    layers: dict[str, Layer] = field(default_factory=dict)
    values: dict[fx.Node, Value] = field(default_factory=dict)
    names: Names = field(default_factory=Names)
    needed: set[fx.Node] = field(default_factory=set)
    rewired: dict[tuple[str, bytes, tuple[int, ...]], str] = field(default_factory=dict)

    def add(self, layer: Layer) -> str:
        """Append a layer and return its name."""
        self.layers[layer.name] = layer
        return layer.name

    def name_for(self, node: fx.Node, operation: str) -> str:
        """Return a new name for the layer that a node becomes."""
        return self.names.take(base_name(node, operation))

    def size(self, layer: str) -> int:
        """Return the number of elements of a layer."""
        return math.prod(self.layers[layer].shape)

    def is_shared(self, result: Result) -> bool:
        """Whether anything but the node that reads the result now reads, or will read, its layer."""
        if any(result.layer in layer.sources for layer in self.layers.values()):
            return True
        holders = [node for node, value in self.values.items() if self._holds(value, result.layer)]
        return any(len(self.needed.intersection(node.users)) != 1 for node in holders)

    def is_constant(self, node: fx.Node) -> bool:
        """Whether no tensor that the node reads depends on the input."""
        return all(isinstance(self.values[source], Constant) for source in node.all_input_nodes)

    def fold(self, node: fx.Node) -> Constant:
        """Compute a constant node: a transposed weight, a weight times a mask, and the like.

        Raises:
            UnsupportedError: the operation draws random numbers.
        """
        target: Any = node.target
        if torch.Tag.nondeterministic_seeded in getattr(target, "tags", ()):
            refused(node, f"{target} draws random numbers, which", "make it a buffer")
        constants = {source: value for source, value in self.values.items() if isinstance(value, Constant)}
        args, kwargs = fx.node.map_arg((node.args, node.kwargs), lambda source: constants[source].tensor)
        name = next((constants[source].name for source in node.all_input_nodes), node.name)
        with torch.no_grad():
            return Constant(name, target(*args, **kwargs))

    @staticmethod
    def _holds(value: Value, layer: str) -> bool:
        parts = value if isinstance(value, tuple) else (value,)
        return any(isinstance(part, Result) and part.layer == layer for part in parts)


class Arguments:
    """The arguments of a call by their names in the operation's schema, defaults filled in."""

    def __init__(self, reading: Reading, node: fx.Node) -> None:
        self._reading = reading
        self._node = node
        schema = getattr(node.target, "_schema", None)  # torch offers no public way to the names
        parameters = schema.arguments if schema is not None else ()
        self._bound = {item.name: item.default_value for item in parameters if item.has_default_value()}
        self._bound |= {item.name: value for item, value in zip(parameters, node.args, strict=False)}
        self._bound |= node.kwargs

    def __contains__(self, name: str) -> bool:
        return name in self._bound

    def plain(self, name: str) -> Any:  # noqa: ANN401  # numbers, lists of numbers, None: the schema decides
        """Return an argument that is no tensor; None where the operation has none of this name."""
        return self._bound.get(name)

    def value(self, name: str) -> Value | None:
        """Return what an argument stands for; None where it is no tensor."""
        argument = self._bound.get(name)
        return self._reading.values[argument] if isinstance(argument, fx.Node) else None

    def result(self, name: str) -> Result:
        """Return the tensor that an argument stands for.

        Raises:
            UnsupportedError: the argument is a constant.
        """
        value = self.value(name)
        if not isinstance(value, Result):
            self._refuse(name, "depend on the input")
        return value

    def nodes(self, name: str) -> list[fx.Node]:
        """Return the nodes of an argument that is a tensor or a list of tensors."""
        argument = self._bound[name]
        return [argument] if isinstance(argument, fx.Node) else list(argument)

    def constants(self, name: str) -> tuple[Constant, ...]:
        """Return the constants of an argument that is a list of tensors.

        Raises:
            UnsupportedError: one of them depends on the input.
        """
        values = [self._reading.values[node] for node in self.nodes(name)]
        found = tuple(value for value in values if isinstance(value, Constant))
        if len(found) != len(values):
            self._refuse(name, "be parameters, buffers or constants")
        return found

    def constant(self, name: str) -> Constant:
        """Return the constant that an argument stands for.

        Raises:
            UnsupportedError: the argument depends on the input.
        """
        value = self.value(name)
        if not isinstance(value, Constant):
            self._refuse(name, "be a parameter, a buffer or a constant")
        return value

    def optional(self, name: str) -> Constant | None:
        """Return the constant that an argument stands for; None where it is absent.

        Raises:
            UnsupportedError: the argument depends on the input.
        """
        return None if self.plain(name) is None else self.constant(name)

    def array(self, name: str) -> FloatArray:
        """Return a constant argument as a read-only float64 array.

        Raises:
            UnsupportedError: it depends on the input, is not float32 or float64, or holds NaN or infinities.
        """
        return as_array(self._node, self.constant(name))

    def _refuse(self, name: str, must: str) -> NoReturn:
        refused(self._node, f"{self._node.target}, whose argument {name!r} must {must},", "rewrite this line")


def as_array(node: fx.Node, constant: Constant) -> FloatArray:
    """Return a constant as a read-only float64 array.

    Raises:
        UnsupportedError: it is not float32 or float64, or holds NaN or infinities.
    """
    array = as_numbers(node, constant)
    if not np.isfinite(array).all():
        refused(node, f"{constant.name!r} with NaN or infinite values", "train it again, or give other weights")
    return array


def as_numbers(node: fx.Node, constant: Constant) -> FloatArray:
    """Return a constant as a read-only float64 array, which may hold infinities.

    Raises:
        UnsupportedError: it is not float32 or float64.
    """
    if constant.tensor.dtype not in (torch.float32, torch.float64):
        kind = str(constant.tensor.dtype).removeprefix("torch.")
        refused(node, f"{constant.name!r} of type {kind}", "call model.float() first")
    return read_only(constant.tensor.detach().numpy())


def shape_of(node: fx.Node) -> tuple[int, ...]:
    """Return the shape of a node's result for one sample, the batch included."""
    return tuple(node.meta["val"].shape)
