"""The versions of the tools that count designs, on which their numbers depend."""

from __future__ import annotations

import platform
from functools import cache
from typing import TYPE_CHECKING

from fpgaprune import vendor, yosys
from fpgaprune.errors import InputError, ToolError

if TYPE_CHECKING:
    from pathlib import Path


def versions(tool: str) -> tuple[str, ...]:
    """Return the versions of a tool and of those that it works with; none where one of them is not installed here."""
    if tool == "yosys":
        try:
            return (f"yosys {yosys.version()}",)
        except ToolError:
            return ()
    paths = {maker: vendor.find(maker) for maker in vendor.makers(vendor.Maker(tool))}
    return () if None in paths.values() else tuple(_version(maker, path) for maker, path in paths.items())


@cache
def _version(maker: vendor.Maker, _path: Path | None) -> str:
    """Return the version of a program at a path; it takes seconds to say so."""
    return str(vendor.require(maker))


def refuse_other(tool: str, planned: tuple[str, ...]) -> None:
    """Refuse tools of other versions than a sweep was planned with, unless they were not installed there.

    Raises:
        InputError: the versions here differ.
    """
    found = versions(tool)
    if planned and found and found != planned:
        msg = f"{platform.node()} has {', '.join(found)}, but the sweep was planned with {', '.join(planned)}; "
        msg += "let all machines have the same version"
        raise InputError(msg)
