"""Fits the coefficients of `estimate_stock` to ``designs.json`` and ``layers.csv`` and writes them into the package.

    python calibration/stock/fit.py

Terms have a physical meaning and an expected coefficient each; a fit moves coefficients away from what is expected only
as far as the logarithms of the reports ask for it. Intervals come from designs of repositories that a fit has not seen.
"""

from __future__ import annotations

import csv
import json
import math
import sys
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import least_squares

from fpgaprune.resources.stock import estimate, from_data
from fpgaprune.resources.stock.coefficients import BUILDINGS, FORMS, Coefficients, building, form
from fpgaprune.resources.stock.terms import FF_TERMS, LUT_TERMS, ff_terms, lut_terms
from fpgaprune.resources.stock.values import AMOUNTS, SYNTHESISED, StockDesign

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

HERE = Path(__file__).parent
PACKAGED = HERE.parents[1] / "fpgaprune" / "resources" / "stock" / "coefficients.json"

SOURCES = ("designs.json", "found.json")
"""Whole designs: those that were given first, and those that were found later."""

JUDGED = ("judged.json",)
"""Designs that no coefficient learns from."""

PRIOR = 0.2
"""Weight of an expected coefficient against one network's report, both as squares of logarithms.

Errors on unseen repositories fall from 0.05 to 0.4; more would rest on the modules that the expectations come from.
"""

LAYERS_WEIGHT = 4.0
"""Networks that all single layers together count as: they are many, but of one device, clock and tool."""

LEVEL = 0.9


@dataclass(frozen=True)
class Row:
    """One report: the design, what was reported, and how much it counts."""

    label: str
    repo: str
    network: str
    design: StockDesign
    truth: Mapping[str, float]
    synthesised: Mapping[str, float]
    excluded: frozenset[str]
    weight: float = 1.0
    source: str = ""
    data: Mapping[str, Any] | None = None


def rows(sources: Sequence[str] = SOURCES) -> list[Row]:
    """Return whole designs; those of one network count as one together."""
    texts = {name: json.loads((HERE / name).read_text(encoding="utf-8")) for name in sources}
    found = [replace(row(each), source=name) for name, designs in texts.items() for each in designs]
    sizes = Counter(each.network for each in found)
    return [replace(each, weight=1 / sizes[each.network]) for each in found]


def row(data: dict[str, Any]) -> Row:
    """Return the report of one design in the form of ``designs.json``."""
    shapes = ",".join(f"{layer['kind']}:{layer.get('n_weights', '')}" for layer in data["layers"])
    reported = data["csynth"]
    truth = {name: reported[name] for name in ("lut", "ff", "dsp", "bram_18k")}
    truth |= {name: reported[name][1] for name in ("latency_cycles", "interval_cycles")}
    after = data.get("vivado_synth", {})
    excluded = frozenset(data.get("excluded", {}).get("amounts", ()))
    given = {name: value for name, value in data.items() if name not in ("csynth", "vivado_synth", "excluded")}
    return Row(
        label=f"{data['repo']} {data['path']}",
        repo=data["repo"],
        network=f"{data['repo']} {shapes}",
        design=from_data(given),
        truth=truth,
        synthesised={name: after[name] for name in SYNTHESISED if name in after},
        excluded=excluded,
        data=given,
    )


def without_partitions(row: Row) -> Row:
    """Return a design as it is read where nobody states the partitions of its convolutions."""
    given = row.data or {}
    layers = [{name: each[name] for name in each if name != "n_partitions"} for each in given["layers"]]
    return replace(row, design=from_data({**given, "layers": layers}))


def layer_rows() -> list[Row]:
    """Return the single layers."""
    with (HERE / "layers.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(line for line in file if not line.startswith("#")))
    return [_layer_row(each, LAYERS_WEIGHT / len(table)) for each in table]


def _layer_row(row: dict[str, str], weight: float) -> Row:
    layer = {
        "name": "config2",
        "kind": "dense_config",
        "n_in": row["n_in"],
        "n_out": row["n_out"],
        "reuse_factor": row["reuse"],
        "strategy": row["strategy"],
        "weight_t": f"ap_fixed<{row['bits']},1>",
        "signed_digits": {str(digits): int(count) for digits, count in enumerate(row["digits"].split())},
    }
    design = {"part": "xcu250", "clock_ns": 5, "tool": "2020.1", "layers": [layer]}
    truth = {name: float(row[name]) for name in ("lut", "ff", "dsp", "bram_18k")}
    truth |= {f"{name}_cycles": float(row[name]) for name in ("latency", "interval")}
    label = f"{row['n_in']}x{row['n_out']} {row['bits']}b {row['strategy']} {row['reuse']}"
    repo = "Dendendelen/wa-hls4ml-search"
    return Row(label, repo, label, from_data(design), truth, {}, frozenset(), weight)


def fit(given: Sequence[Row]) -> Coefficients:
    """Return the coefficients that these reports ask for; intervals are left to `with_spread`."""
    known = Coefficients(
        lut=_fit(given, "lut", LUT_TERMS, [lut_terms(row.design) for row in given]),
        ff=_fit(given, "ff", FF_TERMS, [ff_terms(row.design) for row in given]),
        synthesised={},
        spread={},
        synthesised_spread={},
    )
    shares = {each: _shares([row for row in given if building(row.design) == each], known) for each in BUILDINGS}
    return replace(known, synthesised=shares)


def _fit(
    given: Sequence[Row], amount: str, expected: Mapping[str, float], terms: Sequence[Mapping[str, float]]
) -> dict[str, float]:
    kept = [place for place, row in enumerate(given) if amount not in row.excluded and row.truth[amount] > 0]
    matrix = np.array([[terms[place][name] for name in expected] for place in kept])
    truth = np.log([given[place].truth[amount] for place in kept])
    weight = np.sqrt([given[place].weight for place in kept])
    start = np.log(list(expected.values()))

    def distance(logarithms: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        off = weight * _softened(np.log(np.maximum(matrix @ np.exp(logarithms), 1.0)) - truth)
        return np.concatenate([off, math.sqrt(PRIOR) * (logarithms - start)])

    found = least_squares(distance, start).x
    return {name: float(f"{value:.4g}") for name, value in zip(expected, np.exp(found), strict=True)}


def _softened(off: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return residuals whose squares grow like their size where they are large: an odd design must not rule."""
    scale = 0.3
    grown: np.ndarray[Any, Any] = np.sign(off) * scale * np.sqrt(2 * (np.sqrt(1 + (off / scale) ** 2) - 1))
    return grown


def _shares(given: Iterable[Row], known: Coefficients) -> dict[str, float]:
    """Return what synthesis leaves of csynth's reports by the median network; of LUTs without certain multiplexers."""
    of = [(row, _without_multiplexers(row, known)) for row in given if row.synthesised]
    found = {}
    for name in SYNTHESISED:
        pairs = [
            (row.synthesised[name] / kept[name], row.weight)
            for row, kept in of
            if kept[name] > 0 and row.synthesised.get(name)
        ]
        found[name] = round(quantile([each for each, _ in pairs], [one for _, one in pairs], 0.5), 3) if pairs else 1.0
    return found


def _without_multiplexers(row: Row, known: Coefficients) -> dict[str, float]:
    """Return a report whose LUTs are estimated: no report tells the multiplexers apart."""
    told = estimate.synthesisable(row.design, estimate.csynth(row.design, known), known)
    return {**row.truth, "lut": told["lut"]}


def quantile(values: Sequence[float], weights: Sequence[float], level: float) -> float:
    """Return the weighted quantile of values."""
    order = np.argsort(values)
    share = np.cumsum(np.array(weights)[order]) / np.sum(weights)
    return float(np.array(values)[order][min(int(np.searchsorted(share, level)), len(order) - 1)])


@dataclass(frozen=True)
class Judged:
    """A design, told by coefficients that have not seen its repository."""

    row: Row
    told: Mapping[str, float]
    told_after: Mapping[str, float]

    def off(self, name: str) -> float:
        """Return the logarithm of estimate over truth, one added to both."""
        return math.log((self.told[name] + 1) / (self.row.truth[name] + 1))

    def off_after(self, name: str) -> float:
        """Return the same of synthesis."""
        return math.log((self.told_after[name] + 1) / (self.row.synthesised[name] + 1))


def crossvalidated(
    by: str = "repo", most: int | None = None, told_of: Callable[[Row], Row] = lambda row: row
) -> list[Judged]:
    """Return every design, told by fits that saw no design of its repository (or, by ``network``, of its network).

    ``most`` groups are left out, the others not judged; ``told_of`` makes what is judged of what is known of a design.
    """
    whole, single = rows(), layer_rows()
    found = []
    for group in sorted({getattr(row, by) for row in whole})[:most]:
        known = fit([row for row in whole if getattr(row, by) != group] + single)
        found += [judged(told_of(row), known) for row in whole if getattr(row, by) == group]
    return found


def judged(row: Row, known: Coefficients) -> Judged:
    """Return a design with what these coefficients tell of it."""
    told = estimate.csynth(row.design, known)
    return Judged(row, told, estimate.synthesised(row.design, told, known))


def spreads(of: Sequence[Judged]) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, float]]]:
    """Return half widths of intervals from designs that were not seen: by form, and by building for synthesis."""
    csynth = {each: {name: _spread(of, name, each) for name in AMOUNTS} for each in FORMS}
    after = {each: {name: _spread_after(of, name, each) for name in SYNTHESISED} for each in BUILDINGS}
    return csynth, after


def _spread(of: Sequence[Judged], name: str, one: str) -> float:
    kept = [each for each in of if name not in each.row.excluded]
    own = [(abs(each.off(name)), each.row.weight) for each in kept if form(each.row.design) == one]
    return _level(own, [(abs(each.off(name)), each.row.weight) for each in kept])


def _spread_after(of: Sequence[Judged], name: str, one: str) -> float:
    kept = [each for each in of if each.row.synthesised.get(name) is not None]
    own = [(abs(each.off_after(name)), each.row.weight) for each in kept if building(each.row.design) == one]
    return _level(own, [(abs(each.off_after(name)), each.row.weight) for each in kept])


def _level(own: Sequence[tuple[float, float]], everything: Sequence[tuple[float, float]]) -> float:
    """Return the level of the form's own residuals, half way to that of all of them, which are more."""
    all_of = _conformal(everything)
    return round(math.sqrt(max(_conformal(own), 0.02) * max(all_of, 0.02)) if own else all_of, 3)


def _conformal(pairs: Sequence[tuple[float, float]]) -> float:
    """Return the quantile that holds for one more network like these (Vovk 2005): of n, the ceil(0.9 (n + 1))-th."""
    if not pairs:
        return 0.0
    values, weights = zip(*pairs, strict=True)
    count = sum(weights)
    return quantile(values, weights, min(1.0, LEVEL * (count + 1) / count))


def with_spread(known: Coefficients, of: Sequence[Judged]) -> Coefficients:
    """Return coefficients with the intervals that these designs ask for."""
    csynth, after = spreads(of)
    return replace(known, spread=csynth, synthesised_spread=after)


def covered(of: Sequence[Judged], name: str) -> float:
    """Return the share of networks inside intervals that come from all other repositories."""
    inside = total = 0.0
    for group in {each.row.repo for each in of}:
        others = [each for each in of if each.row.repo != group]
        for each in of:
            if each.row.repo != group or name in each.row.excluded:
                continue
            inside += each.row.weight * (abs(each.off(name)) <= _spread(others, name, form(each.row.design)))
            total += each.row.weight
    return inside / total


def covered_after(of: Sequence[Judged], name: str) -> float:
    """Return the same of synthesis."""
    inside = total = 0.0
    for each in of:
        if each.row.synthesised.get(name) is None:
            continue
        others = [other for other in of if other.row.repo != each.row.repo]
        inside += each.row.weight * (
            abs(each.off_after(name)) <= _spread_after(others, name, building(each.row.design))
        )
        total += each.row.weight
    return inside / total


def error(each: Judged, name: str) -> float:
    """Return the relative error, of a truth of 0 as of 1."""
    return abs(each.told[name] - each.row.truth[name]) / max(1, each.row.truth[name])


def median_error(of: Sequence[Judged], name: str, *, all_of: bool = False) -> float:
    """Return the median over networks, without the designs that are left out or with ``all_of`` them."""
    kept = [each for each in of if all_of or name not in each.row.excluded]
    return quantile([error(each, name) for each in kept], [each.row.weight for each in kept], 0.5)


def median_error_after(of: Sequence[Judged], name: str) -> float:
    """Return the same of synthesis."""
    kept = [each for each in of if each.row.synthesised.get(name) is not None]
    off = [
        abs(each.told_after[name] - each.row.synthesised[name]) / max(1, each.row.synthesised[name]) for each in kept
    ]
    return quantile(off, [each.row.weight for each in kept], 0.5)


def main() -> int:
    """Write the coefficients."""
    known = with_spread(fit(rows() + layer_rows()), crossvalidated())
    PACKAGED.write_text(json.dumps(asdict(known), indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
