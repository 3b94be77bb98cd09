"""Layers that fpgaprune's own layer list does not use: what others' ModelGraphs hold, against numpy."""

from __future__ import annotations

import numpy as np
import pytest
from hls4ml.model.layers import layer_map

from fpgaprune.errors import UnsupportedError
from fpgaprune.evaluate import evaluate
from fpgaprune.fixed import Fixed, requantise
from fpgaprune.frontend import snapshot
from fpgaprune.frontend.snapshot import READERS
from fpgaprune.intervals import verify
from tests.frontend.test_snapshot import affine, built, dense

WEIGHTS = {"weight": "ap_fixed<6,3>", "bias": "ap_fixed<8,3>"}
RESULT = Fixed.parse("ap_fixed<8,4,AP_RND,AP_SAT>")  # of every layer, as `built` sets it
IMAGE = (4, 6, 2)
RNG = np.random.default_rng(0)


def outputs(layers, x, precision=None, size=IMAGE, **more):
    graph = snapshot(built(*layers, precision=precision, size=size, **more))
    verify(graph)
    return evaluate(graph, x)[0]


def mantissas(shape=IMAGE, count=30):
    return RNG.integers(RESULT.low, RESULT.high + 1, (count, *shape))


def layer(kind, name="layer", **attributes):
    return {"class_name": kind, "name": name, "data_format": "channels_last", **attributes}


def grid(*shape, scale=8.0):
    """Weights on the grid of WEIGHTS, a third of them zero."""
    return RNG.integers(-20, 21, shape) * (RNG.random(shape) < 0.66) / scale


def frame(top=0, bottom=0, left=0, right=0):
    return {"pad_top": top, "pad_bottom": bottom, "pad_left": left, "pad_right": right}


def conv2d(weight, stride=(1, 1), pads=None, shape=IMAGE, kind="Conv2D"):
    pads = pads or frame()
    height, width = weight.shape[:2]
    out = (
        (shape[0] + pads["pad_top"] + pads["pad_bottom"] - height) // stride[0] + 1,
        (shape[1] + pads["pad_left"] + pads["pad_right"] - width) // stride[1] + 1,
    )
    return layer(
        kind, in_height=shape[0], in_width=shape[1], out_height=out[0], out_width=out[1], n_chan=shape[2],
        filt_height=height, filt_width=width, stride_height=stride[0], stride_width=stride[1], **pads,
    )  # fmt: skip


def taps(x, kernel, stride=(1, 1), pads=None, fill=0):
    """Return the taps of windows (samples, rows, columns, *kernel, channels)."""
    pads = pads or frame()
    ends = ((0, 0), (pads["pad_top"], pads["pad_bottom"]), (pads["pad_left"], pads["pad_right"]), (0, 0))
    padded = np.pad(x, ends, constant_values=fill)
    views = np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=(1, 2))[:, :: stride[0], :: stride[1]]
    return np.moveaxis(views, 3, -1)


@pytest.mark.parametrize("strategy", ["Latency", "Resource"])
def test_convolutions_of_every_strategy(strategy):
    weight, pads = grid(3, 2, 2, 3), frame(1, 0, 0, 1)
    one = conv2d(weight, (1, 2), pads) | {"n_filt": 3, "weight_data": weight, "bias_data": np.array([0.5, -1, 0])}
    x = mantissas()
    got = outputs([one], x, {"layer": WEIGHTS}, strategy=strategy)
    sums = np.einsum("srcklm,klmo->srco", taps(x, (3, 2), (1, 2), pads), np.rint(weight * 8).astype(int))
    assert np.array_equal(got, requantise(np.array([64, -128, 0]) + sums, 7, RESULT))


def test_dense_layers_of_the_resource_strategy():
    weight = grid(5, 3)
    x = mantissas((5,))
    got = outputs([dense("fc", weight, [0, 0, 0])], x, {"fc": WEIGHTS}, 5, strategy="Resource")
    assert np.array_equal(got, requantise(x @ np.rint(weight * 8).astype(int), 7, RESULT))


def test_dense_layers_over_sequences_become_pointwise():
    weight = grid(2, 3)
    x = mantissas((4, 6, 2))
    model = built(dense("fc", weight, [0, 0, 0]), precision={"fc": WEIGHTS}, size=IMAGE)
    assert [node.class_name for node in model.get_layers()] == ["Input", "PointwiseConv2D"]
    (got,) = evaluate(snapshot(model), x)
    assert np.array_equal(got, requantise(x @ np.rint(weight * 8).astype(int), 7, RESULT))


def test_depthwise_convolutions_with_several_results_a_channel():
    weight = grid(2, 2, 2, 3)
    one = conv2d(weight, kind="DepthwiseConv2D") | {"n_filt": 6, "depth_multiplier": 3, "depthwise_data": weight}
    x = mantissas()
    got = outputs([one], x, {"layer": WEIGHTS})
    sums = np.einsum("srcklm,klmj->srcmj", taps(x, (2, 2)), np.rint(weight * 8).astype(int))
    assert np.array_equal(got, requantise(sums.reshape(*sums.shape[:3], 6), 7, RESULT))


def test_separable_convolutions_are_split():
    first, second = grid(2, 2, 2, 1), grid(1, 1, 2, 3)
    one = conv2d(first, kind="SeparableConv2D") | {
        "n_filt": 3, "depth_multiplier": 1, "depthwise_data": first, "pointwise_data": second, "bias_data": np.zeros(3),
    }  # fmt: skip
    types = {"depthwise": "ap_fixed<6,3>", "pointwise": "ap_fixed<6,3>", "bias": "ap_fixed<8,3>"}
    types |= {"depthwise_result": "ap_fixed<20,10>", "pointwise_result": "ap_fixed<8,4,AP_RND,AP_SAT>"}
    x = mantissas()
    got = outputs([one], x, {"layer": types})
    inner = np.einsum("srcklm,klm->srcm", taps(x, (2, 2)), np.rint(first[..., 0] * 8).astype(int))
    exact = requantise(inner, 7, Fixed.parse("ap_fixed<20,10>"))
    assert np.array_equal(got, requantise(exact @ np.rint(second[0, 0] * 8).astype(int), 13, RESULT))


def pooling(op, kernel, stride, pads, **more):
    one = conv2d(np.zeros((*kernel, 1, 1)), stride, pads, kind=f"{op}Pooling2D")
    return one | {"pool_height": kernel[0], "pool_width": kernel[1], "n_filt": 2, **more}


def test_max_pooling_leaves_padding_out():
    pads = frame(1, 1, 0, 1)
    x = -np.abs(mantissas())
    got = outputs([pooling("Max", (2, 3), (2, 1), pads)], x)
    assert np.array_equal(got, taps(x, (2, 3), (2, 1), pads, RESULT.low).max(axis=(3, 4)))


@pytest.mark.parametrize("pads", [frame(), frame(1, 1, 0, 1)])
def test_average_pooling_over_a_power_of_two_is_rounded_once(pads):
    x = mantissas()
    got = outputs([pooling("Average", (2, 2), (2, 1), pads, count_pad=True)], x)
    assert np.array_equal(got, requantise(taps(x, (2, 2), (2, 1), pads).sum(axis=(3, 4)), 6, RESULT))


@pytest.mark.parametrize("op", ["Max", "Average"])
def test_pooling_over_all_positions(op):
    x = mantissas((4, 4, 2))
    got = outputs([layer(f"Global{op}Pooling2D", in_height=4, in_width=4, n_filt=2)], x, size=(4, 4, 2))
    wanted = x.max(axis=(1, 2)) if op == "Max" else requantise(x.sum(axis=(1, 2)), 8, RESULT)
    assert np.array_equal(got, wanted)
    steps = mantissas((8, 2))
    one = layer(f"Global{op}Pooling1D", n_in=8, n_filt=2)
    wanted = steps.max(axis=1) if op == "Max" else requantise(steps.sum(axis=1), 7, RESULT)
    assert np.array_equal(outputs([one], steps, size=(8, 2)), wanted)


def test_borders_are_padded_and_cropped():
    pads = {"pad_top": 1, "pad_bottom": 0, "pad_left": 2, "pad_right": 1}
    x = mantissas()
    pad = layer("ZeroPadding2D", in_height=4, in_width=6, out_height=5, out_width=9, n_chan=2, **pads)
    assert np.array_equal(outputs([pad], x), np.pad(x, ((0, 0), (1, 0), (2, 1), (0, 0))))
    crop = layer("Cropping2D", in_height=4, in_width=6, out_height=3, out_width=3, n_chan=2,
                 crop_top=1, crop_bottom=0, crop_left=2, crop_right=1)  # fmt: skip
    assert np.array_equal(outputs([crop], x), x[:, 1:, 2:5])


def test_images_are_resized_to_the_nearest():
    x = mantissas()
    one = layer("UpSampling2D", in_height=4, in_width=6, out_height=8, out_width=18, n_chan=2, algorithm="nearest")
    assert np.array_equal(outputs([one], x), x.repeat(2, axis=1).repeat(3, axis=2))
    bilinear = one | {"algorithm": "bilinear"}
    with pytest.raises(UnsupportedError, match=r"^layer: resizing by 'bilinear' is not supported; use 'nearest'"):
        outputs([bilinear], x)


def test_axes_are_permuted():
    x = mantissas()
    assert np.array_equal(outputs([layer("Transpose", perm=[2, 0, 1])], x), x.transpose(0, 3, 1, 2))


@pytest.mark.parametrize("axis", [1, 2, 3, -1, -2])
def test_tensors_are_joined_along_any_axis(axis):
    x = mantissas()
    act = {"class_name": "Activation", "name": "act", "activation": "relu"}
    join = layer("Concatenate", op="concatenate3d", axis=axis, inputs=["act", "x"])
    assert np.array_equal(outputs([act, join], x), np.concatenate([x.clip(min=0), x], axis=axis))


@pytest.mark.parametrize("op", ["add", "subtract", "multiply"])
def test_tensors_are_merged(op):
    x = mantissas((3,))
    act = {"class_name": "Activation", "name": "act", "activation": "relu"}
    got = outputs([act, {"class_name": "Merge", "name": "m", "op": op, "inputs": ["act", "x"]}], x, size=3)
    wanted = {"add": np.add, "subtract": np.subtract, "multiply": np.multiply}[op](x.clip(min=0), x)
    assert np.array_equal(got, requantise(wanted, 8 if op == "multiply" else 4, RESULT))


@pytest.mark.parametrize("slope", [0.25, -0.5, 0.0])
def test_leaky_relus(slope):
    x = mantissas()
    one = layer("LeakyReLU", activation="leaky_relu", activ_param=slope)
    got = outputs([one], x, {"layer": {"param": "ap_fixed<6,3>"}})
    assert np.array_equal(got, requantise(np.where(x > 0, x * 8, x * int(slope * 8)), 7, RESULT))


@pytest.mark.parametrize("shape", [(5,), (3, 2)])
def test_relus_with_a_slope_for_each_element(shape):
    x, slopes = mantissas(shape), grid(*shape)
    one = layer("PReLU", activation="prelu", param_data=slopes)
    got = outputs([one], x, {"layer": {"param": "ap_fixed<6,3>"}}, shape)
    assert np.array_equal(got, requantise(np.where(x > 0, x * 8, x * np.rint(slopes * 8).astype(int)), 7, RESULT))


@pytest.mark.parametrize("threshold", [0.0, 1.5])
def test_relus_above_a_threshold(threshold):
    x = mantissas()
    one = layer("ThresholdedReLU", activation="thresholdedrelu", activ_param=threshold)
    got = outputs([one], x, {"layer": {"param": "ap_fixed<8,4>"}})
    assert np.array_equal(got, np.where(x > threshold * 16, x, 0))


def test_scales_of_channels_and_of_elements():
    x = mantissas((3, 2))
    channels = affine("bn", [0.5, -1.0], [0.25, 0.0]) | {"n_in": 6, "n_filt": 2}
    types = {"bn": {"scale": "ap_fixed<4,2>", "bias": "ap_fixed<6,2>"}}
    assert np.array_equal(
        outputs([channels], x, types, (3, 2)), requantise(x * [2, -4] + [16, 0], 6, RESULT)
    )  # fmt: skip
    scale = np.array([[0.5, -1.0], [0.0, 1.75], [1.0, 0.25]])
    elements = affine("bn", scale.ravel(), np.zeros(6)) | {"n_in": 6}
    assert np.array_equal(
        outputs([elements], x, types, (3, 2)), requantise(x * (scale * 4).astype(int), 6, RESULT)
    )  # fmt: skip


def test_copies_of_streams_are_one_tensor():
    x = mantissas((6,))
    layers = [
        {"class_name": "Activation", "name": "act", "activation": "relu"},
        {"class_name": "Merge", "name": "m", "op": "add", "inputs": ["act", "x"]},
        layer("Reshape", "r", target_shape=[2, 3]),
    ]
    model = built(*layers, size=6, io_type="io_stream")
    assert {"Clone", "Repack"} <= {node.class_name for node in model.get_layers()}
    (got,) = evaluate(snapshot(model), x)
    assert np.array_equal(got, requantise(x.clip(min=0) + x, 4, RESULT).reshape(-1, 2, 3))


def test_padding_that_hls4ml_splits_off_for_streams():
    weight, pads = grid(3, 3, 2, 1), frame(1, 1, 1, 1)
    one = conv2d(weight, (1, 1), pads) | {"n_filt": 1, "weight_data": weight, "bias_data": np.zeros(1)}
    x = mantissas()
    parallel, stream = (outputs([one], x, {"layer": WEIGHTS}, io_type=kind) for kind in ("io_parallel", "io_stream"))
    assert np.array_equal(parallel, stream)


ONES = np.ones((2, 2, 2, 1))
REFUSED = {
    "average": (
        [pooling("Average", (2, 3), (2, 3), frame())],
        r"^layer: an average over 6 elements is not exact in hls4ml; use unpadded windows whose size is a power of two",
    ),
    "padded average": (
        [pooling("Average", (2, 2), (1, 1), frame(1))],
        r"^layer: an average over 4 elements without its padding is not exact in hls4ml",
    ),
    "dilation": (
        [conv2d(ONES) | {"n_filt": 1, "weight_data": ONES, "dilation_width": 2}],
        r"^layer: hls4ml ignores the dilation of a convolution; give the model to fpgaprune as a PyTorch module",
    ),
    "channels first": (
        [conv2d(ONES) | {"n_filt": 1, "weight_data": ONES, "data_format": "channels_first"}],
        r"^layer: channels first are not supported; set HLSConfig's ChannelsLastConversion to 'full'",
    ),
    "elu": (
        [layer("ELU", activation="elu", activ_param=1.0)],
        r"^layer: the activation 'elu' is not supported; use relu, leaky_relu or a clip",
    ),
    "scales": (
        [affine("bn", [0.5, 1, 1], [0, 0, 0]) | {"n_in": 48, "n_filt": 3}],
        r"^bn: 3 scales on a tensor of shape \(4, 6, 2\) are not supported; give one scale a channel",
    ),
    "slopes": (
        [layer("PReLU", activation="prelu", param_data=np.ones(3))],
        r"^layer: 3 slopes for 48 elements are not supported; share no axes",
    ),
    "dot": (
        [layer("Reshape", "r", target_shape=[48]), layer("Dot", op="dot1d", inputs=["r", "r"])],
        r"^layer: hls4ml's layer Dot is not supported; give the model to fpgaprune as a PyTorch module",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_exact_counterpart_is_refused_by_name(name):
    layers, message = REFUSED[name]
    with pytest.raises(UnsupportedError, match=message):
        snapshot(built(*layers, size=IMAGE))


def test_a_threshold_on_a_wide_word_is_refused():
    one = layer("ThresholdedReLU", activation="thresholdedrelu", activ_param=1.0)
    with pytest.raises(UnsupportedError, match=r"^layer: a threshold on 20 bits is not supported; give its input 16"):
        snapshot(built(one, size=3, precision={"x": {"result": "ap_fixed<20,9>"}, "layer": {"param": "ap_fixed<8,4>"}}))


def test_readers_have_names_that_hls4ml_uses():
    known = {kind.__name__ for kind in layer_map.values()}
    assert set(READERS) <= known | {"Conv2DBatchnorm"}
