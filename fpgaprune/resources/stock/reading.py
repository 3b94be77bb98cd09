"""Reads designs as figures: JSON in, `StockDesign` out. Sizes that are only names of constants are worked out."""

from __future__ import annotations

import json
import reprlib
from typing import TYPE_CHECKING, Any

from fpgaprune.errors import InputError
from fpgaprune.resources.stock import fields
from fpgaprune.resources.stock.fields import Record
from fpgaprune.resources.stock.shapes import Walk, Words, one_strategy
from fpgaprune.resources.stock.values import StockDesign

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fpgaprune.resources.stock.values import Strategy

LARGEST_TEXT = 16_000_000
"""Characters of the input; a design of twenty layers has about ten thousand."""

MOST_DESIGNS = 10_000
MOST_LAYERS = 2_000

DEFAULT_YEAR = 2023


def loads(text: str) -> list[StockDesign]:
    """Return the designs of a JSON text: one, or a list of them.

    Raises:
        InputError: the text is too long, is no JSON, or a field is missing or cannot be used.
    """
    if len(text) > LARGEST_TEXT:
        msg = f"the input has {len(text)} characters, the most are {LARGEST_TEXT}; split it"
        raise InputError(msg)
    try:
        data = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        msg = f"the input is no JSON: {error}"
        raise InputError(msg) from error
    given = data if isinstance(data, list) else [data]
    if not 1 <= len(given) <= MOST_DESIGNS:
        msg = f"the input must hold between 1 and {MOST_DESIGNS} designs, not {len(given)}"
        raise InputError(msg)
    return [_named(each, number, len(given)) for number, each in enumerate(given)]


def _no_constant(name: str) -> float:
    msg = f"{name} is no number of JSON"
    raise ValueError(msg)


def _named(data: object, number: int, count: int) -> StockDesign:
    try:
        return from_data(data)
    except InputError as error:
        if count == 1:
            raise
        msg = f"design {number}: {error}"
        raise InputError(msg) from error


def from_data(data: object) -> StockDesign:
    """Return one design of its JSON object.

    Raises:
        InputError: a field is missing or cannot be used; the message names it.
    """
    if not isinstance(data, dict):
        msg = f"a design must be a JSON object, not {reprlib.repr(data)}"
        raise InputError(msg)
    missing = [name for name in ("part", "clock_ns", "layers") if name not in data]
    if missing:
        msg = f"a design needs {', '.join(map(repr, missing))}"
        raise InputError(msg)
    stream = _stream(data.get("io_type", "io_parallel"))
    records = tuple(_records(data["layers"]))
    walk = Walk(Words.of(data), records, _strategy(data), fields.year(data.get("tool"), DEFAULT_YEAR), stream)
    layers = tuple(walk.layers())
    return StockDesign(
        family=fields.family(data["part"]),
        clock_ns=fields.clock_ns(data["clock_ns"]),
        year=walk.year,
        stream=stream,
        layers=layers,
        assumed=tuple(walk.assumed),
        name=str(data.get("path") or data.get("name") or "")[:300],
    )


def _stream(io_type: object) -> bool:
    if io_type not in ("io_parallel", "io_serial", "io_stream"):
        msg = f"'io_type' must be io_parallel or io_stream, not {reprlib.repr(io_type)}"
        raise InputError(msg)
    return io_type == "io_stream"


def _strategy(data: Mapping[str, Any]) -> Strategy | None:
    """Return the strategy of layers that name none: the first of the design's own list, where it has one."""
    given = data.get("strategies") or []
    return one_strategy(given[0]) if isinstance(given, list) and given else None


def _records(layers: object) -> Iterator[Record]:
    if not isinstance(layers, list) or not 1 <= len(layers) <= MOST_LAYERS:
        msg = f"'layers' must be a list of between 1 and {MOST_LAYERS} layers"
        raise InputError(msg)
    for number, each in enumerate(layers):
        if not isinstance(each, dict) or not isinstance(each.get("kind"), str):
            msg = f"layer {number} must be a JSON object with a 'kind' such as dense_config"
            raise InputError(msg)
        yield Record(str(each.get("name") or f"layer {number}")[:100], each["kind"], each)
