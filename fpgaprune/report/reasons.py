"""Why a layer's cost did not fall with its non-zeros: a table of reasons, each read off the two designs.

Every reason is a function of a `Case` that returns a sentence with numbers, or None where it does not apply. Look-up
tables in sentences are shares of the estimate and say so, whatever kind of numbers is compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fpgaprune.report import wording

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fpgaprune.report.comparison import LayerPoint
    from fpgaprune.report.facts import LayerFacts

MUCH = 0.1
"""The share from which a rise, a loss or a number of spare slots is told."""

MOST = 0.5
"""The share of a layer's look-up tables from which a part of it bounds the layer."""


@dataclass(frozen=True)
class Case:
    """A layer of a denser and of a sparser design whose cost did not fall as it should; both have facts."""

    before: LayerPoint
    after: LayerPoint

    @property
    def was(self) -> LayerFacts:
        """The facts of the denser design."""
        assert self.before.facts is not None  # noqa: S101  # `found` sees to it
        return self.before.facts

    @property
    def now(self) -> LayerFacts:
        """The facts of the sparser design."""
        assert self.after.facts is not None  # noqa: S101  # `found` sees to it
        return self.after.facts

    @property
    def left(self) -> float:
        """The share of the non-zeros that pruning left."""
        return self.after.nonzeros_pruned / self.before.nonzeros_pruned

    def much(self, nonzeros: int) -> float:
        """Return the change of non-zeros that is told: so large a share of them, or half of what pruning took."""
        return min(MUCH * nonzeros, (self.before.nonzeros_pruned - self.after.nonzeros_pruned) / 2)


@dataclass(frozen=True)
class Found:
    """A reason by its name in `REASONS`, and what it says of this layer."""

    reason: str
    says: str


def came_back(case: Case) -> str | None:
    """Pruned weights that are not zero after quantisation."""
    after = case.after
    more = after.nonzeros_quantised - after.nonzeros_pruned
    if more <= case.much(after.nonzeros_pruned):
        return None
    return (
        f"{wording.count(more)} pruned weights came back in quantisation: {wording.count(after.nonzeros_pruned)} "
        f"non-zeros before it, {wording.count(after.nonzeros_quantised)} after"
    )


def zero_before(case: Case) -> str | None:
    """Weights that quantisation had made zero in the denser design, so that pruning them takes nothing away."""
    before = case.before
    lost = before.nonzeros_pruned - before.nonzeros_quantised
    if lost <= case.much(before.nonzeros_pruned):
        return None
    return (
        f"quantisation alone made {wording.count(lost)} of {wording.count(before.nonzeros_pruned)} non-zeros of the "
        f"denser design zero: as built they fell from {wording.count(before.nonzeros_built)} to "
        f"{wording.count(case.after.nonzeros_built)}"
    )


def spare_slots(case: Case) -> str | None:
    """Slots of folded lanes that have no non-zero to work on, more of them than before."""
    was, now = case.was.lanes, case.now.lanes
    if was is None or now is None:
        return None
    share = now.spare / now.places
    if share < MUCH or share <= was.spare / was.places:
        return None
    return (
        f"reuse padding: of {wording.plural(now.places, 'slot')} ({wording.plural(now.lanes, 'lane')}, "
        f"{wording.plural(now.slots, 'slot')} each) {wording.count(now.spare)} ({wording.percent(share)}) are spare"
    )


def mux_bound(case: Case) -> str | None:
    """Multiplexers and memories around lanes that make up most of the layer and stay."""
    was, now = case.was, case.now
    stays = now.choosing * now.interval > was.choosing * was.interval * (1 + case.left) / 2
    if not now.choosing or now.choosing < MOST * now.lut or not stays:
        return None
    return (
        f"mux-bound: multiplexers and memories around the lanes take {wording.count(now.choosing)} of "
        f"{wording.count(now.lut)} LUT (estimate), {wording.count(was.choosing)} before"
    )


def waits(case: Case) -> str | None:
    """Memories whose filling or adding up takes longer than the work on the non-zeros."""
    lanes = case.now.lanes
    if lanes is None or max(lanes.filling, lanes.adding) <= lanes.slots:
        return None
    what, cycles = max(
        ("filling the banks", lanes.filling), ("adding up the rows", lanes.adding), key=lambda one: one[1]
    )
    return (
        f"{what} takes {wording.plural(cycles, 'cycle')}, longer than the {wording.plural(lanes.slots, 'slot')} of the "
        f"non-zeros, so that the interval is {wording.plural(case.now.interval, 'cycle')}, "
        f"{wording.count(case.was.interval)} before"
    )


def bias_only(case: Case) -> str | None:
    """Rows that have no non-zeros left but still a place, a register and a finish."""
    was, now = case.was, case.now
    more = now.idle_rows - was.idle_rows
    if more <= 0 or now.idle_rows < MUCH * now.rows:
        return None
    return (
        f"bias-only neurons: {wording.count(now.idle_rows)} of {wording.plural(now.rows, 'row')} have no non-zeros "
        f"({wording.count(was.idle_rows)} before), and lanes with memories still add up and finish their bias and keep "
        f"{wording.plural(now.idle_bits, 'bit')} of it in registers"
    )


def more_digits(case: Case) -> str | None:
    """Weights with more signed digits, each of which is an adder or, from three digits on, makes a multiplier."""
    was, now = (facts.digits / facts.nonzeros if facts.nonzeros else 0.0 for facts in (case.was, case.now))
    if case.now.strategy == "folded" or not was or now <= was * (1 + MUCH):
        return None
    each = "each takes an adder" + (", and from three on a weight a multiplier" * (case.now.strategy == "multiply"))
    return (
        f"signed digits: the non-zeros that are left have {now:.2f} each, {was:.2f} before (in all "
        f"{wording.count(case.was.digits)} and {wording.count(case.now.digits)}); {each}"
    )


def wider_words(case: Case) -> str | None:
    """Inputs or weights that quantisation made wider in the sparser design."""
    pairs = (
        ("inputs", case.was.source_bits, case.now.source_bits),
        ("weights", case.was.weight_bits, case.now.weight_bits),
    )
    wider = [f"{what} from {was} to {now} bits" for what, was, now in pairs if now > was]
    return f"words grew wider: {wording.listed(wider)}" if wider else None


def less_shared(case: Case) -> str | None:
    """Adder graphs of sparser matrices in which rows have fewer terms in common."""
    was, now = case.was, case.now
    if now.strategy != "adders" or not was.digits or not now.digits:
        return None
    before, after = was.adder_bits / was.digits, now.adder_bits / now.digits
    if after <= before * (1 + MUCH):
        return None
    return (
        f"fewer shared sums: {before:.1f} adder bits a signed digit before, {after:.1f} now "
        f"(in all {wording.count(was.adder_bits)} and {wording.count(now.adder_bits)}, estimate)"
    )


def row_sums(case: Case) -> str | None:
    """Sums of lanes and of rows, of which a folded layer has some for each row, however few its non-zeros."""
    was, now = case.was, case.now
    if now.strategy != "folded" or not was.nonzeros or not now.nonzeros:
        return None
    before, after = (each.adder_bits * each.interval / each.nonzeros for each in (was, now))
    if after <= before * (1 + MUCH):
        return None
    return (
        f"row sums: lanes and rows add up {wording.count(now.adder_bits)} bits (estimate) for "
        f"{wording.plural(now.nonzeros, 'non-zero')}, {wording.count(was.adder_bits)} for "
        f"{wording.count(was.nonzeros)} "
        "before: a row has its sums however few its non-zeros"
    )


def fixed_costs(case: Case) -> str | None:
    """Rounding, limits and activation of rows, which do not depend on the number of non-zeros."""
    was, now = case.was, case.now
    if not now.finishing or now.finishing < MOST / 2 * now.lut:
        return None
    return (
        f"fixed costs: rounding, limits and activation of {wording.plural(now.rows, 'row')} take "
        f"{wording.count(now.finishing)} of {wording.count(now.lut)} LUT (estimate), {wording.count(was.finishing)} "
        "before"
    )


REASONS: Mapping[str, Callable[[Case], str | None]] = {
    "zeros-came-back": came_back,
    "zero-before-pruning": zero_before,
    "reuse-padding": spare_slots,
    "mux-bound": mux_bound,
    "memory-bound": waits,
    "bias-only": bias_only,
    "more-digits": more_digits,
    "wider-words": wider_words,
    "less-shared": less_shared,
    "row-sums": row_sums,
    "fixed-costs": fixed_costs,
}
"""Every reason by its name, in the order in which they are told."""


def found(before: LayerPoint, after: LayerPoint) -> tuple[Found, ...]:
    """Return every reason that applies; none where a design's facts are not known."""
    if before.facts is None or after.facts is None:
        return ()
    case = Case(before, after)
    said = ((name, reason(case)) for name, reason in REASONS.items())
    return tuple(Found(name, says) for name, says in said if says is not None)
