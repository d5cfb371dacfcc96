"""What Ctrl-C, a request to terminate and a closed terminal do: the same thing.

The command line turns all of them into :class:`KeyboardInterrupt` (:func:`install`). What must not be left by an
exception, a solver say, holds them back and looks at a flag (:func:`held`); a library user's own handlers stay.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name))

_flags: list[threading.Event] = []
_left: list[threading.Thread] = []


def leave_behind(thread: threading.Thread) -> None:
    """Note a daemon thread that cannot be stopped and that nobody waits for."""
    _left.append(thread)


def is_left_behind() -> bool:
    """Whether such a thread still works: the process must then end without tidying up under its feet."""
    return any(thread.is_alive() for thread in _left)


def install() -> None:
    """Make every such signal raise KeyboardInterrupt in the main thread; what is ignored (``nohup``) stays so."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _raise)


def _raise(*_: Any) -> None:
    raise KeyboardInterrupt


@contextmanager
def held() -> Iterator[threading.Event]:
    """Set the event on an interruption instead of raising; those around this one are set too.

    Signals that nobody handles, or that are ignored, stay so. Outside the main thread nothing is ever set.
    """
    flag = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return
    previous = {number: signal.getsignal(number) for number in SIGNALS}
    ours = [number for number, handler in previous.items() if callable(handler)]
    _flags.append(flag)
    try:
        for number in ours:
            signal.signal(number, _note)
        yield flag
    finally:
        for number in ours:
            signal.signal(number, previous[number])
        _flags.remove(flag)


@contextmanager
def noted() -> Iterator[threading.Event]:
    """An event that is set when something inside holds an interruption back: it ends, and so should what follows."""
    flag = threading.Event()
    _flags.append(flag)
    try:
        yield flag
    finally:
        _flags.remove(flag)


def _note(*_: Any) -> None:
    for flag in _flags:
        flag.set()
