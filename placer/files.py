"""Files written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from placer.errors import InputError, Problem


def write_atomically(path: Path, text: str) -> None:
    """Write text to a temporary file beside ``path``, then rename it.

    Raises:
        InputError: when the folder cannot be written.
    """
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    except OSError as error:
        raise InputError([Problem(f"cannot be written: {error.strerror}", file=str(path))]) from error
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(path)
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise InputError([Problem(f"cannot be written: {error.strerror}", file=str(path))]) from error
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
