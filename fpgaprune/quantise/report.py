"""What quantisation did, in numbers."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from fpgaprune.digits import signed_digits
from fpgaprune.errors import InputError
from fpgaprune.explained import CostSaved, Explained, FixedPointReport, FoldReport, History, PruneReport
from fpgaprune.fixed import Fixed
from fpgaprune.prune.checks import known_keys, plain, table
from fpgaprune.quantise.calibrate import Choice
from fpgaprune.quantise.compression import Saved
from fpgaprune.quantise.layers import QuantisedAffine, QuantisedConv, QuantisedLinear
from fpgaprune.quantise.nested import every_layer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.capture.network import Network
    from fpgaprune.quantise.layers import QuantisedLayer

_WEIGHTED = (QuantisedLinear, QuantisedConv, QuantisedAffine)


@dataclass(frozen=True)
class LayerSparsity:
    """The weights of a layer, and how many are not zero before and after quantisation; rounding makes zeros too.

    ``digits_after`` are the signed digits of all its integers.
    """

    layer: str
    weights: int
    nonzeros_before: int
    nonzeros_after: int
    digits_after: int

    @property
    def before(self) -> float:
        """The share of zeros before."""
        return 1 - self.nonzeros_before / self.weights if self.weights else 0.0

    @property
    def after(self) -> float:
        """The share of zeros after."""
        return 1 - self.nonzeros_after / self.weights if self.weights else 0.0


@dataclass(frozen=True)
class QuantiseReport:
    """What folding, calibration, rounding and fine-tuning did; metrics are of the test data, better when higher.

    ``pruning`` is what was done before, None where nothing is known of it.
    """

    folds: tuple[FoldReport, ...] = ()
    choices: tuple[Choice, ...] = ()
    sparsity: tuple[LayerSparsity, ...] = ()
    history: History = field(default_factory=History)
    saved: Saved | None = None
    metric_before: float | None = None
    metric_after: float | None = None
    pruning: PruneReport | None = None

    @property
    def explained(self) -> Explained:
        """What was pruned and why, with what quantisation did to it."""
        saved = None if self.saved is None else CostSaved(self.saved.cost.value, self.saved.before, self.saved.after)
        digits = {layer.layer: layer.digits_after for layer in self.sparsity}
        return Explained(self.pruning, FixedPointReport(self.history, self.folds, digits, saved))

    def to_dict(self) -> dict[str, object]:
        """Return the report as plain values for JSON; ``from_dict`` reads them back."""
        return {
            "folds": [asdict(fold) for fold in self.folds],
            "choices": [{**asdict(choice), "format": str(choice.format)} for choice in self.choices],
            "sparsity": [asdict(layer) for layer in self.sparsity],
            "history": self.history.to_dict(),
            "saved": None if self.saved is None else plain(asdict(self.saved)),
            "metric_before": self.metric_before,
            "metric_after": self.metric_after,
            "pruning": None if self.pruning is None else self.pruning.to_dict(),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> QuantiseReport:
        """Return the report that ``to_dict`` made.

        Raises:
            InputError: a field is missing, unknown or unusable.
        """
        values = {"pruning": None} | dict(values)  # earlier versions did not say it
        _exact_keys("the report", values, cls)
        choices = [{**table("choices", item), "format": Fixed.parse(str(item["format"]))} for item in values["choices"]]
        return cls(
            tuple(_built(FoldReport, item) for item in values["folds"]),
            tuple(_built(Choice, item) for item in choices),
            tuple(_built(LayerSparsity, item) for item in values["sparsity"]),
            History.from_dict(values["history"]),
            None if values["saved"] is None else _built(Saved, table("saved", values["saved"])),
            values["metric_before"],
            values["metric_after"],
            None if values["pruning"] is None else PruneReport.from_dict(values["pruning"]),
        )


def sparsity_of(network: Network, layers: tuple[QuantisedLayer, ...]) -> tuple[LayerSparsity, ...]:
    """Return the sparsity of each layer that has weights of its own, in the real network and in the quantised layers.

    Weights that are part of an operation do not count; those inside of loops do.
    """
    found = []
    for layer in every_layer(layers):
        if isinstance(layer, _WEIGHTED) and layer.trainable:
            name = "scale" if isinstance(layer, QuantisedAffine) else "weight"
            real, whole = getattr(network.by_name[layer.name], name), getattr(layer, name)
            counts = int(np.count_nonzero(real)), int(np.count_nonzero(whole)), int(signed_digits(whole).sum())
            found.append(LayerSparsity(layer.name, whole.size, *counts))
    return tuple(found)


def _built(kind: type, values: Mapping[str, object]) -> Any:  # noqa: ANN401  # an instance of the kind
    _exact_keys(kind.__name__, values, kind)
    return kind(**values)


def _exact_keys(where: str, values: Mapping[str, object], kind: type) -> None:
    names = [item.name for item in fields(kind)]
    known_keys(where, values, names)
    if missing := [name for name in names if name not in values]:
        msg = f"{where} lacks {', '.join(missing)}"
        raise InputError(msg)
