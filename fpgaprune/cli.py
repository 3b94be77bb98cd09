"""The command line: arguments to stages, and errors to exit codes."""

from __future__ import annotations

import atexit
import enum
import gc
import json
import platform
import sys
import warnings
from contextlib import contextmanager
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from fpgaprune import board as boards_module
from fpgaprune import cli_recipes, commands, tools
from fpgaprune.errors import FpgapruneError, InputError, located
from fpgaprune.fit import Aim, Budget, Goal
from fpgaprune.heads import Head
from fpgaprune.paths import refuse_overlap, refuse_target
from fpgaprune.resources import Kind
from fpgaprune.schedule import Interface, Strategy
from fpgaprune.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fpgaprune.budgeted import Round
    from fpgaprune.prune import PrunedModel
    from fpgaprune.quantise import QuantisedModel
    from fpgaprune.resources import Resources
    from fpgaprune.sim import ProjectFolder

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Prune PyTorch models and generate FPGA designs in which zero weights do not exist.",
)

Folder = Annotated[Path, typer.Argument(help="A generated project.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Force = Annotated[bool, typer.Option("--force", help="Replace a folder that fpgaprune made.")]
Label = Annotated[str, typer.Option(help="The design's name in comparisons; the model's by default.")]
Out = Annotated[Path, typer.Option("--out", help="The folder to make.", show_default=False)]


def _console() -> Console:
    """A terminal has a width of its own; text that is piped need not be cut to one."""
    console = Console()
    return console if console.is_terminal else Console(width=140)


class _Chosen(enum.Enum):
    AUTO = "auto"
    MULTIPLY = Strategy.MULTIPLY.value
    ADDERS = Strategy.ADDERS.value
    FOLDED = Strategy.FOLDED.value

    def one(self) -> Strategy | None:
        """Return the strategy for all matrices, or None where each gets its own."""
        return None if self is _Chosen.AUTO else Strategy(self.value)


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", help="The folder to make.")] = Path("fpgaprune-demo"),
    force: Force = False,
) -> None:
    """Run the main job on real digits, end to end: prune, quantise, generate, simulate, compare."""
    from fpgaprune.demo import demo as run

    comparison = run(out, _console(), force=force)
    if not all(point.verdict is not None and point.verdict.exact for point in comparison.points):
        raise typer.Exit(1)


@app.command()
def prune(
    model: Annotated[str, typer.Option(help="The model: pkg.mod:factory.", show_default=False)],
    data: Annotated[str, typer.Option(help="The data: pkg.mod:factory.", show_default=False)],
    recipe: Annotated[Path, typer.Option(help="A TOML file with the tables prune and quantise.", show_default=False)],
    out: Out,
    weights: Annotated[Path | None, typer.Option(help="Weights: safetensors or a plain state dict.")] = None,
    label: Annotated[str, typer.Option(help="The design's name in comparisons; its sparsity by default.")] = "",
    device: Annotated[str | None, typer.Option(help="Where it trains: cpu, cuda or auto.")] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="A folder to keep up to date, from which the same command goes on.")
    ] = None,
    board: Annotated[
        str | None, typer.Option(help="Prune until the design fits this board, a name or your own TOML file.")
    ] = None,
    max_lut: Annotated[float, typer.Option(help="The share of the board's LUTs, 0 to 1.")] = Budget.lut,
    max_ff: Annotated[float, typer.Option(help="The share of its flip-flops.")] = Budget.ff,
    max_dsp: Annotated[float, typer.Option(help="The share of its DSP slices.")] = Budget.dsp,
    max_bram: Annotated[float, typer.Option(help="The share of its block RAM.")] = Budget.bram_18k,
    max_uram: Annotated[float, typer.Option(help="The share of its UltraRAM.")] = Budget.uram,
    max_latency_ns: Annotated[float | None, typer.Option(help="The most time from input to output.")] = None,
    max_interval_cycles: Annotated[int | None, typer.Option(help="The most cycles between samples.")] = None,
    io: Annotated[Interface, typer.Option(help="How vectors enter and leave.")] = Interface.PARALLEL,
    clock_ns: Annotated[float | None, typer.Option(help="The clock period; the board's by default.")] = None,
    strategy: Annotated[_Chosen, typer.Option(help="How matrices are built; auto: as fit chooses.")] = _Chosen.AUTO,
    reuse: Annotated[int | None, typer.Option(help="The most cycles a vector of each folded matrix.")] = None,
    lanes: Annotated[int | None, typer.Option(help="The lanes of each folded matrix.")] = None,
    head: Annotated[Head, typer.Option(help="What a classifier gives out.")] = Head.LOGITS,
    loss_by: Annotated[str, typer.Option(help="What tells how much each layer loses.")] = "measured",
    rounds: Annotated[int, typer.Option(min=1, help="The most networks that are trained to find one that fits.")] = 6,
    explain: Annotated[
        bool, typer.Option("--explain", help="Measure the accuracy with each layer pruned alone, for the page.")
    ] = False,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Prune and quantise a PyTorch model by a recipe, with --board as far as the board asks for."""
    from fpgaprune import budgeted, workspace
    from fpgaprune import prune as pruning
    from fpgaprune.explained import remarks
    from fpgaprune.prune.checkpoint import refuse_others
    from fpgaprune.prune.weights import with_told_weights
    from fpgaprune.quantise import quantise
    from fpgaprune.recipe import Recipe

    plan = Recipe.from_toml(recipe)
    budget = Budget(max_lut, max_ff, max_dsp, max_bram, max_uram, board, max_latency_ns)
    build = budgeted.Build(Goal(interval_cycles=max_interval_cycles), io, clock_ns, strategy.one(), reuse, lanes, head)
    if board is None and (budget, build) != (Budget(), budgeted.Build()):
        msg = "limits, and how a design is built, are for a board: add --board, or leave them out"
        raise InputError(msg)
    module = pruning.build_model(model)
    baked: tuple[str, ...] = ()
    if weights is not None:
        module, baked = with_told_weights(module, pruning.load_weights(weights))
    refuse_target(out, force=force)
    if checkpoint is not None:
        refuse_overlap(out, checkpoint)
        refuse_others(checkpoint, ("prune", "quantise") if board is None else budgeted.PLACES)
    loaders = pruning.build_data(data)
    with located(f"{recipe}:"):
        plan.check(module, loaders)
    places = [None, None] if checkpoint is None else [checkpoint / "prune", checkpoint / "quantise"]
    found: budgeted.Budgeted | None = None
    levels = pruning.SENSITIVITY_LEVELS if explain else ()
    with _told(pruning.TrainingWarning, pruning.LoopWarning):
        if board is None:
            pruned = pruning.prune(module, loaders, plan.prune, device=device, checkpoint=places[0], explain=levels)
            quantised = quantise(pruned, loaders, plan.quantise, device=device, checkpoint=places[1])
        else:
            training = budgeted.Training(loaders, device=device, checkpoint=checkpoint, explain=levels)
            settings: dict[str, Any] = {"build": build, "loss_by": loss_by, "rounds": rounds}
            settings["tell"] = None if as_json else _print_round
            found = budgeted.prune_to_budget(module, plan, budget, training, **settings)
            pruned, quantised = found.pruned, found.quantised
    pruned, quantised = _with_baked(pruned, quantised, baked)
    samples, _ = loaders.test_arrays()
    name = label or f"{pruned.sparsity:.0%}".replace("%", " %")
    extras = {"budget.json": json.dumps(found.outcome.to_dict(), indent=1) + "\n"} if found else {}
    extras[commands.NAME] = commands.to_text([sys.argv[1:]])
    workspace.save(workspace.Workspace(quantised, name, samples), pruned, out, force=force, extras=extras)
    if as_json:
        told = quantised.report.to_dict() | {"remarks": remarks(quantised.report.explained)}
        _print_json(told if found is None else told | {"budget": found.outcome.to_dict()})
        return
    if found is None:
        _print_pruned(pruned, quantised)
    else:
        budgeted.print_outcome(found.outcome, _console())
    for remark in remarks(quantised.report.explained):
        _console().print(escape(remark), soft_wrap=True, highlight=False)
    if found is not None:
        _console().print(f"write it: {escape(budgeted.next_command(out, budget, build))}", soft_wrap=True)


def _with_baked(
    pruned: PrunedModel, quantised: QuantisedModel, names: tuple[str, ...]
) -> tuple[PrunedModel, QuantisedModel]:
    """Return both models with the tensors of a file of weights that masks were baked into among those they name."""
    pruned = replace(pruned, unbaked=(*names, *pruned.unbaked))
    return pruned, replace(quantised, report=replace(quantised.report, pruning=pruned.report))


def _print_pruned(pruned: PrunedModel, quantised: QuantisedModel) -> None:
    from fpgaprune.report import wording

    if cut := pruned.masks.cut:
        _console().print(f"{cut} of {pruned.masks.count} weights cut out with their channels")
    report = quantised.report
    _console().print(f"accuracy {_percent(report.metric_before)} pruned, {_percent(report.metric_after)} as integers")
    if report.saved is not None:
        saved = report.saved
        _console().print(f"cost {saved.before:,.0f} → {saved.after:,.0f} {saved.cost.value} (expected by training)")
    for layer in report.sparsity:
        _console().print(
            f"{escape(wording.layer(layer.layer))}: {layer.before:.1%} of {layer.weights} weights zero after pruning, "
            f"{layer.after:.1%} after quantisation"
        )


def _print_round(made: Round) -> None:
    from fpgaprune.budgeted import told

    _console().print(escape(told(made)), soft_wrap=True)


@contextmanager
def _told(*kinds: type[Warning]) -> Iterator[None]:
    """Print each warning of these kinds in one line, as it comes, without its place in the source."""

    def tell(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:  # noqa: ANN401
        if issubclass(category, kinds):
            typer.echo(f"warning: {message}", err=True)
        else:
            usual(message, category, *place, **more)

    with warnings.catch_warnings():
        for kind in kinds:
            warnings.simplefilter("always", kind)
        usual, warnings.showwarning = warnings.showwarning, tell
        yield


def _percent(share: float | None) -> str:
    return "unknown" if share is None else f"{share:.1%}"


@contextmanager
def _status() -> Iterator[Callable[[str], None]]:
    """Yield a function that shows what is being worked on; nothing is shown unless stderr is a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _text: None
        return
    with console.status("reading the model") as status:
        yield lambda text: status.update(escape(text))


@app.command()
def generate(
    pruned: Annotated[Path, typer.Argument(help="What `fpgaprune prune` made.", show_default=False)],
    board: Annotated[str, typer.Option(help="A board's name, or your own TOML file.", show_default=False)],
    out: Out,
    clock_ns: Annotated[float | None, typer.Option(help="The clock period; the board's by default.")] = None,
    io: Annotated[Interface, typer.Option(help="How vectors enter and leave.")] = Interface.PARALLEL,
    strategy: Annotated[
        _Chosen, typer.Option(help="How matrices are built; auto: what fits the board at the shortest interval.")
    ] = _Chosen.AUTO,
    reuse: Annotated[int | None, typer.Option(help="The most cycles a vector of each folded matrix.")] = None,
    lanes: Annotated[int | None, typer.Option(help="The lanes of each folded matrix.")] = None,
    head: Annotated[Head, typer.Option(help="What a classifier gives out.")] = Head.LOGITS,
    name: Annotated[str, typer.Option(help="The top function's name.")] = "net",
    label: Label = "",
    baseline: Annotated[bool, typer.Option("--baseline", help="Add the stock hls4ml project.")] = False,
    force: Force = False,
) -> None:
    """Write the HLS C++ project of a pruned model for a board."""
    from fpgaprune import flow, workspace
    from fpgaprune.fit import InfeasibleError
    from fpgaprune.report import costs

    target = boards_module.load(board)
    with _status() as say:
        plan = flow.plan_of(strategy.one(), target, clock_ns=clock_ns, reuse=reuse, lanes=lanes, progress=say)
        loaded = workspace.load(pruned)
        making = [*commands.read_commands(pruned), sys.argv[1:]]
        refuse_overlap(out, pruned)
        refuse_target(out, force=force)
        options = flow.Options(name, clock_ns, io, plan, baseline=baseline, head=head)
        try:
            made = flow.generated(loaded.quantised, target, loaded.samples, options, label=label or loaded.label)
        except InfeasibleError as error:
            msg = f"{error}; or choose a --strategy to write the design all the same"
            raise InputError(msg) from error
    project = made.project
    project.write(out, force=force)
    commands.store_commands(making, out)
    _console().print(f"{escape(str(out))}: {len(project.files)} files, digest {project.digest()[:16]}", soft_wrap=True)
    _console().print(escape(costs(made.resources, target)), highlight=False)
    if project.is_constant:
        _console().print("[bold]every weight is gone: the outputs no longer depend on the input; prune less[/bold]")


@app.command()
def fit(
    pruned: Annotated[Path, typer.Argument(help="What `fpgaprune prune` made.", show_default=False)],
    board: Annotated[str, typer.Option(help="A board's name, or your own TOML file.", show_default=False)],
    out: Out,
    goal: Annotated[Aim, typer.Option(help="What is made as small as it can be.")] = Aim.INTERVAL,
    max_lut: Annotated[float, typer.Option(help="The share of the board's LUTs, 0 to 1.")] = Budget.lut,
    max_ff: Annotated[float, typer.Option(help="The share of its flip-flops.")] = Budget.ff,
    max_dsp: Annotated[float, typer.Option(help="The share of its DSP slices.")] = Budget.dsp,
    max_bram: Annotated[float, typer.Option(help="The share of its block RAM.")] = Budget.bram_18k,
    max_uram: Annotated[float, typer.Option(help="The share of its UltraRAM.")] = Budget.uram,
    max_latency_ns: Annotated[float | None, typer.Option(help="The most time from input to output.")] = None,
    max_interval_cycles: Annotated[int | None, typer.Option(help="The most cycles between samples.")] = None,
    io: Annotated[Interface, typer.Option(help="How vectors enter and leave.")] = Interface.PARALLEL,
    clock_ns: Annotated[float | None, typer.Option(help="The clock period; the board's by default.")] = None,
    head: Annotated[Head, typer.Option(help="What a classifier gives out.")] = Head.LOGITS,
    name: Annotated[str, typer.Option(help="The top function's name.")] = "net",
    label: Label = "",
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Choose strategy, lanes and reuse of every layer for a board, and write the project."""
    from fpgaprune import flow, workspace
    from fpgaprune.fit import chosen_layers, chosen_to_data, rest
    from fpgaprune.report import layer_kinds, print_chosen

    target = boards_module.load(board)
    budget = Budget(max_lut, max_ff, max_dsp, max_bram, max_uram)
    wanted = Goal(goal, max_latency_ns, max_interval_cycles)
    with _status() as say:
        loaded = workspace.load(pruned)
        making = [*commands.read_commands(pruned), sys.argv[1:]]
        refuse_overlap(out, pruned)
        refuse_target(out, force=force)
        options = flow.Options(name, clock_ns, io, flow.FitRequest(wanted, budget, say), head=head)
        made = flow.generated(loaded.quantised, target, loaded.samples, options, label=label or loaded.label)
    made.project.write(out, force=force)
    commands.store_commands(making, out)
    assert made.fitted is not None  # noqa: S101  # a fit was requested
    if as_json:
        _print_json(chosen_to_data(made.lowered, made.fitted.resources) | {"fit": flow.told(made.fitted)})
    else:
        chosen = chosen_layers(made.lowered, made.fitted.resources)
        kinds = layer_kinds({"point": made.point})
        print_chosen(made.fitted, chosen, rest(chosen, made.fitted.resources), kinds, _console())


@app.command()
def csim(
    folder: Folder,
    samples: Annotated[int | None, typer.Option(min=1, help="Simulate so many random vectors.")] = None,
    inputs: Annotated[
        Path | None,
        typer.Option(help="An .npy, or an .npz with an array for each input; mantissas or numbers, channels last."),
    ] = None,
    timeout_s: Annotated[float, typer.Option(min=1, help="Time limit of the build and of the run.")] = 1800.0,
    as_json: Json = False,
) -> None:
    """Simulate a project's C++ and compare every output with the definition; exit 0 only if bit-exact."""
    from fpgaprune.sim import ProjectFolder, store_verdict, to_data
    from fpgaprune.sim import csim as simulate
    from fpgaprune.sim.inputs import load_inputs

    project = ProjectFolder.load(folder)
    chosen = None if inputs is None else load_inputs(inputs, project.design.graph)
    verdict = simulate(project, chosen, samples=samples, timeout_s=timeout_s)
    if as_json:
        _print_json(to_data(verdict))
    else:
        _console().print(escape(verdict.sentence()), soft_wrap=True)
    store_verdict(verdict, folder)
    raise typer.Exit(0 if verdict.exact else 1)


@app.command()
def estimate(folder: Folder, as_json: Json = False) -> None:
    """Estimate what a project costs on its board, layer by layer; what tools measured of it is told below."""
    from fpgaprune.lower import lower
    from fpgaprune.report import costs
    from fpgaprune.resources import estimate as estimated
    from fpgaprune.resources import to_data
    from fpgaprune.sim import ProjectFolder
    from fpgaprune.vendor import measurements

    project = ProjectFolder.load(folder)
    resources, measured = estimated(lower(project.design)), measurements(project)
    if as_json:
        board = project.design.board
        told = [to_data(each, board) for each in measured]
        _print_json(to_data(resources, board) | {"edited": project.edited(), "measurements": told})
        return
    _print_resources(resources, project)
    for each in measured:
        _console().print(escape(costs(each, project.design.board)), highlight=False)


def _print_resources(resources: Resources, project: ProjectFolder) -> None:
    from fpgaprune.report import layer_kinds, print_resources, wording

    design, kinds = project.design, layer_kinds(project.manifest)
    print_resources(resources, design.board, design.name, kinds, _console())
    if edited := project.edited():
        _console().print(escape(wording.edited(edited)), soft_wrap=True)


@app.command()
def energy(
    folders: Annotated[list[Path], typer.Argument(help="Generated projects.", show_default=False)],
    inputs: Annotated[
        Path | None,
        typer.Option(help="Successive inputs, an .npy or .npz as of csim; by default the vectors that it keeps."),
    ] = None,
    timeout_s: Annotated[float, typer.Option(min=1, help="Time limit of the build and of the run.")] = 1800.0,
    as_json: Json = False,
) -> None:
    """Estimate the energy of an inference from switching in C-simulation on real inputs; compare that of several."""
    from fpgaprune.energy import comparison_to_data, energies, store_energy, to_data
    from fpgaprune.report import layer_kinds, print_energy
    from fpgaprune.report.energy import print_energies
    from fpgaprune.sim import ProjectFolder

    projects = [ProjectFolder.load(folder) for folder in folders]
    found, kinds = energies(projects, inputs, timeout_s=timeout_s), layer_kinds(projects[0].manifest)
    one = found.densest if len(projects) == 1 else None
    if as_json:
        _print_json(comparison_to_data(found) if one is None else to_data(one.energy))
    elif one is None:
        print_energies(found, kinds, _console())
    else:
        print_energy(one.energy, one.board, projects[0].design.name, kinds, _console())
    for point in found.points:  # what a folder that cannot be written does not keep is told all the same
        store_energy(point.energy, Path(point.folder))


@app.command()
def compare(
    folders: Annotated[list[Path], typer.Argument(help="Generated projects.", show_default=False)],
    html: Annotated[Path | None, typer.Option(help="Write a page as well, with the folders on its way.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write a table of the designs as CSV.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write tables as Markdown.")] = None,
    plots: Annotated[Path | None, typer.Option(help="A folder to write pictures into, PNG and SVG.")] = None,
    kind: Annotated[
        Kind, typer.Option(help="Which numbers to compare: estimates, or what synth or import-report left in each.")
    ] = Kind.ESTIMATE,
    threshold: Annotated[
        float | None,
        typer.Option(
            help="The share of the fall of a layer's non-zeros that its cost must show, 0 to 1; "
            "0 asks only that it does not rise.  [default: 0.5]",
            show_default=False,
        ),
    ] = None,
    stock: Annotated[
        bool, typer.Option(help="Show what stock hls4ml would cost, an estimate, beside the designs.")
    ] = True,
    as_json: Json = False,
) -> None:
    """Show designs side by side, board by board; exit 1 where a layer's cost does not fall with its non-zeros."""
    from fpgaprune import report
    from fpgaprune.paths import write_text
    from fpgaprune.sim import ProjectFolder

    projects = [ProjectFolder.load(folder) for folder in folders]
    asked = report.THRESHOLD if threshold is None else threshold
    compared = report.compare_boards(projects, kind, threshold=asked, stock=stock)
    if html is not None:
        report.write_page(compared, html)
    if csv is not None:
        write_text(csv, report.design_table(compared).to_csv())
    if markdown is not None:
        write_text(markdown, report.markdown(compared))
    if plots is not None:
        from fpgaprune.report.plots import write_plots

        write_plots(compared, plots)
    if as_json:
        _print_json(report.comparison_to_data(compared))
    else:
        for group in compared.groups:
            report.print_comparison(group, _console())
    raise typer.Exit(1 if compared.findings() else 0)


@app.command()
def boards(
    name: Annotated[str | None, typer.Argument(help="One board, with its sources.", show_default=False)] = None,
    as_json: Json = False,
) -> None:
    """List the boards that fpgaprune knows, or show one."""
    from fpgaprune.report import print_boards

    found = boards_module.load_all() if name is None else (boards_module.load(name),)
    if as_json:
        _print_json([boards_module.to_data(one) for one in found])
        return
    print_boards(found, _console())
    if name is not None:
        for field, source in found[0].sources.items():
            _console().print(f"{field}: {escape(source)}", soft_wrap=True)


class _Synthesiser(enum.Enum):
    VITIS = "vitis"
    VIVADO = "vivado"
    YOSYS = "yosys"


def _vendor_run(project: ProjectFolder, tool: _Synthesiser, timeout_s: float | None) -> Resources:
    from fpgaprune.vendor import DEFAULT_TIMEOUT_S, Maker
    from fpgaprune.vendor import synth as run

    with _status() as say:
        return run(project, Maker(tool.value), timeout_s=timeout_s or DEFAULT_TIMEOUT_S, progress=say)


def _open_run(project: ProjectFolder, _tool: _Synthesiser, timeout_s: float | None) -> Resources:
    from fpgaprune.yosys import synth as run

    with _status() as say:
        return run(project, timeout_s=timeout_s, progress=say)


_SYNTHESISERS: dict[_Synthesiser, Callable[[ProjectFolder, _Synthesiser, float | None], Resources]] = {
    _Synthesiser.VITIS: _vendor_run,
    _Synthesiser.VIVADO: _vendor_run,
    _Synthesiser.YOSYS: _open_run,
}


@app.command()
def synth(
    folder: Folder,
    tool: Annotated[
        _Synthesiser, typer.Option(help="yosys is free; vivado also places and routes.", show_default=False)
    ],
    timeout_s: Annotated[float | None, typer.Option(min=1, help="Time limit of each stage; the tool's own.")] = None,
    as_json: Json = False,
) -> None:
    """Synthesise a project with a tool, stage by stage; what is finished is not run again."""
    from fpgaprune.resources import to_data
    from fpgaprune.sim import ProjectFolder

    project = ProjectFolder.load(folder)
    resources = _SYNTHESISERS[tool](project, tool, timeout_s)
    if as_json:
        _print_json(to_data(resources, project.design.board))
        return
    _print_resources(resources, project)
    _print_measured(resources)


def _print_measured(resources: Resources) -> None:
    """Print what the tool says beside counts."""
    measured = resources.measured
    if measured is None:
        return
    said = [measured.tool]
    if measured.achieved_ns is not None:
        reached = {True: "met", False: "NOT met", None: "not checked"}[measured.timing_met]
        said.append(f"period {measured.achieved_ns:g} ns of {resources.clock_ns:g} ns, timing {reached}")
    if measured.total_w is not None:
        parts = f"{measured.dynamic_w:g} W dynamic, {measured.static_w:g} W static"
        said.append(f"power {measured.total_w:g} W ({parts}; the tool's estimate)")
    _console().print(escape("; ".join(said)), soft_wrap=True)


@app.command("import-report")
def import_report(
    folder: Folder,
    file: Annotated[Path, typer.Argument(help="A report of Vitis HLS or Vivado.", show_default=False)],
    as_json: Json = False,
) -> None:
    """Keep a report that a vendor's tool wrote elsewhere beside the project that it is of."""
    from fpgaprune.sim import ProjectFolder
    from fpgaprune.vendor import import_report as imported
    from fpgaprune.vendor import replaced, stored, to_data

    project = ProjectFolder.load(folder)
    before = [kept for kind in Kind if (kept := stored(project, kind)) is not None]
    measurement = imported(project, file)
    gone = replaced(before, measurement)
    if as_json:
        _print_json(to_data(measurement) | {"replaced": gone})
        return
    source = measurement.sources[-1]
    tie = (
        "by the tag of this project"
        if source.tagged
        else "by top, part and clock alone, which cannot tell weights apart"
    )
    _console().print(
        escape(f"{file}: {', '.join(source.says)}, {measurement.kind.value} of {measurement.tool}; tied {tie}"),
        soft_wrap=True,
    )
    if gone:
        _console().print(escape(f"it replaces {', '.join(gone)}"), soft_wrap=True)


for command in (cli_recipes.init, cli_recipes.run, cli_recipes.sweep, cli_recipes.search):
    app.command()(command)


@app.command()
def doctor() -> None:
    """Say what is installed, and what each missing tool would add."""
    from fpgaprune import vendor

    console = _console()
    console.print(f"fpgaprune {__version__}, Python {platform.python_version()}")
    for package in ("torch", "hls4ml", "numpy", "scipy"):
        console.print(f"{package} {metadata.version(package)}")
    for tool in tools.TOOLS.values():
        path = tools.find(tool.name)
        state = f"{path}" if path else f"missing: {tool.purpose} needs it; {tool.remedy} or set {tool.variable}"
        console.print(f"{tool.name}: {escape(state)}", soft_wrap=True)
    for maker in vendor.Maker:
        path = vendor.find(maker)
        state = f"{path}" if path else f"missing: synth --tool {maker.value} needs it; {vendor.missing(maker)}"
        console.print(f"{maker.value}: {escape(state)}", soft_wrap=True)


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


def _print_json(data: Any) -> None:  # noqa: ANN401  # any JSON value
    typer.echo(json.dumps(data, indent=1))


_INTERRUPTED = 130
"""The exit code that typer makes of Ctrl-C."""


def main() -> NoReturn:
    """Run the command line; a fault of the user's ends it with one line and exit code 2."""
    gc.set_threshold(100_000)  # what is imported is no garbage; to look for some takes a fifth of the time of imports
    atexit.register(gc.freeze)  # nor is there any use in looking at the end
    try:
        app(standalone_mode=True)
    except FpgapruneError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
    except SystemExit as end:
        if end.code == _INTERRUPTED:
            typer.echo("interrupted; run the same command again to go on", err=True)
        raise
    sys.exit(0)


if __name__ == "__main__":
    main()
