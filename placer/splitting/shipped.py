"""Shipped data of splitting beside models and instances: traces, users, compressions."""

from __future__ import annotations

import difflib
from pathlib import Path

from placer.errors import InputError
from placer.instance.library import shipped_root


def find_data(argument: str, what: str, folder: str, suffix: str) -> Path:
    """Return the file that an argument names: an existing path wins over a shipped name.

    Args:
        argument: a path or a shipped name.
        what: what is looked for, for messages.
        folder: where placer ships such files, below its root.
        suffix: their ending.

    Raises:
        InputError: when it is neither.
    """
    try:
        if Path(argument).is_file():
            return Path(argument)
    except (OSError, ValueError) as error:
        raise InputError(f"'{argument[:60]}' cannot be a file name") from error
    names = shipped_data(folder, suffix)
    if argument not in names:
        near = difflib.get_close_matches(argument, names, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise InputError(f"no such file or shipped {what} '{argument[:60]}'{hint} (shipped: {', '.join(names)})")
    return shipped_root() / folder / f"{argument}{suffix}"


def shipped_data(folder: str, suffix: str) -> list[str]:
    """Return the names of the files that placer ships in a folder, sorted."""
    return sorted(path.stem for path in (shipped_root() / folder).glob(f"*{suffix}"))
