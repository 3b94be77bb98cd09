"""Carries figures of public hls4ml designs over into ``designs.json`` and ``layers.csv``: statistics and sources only.

    python calibration/stock/carry_over.py GROUNDTRUTH

GROUNDTRUTH holds ``designs.json`` (designs as figures) and ``wa-hls4ml-search`` (tables and weights of single layers).
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fpgaprune.digits import signed_digits

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent

KEPT = (
    "repo", "commit", "path", "tool", "part", "clock_ns", "io_type", "strategies", "input_t", "result_t", "types",
    "layers", "csynth", "vivado_synth",
)  # fmt: skip

LAYER_SOURCE = "Dendendelen/wa-hls4ml-search"

EXCLUDED = {
    ("ArgyKokk/hls4ml_MLP_estimator", ""): (
        ["lut", "dsp"],
        "not stock: every design comes once with all and once without any multiplier in DSP slices",
    ),
    ("CestMerNeil/FPGA_Accelerator4NN_Inference", "SNN/AlexNet_PYNQ"): (
        ["lut", "ff", "dsp", "bram_18k", "latency_cycles", "interval_cycles"],
        "its figures hold the last of several layers only",
    ),
    ("CestMerNeil/FPGA_Accelerator4NN_Inference", "LeNet"): (
        ["latency_cycles", "interval_cycles"],
        "not the network's: those of a loop around it that takes eight cycles to load a pixel",
    ),
    ("fastmachinelearning/hls4ml", ""): (
        ["lut", "ff", "dsp", "bram_18k", "latency_cycles", "interval_cycles"],
        "its sizes are names of constants only",
    ),
    ("filipemlins/nas-hls4ml", ""): (
        ["lut", "ff", "dsp", "bram_18k", "latency_cycles", "interval_cycles"],
        "convolutions of 2018, which ran loops over memory, and sizes that are names of constants",
    ),
}
"""Amounts that a design must not teach, by its repository and a part of its path, with the reason."""

PARTITIONS = {"hftsoi/sparse-pixels": 2, "calwilee/hls4ml-automated-testing": 9}
"""Partitions of parallel convolutions by repository, from ``firmware/parameters.h`` at the commit of each design."""

COLUMNS = (
    "n_in",
    "n_out",
    "bits",
    "reuse",
    "strategy",
    "digits",
    "lut",
    "ff",
    "dsp",
    "bram_18k",
    "latency",
    "interval",
)


def designs(folder: Path) -> list[dict[str, Any]]:
    """Return the whole designs, less what nothing reads."""
    found = []
    for each in json.loads((folder / "designs.json").read_text(encoding="utf-8")):
        kept = {name: each[name] for name in KEPT if each.get(name)}
        kept["types"] = {name: text for name, text in each["types"].items() if name.endswith("_t")}
        kept["layers"] = [_record(each, one) for one in each["layers"]]
        for (repo, part), (amounts, reason) in EXCLUDED.items():
            if each["repo"] == repo and part in each["path"]:
                kept["excluded"] = {"amounts": amounts, "reason": reason}
        found.append(kept)
    return found


def _record(design: dict[str, Any], layer: dict[str, Any]) -> dict[str, Any]:
    """Return what is known of a layer, with the partitions of a parallel convolution."""
    kept = {name: value for name, value in layer.items() if value is not None}
    partitions = PARTITIONS.get(design["repo"])
    if partitions and design["io_type"] == "io_parallel" and "conv" in layer["kind"]:
        kept["n_partitions"] = partitions
    return kept


def layers(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the single layers that were synthesised, with weights counted by their signed digits."""
    source = folder / "wa-hls4ml-search"
    for strategy in ("latency", "resource"):
        with (source / f"results_{strategy}.csv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if row["hls_synth_success"] == "True":
                    yield _layer(source, row)


def _layer(source: Path, row: dict[str, str]) -> dict[str, Any]:
    with np.load(source / "weights" / f"{row['model_name']}.npz") as file:
        counts = np.bincount(signed_digits(file["q"].astype(np.int64)).ravel())
    return {
        "n_in": row["d_in"],
        "n_out": row["d_out"],
        "bits": row["prec"],
        "reuse": row["rf"],
        "strategy": row["strategy"],
        "digits": " ".join(map(str, counts)),
        "lut": _whole(row["LUT_hls"]),
        "ff": _whole(row["FF_hls"]),
        "dsp": _whole(row["DSP_hls"]),
        "bram_18k": _whole(row["BRAM_18K_hls"]),
        "latency": _whole(row["WorstLatency_hls"]),
        "interval": _whole(row["IntervalMax_hls"]),
    }


def _whole(text: str) -> int:
    return int(float(text))


def main() -> int:
    """Write both files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("groundtruth", type=Path)
    folder = parser.parse_args().groundtruth
    rows = designs(folder)
    text = ",\n".join(json.dumps(each, separators=(",", ":")) for each in rows)
    (HERE / "designs.json").write_text(f"[\n{text}\n]\n", encoding="utf-8")
    with (HERE / "layers.csv").open("w", encoding="utf-8", newline="") as file:
        file.write(
            f"# {LAYER_SOURCE} (Apache-2.0), results_latency.csv and results_resource.csv: single dense layers, "
        )
        file.write("16-bit data, Vivado HLS 2020.1, xcu250, 5 ns, csynth; digits: weights with 0, 1, 2, ... of them\n")
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(layers(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
