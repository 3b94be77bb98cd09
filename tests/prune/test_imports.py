from __future__ import annotations

import sys

import pytest
from torch import nn

from fpgaprune.errors import InputError
from fpgaprune.prune.data import Data
from fpgaprune.prune.imports import build_data, build_model, import_object

MODULE = """
import torch
from torch import nn
from fpgaprune.prune import Data

class Zoo:
    @staticmethod
    def small():
        return nn.Linear(1, 1)

net = nn.Linear(2, 2)
number = 3

def lazy():
    import fp_test_helper
    return fp_test_helper.net()

def broken():
    raise KeyError("weights of\\nsome file")

def leaves():
    raise SystemExit(3)

def wrong():
    return 3

def loaders():
    batch = (torch.ones(1), torch.ones(1))
    return [batch], [batch]

def ready():
    return Data(*loaders())

def three():
    return (*loaders(), loaders()[0])
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return the current folder with a few modules, which are forgotten afterwards."""
    (tmp_path / "fp_test_models.py").write_text(MODULE)
    (tmp_path / "fp_test_helper.py").write_text("from torch import nn\n\ndef net():\n    return nn.Linear(3, 3)\n")
    (tmp_path / "fp_test_needs.py").write_text("import fp_test_absent\n")
    (tmp_path / "fp_test_fails.py").write_text("raise ValueError('no')\n")
    (tmp_path / "fp_test_exits.py").write_text("raise SystemExit('usage: train.py')\n")
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("fp_test") and name not in before]:
        del sys.modules[name]


@pytest.mark.usefixtures("folder")
def test_objects_come_from_the_current_folder_and_the_path_is_put_back():
    before = list(sys.path)
    assert import_object("fp_test_models:Zoo.small")().in_features == 1
    assert import_object("collections:OrderedDict")() == {}
    with pytest.raises(InputError):
        import_object("fp_test_fails:x")
    assert sys.path == before


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("fp_test_models", "must have the form pkg.module:name"),
        ("fp_test_models:", "must have the form pkg.module:name"),
        (":net", "must have the form pkg.module:name"),
        ("a b:net", "must have the form pkg.module:name"),
        ("sub/models.py:net", r"must have the form pkg.module:name; write sub\.models:net"),
        ("fp_test_nowhere:net", "there is no module 'fp_test_nowhere' in /"),
        ("fp_test_models.sub:net", "there is no module 'fp_test_models.sub'"),
        ("fp_test_needs:net", "importing .* failed: ModuleNotFoundError: No module named 'fp_test_absent'"),
        ("fp_test_fails:net", "importing 'fp_test_fails:net' failed: ValueError: no"),
        ("fp_test_exits:net", "failed: SystemExit: usage: train.py"),
        ("fp_test_models:nett", "'fp_test_models' has no attribute 'nett' .did you mean 'net'"),
        ("fp_test_models:Zoo.smal", "'Zoo' has no attribute 'smal' .did you mean 'small'"),
        ("fp_test_models:number", "is int, which cannot be called"),
    ],
)
def test_what_cannot_be_imported_is_explained(spec, message):
    with pytest.raises(InputError, match=message):
        import_object(spec)


@pytest.mark.usefixtures("folder")
def test_models():
    assert build_model("fp_test_models:net").in_features == 2
    assert build_model("fp_test_models:Zoo.small").in_features == 1
    assert build_model("fp_test_models:lazy").in_features == 3
    assert isinstance(build_model("torch.nn:ReLU"), nn.ReLU)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("fp_test_models:broken", "calling 'fp_test_models:broken' failed: KeyError"),
        ("fp_test_models:leaves", "failed: SystemExit: 3"),
        ("fp_test_models:wrong", r"must return a torch\.nn\.Module, not int"),
        ("torch.nn:Linear", "failed: TypeError"),
    ],
)
def test_factories_that_fail_are_explained(spec, message):
    with pytest.raises(InputError, match=message) as caught:
        build_model(spec)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("folder")
def test_data():
    assert isinstance(build_data("fp_test_models:loaders"), Data)
    assert len(build_data("fp_test_models:ready").example()) == 1
    assert len(list(build_data("fp_test_models:three").validation_batches())) == 1
    what = r"must return fpgaprune\.prune\.Data, \(train, test\) or \(train, test, validation\), not int"
    with pytest.raises(InputError, match=what):
        build_data("fp_test_models:wrong")
