"""Fit the estimate of matrices to what open synthesis counted of our kernels, and say how far it is off.

    python calibration/own/fit.py

reads kernels.json beside this file and writes fpgaprune/resources/calibration.json and docs/estimate.svg. Errors and
90 % intervals come from kernels of networks that the coefficients did not see.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import matplotlib as mpl
import numpy as np
from scipy.optimize import least_squares

from fpgaprune.paths import write_text
from fpgaprune.resources.calibration import spread

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    Floats: TypeAlias = npt.NDArray[np.float64]
    Kernel: TypeAlias = Mapping[str, Any]

mpl.use("svg")
mpl.rcParams["svg.hashsalt"] = "fpgaprune"
from matplotlib import pyplot as plt  # noqa: E402  # after the choice of what it draws with

ROOT = Path(__file__).parent.parent.parent
CLASSES = ("multiply", "adders", "registers", "memories", "others")
FOLDS = 10
SMALL = 30.0
"""Counts below it do not count, or as much as it: a look-up table more or less is no error."""

LARGE = 0.2
"""A relative error beyond which the mapping did something that the estimate does not know."""

LEAST = 0.25
"""No amount counts for less, though ends of sums seem to cost nothing: mapping drops low bits of the sums with them."""


def features(kernels: Sequence[Kernel], name: str) -> Floats:
    """Return what the estimate counts of an amount (kernels, features)."""
    told = [kernel["estimate"] for kernel in kernels]
    if name == "lut":
        others = [each["lut"] - each["adders"] - each["choices"] for each in told]
        beside = [
            each["multipliers"] * (kernel["class"] == "multiply") for kernel, each in zip(kernels, told, strict=True)
        ]
        parts = [[each[part] for each in told] for part in ("adders", "choices")]
        return np.array([*parts, beside, others], dtype=float).T
    return np.array([[each["ff"]] for each in told], dtype=float)


def measured(kernels: Sequence[Kernel], name: str) -> Floats:
    """Return what open synthesis counted."""
    return np.array([kernel["measured"][name] for kernel in kernels], dtype=float)


def fitted(kernels: Sequence[Kernel], name: str) -> Floats:
    """Return the coefficients of an amount, none below `LEAST`, with the least relative errors.

    Errors beyond `LARGE` weigh little: some kernels of random networks have nothing to do at run time.
    """
    wanted, amounts = measured(kernels, name), features(kernels, name)
    large = wanted >= SMALL
    wanted, amounts = wanted[large], amounts[large]
    used = amounts.any(axis=0)
    found: Floats = np.ones(len(used))

    def errors(by: Floats) -> Floats:
        relative: Floats = (amounts[:, used] @ by - wanted) / wanted
        return relative

    found[used] = least_squares(errors, found[used], bounds=(LEAST, np.inf), loss="soft_l1", f_scale=LARGE).x
    return found


def unseen(kernels: Sequence[Kernel], name: str) -> Floats:
    """Return what is estimated of each kernel by coefficients that saw no kernel of its network."""
    networks = sorted({kernel["network"] for kernel in kernels})
    told = np.zeros(len(kernels))
    for fold in range(FOLDS):
        held = set(networks[fold::FOLDS])
        inside = np.array([kernel["network"] in held for kernel in kernels])
        others = [kernel for kernel, out in zip(kernels, inside, strict=True) if not out]
        told[inside] = (features(kernels, name) @ fitted(others, name))[inside]
    return told


def within(told: Floats, wanted: Floats) -> list[float]:
    """Return the shares of what is told between which 90 % of large counts lie, by what `spread` says of all counts."""
    large = wanted >= SMALL
    counts = np.maximum(told[large], 1)
    off = (wanted[large] / counts - 1) / np.array([spread(count) for count in counts])
    return [round(1 + float(end), 3) for end in np.quantile(off, [0.05, 0.95])]


def entry(kernels: Sequence[Kernel]) -> dict[str, Any]:
    """Return the coefficients and intervals of one class."""
    names = ("adders", "choices", "multipliers", "lut")
    by = dict(zip(names, fitted(kernels, "lut"), strict=True), ff=fitted(kernels, "ff")[0])
    ends = {f"{name}_within": within(unseen(kernels, name), measured(kernels, name)) for name in ("lut", "ff")}
    if not features(kernels, "lut")[:, names.index("multipliers")].any():
        by["multipliers"] = 0.0
    return {name: round(float(value), 4) for name, value in by.items()} | ends


def errors(kernels: Sequence[Kernel]) -> dict[str, float]:
    """Return the median relative error of kernels that were not seen, and the share with exactly as many DSP slices."""
    found = {}
    for name in ("lut", "ff"):
        wanted = measured(kernels, name)
        found[name] = float(np.median(np.abs(unseen(kernels, name) - wanted) / np.maximum(wanted, SMALL)))
    same = [kernel["estimate"]["dsp"] == kernel["measured"]["dsp"] for kernel in kernels]
    return found | {"dsp": float(np.mean(same))}


def plot(of: Mapping[str, Sequence[Kernel]]) -> None:
    """Draw what was estimated unseen over what was counted."""
    figure, places = plt.subplots(1, 2, figsize=(9, 4.2), layout="constrained")
    for place, name in zip(places, ("lut", "ff"), strict=True):
        for label, kernels in of.items():
            wanted, told = measured(kernels, name), unseen(kernels, name)
            place.loglog(np.maximum(wanted, 1), np.maximum(told, 1), ".", label=label, markersize=5, alpha=0.7)
        ends = np.array([10, 2e4])
        place.loglog(ends, ends, color="0.4", linewidth=0.8)
        place.set(xlabel=f"{name.upper()} counted by Yosys (open-synthesis)", ylabel=f"{name.upper()} (estimate)")
    places[0].legend(frameon=False)
    figure.savefig(ROOT / "docs" / "estimate.svg", metadata={"Date": None})


def main() -> None:
    """Fit, write, and print the errors."""
    kernels = json.loads((Path(__file__).parent / "kernels.json").read_text(encoding="utf-8"))
    of = {name: [kernel for kernel in kernels if kernel["class"] == name] for name in CLASSES}
    data = {"kind": "open-synthesis", "classes": {name: entry(each) for name, each in of.items()}}
    write_text(ROOT / "fpgaprune" / "resources" / "calibration.json", json.dumps(data, indent=1) + "\n")
    for name, each in of.items():
        told = errors(each)
        print(
            f"{name}, {len(each)} kernels: median error {told['lut']:.1%} LUT, {told['ff']:.1%} FF; "
            f"DSP exact in {told['dsp']:.0%}; {data['classes'][name]}"
        )
    plot(of)


if __name__ == "__main__":
    main()
