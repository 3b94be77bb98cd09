"""Inputs and targets that do not fit a model: which layer refuses which shape, and what helps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch.utils.hooks import RemovableHandle

REMEDY = (
    "give it the shape that this layer reads (samples first, then channels or features; nn.Flatten makes images rows) "
    "and the type of its weights"
)

_IGNORED = -100  # the label that cross_entropy leaves out by default


def refusing_layer(model: Callable[..., object], inputs: Sequence[Tensor]) -> str:
    """Return in words in which layer a model fails on these inputs, on what shape, and what helps.

    The model runs once more for it. The text is empty where it is no module, or fails in no layer.
    """
    if not isinstance(model, nn.Module):
        return ""
    entered: list[tuple[str, nn.Module, tuple[object, ...]]] = []
    handles = [handle for name, part in model.named_modules() for handle in _watched(name, part, entered)]
    try:
        model(*inputs)
    except Exception:  # the one that is told already
        return _told(*entered[-1]) if entered and entered[-1][0] else ""
    finally:
        for handle in handles:
            handle.remove()
    return ""


def _watched(
    name: str, part: nn.Module, entered: list[tuple[str, nn.Module, tuple[object, ...]]]
) -> list[RemovableHandle]:
    def enter(_: nn.Module, given: tuple[object, ...]) -> None:
        entered.append((name, part, given))

    def leave(*_: object) -> None:
        entered.pop()

    return [part.register_forward_pre_hook(enter), part.register_forward_hook(leave)]


def _told(name: str, part: nn.Module, given: tuple[object, ...]) -> str:
    shapes = ", ".join(str(tuple(each.shape)) for each in given if isinstance(each, Tensor))
    return f" in {name!r}, {type(part).__name__}({part.extra_repr()}), on shape {shapes}; {REMEDY}"


def misfitting_classes(outputs: Tensor, targets: Tensor) -> str:
    """Return in words why outputs are no scores of classes for these targets, and what helps; empty where they are."""
    shape, classes = tuple(outputs.shape), tuple(targets.shape)
    wanted = ", ".join([str(classes[0]), "classes", *map(str, classes[1:])])
    if shape[:1] + shape[2:] != classes or len(shape) < 2:
        return (
            f"integer targets of shape {classes} are classes and ask for outputs of shape ({wanted}), not {shape}; "
            "flatten what enters the first linear layer (nn.Flatten), give floating-point targets for values, or a "
            "`loss` and a `metric`"
        )
    if least := _negative(targets):
        return (
            f"the targets hold class {least}, and the model has {shape[1]} outputs for classes 0 to {shape[1] - 1}; "
            f"number the classes from 0 on, or leave out samples without a class ({_IGNORED} in a label leaves it out)"
        )
    largest = int(targets.max())
    if largest >= shape[1]:
        return (
            f"the targets reach class {largest}, and the model has {shape[1]} outputs for classes 0 to {shape[1] - 1}; "
            f"give its last layer at least {largest + 1} outputs, or check the labels"
        )
    return ""


def _negative(targets: Tensor) -> int:
    """Return the least class that is negative and not ignored, 0 where there is none."""
    classes = targets.long()
    return int(classes.masked_fill(classes == _IGNORED, 0).min().clamp(max=0))
