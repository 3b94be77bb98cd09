"""Projects whose plans are chosen for a board, from a quantised model to C-simulation."""

from __future__ import annotations

import pytest

from fpgaprune.emit import emit
from fpgaprune.errors import InputError
from fpgaprune.fit import Aim, Budget, Goal, fit
from fpgaprune.flow import FitRequest, Options, plan_of
from fpgaprune.lower import lower
from fpgaprune.schedule import Interface, Strategy, multiply, strategy_of
from fpgaprune.sim import ProjectFolder, csim
from tests.fit.test_timing import convolutions, recurrent
from tests.nets import PYNQ, mlp

NET = mlp((24, 16, 4), 0.5)


def test_without_a_strategy_the_default_goal_and_budget_are_asked_for():
    assert plan_of(None, PYNQ) == FitRequest(Goal(Aim.INTERVAL), Budget())
    assert plan_of(Strategy.MULTIPLY, PYNQ) is multiply
    assert Options().plan is multiply


@pytest.mark.parametrize("numbers", [{"reuse": 4}, {"lanes": 4}])
def test_numbers_for_folded_matrices_need_that_strategy(numbers):
    with pytest.raises(InputError, match="add --strategy folded"):
        plan_of(None, PYNQ, **numbers)


@pytest.mark.needs("g++", "make")
@pytest.mark.parametrize(
    ("graph", "interface", "folds"),
    [
        (NET, Interface.PARALLEL, False),
        (NET, Interface.PARALLEL, True),
        (convolutions(), Interface.STREAM, True),
        (recurrent(), Interface.STREAM, True),
    ],
    ids=["unfolded", "folded", "convolutions", "recurrent"],
)
def test_a_fitted_project_is_exact(tmp_path, graph, interface, folds):
    goal = Goal(Aim.AREA, interval_cycles=2000) if folds else Goal()
    fitted = fit(graph, PYNQ, goal=goal, interface=interface)
    assert (Strategy.FOLDED in {strategy_of(plan) for plan in fitted.chosen.values()}) == folds
    emit(lower(fitted.design)).write(tmp_path / "net")
    folder = ProjectFolder.load(tmp_path / "net")
    assert folder.design.plans.keys() == fitted.chosen.keys()
    assert csim(folder, samples=40).exact
