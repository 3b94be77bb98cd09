"""What `estimate_stock` tells of public stock hls4ml designs of repositories that its coefficients have not seen."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common import claim, main

sys.path.insert(0, str(Path(__file__).parents[1] / "calibration" / "stock"))

import fit

from fpgaprune.resources.stock.coefficients import form, load
from fpgaprune.resources.stock.values import AMOUNTS, SYNTHESISED

if TYPE_CHECKING:
    from collections.abc import Sequence

QUICK_FOLDS = 2
WITHIN = {"lut": 0.20, "dsp": 0.10, "latency_cycles": 0.10}
"""Largest median relative errors of csynth."""


def whole(quick: bool) -> dict[str, Any]:
    """Leave out one repository after the other, and one network after the other."""
    of = fit.crossvalidated("repo", most=QUICK_FOLDS if quick else None)
    results: dict[str, Any] = {"by_repository": summary(of), "designs": [_told(each) for each in of]}
    results["never_fitted"] = never_fitted()
    if not quick:
        for source in fit.SOURCES:
            results[f"by_repository_of_{source.removesuffix('.json')}"] = summary(
                [each for each in of if each.row.source == source]
            )
        unstated = fit.crossvalidated("repo", told_of=fit.without_partitions)
        results["by_repository_without_partitions"] = summary(unstated)
        results["by_network"] = summary(fit.crossvalidated("network"))
    told = results["by_repository"]["csynth"]
    return {
        "settings": {"level": fit.LEVEL, "prior": fit.PRIOR, "layers_weight": fit.LAYERS_WEIGHT},
        "results": results,
        "claims": [
            *(
                claim(f"median relative error of csynth {name}", told[name]["median_error"], at_most=limit)
                for name, limit in WITHIN.items()
            ),
            *(
                claim(f"networks inside the 90 % interval of csynth {name}", told[name]["covered"], at_least=0.85)
                for name in AMOUNTS
            ),
        ],
    }


def summary(of: Sequence[fit.Judged]) -> dict[str, Any]:
    """Return medians over networks and the share inside intervals that come from the other repositories."""
    csynth = {
        name: {
            "median_error": round(fit.median_error(of, name), 4),
            "median_error_of_all": round(fit.median_error(of, name, all_of=True), 4),
            "covered": round(fit.covered(of, name), 3),
        }
        for name in AMOUNTS
    }
    after = {
        name: {
            "median_error": round(fit.median_error_after(of, name), 4),
            "covered": round(fit.covered_after(of, name), 3),
        }
        for name in SYNTHESISED
        if any(each.row.synthesised for each in of)
    }
    networks = len({each.row.network for each in of})
    return {"designs": len(of), "networks": networks, "csynth": csynth, "post-synthesis": after}


def never_fitted() -> dict[str, Any]:
    """Return what the packaged coefficients tell of designs that taught none of them."""
    known = load()
    of = [fit.judged(row, known) for row in fit.rows(fit.JUDGED)]
    inside = {
        name: [abs(each.off(name)) <= known.spread[form(each.row.design)][name] for each in of] for name in AMOUNTS
    }
    return {
        "csynth": {
            name: {"median_error": round(fit.median_error(of, name), 4), "inside": f"{sum(held)} of {len(held)}"}
            for name, held in inside.items()
        },
        "designs": [_told(each) for each in of],
    }


def _told(each: fit.Judged) -> dict[str, Any]:
    return {
        "design": each.row.label,
        "form": form(each.row.design),
        "left_out_of": sorted(each.row.excluded),
        "csynth": {name: {"truth": each.row.truth[name], "told": round(each.told[name], 1)} for name in AMOUNTS},
        "post-synthesis": {
            name: {"truth": truth, "told": round(each.told_after[name], 1)}
            for name, truth in each.row.synthesised.items()
        },
    }


if __name__ == "__main__":
    sys.exit(main("stock_estimate", whole))
