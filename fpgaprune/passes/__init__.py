"""Compile-time clean-up: each pass is one function from a Graph to a Graph that computes the same."""

from fpgaprune.passes.pipeline import PIPELINE, Pass, optimise

__all__ = ["PIPELINE", "Pass", "optimise"]
