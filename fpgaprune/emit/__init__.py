"""Turn kernels into the text of a project: Kernels → Project."""

from fpgaprune.emit.emitter import emit
from fpgaprune.emit.project import Project
from fpgaprune.emit.vectors import Vectors

__all__ = ["Project", "Vectors", "emit"]
