"""What the whole suite shares: markers, the Hypothesis profile, and a slow definition of requantisation."""

from __future__ import annotations

import math
import os
import shutil

import pytest
import torch
from hypothesis import settings

from fpgaprune.fixed import Overflow, Rounding

settings.register_profile("fpgaprune", deadline=None, max_examples=100, derandomize=True, print_blob=True)
settings.load_profile("fpgaprune")


def pytest_collection_modifyitems(config, items):
    """Leave slow tests out of a run that asks for no marker."""
    if config.option.markexpr:
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    if slow:
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]


def pytest_runtest_setup(item):
    """Skip a test that needs a tool which is not installed, and say which."""
    for marker in item.iter_markers("needs"):
        missing = [tool for tool in marker.args if shutil.which(tool) is None]
        if missing:
            pytest.skip(f"needs {', '.join(missing)}, which is not installed")


def _nearest(tie):
    """Return the rounding to the nearest whole number that lets ``tie`` choose between the two of a half."""

    def rounded(value):
        below = math.floor(value)
        rest = 2 * (value - below)
        return tie(below, below + 1) if rest == 1 else below + (rest > 1)

    return rounded


_ROUND = {
    Rounding.TRN: math.floor,
    Rounding.TRN_ZERO: math.trunc,
    Rounding.RND: _nearest(max),
    Rounding.RND_MIN_INF: _nearest(min),
    Rounding.RND_ZERO: _nearest(lambda *ends: min(ends, key=abs)),
    Rounding.RND_INF: _nearest(lambda *ends: max(ends, key=abs)),
    Rounding.RND_CONV: _nearest(lambda *ends: next(end for end in ends if end % 2 == 0)),
}


def _fit(whole, to):
    values = 2**to.width
    low = -(values // 2) if to.signed else 0
    high = low + values - 1
    if to.overflow is Overflow.WRAP:
        return (whole - low) % values + low
    if to.overflow is Overflow.SAT_SYM and to.signed and to.width > 1:  # one bit: as the vendor's header, not its guide
        low += 1
    if low <= whole <= high:
        return whole
    if to.overflow is Overflow.SAT_ZERO:
        return 0
    return low if whole < low else high


@pytest.fixture(scope="session")
def exact():
    """The mantissa in a format of an exact value, given as a Fraction: AMD UG1399 in the fewest words."""

    def mantissa(value, to):
        return _fit(_ROUND[to.rounding](value * 2**to.fraction if to.fraction >= 0 else value / 2**-to.fraction), to)

    return mantissa


def pytest_addoption(parser):
    """`pytest --update-golden` writes the golden files anew; look at the difference before you commit it."""
    parser.addoption("--update-golden", action="store_true", help="write golden files instead of comparing with them")


@pytest.fixture
def update_golden(request):
    """Whether golden files are to be written."""
    return request.config.getoption("--update-golden")


def pytest_sessionfinish(session):
    """Where FPGAPRUNE_NO_SKIPS is set, as in CI, a skipped test fails the run: every tool must be there."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("FPGAPRUNE_NO_SKIPS") and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """One thread for torch: on nets of a few neurons, more of them only wait for one another."""
    torch.set_num_threads(1)
