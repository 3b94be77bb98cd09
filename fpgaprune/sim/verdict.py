"""The outcome of comparing an executor with `evaluate`, integer by integer."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from fpgaprune.errors import InputError
from fpgaprune.paths import write_text
from fpgaprune.rows import html_table

if TYPE_CHECKING:
    from pathlib import Path

NAME = "csim.json"
"""Where the verdict of the last C-simulation is kept in a project's folder."""


@dataclass(frozen=True)
class Mismatch:
    """The first difference: the layer that it begins in, the element of that layer, the sample, both mantissas."""

    layer: str
    element: int
    sample: int
    got: int
    expected: int

    def __str__(self) -> str:
        """Return one line for a person."""
        return (
            f"sample {self.sample}: layer {self.layer!r} is the first to differ, "
            f"element {self.element} is {self.got}, expected {self.expected}"
        )


@dataclass(frozen=True)
class Verdict:
    """Whether a text computed what `evaluate` computes, on how many samples, and how long it took.

    ``text`` names what ran; ``edited`` lists files that differ from what was generated.
    """

    text: str
    samples: int
    words: int
    mismatches: int
    first: Mismatch | None
    edited: tuple[str, ...]
    build_s: float
    run_s: float

    @property
    def exact(self) -> bool:
        """Whether at least one word was compared and none differs."""
        return self.mismatches == 0 and self.words > 0

    def _repr_html_(self) -> str:
        """Return the verdict for a notebook."""
        rows = [
            ("text", self.text),
            ("samples", self.samples),
            ("words compared", self.words),
            ("mismatches", self.mismatches),
            ("first difference", str(self.first) if self.first else None),
            ("edited files", ", ".join(self.edited) or None),
            ("inferences a second", round(self.inferences_per_s)),
        ]
        return html_table(("C-simulation", "bit-exact" if self.exact else "NOT exact"), rows)

    def sentence(self) -> str:
        """Return the verdict in words."""
        compared = f"{self.samples} samples, {self.words} words of {self.text} compared with the definition"
        speed = f"built in {self.build_s:.1f} s, {self.inferences_per_s:,.0f} inferences/s"
        edited = f"\nedited since it was generated: {', '.join(self.edited)}" if self.edited else ""
        if self.exact:
            return f"bit-exact: {compared}; {speed}{edited}"
        return f"NOT exact: {compared}, {self.mismatches} differ; {speed}\n{self.first}{edited}"

    @property
    def inferences_per_s(self) -> float:
        """Samples computed per second, the start of the program and its files included."""
        return self.samples / self.run_s if self.run_s else 0.0


def to_data(verdict: Verdict) -> dict[str, Any]:
    """Return the verdict as JSON values."""
    return asdict(verdict) | {"exact": verdict.exact, "inferences_per_s": round(verdict.inferences_per_s, 1)}


def store_verdict(verdict: Verdict, folder: Path) -> None:
    """Keep a verdict in a project's folder."""
    write_text(folder / NAME, json.dumps(to_data(verdict), indent=1) + "\n")


def read_verdict(folder: Path) -> Verdict | None:
    """Return the verdict that the last C-simulation left in a project's folder, or None.

    Raises:
        InputError: the file is there but is no verdict.
    """
    path = folder / NAME
    if not path.is_file():
        return None
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        first = None if data["first"] is None else Mismatch(**data["first"])
        fields = {name: data[name] for name in ("text", "samples", "words", "mismatches", "build_s", "run_s")}
        return Verdict(first=first, edited=tuple(data["edited"]), **fields)
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"{path} is not a verdict: {error}; run `fpgaprune csim {folder}` again"
        raise InputError(msg) from error
