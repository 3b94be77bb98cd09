"""One line that says what a kernel computes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import assert_never

from fpgaprune.fabric import CLOCK_SHARE, FABRICS
from fpgaprune.lower import (
    AccumulateKernel,
    ArgMaxKernel,
    BufferKernel,
    ConstantKernel,
    ElementKernel,
    ForkKernel,
    Kernel,
    MatMulKernel,
    MatVecKernel,
    MaximumKernel,
    ProductKernel,
    ScanKernel,
    TableKernel,
    WindowKernel,
    WireKernel,
)
from fpgaprune.lower.operations import operations
from fpgaprune.lower.pipeline import cuts
from fpgaprune.schedule import Access, Folded

if TYPE_CHECKING:
    from fpgaprune.schedule import Design


def describe(kernel: Kernel, design: Design) -> str:
    """Return what the kernel computes and how it is built; no name that a user chose comes in."""
    match kernel:
        case MatVecKernel():
            rows, columns = kernel.weights.shape
            return (
                f"{rows} sums over {columns} inputs, {kernel.weights.nonzeros} non-zero weights "
                f"({100 * kernel.weights.sparsity:.1f} % sparse), {_built(kernel, design)}, interval "
                f"{kernel.result.beats * kernel.interval}"
            )
        case ElementKernel():
            return f"{_elementwise(kernel)}, {_count(kernel.result.size)}"
        case ProductKernel():
            return f"product of two vectors, {_count(kernel.result.size)}"
        case TableKernel():
            return f"a table of {len(kernel.values)} words, {_count(kernel.result.size)}"
        case MaximumKernel():
            return f"the largest of each {kernel.source.size // kernel.result.size}, {_count(kernel.result.size)}"
        case ArgMaxKernel():
            return f"the place of the largest of {kernel.source.size}"
        case MatMulKernel():
            return (
                f"{kernel.batch} times ({kernel.rows}, {kernel.inner}) by ({kernel.inner}, {kernel.columns}), "
                "both from the input"
            )
        case WireKernel():
            return f"wires, {_count(kernel.result.size)}"
        case ConstantKernel():
            return f"constants, {_count(kernel.result.size)}"
        case WindowKernel():
            full = kernel.windows.taps * kernel.source.size
            return f"a window over {_by(kernel.shape)} positions, {len(kernel.kept)} of {full} elements kept"
        case AccumulateKernel():
            return f"the sum of {kernel.source.beats} beats, {_count(kernel.result.size)}"
        case BufferKernel():
            return f"{kernel.source.beats} beats in another order, as {kernel.result.beats}"
        case ScanKernel():
            return f"a loop of {kernel.source.beats} steps over {len(kernel.body)} kernels"
        case ForkKernel():
            return f"{len(kernel.results)} copies of each beat"
        case _:
            assert_never(kernel)


def _built(kernel: MatVecKernel, design: Design) -> str:
    strategy = f"strategy {kernel.strategy.value}"
    if not isinstance(kernel.plan, Folded):
        return f"{strategy}: {_pipeline(kernel, design)}"
    memories = f" over {_many(kernel.plan.banks, 'bank')} of memories" if kernel.plan.access is Access.MEMORIES else ""
    return f"{strategy}: {_many(kernel.program.lanes, 'lane')}{memories}"


def _pipeline(kernel: MatVecKernel, design: Design) -> str:
    """The cuts are those that the estimate and the Verilog have; the vendor's compiler plans its own at that clock."""
    made = operations(kernel)
    found = cuts(kernel, FABRICS[design.board.family], design.clock_ns * CLOCK_SHARE)
    after = f", registers after {', '.join(str(level) for level in found)}" if found else ""
    return f"{_many(int(made.sums.sum()), 'addition')}, {_many(made.depth, 'level')}{after} at {design.clock_ns:g} ns"


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _elementwise(kernel: ElementKernel) -> str:
    if len(kernel.sources) == 1:
        return "requantisation"
    return "difference of two vectors" if kernel.subtract else "sum of two vectors"


def _count(elements: int) -> str:
    return "1 element" if elements == 1 else f"{elements} elements"


def _by(shape: tuple[int, ...]) -> str:
    return " by ".join(map(str, shape))
