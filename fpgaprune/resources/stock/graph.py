"""The stock design of one of our graphs: its matrices as hls4ml would build them, as figures."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from fpgaprune.digits import signed_digits
from fpgaprune.errors import UnsupportedError
from fpgaprune.ir import MatVec, Maximum, Reshape, Scan, Window

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fpgaprune.fixed import Fixed
    from fpgaprune.ir import Graph, Op
    from fpgaprune.resources.stock.values import Strategy


def stock_layers(
    graph: Graph, strategy: Strategy, reuse: int, clock_ns: float, part: str, *, stream: bool = False
) -> dict[str, Any]:
    """Return the figures of the stock design of a graph, in the form that `loads` and `from_data` read.

    Every matrix gets the strategy and the reuse factor, at most its number of weights.

    Raises:
        UnsupportedError: the graph has a loop over a sequence, which stock hls4ml computes by another definition.
    """
    source = graph.inputs[0].output
    layers = [layer for op in graph.ops for layer in _layers(graph, op, strategy, reuse)]
    return {
        "part": part,
        "clock_ns": clock_ns,
        "io_type": "io_stream" if stream else "io_parallel",
        "strategies": [strategy.value],
        "input_t": _type(source.format),
        "result_t": _type(graph.tensors[graph.outputs[0]].format),
        "types": dict(_types(graph)),
        "layers": layers,
    }


def _layers(graph: Graph, op: Op, strategy: Strategy, reuse: int) -> Iterator[dict[str, Any]]:
    match op:
        case MatVec():
            yield _matrix(graph, op, strategy, reuse)
        case Maximum() if isinstance(source := _through(graph, op.input), Window):
            yield _pool(graph, op, source)
        case Scan():
            msg = f"{op.output.name}: a loop over a sequence has no stock baseline (docs/stock.md)"
            raise UnsupportedError(msg)
        case _:
            return


def _matrix(graph: Graph, op: MatVec, strategy: Strategy, reuse: int) -> dict[str, Any]:
    weights = op.weights.dense()
    outputs, inputs = weights.shape
    digits = Counter(signed_digits(weights).ravel().tolist())
    common = {
        "name": _config(graph, op),
        "n_zeros": int(weights.size) - op.weights.nonzeros,
        "reuse_factor": min(reuse, max(1, int(weights.size))),
        "strategy": strategy.value,
        "weight_t": _type(op.weight_format),
        "n_weights": int(weights.size),
        "signed_digits": {str(number): count for number, count in sorted(digits.items())},
    }
    source = _through(graph, op.input)
    if isinstance(source, Window) and op.output.positions:
        return common | _window(graph, source) | {"kind": _kind("conv", source), "n_filt": outputs}
    return common | {"kind": "dense_config", "n_in": inputs, "n_out": outputs}


def _pool(graph: Graph, op: Maximum, source: Window) -> dict[str, Any]:
    sizes = _window(graph, source) | {"n_filt": op.output.channels}
    return sizes | {"name": _config(graph, op), "kind": _kind("pooling", source)}


def _kind(stem: str, source: Window) -> str:
    return f"{stem}{min(2, len(source.windows.kernel))}d_config"


def _window(graph: Graph, source: Window) -> dict[str, Any]:
    """Return the sizes of a window: rows, where there are any, and columns of what it reads, gives and sees."""
    read = graph.tensors[source.input]
    windows = source.windows
    padded = [
        size + before + after for size, before, after in zip(read.positions, windows.before, windows.after, strict=True)
    ]
    found = {
        "in_width": padded[-1],
        "out_width": source.output.positions[-1],
        "filt_width": windows.kernel[-1],
        "stride_width": windows.stride[-1],
        "n_chan": read.channels,
    }
    if len(padded) > 1:
        found |= {
            "in_height": padded[-2],
            "out_height": source.output.positions[-2],
            "filt_height": windows.kernel[-2],
            "stride_height": windows.stride[-2],
        }
    return found


def _through(graph: Graph, name: str) -> Op:
    """Return the op that makes a tensor, through reshapes, which cost nothing."""
    op = graph.producers[name]
    return _through(graph, op.input) if isinstance(op, Reshape) else op


def _config(graph: Graph, op: Op) -> str:
    return f"config{_place(graph, op)}"


def _place(graph: Graph, op: Op) -> int:
    return graph.ops.index(op) + 1


def _types(graph: Graph) -> Iterator[tuple[str, str]]:
    """Yield the words of all results but windows and reshapes, which are wires, and the design's output."""
    for op in graph.ops[1:]:
        if not isinstance(op, (Window, Reshape)) and op.output.name not in graph.outputs:
            yield f"layer{_place(graph, op)}_t", _type(op.output.format)


def _type(form: Fixed) -> str:
    return f"ap_{'' if form.signed else 'u'}fixed<{form.width},{form.integer}>"
