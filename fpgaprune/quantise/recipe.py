"""The recipe of a quantisation, in Python or in TOML."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from enum import Enum
from typing import TYPE_CHECKING

from fpgaprune.errors import InputError
from fpgaprune.fixed import Overflow, Rounding
from fpgaprune.prune.checks import built, choice, flag, integer, known_keys, number, plain, table
from fpgaprune.prune.settings import TrainSettings
from fpgaprune.quantise.compression import Compression
from fpgaprune.toml import tables_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MOST_BITS = 32
"""The widest word that a recipe may ask for; sums are as wide as they must be."""

MOST_TABLE_BITS = 16
"""The widest word that a function may read: its table has an entry for every value of the word."""


class Calibration(Enum):
    """How the binary point of a tensor is found."""

    MINMAX = "minmax"  # the finest step with which nothing saturates
    PERCENTILE = "percentile"  # the same, but for the largest values beyond a percentile of the magnitudes
    MSE = "mse"  # the step with the least squared error, saturation included


@dataclass(frozen=True)
class LayerBits:
    """Widths of one layer that differ from those of the recipe; None leaves a width as it is.

    Raises:
        InputError: a width is no integer in 1…32.
    """

    weight_bits: int | None = None
    activation_bits: int | None = None

    def __post_init__(self) -> None:
        for item in fields(self):
            if getattr(self, item.name) is not None:
                bits(item.name, getattr(self, item.name))


@dataclass(frozen=True)
class QuantiseRecipe:
    """How to quantise; strings are accepted where a field is an enum.

    ``function_bits`` is the width of what the table of a function reads, such as that of a sigmoid. ``output_bits`` of
    None leaves the result as the exact sum of its layer. ``layers`` maps layer names, as ``capture`` gives them, to
    widths of their own. With ``exact_weights`` the weights of layers without such a width keep the values that they
    come with, on the coarsest grid that holds them. ``fine_tune`` of None quantises after training, without any more.
    ``compress`` makes weights cheaper while they are fine-tuned.
    ``percentile`` serves the calibration of that name, on the first ``calibration_samples`` of the training data.

    Raises:
        InputError: a field has the wrong type or is out of its range; the message names it.
    """

    weight_bits: int = 8
    activation_bits: int = 8
    input_bits: int = 8
    function_bits: int = 10
    output_bits: int | None = None
    calibration: Calibration = Calibration.MSE
    percentile: float = 99.9
    calibration_samples: int = 1024
    rounding: Rounding = Rounding.RND
    overflow: Overflow = Overflow.SAT
    layers: Mapping[str, LayerBits] = field(default_factory=dict)
    exact_weights: bool = False
    fine_tune: TrainSettings | None = None
    compress: Compression | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("weight_bits", "activation_bits", "input_bits"):
            bits(name, getattr(self, name))
        bits("function_bits", self.function_bits, most=MOST_TABLE_BITS)
        if self.output_bits is not None:
            bits("output_bits", self.output_bits)
        for name, kind in (("calibration", Calibration), ("rounding", Rounding), ("overflow", Overflow)):
            object.__setattr__(self, name, choice(name, getattr(self, name), kind))
        if self.overflow not in (Overflow.SAT, Overflow.SAT_SYM):
            msg = (
                f"overflow must be AP_SAT or AP_SAT_SYM, not {self.overflow.value}; a wrapped result has the wrong sign"
            )
            raise InputError(msg)
        number("percentile", self.percentile, low=50, high=100)
        integer("calibration_samples", self.calibration_samples, low=1)
        flag("exact_weights", self.exact_weights)
        _check_kinds("layers", dict(self.layers), LayerBits)
        if self.fine_tune is not None:
            _check_kinds("", {"fine_tune": self.fine_tune}, TrainSettings)
            self._check_training(self.fine_tune)
        if self.compress is not None:
            _check_kinds("", {"compress": self.compress}, Compression)
            if self.fine_tune is None:
                msg = "compress needs fine_tune: costs fall while the network is trained"
                raise InputError(msg)
        integer("seed", self.seed, low=0)

    def _check_training(self, settings: TrainSettings) -> None:
        if settings.amp:
            msg = "fine_tune.amp must be false: bfloat16 does not hold the numbers of the grids that are trained on"
            raise InputError(msg)
        if self.compress is not None and settings.validation:
            msg = "fine_tune.validation is not for compress: the best epoch by the metric is one before costs fell"
            raise InputError(msg)

    def weight_bits_of(self, layer: str) -> int:
        """Return the width of the weights of a layer."""
        return self.layers.get(layer, LayerBits()).weight_bits or self.weight_bits

    @classmethod
    def from_toml(cls, path: Path) -> QuantiseRecipe:
        """Return the recipe in a TOML file: the fields above; fine_tune, compress and layers.NAME are tables.

        Raises:
            InputError: the file cannot be read, is no TOML, or a field is unknown or unusable.
        """
        with tables_of(path) as tables:
            return cls.from_dict(tables)

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> QuantiseRecipe:
        """Return the recipe with these fields, each as TOML or JSON gives it.

        Raises:
            InputError: a field is unknown or unusable.
        """
        known_keys("the recipe", values, [item.name for item in fields(cls)])
        given = dict(values)
        if given.get("fine_tune") is not None:
            given["fine_tune"] = built(TrainSettings, "fine_tune", table("fine_tune", given["fine_tune"]))
        if given.get("compress") is not None:
            given["compress"] = built(Compression, "compress", table("compress", given["compress"]))
        if "layers" in given:
            given["layers"] = _layers("", table("layers", given["layers"]))
        return cls(**given)  # type: ignore[arg-type]  # __post_init__ checks each value

    def to_dict(self) -> dict[str, object]:
        """Return the fields as plain values for JSON; ``from_dict`` reads them back."""
        return plain(asdict(self))


def bits(name: str, value: object, *, most: int = MOST_BITS) -> int:
    """Return ``value`` as a width.

    Raises:
        InputError: it is no integer in 1…most.
    """
    width = integer(name, value, low=1)
    if width > most:
        msg = f"{name} must be at most {most}, not {width}"
        raise InputError(msg)
    return width


def _check_kinds(where: str, values: Mapping[str, object], kind: type) -> None:
    for name, value in values.items():
        if not isinstance(value, kind):
            msg = f"{where}{'.' if where else ''}{name} must be {kind.__name__}, not {value!r}"
            raise InputError(msg)


def _layers(prefix: str, values: Mapping[str, object]) -> dict[str, object]:
    """Return layer name → widths of nested tables: ``[layers.block.fc]`` needs no quotes in TOML."""
    found: dict[str, object] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        entry = table(f"layers.{name}", value)
        widths = {field_name: width for field_name, width in entry.items() if not isinstance(width, dict)}
        if widths or not entry:
            found[name] = built(LayerBits, f"layers.{name}", widths)
        found |= _layers(f"{name}.", {inner: item for inner, item in entry.items() if isinstance(item, dict)})
    return found
