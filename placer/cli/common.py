"""What commands share: finding a plan's instance, JSON output, the progress bar."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from placer.cli.parameters import FILE_OR_NAME

if TYPE_CHECKING:
    from placer.evaluation.evaluation import Evaluation
    from placer.files import Target
    from placer.solver.progress import Listener, Progress

json_option = click.option("--json", "as_json", is_flag=True, help="Machine output on stdout.")
instance_option = click.option(
    "--instance", type=FILE_OR_NAME, help="Instance to use instead of the one that the plan names."
)


by_option = click.option(
    "--by",
    type=click.Choice(["verdict", "analytic", "simulation"]),
    default="verdict",
    show_default=True,
    help="Who judges loss and response times: always the one named; verdict: the analytic evaluator where its error "
    "leaves no doubt, else as much simulation as it takes.",
)


def plain(value: Any) -> Any:
    """Return dataclasses as dicts and numbers that JSON lacks as null."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def list_methods(ctx: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    """Print the planners and stop, when ``--methods`` is given."""
    if not wanted:
        return
    from placer.planning.methods import METHODS
    from placer.planning.request import SPELLINGS

    for method in METHODS.values():
        options = ", ".join(
            spelling for name, spelling in SPELLINGS.items() if name in method.takes and "-" in spelling
        )
        steered = "reports" if method.blind else "for"
        click.echo(f"{method.name:20} {method.title}")
        click.echo(f"{'':20} {steered} {', '.join(method.objectives)}" + (f"; takes {options}" if options else ""))
    ctx.exit()


def print_json(value: Any) -> None:
    """Print one JSON document on stdout."""
    click.echo(json.dumps(plain(value), indent=2, allow_nan=False))


def evaluation_json(evaluation: Evaluation) -> dict[str, Any]:
    """Return an evaluation as plain data: what it judges, how, and what it means.

    ``objectives`` are values as people know them, ``senses`` and ``units`` say which direction is better and in what.
    What planners minimise and what the simulator counted on the way is not part of it.
    """
    from placer.evaluation.objectives import OBJECTIVES

    parts = ("evaluator", "services", "devices", "carriers", "objectives", "slowest", "checks", "times", "stations")
    return {
        **{part: plain(getattr(evaluation, part)) for part in parts},
        "senses": {name: objective.sense for name, objective in OBJECTIVES.items()},
        "units": {name: objective.unit for name, objective in OBJECTIVES.items()},
        "feasible": evaluation.feasible,
        "warnings": list(evaluation.warnings),
        "excess": evaluation.excess,
    }


def instance_path(argument: str, output: Path | None) -> str:
    """Return how a plan written to ``output`` names its instance: a shipped name, or a path relative to the plan."""
    from placer.instance.library import is_file

    path = Path(argument)
    if not is_file(path):
        return argument
    folder = (output.parent if output is not None else Path.cwd()).resolve()
    return Path(os.path.relpath(path.resolve(), folder)).as_posix()


def claim_output(output: Path | None, force: bool) -> Target | None:
    """Get ready to write a file before the work, or refuse; what is claimed and not written goes with the command."""
    if output is None:
        return None
    from placer.files import claim

    ctx = click.get_current_context()
    claimed = ctx.meta.setdefault("placer.outputs", set())
    name = os.path.realpath(output)
    if name in claimed:
        raise click.UsageError(f"{output} is named for two outputs", ctx)
    claimed.add(name)
    target = claim(output, force)
    ctx.call_on_close(target.discard)
    return target


@contextmanager
def progress_bar(title: str, show: bool) -> Iterator[Listener | None]:
    """Show incumbent, bound and gap while a search runs; nothing when stderr or stdout is no terminal."""
    if not show or not sys.stdout.isatty() or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TextColumn("{task.fields[state]}"),
        TimeElapsedColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, state="")

        def tell(progress: Progress) -> None:
            gap = "–" if math.isinf(progress.gap) else f"{100 * progress.gap:.2f} %"
            state = f"best {progress.incumbent:.6g}  bound {progress.bound:.6g}  gap {gap}  {progress.stage}"
            bar.update(task, state=state)

        yield tell


@contextmanager
def replication_bar(show: bool, what: str = "replications") -> Iterator[Callable[[int, int], None] | None]:
    """Show how many replications (or ``what`` else) are done; nothing when stderr or stdout is no terminal."""
    if not show or not sys.stdout.isatty() or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what)
        yield lambda done, planned: bar.update(task, completed=done, total=planned)
