"""Numbers, names and kinds as words: the same on the terminal, in Markdown, in pictures and on the page."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from fpgaprune.resources import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fpgaprune.report.comparison import Comparison
    from fpgaprune.sim import Verdict

AMOUNT_NAMES: Mapping[str, str] = {"lut": "LUT", "ff": "FF", "dsp": "DSP", "bram_18k": "BRAM_18K", "uram": "URAM"}
"""The names of the resources as the vendor's reports write them."""

KIND_MEANS: Mapping[Kind, str] = {
    Kind.ESTIMATE: (
        "computed from the generated kernels in milliseconds, for matrices calibrated on open synthesis of our own "
        "kernels; delays are rounded from data sheets. Use it to compare designs of this generator with each other, "
        "not as a prediction of what the vendor's tool will report"
    ),
    Kind.OPEN_SYNTHESIS: "counted by Yosys (synth_xilinx) on the same kernels, before place and route",
    Kind.CSYNTH: "read from the report of the vendor's high-level synthesis, which is a forecast as well",
    Kind.POST_SYNTHESIS: "read from the vendor's report after logic synthesis, before place and route",
    Kind.POST_ROUTE: "read from the vendor's report after place and route",
}
"""What each kind of number is, to follow 'LUT, FF, … are'."""

KIND_NOTE: Mapping[Kind, str] = {
    Kind.ESTIMATE: "estimate, calibrated on open synthesis",
    Kind.OPEN_SYNTHESIS: "open-synthesis, before place and route",
    Kind.CSYNTH: "csynth, the vendor's forecast",
    Kind.POST_SYNTHESIS: "post-synthesis, before place and route",
    Kind.POST_ROUTE: "post-route",
}
"""Each kind with its caveat, in a few words."""

NOTHING = "-"
"""What stands where there is no number."""

REST = "everything else"
"""What takes resources and is no matrix: windows, buffers, activations, products of two inputs, FIFOs."""


def count(value: int) -> str:
    """Return a whole number with commas between thousands."""
    return f"{value:,}"


def fall(pair: tuple[int, int]) -> str:
    """Return two whole numbers as '12 to 7'."""
    return f"{count(pair[0])} to {count(pair[1])}"


def percent(share: float, digits: int = 1) -> str:
    """Return a share of 1 in per cent, without digits after the point from 1,000 % on; infinity is a share of none."""
    if math.isinf(share):
        return "none there"
    return f"{100 * share:,.{digits if share < 10 else 0}f} %"


def times(ratio: float | None, sign: str = "x") -> str:
    """Return a ratio with two digits that matter, and `NOTHING` for none."""
    if ratio is None:
        return NOTHING
    digits = 1 if ratio >= 10 else 3 if 0 < ratio < 0.095 else 2
    return f"{ratio:,.{digits}f}{sign}"


def nanoseconds(value: float) -> str:
    """Return a time in ns without digits that say nothing."""
    return f"{value:,.1f}".removesuffix(".0")


def picojoules(value: float) -> str:
    """Return an energy in pJ."""
    return f"{value:,.1f}"


def plural(number: int, noun: str) -> str:
    """Return a number with its noun, which takes an s unless there is one."""
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"


def listed(words: list[str]) -> str:
    """Return words as 'a', 'a and b' or 'a, b and c'."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def plain(name: str) -> str:
    """Return a foreign name on one line: what cannot be printed is written as its escape."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in name)


def short(name: str, longest: int) -> str:
    """Return a foreign name on one line, its middle left out if it is too long."""
    text = plain(name)
    half = (longest - 3) // 2
    return text if len(text) <= longest else f"{text[:half]}...{text[-half:]}"


def layer(name: str, kind: str = "") -> str:
    """Return how a layer is called: a name that a container numbered, such as 0 or body.2, says too little alone."""
    text = plain(name)
    *_, last = text.split(".")
    if not last.isdigit():
        return text
    called = f"layer {text}" if text.isdigit() else text
    return f"{called} ({plain(kind)})" if kind else called


def against(comparison: Comparison) -> str:
    """Return what the first design is called where others are measured against it."""
    return "dense" if comparison.dense.is_dense else "first"


def asked(threshold: float) -> str:
    """Return what a threshold asks of a layer's cost."""
    if not threshold:
        return "a layer's cost for a vector must not rise as its non-zeros fall"
    share = f"at least {percent(threshold, 0)}" if threshold < 1 else "all"
    return f"of the fall of a layer's non-zeros its cost for a vector must show {share}"


def also_measured(kinds: Sequence[Kind]) -> str:
    """Return that all designs have numbers of other kinds, and how to see them; nothing if they have none."""
    if not kinds:
        return ""
    names = listed([kind.value for kind in kinds])
    options = listed([f"--kind {kind.value}" for kind in kinds])
    return f"All of these designs have {names} numbers as well: compare with {options}."


def edited(files: Sequence[str]) -> str:
    """Return which files are not as they were generated."""
    return f"edited since it was generated: {', '.join(map(plain, files))}"


def judged(verdict: Verdict | None) -> str:
    """Return in a word or two what C-simulation found."""
    if verdict is None:
        return "not run"
    if verdict.exact:
        return "exact"
    if not verdict.words:
        return "nothing compared"
    return f"{count(verdict.mismatches)} mismatch{'' if verdict.mismatches == 1 else 'es'}"


def pays(comparison: Comparison) -> str:
    """Return the answer to 'does pruning pay?' in a line."""
    findings = comparison.findings()
    if findings:
        return f"pruning does not pay in {listed(_called([finding.layer for finding in findings]))}"
    if len(comparison.points) == 1:
        return "one design alone does not tell; compare it with a denser or a sparser one"
    if not comparison.compared:
        return "these designs do not tell; compare levels of sparsity that are built by one strategy"
    if comparison.not_compared:
        others = listed(_called(comparison.not_compared))
        if set(comparison.not_compared) <= set(comparison.uncounted):
            return f"pruning pays in every layer but {others}, which the tool did not count apart"
        return f"pruning pays in every layer but {others}, which no two of these designs build by one strategy"
    return "pruning pays in every layer"


def _called(names: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(layer(name) for name in names))
