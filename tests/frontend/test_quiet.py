"""What hls4ml says stays unsaid; what it raises comes through."""

from __future__ import annotations

import warnings

import pytest

from fpgaprune.frontend.quiet import quiet


def chatter():
    print("WARNING: a layer was changed")  # noqa: T201  # as hls4ml does
    warnings.warn("an attribute was overridden", UserWarning, stacklevel=1)
    raise KeyError


def test_prints_and_warnings_are_swallowed_and_errors_are_not(capfd):
    with pytest.raises(KeyError), quiet():
        chatter()
    assert capfd.readouterr() == ("", "")
    print("afterwards")  # noqa: T201  # the terminal is back
    assert capfd.readouterr().out == "afterwards\n"
