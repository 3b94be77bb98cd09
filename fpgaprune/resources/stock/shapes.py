"""Follows the layers of a design and works out the sizes that its figures leave open."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from fpgaprune.errors import InputError
from fpgaprune.resources.stock import fields
from fpgaprune.resources.stock.fields import DEFAULT_WORD, Record, Word
from fpgaprune.resources.stock.kinds import role
from fpgaprune.resources.stock.values import Layer, Matrix, Role, Strategy
from fpgaprune.resources.stock.weights import assumed_digits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DEFAULT_STEPS = 20
"""Steps of a sequence whose length is not given."""

GATES = {"gru": 3, "lstm": 4}

_NUMBER = re.compile(r"(\d+)")
_PART = re.compile(r"(.*)_(mult|1|2|dense)$")


def one_strategy(given: object) -> Strategy:
    """Return a strategy by the name that hls4ml writes."""
    return Strategy.RESOURCE if isinstance(given, str) and "resource" in given.lower() else Strategy.LATENCY


@dataclass(frozen=True)
class Words:
    """The words of results by the number of their layer, in the order of the design, input and output included."""

    input: Word
    result: Word
    by_number: Mapping[int, Word]

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Words:
        """Return the words that a design states."""
        given = data.get("types") or {}
        if not isinstance(given, dict):
            msg = "'types' must map names such as layer2_t to types"
            raise InputError(msg)
        found = {}
        for name, text in given.items():
            number = re.fullmatch(r"layer(\d+)_t", str(name))
            word = fields.word(text) if number else None
            if number and word:
                found[int(number[1])] = word
        source = fields.word(data.get("input_t")) or DEFAULT_WORD
        return cls(source, fields.word(data.get("result_t")) or source, found)

    def before(self, number: int, previous: tuple[int, Layer] | None) -> Word:
        """Return the word that layer ``number`` reads: of the largest number from the layer before it to its own."""
        if previous is None:
            return self.input
        lower = [each for each in self.by_number if previous[0] <= each < number]
        if lower or previous[0] in self.by_number:
            return self.by_number[max(lower, default=previous[0])]
        if not self.by_number:
            return Word(previous[1].out_bits, 0)
        return next(iter(self.by_number.values()))

    def sums(self, number: int, last: bool, exact: int) -> Word:  # one place calls it
        """Return the word that layer ``number`` adds up in: stated, or as wide as loses nothing.

        Where hls4ml works types out by itself, sums are exact, and they have a name of another form.
        """
        if number in self.by_number:
            return self.by_number[number]
        if last or (not self.by_number and self.result.bits < exact):
            return self.result
        return Word(exact, 0)

    def after(self, number: int, owners: set[int]) -> tuple[Word, ...]:
        """Return the words of the results of layers without a record, activations as a rule, that follow a layer."""
        later = min((each for each in owners if each > number), default=math.inf)
        return tuple(word for each, word in sorted(self.by_number.items()) if number < each < later)


@dataclass
class Walk:
    """Goes through the layers in their order and keeps the shape that arrives at each."""

    words: Words
    records: tuple[Record, ...]
    strategy: Strategy | None
    year: float
    stream: bool = False
    assumed: list[str] = field(default_factory=list)
    height: int = 1
    width: int = 1
    channels: int | None = None

    def layers(self) -> Iterator[Layer]:
        """Yield each layer once; the matrices of a convolution or a recurrent layer belong to it."""
        names = {record.name: role(record.kind, record.name) for record in self.records}
        parts = {record.name: owner for record in self.records if (owner := _owner(record, names))}
        owners = [record for record in self.records if record.name not in parts]
        numbers = {_number(record.name, place) for place, record in enumerate(owners)}
        previous: tuple[int, Layer] | None = None
        for place, record in enumerate(owners):
            mine = [each for each in self.records if parts.get(each.name) == record.name]
            number = _number(record.name, place)
            word = self.words.before(number, previous)
            layer = self._layer(record, names[record.name], mine, owners[place + 1 :], word, number)
            after = self._followers(layer, number, numbers, owners[place + 1 :])
            converted = sum(each.guarded for each in after)
            layer = replace(layer, followers=tuple(each.bits for each in after), converted=converted)
            previous = (number, layer)
            yield layer
        if previous is not None and Role.SOFTMAX not in names.values():
            yield from self._ending(*previous)

    def _layer(
        self, record: Record, what: Role, mine: list[Record], later: list[Record], word: Word, number: int
    ) -> Layer:
        match what:
            case Role.DENSE:
                layer = self._dense(record, word)
            case Role.CONV:
                layer = self._conv(record, mine, later, word)
            case Role.RECURRENT:
                layer = self._recurrent(record, mine, later, word)
            case Role.POOL | Role.PAD:
                layer = self._moved(record, what, later, word)
            case Role.ELEMENTS | Role.SOFTMAX:
                layer = self._elements(record, what, word)
        if not layer.matrices:
            return layer
        sums = self.words.sums(number, not later, _exact(layer))
        return replace(layer, accumulator_bits=sums.bits, out_bits=sums.bits, guarded=sums.guarded)

    def _followers(self, layer: Layer, number: int, numbers: set[int], later: list[Record]) -> tuple[Word, ...]:
        """Return the words of results after a layer; a matrix that is not the last has an activation at least."""
        if layer.role is Role.PAD:
            return ()
        found = self.words.after(number, numbers)
        if found or not layer.matrices or not later:
            return found
        return (Word(min(layer.out_bits, self.words.input.bits), 0),)

    # Each of the following returns a layer and sets the shape that the next one reads.

    def _dense(self, record: Record, word: Word) -> Layer:
        weights = record.whole("n_weights")
        if weights is None and (digits := record.digits()):
            weights = sum(digits.values())
        outputs = record.whole("n_out")
        inputs = record.whole("n_in")
        if inputs is None and weights and outputs:
            inputs = max(1, round(weights / outputs))
        if inputs is None and self.channels:
            inputs = self.height * self.width * self.channels
        if inputs is None and weights:
            inputs = max(1, math.isqrt(weights))
            self.assumed.append(f"{record.name}: a square matrix, since 'n_in' and 'n_out' are not known")
        if inputs is None:
            msg = f"{record.name}: needs 'n_in', or 'n_weights' and 'n_out'"
            raise InputError(msg)
        if outputs is None and weights:
            outputs = max(1, round(weights / inputs))
        if outputs is None:
            msg = f"{record.name}: needs 'n_out', or 'n_weights'"
            raise InputError(msg)
        matrix = self._matrix(record, inputs, outputs, 1)
        self.height, self.width, self.channels = 1, 1, outputs
        return _layer(record, Role.DENSE, word, inputs, outputs, matrices=(matrix,))

    def _conv(self, record: Record, mine: list[Record], later: list[Record], word: Word) -> Layer:
        two = record.whole("filt_height") is not None or "in_height" in record.fields
        kernel = (record.whole("filt_height") or 1, record.whole("filt_width") or (record.whole("filt_height") or 1))
        area = kernel[0] * kernel[1]
        inputs = next((found for each in mine if (found := each.whole("n_in"))), None)
        channels = record.whole("n_chan") or (inputs // area if inputs and inputs >= area else None) or self.channels
        source = mine[0] if mine else record
        weights = source.whole("n_weights")
        filters = record.whole("n_filt") or next((found for each in mine if (found := each.whole("n_out"))), None)
        if channels is None and weights and filters:
            channels = max(1, weights // (area * filters))
        if filters is None and weights and channels:
            filters = max(1, weights // (area * channels))
        if channels is None and filters is None and weights:
            channels, filters = 1, max(1, weights // area)
        if channels is None or filters is None:
            msg = f"{record.name}: needs 'n_chan' and 'n_filt', or one of them and 'n_weights'"
            raise InputError(msg)
        rows = (record.whole("in_height") or self.height) if two else 1
        columns = record.first("in_width", "n_in") or (self.width if self.width > 1 else (rows if two else kernel[1]))
        out = self._out(record, later, (rows, columns), kernel, two)
        depthwise = "depth" in record.kind or "depthwise" in record.name
        # A depthwise convolution is a convolution by its configuration; its weights are fewer.
        depthwise = depthwise or (filters == channels > 1 and weights == area * channels)
        fan = area if depthwise else area * channels
        matrix = self._matrix(source, fan, filters, area, record)
        self.height, self.width, self.channels = (*out, filters)
        return _layer(
            record, Role.CONV, word, channels, filters,
            in_positions=rows * columns, out_positions=out[0] * out[1], rows=rows, kernel=kernel, matrices=(matrix,),
            **self._windows(record, out[0] * out[1], pointwise=not two and area == 1),
        )  # fmt: skip

    def _windows(self, record: Record, positions: int, *, pointwise: bool) -> dict[str, Any]:
        """Return how many windows are worked on at a time: hls4ml's partitions are those after each other."""
        if self.stream:
            return {}
        if pointwise:
            return {"copies": positions, "whole": True}
        partitions = record.whole("n_partitions") or positions
        return {"copies": math.ceil(positions / partitions)}

    def _out(
        self,
        record: Record,
        later: list[Record],
        size: tuple[int, int],
        kernel: tuple[int, int],
        two: bool,
    ) -> tuple[int, int]:
        stride = record.first("stride_width", "stride_height")
        columns = record.first("out_width", "n_out")
        if columns is None:
            strides = (stride,) if stride else (1, 2, 3, 4)
            candidates = [max(1, (size[1] - kernel[1]) // each + 1) for each in strides]
            columns = next((each for each in candidates if _leads_to(each, later)), candidates[0])
        rows = 1
        if two:
            rows = record.whole("out_height") or max(1, (size[0] - kernel[0]) // (stride or 1) + 1)
        return rows, columns

    def _recurrent(self, record: Record, mine: list[Record], later: list[Record], word: Word) -> Layer:
        gates = next((count for name, count in GATES.items() if name in record.kind), 1)
        sizes = [(each.whole("n_in"), each.whole("n_out")) for each in mine]
        units = record.whole("n_out") or next((out // gates for _, out in sizes if out), None)
        units = units or next((size for size, _ in sizes[1:] if size), None) or self._units(later)
        weights = record.whole("n_weights")
        inputs = record.whole("n_in") or next((size for size, _ in sizes[:1] if size), None)
        if units is None and weights and inputs:
            units = max(1, weights // (gates * inputs))
        if units is None:
            msg = f"{record.name}: needs 'n_out', the number of units"
            raise InputError(msg)
        if inputs is None:
            inputs = max(1, weights // (gates * units)) if weights else self.channels
        if inputs is None:
            msg = f"{record.name}: needs 'n_in', or 'n_weights'"
            raise InputError(msg)
        steps = record.first("n_sequence", "n_timesteps", "n_steps")
        whole = bool(record.whole("n_sequence_out") or 0) and record.whole("n_sequence_out") != 1
        following = next((each.whole("n_in") for each in later if "dense" in each.kind), None)
        if following and following > units and following % units == 0:
            whole, steps = True, steps or following // units
        if steps is None:
            steps = DEFAULT_STEPS
            self.assumed.append(f"{record.name}: {steps} steps, since 'n_sequence' is not given")
        pairs = ((inputs, gates * units), (units, gates * units))
        sources = mine[:2] if len(mine) >= 2 else [record, record]
        matrices = tuple(
            self._matrix(source if source in mine else _without_counts(record), size, out, 1, record)
            for source, (size, out) in zip(sources, pairs, strict=True)
        )
        self.height, self.width, self.channels = 1, steps if whole else 1, units
        return _layer(
            record, Role.RECURRENT, word, inputs, units, in_positions=steps,
            out_positions=steps if whole else 1, steps=steps, matrices=matrices,
        )  # fmt: skip

    @staticmethod
    def _units(later: list[Record]) -> int | None:
        return next((found for each in later if "dense" in each.kind and (found := each.whole("n_in"))), None)

    def _moved(self, record: Record, what: Role, later: list[Record], word: Word) -> Layer:
        two = "2d" in record.kind or "in_height" in record.fields
        channels = record.first("n_chan", "n_filt") or self.channels or 1
        rows = (record.whole("in_height") or self.height) if two else 1
        columns = record.first("in_width", "n_in") or (self.width if self.width > 1 else (rows if two else 1))
        reader = later[0] if later and "dense" in later[0].kind else None
        if what is Role.PAD:
            out, side = _stated(record, (rows, columns)), 1
        elif reader and reader.whole("n_in") == channels and record.first("filt_width", "filt_height") is None:
            out, side = (1, 1), 1  # over the whole image
        else:
            out, side = _pooled(record, (rows, columns))
        out = out if two else (1, out[1])
        self.height, self.width, self.channels = (*out, channels)
        return _layer(
            record, what, word, channels, channels, in_positions=rows * columns,
            out_positions=out[0] * out[1], rows=rows, kernel=(side if two else 1, side),
        )  # fmt: skip

    def _elements(self, record: Record, what: Role, word: Word) -> Layer:
        size = record.first("n_in", "n_out", "n_elem") or self.height * self.width * (self.channels or 1)
        positions = max(1, self.height * self.width)
        channels = max(1, size // positions) if size >= positions else size
        return _layer(record, what, word, channels, channels, in_positions=positions, out_positions=positions)

    def _matrix(self, record: Record, inputs: int, outputs: int, area: int, owner: Record | None = None) -> Matrix:
        owner = owner or record
        word = fields.word(record.fields.get("weight_t")) or fields.word(owner.fields.get("weight_t"))
        known = word or self.words.input
        digits = record.digits() or owner.digits()
        zeros = record.whole("n_zeros", least=0) or owner.whole("n_zeros", least=0) or 0
        if digits is None:
            digits = assumed_digits(inputs, outputs, area, zeros, known)
            self.assumed.append(
                f"{owner.name}: weights even within Glorot's limits, since no 'signed_digits' are given"
            )
        elif (counted := sum(digits.values())) != inputs * outputs:
            digits = {number: round(count * inputs * outputs / counted) for number, count in digits.items()}
        reuse = record.whole("reuse_factor") or owner.whole("reuse_factor") or 1
        stated = record.fields.get("strategy") or owner.fields.get("strategy")
        # Versions without the field wrote loops over memory for a reuse that no unrolled product can have.
        unnamed = self.strategy or (Strategy.RESOURCE if reuse > inputs else Strategy.LATENCY)
        return Matrix(
            inputs=inputs,
            outputs=outputs,
            reuse=min(reuse, inputs * outputs),
            strategy=one_strategy(stated) if stated else unnamed,
            weight_bits=known.bits,
            digits=digits,
        )

    def _ending(self, number: int, last: Layer) -> Iterator[Layer]:
        """Yield the activation at the end that no record tells of, where the last matrix has a result of its own."""
        stated = any(_number(record.name, -1) in self.words.by_number for record in self.records if _is_dense(record))
        unstated = bool(self.words.by_number) and not stated and self.words.result.bits < _exact(last)
        open_end = number in self.words.by_number or unstated
        if last.role is not Role.DENSE or not open_end:
            return
        what = Role.SOFTMAX if last.filters > 1 else Role.ELEMENTS
        word = Word(last.out_bits, 0)
        self.assumed.append(f"after {last.name}: {'softmax' if what is Role.SOFTMAX else 'sigmoid'}, as most nets end")
        yield _layer(Record("activation", what.value, {}), what, word, last.filters, last.filters)


def _is_dense(record: Record) -> bool:
    return record.kind == "dense_config"


def _exact(layer: Layer) -> int:
    """Return the bits of sums that lose nothing."""
    matrix = max(layer.matrices, key=lambda each: each.inputs)
    return layer.in_bits + matrix.weight_bits + math.ceil(math.log2(matrix.inputs))


def _stated(record: Record, otherwise: tuple[int, int]) -> tuple[int, int]:
    """Return the rows and columns of a result by the record, where it states them."""
    return record.whole("out_height") or otherwise[0], record.first("out_width", "n_out") or otherwise[1]


def _pooled(record: Record, size: tuple[int, int]) -> tuple[tuple[int, int], int]:
    """Return the rows and columns of a pooling of ``size``, and the side of its window."""
    side = record.first("filt_width", "pool_width", "filt_height", "pool_height")
    stride = record.first("stride_width", "stride_height", "stride") or side
    shrunk = (max(1, size[0] // stride), max(1, size[1] // stride)) if stride else (1, 1)
    return _stated(record, shrunk), side or stride or size[1]


def _layer(record: Record, what: Role, word: Word, channels: int, filters: int, **more: Any) -> Layer:  # noqa: ANN401
    return Layer(record.name, what, word.bits, word.bits, word.bits, channels, filters, **more)


def _without_counts(record: Record) -> Record:
    kept = {name: value for name, value in record.fields.items() if name not in ("signed_digits", "n_zeros")}
    return replace(record, fields=kept)


def _owner(record: Record, names: Mapping[str, Role]) -> str | None:
    """Return the convolution or recurrent layer that a matrix belongs to by its name."""
    found = _PART.fullmatch(record.name)
    if found is None or names.get(found[1]) not in (Role.CONV, Role.RECURRENT):
        return None
    return found[1]


def _number(name: str, place: int) -> int:
    found = _NUMBER.search(name)
    return int(found[1]) if found and len(found[1]) < 9 else place


def _leads_to(columns: int, later: list[Record]) -> bool:
    """Whether so many columns arrive at the next layer that states how many it reads, by way of its pooling."""
    for record in later:
        stated = record.first("in_width") or (record.whole("n_in") if "pool" in record.kind else None)
        if stated:
            return stated == columns
        pool = record.first("filt_width", "pool_width", "stride_width", "stride_height")
        if "pool" not in record.kind or not pool:
            return False
        columns = max(1, columns // pool)
    return False
