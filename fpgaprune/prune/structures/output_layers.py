"""Which layers give the output of a model, so that nothing of their results may be left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from fpgaprune.errors import InputError
from fpgaprune.prune.forward import copied, mode, run
from fpgaprune.prune.masks import PRUNABLE, joined
from fpgaprune.several import as_tuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fpgaprune.prune.forward import Tensors


def output_layers(model: nn.Module, x: Tensors) -> set[str]:
    """Return the names of the modules with weights whose results reach an output through no other such module.

    They are found by walking the graph that autograd records of a run on ``x`` back from the outputs.

    Raises:
        InputError: the model does not run on ``x``, or its outputs cannot be differentiated.
    """
    copy = copied(model).requires_grad_(requires_grad=True)
    made: dict[Any, str] = {}
    results: list[Tensor] = []  # a node of autograd's graph is one object in Python only while its tensor lives

    def remember(name: str) -> Any:  # noqa: ANN401  # torch's type of hooks
        def hook(_module: nn.Module, _inputs: object, output: object) -> None:
            for tensor in _tensors(output):
                results.append(tensor)
                made[tensor.grad_fn] = name

        return hook

    modules: dict[str, nn.Module] = dict(copy.named_modules())
    for name, module in modules.items():
        if isinstance(module, tuple(PRUNABLE)):
            module.register_forward_hook(remember(name))
    with mode(copy, training=False), torch.enable_grad():
        outputs = as_tuple(run(copy, x))
    found = {name for output in outputs for name in _makers(output.grad_fn, made)}
    if not found:
        msg = "no layer with weights gives the model's output, as far as gradients tell; return what the last one gives"
        raise InputError(msg)
    attention = [name for name in found if isinstance(modules[name], nn.MultiheadAttention)]
    return found | {joined(name, "out_proj") for name in attention}  # which attention does not call as a module


def _tensors(value: object) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for part in value:
            yield from _tensors(part)


def _makers(start: Any, made: dict[Any, str]) -> Iterator[str]:  # noqa: ANN401  # nodes of autograd have no type
    """Yield the modules that made what the graph behind a node begins with."""
    seen, left = set(), [start]
    while left:
        node = left.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if node in made:
            yield made[node]
        else:
            left += [earlier for earlier, _ in node.next_functions]
