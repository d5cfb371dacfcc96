"""Many cases, each made from a seed and its number alone, so that any of them can be run again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.cli.fuzz.guard import Outcome, Sandbox, run
from tests.cli.fuzz.seeds import write_seeds
from tests.cli.fuzz.targets import damaged, with_options

SHARE_OF_OPTIONS = 0.25


@dataclass
class Figures:
    """What a campaign met: cases by exit code, the slowest one, the hungriest one, faults by number of the case."""

    cases: int = 0
    codes: Counter[int | None] = field(default_factory=Counter)
    by_command: Counter[str] = field(default_factory=Counter)
    slowest: Outcome = field(default_factory=lambda: Outcome(()))
    hungriest: Outcome = field(default_factory=lambda: Outcome(()))
    faults: dict[int, Outcome] = field(default_factory=dict)

    def add(self, number: int, outcome: Outcome) -> None:
        """Count a case."""
        self.cases += 1
        self.codes[outcome.code] += 1
        self.by_command[outcome.command[0]] += 1
        self.slowest = max(self.slowest, outcome, key=lambda one: one.seconds)
        self.hungriest = max(self.hungriest, outcome, key=lambda one: one.growth)
        if outcome.fault is not None:
            self.faults[number] = outcome


def open_sandbox(folder: Path) -> Sandbox:
    """Make the seeds, and a folder to damage them in."""
    made = write_seeds(folder / "seeds")
    seeds = {path.relative_to(made).as_posix(): path.read_bytes() for path in made.rglob("*") if path.is_file()}
    root = folder / "root"
    root.mkdir()
    return Sandbox(root, seeds)


def one(sandbox: Sandbox, seed: int, number: int) -> Outcome:
    """Run case ``number`` of a campaign."""
    rng = np.random.default_rng([seed, number])
    file: str | None = None
    if rng.random() < SHARE_OF_OPTIONS:
        command = with_options(rng)
    else:
        command, file, content = damaged(rng, sandbox.seeds)
        sandbox.damage(file, content)
    outcome = run(command, sandbox.work)
    touched = sandbox.clean(file, _may_replace(command))
    outcome.fault = outcome.fault or touched
    return outcome


def _may_replace(command: tuple[str, ...]) -> str | None:
    """With ``--force`` the command may replace what it is told to; that it is that and no more, its own tests say."""
    return "." if "--force" in command else None


def campaign(sandbox: Sandbox, seed: int, numbers: range) -> Iterator[tuple[int, Outcome]]:
    """Run the cases of some numbers."""
    for number in numbers:
        yield number, one(sandbox, seed, number)
