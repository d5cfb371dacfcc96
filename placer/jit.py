"""Functions of a subset of Python, compiled by numba or run as they stand.

A module that defines such functions marks those that others call with :func:`helper`; nothing here knows what they
compute. numba comes with the package and is imported only here; where it is missing or broken, plain Python gives the
same numbers. What it compiles is kept in one private folder of the user, named by a hash
of the sources that hold such functions: it survives between runs, never goes stale when a helper in another file
changes, and works when the package itself is read-only. The folder is chosen once, before the first compilation, and
must belong to the user alone, because numba loads code from it. Without such a folder each run compiles anew; the
current folder is never used. Someone who sits at a terminal is told while something compiles.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from placer import optional
from placer._version import __version__
from placer.errors import BrokenExtraError, MissingExtraError
from placer.interruption import held

F = TypeVar("F", bound=Callable[..., Any])

_WHAT, _EXTRA = "the compiled simulator", "fast"

_helpers: list[Callable[..., Any]] = []
_broken: list[BrokenExtraError] = []
"""Why numba cannot be imported, once that is known."""
_lock = threading.RLock()


def helper(function: F) -> F:
    """Mark a function as one that compiled functions call; it stays what it is for plain Python."""
    with _lock:
        _helpers.append(function)
    return function


def have_numba() -> bool:
    """Whether numba is installed (not imported here), and nothing showed yet that it is broken."""
    return not _broken and optional.have("numba")


def version(function: F, compiled: bool | None = None) -> F:
    """A function of the subset, compiled or as it stands.

    Args:
        function: a function whose callees are marked with :func:`helper`.
        compiled: True asks for the compiled one, False for plain Python, None takes the compiled one if it can: a
            numba that is there and cannot be imported is told on stderr, once, and plain Python runs.

    Raises:
        MissingExtraError: compiled asked for and numba is missing or broken.
    """
    if compiled is False or (compiled is None and not have_numba()):
        return function
    if compiled and not optional.have("numba"):  # whatever was compiled before
        raise MissingExtraError(_WHAT, _EXTRA)
    try:
        result: F = _compile(function)
    except BrokenExtraError as error:
        if compiled:
            raise
        with _lock:
            if not _broken:
                _broken.append(error)
                print(f"placer: plain Python runs instead: {error.message}\n  tip: {error.tip}", file=sys.stderr)
        return function
    return result


def _compile(function: Any) -> Any:
    with _lock:
        return _compiled(function)


@cache
def _compiled(function: Any) -> Any:
    numba = optional.load("numba", _WHAT, _EXTRA)
    register_jitable = optional.load("numba.extending", _WHAT, _EXTRA).register_jitable
    folder = _cache_folder()
    # Numba reads this anew at times, from a file in the current folder too: it is set before each use.
    numba.config.CACHE_DIR = "" if folder is None else str(folder)
    _tell_terminal()
    while _helpers:
        # Nobody calls a helper from C, so no wrapper for that is compiled: a sixth of the time.
        register_jitable(no_cfunc_wrapper=True)(_helpers.pop())
    return _Uninterrupted(numba.njit(cache=folder is not None, nogil=True, no_cfunc_wrapper=True)(function))


@cache
def _tell_terminal() -> None:
    """Have numba say when it compiles, as opposed to loading what it kept; it compiles one function at a time."""
    event: Any = optional.load("numba.core.event", _WHAT, _EXTRA)
    base: Any = event.Listener
    within: list[str] = []
    shown: list[Any] = []

    class Listener(base):  # type: ignore[misc]
        """Shows the outermost compilation only: what a function calls is compiled within it."""

        def on_start(self, event: Any) -> None:
            within.append(event.kind)
            if len(within) == 1:
                shown.append(_notice())

        def on_end(self, event: Any) -> None:
            within.pop()
            if not within:
                close = shown.pop()
                if close is not None:
                    close()

    event.register("numba:compile", Listener())


def _notice() -> Callable[[], None] | None:
    """Say on the terminal, if stderr is one, that something compiles; returns what takes the words away again."""
    if not sys.stderr.isatty():
        return None
    from rich.console import Console
    from rich.file_proxy import FileProxy

    words = "compiling the simulator for this kind of network: a few seconds, once on this machine"
    if isinstance(sys.stderr, FileProxy):  # a progress bar has the terminal: what is printed appears above it
        print(words, file=sys.stderr)
        return None
    status = Console(stderr=True).status(words)
    status.start()
    return status.stop


class _Uninterrupted:
    """A compiled function whose compilation, at its first call, no interruption falls into.

    Numba calls Python back from inside its compiler, where an exception is lost.
    """

    def __init__(self, dispatcher: Any) -> None:
        self.dispatcher = dispatcher

    def __call__(self, *arguments: Any) -> Any:
        if self.dispatcher.signatures:
            return self.dispatcher(*arguments)
        with held() as interrupted:
            result = self.dispatcher(*arguments)
        if interrupted.is_set():
            raise KeyboardInterrupt
        return result


@cache
def _cache_folder() -> Path | None:
    """Where compiled code is kept; None to keep none. ``NUMBA_CACHE_DIR``, an absolute path, is the user's own word."""
    given = os.environ.get("NUMBA_CACHE_DIR", "")
    return Path(given) if os.path.isabs(given) else _kernel_folder()


def _kernel_folder() -> Path | None:
    """The folder of compiled code, made when it is missing; None where none is writable by the user alone."""
    try:
        folder = cache_root().resolve() / f"kernels-{_fingerprint()}"
        for missing in reversed([one for one in (folder, *folder.parents) if not os.path.lexists(one)]):
            missing.mkdir(mode=0o700, exist_ok=True)
        usable = os.access(folder, os.W_OK) and _is_private(folder)
    except (OSError, RuntimeError):  # RuntimeError: there is no home folder
        return None
    return folder if usable else None


def cache_root() -> Path:
    """Folder for what can be made again: under ``XDG_CACHE_HOME``, or where the system keeps such things."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "placer" / "cache"
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if given.is_absolute():  # a relative one is invalid by the XDG base directory specification
        return given / "placer"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "placer"
    return Path.home() / ".cache" / "placer"


def _is_private(folder: Path) -> bool:
    """Compiled code is loaded from here: nobody else may be able to put it there, nor to replace a folder above it."""
    if sys.platform == "win32":
        return True
    own = os.lstat(folder)
    if not stat.S_ISDIR(own.st_mode) or own.st_uid != os.getuid() or own.st_mode & 0o022:
        return False
    return all(_is_safe(os.lstat(above)) for above in folder.parents)


def _is_safe(above: os.stat_result) -> bool:
    """Whether only its owner, the user or the system, can replace what a folder holds."""
    others = 0o002
    if not above.st_gid == os.getgid() == os.getuid():  # the user's own group has no other member
        others |= 0o020
    return above.st_uid in (os.getuid(), 0) and (not above.st_mode & others or bool(above.st_mode & stat.S_ISVTX))


def _fingerprint() -> str:
    """Hash of the release and of every module of the package that uses this one."""
    digest = hashlib.sha256(__version__.encode())
    root = Path(__file__).parent
    for path in sorted(root.rglob("*.py")):
        source = path.read_bytes()
        if b"placer import jit" in source or b"placer.jit import" in source or b"NamedTuple" in source:
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + source)
    return digest.hexdigest()[:16]
