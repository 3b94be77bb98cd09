from __future__ import annotations

import pytest

from fpgaprune.errors import InputError
from fpgaprune.prune.dead import DeadBias
from fpgaprune.prune.recipe import PruneRecipe
from fpgaprune.prune.schedule import Schedule
from fpgaprune.prune.select import Scope
from fpgaprune.prune.settings import Distribution, Optimiser, Rate, RigL, TrainSettings
from fpgaprune.prune.stage import Stage

WHOLE = """
sparsity = 0.9
criterion = "random"
scope = "layer"
schedule = "cubic"
steps = 4
seed = 3
dead_bias = "keep"
keep_pruned = false

[fine_tune]
epochs = 2
learning_rate = 1
optimiser = "sgd"
weight_decay = 1e-4
momentum = 0.5
seed = 1

[layers]
head = 0.5
encoder.fc1 = 0.25
0.weight = 1
"encoder.fc2.weight" = 0

[[first]]
sparsity = 0.25
scope = "layer"
fine_tune.epochs = 1

[[first]]
sparsity = 0.5
layers.head = 0
"""


@pytest.fixture
def recipe_of(tmp_path):
    def read(text: str | bytes) -> PruneRecipe:
        path = tmp_path / "recipe.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return PruneRecipe.from_toml(path)

    return read


def test_every_field_can_be_written_in_toml(recipe_of):
    assert recipe_of(WHOLE) == PruneRecipe(
        sparsity=0.9,
        criterion="random",
        scope=Scope.LAYER,
        schedule=Schedule.CUBIC,
        steps=4,
        fine_tune=TrainSettings(2, 1, Optimiser.SGD, 1e-4, 0.5, 1),
        layers={"head": 0.5, "encoder.fc1": 0.25, "0.weight": 1.0, "encoder.fc2.weight": 0.0},
        first=(
            Stage(0.25, scope=Scope.LAYER, fine_tune=TrainSettings(1)),
            Stage(0.5, layers={"head": 0.0}),
        ),
        seed=3,
        dead_bias=DeadBias.KEEP,
        keep_pruned=False,
    )


def test_only_the_sparsity_is_needed(recipe_of):
    assert recipe_of("sparsity = 0.5") == PruneRecipe(0.5)


def test_dictionaries_and_back(recipe_of):
    recipe = recipe_of(WHOLE)
    assert PruneRecipe.from_dict(recipe.to_dict()) == recipe
    assert recipe.to_dict()["scope"] == "layer"
    assert recipe.to_dict()["fine_tune"]["optimiser"] == "sgd"


TRAINED_FROM_SCRATCH = """
sparsity = 0.9
schedule = "rigl"

[fine_tune]
epochs = 20
rate = "step"
warm_up = 2
step_epochs = 6
step_factor = 0.5
clip_norm = 1
validation = 0.1
patience = 5
amp = true
deterministic = false

[rigl]
interval = 50
fraction = 0.5
until = 0.6
distribution = "uniform"

[[first]]
sparsity = 0.5
schedule = "lottery"
steps = 3
rewind_epoch = 2
"""


def test_schedules_from_scratch_can_be_written_in_toml(recipe_of):
    recipe = recipe_of(TRAINED_FROM_SCRATCH)
    assert recipe.rigl == RigL(50, 0.5, 0.6, Distribution.UNIFORM)
    assert recipe.fine_tune == TrainSettings(
        20,
        rate=Rate.STEP,
        warm_up=2,
        step_epochs=6,
        step_factor=0.5,
        clip_norm=1,
        validation=0.1,
        patience=5,
        amp=True,
        deterministic=False,
    )
    assert (recipe.first[0].schedule, recipe.first[0].rewind_epoch) == (Schedule.LOTTERY, 2)
    assert PruneRecipe.from_dict(recipe.to_dict()) == recipe
    assert recipe.to_dict()["rigl"]["distribution"] == "uniform"


def test_layers_do_not_change_with_their_source():
    layers = {"fc": 0.5}
    recipe = PruneRecipe(0.5, layers=layers)
    layers["fc"] = 0.1
    assert recipe.layers == {"fc": 0.5}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the recipe lacks the field 'sparsity'"),
        ("sparsity = 1.5", r"sparsity must be in \[0, 1\], not 1.5"),
        ("sparsity = -0.1", r"sparsity must be in \[0, 1\]"),
        ("sparsity = nan", r"sparsity must be in \[0, 1\], not nan"),
        ("sparsity = true", "sparsity must be a number, not True"),
        ("sparsity = '0.5'", "sparsity must be a number, not '0.5'"),
        ("sparsity = 0.5\nsparisty = 1", "the recipe has no field 'sparisty' .did you mean 'sparsity'"),
        ("sparsity = 0.5\ncriterion = 'magnitud'", "criterion must be one of.*did you mean 'magnitude'"),
        ("sparsity = 0.5\nscope = 'globl'", "scope must be one of.*did you mean 'global'"),
        ("sparsity = 0.5\nschedule = 3", "schedule must be one of 'one-shot', 'cubic', 'lottery', 'rigl', not 3"),
        ("sparsity = 0.5\ndead_bias = 'zeros'", "dead_bias must be one of.*did you mean 'zero'"),
        ("sparsity = 0.5\nsteps = 2", "steps must be 1 for the schedule 'one-shot'"),
        ("sparsity = 0.5\nsteps = 0", "steps must be at least 1"),
        ("sparsity = 0.5\nschedule = 'cubic'", "steps must be at least 2"),
        ("sparsity = 0.5\nseed = 1.0", "seed must be an integer"),
        ("sparsity = 0.5\nkeep_pruned = 1", "keep_pruned must be true or false"),
        ("sparsity = 0.5\nfine_tune = 3", "fine_tune must be a table"),
        ("sparsity = 0.5\n[fine_tune]\nepoch = 3", "fine_tune has no field 'epoch' .did you mean 'epochs'"),
        ("sparsity = 0.5\n[fine_tune]\nepochs = 'many'", r"fine_tune\.epochs must be an integer"),
        ("sparsity = 0.5\nschedule = 'rigl'\n[rigl]\nintervall = 3", "rigl has no field 'intervall' .did you mean"),
        ("sparsity = 0.5\nschedule = 'rigl'\n[rigl]\ninterval = 0", r"rigl\.interval must be at least 1"),
        ("sparsity = 0.5\n[layers]\nfc1 = 2", r"layers\.fc1 must be in \[0, 1\], not 2"),
        ("sparsity = 0.5\n[layers.enc]\nfc1 = 'x'", r"layers\.enc\.fc1 must be a number"),
        ("sparsity = 0.5\n[layers]\na.b = 0.1\n'a.b' = 0.2", "layers names 'a.b' twice"),
        ("sparsity = 0.5\n[[first]]\nsparsity = 2", r"first\[0\]: sparsity must be in \[0, 1\], not 2"),
        ("sparsity = 0.5\n[[first]]\nsteps = 1", r"first\[0\] lacks the field 'sparsity'"),
        ("sparsity = 0.5\n[[first]]\nsparsity = 0\nseed = 1", r"first\[0\] has no field 'seed'"),
        ("sparsity = 0.5\nfirst = 1", "first must be a list of tables, not 1"),
        ("sparsity = ", "Invalid value"),
        (b"sparsity = 0.5 # \xff", "can't decode byte"),
    ],
)
def test_bad_recipes_name_the_file_and_the_field(recipe_of, text, message):
    with pytest.raises(InputError, match=rf"recipe\.toml: .*{message}"):
        recipe_of(text)


def test_a_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"none\.toml cannot be read: No such file"):
        PruneRecipe.from_toml(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"sparsity": 2}, "sparsity must be in"),
        ({"sparsity": 0.5, "fine_tune": {"epochs": 1}}, "fine_tune must be TrainSettings"),
        ({"sparsity": 0.5, "layers": [1]}, "layers must be a table"),
        ({"sparsity": 0.5, "first": (PruneRecipe(0.1),)}, r"first\[0\] must be a Stage"),
    ],
)
def test_python_callers_are_checked_too(fields, message):
    with pytest.raises(InputError, match=message):
        PruneRecipe(**fields)
