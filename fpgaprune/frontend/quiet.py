"""hls4ml without what it prints."""

from __future__ import annotations

import contextlib
import io
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep stdout clean and silence warnings: hls4ml reports its progress on stdout and warns of what it overrides."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
