"""How much a piece of code does, counted in calls: the same number on a busy machine and on an idle one."""

from __future__ import annotations

import contextlib
import cProfile
from collections.abc import Iterator

"""Some seconds of Python; what reads or judges a small file and needs more does not end soon."""


@contextlib.contextmanager
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
