"""The ops of each layer of a quantised model that hls4ml passed through, and of the layers in the body of a loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from fpgaprune.frontend.building import (
    Builder,
    append_concat,
    append_convolution,
    append_matmul,
    append_max_pool,
    append_multiply,
    append_product,
    append_sum,
    append_wires,
    diagonal,
)
from fpgaprune.ir import ArgMax, Constant, Graph, Input, Maximum, Requantise, Reshape, Scan, Table, Tensor
from fpgaprune.quantise.layers import (
    QuantisedAdd,
    QuantisedAffine,
    QuantisedArgMax,
    QuantisedClip,
    QuantisedConcat,
    QuantisedConstant,
    QuantisedConv,
    QuantisedFunction,
    QuantisedGather,
    QuantisedInput,
    QuantisedLayer,
    QuantisedLinear,
    QuantisedMatMul,
    QuantisedMaximum,
    QuantisedMaxPool,
    QuantisedMultiply,
    QuantisedReshape,
    QuantisedScan,
)
from fpgaprune.sparse import SparseMatrix

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Sources: TypeAlias = "Sequence[Tensor]"


def append_record(builder: Builder, record: QuantisedLayer, result: Tensor, sources: Sources) -> None:
    """Append what a record computes from the tensors that it reads."""
    BUILDERS[type(record)](builder, record, result, sources)


def _constant(builder: Builder, record: QuantisedConstant, result: Tensor, sources: Sources) -> None:  # noqa: ARG001  # a builder
    builder.append(Constant(result, record.values))


def _linear(builder: Builder, record: QuantisedLinear, result: Tensor, sources: Sources) -> None:
    matrix = SparseMatrix.from_dense(record.weight)
    append_product(builder, result, sources[0], matrix, record.weight_format, record.bias, record.name)


def _conv(builder: Builder, record: QuantisedConv, result: Tensor, sources: Sources) -> None:
    matrix, to = SparseMatrix.from_dense(record.matrix), record.weight_format
    append_convolution(builder, result, sources[0], record.windows, matrix, to, record.bias, record.name)


def _affine(builder: Builder, record: QuantisedAffine, result: Tensor, sources: Sources) -> None:
    matrix = diagonal(record.scale)
    append_product(builder, result, sources[0], matrix, record.scale_format, record.bias, record.name)


def _clip(builder: Builder, record: QuantisedClip, result: Tensor, sources: Sources) -> None:
    builder.append(Requantise(result, sources[0].name, record.low, record.high))


def _function(builder: Builder, record: QuantisedFunction, result: Tensor, sources: Sources) -> None:
    builder.append(Table(result, sources[0].name, record.values, record.low))


def _add(builder: Builder, record: QuantisedAdd, result: Tensor, sources: Sources) -> None:
    append_sum(builder, result, *sources, subtract=record.subtract)


def _multiply(builder: Builder, record: QuantisedMultiply, result: Tensor, sources: Sources) -> None:  # noqa: ARG001  # a builder
    append_multiply(builder, result, *sources)


def _matmul(builder: Builder, record: QuantisedMatMul, result: Tensor, sources: Sources) -> None:  # noqa: ARG001  # a builder
    append_matmul(builder, result, *sources)


def _max_pool(builder: Builder, record: QuantisedMaxPool, result: Tensor, sources: Sources) -> None:
    append_max_pool(builder, result, sources[0], record.windows)


def _maximum(builder: Builder, record: QuantisedMaximum, result: Tensor, sources: Sources) -> None:  # noqa: ARG001  # a builder
    builder.append(Maximum(result, sources[0].name))


def _argmax(builder: Builder, record: QuantisedArgMax, result: Tensor, sources: Sources) -> None:  # noqa: ARG001  # a builder
    builder.append(ArgMax(result, sources[0].name))


def _reshape(builder: Builder, record: QuantisedReshape, result: Tensor, sources: Sources) -> None:  # noqa: ARG001  # a builder
    builder.append(Reshape(result, sources[0].name))


def _gather(builder: Builder, record: QuantisedGather, result: Tensor, sources: Sources) -> None:
    append_wires(builder, result, sources[0], record.index)


def _concat(builder: Builder, record: QuantisedConcat, result: Tensor, sources: Sources) -> None:  # noqa: ARG001  # a builder
    append_concat(builder, result, sources)


def _scan(builder: Builder, record: QuantisedScan, result: Tensor, sources: Sources) -> None:
    body, (source,) = builder.body(), sources
    tensors = _body_inputs(body, record, source)
    for layer in record.body:
        if not isinstance(layer, QuantisedInput):
            tensors[layer.name] = Tensor(body.name_of(layer.name), layer.shape, layer.format)
            append_record(body, layer, tensors[layer.name], [tensors[name] for name in layer.sources])
    outputs = _new_states(body, record, tensors)
    graph = Graph(tuple(body.ops), outputs)
    builder.append(Scan(result, source.name, graph, record.initial, record.result, record.reverse))


def _body_inputs(body: Builder, record: QuantisedScan, source: Tensor) -> dict[str, Tensor]:
    """Append the step and the states, in this order, each in the format that it comes with."""
    inputs = {layer.name: layer for layer in record.body if isinstance(layer, QuantisedInput)}
    made = {layer.name: layer.format for layer in record.body}
    step = next(name for name in inputs if name not in record.state_names)
    formats = {step: source.format}
    formats |= {name: made[new] for name, new in zip(record.state_names, record.new_states, strict=True)}
    return {
        name: body.append(Input(Tensor(body.name_of(name), inputs[name].shape, to))) for name, to in formats.items()
    }


def _new_states(body: Builder, record: QuantisedScan, tensors: Mapping[str, Tensor]) -> tuple[str, ...]:
    """Return the tensors that become the states; what is an input, or becomes two states, is copied."""
    outputs: list[str] = []
    inputs = {op.output.name for op in body.ops if isinstance(op, Input)}
    for tensor in (tensors[name] for name in record.new_states):
        new = tensor
        if tensor.name in inputs or tensor.name in outputs:
            copy = Tensor(body.fresh(f"{tensor.name}_state"), tensor.shape, tensor.format)
            new = body.append(Reshape(copy, tensor.name))
        outputs.append(new.name)
    return tuple(outputs)


BUILDERS: Mapping[type, Callable[[Builder, Any, Tensor, Sources], None]] = {
    QuantisedConstant: _constant,
    QuantisedLinear: _linear,
    QuantisedConv: _conv,
    QuantisedAffine: _affine,
    QuantisedClip: _clip,
    QuantisedFunction: _function,
    QuantisedAdd: _add,
    QuantisedMultiply: _multiply,
    QuantisedMatMul: _matmul,
    QuantisedMaxPool: _max_pool,
    QuantisedMaximum: _maximum,
    QuantisedArgMax: _argmax,
    QuantisedReshape: _reshape,
    QuantisedGather: _gather,
    QuantisedConcat: _concat,
    QuantisedScan: _scan,
}
"""One builder for each kind of record but the input, which hls4ml and loops have of their own."""
