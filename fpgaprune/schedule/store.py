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


def plans_to_text(plans: Mapping[str, Plan]) -> str:
    """Return plans by the name of their matrix as JSON text, one line a plan."""
    lines = [f"{json.dumps(name)}: {json.dumps(_to_data(plan))}" for name, plan in plans.items()]
    return f'{{"schema": {json.dumps(SCHEMA)}, "plans": {{\n' + ",\n".join(lines) + "\n}}\n"


def plans_from_text(text: str) -> dict[str, Plan]:
    """Return the plans that `plans_to_text` wrote.

    Raises:
        InputError: not such text, of another schema, or with a plan that cannot be.
    """
    try:
        data = json.loads(text)
        if data["schema"] != SCHEMA:
            msg = f"plans have schema {data['schema']!r}, this version reads {SCHEMA!r}; generate the project again"
            raise InputError(msg)
        return {str(name): _from_data(each) for name, each in data["plans"].items()}
    except FpgapruneError as error:
        msg = f"these plans are damaged: {error}"
        raise InputError(msg) from error
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        msg = f"these are no plans: {type(error).__name__}: {error}"
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
            names = [field.name for field in fields(AdderGraph)[1:]]
            return Adders(AdderGraph(_integer(data["inputs"]), *(_integers(data[name]) for name in names)))
        case Strategy.FOLDED:
            access, fabric = Access(data["access"]), data["fabric"]
            if not isinstance(fabric, bool):
                msg = f"fabric must be true or false, not {fabric!r}"
                raise TypeError(msg)
            return Folded(_integer(data["lanes"]), access, _integer(data["banks"]), fabric)
        case _:
            assert_never(strategy)


def _integer(value: Any) -> int:  # noqa: ANN401  # any JSON value
    if type(value) is not int:
        msg = f"{value!r} is no whole number"
        raise TypeError(msg)
    return value


def _integers(values: Any) -> Int64Array:  # noqa: ANN401  # any JSON value
    return np.array([_integer(value) for value in values], dtype=np.int64)


def _arrays(graph: AdderGraph) -> list[tuple[str, Any]]:
    return [(field.name, getattr(graph, field.name)) for field in fields(graph)[1:]]
