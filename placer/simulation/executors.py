"""Where replications run, by the name that a person gives: here, in processes, in threads, on a Dask cluster.

``auto``, ``serial``, ``processes[:N]``, ``threads[:N]``, ``dask:ADDRESS`` (extra ``cluster``). Every one of them is a
``concurrent.futures.Executor``, so any other can be handed to :func:`placer.simulation.simulate` as well.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from placer import jit, optional
from placer.errors import InputError, UnansweredError

DEFAULT = "auto"
KINDS = "auto, serial, processes, processes:N, threads, threads:N, dask:tcp://HOST:PORT"

DASK_RETRIES = 10
"""Runs of one replication that may fail with their worker before the cluster is given up."""

DASK_TIMEOUT = "10s"
"""How long a scheduler may take to answer."""

P = ParamSpec("P")
T = TypeVar("T")


class SerialExecutor(Executor):
    """Runs each call when it is submitted, in this thread."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run ``fn`` now; the future is finished when this returns."""
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@contextmanager
def open_executor(spec: str = DEFAULT) -> Iterator[Executor]:
    """Open the executor that ``spec`` names and close it at the end; what still waits is then cancelled.

    Raises:
        InputError: ``spec`` is none of the names.
        MissingExtraError: Dask is asked for and not installed.
        UnansweredError: the Dask scheduler does not answer.
    """
    kind, _, rest = spec.partition(":")
    if kind == "dask" and rest:
        with _dask(rest) as cluster:
            yield cluster
        return
    pool = _local(spec, kind, rest)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _local(spec: str, kind: str, rest: str) -> Executor:
    if kind == "serial" and not rest and ":" not in spec:
        return SerialExecutor()
    if kind not in ("auto", "processes", "threads") or (
        ":" in spec and not (rest.isascii() and rest.isdigit() and int(rest) > 0)
    ):
        raise InputError(f"executor {spec!r}: must be one of {KINDS}")
    workers = int(rest) if rest else usable_cores()
    if kind == "auto":
        # The compiled loop runs without the interpreter's lock, so threads share the work, and also what was compiled,
        # loaded and imported: a process would need a second for that.
        kind = "threads" if jit.have_numba() else "processes"
    if kind == "threads":
        return ThreadPoolExecutor(workers)
    # A fork of a process that has threads (numba, solvers) may deadlock; a fork server has none.
    method = "forkserver" if sys.platform == "linux" else "spawn"
    return ProcessPoolExecutor(workers, multiprocessing.get_context(method), initializer=_ignore_interrupt)


def usable_cores() -> int:
    """Cores that this process may use, which in a container is fewer than the machine has."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _ignore_interrupt() -> None:
    """Ctrl-C is for the parent, which then cancels what waits."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _dask(address: str) -> Iterator[Executor]:
    # Imported by name only here: nobody pays for Dask who does not ask for it. It carries no types.
    distributed = optional.load("distributed", "running on a Dask cluster", "cluster")
    try:
        client = distributed.Client(address, timeout=DASK_TIMEOUT, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise UnansweredError(
            f"no Dask scheduler answers at {address}: {error}", tip="start one with: dask scheduler"
        ) from error
    try:
        # Replications that a worker takes with it when it dies are run again elsewhere, with the same seeds.
        yield client.get_executor(pure=False, retries=DASK_RETRIES)
    finally:
        client.close()
