"""A graph half read: its layers so far, what each node stands for, and the arguments of a call by name."""

from __future__ import annotations

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


@dataclass(frozen=True)
class Constant:
    """A tensor that does not depend on the input; ``name`` is that of the parameter that it was made from."""

    name: str
    tensor: Tensor


Value: TypeAlias = str | Constant
"""What a node stands for: the name of a layer, or a constant."""


@dataclass(frozen=True)
class Reading:
    """The layers so far by their names, and the value of each node read so far."""

    layers: dict[str, Layer] = field(default_factory=dict)
    values: dict[fx.Node, Value] = field(default_factory=dict)
    names: Names = field(default_factory=Names)

    def add(self, layer: Layer) -> str:
        """Append a layer and return its name."""
        self.layers[layer.name] = layer
        return layer.name

    def name_for(self, node: fx.Node, operation: str) -> str:
        """Return a new name for the layer that a node becomes."""
        return self.names.take(base_name(node, operation))

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

    def layer(self, name: str) -> str:
        """Return the name of the layer that an argument stands for.

        Raises:
            UnsupportedError: the argument is a constant.
        """
        value = self.value(name)
        if not isinstance(value, str):
            self._refuse(name, "depend on the input")
        return value

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
    if constant.tensor.dtype not in (torch.float32, torch.float64):
        kind = str(constant.tensor.dtype).removeprefix("torch.")
        refused(node, f"{constant.name!r} of type {kind}", "call model.float() first")
    array = read_only(constant.tensor.detach().numpy())
    if not np.isfinite(array).all():
        refused(node, f"{constant.name!r} with NaN or infinite values", "train it again, or give other weights")
    return array


def shape_of(node: fx.Node) -> tuple[int, ...]:
    """Return the shape of a node's result, the batch included."""
    return tuple(node.meta["val"].shape)
