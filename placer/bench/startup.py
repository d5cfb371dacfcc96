"""Suite ``startup``: processor time of whole commands on a small shipped instance, the interpreter's own beside it.

Processor time of the process and its children (user and system), because a clock on the wall says more about what else
the machine does. Each command runs once before it counts, with a folder of its own for bytecode: as an installed
package runs.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from placer.errors import InputError, PlacerError

INSTANCE = "smart-parking"
RUNS = 7

COMMANDS: dict[str, tuple[str, ...]] = {
    "bare": ("-c", "pass"),
    "numpy": ("-c", "import numpy"),
    "help": ("-m", "placer", "--help"),
    "check": ("-m", "placer", "check", "plan.json"),
    "evaluate": ("-m", "placer", "evaluate", "plan.json"),
    "show": ("-m", "placer", "show", INSTANCE),
    "export": ("-m", "placer", "export", "plan.json", "-o", "out", "--force", "--image", "node:1"),
    "plan": ("-m", "placer", "plan", INSTANCE),
    "ilp": ("-m", "placer", "plan", INSTANCE, "--method", "ilp", "--write-model", "model.mps", "--force"),
    "simulate": ("-m", "placer", "simulate", "plan.json", "--jobs", "1000", "--executor", "serial"),
}
"""Arguments of the interpreter by the name of the row; ``ilp`` writes its model, so that one is built and solved."""


def run(*, methods: tuple[str, ...] | None = None, **_: Any) -> Iterator[dict[str, Any]]:
    """Run each command several times and yield the median of its processor seconds.

    Args:
        methods: names of rows; all when None.

    Raises:
        InputError: for an unknown name, or where processor time of children cannot be read.
    """
    names = list(COMMANDS) if methods is None else ["bare", *(name for name in methods if name != "bare")]
    unknown = [name for name in names if name not in COMMANDS]
    if unknown:
        raise InputError(f"unknown command '{unknown[0]}' (allowed: {', '.join(COMMANDS)})")
    if sys.platform == "win32":
        raise InputError("the processor time of other processes is not told by this system")
    summary: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _processor_seconds(folder, ("-m", "placer", "plan", INSTANCE, "-o", "plan.json"))
        for command in names:
            _processor_seconds(folder, COMMANDS[command])
            seconds = [_processor_seconds(folder, COMMANDS[command]) for _ in range(RUNS)]
            summary[command] = median(seconds)
            yield {
                "suite": "startup",
                "instance": INSTANCE,
                "method": command,
                "status": "ok",
                "seconds": summary[command],
                "least_seconds": min(seconds),
                "above_bare": summary[command] - summary["bare"],
                "runs": RUNS,
            }
    yield {"summary": summary}


def _processor_seconds(folder: Path, arguments: tuple[str, ...]) -> float:
    import resource

    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(folder / "bytecode")
    # the package that runs this suite is the one that is measured, installed or not
    found = [str(Path(__file__).parents[2]), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, found))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise PlacerError(f"'{' '.join(arguments)}' ended with code {done.returncode}: {done.stderr[-300:]}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
