"""A ModelGraph half read: what readers ask of hls4ml's layers, and the graph that they build."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from fpgaprune.errors import UnsupportedError
from fpgaprune.fixed import MAX_WIDTH, Fixed, IntArray, Rounding, from_float, rescale
from fpgaprune.frontend.building import Builder
from fpgaprune.frontend.precision import to_fixed
from fpgaprune.ir import Reshape, Tensor
from fpgaprune.sparse import SparseMatrix

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.capture.records import FloatArray

Node: TypeAlias = Any
"""A layer of hls4ml, which has no types."""

Terms: TypeAlias = tuple[IntArray, IntArray, "FloatArray"]
"""Rows, columns and real values of the weights of a matrix."""


class Reading:
    """A graph half read; ``titles`` maps hls4ml's names to those that users know their layers by."""

    def __init__(self, titles: Mapping[str, str], taken: set[str]) -> None:
        self.builder = Builder({title: name for name, title in titles.items()}, taken | set(titles))
        self._titles = titles
        self._tensors: dict[str, Tensor] = {}

    def tensor(self, name: str) -> Tensor:
        """Return the tensor of the graph that holds one of hls4ml's."""
        return self._tensors[name]

    def sources(self, node: Node) -> list[Tensor]:
        """Return the tensors that a layer reads."""
        return [self._tensors[name] for name in node.inputs]

    def source(self, node: Node) -> Tensor:
        """Return the first tensor that a layer reads."""
        return self._tensors[node.inputs[0]]

    def result(self, node: Node) -> Tensor:
        """Return the tensor that a layer makes, in hls4ml's type."""
        variable = node.get_output_variable()
        shape = tuple(int(size) for size in variable.shape)
        return Tensor(node.outputs[0], shape, to_fixed(variable.type.precision, node.name))

    def title(self, node: Node) -> str:
        """Return the name that users know a layer by."""
        return self._titles.get(node.name, node.name)

    def finish(self, node: Node, result: Tensor) -> None:
        """Note the tensor that holds all results of a layer; several are copies for streams."""
        self._tensors |= dict.fromkeys(node.outputs, result)

    def reshaped(self, tensor: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Return a tensor under another shape, through a reshape where that differs."""
        if tensor.shape == shape:
            return tensor
        name = self.builder.fresh(f"{tensor.name}_reshaped")
        return self.builder.append(Reshape(Tensor(name, shape, tensor.format), tensor.name))


def real_weights(node: Node, name: str = "weight") -> FloatArray:
    """Return weights of a layer with the outputs last; hls4ml's resource strategies have them first."""
    if str(node.get_attr("strategy", "")).lower() == "compressed":
        msg = f"{node.name}: compressed weights are not supported; leave Compression out, zeros cost nothing here"
        raise UnsupportedError(msg)
    data = np.asarray(node.weights[name].data, dtype=np.float64)
    return np.moveaxis(data, 0, -1) if node.get_attr("_weights_transposed") else data


def matrix(
    node: Node, source: Tensor, name: str, shape: tuple[int, int], terms: Terms
) -> tuple[SparseMatrix, Fixed, IntArray]:
    """Return the weights ``name`` of a layer as a matrix, its format, and the bias in the step of the products."""
    rows, columns, values = terms
    weight, weight_format = mantissas(node, name, values)
    bias, bias_format = mantissas(node, "bias", np.ravel(node.weights["bias"].data))
    products = source.format.fraction + weight_format.fraction
    finer = max(0, _used_fraction(bias, bias_format) - products)
    offset = rescale(bias, bias_format.fraction - products - finer, Rounding.TRN)  # shifts out zeros alone
    return SparseMatrix.from_terms(shape, rows, columns, weight << finer), _finer(weight_format, finer), offset


def mantissas(node: Node, name: str, values: FloatArray) -> tuple[IntArray, Fixed]:
    """Return weights in the format of their type, rounded and saturated as it says."""
    to = to_fixed(node.weights[name].type.precision, f"{node.name}.{name}")
    if to.width > _WIDEST:
        msg = f"{node.name}.{name}: weights of {to.width} bits are not supported; use at most {_WIDEST}"
        raise UnsupportedError(msg)
    return from_float(np.asarray(values, dtype=np.float64), to), to


_WIDEST = 62
"""The widest weight and bias, for mantissas in int64."""


def _used_fraction(mantissas: IntArray, to: Fixed) -> int:
    """Return the fraction bits without the zeros that all mantissas end in."""
    used = int(np.bitwise_or.reduce(mantissas, initial=0))
    return to.fraction - ((used & -used).bit_length() - 1) if used else -MAX_WIDTH


def _finer(to: Fixed, bits: int) -> Fixed:
    """Return the format with ``bits`` zeros below its last bit, for a bias that has a finer step than the products."""
    return Fixed(to.signed, to.width + bits, to.fraction + bits, to.rounding, to.overflow)
