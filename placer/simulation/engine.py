"""Which event loop runs: the one that numba compiled, or the same function as plain Python.

numba is optional (extra ``fast``). What it compiles is kept in the user's cache folder, in a folder named by
a hash
of the sources, readable by its owner only: it survives between runs, never goes stale when a helper in
another file changes, and works when the package itself is read-only. Without a writable cache folder it
compiles at each start.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from placer.errors import MissingExtraError
from placer.simulation import exit_kernel, kernel, kernel_parts, quick_kernel
from placer.simulation.state import State
from placer.simulation.tables import Tables

F = TypeVar("F", bound=Callable[..., Any])
Loop = Callable[[Tables, State, np.random.Generator, float, int], int]

HELPERS = (
    kernel_parts.replay,
    kernel_parts.pick,
    kernel_parts.duration,
    kernel_parts.heap_push,
    kernel_parts.heap_pop,
    kernel_parts.next_arrival,
    quick_kernel.two_moments,
    quick_kernel.loads,
    quick_kernel.thinned,
    exit_kernel.best_arm,
    exit_kernel.teach,
    exit_kernel.remember,
    exit_kernel.play,
    exit_kernel.choose,
    exit_kernel.serve,
)


SOURCES = ("exit_kernel.py", "kernel.py", "kernel_parts.py", "quick_kernel.py", "state.py", "tables.py")
"""Files that the compiled code depends on."""


def have_numba() -> bool:
    """Whether numba can be imported; does not import it."""
    return find_spec("numba") is not None


def version(function: F, compiled: bool | None = None) -> F:
    """A function of the loop's subset of Python, compiled or as it stands.

    Args:
        function: one that the loop's modules define.
        compiled: True asks for the compiled one, False for plain Python, None takes the compiled one if it
            can.

    Raises:
        MissingExtraError: compiled asked for and numba is missing.
    """
    if compiled is None:
        compiled = have_numba()
    if not compiled:
        return function
    if not have_numba():
        raise MissingExtraError("the compiled simulator", "fast")
    result: F = _compile(function)
    return result


def loop(compiled: bool | None = None) -> Loop:
    """The event loop, compiled or not; ``compiled`` as in :func:`version`."""
    return version(kernel.run, compiled)


@cache
def _register_helpers() -> None:
    from numba.extending import register_jitable

    for helper in HELPERS:
        register_jitable(helper)


@cache
def _compile(function: Any) -> Any:
    import numba

    _register_helpers()
    with _cache_folder() as folder:
        return numba.njit(cache=folder is not None, nogil=True)(function)


@contextmanager
def _cache_folder() -> Iterator[Path | None]:
    """Point numba's cache at our own folder while a function is decorated; NUMBA_CACHE_DIR wins."""
    import numba

    if numba.config.CACHE_DIR:
        yield Path(numba.config.CACHE_DIR)
        return
    try:
        folder = cache_root() / f"kernels-{_fingerprint()}"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        usable = os.access(folder, os.W_OK) and _is_ours(folder)
    except (OSError, RuntimeError):  # RuntimeError: there is no home folder
        usable = False
    if not usable:
        yield None
        return
    numba.config.CACHE_DIR = str(folder)
    try:
        yield folder
    finally:
        numba.config.CACHE_DIR = ""


def cache_root() -> Path:
    """Folder for what can be made again: under ``XDG_CACHE_HOME``, or where the system keeps such things."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "placer" / "cache"
    if os.environ.get("XDG_CACHE_HOME"):
        return Path(os.environ["XDG_CACHE_HOME"]) / "placer"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "placer"
    return Path.home() / ".cache" / "placer"


def _is_ours(folder: Path) -> bool:
    """Compiled code is loaded from here: nobody else may be able to put it there."""
    if sys.platform == "win32":
        return True
    status = folder.stat()
    return status.st_uid == os.getuid() and not status.st_mode & 0o022


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for name in SOURCES:
        digest.update((Path(__file__).parent / name).read_bytes())
    return digest.hexdigest()[:12]
