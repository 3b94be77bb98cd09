"""The layer list says everything explicitly, and hls4ml leaves it as it is."""

from __future__ import annotations

import numpy as np
import pytest
from hls4ml.model.layers import layer_map

from fpgaprune.capture import Add, Affine, Clip, InputLayer, Linear, Network, Reshape
from fpgaprune.errors import UnsupportedError
from fpgaprune.fixed import Fixed, Overflow, Rounding
from fpgaprune.frontend import layer_list, model_graph
from fpgaprune.frontend.layer_list import ENTRIES
from fpgaprune.quantise import QuantisedModel
from fpgaprune.quantise.freeze import freeze
from fpgaprune.quantise.layers import LAYERS
from fpgaprune.quantise.plan import Plan

U4 = Fixed(False, 4, 2, Rounding.RND, Overflow.SAT)
S4 = Fixed(True, 4, 2, Rounding.RND, Overflow.SAT)
W4 = Fixed(True, 4, 2, Rounding.RND_CONV, Overflow.SAT)
PART, CLOCK_NS = "xcu250-figd2104-2L-e", 5.0


def quantised(*layers, results=None, weights=None, scales=None, shape=(2,)):
    plan = Plan({"x": S4} | (results or {}), weights or {}, scales or {})
    network = Network((InputLayer("x", shape), *layers), (layers[-1].name,))
    return QuantisedModel(freeze(network, plan), network.outputs)


def linear(name, source, size=2):
    weight = np.arange(1.0, 1.0 + 2 * size).reshape(2, size) / 4
    return Linear(name, source, weight, np.array([0.25, -1.0]))


def test_every_kind_of_layer_has_a_maker():
    assert set(ENTRIES) == set(LAYERS)


def test_weights_biases_sums_and_results_have_explicit_types():
    model = quantised(
        linear("a.fc", "x"), Clip("relu", "a.fc", (2,), 0.0, None), linear("head", "relu"),
        results={"relu": U4}, weights={"a.fc": W4, "head": W4},
    )  # fmt: skip
    layers = layer_list(model)
    assert layers.names == {"x": "x", "a.fc": "a_fc", "relu": "relu", "head": "head"}
    assert (layers.inputs, layers.outputs) == (("x",), ("head",))
    assert [(each["class_name"], each["name"], each["inputs"]) for each in layers.layers] == [
        ("InputLayer", "x", []),
        ("Dense", "a_fc", ["x"]),
        ("Activation", "relu", ["a_fc"]),
        ("Dense", "head", ["relu"]),
    ]
    assert layers.precisions["x"] == {"result": "ap_fixed<4,2,AP_RND,AP_SAT>"}
    assert layers.precisions["relu"] == {"result": "ap_ufixed<4,2,AP_RND,AP_SAT>"}
    accumulator = str(model.by_name["a.fc"].accumulator)
    assert layers.precisions["a_fc"] == {
        "weight": "ap_fixed<4,2,AP_RND_CONV,AP_SAT>",
        "bias": "ap_fixed<5,1,AP_TRN,AP_WRAP>",  # -16 and 4 in sixteenths
        "accum": accumulator,
        "result": accumulator,
    }


def test_a_dense_layer_is_given_inputs_first_and_exactly_on_its_grid():
    dense = layer_list(quantised(linear("fc", "x"), weights={"fc": W4})).layers[1]
    assert (dense["n_in"], dense["n_out"]) == (2, 2)
    assert dense["weight_data"].tolist() == [[0.25, 0.75], [0.5, 1.0]]
    assert dense["bias_data"].tolist() == [0.25, -1.0]


CLIPS = {
    (0.0, None): ("Activation", "relu"),
    (0.0, 6.0): ("Activation", "relu6"),
    (0.0, 1.0): ("Activation", "relu1"),
    (None, None): ("Activation", "linear"),
    (0.0, 2.0): ("FpgapruneLayer", None),
    (-1.0, 1.0): ("FpgapruneLayer", None),
    (None, 1.0): ("FpgapruneLayer", None),
}


@pytest.mark.parametrize("ends", CLIPS, ids=str)
def test_a_clip_becomes_the_activation_that_is_exactly_it(ends):
    entry = layer_list(quantised(Clip("c", "x", (2,), *ends), results={"c": U4})).layers[1]
    assert (entry["class_name"], entry.get("activation")) == CLIPS[ends]
    if entry["class_name"] == "FpgapruneLayer":
        assert (entry["record"].real().low, entry["record"].real().high) == ends


def test_an_end_that_is_off_the_grid_is_given_as_it_is_applied():
    coarse = Fixed(True, 4, -1, Rounding.RND, Overflow.SAT)
    entry = layer_list(quantised(Clip("c", "x", (2,), 0.0, 5.0), results={"x": coarse})).layers[1]
    assert (entry["record"].real().low, entry["record"].real().high) == (0.0, 4.0)


def test_what_changes_nothing_shares_the_name_of_what_it_reads():
    ones = Affine("ones", "fc", np.ones(2), np.zeros(2))
    model = quantised(
        linear("fc", "x"), ones, Clip("open", "ones", (2,), None, None), Reshape("column", "open", (2, 1)),
        Reshape("row", "column", (1, 2)),
        results={"fc": S4, "ones": S4}, weights={"fc": W4}, scales={"ones": (W4, W4)},
    )  # fmt: skip
    layers = layer_list(model)
    assert [each["name"] for each in layers.layers] == ["x", "fc"]
    assert layers.names == dict.fromkeys(["fc", "ones", "open", "column", "row"], "fc") | {"x": "x"}


def test_an_identity_to_another_format_is_a_linear_activation():
    ones = Affine("ones", "x", np.ones(2), np.zeros(2))
    entry = layer_list(quantised(ones, results={"ones": U4}, scales={"ones": (W4, W4)})).layers[1]
    assert (entry["class_name"], entry["activation"]) == ("Activation", "linear")


def test_names_are_safe_unique_and_not_that_of_the_project():
    model = quantised(
        linear("baseline", "x"), linear("a.b", "baseline"), linear("a_b", "a.b"), linear("int", "a_b"),
        results={"baseline": S4, "a.b": S4, "a_b": S4}, weights=dict.fromkeys(["baseline", "a.b", "a_b", "int"], W4),
    )  # fmt: skip
    assert list(layer_list(model).names.values()) == ["x", "baseline_2", "a_b", "a_b_2", "int_"]


def test_a_result_without_an_axis_is_refused_inside_and_taken_at_the_end():
    one = Linear("fc", "x", np.ones((1, 2)), np.zeros(1))
    squeezed = Reshape("squeeze", "fc", ())
    layers = layer_list(quantised(one, squeezed, results={"fc": S4}, weights={"fc": W4}))
    assert layers.names["squeeze"] == "fc"
    inside = quantised(one, squeezed, Clip("relu", "squeeze", (), 0.0, None), results={"fc": S4}, weights={"fc": W4})
    with pytest.raises(UnsupportedError, match=r"^squeeze: a result without any axis is not supported by hls4ml; keep"):
        layer_list(inside)


def test_hls4ml_keeps_every_layer_and_every_type(capfd):
    model = quantised(
        Reshape("flat", "x", (2,)), linear("fc", "flat"), Affine("bn", "fc", np.array([0.5, 2]), np.array([0.25, 0])),
        Clip("clip", "bn", (2,), -0.5, 0.75), Add("sum", "clip", "flat", (2,)), Clip("relu", "sum", (2,), 0.0, None),
        results={"fc": S4, "clip": S4, "relu": U4}, weights={"fc": W4}, scales={"bn": (W4, W4)}, shape=(1, 2),
    )  # fmt: skip
    layers = layer_list(model)
    graph = model_graph(layers, PART, CLOCK_NS)
    assert [node.name for node in graph.get_layers()] == ["x", "flat", "fc", "bn", "clip", "sum", "relu"]
    for node in graph.get_layers():
        got = str(node.get_output_variable().type.precision)
        assert got == layers.precisions[node.name]["result"].replace("ap_", "").replace("AP_", "").replace(">", ",0>")
    assert graph.config.get_config_value("Part") == PART
    assert graph.config.get_config_value("ClockPeriod") == CLOCK_NS
    assert capfd.readouterr() == ("", "")


def test_a_stock_graph_can_be_made_of_streams_and_the_layer_list_stays_as_it_is():
    total = Add("sum", "fc", "x", (2,))
    layers = layer_list(quantised(linear("fc", "x"), total, results={"fc": S4, "sum": S4}, weights={"fc": W4}))
    stream = model_graph(layers, PART, CLOCK_NS, io_type="io_stream")
    parallel = model_graph(layers, PART, CLOCK_NS)
    for graph, io_type, names in (
        (stream, "io_stream", ["x", "clone_x", "fc", "sum"]),
        (parallel, "io_parallel", ["x", "fc", "sum"]),
    ):
        assert graph.config.get_config_value("IOType") == io_type
        assert [node.name for node in graph.get_layers()] == names
        for variable in (graph.graph[name].get_output_variable() for name in ("x", "fc", "sum")):
            assert ("hls::stream" in variable.definition_cpp()) == (io_type == "io_stream")
            assert (variable.type.precision.width, variable.type.precision.fractional) == (4, 2)


def test_what_hls4ml_itself_refuses_is_one_line(monkeypatch):
    monkeypatch.delitem(layer_map, "Dense")
    layers = layer_list(quantised(linear("fc", "x"), weights={"fc": W4}))
    with pytest.raises(UnsupportedError, match=r"^hls4ml refuses the network: Exception: Layer Dense not found"):
        model_graph(layers, PART, CLOCK_NS)
