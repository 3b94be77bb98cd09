"""``python -m fpgaprune.resources.stock --json < layers.json``: designs as figures in, estimates out."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from fpgaprune.errors import FpgapruneError, InputError
from fpgaprune.resources.stock.estimate import estimate_stock
from fpgaprune.resources.stock.reading import LARGEST_TEXT, loads
from fpgaprune.resources.stock.values import AMOUNTS, StockDesign, StockEstimate

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Read standard input, write standard output, and return the exit code: 2 where the input cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m fpgaprune.resources.stock", description=__doc__)
    parser.add_argument("--json", action="store_true", help="write JSON, one object a design, instead of a table")
    chosen = parser.parse_args(arguments)
    try:
        designs = loads(_read())
        found = [to_data(design, estimate_stock(design)) for design in designs]
    except FpgapruneError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    sys.stdout.write(json.dumps(found, indent=1) + "\n" if chosen.json else "".join(map(_lines, found)))
    return 0


def _read() -> str:
    """Return standard input, but no more than `loads` takes."""
    octets = sys.stdin.buffer.read(LARGEST_TEXT + 1)
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        msg = f"the input is no UTF-8 text: {error}"
        raise InputError(msg) from error


def to_data(design: StockDesign, estimate: StockEstimate) -> dict[str, Any]:
    """Return an estimate as JSON values: each number is an estimate of what csynth reports, with its interval."""
    return {
        "kind": "csynth",
        "source": "estimate",
        "interval": 0.9,
        "name": design.name,
        **{name: asdict(getattr(estimate, name)) for name in AMOUNTS},
        "post_synthesis": {
            "kind": "post-synthesis",
            "source": "estimate",
            **{name: asdict(each) for name, each in estimate.post_synthesis.items()},
        },
        "assumed": list(estimate.assumed),
    }


def _lines(data: dict[str, Any]) -> str:
    head = f"{data['name'] or 'design'}: estimate of csynth, 90 % interval\n"
    rows = (
        f"  {name:16} {data[name]['value']:>10,}  [{data[name]['low']:,} … {data[name]['high']:,}]\n"
        for name in AMOUNTS
    )
    return head + "".join(rows)


if __name__ == "__main__":
    sys.exit(main())
