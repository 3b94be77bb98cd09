"""Designs as figures are read leniently where something is missing, and refused by name where it is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpgaprune.board import Family
from fpgaprune.errors import InputError
from fpgaprune.resources.stock import from_data, loads
from fpgaprune.resources.stock.fields import family, word, year
from fpgaprune.resources.stock.kinds import KINDS, role
from fpgaprune.resources.stock.reading import LARGEST_TEXT
from fpgaprune.resources.stock.values import Role, Strategy

PLAIN = {"part": "xcu250", "clock_ns": 5, "layers": [{"kind": "dense_config", "n_in": 3, "n_out": 4}]}


def with_layer(**fields):
    return PLAIN | {"layers": [{"name": "config2", "kind": "dense_config"} | fields]}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "between 1 and"),
        (3, "must be a JSON object"),
        ({"part": "xcu250"}, "'clock_ns', 'layers'"),
        (PLAIN | {"clock_ns": -5}, "'clock_ns'"),
        (PLAIN | {"clock_ns": "fast"}, "'clock_ns'"),
        (PLAIN | {"part": "ep4ce22"}, "'part'"),
        (PLAIN | {"io_type": "wires"}, "'io_type'"),
        (PLAIN | {"layers": []}, "'layers'"),
        (PLAIN | {"layers": {"a": 1}}, "'layers'"),
        (PLAIN | {"layers": [{"name": "x"}]}, "'kind'"),
        (PLAIN | {"types": ["ap_fixed<16,6>"]}, "'types'"),
        (with_layer(kind="warp_config"), "config2: unknown layer kind 'warp_config'"),
        (with_layer(kind="gru_cofnig", n_in=3), "did you mean 'gru_config'"),
        (with_layer(n_in=-3, n_out=4), "config2: 'n_in'"),
        (with_layer(n_in=0, n_out=4), "config2: 'n_in'"),
        (with_layer(n_in=1.5, n_out=4), "config2: 'n_in'"),
        (with_layer(n_in=True, n_out=4), "config2: 'n_in'"),
        (with_layer(n_in=10**10, n_out=4), "config2: 'n_in'"),
        (with_layer(n_in="9" * 40, n_out=4), "config2: 'n_in'"),
        (with_layer(n_in=3), "config2: needs 'n_out'"),
        (with_layer(n_out=3), "config2: needs 'n_in'"),
        (with_layer(n_in=3, n_out=4, reuse_factor=0), "'reuse_factor'"),
        (with_layer(n_in=3, n_out=4, signed_digits=[12]), "'signed_digits'"),
        (with_layer(n_in=3, n_out=4, signed_digits={"x": 12}), "'signed_digits'"),
        (with_layer(n_in=3, n_out=4, signed_digits={"1": -12}), "config2.signed_digits: '1'"),
        (with_layer(n_in=3, n_out=4, weight_t="ap_fixed<9999,6>"), "bits"),
        (with_layer(kind="conv2d_config"), "config2: needs 'n_chan'"),
        (with_layer(kind="lstm_config"), "config2: needs 'n_out'"),
    ],
)
def test_bad_input_is_refused_by_name(data, message):
    with pytest.raises(InputError) as caught:
        loads(json.dumps(data))
    assert message in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", '{"part": NaN}', "[1e999]", "[" * 100_000, " " * (LARGEST_TEXT + 1)])
def test_what_is_no_json_is_refused(text):
    with pytest.raises(InputError):
        loads(text)


def run(text, *options):
    command = [sys.executable, "-m", "fpgaprune.resources.stock", *options]
    return subprocess.run(command, input=text, capture_output=True, check=False)


def test_the_command_prints_labelled_estimates():
    done = run(json.dumps(PLAIN).encode(), "--json")
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)
    assert (found["kind"], found["source"]) == ("csynth", "estimate")
    assert found["post_synthesis"]["kind"] == "post-synthesis"
    assert set(found["lut"]) == {"value", "low", "high"}
    assert b"estimate of csynth" in run(json.dumps(PLAIN).encode()).stdout


@pytest.mark.parametrize("text", [b"no json", b"\xff\xfe", b'{"part": "xcu250"}', b""])
def test_the_command_exits_with_2_and_no_traceback(text):
    done = run(text, "--json")
    assert done.returncode == 2
    assert done.stdout == b""
    assert done.stderr.startswith(b"error: ")
    assert b"Traceback" not in done.stderr


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
NAMES = ("name", "n_in", "n_out", "n_chan", "n_filt", "n_weights", "n_zeros", "reuse_factor", "strategy", "weight_t",
         "signed_digits", "in_width", "in_height", "out_width", "filt_width", "stride_width")  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from([f"{name}_config" for name in KINDS]),
    fields=st.dictionaries(st.sampled_from(NAMES), JSON | st.integers(0, 40), max_size=8),
    more=st.dictionaries(st.sampled_from(("types", "input_t", "tool", "strategies", "io_type")), JSON, max_size=3),
)
def test_any_design_is_read_or_refused(kind, fields, more):
    from fpgaprune.resources.stock import estimate_stock

    try:
        design = from_data(PLAIN | more | {"layers": [{**fields, "kind": kind}]})
    except InputError:
        return
    assert estimate_stock(design).lut.value >= 0


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("xc7z020-clg400-1", Family.XC7),
        ("xc7vx690t-ffg1761-2", Family.XC7),
        ("xcku115-flvb2104-2-i", Family.XCU),
        ("xcku15p-ffve1517-1-i", Family.XCUP),
        ("xcvu13p-flga2577-2-e", Family.XCUP),
        ("xczu7ev-ffvc1156-2-e", Family.XCUP),
        ("xcu250-figd2104-2L-e", Family.XCUP),
        ("xck26-sfvc784-2LV-c", Family.XCUP),
    ],
)
def test_families_by_part(part, expected):
    assert family(part) is expected


def test_words_of_types():
    found = word("nnet::array<ap_ufixed<8,0,AP_RND_CONV,AP_SAT>, 6*1>")
    assert (found.bits, found.fraction, found.guarded) == (8, 8, True)
    assert word("ap_int<16>").fraction == 0
    assert word("ap_fixed<16, 6>").guarded is False
    assert word("layer2_t") is None
    assert word(None) is None
    assert (year("2019.2.1", 2023), year(None, 2023)) == (2019.2, 2023)


def test_names_of_constants_are_worked_out():
    """A convolution whose sizes are constants of a header: the stride follows from what the next layer reads."""
    layers = [
        {"name": "config2_mult", "kind": "dense_config", "n_in": "3", "n_out": "16", "reuse_factor": "12"},
        {"name": "config2", "kind": "conv1d_config", "in_width": "200", "n_chan": "N_INPUT_2_1", "n_filt": "N_FILT_2",
         "filt_width": "3", "out_width": "N_OUTPUTS_2", "reuse_factor": "12", "strategy": "nnet::resource"},
        {"name": "config4", "kind": "pooling1d_config", "n_in": "N_OUTPUTS_2", "n_filt": "N_FILT_4", "filt_width": "2"},
        {"name": "config5_mult", "kind": "dense_config", "n_in": "80", "n_out": "32"},
        {"name": "config5", "kind": "conv1d_config", "in_width": "49", "n_chan": "N_FILT_4", "filt_width": "5"},
    ]  # fmt: skip
    first, pool, second = from_data(PLAIN | {"layers": layers}).layers
    assert (first.channels, first.filters, first.out_positions) == (1, 16, 99)
    assert first.matrices[0].strategy is Strategy.RESOURCE
    assert (pool.channels, pool.out_positions) == (16, 49)
    assert (second.channels, second.filters, second.matrices[0].inputs) == (16, 32, 80)


def test_recurrent_layers_take_units_from_their_weights_and_steps_from_their_reader():
    layers = [
        {"name": "config2_1", "kind": "dense_config", "n_in": "N_INPUT", "n_out": "N_OUT_2 * 3", "reuse_factor": "30"},
        {"name": "config2_2", "kind": "dense_config", "n_in": "N_OUT_2", "n_out": "N_OUT_2 * 3", "reuse_factor": "30"},
        {"name": "config2", "kind": "gru_config", "n_in": "N_INPUT", "n_out": "N_OUT_2", "n_weights": 360},
        {"name": "config3", "kind": "dense_config", "n_in": "20", "n_out": "64"},
    ]
    gru, _ = from_data(PLAIN | {"layers": layers}).layers
    assert (gru.channels, gru.filters) == (6, 20)
    assert [(each.inputs, each.outputs, each.reuse) for each in gru.matrices] == [(6, 60, 30), (20, 60, 30)]
    layers[3] |= {"n_in": "2000", "n_out": "64"}
    layers[2] |= {"n_in": 6, "n_out": 20}
    assert from_data(PLAIN | {"layers": layers}).layers[0].steps == 100


def test_a_result_of_its_own_after_the_last_matrix_is_an_activation():
    layers = [{"name": "config2", "kind": "dense_config", "n_in": 3, "n_out": 4}]
    types = {"layer2_t": "ap_fixed<16,6>"}
    assert [each.role for each in from_data(PLAIN | {"layers": layers}).layers] == [Role.DENSE]
    ended = from_data(PLAIN | {"layers": layers, "types": types}).layers
    assert [each.role for each in ended] == [Role.DENSE, Role.SOFTMAX]
    layers[0]["n_out"] = 1
    ended = from_data(PLAIN | {"layers": layers, "types": types}).layers
    assert [each.role for each in ended] == [Role.DENSE, Role.ELEMENTS]


def test_kinds_carry_numbers_and_namespaces():
    assert role("nnet::dense_config", "x") is Role.DENSE
    assert role("softmax_config13", "x") is Role.SOFTMAX


def test_the_command_needs_neither_torch_nor_hls4ml():
    code = "import sys, fpgaprune.resources.stock.__main__; print({'torch', 'hls4ml'} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "set()"


@pytest.mark.parametrize("left_out", ["types", "strategies", "result_t", "input_t", "tool", "io_type"])
def test_designs_of_the_calibration_without_a_field_that_has_a_default(left_out):
    rows = json.loads((Path(__file__).parents[2] / "calibration/stock/designs.json").read_text(encoding="utf-8"))
    given = [{name: value for name, value in row.items() if name != left_out} | {"more": None} for row in rows]
    assert len(loads(json.dumps(given))) == len(rows)
