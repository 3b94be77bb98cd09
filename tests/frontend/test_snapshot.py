"""Snapshots of ModelGraphs, ours and those that others might build."""

from __future__ import annotations

import numpy as np
import pytest
from hls4ml.model.graph import ModelGraph

from fpgaprune.errors import UnsupportedError
from fpgaprune.evaluate import evaluate
from fpgaprune.fixed import Fixed
from fpgaprune.frontend import snapshot
from fpgaprune.frontend.quiet import quiet
from fpgaprune.intervals import verify
from fpgaprune.ir import Add, Input, MatVec, Requantise, Reshape

RESULT = "ap_fixed<8,4,AP_RND,AP_SAT>"


def built(*layers, precision=None, size=3, io_type="io_parallel", strategy="Latency"):
    """Let hls4ml build a ModelGraph of an input (size,) or (*size,) and the layers, each reading the one before."""
    shape = list(size) if isinstance(size, tuple) else [size]
    first = {"class_name": "InputLayer", "name": "x", "input_shape": shape}
    names = ["x", *(layer["name"] for layer in layers)]
    types = {name: {"Precision": {"result": RESULT} | (precision or {}).get(name, {})} for name in names}
    config = {
        "Backend": "Vitis",
        "ProjectName": "p",
        "OutputDir": "p",
        "IOType": io_type,
        "HLSConfig": {
            "Model": {"Precision": "ap_fixed<16,6>", "ReuseFactor": 1, "Strategy": strategy},
            "LayerName": types,
        },
    }
    with quiet():
        return ModelGraph.from_layer_list(config, [first, *map(dict, layers)], ["x"], [names[-1]])


def dense(name, weight, bias, **more):
    weight = np.asarray(weight, dtype=np.float64)
    data = {"weight_data": weight, "bias_data": np.asarray(bias, dtype=np.float64)}
    return {"class_name": "Dense", "name": name, "n_in": len(weight), "n_out": weight.shape[1], **data, **more}


def activation(name, kind, **more):
    return {"class_name": "Activation", "name": name, "activation": kind, **more}


def affine(name, scale, bias, kind="BatchNormalization"):
    data = {"scale_data": np.asarray(scale, dtype=np.float64), "bias_data": np.asarray(bias, dtype=np.float64)}
    return {"class_name": kind, "name": name, "n_in": len(scale), "n_filt": -1, **data}


def kinds(graph):
    return [(type(op).__name__, op.output.name) for op in graph.ops]


WEIGHT = [[0.5, 0.0], [0.0, -0.25], [0.3, 0.01]]


def test_weights_take_the_rounding_of_their_type_and_zeros_vanish():
    types = {"fc": {"weight": "ap_fixed<4,2,AP_RND,AP_SAT>", "bias": "ap_fixed<6,2>"}}
    graph = snapshot(built(dense("fc", WEIGHT, [0.5, 0.0]), precision=types))
    op = graph.ops[1]
    assert op.weights.dense().tolist() == [[2, 0, 1], [0, -1, 0]]
    assert op.weights.nonzeros == 3  # 0.01 rounds to zero
    assert op.weight_format == Fixed.parse("ap_fixed<4,2,AP_RND,AP_SAT>")
    assert op.bias.tolist() == [32, 0]  # at 4 + 2 fraction bits
    truncated = snapshot(built(dense("fc", WEIGHT, [0, 0]), precision={"fc": {"weight": "ap_fixed<4,2>"}})).ops[1]
    assert truncated.weights.dense().tolist() == [[2, 0, 1], [0, -1, 0]]
    wrapped = {"fc": {"weight": "ap_fixed<3,-1>"}}  # 0.5 and -0.25 are 8 and -4 of its steps
    assert snapshot(built(dense("fc", WEIGHT, [0, 0]), precision=wrapped)).ops[1].weights.dense()[1].tolist() == [
        0,
        -4,
        0,
    ]


def test_sums_are_exact_and_rounded_once_whatever_the_accumulator():
    types = {"fc": {"weight": "ap_fixed<4,2>", "bias": "ap_fixed<6,2>", "accum": "ap_fixed<3,3>"}}
    graph = snapshot(built(dense("fc", WEIGHT, [0.5, 0.0]), precision=types))
    assert kinds(graph) == [("Input", "x"), ("MatVec", "fc_sum"), ("Requantise", "fc")]
    exact = graph.tensors["fc_sum"].format
    assert exact.fraction == 6
    assert exact == exact.with_range(-128 * 2 - 128 + 32, 127 * 2 + 127 + 32)
    assert graph.tensors["fc"].format == Fixed.parse(RESULT)
    verify(graph)


def test_a_result_that_holds_every_sum_is_the_sum():
    types = {"fc": {"weight": "ap_fixed<4,2>", "bias": "ap_fixed<6,2>", "result": "ap_fixed<20,14>"}}
    assert kinds(snapshot(built(dense("fc", WEIGHT, [0.5, 0]), precision=types))) == [("Input", "x"), ("MatVec", "fc")]


def test_a_bias_with_a_finer_step_than_the_products_stays_exact():
    types = {"fc": {"weight": "ap_fixed<4,2>", "bias": "ap_fixed<12,2>", "result": "ap_fixed<30,10>"}}
    graph = snapshot(built(dense("fc", WEIGHT, [1 / 1024, 0]), precision=types))
    (got,) = evaluate(graph, np.array([[16, 0, 0]]))
    assert got.tolist() == [[(512 + 1) << 10, 0]]
    verify(graph)


def test_zeros_at_the_end_of_biases_do_not_widen_the_weights():
    fine = {"fc": {"weight": "ap_fixed<4,2>", "bias": "ap_fixed<30,2>"}}
    for bias in ([0.0, 0.0], [1 / 64, -0.5]):
        op = snapshot(built(dense("fc", WEIGHT, bias), precision=fine)).ops[1]
        assert op.weight_format == Fixed(True, 4, 2)
        assert op.bias.tolist() == [64 * value for value in bias]


def test_names_that_are_taken_are_not_taken_again():
    types = {"fc": {"weight": "ap_fixed<4,2>", "bias": "ap_fixed<6,2>"}}
    graph = snapshot(built(dense("fc", WEIGHT, [0, 0]), activation("FC_Sum", "relu"), precision=types))
    assert [name for _, name in kinds(graph)] == ["x", "fc_sum_2", "fc", "FC_Sum"]


def test_layers_bear_the_names_that_users_know():
    model = built(dense("fc", WEIGHT, [0, 0]))
    assert snapshot(model).ops[1].layer == "fc"
    assert snapshot(model, {"fc": "block.fc"}).ops[1].layer == "block.fc"


@pytest.mark.parametrize("kind", ["BatchNormalization", "ApplyAlpha"])
def test_scales_become_a_diagonal_without_its_zeros(kind):
    types = {"bn": {"scale": "ap_fixed<4,2>", "bias": "ap_fixed<6,2>"}}
    graph = snapshot(built(affine("bn", [0.5, 0.0, -1.0], [0.25, 1.0, 0.0], kind), precision=types))
    assert kinds(graph) == [("Input", "x"), ("MatVec", "bn_sum"), ("Requantise", "bn")]
    assert graph.ops[1].weights.dense().tolist() == [[2, 0, 0], [0, 0, 0], [0, 0, -4]]
    assert graph.ops[1].weights.nonzeros == 2
    assert graph.ops[1].bias.tolist() == [16, 64, 0]


@pytest.mark.parametrize(
    ("kind", "low", "high"), [("relu", 0, None), ("relu6", 0, 96), ("relu1", 0, 16), ("linear", None, None)]
)
def test_activations_become_clips_in_mantissas_of_their_input(kind, low, high):
    graph = snapshot(built(activation("act", kind), precision={"act": {"result": "ap_ufixed<4,2>"}}))
    op = graph.ops[1]
    assert isinstance(op, Requantise)
    assert (op.low, op.high, op.output.format) == (low, high, Fixed.parse("ap_ufixed<4,2>"))


def test_sums_of_two_tensors_align_and_round_once():
    fine = {"act": {"result": "ap_ufixed<8,2>"}}
    merge = {"class_name": "Merge", "name": "sum", "op": "add", "inputs": ["act", "x"]}
    graph = snapshot(built(activation("act", "relu"), merge, precision=fine))
    assert kinds(graph) == [("Input", "x"), ("Requantise", "act"), ("Add", "sum_sum"), ("Requantise", "sum")]
    exact = graph.tensors["sum_sum"].format
    assert exact == Fixed(True, 1, 6).with_range(-128 << 2, 255 + (127 << 2))
    wide = built(activation("act", "relu"), merge, precision=fine | {"sum": {"result": "ap_fixed<12,6>"}})
    assert isinstance(snapshot(wide).ops[-1], Add)


def test_reshapes_keep_the_format():
    reshape = {"class_name": "Reshape", "name": "r", "target_shape": [4, 1]}
    graph = snapshot(built(reshape, activation("act", "relu"), size=4, precision={"r": {"result": "ap_fixed<3,1>"}}))
    assert [type(op) for op in graph.ops] == [Input, Reshape, Requantise]
    assert graph.tensors["r"].format == graph.tensors["x"].format


def test_matrices_without_a_single_weight_are_fine():
    graph = snapshot(built(dense("fc", np.zeros((3, 2)), [0.5, 0]), precision={"fc": {"bias": "ap_fixed<6,2>"}}))
    assert isinstance(graph.ops[1], MatVec)
    assert graph.ops[1].weights.nonzeros == 0
    assert evaluate(graph, np.ones((1, 3), dtype=np.int64))[0].tolist() == [[8, 0]]


REFUSED = {
    "class": (
        [{"class_name": "Softmax", "name": "s", "activation": "softmax", "axis": -1}],
        "^s: hls4ml's layer Softmax is not supported; leave it out and compare the logits, or give the model to",
    ),
    "activation": ([activation("t", "tanh")], "^t: the activation 'tanh' is not supported; use relu or a clip"),
    "merge": (
        [activation("a", "relu"), {"class_name": "Merge", "name": "m", "op": "minimum", "inputs": ["a", "x"]}],
        r"^m: merging \(3,\) and \(3,\) by 'minimum' is not supported; add, subtract, multiply tensors of equal shapes",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_exact_counterpart_is_refused_by_name(name):
    layers, message = REFUSED[name]
    with pytest.raises(UnsupportedError, match=message):
        snapshot(built(*layers))


def test_types_and_clips_that_are_not_exact_are_refused():
    wide = {"fc": {"weight": "ap_fixed<63,2>"}}
    with pytest.raises(UnsupportedError, match=r"^fc\.weight: weights of 63 bits are not supported; use at most 62"):
        snapshot(built(dense("fc", WEIGHT, [0, 0]), precision=wide))
    with pytest.raises(UnsupportedError, match=r"^fc\.weight: the type float must be ap_fixed or ap_int"):
        snapshot(built(dense("fc", WEIGHT, [0, 0]), precision={"fc": {"weight": "float"}}))
    coarse = {"x": {"result": "ap_fixed<8,11>"}}
    with pytest.raises(
        UnsupportedError, match=r"^act: the end 6\.0 of a clip must be a multiple of 8\.0; give its input"
    ):
        snapshot(built(activation("act", "relu6"), precision=coarse))
