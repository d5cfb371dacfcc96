"""Hypothesis for the whole suite: no clock, no files; the same examples in every run. The suite runs in parallel."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

assert "numpy" not in sys.modules
for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ.setdefault(name, "1")  # as the command line does, before anything loads numpy

settings.register_profile(
    "placer",
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("placer")

MOST_WORKERS = 4
"""More would compile and import more than they save."""


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Use the machine's cores for the whole suite where pytest-xdist is installed, unless ``-n`` says otherwise.

    A few files named on the command line are run in this process: workers take seconds to start.
    """
    if hasattr(config, "workerinput"):
        return  # a worker starts no workers
    option = config.option
    whole = config.args_source is not pytest.Config.ArgsSource.ARGS
    if not whole or getattr(option, "numprocesses", 0) is not None or option.usepdb or option.collectonly:
        return
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if cores > 1:
        option.numprocesses = min(cores, MOST_WORKERS)
        option.dist = "worksteal"


@pytest.fixture(autouse=True, scope="session")
def ctrl_c_is_heard() -> Iterator[None]:
    """A suite that a script runs in the background ignores Ctrl-C; some tests send it."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
