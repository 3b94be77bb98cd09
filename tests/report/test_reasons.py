"""Each reason is found in a net that shows it, with its numbers, and not in one that does not."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from fpgaprune.fixed import Fixed
from fpgaprune.report.reasons import REASONS, found
from fpgaprune.schedule import Access, Folded, multiply
from fpgaprune.schedule.adders import adders_planner
from tests.nets import folded
from tests.report.made import layer_of, nets


def dense(rows=12, columns=16, values=(3, -5, 6, 7), seed=0):
    return np.random.default_rng(seed).choice(values, (rows, columns))


def kept(weights, every):
    """Return the weights of which every so many are left, the same number in each row."""
    mask = (np.add.outer(np.arange(weights.shape[0]), np.arange(weights.shape[1])) % every) == 0
    return weights * mask


def one(weights, planner=multiply, **counts):
    """Return the layer of a net that is one matrix."""
    return layer_of(nets([weights]), planner=planner, **counts)


def lanes(count, access=Access.REGISTERS, banks=1):
    return lambda *_: Folded(count, access, banks)


def said(before, after, name):
    return next((reason.says for reason in found(before, after) if reason.reason == name), "")


FULL = dense()


def with_zero_rows(weights, rows):
    return weights * (np.arange(len(weights)) >= rows)[:, np.newaxis]


def came_back(pruned):
    return one(FULL), one(kept(FULL, 4), pruned=pruned)


def zero_before(pruned):
    return one(FULL, pruned=pruned, quantised=FULL.size), one(kept(FULL, 4))


def padding(slots):
    """48 weights on lanes of so many slots, after 192 on four full lanes."""
    return one(FULL, lanes(4)), one(kept(FULL, 4), lanes(48 // slots))


def memories(count, rows=8, columns=40, every=8):
    """Inputs of 24 bits, each of which is read before and after, on so many lanes with memories."""
    weights = dense(rows, columns, (1,))
    nets_of = (nets([each], activation=Fixed(False, 24, 24)) for each in (weights, kept(weights, every)))
    return tuple(layer_of(net, planner=lanes(count, Access.MEMORIES)) for net in nets_of)


def idle(rows, access=Access.MEMORIES):
    after = FULL * (np.arange(len(FULL)) >= rows)[:, np.newaxis]
    return tuple(one(each, lanes(4, access, 2 if access is Access.MEMORIES else 1)) for each in (FULL, after))


def digits(after, planner=multiply):
    return one(dense(values=(2, -4, 8)), planner), one(kept(dense(values=after), 2), planner)


def shared(after):
    """Rows that are multiples of one another, then others."""
    row = dense(1, 16, (3, 5, 7, 11, 13))
    return one(np.vstack([row, 2 * row, 4 * row, 8 * row]), adders_planner), one(after, adders_planner)


def words(bits, values=(3, -5, 6, 7)):
    wide = nets([kept(dense(values=values), 2)], activation=Fixed(False, bits, bits))
    return one(FULL), layer_of(wide)


def sums(planner):
    return one(FULL, planner), one(kept(FULL, 8), planner)


def limited(left):
    """Rows that saturate on one lane, of which so many weights are left."""
    first, last = dense(16, 8, (100, -90, 110, -127)), np.ones((1, 16), dtype=int)
    kept_of = (first, first * (np.arange(8) < left))
    return tuple(layer_of(nets([each, last], biases=[[0] * 16, [0]]), planner=lanes(1)) for each in kept_of)


SHOWN = {
    "zeros-came-back": (
        lambda: came_back(40),
        "8 pruned weights came back in quantisation: 40 non-zeros before it, 48",
    ),
    "zero-before-pruning": (lambda: zero_before(400), "208 of 400 non-zeros of the denser design zero"),
    "reuse-padding": (lambda: idle(5), "of 128 slots (4 lanes, 32 slots each) 16 (12.5 %) are spare"),
    "mux-bound": (lambda: memories(8), ""),
    "memory-bound": (
        lambda: memories(4),
        "filling the banks takes 40 cycles, longer than the 10 slots of the non-zeros",
    ),
    "bias-only": (lambda: idle(5), "5 of 12 rows have no non-zeros (0 before)"),
    "more-digits": (lambda: digits((43, 85)), "have 4.00 each, 1.00 before (in all 192 and 384)"),
    "wider-words": (lambda: words(12), "words grew wider: inputs from 8 to 12 bits"),
    "less-shared": (lambda: shared(dense(4, 16, (0, 0, 83, -37, 59))), "fewer shared sums: "),
    "row-sums": (lambda: sums(folded(4)), "add up 224 bits (estimate) for 24 non-zeros, 1,375 for 192 before"),
    "fixed-costs": (lambda: limited(4), "of 14 rows take "),
}
"""For each reason a denser and a sparser net that show it, and what is said of them."""

NOT_SHOWN = {
    "zeros-came-back": (lambda: came_back(48), lambda: came_back(45)),
    "zero-before-pruning": (lambda: zero_before(192), lambda: came_back(40)),
    "reuse-padding": (lambda: padding(12), lambda: padding(16), lambda: sums(multiply)),
    "mux-bound": (lambda: sums(lanes(4)), lambda: padding(12), lambda: sums(multiply)),
    "memory-bound": (lambda: memories(1, every=2), lambda: sums(lanes(4))),
    "bias-only": (lambda: idle(0), lambda: idle(1), lambda: idle(5, Access.REGISTERS)),
    "more-digits": (lambda: digits((2, -4, 8)), lambda: digits((43, 85), lanes(4))),
    "wider-words": (lambda: words(8), lambda: words(6)),
    "less-shared": (
        lambda: shared(np.outer([1, 2, 4, 8], dense(1, 16, (3, 5, 7, 11, 0)))),
        lambda: sums(multiply),
    ),
    "row-sums": (lambda: sums(lanes(4)), lambda: sums(multiply)),
    "fixed-costs": (lambda: limited(1), lambda: sums(multiply)),
}
"""For each reason nets that do not show it, among them those that nearly do."""


def test_every_reason_is_tested():
    assert list(SHOWN) == list(NOT_SHOWN) == list(REASONS)


@pytest.mark.parametrize("name", SHOWN)
def test_a_net_that_shows_a_reason(name):
    make, words_said = SHOWN[name]
    assert words_said in said(*make(), name)
    assert said(*make(), name)


@pytest.mark.parametrize("name", NOT_SHOWN)
def test_nets_that_do_not(name):
    for make in NOT_SHOWN[name]:
        assert said(*make(), name) == ""


def test_a_small_loss_is_told_where_pruning_took_little_more():
    before, after = one(FULL, pruned=200, quantised=192), one(FULL, pruned=190, quantised=190)
    assert "quantisation alone made 8 of 200 non-zeros" in said(before, after, "zero-before-pruning")
    assert said(before, one(FULL, pruned=100), "zero-before-pruning") == ""


def test_multipliers_are_told_of_where_there_are_some():
    assert "a multiplier" in said(*digits((43, 85)), "more-digits")
    assert "a multiplier" not in said(*digits((43, 85), adders_planner), "more-digits")


def test_look_up_tables_are_told_with_their_kind():
    for name in ("mux-bound", "fixed-costs"):
        assert re.search(r"take [\d,]+ of [\d,]+ LUT \(estimate\), [\d,]+ before", said(*SHOWN[name][0](), name))


def test_without_facts_nothing_is_found():
    before, after = came_back(40)
    assert found(before, replace(after, facts=None)) == found(replace(before, facts=None), after) == ()


def test_parts_of_a_folded_layer_are_parts_of_its_estimate():
    for make in (lambda: sums(lanes(4)), lambda: memories(4), lambda: limited(2)):
        for layer in make():
            assert 0 < layer.facts.choosing + layer.facts.finishing < layer.facts.lut == layer.resources.lut
