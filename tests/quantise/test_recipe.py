"""Recipes: what they take, from Python and TOML, and what they refuse by name."""

from __future__ import annotations

import pytest

from fpgaprune.errors import InputError
from fpgaprune.fixed import Overflow, Rounding
from fpgaprune.prune import TrainSettings
from fpgaprune.quantise import Calibration, LayerBits, QuantiseRecipe

TOML = """
weight_bits = 6
function_bits = 9
output_bits = 12
calibration = "percentile"
percentile = 99.5
rounding = "AP_TRN"
overflow = "AP_SAT_SYM"

[fine_tune]
epochs = 3

[layers]
"a.b" = { weight_bits = 4 }

[layers.block]
activation_bits = 5

[layers.block.fc]
weight_bits = 3
activation_bits = 2
"""


def test_a_recipe_is_read_from_toml(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text(TOML, encoding="utf-8")
    assert QuantiseRecipe.from_toml(path) == QuantiseRecipe(
        weight_bits=6,
        function_bits=9,
        output_bits=12,
        calibration=Calibration.PERCENTILE,
        percentile=99.5,
        rounding=Rounding.TRN,
        overflow=Overflow.SAT_SYM,
        fine_tune=TrainSettings(epochs=3),
        layers={"a.b": LayerBits(4), "block": LayerBits(None, 5), "block.fc": LayerBits(3, 2)},
    )


def test_a_recipe_survives_its_dictionary():
    recipe = QuantiseRecipe(layers={"a": LayerBits(3)}, fine_tune=TrainSettings(optimiser="sgd"), calibration="mse")
    assert QuantiseRecipe.from_dict(recipe.to_dict()) == recipe
    assert QuantiseRecipe.from_dict({}) == QuantiseRecipe()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"weight_bits": 0}, "weight_bits must be at least 1, not 0"),
        ({"weight_bits": 33}, "weight_bits must be at most 32, not 33"),
        ({"activation_bits": 2.5}, "activation_bits must be an integer, not 2.5"),
        ({"input_bits": True}, "input_bits must be an integer, not True"),
        ({"function_bits": 0}, "function_bits must be at least 1, not 0"),
        ({"function_bits": 17}, "function_bits must be at most 16, not 17"),
        ({"output_bits": 40}, "output_bits must be at most 32, not 40"),
        ({"calibration": "max"}, r"calibration must be one of 'minmax', 'percentile', 'mse', not 'max' \(did you"),
        ({"percentile": 0.999}, r"percentile must be in \[50, 100\], not 0.999"),
        ({"calibration_samples": 0}, "calibration_samples must be at least 1, not 0"),
        ({"rounding": "RND"}, "rounding must be one of 'AP_TRN'"),
        ({"overflow": "AP_WRAP"}, "overflow must be AP_SAT or AP_SAT_SYM, not AP_WRAP; a wrapped result"),
        ({"seed": -1}, "seed must be at least 0, not -1"),
        ({"weight_bit": 3}, r"the recipe has no field 'weight_bit' \(did you mean 'weight_bits'\?\)"),
        ({"fine_tune": {"epoch": 3}}, r"fine_tune has no field 'epoch' \(did you mean 'epochs'\?\)"),
        ({"fine_tune": {"epochs": -1}}, "fine_tune.epochs must be at least 0, not -1"),
        ({"fine_tune": 3}, "fine_tune must be a table of names, not 3"),
        ({"fine_tune": {"amp": True}}, "fine_tune.amp must be false: bfloat16 does not hold the numbers of the grids"),
        (
            {"fine_tune": {"validation": 0.1}, "compress": {"strength": 1}},
            "fine_tune.validation is not for compress: the best epoch by the metric is one before costs fell",
        ),
        ({"layers": {"fc": 4}}, "layers.fc must be a table of names, not 4"),
        ({"layers": {"fc": {"bits": 4}}}, "layers.fc has no field 'bits'"),
        ({"layers": {"fc": {"weight_bits": 99}}}, "layers.fc.weight_bits must be at most 32, not 99"),
        ({"layers": {"a": {"b": {"weight_bits": 0}}}}, "layers.a.b.weight_bits must be at least 1, not 0"),
    ],
)
def test_unusable_values_are_refused_by_name(values, message):
    with pytest.raises(InputError, match=f"^{message}"):
        QuantiseRecipe.from_dict(values)


def test_fields_of_the_wrong_kind_are_refused():
    with pytest.raises(InputError, match=r"^fine_tune must be TrainSettings, not \{'epochs': 3\}"):
        QuantiseRecipe(fine_tune={"epochs": 3})
    with pytest.raises(InputError, match=r"^layers.fc must be LayerBits, not 3"):
        QuantiseRecipe(layers={"fc": 3})


@pytest.mark.parametrize(
    ("content", "message"), [(b"a = ", "r.toml: "), (b"\xff", "r.toml: "), (b"x = 1", "no field 'x'")]
)
def test_unusable_files_are_refused_with_their_name(tmp_path, content, message):
    path = tmp_path / "r.toml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        QuantiseRecipe.from_toml(path)
    with pytest.raises(InputError, match=r"none.toml cannot be read: No such file"):
        QuantiseRecipe.from_toml(tmp_path / "none.toml")
