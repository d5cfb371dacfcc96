"""What writing needs of the system: exclusive temporary names, their locks, renames that replace nothing or exchange.

The functions that change files are called as ``os.…`` and ``shutil.…``: tests end the process at each of them.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from placer.errors import InputError, Problem

SETTLED = 60.0
"""Age in s below which an unlocked temporary name is left alone: its process may be about to lock it."""

NOREPLACE, EXCHANGE = 1, 2
"""Flags of ``renameat2``."""

_HERE = -100
_NEW = os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_OURS = re.compile(r"\.placer-[0-9a-f]{16}(?:\.tmp|-[0-9a-f]{12}\.old)")
_CANNOT = frozenset({errno.ENOSYS, errno.EINVAL, errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.EXDEV})


def temporary_name(ending: str = ".tmp") -> str:
    """A name that nobody can guess."""
    return f".placer-{secrets.token_hex(8)}{ending}"


def create(path: Path) -> int:
    """Make a file that is not there, not through a link either, and return its handle."""
    return os.open(path, _NEW, 0o666)


def put(handle: int, data: bytes) -> None:
    """Write all of ``data``."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]


def lock(handle: int) -> bool:
    """Lock what is open until it is closed; false where another process has it or the system has no locks."""
    if sys.platform == "win32":  # what a process there has open cannot be removed or renamed
        return True
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Hold the lock of a file or folder, if it can be had."""
    if sys.platform == "win32":
        yield True
        return
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        yield lock(handle)
    finally:
        os.close(handle)


def abandoned(folder: Path) -> list[Path]:
    """Temporary names of this package in a folder whose processes are gone."""
    found: list[Path] = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if _OURS.fullmatch(entry.name))
        for path in (folder / name for name in names):
            with contextlib.suppress(OSError):
                if sys.platform != "win32" and os.lstat(path).st_uid != os.getuid():
                    continue
                with locked(path) as alone:
                    if alone:
                        found.append(path)
    return found


def clean(folder: Path) -> None:
    """Remove what killed runs left in a folder; what cannot be removed stays."""
    for path in abandoned(folder):
        with contextlib.suppress(OSError):
            if path.name.endswith(".tmp") and time.time() - os.lstat(path).st_mtime >= SETTLED:
                shutil.rmtree(path) if path.is_dir() else os.unlink(path)


def rename_to_free(old: Path, new: Path) -> None:
    """Give a file a name unless that is taken; the old name may stay.

    Where the system has neither links nor a rename that replaces nothing, the name is taken first and then filled: a
    kill between the two leaves an empty file.

    Raises:
        FileExistsError: it is taken.
    """
    if sys.platform == "win32":
        os.rename(old, new)
        return
    try:
        os.link(old, new)
    except OSError as error:
        if error.errno not in _CANNOT:
            raise
        if not renamed(old, new, NOREPLACE):
            os.close(create(new))
            os.replace(old, new)


def renamed(old: Path, new: Path, flag: int) -> bool:
    """Rename by ``renameat2``; false where the system or the file system does not have it."""
    if sys.platform != "linux":
        return False
    import ctypes

    function: Any = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if function is None:
        return False
    if function(_HERE, os.fsencode(old), _HERE, os.fsencode(new), ctypes.c_uint(flag)) == 0:
        return True
    number = ctypes.get_errno()
    if number in _CANNOT:
        return False
    raise OSError(number, os.strerror(number), str(new))


def refused(path: Path, message: str, tip: str | None = None) -> InputError:
    """An error that names the file."""
    return InputError([Problem(message, file=str(path))], tip=tip)


def taken(path: Path) -> InputError:
    """The refusal to replace something."""
    return InputError(f"{path} exists", tip="--force overwrites it")


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what the system says into an error that names the file."""
    try:
        yield
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise refused(path, f"cannot be written: {reason}") from error
