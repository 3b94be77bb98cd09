"""Every error that a user can cause is of one family, and a misspelt name is answered with the right one."""

from __future__ import annotations

import pytest

from fpgaprune import errors
from fpgaprune.errors import FpgapruneError, suggest

KNOWN = ("magnitude", "taylor", "random")


def test_every_error_of_the_module_is_one_that_the_command_line_catches():
    raised = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert len(raised) > 5
    assert all(issubclass(kind, FpgapruneError) for kind in raised)


@pytest.mark.parametrize("given", ["magnitud", "Magnitude", "magnitued", "mgnitude"])
def test_suggest_names_the_nearest_known_name(given):
    assert suggest(given, KNOWN) == " (did you mean 'magnitude'?)"


@pytest.mark.parametrize(("given", "known"), [("zzz", KNOWN), ("", KNOWN), ("taylor", ())])
def test_suggest_is_silent_when_nothing_is_near(given, known):
    assert suggest(given, known) == ""


def test_suggest_takes_any_iterable():
    assert suggest("taylr", iter(KNOWN)) == " (did you mean 'taylor'?)"
