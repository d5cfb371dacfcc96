"""One case: a folder of its own, one command in process, and what it may not do."""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import shutil
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import placer.cli
from placer.errors import PlacerError

LONGEST_SECONDS = 20.0
"""Of the processor: what a case costs does not depend on what else the machine does."""

MOST_BYTES = 2 * 2**30


class TooLongError(BaseException):
    """A case ran into its limit of time; no code of placer catches it."""


@dataclass
class Outcome:
    """What came of a case.

    Attributes:
        command: its arguments.
        code: exit code.
        fault: what it did that it may not do, with the traceback; None when it behaved.
        seconds: of the processor.
        growth: bytes by which the process' largest resident size grew.
    """

    command: tuple[str, ...]
    code: int | None = None
    fault: str | None = None
    seconds: float = 0.0
    growth: int = 0
    stdout: str = ""
    stderr: str = ""


@dataclass
class Sandbox:
    """A folder ``work`` with the seeds, inside a folder that nothing may touch."""

    root: Path
    seeds: dict[str, bytes]
    stamps: dict[Path, tuple[int, int]] = field(default_factory=dict)

    @property
    def work(self) -> Path:
        """Where commands run."""
        return self.root / "work"

    def __post_init__(self) -> None:
        for name in ("outside", "outside.yaml"):
            (self.root / name).write_text("nobody reads or writes this: \0", encoding="utf-8")
        self.work.mkdir()
        for name in self.seeds:
            self.restore(name)
        self.stamps = self._stamps()

    def restore(self, name: str) -> None:
        """Write a seed."""
        path = self.work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.seeds[name])

    def _stamps(self) -> dict[Path, tuple[int, int]]:
        found = {}
        for folder, _, files in os.walk(self.root):
            for name in files:
                status = os.lstat(os.path.join(folder, name))
                found[Path(folder, name)] = (status.st_size, status.st_mtime_ns)
        return found

    def damage(self, name: str, content: bytes) -> None:
        """Write a damaged seed."""
        (self.work / name).write_bytes(content)
        self.stamps = self._stamps()

    def clean(self, damaged: str | None, may_replace: str | None) -> str | None:
        """Put everything back; return what was touched that should not have been."""
        now, fault = self._stamps(), None
        for path in now.keys() | self.stamps.keys():
            inside = path.is_relative_to(self.work)
            if path in self.stamps and now.get(path) != self.stamps[path]:
                allowed = may_replace is not None and path.is_relative_to(self.work / may_replace)
                if not allowed:
                    fault = f"changed or removed {path.relative_to(self.root)}"
            elif path not in self.stamps and not inside:
                fault = f"wrote {path.relative_to(self.root)}"
        if now == self.stamps and damaged is None:
            return fault
        if fault is not None or now.keys() != self.stamps.keys():
            shutil.rmtree(self.work, ignore_errors=True)
            for name in self.seeds:
                self.restore(name)
        elif damaged is not None:
            self.restore(damaged)
        self.stamps = self._stamps()
        return fault


@contextlib.contextmanager
def guarded(outcome: Outcome) -> Iterator[None]:
    """Limit time and memory, and measure both."""

    def late(number: int, frame: FrameType | None) -> None:
        raise TooLongError

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() if _LINUX else 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    before = signal.signal(signal.SIGPROF, late)
    begin = time.process_time()
    try:
        if _LINUX:
            resource.setrlimit(resource.RLIMIT_AS, (used + MOST_BYTES, hard))
        signal.setitimer(signal.ITIMER_PROF, LONGEST_SECONDS)
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        outcome.seconds = time.process_time() - begin
        outcome.growth = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) * 1024


_LINUX = sys.platform == "linux"


def run(command: tuple[str, ...], folder: Path) -> Outcome:
    """Run a command line, or a reader, in a folder as the program would."""
    outcome = Outcome(command)
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace")
    here, argv, debug = os.getcwd(), sys.argv, os.environ.get("PLACER_DEBUG")
    os.chdir(folder)
    os.environ["PLACER_DEBUG"] = "1"
    sys.argv = ["placer", *command]
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            warnings.simplefilter("ignore")
            with guarded(outcome):
                outcome.code = READERS[command[0]](command[1]) if command[0] in READERS else _main()
    except (Exception, TooLongError):
        outcome.fault = traceback.format_exc()
    finally:
        os.chdir(here)
        sys.argv = argv
        os.environ.pop("PLACER_DEBUG")
        if debug is not None:
            os.environ["PLACER_DEBUG"] = debug
        outcome.stdout, outcome.stderr = _text(out), _text(err)
    outcome.fault = outcome.fault or _fault(outcome)
    return outcome


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode("utf-8", "replace")


def _fault(outcome: Outcome) -> str | None:
    if outcome.code not in (0, 1, 2, 3):
        return f"exit code {outcome.code}"
    if "internal error" in outcome.stderr or "Traceback" in outcome.stderr:
        return f"told an internal error: {outcome.stderr[-2000:]}"
    if outcome.code == 2 and not outcome.stderr.strip():
        return "exit code 2 without a word"
    if outcome.code == 0 and "--json" in outcome.command and outcome.command[0] not in ("bench", "schema"):
        return _fault_of_json(outcome)
    return None


def _fault_of_json(outcome: Outcome) -> str | None:
    helped = {"--help", "-h", "--methods"} & set(outcome.command)
    before = outcome.command[outcome.command.index("--json") - 1]
    helped |= {before} if before.startswith("-") else set()  # that option may have taken it for its value
    try:
        if not helped:
            json.loads(outcome.stdout)
    except ValueError as error:
        return f"--json printed something else: {error}: {outcome.stdout[:200]!r}"
    return None


def _main() -> int:
    try:
        placer.cli.main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0 if end.code is None else 3


def _told(read: Callable[[str], object]) -> Callable[[str], int]:
    """A reader as a command: what it refuses is exit code 2."""

    def command(argument: str) -> int:
        try:
            read(argument)
        except PlacerError as error:
            print(error.message, file=sys.stderr)
            return error.exit_code
        return 0

    return command


def _policy(argument: str) -> None:
    from placer.exits.policy import read_policy

    read_policy(Path(argument)).to_json()


def _graph(argument: str) -> None:
    from placer.operators.graph import read_graph

    read_graph(Path(argument))


def _min_cuts(argument: str) -> None:
    from placer.bench import split_suite

    list(split_suite.min_cuts(split_suite.graphs(Path(argument))))


def _split_table(argument: str) -> int:
    """The reference interpreter knows nothing of placer: it raises ValueError."""
    from placer.splitting import interpreter

    try:
        table = interpreter.load(argument)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    chooser = interpreter.Chooser(table)
    for rate in (1.0, 625000.0, 1e12):
        cut = table["cuts"][interpreter.choose(table, rate, 2.0)]
        assert isinstance(cut["device"], list)
        chooser.update(rate)
    return 0


def _profile_and_show(argument: str) -> int:
    """What ``profile`` writes, ``show`` reads."""
    sys.argv = ["placer", "profile", argument, "-o", "new.yaml"]
    code = _main()
    if code == 0:
        sys.argv = ["placer", "show", "new.yaml", "--json"]
        assert _main() == 0, f"show refuses what profile wrote: {Path('new.yaml').read_text()[:1500]}"
    return code


READERS: dict[str, Callable[[str], int]] = {
    "@policy": _told(_policy),
    "@graph": _told(_graph),
    "@min-cuts": _told(_min_cuts),
    "@split-table": _split_table,
    "@profile-and-show": _profile_and_show,
}
