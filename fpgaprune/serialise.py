"""Graphs as JSON text, so that a project folder carries what it must compute."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from typing_extensions import assert_never

from fpgaprune.errors import FpgapruneError, InputError
from fpgaprune.fixed import Fixed, as_mantissas
from fpgaprune.ir import Add, Constant, Gather, Graph, Input, MatVec, Op, Requantise, Reshape, Tensor
from fpgaprune.sparse import SparseMatrix

if TYPE_CHECKING:
    from fpgaprune.fixed import IntArray

SCHEMA = "fpgaprune-graph-1"


def graph_to_text(graph: Graph) -> str:
    """Return the graph as JSON text; the same graph gives the same text."""
    data = {"schema": SCHEMA, "outputs": list(graph.outputs), "ops": [_op_to_data(op) for op in graph.ops]}
    return json.dumps(data, indent=None, separators=(",", ":")) + "\n"


def graph_from_text(text: str) -> Graph:
    """Read a graph back from JSON text.

    Raises:
        InputError: not JSON, not of this schema, or not a valid graph; the message says which.
    """
    try:
        data = json.loads(text)
        if data["schema"] != SCHEMA:
            msg = f"the graph has schema {data['schema']!r}, this version reads {SCHEMA!r}"
            raise InputError(msg)
        return Graph(tuple(_op_from_data(op) for op in data["ops"]), tuple(data["outputs"]))
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError, FpgapruneError) as error:
        msg = f"the graph cannot be read: {type(error).__name__}: {error}"
        raise InputError(msg) from error


def _op_to_data(op: Op) -> dict[str, Any]:
    tensor = {"name": op.output.name, "shape": list(op.output.shape), "format": str(op.output.format)}
    head: dict[str, Any] = {"op": type(op).__name__, "output": tensor}
    match op:
        case Input():
            return head
        case Constant():
            return head | {"values": _ints(op.values.reshape(-1))}
        case MatVec():
            weights = op.weights
            return head | {
                "input": op.input,
                "columns": weights.shape[1],
                "row_start": _ints(weights.row_start),
                "column": _ints(weights.column),
                "weight": _ints(weights.weight),
                "weight_format": str(op.weight_format),
                "bias": _ints(op.bias),
                "layer": op.layer,
            }
        case Requantise():
            return head | {"input": op.input, "low": op.low, "high": op.high}
        case Add():
            return head | {"left": op.left, "right": op.right}
        case Reshape():
            return head | {"input": op.input}
        case Gather():
            return head | {"input": op.input, "index": _ints(op.index), "shift": _ints(op.shift)}
        case _:
            assert_never(op)


def _op_from_data(data: dict[str, Any]) -> Op:
    head = data["output"]
    shape = tuple(_int(size) for size in head["shape"])
    output = Tensor(str(head["name"]), shape, Fixed.parse(head["format"]))
    kind = data["op"]
    if kind == "Input":
        return Input(output)
    if kind == "Constant":
        return Constant(output, _array(data["values"]).reshape(shape))
    if kind == "MatVec":
        parts = [_array(data[field]) for field in ("row_start", "column", "weight")]
        weights = SparseMatrix((len(parts[0]) - 1, _int(data["columns"])), *parts)
        return MatVec(
            output, data["input"], weights, Fixed.parse(data["weight_format"]), _array(data["bias"]), str(data["layer"])
        )
    if kind == "Requantise":
        ends = [None if data[end] is None else _int(data[end]) for end in ("low", "high")]
        return Requantise(output, data["input"], *ends)
    if kind == "Add":
        return Add(output, data["left"], data["right"])
    if kind == "Reshape":
        return Reshape(output, data["input"])
    if kind == "Gather":
        return Gather(output, data["input"], _array(data["index"]), _array(data["shift"]))
    msg = f"the graph holds an operation {kind!r}, which this version does not know"
    raise InputError(msg)


def _ints(values: IntArray) -> list[int]:
    integers: list[int] = [int(value) for value in values] if values.dtype == object else values.tolist()
    return integers


def _int(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        msg = f"an integer is wanted, not {value!r}"
        raise InputError(msg)
    return value


def _array(values: list[int]) -> IntArray:
    if not all(type(value) is int for value in values):
        msg = "a list of integers is wanted"
        raise InputError(msg)
    big = any(abs(value) >= 1 << 63 for value in (min(values, default=0), max(values, default=0)))
    return as_mantissas(np.array(values, dtype=object if big else np.int64))
