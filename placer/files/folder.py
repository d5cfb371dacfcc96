"""Folders of text files, written beside their place and put there in one step."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from placer.files import system
from placer.files.system import explained, refused, taken
from placer.files.target import RESERVED, scratch_folder

_OCCUPIED = frozenset({errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR})


def probe_folder(folder: Path) -> None:
    """Find out whether a folder can be written, and clear up what killed runs left.

    Raises:
        InputError: it cannot, or the disk is full.
    """
    target = folder.resolve()
    recover_folder(folder)
    with scratch_folder(target) as stage, explained(folder):
        _write_new(stage / "probe", bytes(RESERVED))


def write_folder(folder: Path, files: Mapping[str, str], replace: bool = False) -> None:
    """Write a folder, whole or not at all, in one step.

    A kill at any moment leaves what was or what is new; where the system cannot exchange two folders in one step, the
    next call for this folder puts back what was.

    Args:
        folder: where to; its parent must exist. A folder without entries is taken like none.
        files: text by path inside it.
        replace: whether what is there is replaced; the caller has judged it.

    Raises:
        InputError: it cannot be written, or something is there and ``replace`` is not set.
    """
    target = folder.resolve()
    recover_folder(folder)
    with scratch_folder(target) as stage, explained(folder):
        fresh = stage / "new"
        os.mkdir(fresh)
        for relative, text in files.items():
            path = fresh / relative
            if fresh not in Path(os.path.normpath(path)).parents:
                raise refused(folder, f"cannot be written: {relative} leads out of it")
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_new(path, text.encode("utf-8"))
        _put_in_place(fresh, target, folder, replace)


def _write_new(path: Path, data: bytes) -> None:
    handle = system.create(path)
    try:
        system.put(handle, data)
        os.fsync(handle)
    finally:
        os.close(handle)


def _put_in_place(fresh: Path, target: Path, folder: Path, replace: bool) -> None:
    if sys.platform == "win32":  # an empty folder is not replaced by a rename there
        with contextlib.suppress(OSError):
            os.rmdir(target)
    try:
        os.rename(fresh, target)
    except OSError as error:
        if error.errno not in _OCCUPIED and not (sys.platform == "win32" and target.exists()):
            raise
        if not replace:
            raise taken(folder) from error
        if not system.renamed(fresh, target, system.EXCHANGE):
            _swap(fresh, target)


def _swap(fresh: Path, target: Path) -> None:
    """Replace a folder in two steps; between them it has a name from which :func:`recover_folder` returns it."""
    old = target.parent / system.temporary_name(f"-{_mark(target)}.old")
    with system.locked(target):
        os.rename(target, old)
        try:
            os.rename(fresh, target)
        except BaseException:
            os.rename(old, target)
            raise
    shutil.rmtree(old, ignore_errors=True)


def recover_folder(folder: Path) -> None:
    """Put back a folder that a killed run left between two renames, and remove what killed runs left beside it.

    Raises:
        InputError: the system refuses to put it back.
    """
    target = folder.resolve()
    with explained(folder):
        for path in system.abandoned(target.parent):
            if path.name.endswith(f"-{_mark(target)}.old"):
                if os.path.lexists(target):
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    os.rename(path, target)
        system.clean(target.parent)


def _mark(target: Path) -> str:
    return hashlib.sha256(os.fsencode(target.name)).hexdigest()[:12]
