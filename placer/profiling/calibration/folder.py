"""Writing several files below a folder that may be there: each is claimed before any is written."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from placer.errors import InputError, Problem
from placer.files import Target, claim, probe_folder, write_folder


@dataclass
class Claimed:
    """Files that can be written.

    Attributes:
        folder: below which.
        files: text by path.
        targets: the claims on them; none where the folder is new and written in one step.
    """

    folder: Path
    files: Mapping[str, str]
    targets: dict[str, Target]

    def write(self) -> None:
        """Write them."""
        if not self.targets:
            write_folder(self.folder, self.files)
        for name, target in self.targets.items():
            target.write(self.files[name])


def claim_folder(folder: Path, files: Mapping[str, str], force: bool) -> Claimed:
    """Find out whether files can be written below a folder, before any is.

    Raises:
        InputError: the folder cannot be written, or one of them is there and ``force`` is not set.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError([Problem("is no folder", file=str(folder))])
    if not folder.is_dir() or not any(folder.iterdir()):
        probe_folder(folder)
        return Claimed(folder, files, {})
    targets: dict[str, Target] = {}
    with ExitStack() as stack:
        for name in files:
            path = folder / name
            try:
                path.parent.mkdir(exist_ok=True)
            except OSError as error:
                raise InputError([Problem(f"cannot be written: {error.strerror}", file=str(path.parent))]) from error
            targets[name] = claim(path, force)
            stack.callback(targets[name].discard)
        stack.pop_all()
    return Claimed(folder, files, targets)
