"""Every error that a user can meet, each with the exit code that the command line owes it.

The command line has one handler: it prints the message, the tip, and exits with ``exit_code``.
Nothing else in placer decides an exit code.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass


class PlacerError(Exception):
    """Base of all errors that placer raises on purpose.

    Attributes:
        exit_code: what the process exits with when this error reaches the command line.
        tip: one sentence that says what to do about it, or None.
    """

    exit_code = 3

    def __init__(self, message: str, *, tip: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.tip = tip


@dataclass(frozen=True)
class Problem:
    """One thing wrong with an input, addressed so that a person finds it.

    Attributes:
        message: what is, and what is allowed.
        path: JSON path inside the file, ``$.devices[2].memory``; ``$`` is the whole file.
        file: the file as the user named it, or None when the input is no file.
        line: 1-based line in the file, or None when unknown.
    """

    message: str
    path: str = "$"
    file: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        place = self.file or "input"
        if self.line is not None:
            place += f":{self.line}"
        return f"{place} {self.path}: {self.message}"


class InputError(PlacerError):
    """An input file or value is not acceptable. Carries every problem found, not the first one."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem] | str, *, tip: str | None = None) -> None:
        if isinstance(problems, str):
            problems = [Problem(problems)]
            text = problems[0].message
        else:
            problems = list(dict.fromkeys(problems))  # what is written once and meant for many is wrong once
            text = "\n".join(str(problem) for problem in problems)
        super().__init__(text, tip=tip)
        self.problems = tuple(problems)


class MissingExtraError(PlacerError):
    """A command needs a package that belongs to an extra which is not installed."""

    exit_code = 2

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs the extra '{extra}'", tip=f"pip install 'placer[{extra}]'")


class BrokenExtraError(MissingExtraError):
    """A package of an extra is installed and cannot be imported."""

    def __init__(self, what: str, extra: str, package: str, cause: BaseException) -> None:
        super().__init__(what, extra)
        reason = " ".join(str(cause).split())[:200]
        self.message += f", whose package '{package}' is installed but cannot be imported: {type(cause).__name__}" + (
            f": {reason}" if reason else ""
        )
        self.args = (self.message,)
        self.tip = f"pip install --force-reinstall 'placer[{extra}]'"


class InfeasibleError(PlacerError):
    """No plan can satisfy the instance: an answer, not a failure."""

    exit_code = 1


class UnansweredError(PlacerError):
    """No answer within the limits given, or a solver that failed."""

    exit_code = 3


class TimeIsUpError(UnansweredError):
    """The time limit ended a part of the work; whoever asked for it goes on with what there is, or passes this on."""


class OutputError(PlacerError):
    """Standard output cannot be written: whatever the answer is, nobody has it."""

    exit_code = 3


class ReaderGoneError(OutputError):
    """The reader of standard output has gone: as programs do then, the command line ends without a word."""


def as_placer_error(error: BaseException) -> PlacerError:
    """Say of any error what it is to a user; what is left over is a defect of placer's."""
    if isinstance(error, PlacerError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return UnansweredError("interrupted")
    if isinstance(error, MemoryError):
        return UnansweredError("there is not enough memory for this")
    if isinstance(error, RecursionError):
        return UnansweredError("something here is nested too deeply")
    if isinstance(error, OSError) and error.filename is not None:
        return InputError([Problem(error.strerror or type(error).__name__, file=os.fsdecode(error.filename))])
    if isinstance(error, OSError) and error.strerror:
        return UnansweredError(f"the system refuses: {error.strerror}")
    return UnansweredError(
        f"internal error: {type(error).__name__}: {error}", tip="set PLACER_DEBUG=1 for the traceback and report it"
    )
