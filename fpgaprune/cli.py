"""The command line: arguments to stages, and errors to exit codes."""

from __future__ import annotations

import enum
import json
import platform
import sys
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from fpgaprune import board as boards_module
from fpgaprune import tools
from fpgaprune.errors import FpgapruneError, InputError
from fpgaprune.fit import Aim, Budget, Goal
from fpgaprune.heads import Head
from fpgaprune.paths import refuse_overlap, refuse_target
from fpgaprune.schedule import Interface, Strategy
from fpgaprune.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from fpgaprune.fit import Fitted
    from fpgaprune.lower import Lowered
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
Force = Annotated[bool, typer.Option("--force", help="Replace an existing folder.")]
Out = Annotated[Path, typer.Option("--out", help="The folder to make.", show_default=False)]


def _console() -> Console:
    """A terminal has a width of its own; text that is piped need not be cut to one."""
    console = Console()
    return console if console.is_terminal else Console(width=140)


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
    force: Force = False,
) -> None:
    """Prune and quantise a PyTorch model by a recipe."""
    from fpgaprune import prune as pruning
    from fpgaprune import workspace
    from fpgaprune.quantise import quantise
    from fpgaprune.recipe import Recipe

    plan = Recipe.from_toml(recipe)
    refuse_target(out, force=force)
    module = pruning.build_model(model)
    if weights is not None:
        module = pruning.with_weights(module, pruning.load_weights(weights))
    loaders = pruning.build_data(data)
    pruned = pruning.prune(module, loaders, plan.prune)
    quantised = quantise(pruned, loaders, plan.quantise)
    samples, _ = loaders.test_arrays()
    name = label or f"{pruned.sparsity:.0%}".replace("%", " %")
    workspace.save(workspace.Workspace(quantised, name, samples), pruned, out, force=force)
    report = quantised.report
    _console().print(f"accuracy {_percent(report.metric_before)} pruned, {_percent(report.metric_after)} as integers")
    for layer in report.sparsity:
        _console().print(
            f"{escape(layer.layer)}: {layer.before:.1%} of {layer.weights} weights zero after pruning, "
            f"{layer.after:.1%} after quantisation"
        )


def _percent(share: float | None) -> str:
    return "unknown" if share is None else f"{share:.1%}"


class _Chosen(enum.Enum):
    AUTO = "auto"
    MULTIPLY = Strategy.MULTIPLY.value
    ADDERS = Strategy.ADDERS.value
    FOLDED = Strategy.FOLDED.value

    def one(self) -> Strategy | None:
        """Return the strategy for all matrices, or None where each gets its own."""
        return None if self is _Chosen.AUTO else Strategy(self.value)


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
    baseline: Annotated[bool, typer.Option("--baseline", help="Add the stock hls4ml project.")] = False,
    force: Force = False,
) -> None:
    """Write the HLS C++ project of a pruned model for a board."""
    from fpgaprune import flow, workspace
    from fpgaprune.fit import InfeasibleError

    target = boards_module.load(board)
    refuse_overlap(out, pruned)
    refuse_target(out, force=force)
    with _status() as say:
        plan = flow.plan_of(strategy.one(), target, clock_ns=clock_ns, reuse=reuse, lanes=lanes, progress=say)
        loaded = workspace.load(pruned)
        options = flow.Options(name, clock_ns, io, plan, baseline=baseline, head=head)
        try:
            project = flow.generate(loaded.quantised, target, loaded.samples, options, label=loaded.label)
        except InfeasibleError as error:
            msg = f"{error}; or choose a --strategy to write the design all the same"
            raise InputError(msg) from error
    project.write(out, force=force)
    _console().print(f"{escape(str(out))}: {len(project.files)} files, digest {project.digest()[:16]}", soft_wrap=True)
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
    max_latency_ns: Annotated[float | None, typer.Option(help="The most time from input to output.")] = None,
    max_interval_cycles: Annotated[int | None, typer.Option(help="The most cycles between samples.")] = None,
    io: Annotated[Interface, typer.Option(help="How vectors enter and leave.")] = Interface.PARALLEL,
    clock_ns: Annotated[float | None, typer.Option(help="The clock period; the board's by default.")] = None,
    head: Annotated[Head, typer.Option(help="What a classifier gives out.")] = Head.LOGITS,
    name: Annotated[str, typer.Option(help="The top function's name.")] = "net",
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Choose strategy, lanes and reuse of every layer for a board, and write the project."""
    from fpgaprune import flow, workspace
    from fpgaprune.fit import chosen_to_data

    target = boards_module.load(board)
    budget = Budget(max_lut, max_ff, max_dsp, max_bram)
    wanted = Goal(goal, max_latency_ns, max_interval_cycles)
    refuse_overlap(out, pruned)
    refuse_target(out, force=force)
    with _status() as say:
        loaded = workspace.load(pruned)
        options = flow.Options(name, clock_ns, io, flow.FitRequest(wanted, budget, say), head=head)
        made = flow.generated(loaded.quantised, target, loaded.samples, options, label=loaded.label)
    made.project.write(out, force=force)
    assert made.fitted is not None  # noqa: S101  # a fit was requested
    if as_json:
        _print_json(chosen_to_data(made.lowered, made.fitted.resources) | {"fit": flow.told(made.fitted)})
    else:
        _print_fitted(made.fitted, made.lowered)


def _print_fitted(fitted: Fitted, lowered: Lowered) -> None:
    from fpgaprune.fit import chosen_layers, rest
    from fpgaprune.resources import AMOUNTS

    board, resources = fitted.design.board, fitted.resources
    amounts = [amount for amount in AMOUNTS if getattr(board.resources, amount)]
    table = Table(title=escape(f"{fitted.design.name} on {board.title}: {resources.kind.value}"))
    for column in (
        "layer",
        "non-zeros",
        "strategy",
        "lanes",
        "access",
        "interval",
        *(name.upper() for name in amounts),
    ):
        table.add_column(column, justify="left" if column in {"layer", "strategy", "access"} else "right")
    chosen = chosen_layers(lowered, resources)
    for layer in chosen:
        how = (layer.strategy, str(layer.lanes or ""), layer.access or "", f"{layer.interval:,}")
        table.add_row(escape(layer.layer), f"{layer.nonzeros:,}", *how, *_numbers(layer.amounts, amounts))
    table.add_row("all else", *[""] * 5, *_numbers(rest(chosen, resources), amounts))
    table.add_section()
    totals = [f"{resources.total(name):,}" for name in amounts]
    table.add_row("all", f"{resources.total('nonzeros'):,}", *[""] * 4, *totals)
    shares = resources.utilisation(board)
    table.add_row("of the board", *[""] * 5, *(f"{shares[name]:.1%}" for name in amounts))
    _console().print(table)
    _console().print(_speed(resources))
    if not fitted.proven:
        _console().print("the search for the best choice was cut short: a better one may exist")


def _numbers(counts: Sequence[int], amounts: Sequence[str]) -> list[str]:
    from fpgaprune.resources import AMOUNTS

    return [f"{count:,}" for name, count in zip(AMOUNTS, counts, strict=True) if name in amounts]


def _speed(resources: Resources) -> str:
    from fpgaprune.report.wording import plural

    return (
        f"latency {resources.latency_ns:g} ns, interval {plural(resources.interval_cycles, 'cycle')} at "
        f"{resources.clock_ns:g} ns (all numbers: {resources.kind.value})"
    )


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
    store_verdict(verdict, folder)
    if as_json:
        _print_json(to_data(verdict))
    else:
        _console().print(escape(verdict.sentence()), soft_wrap=True)
    raise typer.Exit(0 if verdict.exact else 1)


@app.command()
def estimate(folder: Folder, as_json: Json = False) -> None:
    """Estimate what a project costs on its board, layer by layer."""
    from fpgaprune.lower import lower
    from fpgaprune.resources import estimate as estimated
    from fpgaprune.resources import to_data
    from fpgaprune.sim import ProjectFolder

    project = ProjectFolder.load(folder)
    resources = estimated(lower(project.design))
    if as_json:
        _print_json(to_data(resources, project.design.board))
    else:
        _print_resources(resources, project)


def _print_resources(resources: Resources, project: ProjectFolder) -> None:
    from fpgaprune.resources import AMOUNTS

    board = project.design.board
    table = Table(title=escape(f"{project.design.name} on {board.title}: {resources.kind.value}"))
    for column in ("layer", "non-zeros", *(amount.upper() for amount in AMOUNTS), "latency [cycles]"):
        table.add_column(column, justify="left" if column == "layer" else "right")
    for layer in resources.layers:
        numbers = [layer.nonzeros, *(getattr(layer, amount) for amount in AMOUNTS), layer.latency_cycles]
        table.add_row(escape(layer.layer), *(f"{number:,}" for number in numbers))
    totals = [resources.total("nonzeros"), *(resources.total(amount) for amount in AMOUNTS), resources.latency_cycles]
    table.add_section()
    table.add_row("all", *(f"{number:,}" for number in totals))
    shares = [f"{share:.1%}" for share in resources.utilisation(board).values()]
    table.add_row("of the board", "", *shares, "")
    _console().print(table)
    fits = "fits" if resources.fits(board) else "does not fit"
    _console().print(f"{fits}; {_speed(resources)}")


@app.command()
def compare(
    folders: Annotated[list[Path], typer.Argument(help="Generated projects.", show_default=False)],
    html: Annotated[Path | None, typer.Option(help="Write a page as well.")] = None,
    as_json: Json = False,
) -> None:
    """Show designs side by side; exit 1 where a layer's cost does not fall with its non-zeros."""
    from fpgaprune.report import compare as compared
    from fpgaprune.report import comparison_to_data, print_comparison, write_page
    from fpgaprune.sim import ProjectFolder

    comparison = compared([ProjectFolder.load(folder) for folder in folders])
    if html is not None:
        write_page(comparison, html)
    if as_json:
        _print_json(comparison_to_data(comparison))
    else:
        print_comparison(comparison, _console())
    raise typer.Exit(1 if comparison.findings() else 0)


@app.command()
def boards(
    name: Annotated[str | None, typer.Argument(help="One board, with its sources.", show_default=False)] = None,
    as_json: Json = False,
) -> None:
    """List the boards that fpgaprune knows, or show one."""
    found = boards_module.load_all() if name is None else (boards_module.load(name),)
    if as_json:
        _print_json([boards_module.to_data(one) for one in found])
        return
    table = Table("name", "part", "clock [ns]", "LUT", "FF", "DSP", "BRAM_18K", "URAM")
    for one in found:
        have = one.resources
        counts = (have.lut, have.ff, have.dsp, have.bram_18k, have.uram)
        table.add_row(one.name, one.part, f"{one.clock_ns:g}", *(f"{count:,}" for count in counts))
    _console().print(table)
    if name is not None:
        for field, source in found[0].sources.items():
            _console().print(f"{field}: {escape(source)}", soft_wrap=True)


@app.command()
def doctor() -> None:
    """Say what is installed, and what each missing tool would add."""
    console = _console()
    console.print(f"fpgaprune {__version__}, Python {platform.python_version()}")
    for package in ("torch", "hls4ml", "numpy", "scipy"):
        console.print(f"{package} {metadata.version(package)}")
    for tool in tools.TOOLS.values():
        path = tools.find(tool.name)
        state = f"{path}" if path else f"missing: {tool.purpose} needs it; {tool.remedy} or set {tool.variable}"
        console.print(f"{tool.name}: {escape(state)}", soft_wrap=True)


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


def _print_json(data: Any) -> None:  # noqa: ANN401  # any JSON value
    typer.echo(json.dumps(data, indent=1))


def main() -> NoReturn:
    """Run the command line; a fault of the user's ends it with one line and exit code 2."""
    try:
        app(standalone_mode=True)
    except FpgapruneError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        typer.echo("interrupted; run the same command again to go on", err=True)
        sys.exit(130)
    sys.exit(0)


if __name__ == "__main__":
    main()
