"""What each template sees: frozen views of kernels, with every word and name already chosen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from typing_extensions import assert_never

from fpgaprune.emit.cpp import as_table, distinct_rows, literal, parameter, smallest_type, table, word_type
from fpgaprune.emit.expressions import UNROLL_LIMIT, finished, row_value
from fpgaprune.fixed import bounds
from fpgaprune.lower import ConstantKernel, ElementKernel, Kernel, MatVecKernel, WireKernel, Word

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Declaration:
    """A kernel as its callers see it."""

    comment: str
    signature: str


@dataclass(frozen=True)
class Group:
    """Rows that one function computes, few enough terms to be unrolled."""

    name: str
    rows: tuple[str, ...]


@dataclass(frozen=True)
class MatVecView:
    """A matrix kernel: its tables of non-zeros and a line for each row."""

    design: str
    terms: str
    comment: str
    signature: str
    parameters: str
    source: str
    result: str
    nonzeros: int
    column_type: str
    columns: str
    weight_type: str
    weights: str
    groups: tuple[Group, ...]


@dataclass(frozen=True)
class ElementView:
    """An element-wise kernel: one expression for all elements."""

    design: str
    comment: str
    signature: str
    ports: tuple[str, ...]
    result: str
    size: int
    value: str


@dataclass(frozen=True)
class WiresView:
    """Wires or constants: a line for each element."""

    design: str
    comment: str
    signature: str
    elements: tuple[str, ...]


KernelView = MatVecView | ElementView | WiresView

TEMPLATES: Mapping[type[KernelView], str] = {
    MatVecView: "vitis/matvec.cpp.j2",
    ElementView: "vitis/element.cpp.j2",
    WiresView: "vitis/wires.cpp.j2",
}


def function_name(identifier: str) -> str:
    """Return the name of a kernel's function; the prefix keeps layer names apart from those of the runtime."""
    return f"layer_{identifier}"


def declaration(kernel: Kernel, identifier: str) -> Declaration:
    """Return the kernel's comment and signature."""
    return Declaration(describe(kernel), f"void {function_name(identifier)}({_parameters(kernel)})")


def describe(kernel: Kernel) -> str:
    """Return one line that says what the kernel computes; names come out as safe words."""
    match kernel:
        case MatVecKernel():
            rows, columns = kernel.weights.shape
            return (
                f"{rows} sums over {columns} inputs, {kernel.weights.nonzeros} non-zero weights "
                f"({100 * kernel.weights.sparsity:.1f} % sparse), strategy {kernel.strategy.value}, interval 1"
            )
        case ElementKernel():
            kind = "sum of two vectors" if len(kernel.sources) > 1 else "requantisation"
            return f"{kind}, {_count(kernel.result.size)}"
        case WireKernel():
            return f"wires, {_count(kernel.result.size)}"
        case ConstantKernel():
            return f"constants, {_count(kernel.result.size)}"
        case _:
            assert_never(kernel)


def _count(elements: int) -> str:
    return "1 element" if elements == 1 else f"{elements} elements"


def kernel_view(kernel: Kernel, design: str, identifier: str) -> KernelView:
    """Return the view of a kernel for its template."""
    declared = declaration(kernel, identifier)
    match kernel:
        case MatVecKernel():
            return _matvec_view(kernel, design, f"terms_of_{identifier}", declared)
        case ElementKernel():
            return _element_view(kernel, design, declared)
        case WireKernel():
            elements = [
                f"y[{place}] = {_wire(kernel, int(index), int(shift))}"
                for place, (index, shift) in enumerate(zip(kernel.index, kernel.shift, strict=True))
            ]
            return WiresView(design, declared.comment, declared.signature, tuple(elements))
        case ConstantKernel():
            elements = [
                f"y[{place}] = {literal(int(value), kernel.result.word)}" for place, value in enumerate(kernel.values)
            ]
            return WiresView(design, declared.comment, declared.signature, tuple(elements))
        case _:
            assert_never(kernel)


def _parameters(kernel: Kernel) -> str:
    match kernel:
        case ConstantKernel():
            sources: tuple[str, ...] = ()
        case ElementKernel():
            sources = tuple(
                parameter(port, name, constant=True) for port, name in zip(kernel.sources, "xw", strict=False)
            )
        case MatVecKernel() | WireKernel():
            sources = (parameter(kernel.source, "x", constant=True),)
        case _:
            assert_never(kernel)
    return ", ".join((*sources, parameter(kernel.result, "y", constant=False)))


def _matvec_view(kernel: MatVecKernel, design: str, terms: str, declared: Declaration) -> MatVecView:
    weights = kernel.weights
    weight = Word.holding(*bounds(weights.weight))
    groups = [
        Group(
            f"rows_{rows.start}_to_{rows.stop - 1}",
            tuple(f"y[{row}] = {row_value(kernel, row, weight)}" for row in rows),
        )
        for rows in distinct_rows(weights.row_start, UNROLL_LIMIT)
    ]
    return MatVecView(
        design=design,
        terms=terms,
        comment=declared.comment,
        signature=declared.signature,
        parameters=_parameters(kernel),
        source="x",
        result="y",
        nonzeros=weights.nonzeros,
        column_type=smallest_type(weights.column),
        columns=table(as_table(weights.column)),
        weight_type=smallest_type(weights.weight),
        weights=table(as_table(weights.weight)),
        groups=tuple(groups),
    )


def _element_view(kernel: ElementKernel, design: str, declared: Declaration) -> ElementView:
    names = ("x", "w")[: len(kernel.sources)]
    word = Word.holding(*kernel.sums.bounds)
    terms = [
        f"shift_left<{word_type(word)}, {shift}>({name}[i])" if shift else f"{name}[i]"
        for name, shift in zip(names, kernel.shifts, strict=True)
    ]
    value = f"{word_type(word)}({' + '.join(terms)})" if len(terms) > 1 else terms[0]
    if kernel.finish is not None:
        value = finished(value, word if len(terms) > 1 else kernel.sources[0].word, kernel.finish)
    ports = (*names, "y")
    return ElementView(design, declared.comment, declared.signature, ports, "y", kernel.result.size, value)


def _wire(kernel: WireKernel, index: int, shift: int) -> str:
    if not shift:
        return f"x[{index}]"
    return f"shift_left<{word_type(kernel.result.word)}, {shift}>(x[{index}])"
