"""Kernels as netlists: each beat's words, made of the words that are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, TypeVar

import numpy as np
from typing_extensions import assert_never

from fpgaprune.fixed import Rounding, bounds
from fpgaprune.lower.kernels import (
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
from fpgaprune.lower.nodes import (
    AtLeast,
    Chosen,
    Constant,
    Element,
    Inside,
    Limited,
    Looked,
    LookUp,
    Netlist,
    Node,
    Product,
    Scaled,
    Shifted,
    Sum,
    Term,
    Wrapped,
    wrapped,
)
from fpgaprune.lower.operations import NOTHING, operations
from fpgaprune.lower.partial import partial_sums
from fpgaprune.schedule import Folded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fpgaprune.lower.kernels import Finish, Port
    from fpgaprune.lower.operations import Operations
    from fpgaprune.schedule.lanes import Banks
    from fpgaprune.sparse import Int64Array

NetlistKernel: TypeAlias = (
    MatVecKernel
    | ElementKernel
    | ProductKernel
    | TableKernel
    | MaximumKernel
    | ArgMaxKernel
    | MatMulKernel
    | WireKernel
    | ConstantKernel
)
"""Kernels that make one beat of one beat from each source, each in one cycle: a folded matrix and others do not."""


def netlist(kernel: NetlistKernel) -> Netlist:
    """Return the operations of a kernel that takes a beat a cycle.

    Raises:
        GraphError: a folded matrix, which has lanes.
    """
    nodes = _Nodes(kernel.sources)
    match kernel:
        case MatVecKernel():
            return nodes.finished(_matrix(nodes, operations(kernel)), kernel.finish)
        case ElementKernel():
            return nodes.finished(_sums(nodes, kernel), kernel.finish)
        case ProductKernel():
            return nodes.finished(_products(nodes, kernel), kernel.finish)
        case MatMulKernel():
            return nodes.finished(_dots(nodes, kernel), kernel.finish)
        case TableKernel():
            return _table(nodes, kernel)
        case MaximumKernel():
            return nodes.ended(_maxima(nodes, kernel))
        case ArgMaxKernel():
            return nodes.ended([_argmax(nodes)])
        case WireKernel():
            elements = [place for port in range(len(kernel.sources)) for place in nodes.elements(port)]
            wires = zip(kernel.index.tolist(), kernel.shift.tolist(), strict=True)
            return nodes.ended([Term(elements[index], shift) for index, shift in wires], registered=False)
        case ConstantKernel():
            values = kernel.values[: kernel.result.size].tolist()
            return nodes.ended([Term(nodes.constant(int(value))) for value in values], registered=False)
        case _:
            assert_never(kernel)


def merged_rows(kernel: MatVecKernel) -> Netlist:
    """Return what makes rows of the parts of a folded matrix in registers; element i is part i."""
    nodes, program, sums = _Nodes(()), kernel.program, partial_sums(kernel)
    ends = zip(sums.part_low.tolist(), sums.part_high.tolist(), strict=True)
    parts = [nodes.add(Element(low, high, 0, part)) for part, (low, high) in enumerate(ends)]
    first = np.searchsorted(program.part_row, np.arange(kernel.result.size + 1)).tolist()
    rows = [
        _merged(
            nodes,
            parts[first[row] : first[row + 1]],
            int(kernel.bias[row]),
            kernel.sums.low[row],
            kernel.sums.high[row],
        )
        for row in range(kernel.result.size)
    ]
    return nodes.finished(rows, kernel.finish)


def merged_group(kernel: MatVecKernel, group: int) -> Netlist:
    """Return what makes a row of a group of a folded matrix in memories, a row of the group a cycle.

    Element i is the sum of the i-th lane of the group that has terms, zero where it has no part of the row; the last
    one is the bias, if any row has one.
    """
    nodes, sums = _Nodes(()), partial_sums(kernel)
    rows = rows_of(kernel, group)
    low, high = np.minimum(sums.lane_low, 0), np.maximum(sums.lane_high, 0)
    lanes = lanes_of(kernel, group)
    ends = [(low[lane], high[lane]) for lane in lanes]
    bias = bounds(kernel.bias[rows])
    ends += [bias] if any(bias) else []
    terms = [nodes.add(Element(int(least), int(most), 0, index)) for index, (least, most) in enumerate(ends)]
    total = _merged(nodes, terms, 0, kernel.sums.low[rows].min(), kernel.sums.high[rows].max())
    return nodes.ended([total if kernel.finish is None else nodes.finish(total, kernel.finish, rows)])


def rows_of(kernel: MatVecKernel, group: int) -> Int64Array:
    """Return the rows of a group, in the order of their places."""
    banks = _banks(kernel)
    rows = np.flatnonzero(banks.group == group)
    return rows[np.argsort(banks.position[rows])]


def lanes_of(kernel: MatVecKernel, group: int) -> list[int]:
    """Return the lanes of a group that have terms."""
    assert isinstance(kernel.plan, Folded)  # noqa: S101  # only folded matrices have lanes
    used = set(kernel.program.lane.tolist())
    return [lane for lane in range(group, kernel.program.lanes, kernel.plan.groups) if lane in used]


def _banks(kernel: MatVecKernel) -> Banks:
    assert kernel.program.banks is not None  # noqa: S101  # only memories have groups
    return kernel.program.banks


class _Nodes:
    """The nodes so far; equal ones are made once."""

    def __init__(self, sources: tuple[Port, ...]) -> None:
        self._sources = sources
        self._nodes: list[Node] = []
        self._places: dict[Node, int] = {}

    def add(self, node: Node) -> int:
        """Return the number of a node; what is always the same is a constant."""
        if node.low == node.high:
            node = Constant(node.low, node.low)
        place = self._places.setdefault(node, len(self._nodes))
        if place == len(self._nodes):
            self._nodes.append(node)
        return place

    def interval(self, place: int) -> tuple[int, int]:
        return self._nodes[place].low, self._nodes[place].high

    def constant(self, value: int) -> int:
        return self.add(Constant(value, value))

    def elements(self, port: int) -> list[int]:
        fmt = self._sources[port].format
        return [self.add(Element(fmt.low, fmt.high, port, index)) for index in range(self._sources[port].size)]

    def product(self, left: int, right: int) -> int:
        ends = [one * other for one in self.interval(left) for other in self.interval(right)]
        return self.add(Product(min(ends), max(ends), left, right))

    def sum(self, left: int, right: int) -> int:
        (low, high), (other_low, other_high) = self.interval(left), self.interval(right)
        return self.add(Sum(low + other_low, high + other_high, left, right))

    def finished(self, terms: Sequence[Term], finish: Finish | None) -> Netlist:
        """Return the netlist of exact words, each finished."""
        if finish is not None:
            terms = [self.finish(term, finish, np.array([element])) for element, term in enumerate(terms)]
        return self.ended(terms)

    def ended(self, terms: Sequence[Term], *, table: LookUp | None = None, registered: bool = True) -> Netlist:
        return Netlist(self._sources, tuple(self._nodes), tuple(terms), table, registered)

    def finish(self, term: Term, finish: Finish, elements: Int64Array) -> Term:
        """Return a term finished as each of the given elements is."""
        if len(finish.rounded.low) == 1:
            elements = np.zeros(1, dtype=np.int64)  # one interval for all of them
        low, high = int(finish.rounded.low[elements].min()), int(finish.rounded.high[elements].max())
        place, shift = term.place, finish.shift - term.shift
        if shift:
            rounding = finish.rounding if shift > 0 else Rounding.TRN
            place = self.add(Shifted(low, high, place, shift, rounding))
        least = finish.low if finish.binds_low[elements].any() else None
        most = finish.high if finish.binds_high[elements].any() else None
        if least is not None or most is not None:
            low, high = _clipped(low, least, most), _clipped(high, least, most)
            place = self.add(Limited(low, high, place, least, most))
        return Term(self._fitted(place, low, high, finish))

    def _fitted(self, place: int, low: int, high: int, finish: Finish) -> int:
        word = Word(finish.format.signed, finish.format.width)
        if word.holds(low, high):
            return place
        if low == high:
            return self.constant(0 if finish.zero_outside else wrapped(low, word))
        lowest, highest = -(1 << word.width - 1) if word.signed else 0, (1 << word.width - word.signed) - 1
        if not finish.zero_outside:
            return self.add(Wrapped(lowest, highest, place, word))
        return self.add(Inside(min(0, max(low, lowest)), max(0, min(high, highest)), place, lowest, highest))


def _merged(nodes: _Nodes, parts: Sequence[int], bias: int, low: int, high: int) -> Term:
    """Return the sum of parts and bias, which is known to be in ``low``…``high``."""
    terms = [*parts, nodes.constant(bias)] if bias or not parts else list(parts)
    while len(terms) > _LAST_TWO:
        terms = _joined(terms, nodes.sum)
    if len(terms) == 1:
        return Term(terms[0])
    left, right = terms
    return Term(nodes.add(Sum(int(low), int(high), left, right)))


_LAST_TWO = 2


def _clipped(value: int, least: int | None, most: int | None) -> int:
    value = value if least is None else max(value, least)
    return value if most is None else min(value, most)


def _sums(nodes: _Nodes, kernel: ElementKernel) -> list[Term]:
    columns = [nodes.elements(port) for port in range(len(kernel.sources))]
    if len(columns) == 1:
        return [Term(place, kernel.shifts[0]) for place in columns[0]]
    ends = zip(kernel.sums.low.tolist(), kernel.sums.high.tolist(), strict=True)
    shift, other = kernel.shifts
    return [
        Term(nodes.add(Sum(int(low), int(high), left, right, shift, other, kernel.subtract)))
        for left, right, (low, high) in zip(*columns, ends, strict=True)
    ]


def _products(nodes: _Nodes, kernel: ProductKernel) -> list[Term]:
    ends = zip(kernel.products.low.tolist(), kernel.products.high.tolist(), strict=True)
    return [
        Term(nodes.add(Product(int(low), int(high), left, right)))
        for left, right, (low, high) in zip(nodes.elements(0), nodes.elements(1), ends, strict=True)
    ]


def _dots(nodes: _Nodes, kernel: MatMulKernel) -> list[Term]:
    """All pairs of a row of the left and a column of the right matrix; they stand whole in one beat."""
    left = _rows(nodes.elements(0), kernel.inner)
    right = _rows(nodes.elements(1), kernel.inner)
    return [
        Term(_dot(nodes, row, column))
        for pair in range(kernel.batch)
        for row in left[pair * kernel.rows : (pair + 1) * kernel.rows]
        for column in right[pair * kernel.columns : (pair + 1) * kernel.columns]
    ]


def _rows(places: Sequence[int], size: int) -> list[Sequence[int]]:
    return [places[start : start + size] for start in range(0, len(places), size)]


def _dot(nodes: _Nodes, row: Sequence[int], column: Sequence[int]) -> int:
    return _tree([nodes.product(left, right) for left, right in zip(row, column, strict=True)], nodes.sum)


ItemT = TypeVar("ItemT")


def _tree(items: Sequence[ItemT], join: Callable[[ItemT, ItemT], ItemT]) -> ItemT:
    while len(items) > 1:
        items = _joined(items, join)
    return items[0]


def _joined(items: Sequence[ItemT], join: Callable[[ItemT, ItemT], ItemT]) -> list[ItemT]:
    """Join neighbours in pairs; the last of an odd number passes through."""
    pairs = [join(*items[start : start + 2]) for start in range(0, len(items) - 1, 2)]
    return [*pairs, *items[len(pairs) * 2 :]]


def _table(nodes: _Nodes, kernel: TableKernel) -> Netlist:
    table = LookUp(kernel.values, kernel.low)
    low, high = bounds(kernel.values)
    terms = [Term(nodes.add(Looked(low, high, place))) for place in nodes.elements(0)]
    return nodes.ended(terms, table=table)


def _maxima(nodes: _Nodes, kernel: MaximumKernel) -> list[Term]:
    size, places = kernel.result.size, nodes.elements(0)

    def larger(left: int, right: int) -> int:
        return _choose(nodes, _at_least(nodes, left, right), left, right)

    return [Term(_tree(places[word::size], larger)) for word in range(size)]


def _argmax(nodes: _Nodes) -> Term:
    def larger(left: tuple[int, int], right: tuple[int, int]) -> tuple[int, int]:
        first = _at_least(nodes, left[0], right[0])
        return _choose(nodes, first, left[0], right[0]), _choose(nodes, first, left[1], right[1])

    entries = [(place, nodes.constant(index)) for index, place in enumerate(nodes.elements(0))]
    return Term(_tree(entries, larger)[1])


def _at_least(nodes: _Nodes, left: int, right: int) -> int:
    return nodes.add(AtLeast(0, 1, left, right))


def _choose(nodes: _Nodes, condition: int, left: int, right: int) -> int:
    ends = (*nodes.interval(left), *nodes.interval(right))
    return nodes.add(Chosen(min(ends), max(ends), condition, left, right))


def _matrix(nodes: _Nodes, made: Operations) -> list[Term]:
    """The operations of a matrix; a value's low bits that are zero because of its operands' shifts are left out."""
    terms = [Term(place) for place in nodes.elements(0)]
    columns = (made.left, made.right, made.left_shift, made.right_shift, made.factor)
    ends = made.low[made.inputs :].tolist(), made.high[made.inputs :].tolist()
    listed = zip(*(column.tolist() for column in columns), *ends, strict=True)
    for left, right, left_shift, right_shift, factor, *interval in listed:
        if left == NOTHING:
            terms.append(Term(nodes.constant(factor)))
        elif right == NOTHING:
            terms.append(_scaled(nodes, terms[left], factor, interval))
        else:
            shifts = terms[left].shift + left_shift, terms[right].shift + right_shift
            places = terms[left].place, terms[right].place
            terms.append(_added(nodes, places, shifts, interval, subtract=factor < 0))
    rows = zip(made.row.tolist(), made.row_shift.tolist(), strict=True)
    return [Term(terms[row].place, terms[row].shift + shift) for row, shift in rows]


def _scaled(nodes: _Nodes, source: Term, factor: int, interval: Sequence[int]) -> Term:
    """Return a product: the source added to itself, or subtracted, where the factor has two digits.

    A multiplier takes the whole factor, so that there are as many as the estimate counts, and as the C++ has.
    """
    zeros = (factor & -factor).bit_length() - 1
    odd = factor >> zeros
    low, high = (end >> zeros for end in interval)
    place = source.place
    if _is_power(odd - 1):
        node: Node = Sum(low, high, place, place, left_shift=(odd - 1).bit_length() - 1)
    elif _is_power(odd + 1):
        node = Sum(low, high, place, place, left_shift=(odd + 1).bit_length() - 1, subtract=True)
    elif _is_power(1 - odd):
        node = Sum(low, high, place, place, right_shift=(1 - odd).bit_length() - 1, subtract=True)
    elif _is_power(-1 - odd):
        node = Scaled(low, high, place, odd)
    else:
        return Term(nodes.add(Scaled(interval[0], interval[1], place, factor)), source.shift)
    return Term(nodes.add(node), zeros + source.shift)


def _is_power(value: int) -> bool:
    return value > 0 and value & (value - 1) == 0


def _added(
    nodes: _Nodes, places: tuple[int, int], shifts: tuple[int, int], interval: Sequence[int], *, subtract: bool
) -> Term:
    zeros = min(shifts)
    low, high = -(-interval[0] >> zeros), interval[1] >> zeros
    node = Sum(low, high, *places, shifts[0] - zeros, shifts[1] - zeros, subtract)
    return Term(nodes.add(node), zeros)
