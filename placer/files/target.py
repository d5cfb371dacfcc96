"""Single files: claimed before the work, written after it."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from placer.files import system
from placer.files.system import explained, refused, taken

RESERVED = 1 << 18
"""Bytes that a claim takes of the disk."""


class Target:
    """A file that is going to be written; see :func:`claim`. As a context manager it is given up at the end.

    Attributes:
        path: the file.
        force: whether it may be replaced.
    """

    def __init__(self, path: Path, force: bool) -> None:
        self.path, self.force = path, force
        self._temporary: Path | None = None
        self._handle = -1
        with explained(path):
            self._begin()

    def _begin(self) -> Path:
        temporary = self.path.parent / system.temporary_name()
        self._handle = system.create(temporary)
        self._temporary = temporary
        try:
            system.lock(self._handle)
            system.put(self._handle, bytes(RESERVED))
        except BaseException:
            self.discard()
            raise
        return temporary

    def write(self, data: str | bytes) -> None:
        """Write the file; a second time, replace what this target wrote.

        Raises:
            InputError: it cannot be written, or somebody else made it meanwhile and ``force`` is not set.
        """
        raw = data.encode("utf-8") if isinstance(data, str) else data
        with explained(self.path):
            temporary = self._temporary or self._begin()
            try:
                os.lseek(self._handle, 0, os.SEEK_SET)
                system.put(self._handle, raw)
                os.ftruncate(self._handle, len(raw))
                os.fsync(self._handle)
                self._publish(temporary)
            finally:
                self.discard()
        self.force = True

    def _publish(self, temporary: Path) -> None:
        if sys.platform == "win32":  # an open file is not renamed there
            os.close(self._handle)
            self._handle = -1
        if self.force:
            os.replace(temporary, self.path)
            return
        try:
            system.rename_to_free(temporary, self.path)
        except FileExistsError as error:
            raise taken(self.path) from error

    def discard(self) -> None:
        """Give the claim up: remove the temporary file."""
        handle, self._handle = self._handle, -1
        if handle >= 0:
            os.close(handle)
        temporary, self._temporary = self._temporary, None
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)

    def __enter__(self) -> Target:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()


def claim(path: Path, force: bool = False) -> Target:
    """Get ready to write a file: find out now whether it can be done, and remove what killed runs left.

    Raises:
        InputError: it exists and ``force`` is not set, it is no regular file, its folder cannot be written, the disk
            is full.
    """
    with explained(path):
        _check(path, force)
        system.clean(path.parent)
    return Target(path, force)


def _check(path: Path, force: bool) -> None:
    if not path.parent.is_dir():
        raise refused(path, f"cannot be written: {path.parent} is no folder")
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if stat.S_ISLNK(mode):
        raise refused(path, "is a symbolic link; name the file itself")
    if stat.S_ISDIR(mode):
        raise refused(path, "is a folder")
    if not stat.S_ISREG(mode):
        raise refused(path, "is no regular file, and no other can be written whole or not at all")
    if not force:
        raise taken(path)


Output = Path | Target
"""Where functions write to: a file claimed before the work, or a path, whose file is replaced."""


def path_of(output: Output) -> Path:
    """The path of an output."""
    return output.path if isinstance(output, Target) else output


def write_atomically(output: Output, data: str | bytes) -> None:
    """Write what was claimed, or a path at once, replacing what is there.

    Raises:
        InputError: when it cannot be written.
    """
    if isinstance(output, Target):
        output.write(data)
        return
    with claim(output, force=True) as target:
        target.write(data)


@contextmanager
def scratch_folder(beside: Path) -> Iterator[Path]:
    """A private folder beside a file, for writers that want a name to write to; removed at the end.

    Raises:
        InputError: when it cannot be made.
    """
    folder = beside.parent / system.temporary_name()
    with explained(beside):
        os.mkdir(folder, 0o700)
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        with explained(beside):
            stack.enter_context(system.locked(folder))
        yield folder
