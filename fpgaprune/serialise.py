"""Graphs as JSON text, so that a project folder carries what it must compute."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from typing_extensions import assert_never

from fpgaprune.errors import FpgapruneError, InputError
from fpgaprune.fixed import Fixed, as_mantissas
from fpgaprune.ir import (
    Add,
    ArgMax,
    Concat,
    Constant,
    Gather,
    Graph,
    Input,
    MatMul,
    MatVec,
    Maximum,
    Multiply,
    Op,
    Requantise,
    Reshape,
    Scan,
    Table,
    Tensor,
    Window,
)
from fpgaprune.sparse import SparseMatrix
from fpgaprune.windows import Windows

if TYPE_CHECKING:
    from fpgaprune.fixed import IntArray

SCHEMA = "fpgaprune-graph-1"

_AXES = ("kernel", "stride", "dilation", "before", "after")
"""The fields of a window, each with one entry an axis."""

_OF_ONE: dict[str, type[Maximum | ArgMax | Reshape]] = {"Maximum": Maximum, "ArgMax": ArgMax, "Reshape": Reshape}
_OF_TWO: dict[str, type[Multiply | MatMul]] = {"Multiply": Multiply, "MatMul": MatMul}
"""Operations that are no more than the tensors they read."""


def graph_to_text(graph: Graph) -> str:
    """Return the graph as JSON text; the same graph gives the same text."""
    return json.dumps({"schema": SCHEMA} | _graph_to_data(graph), indent=None, separators=(",", ":")) + "\n"


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
        return _graph_from_data(data)
    except InputError:
        raise
    except (
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        ArithmeticError,
        RecursionError,
        FpgapruneError,
    ) as error:
        msg = f"the graph cannot be read: {type(error).__name__}: {error}"
        raise InputError(msg) from error


def _graph_to_data(graph: Graph) -> dict[str, Any]:
    return {"outputs": list(graph.outputs), "ops": [_op_to_data(op) for op in graph.ops]}


def _graph_from_data(data: dict[str, Any]) -> Graph:
    return Graph(tuple(_op_from_data(op) for op in data["ops"]), tuple(data["outputs"]))


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
            return head | {"left": op.left, "right": op.right, "subtract": op.subtract}
        case Multiply() | MatMul():
            return head | {"left": op.left, "right": op.right}
        case Table():
            return head | {"input": op.input, "values": _ints(op.values), "low": int(op.low)}
        case Window():
            kept = None if op.kept is None else _ints(op.kept)
            windows = {axes: list(getattr(op.windows, axes)) for axes in _AXES}
            return head | {"input": op.input} | windows | {"fill": int(op.fill), "kept": kept}
        case Maximum() | ArgMax() | Reshape():
            return head | {"input": op.input}
        case Concat():
            return head | {"sources": list(op.sources)}
        case Gather():
            return head | {"input": op.input, "index": _ints(op.index), "shift": _ints(op.shift)}
        case Scan():
            initial = [_ints(values.reshape(-1)) for values in op.initial]
            loop = {"initial": initial, "result": op.result, "reverse": op.reverse}
            return head | {"input": op.input, "body": _graph_to_data(op.body)} | loop
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
        return Add(output, data["left"], data["right"], _flag(data.get("subtract", False)))  # older texts only add
    if kind in _OF_TWO:
        return _OF_TWO[kind](output, data["left"], data["right"])
    if kind in _OF_ONE:
        return _OF_ONE[kind](output, data["input"])
    if kind == "Table":
        return Table(output, data["input"], _array(data["values"]), _int(data["low"]))
    if kind == "Window":
        windows = Windows(*(tuple(_int(size) for size in data[axes]) for axes in _AXES))
        kept = None if data["kept"] is None else _array(data["kept"])
        return Window(output, data["input"], windows, _int(data["fill"]), kept)
    if kind == "Concat":
        return Concat(output, tuple(data["sources"]))
    if kind == "Gather":
        return Gather(output, data["input"], _array(data["index"]), _array(data["shift"]))
    if kind == "Scan":
        return _scan_from_data(output, data)
    msg = f"the graph holds an operation {kind!r}, which this version does not know"
    raise InputError(msg)


def _scan_from_data(output: Tensor, data: dict[str, Any]) -> Scan:
    body = _graph_from_data(data["body"])
    states = [state.output.shape for state in body.inputs[1:]]
    initial = tuple(_array(values).reshape(shape) for values, shape in zip(data["initial"], states, strict=True))
    return Scan(output, data["input"], body, initial, _int(data["result"]), _flag(data["reverse"]))


def _ints(values: IntArray) -> list[int]:
    integers: list[int] = [int(value) for value in values] if values.dtype == object else values.tolist()
    return integers


def _int(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        msg = f"an integer is wanted, not {value!r}"
        raise InputError(msg)
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        msg = f"true or false is wanted, not {value!r}"
        raise InputError(msg)
    return value


def _array(values: list[int]) -> IntArray:
    if not set(map(type, values)) <= {int}:
        msg = "a list of integers is wanted"
        raise InputError(msg)
    big = any(abs(value) >= 1 << 63 for value in (min(values, default=0), max(values, default=0)))
    return as_mantissas(np.array(values, dtype=object if big else np.int64))
