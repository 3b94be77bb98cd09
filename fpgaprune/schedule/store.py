"""Plans as JSON text, so that a project folder carries how its matrices are built."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np
from typing_extensions import assert_never

from fpgaprune.errors import FpgapruneError, InputError
from fpgaprune.schedule.adder_graph import AdderGraph
from fpgaprune.schedule.plans import Access, Adders, Folded, Multiply, Plan, Strategy, strategy_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.sparse import Int64Array

SCHEMA = "fpgaprune-plans-1"

_LARGEST = 1 << 28
"""Characters beyond which plans are not read."""

_MOST_ELEMENTS, _MOST_BITS = 1 << 20, 256
"""What no graph of additions needs more of: inputs, additions and rows; bits of a value's coefficients in all.

Within them the time and memory that a graph takes are bounded by its size, whatever a file says.
"""

_MALFORMED = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
"""What reading raises where JSON text does not hold what is expected in it."""


def plans_to_text(plans: Mapping[str, Plan]) -> str:
    """Return plans by the name of their matrix as JSON text, one line a plan."""
    lines = [f"{json.dumps(name)}: {json.dumps(_to_data(plan))}" for name, plan in plans.items()]
    return f'{{"schema": {json.dumps(SCHEMA)}, "plans": {{\n' + ",\n".join(lines) + "\n}}\n"


def plans_from_text(text: str) -> dict[str, Plan]:
    """Return the plans that `plans_to_text` wrote.

    Raises:
        InputError: not such text, of another schema, or with a plan that cannot be.
    """
    if len(text) > _LARGEST:
        msg = f"plans of more than {_LARGEST >> 20} million characters are not read; no board holds what they say"
        raise InputError(msg)
    try:
        data = json.loads(text)
        schema, plans = data["schema"], dict(data["plans"].items())
    except _MALFORMED as error:
        msg = f"these are no plans: {type(error).__name__}: {error}"
        raise InputError(msg) from error
    if schema != SCHEMA:
        msg = f"plans have schema {schema!r}, this version reads {SCHEMA!r}; generate the project again"
        raise InputError(msg)
    return {name: _of_matrix(name, each) for name, each in plans.items()}


def _of_matrix(name: str, data: Any) -> Plan:  # noqa: ANN401  # any JSON value
    try:
        return _from_data(data)
    except (*_MALFORMED, FpgapruneError) as error:
        what = f"{error}" if isinstance(error, FpgapruneError) else f"{type(error).__name__}: {error}"
        msg = f"these plans are damaged: {name}: {what}"
        raise InputError(msg) from error


def _to_data(plan: Plan) -> dict[str, Any]:
    named = {"strategy": strategy_of(plan).value}
    match plan:
        case Multiply():
            return named
        case Adders():
            return named | {"inputs": plan.graph.inputs} | {name: array.tolist() for name, array in _arrays(plan.graph)}
        case Folded():
            return named | {
                "lanes": plan.lanes,
                "access": plan.access.value,
                "banks": plan.banks,
                "fabric": plan.fabric,
            }
        case _:
            assert_never(plan)


def _from_data(data: Mapping[str, Any]) -> Plan:
    strategy = Strategy(data["strategy"])
    match strategy:
        case Strategy.MULTIPLY:
            return Multiply()
        case Strategy.ADDERS:
            return Adders(_graph(data))
        case Strategy.FOLDED:
            access, fabric = Access(data["access"]), data["fabric"]
            if not isinstance(fabric, bool):
                msg = f"fabric must be true or false, not {fabric!r}"
                raise TypeError(msg)
            return Folded(_integer(data["lanes"]), access, _integer(data["banks"]), fabric)
        case _:
            assert_never(strategy)


def _graph(data: Mapping[str, Any]) -> AdderGraph:
    inputs, arrays = _integer(data["inputs"]), [_integers(data[field.name]) for field in fields(AdderGraph)[1:]]
    if not 0 <= inputs <= _MOST_ELEMENTS or any(len(array) > _MOST_ELEMENTS for array in arrays):
        msg = f"a graph of additions must have 0…{_MOST_ELEMENTS} inputs, additions and rows"
        raise InputError(msg)
    graph = AdderGraph(inputs, *arrays)
    if _largest(graph) >= 2.0**_MOST_BITS:
        msg = f"the coefficients of a graph of additions must add up to {_MOST_BITS} bits at most"
        raise InputError(msg)
    return graph


def _largest(graph: AdderGraph) -> float:
    """Return a bound on the sum of the coefficients of any value, in absolute terms; it can be infinite."""
    sums = [1.0] * graph.inputs
    operands = (graph.left, graph.left_shift, graph.right, graph.right_shift)
    for left, left_shift, right, right_shift in zip(*(each.tolist() for each in operands), strict=True):
        sums.append(sums[left] * 2.0**left_shift + sums[right] * 2.0**right_shift)
    return max(sums, default=0.0)


def _integer(value: Any) -> int:  # noqa: ANN401  # any JSON value
    if type(value) is not int:
        msg = f"{value!r} is no whole number"
        raise TypeError(msg)
    return value


def _integers(values: Any) -> Int64Array:  # noqa: ANN401  # any JSON value
    return np.array([_integer(value) for value in values], dtype=np.int64)


def _arrays(graph: AdderGraph) -> list[tuple[str, Any]]:
    return [(field.name, getattr(graph, field.name)) for field in fields(graph)[1:]]
