"""The graph of dependencies of torch-pruning, and a gap in it filled."""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

import torch
import torch_pruning
from torch_pruning.dependency.constants import MAX_VALID_DIM
from torch_pruning.dependency.index_mapping import _ConcatIndexMapping
from torch_pruning.dependency.shape_infer import infer_channels_between
from torch_pruning.ops import OPTYPE

from fpgaprune.errors import InputError
from fpgaprune.prune.checks import one_line
from fpgaprune.prune.forward import run

if TYPE_CHECKING:
    from torch import nn

    from fpgaprune.prune.forward import Tensors


def traced(model: nn.Module, x: Tensors) -> Any:  # noqa: ANN401  # torch-pruning has no types
    """Return torch-pruning's DependencyGraph of ``model``, whose weights must all want gradients, on inputs ``x``.

    Raises:
        InputError: the model cannot be traced.
    """
    graph = torch_pruning.DependencyGraph()
    try:
        with torch.enable_grad():
            graph.build_dependency(model, x, forward_fn=run, verbose=False)
    except Exception as error:
        msg = f"the dependencies of channels cannot be traced: {one_line(error)}; prune 'filters' or 'neurons' instead"
        raise InputError(msg) from error
    for node in graph.module2node.values():
        if node.type == OPTYPE.CONCAT and node.module.offsets is None:
            _place_inputs(graph, node)
    return graph


def _place_inputs(graph: Any, node: Any) -> None:  # noqa: ANN401
    """Say where the channels of each input of a concatenation lie, as torch-pruning 1.6 does not before a flattening.

    It takes a concatenation for one along another axis if the next layer's inputs are not as many as its channels.
    """
    if 1 != node.grad_fn._saved_dim < MAX_VALID_DIM:  # negative axes, the last one say, are saved as large numbers
        return
    sizes = [infer_channels_between(graph, source, node) for source in node.inputs]
    if None in sizes:
        return
    placed: list[Any] = []
    for source, ends in zip(node.inputs, pairwise(accumulate(sizes, initial=0)), strict=True):
        for one, other, reverse in ((node, source, True), (source, node, False)):
            free = (each for each in one.dependencies if each.target is other and all(each is not it for it in placed))
            if (dependency := next(free, None)) is not None:
                dependency.index_mapping[1] = _ConcatIndexMapping(offset=ends, reverse=reverse)
                placed.append(dependency)
