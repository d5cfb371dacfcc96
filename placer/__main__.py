"""``python -m placer``, and the script ``placer``: from the first moment on an interruption is no traceback."""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn

_NO_ANSWER = 3  # that of errors.UnansweredError: importing it would take longer than this may wait
_RESTARTED = "_PLACER_RESTARTED"
_THREADS_OF_NUMPY = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""What numpy's linear algebra reads when it is loaded, here and in worker processes."""


def run() -> NoReturn:
    """Run the command line. Until it has its own handlers, Ctrl-C says so and ends the process at once."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _leave)
    if sys.flags.optimize > 1 and _RESTARTED not in os.environ:
        _restart_with_docstrings()
    for name in _THREADS_OF_NUMPY:
        # The matrices are small: more threads wait for each other, awake, and take the cores of the workers. An
        # evaluation on a busy machine takes four times the processor with two threads.
        os.environ.setdefault(name, "1")
    from placer.cli import main

    main()


def _leave(*_: object) -> NoReturn:
    try:
        os.write(2, b"placer: interrupted\n")
    finally:
        os._exit(_NO_ANSWER)


def _restart_with_docstrings() -> NoReturn:
    """Start Python again as it was called but for ``-OO``, which Pyomo, the helps and the schemas cannot do with."""
    command = without_optimisation(sys.orig_argv)
    environment = {**os.environ, "PYTHONOPTIMIZE": "1", _RESTARTED: "1"}
    if sys.platform == "win32":  # a process that replaces itself returns to its caller there
        import subprocess

        sys.exit(subprocess.call(command, executable=sys.executable, env=environment))
    os.execve(sys.executable, command, environment)


def without_optimisation(command: list[str]) -> list[str]:
    """A command line of Python without the letter O among the options of the interpreter."""
    result, rest = command[:1], command[1:]
    while rest and rest[0].startswith("-") and rest[0] not in ("-", "--"):
        option, rest = rest[0], rest[1:]
        end = min((option.index(letter) for letter in "mcWX" if letter in option), default=len(option))
        if option.startswith("--"):
            kept, values = option, int(option == "--check-hash-based-pycs")
        else:
            kept, values = option[:end].replace("O", "") + option[end:], int(option[end:] in ("W", "X"))
        result, rest = result + [kept] * (kept != "-") + rest[:values], rest[values:]
        if not option.startswith("--") and option[end : end + 1] in ("m", "c"):  # what follows is the module's
            break
    return result + rest


if __name__ == "__main__":
    run()
