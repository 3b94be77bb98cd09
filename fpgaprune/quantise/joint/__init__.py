"""Training in fixed point that makes weights cheaper at the same time: fewer signed digits, or fewer bits."""

from __future__ import annotations

from fpgaprune.quantise.joint.api import compress

__all__ = ["compress"]
