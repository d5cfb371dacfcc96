"""How much a piece of code does, counted: the same number on a busy machine and on an idle one; how much is tested."""

from __future__ import annotations

import contextlib
import cProfile
from collections.abc import Iterator
from typing import Any

import pytest

MOST = 10_000_000
"""Calls; some seconds of Python: what reads or judges a small file and needs more does not end soon."""


@contextlib.contextmanager
def bounded(most: int = MOST) -> Iterator[None]:
    """Fail when what runs inside makes more than ``most`` calls, those of functions written in C included.

    What never ends is ended by the suite's timeout.
    """
    profile = cProfile.Profile()
    profile.enable()
    try:
        yield
    finally:  # also when it ends in an error
        profile.disable()
        calls = sum(entry.callcount for entry in profile.getstats())
        assert calls <= most, f"{calls} calls, at most {most} are allowed"


def blocks(fast: int, every: int) -> list[Any]:
    """Numbers of blocks of random cases: the first ``fast`` in each run, the others of ``every`` by ``-m slow``."""
    return [*range(fast), *(pytest.param(block, marks=pytest.mark.slow) for block in range(fast, every))]


class Clock:
    """A clock (seconds) that goes on by ``step`` whenever somebody looks at it, and never otherwise."""

    def __init__(self, step: float) -> None:
        self.step, self.time = step, 0.0

    def __call__(self) -> float:
        self.time += self.step
        return self.time
