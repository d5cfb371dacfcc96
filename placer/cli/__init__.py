"""The command line: parses, calls one function, renders. Heavy imports wait until a command needs them."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from typing import NoReturn

import click

from placer import interruption
from placer._version import __version__
from placer.cli import process
from placer.cli.arguments import fault_of_text, shown
from placer.errors import InputError, PlacerError, ReaderGoneError, as_placer_error

COMMANDS = {
    "init": "Write a commented starter: an instance, a device type or a model.",
    "list": "List what placer ships.",
    "plan": "Find the best placement and prove how good it is.",
    "split": "Cut one network between a device and a server.",
    "check": "Judge a plan; for CI.",
    "evaluate": "Show what a plan does, per service and device.",
    "simulate": "Simulate a plan beside the analytic evaluator.",
    "sweep": "Plan at many values of a field: loss, latency, accuracy, and where the plan changes.",
    "explain": "Say why an instance is infeasible and what would repair it.",
    "export": "Write what the nodes run.",
    "exits": "Choose at which exit of a network each job leaves.",
    "show": "Show an instance, a model or a plan.",
    "profile": "Make a model file from an ONNX or TensorFlow Lite graph.",
    "calibrate": "Make device and model files from your own measurements.",
    "bench": "Run a benchmark suite.",
    "schema": "Print the JSON schema of a file format.",
}


class _Lazy(click.Group):
    """Knows the commands' names and one-line helps without importing them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse what no command could use: it would fail where it is written or shown, after the work."""
        for position, argument in enumerate(args, 1):
            fault = fault_of_text(argument)
            if fault is not None:
                raise click.UsageError(f"Argument {position}, {shown(argument)}, {fault}.", ctx)
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"placer.cli.commands.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise click.UsageError(f"No such command '{args[0]}'.{hint}", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="placer")
def cli() -> None:
    """Plan where the layers of neural networks run on edge devices.

    \b
    placer plan smart-parking -o plan.json   plan a shipped instance
    placer check plan.json                   judge it, as CI would
    placer export plan.json -o manifests     write what the nodes run
    """


def main() -> NoReturn:
    """Run the command line; the one place that turns errors into messages and exit codes."""
    interruption.install()
    try:
        code = _answer()
    except ReaderGoneError:
        process.leave_by_broken_pipe()
    except KeyboardInterrupt as error:  # once more, while the first was told
        code = as_placer_error(error).exit_code
    process.leave(code)


def _answer() -> int:
    """Run one command and say what went wrong with it.

    Raises:
        ReaderGoneError: the reader of standard output is gone.
    """
    try:
        process.prepare_streams()
        code = _run(sys.argv[1:])
        sys.stdout.flush()
        return code
    except click.ClickException as error:
        with contextlib.suppress(OSError):
            error.show()
        return InputError.exit_code
    except (ReaderGoneError, SystemExit):
        raise
    except BaseException as error:
        if isinstance(error, Exception) and os.environ.get("PLACER_DEBUG") and not isinstance(error, PlacerError):
            raise
        found = as_placer_error(KeyboardInterrupt() if isinstance(error, click.exceptions.Abort) else error)
        process.tell(found)
        return found.exit_code


def _run(arguments: list[str]) -> int:
    """Run one command; not by ``cli.main``, which takes a broken pipe for the exit code that means "no" here."""
    instruction = os.environ.get("_PLACER_COMPLETE")
    if instruction:
        from click.shell_completion import shell_complete

        return shell_complete(cli, {}, "placer", "_PLACER_COMPLETE", instruction)
    try:
        with cli.make_context("placer", arguments) as ctx:
            code = cli.invoke(ctx)
    except click.exceptions.Exit as end:
        code = end.exit_code
    return code if isinstance(code, int) else 0
