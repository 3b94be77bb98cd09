"""What the operations of a matrix take at interval 1: adders, multipliers, and registers where the clock cuts them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from fpgaprune.digits import signed_digits, trailing_zeros
from fpgaprune.lower.operations import operations

if TYPE_CHECKING:
    import numpy.typing as npt

    from fpgaprune.fabric import Fabric
    from fpgaprune.lower.kernels import MatVecKernel
    from fpgaprune.lower.operations import Operations
    from fpgaprune.sparse import Int64Array


Flags: TypeAlias = "npt.NDArray[np.bool_]"


def adder_bits(operations: Operations) -> int:
    """Return the bits that all adders span.

    A sum spans the bits of its result down to the lowest bit that both operands have: below it wires do. A product
    with a factor of two signed digits is an adder, too.
    """
    return int(_spans(operations).sum()) + _shifted(operations)


def adder_tables(operations: Operations, within: Flags) -> int:
    """Return the look-up tables of all adders but those ``within`` DSP slices.

    They are those of the bits that a sum spans up to the highest that both operands have: above it a carry chain takes
    the other one as it is, unless the sum is a difference or the narrower one has a sign to extend.
    """
    sums = operations.sums
    spans = _spans(operations)
    ends = [
        operations.width[place[sums]] + shift[sums]
        for place, shift in ((operations.left, operations.left_shift), (operations.right, operations.right_shift))
    ]
    narrower = np.where(ends[0] <= ends[1], operations.left[sums], operations.right[sums])
    plain = (operations.low[narrower] >= 0) & (operations.factor[sums] > 0)
    above = np.maximum(operations.width[operations.inputs :][sums] - np.minimum(*ends), 0)
    tables = np.where(plain, np.maximum(spans - above, 1), spans)
    return int(tables[~within[operations.inputs :][sums]].sum()) + _shifted(operations)


def _shifted(operations: Operations) -> int:
    """The bits of products with a factor of two signed digits."""
    return int((operations.width[operations.left[operations.products][_digits(operations) == 2]] + 1).sum())


def _spans(operations: Operations) -> Int64Array:
    sums = operations.sums
    negated = (operations.low == 0) & (operations.high == 0)  # zero minus a value spans that value
    zeros = np.where(negated, 0, operations.zeros)
    shared = np.maximum(
        zeros[operations.left[sums]] + operations.left_shift[sums],
        zeros[operations.right[sums]] + operations.right_shift[sums],
    )
    spans: Int64Array = np.maximum(operations.width[operations.inputs :][sums] - shared, 1)
    return spans


def multipliers(operations: Operations) -> int:
    """Return the multipliers: products with a factor of more than two signed digits.

    Those of one element and one factor are one, and Yosys makes one of positive factors that differ by a power of two.
    """
    return len(_multipliers(operations)[0])


def _multipliers(operations: Operations) -> tuple[Int64Array, Int64Array]:
    """Return how many products each multiplier makes, and for each product that has one which it is."""
    many = _digits(operations) > 2
    factor = operations.factor[operations.products][many].astype(np.int64)
    odd = np.where(factor > 0, factor >> trailing_zeros(factor), factor)
    key = np.stack([operations.left[operations.products][many], odd])
    _, which, made = np.unique(key, axis=1, return_inverse=True, return_counts=True)
    return made, which.reshape(-1)


def sliced(operations: Operations) -> Flags:
    """Return which values DSP slices make where every multiplier is one slice: products, and a sum with each of them.

    Yosys packs a sum into the slice of an odd product that nothing else reads, where the sum takes it unshifted and is
    no difference; zeros below an even product are wires behind the slice.
    """
    found = np.zeros(len(operations.low), dtype=np.bool_)
    made, which = _multipliers(operations)
    products = found[operations.inputs :][operations.products]
    products[_digits(operations) > 2] = made[which] == 1
    found[operations.inputs :][operations.products] = products
    alone = found & (_reads(operations) == 1) & (operations.zeros == 0)
    sums = operations.sums
    left, right = operations.left[sums], operations.right[sums]
    joined = (alone[left] & (operations.left_shift[sums] == 0)) | (alone[right] & (operations.right_shift[sums] == 0))
    found[operations.inputs :][sums] = joined & (operations.factor[sums] > 0)
    return found


def _reads(operations: Operations) -> Int64Array:
    read = np.concatenate([operations.left[operations.left >= 0], operations.right[operations.right >= 0]])
    return np.bincount(np.concatenate([read, operations.row]), minlength=len(operations.low))


def _digits(operations: Operations) -> Int64Array:
    return signed_digits(operations.factor[operations.products].astype(np.int64))


def cuts(kernel: MatVecKernel, fabric: Fabric, budget: float) -> tuple[int, ...]:
    """Return the levels of a matrix at interval 1 after which a register stands, as `stages` says."""
    return stages(operations(kernel), fabric, budget, ending=kernel.finish.levels if kernel.finish else 0)


def stages(operations: Operations, fabric: Fabric, budget: float, *, ending: int) -> tuple[int, ...]:
    """Return the levels after which a register stands: before the next one would pass the budget of a period in ns.

    ``ending`` are the levels of the finish that follows. The register of the results is not among them.
    """
    delays = [fabric.adder_ns] * (operations.depth + ending)
    if multipliers(operations):
        delays[0] = fabric.multiplier_ns
    found: list[int] = []
    used = 0.0
    for level, delay in enumerate(delays):
        if used and used + delay > budget:
            found.append(level)
            used = 0.0
        used += delay
    return tuple(found)


def live_bits(operations: Operations, cuts: tuple[int, ...], within: Flags, dropped: int = 0) -> int:
    """Return the bits that registers after the given levels hold: values made before each and read after it.

    Constants and low bits that are always zero need none, and the first register of a value ``within`` a DSP slice is
    the slice's own. Of rows that nothing else reads the lowest ``dropped`` bits are not kept.
    """
    level, last = operations.level, _last_read(operations)
    moving = operations.low != operations.high
    unused = operations.zeros.copy()
    alone = _reads(operations)[operations.row] == 1
    unused[operations.row[alone]] = np.maximum(unused[operations.row], dropped - operations.row_shift)[alone]
    bits = np.maximum(operations.width - np.minimum(unused, operations.width), 1) * moving
    held = np.zeros(len(bits), dtype=np.int64)
    for cut in cuts:
        held += (level <= cut) & (last > cut)
    held -= within & (held > 0)
    return int((bits * held).sum())


def _last_read(operations: Operations) -> Int64Array:
    """The level of the last operation that reads each value; rows are read after all of them."""
    last = np.full(len(operations.low), -1)
    made = operations.level[operations.inputs :]
    for operand in (operations.left, operations.right):
        read = operand >= 0
        np.maximum.at(last, operand[read], made[read])
    last[operations.row] = operations.depth + 1
    return last
