"""The Verilog expression of each node of a netlist: signed exactly where an operand can be negative."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import assert_never

from fpgaprune.fixed import Rounding
from fpgaprune.lower.nodes import (
    AtLeast,
    Chosen,
    Constant,
    Element,
    Inside,
    Limited,
    Looked,
    Product,
    Scaled,
    Shifted,
    Sum,
    Wrapped,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fpgaprune.lower import Word
    from fpgaprune.lower.nodes import Node

_DECIMAL = 32
"""Widest literal that is written in decimal."""


def literal(value: int, *, signed: bool) -> str:
    """Return a literal just as wide as its value; a negative one is the negation of one that cannot overflow."""
    if value < 0:
        return f"-{literal(-value, signed=True)}"
    width = max(1, value.bit_length()) + signed
    base, digits = ("d", f"{value}") if width <= _DECIMAL else ("h", f"{value:x}")
    return f"{width}'{'s' * signed}{base}{digits}"


def declared(word: Word, name: str, kind: str = "wire") -> str:
    """Return the declaration of a word."""
    return f"{kind} {'signed ' * word.signed}[{word.width - 1}:0] {name}"


def operand(name: str, word: Word, *, signed: bool) -> str:
    """Return a word as an operand of an expression that is signed or not."""
    return f"$signed({{1'b0, {name}}})" if signed and not word.signed else name


class Expressions:
    """Writes expressions over the nodes of a netlist, each called ``name(place)``, and elements ``element(node)``."""

    def __init__(
        self, nodes: Sequence[Node], name: Callable[[int], str], element: Callable[[Element], str] | None = None
    ) -> None:
        self._nodes = nodes
        self._name = name
        self._element = element

    def of(self, node: Node) -> str:
        """Return the expression; assigned to a wire of the node's word it has the node's value."""
        match node:
            case Element():
                assert self._element is not None  # noqa: S101  # only results are read without elements
                return self._element(node)
            case Constant():
                return literal(node.low, signed=node.low < 0)
            case Sum():
                return self._sum(node)
            case Scaled():
                return self._scaled(node)
            case Product():
                signed = self._any_signed(node.left, node.right)
                return f"{self.read(node.left, signed=signed)} * {self.read(node.right, signed=signed)}"
            case Shifted():
                return self._shifted(node)
            case Limited():
                return self._limited(node)
            case Inside():
                outside = self._outside(node.source, node.least, node.most)
                return f"{outside} ? {node.word.width}'d0 : {self.fit(node.source, node.word)}"
            case Wrapped():
                return self.fit(node.source, node.word)
            case Looked():
                return f"look_up({self._name(node.source)})"
            case AtLeast():
                signed = self._any_signed(node.left, node.right)
                return f"{self.read(node.left, signed=signed)} >= {self.read(node.right, signed=signed)}"
            case Chosen():
                signed = self._any_signed(node.left, node.right)
                left, right = (self.read(place, signed=signed) for place in (node.left, node.right))
                return f"{self._name(node.condition)} ? {left} : {right}"
            case _:
                assert_never(node)

    def read(self, place: int, *, signed: bool, shift: int = 0) -> str:
        """Return a node, shifted left, as an operand of an expression that is signed or not."""
        node = self._nodes[place]
        if isinstance(node, Constant):
            return literal(node.low << shift, signed=signed)
        text = operand(self._name(place), node.word, signed=signed)
        return f"({text} <<< {shift})" if shift else text

    def fit(self, place: int, word: Word) -> str:
        """Return the low bits of a node that a word takes; a narrower node is extended by its own sign."""
        node = self._nodes[place]
        if isinstance(node, Constant):
            return literal(node.low, signed=node.low < 0)
        return f"{self._name(place)}[{word.width - 1}:0]" if node.word.width > word.width else self._name(place)

    def _any_signed(self, *places: int) -> bool:
        return any(self._nodes[place].word.signed for place in places)

    def _sum(self, node: Sum) -> str:
        signed = node.subtract or self._any_signed(node.left, node.right)
        left = self.read(node.left, signed=signed, shift=node.left_shift)
        right = self.read(node.right, signed=signed, shift=node.right_shift)
        return f"{left} {'-' if node.subtract else '+'} {right}"

    def _scaled(self, node: Scaled) -> str:
        signed = node.factor < 0 or self._any_signed(node.source)
        source = self.read(node.source, signed=signed)
        power = -node.factor - 1
        if power > 0 and power & (power - 1) == 0:
            return f"-{self.read(node.source, signed=signed, shift=power.bit_length() - 1)} - {source}"
        return f"{source} * {literal(node.factor, signed=signed)}"

    def _shifted(self, node: Shifted) -> str:
        signed = self._any_signed(node.source)
        if node.shift <= 0:
            return self.read(node.source, signed=signed, shift=-node.shift)
        down = f"{self.read(node.source, signed=signed)} {'>>>' if signed else '>>'} {node.shift}"
        if not node.adds:
            return down
        step = self._step(node)
        return f"({down}) + $signed({{1'b0, {step}}})" if signed else f"({down}) + {step}"

    def _step(self, node: Shifted) -> str:
        """Return the bit that rounding adds, from the bits that are dropped, the sign and the lowest that stays."""
        half, below = self._bit(node.source, node.shift - 1), self._bits_below(node.source, node.shift - 1)
        sign = self._bit(node.source, self._nodes[node.source].word.width)
        match node.rounding:
            case Rounding.TRN:
                return "1'b0"
            case Rounding.TRN_ZERO:
                return f"({sign} & ({half} | {below}))"
            case Rounding.RND:
                return half
            case Rounding.RND_ZERO:
                return f"({half} & ({below} | {sign}))"
            case Rounding.RND_INF:
                return f"({half} & ({below} | ~{sign}))"
            case Rounding.RND_MIN_INF:
                return f"({half} & {below})"
            case Rounding.RND_CONV:
                return f"({half} & ({below} | {self._bit(node.source, node.shift)}))"
            case _:
                assert_never(node.rounding)

    def _bit(self, place: int, number: int) -> str:
        """Return a bit of a node, which its sign or zero continues above its word."""
        word = self._nodes[place].word
        if number < word.width:
            return f"{self._name(place)}[{number}]"
        return f"{self._name(place)}[{word.width - 1}]" if word.signed else "1'b0"

    def _bits_below(self, place: int, number: int) -> str:
        if number == 0:
            return "1'b0"
        return f"|{self._name(place)}[{min(number, self._nodes[place].word.width) - 1}:0]"

    def _limited(self, node: Limited) -> str:
        signed, width = self._any_signed(node.source), node.word.width
        text = self.fit(node.source, node.word)
        for limit, comparison in ((node.most, ">"), (node.least, "<")):
            if limit is not None:
                bound = f"{self._name(node.source)} {comparison} {literal(limit, signed=signed)}"
                text = f"{bound} ? {pattern(limit, width)} : {text}"
        return text

    def _outside(self, place: int, least: int, most: int) -> str:
        node, signed = self._nodes[place], self._any_signed(place)
        parts = [f"{self._name(place)} < {literal(least, signed=signed)}"] * (node.low < least)
        parts += [f"{self._name(place)} > {literal(most, signed=signed)}"] * (node.high > most)
        return f"({' || '.join(parts)})"


def pattern(value: int, width: int) -> str:
    """Return the bits of a value as an unsigned literal of a given width."""
    bits = value & ((1 << width) - 1)
    return f"{width}'d{bits}" if width <= _DECIMAL else f"{width}'h{bits:x}"
