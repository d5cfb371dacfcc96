"""Models as files that other solvers read."""

from __future__ import annotations

import re
from collections.abc import Callable

from placer.errors import InputError, Problem
from placer.files import Output, path_of, scratch_folder, write_atomically

SUFFIXES = (".mps", ".lp")
_END = re.compile(rb"(?:^|\n)(?:end|ENDATA)\s*$")


def check_model_file(output: Output) -> None:
    """Refuse a file that no model is written to.

    Raises:
        InputError: its suffix is another one.
    """
    if path_of(output).suffix.lower() not in SUFFIXES:
        raise InputError([Problem(f"a model is written as {' or '.join(SUFFIXES)}", file=str(path_of(output)))])


def write_model_file(output: Output, write: Callable[[str], bool]) -> None:
    """Let a solver write a model, whole or not at all.

    HiGHS ends the process where it cannot open a file, and does not look whether it could write all of it: it gets a
    file that is there already, in a folder of its own, which is then read to its end mark.

    Args:
        output: the file; its suffix says the format.
        write: writes to the file of that name and says whether that went well.

    Raises:
        InputError: for another suffix, or when the model cannot be written.
    """
    check_model_file(output)
    path = path_of(output)
    with scratch_folder(path) as folder:
        draft = folder / f"model{path.suffix.lower()}"
        try:
            draft.touch(exist_ok=False)
            whole = write(str(draft))
            text = draft.read_bytes()
        except OSError as error:
            raise InputError([Problem(f"cannot be written: {error.strerror}", file=str(path))]) from error
    if not whole or not _END.search(text[-64:]):
        raise InputError([Problem("cannot be written whole: is the disk full?", file=str(path))])
    write_atomically(output, text)
