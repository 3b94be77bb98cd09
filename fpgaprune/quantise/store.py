"""A quantised model as a folder: mantissas in safetensors, everything else in ``quantised.json``."""

from __future__ import annotations

import hashlib
import json
from dataclasses import MISSING, Field, asdict, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from fpgaprune.capture.records import FunctionKind
from fpgaprune.errors import FpgapruneError, InputError, suggest
from fpgaprune.fixed import Fixed, IntArray, bounds
from fpgaprune.paths import fresh_folder
from fpgaprune.prune.checks import known_keys, table
from fpgaprune.quantise.layers import LAYERS, QuantisedLayer
from fpgaprune.quantise.model import QuantisedModel
from fpgaprune.quantise.recipe import QuantiseRecipe
from fpgaprune.quantise.report import QuantiseReport
from fpgaprune.windows import Windows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

SCHEMA = 4
MANIFEST = "quantised.json"
WEIGHTS = "mantissas.safetensors"
_LARGEST_MANIFEST = 64 * 2**20
_FIELDS = ("schema", "layers", "outputs", "recipe", "report", "sha256")
_KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in LAYERS}


def save(model: QuantisedModel, folder: Path, *, force: bool = False) -> None:
    """Write ``model`` into a new folder, in one step; the same model gives the same bytes.

    Raises:
        InputError: the folder exists and ``force`` is not given, or it cannot be written.
    """
    arrays: dict[str, IntArray] = {}
    layers = [_encoded(layer, arrays) for layer in model.layers]
    content = safetensors.numpy.save(arrays)
    manifest = {
        "schema": SCHEMA,
        "layers": layers,
        "outputs": list(model.outputs),
        "recipe": model.recipe.to_dict() if model.recipe is not None else None,
        "report": model.report.to_dict(),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    text = json.dumps(manifest, indent=1, allow_nan=False)
    with fresh_folder(folder, force=force) as staging:
        (staging / WEIGHTS).write_bytes(content)
        (staging / MANIFEST).write_text(f"{text}\n", encoding="utf-8")


def load(folder: Path) -> QuantisedModel:
    """Return the model that ``save`` wrote; the PyTorch model that it came from is not needed.

    Raises:
        InputError: a file is missing, damaged or of another schema, or its layers do not fit together.
    """
    try:
        manifest = _read_manifest(folder / MANIFEST)
        arrays = _read_arrays(folder / WEIGHTS, manifest["sha256"])
        recipe = manifest["recipe"]
        return QuantisedModel(
            tuple(_decoded(table("a layer", layer), arrays) for layer in manifest["layers"]),
            tuple(str(name) for name in manifest["outputs"]),
            None if recipe is None else QuantiseRecipe.from_dict(table("recipe", recipe)),
            QuantiseReport.from_dict(table("report", manifest["report"])),
        )
    except (FpgapruneError, KeyError, TypeError, ValueError) as error:
        msg = f"{folder}: {error}" if isinstance(error, FpgapruneError) else f"{folder} is damaged: {error!r}"
        raise InputError(msg) from error


def _encoded(layer: QuantisedLayer, arrays: dict[str, IntArray]) -> dict[str, object]:
    """Return the fields of a layer as plain values, having put its arrays under ``layer.field``."""
    values: dict[str, object] = {"kind": type(layer).__name__}
    for item in fields(layer):
        value = getattr(layer, item.name)
        match str(item.type):
            case "IntArray":
                arrays[f"{layer.name}.{item.name}"] = _narrowed(value)
            case "tuple[IntArray, ...]":
                arrays |= {f"{layer.name}.{item.name}.{i}": _narrowed(array) for i, array in enumerate(value)}
                values[_key(item)] = len(value)
            case "tuple[QuantisedLayer, ...]":
                values[_key(item)] = [_encoded(inner, arrays) for inner in value]
            case _:
                values[_key(item)] = _plain(value)
    return values


def _key(item: Field[Any]) -> str:
    """Return the key of a field in the manifest, where ``kind`` is that of the layer."""
    return "function" if item.name == "kind" else item.name


def _plain(value: object) -> object:
    match value:
        case Fixed():
            return str(value)
        case FunctionKind():
            return value.value
        case Windows():
            return asdict(value)
        case _:
            return value


def _narrowed(array: IntArray) -> IntArray:
    """Return the array in the narrowest type that holds it; most weights take one byte."""
    low, high = bounds(array)
    kinds = (np.dtype(name) for name in ("int8", "int16", "int32", "int64"))
    kind = next(kind for kind in kinds if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max)
    return np.array(array, dtype=kind, order="C")  # ascontiguousarray would give a scalar an axis


_READ: Mapping[str, Callable[[Any], object]] = {
    "str": str,
    "bool": bool,
    "int": int,
    "float": float,
    "int | None": lambda value: None if value is None else int(value),
    "tuple[int, ...]": lambda value: tuple(int(size) for size in value),
    "tuple[str, ...]": lambda value: tuple(str(name) for name in value),
    "Fixed": Fixed.parse,
    "Windows": lambda value: _windows(table("windows", value)),
    "records.FunctionKind": FunctionKind,
}
"""How a field is read back that holds no array and no layers, by the annotation of the record's field."""


def _decoded(values: Mapping[str, object], arrays: Mapping[str, IntArray]) -> QuantisedLayer:
    kind = str(values["kind"])
    if kind not in _KINDS:
        msg = f"{kind!r} is no kind of layer{suggest(kind, _KINDS)}"
        raise InputError(msg)
    items = fields(_KINDS[kind])
    known_keys(kind, values, ["kind", *map(_key, items)])
    layer: QuantisedLayer = _KINDS[kind](
        **{item.name: _field(item, values, arrays) for item in items if not _left_out(item, values)}
    )
    return layer


def _left_out(item: Field[Any], values: Mapping[str, object]) -> bool:
    """Return whether an older version, which had no such field, wrote the layer."""
    return _key(item) not in values and item.default is not MISSING


def _field(item: Field[Any], values: Mapping[str, Any], arrays: Mapping[str, IntArray]) -> object:
    match str(item.type):
        case "IntArray":
            return _array(arrays, f"{values['name']}.{item.name}")
        case "tuple[IntArray, ...]":
            return tuple(_array(arrays, f"{values['name']}.{item.name}.{i}") for i in range(values[_key(item)]))
        case "tuple[QuantisedLayer, ...]":
            return tuple(_decoded(table("a layer", inner), arrays) for inner in values[_key(item)])
        case annotation:
            return _READ[annotation](values[_key(item)])


def _windows(values: Mapping[str, Any]) -> Windows:
    names = [item.name for item in fields(Windows)]
    known_keys("windows", values, names)
    return Windows(*(tuple(int(entry) for entry in values[name]) for name in names))


def _array(arrays: Mapping[str, IntArray], name: str) -> IntArray:
    if name not in arrays:
        msg = f"{WEIGHTS} lacks the array {name!r}"
        raise InputError(msg)
    return arrays[name].astype(np.int64)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        msg = f"{path.name} cannot be read: {error.strerror}; is this a folder that quantisation wrote?"
        raise InputError(msg) from error


def _read_manifest(path: Path) -> dict[str, Any]:
    content = _read(path)
    if len(content) > _LARGEST_MANIFEST:
        msg = f"{path.name} has {len(content)} bytes, more than any manifest of fpgaprune"
        raise InputError(msg)
    try:
        manifest = table(MANIFEST, json.loads(content))
    except (ValueError, RecursionError) as error:
        msg = f"{path.name} is no intact JSON: {error}"
        raise InputError(msg) from error
    if manifest.get("schema") != SCHEMA:
        msg = f"{path.name} has the schema {manifest.get('schema')!r}, this version reads {SCHEMA}; quantise again"
        raise InputError(msg)
    known_keys(path.name, manifest, _FIELDS)
    if missing := [field for field in _FIELDS if field not in manifest]:
        msg = f"{path.name} lacks {', '.join(missing)}"
        raise InputError(msg)
    return manifest


def _read_arrays(path: Path, digest: object) -> dict[str, IntArray]:
    content = _read(path)
    if hashlib.sha256(content).hexdigest() != digest:
        msg = f"{path.name} is damaged or was changed: its SHA-256 differs from the one in {MANIFEST}"
        raise InputError(msg)
    try:
        arrays: dict[str, IntArray] = safetensors.numpy.load(content)
    except SafetensorError as error:
        msg = f"{path.name} holds no tensors: {error}"
        raise InputError(msg) from error
    return arrays
