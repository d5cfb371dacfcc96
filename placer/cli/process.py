"""The process that a command runs in: its streams, its end, what becomes of an error."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import NoReturn

from placer.errors import OutputError, PlacerError, ReaderGoneError
from placer.interruption import is_left_behind

_SPELLED = {
    "–": "-",
    "—": "-",
    "…": "...",
    "×": "x",
    "±": "+/-",
    "·": ".",
    "→": "->",
    "≤": "<=",
    "≥": ">=",
    "µ": "u",
    "Σ": "sum",
    "“": '"',
    "”": '"',
    "’": "'",
}


def prepare_streams() -> None:
    """Make the standard streams fit to be written to, whatever they are.

    What an encoding lacks is spelled otherwise. A closed stream is opened on nothing, so that no file that is opened
    later takes its number.

    Raises:
        OutputError: standard output is closed.
    """
    codecs.register_error("placer", _spell)
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  (it lives as long as the process)
    if sys.stdout is None:
        raise OutputError("standard output is closed", tip=f"redirect it to {os.devnull} if nobody wants it")
    if sys.stdout is sys.__stdout__ and type(sys.stdout) is io.TextIOWrapper:
        sys.stdout = sys.__stdout__ = _Output.around(sys.stdout)  # type: ignore[misc]
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="placer")


class _Output(io.TextIOWrapper):
    """Standard output that says of its errors whose they are: they carry no file name."""

    @classmethod
    def around(cls, stream: io.TextIOWrapper) -> _Output:
        """Take over what a stream writes to."""
        encoding, buffered = stream.encoding, stream.line_buffering
        return cls(stream.detach(), encoding, line_buffering=buffered)

    def write(self, text: str) -> int:
        """Write to the buffer, and through where that is full."""
        with _told():
            return super().write(text)

    def flush(self) -> None:
        """Write what is in the buffer."""
        with _told():
            super().flush()


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        raise ReaderGoneError("the reader of standard output is gone") from error
    except OSError as error:
        raise OutputError(f"standard output cannot be written: {error.strerror}") from error


def _spell(error: UnicodeError) -> tuple[str | bytes, int]:
    """What stands for characters that an encoding lacks: their usual spelling in ASCII, or their number."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    characters = error.object[error.start : error.end]
    found = (_SPELLED.get(one) or one.encode("ascii", "backslashreplace").decode("ascii") for one in characters)
    return "".join(found), error.end


def tell(error: PlacerError) -> None:
    """Say on standard error what went wrong, if anybody listens."""
    tip = f"\n  tip: {error.tip}" if error.tip else ""
    with contextlib.suppress(OSError, ValueError):
        print(f"placer: {error.message}{tip}", file=sys.stderr, flush=True)


def leave(code: int) -> NoReturn:
    """End the process; not waiting for threads that nobody waits for, nor for streams that cannot be written."""
    for stream, number in ((sys.stdout, 1), (sys.stderr, 2)):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError, OutputError):
            _to_nothing(number)
    if threading.current_thread() is threading.main_thread() and (
        is_left_behind()
        or any(thread is not threading.main_thread() and not thread.daemon for thread in threading.enumerate())
    ):
        os._exit(code)
    sys.exit(code)


def leave_by_broken_pipe() -> NoReturn:
    """End as programs do whose reader is gone: by SIGPIPE, without a word."""
    _to_nothing(1)
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGPIPE)
    sys.exit(OutputError.exit_code)


def _to_nothing(number: int) -> None:
    """Let a stream write to nothing, so that the interpreter's last flush does not fail again."""
    with contextlib.suppress(OSError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, number)
        os.close(nothing)
