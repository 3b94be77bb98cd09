from __future__ import annotations

import pytest
from rich.console import Console

from fpgaprune.prune import progress


def advance(*, show: bool) -> None:
    with progress.progress_bar("training", 2, show=show) as step:
        step()
        step()


def test_nothing_is_shown_outside_a_terminal(capfd):
    advance(show=True)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("show", [True, False])
def test_a_terminal_shows_the_bar_if_asked(monkeypatch, capfd, show):
    monkeypatch.setattr(progress, "Console", lambda **options: Console(**options, force_terminal=True))
    advance(show=show)
    out, err = capfd.readouterr()
    assert out == ""
    assert ("training" in err) is show
