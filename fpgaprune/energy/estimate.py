"""The energy of an inference: what switches on real inputs, times what switching costs on the board's family."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fpgaprune.energy.measure import check_samples, keep_trace, measured, read_trace
from fpgaprune.energy.switching import passing, switching
from fpgaprune.energy.technology import Costs, costs
from fpgaprune.energy.values import EnergyEstimate, LayerEnergy, Switching
from fpgaprune.lower import lower
from fpgaprune.resources import estimate as resources_of
from fpgaprune.sim import DEFAULT_TIMEOUT_S
from fpgaprune.sim.csim import stored_inputs

if TYPE_CHECKING:
    from fpgaprune.fixed import IntArray
    from fpgaprune.lower import Kernel, Lowered, Port
    from fpgaprune.lower.interpret import Words
    from fpgaprune.resources import LayerResources
    from fpgaprune.sim import ProjectFolder

STORED = "the vectors that the project keeps"
GIVEN = "the inputs that were given"


def energy(
    folder: ProjectFolder,
    inputs: tuple[IntArray, ...] | None = None,
    *,
    trace: Path | None = None,
    timeout_s: float = DEFAULT_TIMEOUT_S,
) -> EnergyEstimate:
    """Return the estimated energy of an inference, on given inputs (samples, *shape) or on the project's stored ones.

    ``trace`` is what `keep_trace` wrote of the same C++ and the same inputs; without it, it is made here.

    Raises:
        InputError: inputs that do not fit the graph, or fewer than two samples.
        ToolError: no compiler, a failed build, a crash, or the time limit.
        MismatchError: the C++ computes something else than the kernels.
    """
    lowered = lower(folder.design)
    given = stored_inputs(folder) if inputs is None else inputs
    check_samples(folder, given)
    found = read_trace(trace) if trace else _traced(folder, given, timeout_s)
    words = measured(folder, lowered, given, found)
    told = of_words(lowered, words, inputs=STORED if inputs is None else GIVEN)
    return replace(told, simulated=True, edited=folder.edited())


def _traced(folder: ProjectFolder, inputs: tuple[IntArray, ...], timeout_s: float) -> dict[str, IntArray]:
    with tempfile.TemporaryDirectory(prefix="fpgaprune-") as scratch:
        path = Path(scratch) / "trace.dat"
        keep_trace(folder, inputs, path, timeout_s)
        return read_trace(path)


def of_words(lowered: Lowered, words: Words, *, inputs: str) -> EnergyEstimate:
    """Return the estimate for the words of every port (samples, beats, size); ``inputs`` says what they are made of."""
    resources, price = resources_of(lowered), costs(lowered.design.board.family)
    kernels = {kernel.name: kernel for kernel in lowered.every_kernel}
    ports = _array_ports(lowered)
    found = [(cost, _switching(cost, kernels, ports, lowered, words)) for cost in resources.layers]
    return EnergyEstimate(
        layers=tuple(_layer(cost, each, price, resources.interval_cycles) for cost, each in found),
        samples=len(words[lowered.inputs[0].name]),
        inputs=inputs,
        interval_cycles=resources.interval_cycles,
        clock_ns=lowered.design.clock_ns,
        static_w=lowered.design.board.static_w,
        static_source=lowered.design.board.sources.get("static_w"),
    )


def _array_ports(lowered: Lowered) -> dict[str, Port]:
    """Return the ports of what stands between arrays and processes, by the name of its estimate."""
    entering = {f"{port.name}/in": port for port in lowered.inputs}
    return entering | {f"{output.name}/out": output.port for output in lowered.outputs}


def _switching(
    cost: LayerResources, kernels: dict[str, Kernel], ports: dict[str, Port], lowered: Lowered, words: Words
) -> Switching:
    if cost.tensor in kernels:
        return switching(kernels[cost.tensor], cost, words, lowered.depths)
    return passing(ports[cost.tensor], cost, words)


def _layer(cost: LayerResources, found: Switching, price: Costs, cycles: int) -> LayerEnergy:
    return LayerEnergy(
        tensor=cost.tensor,
        layer=cost.layer,
        strategy=cost.strategy,
        nonzeros=cost.nonzeros,
        activity=found.activity,
        value_bits=found.possible,
        logic_pj=found.logic * price.logic,
        registers_pj=found.registers * price.register,
        clock_pj=cost.ff * cycles * price.clock,
        multipliers_pj=found.hard * price.hard_product + found.soft * price.soft_product,
        memories_pj=found.table_bits * price.table_bit + found.bram_bits * price.bram_bit,
    )
