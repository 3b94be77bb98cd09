"""What stock hls4ml would cost: counts that follow from its templates, and estimates with intervals."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import pytest

from fpgaprune.errors import InputError
from fpgaprune.resources.stock import estimate_stock, from_data, loads
from fpgaprune.resources.stock.coefficients import BUILDINGS, FORMS, load
from fpgaprune.resources.stock.estimate import around
from fpgaprune.resources.stock.fields import Word
from fpgaprune.resources.stock.terms import FF_TERMS, LUT_TERMS
from fpgaprune.resources.stock.values import AMOUNTS, SYNTHESISED
from fpgaprune.resources.stock.weights import assumed_digits, distinct

CALIBRATION = Path(__file__).parents[2] / "calibration" / "stock"


def dense(n_in=16, n_out=8, **more):
    return {"name": "config2", "kind": "dense_config", "n_in": n_in, "n_out": n_out, "strategy": "latency", **more}


def design(*layers, **more):
    return {
        "part": "xcu250-figd2104-2L-e",
        "clock_ns": 5,
        "tool": "2020.1",
        "layers": list(layers or [dense()]),
        **more,
    }


def told(*layers, **more):
    return estimate_stock(from_data(design(*layers, **more)))


def reported(*names):
    """Return the designs that the calibration carries, each with what was reported."""
    texts = [(CALIBRATION / name).read_text(encoding="utf-8") for name in names or ("designs.json", "found.json")]
    return [(row, row["csynth"]) for text in texts for row in json.loads(text)]


def folded(part):
    """Return the designs with reuse whose path or repository has this part."""

    def reused(row):
        return any(int(layer.get("reuse_factor", 1)) > 1 for layer in row["layers"])

    found = [pair for pair in reported() if part in f"{pair[0]['repo']} {pair[0]['path']}" and reused(pair[0])]
    assert found
    return found


@pytest.mark.parametrize(
    "part",
    [
        "uplane-reuse16",
        "uplane-test",
        "uplane_reuse12",
        "quickdraw_gru_hls4ml_prj",
        "ftag_gru_hls4ml_prj",
        "toptagging_gru_hls4ml_prj",
        "baranyusuf",
    ],
)
def test_multipliers_under_reuse_follow_exactly_from_the_templates(part):
    for row, truth in folded(part):
        assert estimate_stock(from_data(row)).dsp.value == truth["dsp"]


def test_weights_in_block_ram_follow_from_the_templates():
    for row, truth in folded("quickdraw_gru_hls4ml_prj"):
        assert estimate_stock(from_data(row)).bram_18k.value == pytest.approx(truth["bram_18k"], rel=0.002)


def layer_of(row):
    digits = {str(number): int(count) for number, count in enumerate(row["digits"].split())}
    weights = {"signed_digits": digits, "weight_t": f"ap_fixed<{row['bits']},1>"}
    return dense(int(row["n_in"]), int(row["n_out"]), strategy=row["strategy"], reuse_factor=row["reuse"], **weights)


def test_single_layers_of_wa_hls4ml_search():
    lines = (CALIBRATION / "layers.csv").read_text(encoding="utf-8").splitlines()[1:]
    rows = list(csv.DictReader(lines))
    reused = [row for row in rows if row["strategy"] == "resource" and row["reuse"] != "1"]
    constant = [row for row in rows if row["reuse"] == "1" and int(row["dsp"]) > 500]
    assert len(rows) == 987
    for row in reused:
        assert told(layer_of(row)).latency_cycles.value - int(row["latency"]) in range(-2, 3)
    exact = [told(layer_of(row)).dsp.value == int(row["dsp"]) for row in reused]
    assert sum(exact) > 0.8 * len(exact)
    for row in constant:
        assert told(layer_of(row)).dsp.value == pytest.approx(int(row["dsp"]), rel=0.1)


def test_zeros_are_skipped_without_reuse_and_never_under_strategy_resource():
    full = {"3": 128}
    pruned = {"0": 100, "3": 28}
    one, other = (told(dense(signed_digits=digits, weight_t="ap_fixed<16,6>")) for digits in (full, pruned))
    assert other.dsp.value < one.dsp.value / 3
    assert other.lut.value < one.lut.value / 2
    one, other = (
        told(dense(signed_digits=digits, weight_t="ap_fixed<16,6>", strategy="resource", reuse_factor=8))
        for digits in (full, pruned)
    )
    assert one == other
    assert one.dsp.value == 16


def test_two_signed_digits_take_no_multiplier_and_narrow_products_none_either():
    assert told(dense(signed_digits={"2": 128}, weight_t="ap_fixed<16,6>")).dsp.value == 0
    assert told(dense(signed_digits={"3": 128}, weight_t="ap_fixed<8,2>"), input_t="ap_fixed<8,2>").dsp.value == 0


def test_factors_wider_than_a_slice_take_several():
    wide = dense(strategy="resource", reuse_factor=8, weight_t="ap_fixed<20,10>")
    assert told(wide, input_t="ap_fixed<20,10>").dsp.value == 2 * 16
    assert told(dense(strategy="resource", reuse_factor=8, weight_t="ap_fixed<18,8>")).dsp.value == 16


def test_reuse_of_strategy_latency_limits_multipliers_and_zeros_lower_the_limit():
    given = {"signed_digits": {"0": 64, "4": 64}, "weight_t": "ap_fixed<16,6>", "reuse_factor": 16}
    found = told(dense(**given))
    assert found.dsp.value == 128 // 16 - 64 // 16
    assert found.interval_cycles.value == 16


def test_a_tighter_clock_and_a_slower_family_take_more_cycles():
    fast, tight, slow = (
        told(clock_ns=clock, part=part) for clock, part in ((5, "xcu250"), (2, "xcu250"), (5, "xc7z020"))
    )
    assert fast.latency_cycles.value < tight.latency_cycles.value
    assert fast.latency_cycles.value <= slow.latency_cycles.value
    assert fast.ff.value < tight.ff.value


def test_sums_that_round_or_saturate_cost_more():
    plain, guarded = (
        told(types={"layer2_t": text}, result_t="ap_fixed<16,6>").lut.value
        for text in ("ap_fixed<16,6>", "ap_fixed<16,6,AP_RND,AP_SAT>")
    )
    assert guarded > 2 * plain


def test_streams_take_a_pixel_a_cycle():
    size = {"in_height": 64, "in_width": 64, "out_height": 62, "out_width": 62, "filt_height": 3, "filt_width": 3}
    conv = {"name": "config2", "kind": "conv2d_config", "n_chan": 1, "n_filt": 4, "reuse_factor": 1, **size}
    assert told(conv, io_type="io_stream").interval_cycles.value == 64 * 64
    folded = conv | {"strategy": "nnet::resource", "reuse_factor": 9}
    assert told(folded, io_type="io_stream").interval_cycles.value == 64 * 64 * (9 + 6)


def test_every_estimate_lies_in_its_interval_and_the_targets_are_apart():
    for row, _ in reported("designs.json", "found.json", "judged.json"):
        found = estimate_stock(from_data(row))
        for each in (*(getattr(found, name) for name in AMOUNTS), *found.post_synthesis.values()):
            assert 0 <= each.low <= each.value <= each.high
        assert set(found.post_synthesis) == set(SYNTHESISED)
        assert found.post_synthesis["lut"].value != found.lut.value


def test_intervals_hold_what_was_reported():
    inside = {name: [] for name in AMOUNTS}
    for row, truth in reported():
        found = estimate_stock(from_data(row))
        for name in AMOUNTS:
            value = truth[name][1] if isinstance(truth[name], list) else truth[name]
            if name not in row.get("excluded", {}).get("amounts", ()):
                inside[name].append(getattr(found, name).low <= value <= getattr(found, name).high)
    assert all(sum(each) >= 0.85 * len(each) for each in inside.values()), inside


def test_the_packaged_coefficients_fit_the_terms():
    known = load()
    assert list(known.lut) == list(LUT_TERMS)
    assert list(known.ff) == list(FF_TERMS)
    assert all(value > 0 and math.isfinite(value) for value in (*known.lut.values(), *known.ff.values()))
    assert set(known.spread) == set(FORMS)
    assert set(known.synthesised) == set(known.synthesised_spread) == set(BUILDINGS)


def test_ranges_are_symmetric_as_ratios():
    found = around(99.0, math.log(2))
    assert (found.low, found.value, found.high) == (49, 99, 199)
    assert around(0.0, 1.0).low == 0


def test_equal_products_of_one_input_are_shared():
    assert distinct({3: 10}, 10, 3) == pytest.approx(10, rel=0.01)
    assert distinct({3: 10_000}, 10, 3) < 1_000 * 10
    assert distinct({3: 10_000}, 10, 3) > distinct({3: 5_000}, 10, 3)
    assert distinct({1: 10}, 10, 3) == 0


@pytest.mark.parametrize("zeros", [0, 5, 128])
def test_assumed_weights_add_up(zeros):
    found = assumed_digits(16, 8, 1, zeros, Word(16, 10))
    assert sum(found.values()) == 128
    assert all(count >= 0 for count in found.values())
    assert found[0] == zeros or not zeros


def test_what_the_input_left_out_is_told():
    assert any("Glorot" in text for text in told().assumed)
    gru = {"name": "config2", "kind": "gru_config", "n_in": 4, "n_out": 8, "reuse_factor": 1}
    assert any("steps" in text for text in told(gru).assumed)
    assert not any("steps" in text for text in told(gru | {"n_sequence": 7}).assumed)


def test_one_design_or_a_list():
    assert loads(json.dumps(design())) == loads(json.dumps([design()]))
    with pytest.raises(InputError, match=r"design 1: .*'clock_ns'"):
        loads(json.dumps([design(), design(clock_ns=0)]))


def image(**more):
    size = {"in_height": 16, "in_width": 16, "out_height": 14, "out_width": 14, "filt_height": 3, "filt_width": 3}
    return {"name": "config2", "kind": "conv2d_config", "n_chan": 2, "n_filt": 4, "reuse_factor": 1, **size, **more}


def folded_dense(n_in, reuse, **more):
    return told(dense(n_in, 32, strategy="resource", reuse_factor=reuse, **more)).lut.value


def test_multipliers_that_read_at_places_of_their_own_need_multiplexers():
    assert folded_dense(64, 64) < folded_dense(64, 32) / 2
    alike = folded_dense(256, 32) - folded_dense(256, 256)
    longer = folded_dense(257, 32) - folded_dense(257, 257)
    assert longer < alike  # beyond 256 inputs they are shifted past the multipliers instead


def test_a_parallel_convolution_works_on_as_many_windows_as_partitions_leave():
    one, two, all_of = (told(image(n_partitions=number)) for number in (196, 98, 1))
    assert [each.interval_cycles.value for each in (one, two, all_of)] == [196, 98, 1]
    assert one.lut.value < two.lut.value < all_of.lut.value
    assert two.dsp.value == pytest.approx(2 * one.dsp.value, abs=1)
    assert told(image()) == one
    assert told(image(), io_type="io_stream") == told(image(n_partitions=1), io_type="io_stream")


def test_a_pointwise_convolution_of_a_sequence_is_unrolled():
    conv = {"name": "config2", "kind": "conv1d_config", "n_chan": 4, "n_filt": 4, "in_width": 10, "filt_width": 1}
    assert told(conv | {"out_width": 10, "reuse_factor": 2}).interval_cycles.value == 2


def test_a_depthwise_convolution_is_told_by_its_name_or_its_weights():
    full = told(image(n_chan=4)).lut.value
    names = image(n_chan=4, name="config2_depthwise")
    assert told(names).lut.value < full
    digits = {"signed_digits": {"3": 36}, "n_weights": 36}
    assert told(image(n_chan=4, **digits)).dsp.value == told(names | digits).dsp.value


def test_padding_waits_for_what_is_before_it_with_vivado_hls():
    pad = {"kind": "padding2d_config", "n_chan": 4, "in_height": 14, "in_width": 14, "out_height": 16, "out_width": 16}
    net = [image(), pad | {"name": "config3"}, image(n_chan=4, name="config4")]
    before, after = (told(*net, io_type="io_stream", tool=tool).latency_cycles.value for tool in ("2020.1", "2022.1"))
    assert after < 300 < 500 < before


def test_a_softmax_in_a_stream_shares_its_multipliers_as_the_matrix_before_it():
    ending = {"name": "config4", "kind": "softmax_config", "n_in": 10}
    matrix = dense(64, 10, strategy="resource", weight_t="ap_fixed<4,1>")
    one, many = (told(matrix | {"reuse_factor": reuse}, ending, io_type="io_stream") for reuse in (1, 64))
    assert many.dsp.value == 1 < one.dsp.value


def test_activations_that_round_and_saturate_cost_more():
    words = {"layer2_t": "ap_fixed<24,10>", "layer3_t": "ap_fixed<8,2>", "layer4_t": "ap_fixed<16,6>"}
    net = [dense(16, 64), dense(64, 2, name="config4")]
    plain, rounded = (told(*net, types=words | {"layer3_t": f"ap_fixed<8,2{end}>"}) for end in ("", ",AP_RND,AP_SAT,0"))
    assert plain.lut.value < rounded.lut.value


@pytest.mark.parametrize("strategy", ["latency", "resource"])
@pytest.mark.parametrize("stream", ["io_parallel", "io_stream"])
def test_more_weights_never_cost_fewer_and_more_reuse_never_more_multipliers(strategy, stream):
    def at(nonzeros, reuse):
        digits = {"0": 2048 - nonzeros, "3": nonzeros}
        layer = dense(64, 32, strategy=strategy, reuse_factor=reuse, signed_digits=digits, weight_t="ap_fixed<12,4>")
        return told(layer, io_type=stream)

    luts = [at(nonzeros, 1).lut.value for nonzeros in range(64, 2049, 124)]
    slices = [at(2048, reuse).dsp.value for reuse in (1, 2, 4, 8, 16, 32, 64)]
    assert luts == sorted(luts)
    assert slices == sorted(slices, reverse=True)
    wide = [
        told(dense(64, out, strategy=strategy, reuse_factor=8), io_type=stream).lut.value for out in (8, 16, 32, 64)
    ]
    assert wide == sorted(wide)


def test_designs_that_neither_rules_nor_coefficients_knew():
    off, inside = [], []
    for row, truth in reported("judged.json"):
        found = estimate_stock(from_data(row))
        off.append(abs(found.lut.value / truth["lut"] - 1))
        inside.append(found.lut.low <= truth["lut"] <= found.lut.high)
    assert sorted(off)[len(off) // 2] < 0.2
    assert all(inside)
