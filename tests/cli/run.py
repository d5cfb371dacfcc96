"""``placer`` in this process: what ``python -m placer`` prints and returns, without starting an interpreter."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import tempfile
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from placer.cli import main

REPO = Path(__file__).parent.parent.parent

HEARING = [
    sys.executable,
    "-c",
    "import os, signal, sys\n"
    "for name in ('SIGINT', 'SIGTERM', 'SIGHUP'): signal.signal(getattr(signal, name), signal.SIG_DFL)\n"
    "os.execvp(sys.argv[1], sys.argv[1:])",
]
"""Goes before a command that is to hear signals as in a terminal: processes in the background of a script ignore
Ctrl-C, those of ``nohup`` a hang-up, and where the suite is such a process, what it starts would inherit that."""


@dataclass(frozen=True)
class Finished:
    """What a run left behind."""

    returncode: int
    stdout: str
    stderr: str


def placer(*arguments: str, cwd: Path | None = None) -> Finished:
    """Run the command line from the folder ``cwd`` (the repository when left out) with no terminal attached.

    ``main`` itself runs, so messages and exit codes are those of the program. The streams are files, as they are when
    a subprocess is captured; ``__main__`` looks like ``python -m placer`` to click.
    """
    with _folder(cwd or REPO), _handlers(), _stream() as out, _stream() as err:
        program = types.ModuleType("__main__")
        program.__package__ = "placer"
        before = (sys.argv, sys.stdout, sys.stderr, sys.modules["__main__"])
        at_once = os._exit
        sys.argv = [str(REPO / "placer" / "__main__.py"), *arguments]
        sys.stdout, sys.stderr, sys.modules["__main__"] = out, err, program
        os._exit = sys.exit  # what leaves threads behind ends the command, not the suite
        try:
            main()
        except SystemExit as leaving:
            code = leaving.code
        finally:
            os._exit = at_once
            sys.argv, sys.stdout, sys.stderr, sys.modules["__main__"] = before
        assert isinstance(code, int), "main leaves with a number"
        return Finished(code, _text(out), _text(err))


def _stream() -> io.TextIOWrapper:
    return io.TextIOWrapper(tempfile.TemporaryFile(), encoding="utf-8")


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    stream.seek(0)
    return stream.read()


@contextlib.contextmanager
def _folder(path: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(path)
    try:
        yield
    finally:
        os.chdir(before)


@contextlib.contextmanager
def _handlers() -> Iterator[None]:
    """A process of its own takes its signal handlers with it when it ends; here they are put back."""
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGPIPE") if hasattr(signal, name)]
    before: dict[Any, Any] = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
