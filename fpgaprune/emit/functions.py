"""Views of kernels that are functions of vectors: one beat from each source makes one beat of the result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import assert_never

from fpgaprune.emit.adders import adder_view
from fpgaprune.emit.cpp import as_table, distinct_rows, literal, parameter, smallest_type, table, word_type
from fpgaprune.emit.expressions import UNROLL_LIMIT, finished, row_value
from fpgaprune.emit.folded import folded_view
from fpgaprune.emit.views import (
    Declaration,
    ElementView,
    Group,
    MatMulView,
    MatVecView,
    ProcessView,
    TableView,
    WiresView,
)
from fpgaprune.fixed import bounds
from fpgaprune.lower import (
    ArgMaxKernel,
    ConstantKernel,
    ElementKernel,
    MatMulKernel,
    MatVecKernel,
    MaximumKernel,
    ProductKernel,
    TableKernel,
    WireKernel,
    Word,
)
from fpgaprune.schedule.plans import Adders, Folded, Multiply

if TYPE_CHECKING:
    from fpgaprune.emit.views import FunctionView
    from fpgaprune.lower import Kernel, Port

    Function = (
        MatVecKernel
        | ElementKernel
        | ProductKernel
        | TableKernel
        | MaximumKernel
        | ArgMaxKernel
        | WireKernel
        | ConstantKernel
        | MatMulKernel
    )


def function_name(identifier: str) -> str:
    """Return the name of a kernel's function; the prefix keeps layer names apart from those of the runtime."""
    return f"layer_{identifier}"


def function_signature(kernel: Function, identifier: str) -> str:
    """Return the signature of a kernel's function of arrays."""
    return f"void {function_name(identifier)}({_parameters(kernel)})"


def source_names(kernel: Kernel) -> tuple[str, ...]:
    """Return the parameters that a kernel's function or process reads: x, or x and w, or numbered ones."""
    count = len(kernel.sources)
    return ("x", "w")[:count] if count <= 2 else tuple(f"x{number}" for number in range(count))


def _parameters(kernel: Function) -> str:
    ports = zip(kernel.sources, source_names(kernel), strict=True)
    sources = [_parameter(port, name, constant=True) for port, name in ports]
    return ", ".join((*sources, _parameter(kernel.result, "y", constant=False)))


def _parameter(port: Port, name: str, *, constant: bool) -> str:
    return parameter(port, name, constant=constant)


def function_view(
    kernel: Function, design: str, identifier: str, comment: str, process: ProcessView | None, *, inline: bool
) -> FunctionView:
    """Return the view of a kernel's function, and of the process around it in a streaming design.

    ``inline`` tells whether the caller is pipelined as a whole: a process, or the body of a loop.
    """
    declared = Declaration(comment, function_signature(kernel, identifier))
    match kernel:
        case MatVecKernel():
            return _matrix(kernel, design, identifier, declared, process, inline=inline)
        case ElementKernel():
            return _element(kernel, design, declared, _element_value(kernel), process, inline=inline)
        case ProductKernel():
            return _element(kernel, design, declared, _product_value(kernel), process, inline=inline)
        case TableKernel():
            name = f"table_of_{identifier}"
            entries = TableView(word_type(kernel.result.word), name, _words(kernel))
            return _element(kernel, design, declared, _table_value(kernel, name), process, (entries,), inline=inline)
        case MaximumKernel():
            size, compared = kernel.result.size, kernel.source.size // kernel.result.size
            value = f"largest<{word_type(kernel.source.word)}, {compared}, {size}>(x + i)"
            return _element(kernel, design, declared, value, process, inline=inline)
        case ArgMaxKernel():
            types = f"{word_type(kernel.result.word)}, {word_type(kernel.source.word)}, {kernel.source.size}"
            return _element(kernel, design, declared, f"place_of_largest<{types}>(x + i)", process, inline=inline)
        case WireKernel():
            return WiresView(design, comment, declared.signature, tuple(_wires(kernel)), process)
        case ConstantKernel():
            elements = [f"y[{place}] = {literal(int(word), kernel.result.word)}" for place, word in _numbered(kernel)]
            return WiresView(design, comment, declared.signature, tuple(elements), process)
        case MatMulKernel():
            return matmul_view(kernel, design, identifier, declared, process, streaming=False, inline=inline)
        case _:
            assert_never(kernel)


def _numbered(kernel: ConstantKernel) -> list[tuple[int, int]]:
    return list(enumerate(kernel.values.tolist()))


def _matrix(
    kernel: MatVecKernel,
    design: str,
    identifier: str,
    declared: Declaration,
    process: ProcessView | None,
    *,
    inline: bool,
) -> FunctionView:
    terms = f"terms_of_{identifier}"
    match kernel.plan:
        case Multiply():
            return _matvec(kernel, design, terms, declared, process, inline=inline)
        case Adders():
            return adder_view(kernel, design, terms, declared, process, inline=inline)
        case Folded():
            return folded_view(kernel, kernel.plan, design, f"lanes_of_{identifier}", declared, process)
        case _:
            assert_never(kernel.plan)


def _matvec(
    kernel: MatVecKernel, design: str, terms: str, declared: Declaration, process: ProcessView | None, *, inline: bool
) -> MatVecView:
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
        process=process,
        inline=inline,
    )


def _element(
    kernel: ElementKernel | ProductKernel | TableKernel | MaximumKernel | ArgMaxKernel,
    design: str,
    declared: Declaration,
    value: str,
    process: ProcessView | None,
    tables: tuple[TableView, ...] = (),
    *,
    inline: bool,
) -> ElementView:
    ports = (*source_names(kernel), "y")
    return ElementView(
        design, declared.comment, declared.signature, ports, tables, "y", kernel.result.size, value, process, inline
    )


def _element_value(kernel: ElementKernel) -> str:
    word = Word.holding(*kernel.sums.bounds)
    terms = [
        f"shift_left<{word_type(word)}, {shift}>({name}[i])" if shift else f"{name}[i]"
        for name, shift in zip(source_names(kernel), kernel.shifts, strict=True)
    ]
    if len(terms) == 1:
        return terms[0] if kernel.finish is None else finished(terms[0], kernel.sources[0].word, kernel.finish)
    sign = "-" if kernel.subtract else "+"
    value = f"{word_type(word)}({terms[0]} {sign} {terms[1]})"
    return value if kernel.finish is None else finished(value, word, kernel.finish)


def _product_value(kernel: ProductKernel) -> str:
    word = Word.holding(*kernel.products.bounds)
    value = f"{word_type(word)}(x[i] * w[i])"
    return value if kernel.finish is None else finished(value, word, kernel.finish)


def _table_value(kernel: TableKernel, name: str) -> str:
    offset = f" - {kernel.low}" if kernel.low > 0 else f" + {-kernel.low}" if kernel.low else ""
    return f"{name}[int(x[i]){offset}]"


def _words(kernel: TableKernel) -> str:
    return table(as_table(kernel.values))


def _wires(kernel: WireKernel) -> list[str]:
    places = [
        f"{name}[{place}]"
        for name, port in zip(source_names(kernel), kernel.sources, strict=True)
        for place in range(port.size)
    ]
    word = word_type(kernel.result.word)
    wires = zip(kernel.index.tolist(), kernel.shift.tolist(), strict=True)
    return [
        f"y[{number}] = shift_left<{word}, {shift}>({places[index]})" if shift else f"y[{number}] = {places[index]}"
        for number, (index, shift) in enumerate(wires)
    ]


def matmul_view(
    kernel: MatMulKernel,
    design: str,
    identifier: str,
    declared: Declaration,
    process: ProcessView | None,
    *,
    streaming: bool,
    inline: bool,
) -> MatMulView:
    """Return the view of a product of two matrices, as a function of arrays or as a process that reads their rows."""
    word = Word.holding(*kernel.sums.bounds)
    value = "sum" if kernel.finish is None else finished("sum", word, kernel.finish)
    return MatMulView(
        design=design,
        comment=declared.comment,
        signature=declared.signature,
        row=f"row_of_{identifier}",
        left_word=word_type(kernel.left.word),
        right_word=word_type(kernel.right.word),
        result_word=word_type(kernel.result.word),
        sum_word=word_type(word),
        value=value,
        batch=kernel.batch,
        rows=kernel.rows,
        columns=kernel.columns,
        inner=kernel.inner,
        streaming=streaming,
        inline=inline,
        left_beat=beat_type(kernel.left),
        right_beat=beat_type(kernel.right),
        result_beat=beat_type(kernel.result),
        process=process,
    )


def beat_type(port: Port) -> str:
    """Return the C++ type of one beat of a port."""
    return f"Beat<{word_type(port.word)}, {port.size}>"
