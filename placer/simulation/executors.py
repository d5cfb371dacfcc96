"""Where replications run, by the name that a person gives: here, in processes, in threads, on a Dask cluster.

``auto``, ``serial``, ``processes[:N]``, ``threads[:N]``, ``dask:ADDRESS`` (extra ``cluster``). Every one of them is a
``concurrent.futures.Executor``, so any other can be handed to :func:`placer.simulation.simulate` as well.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

from placer import jit, optional
from placer.errors import InputError, UnansweredError

DEFAULT = "auto"
KINDS = "auto, serial, processes, processes:N, threads, threads:N, dask:tcp://HOST:PORT"

MOST_WORKERS = 1024
_WORKERS = re.compile(r"[1-9][0-9]{0,3}")

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


class WorkerProcesses(ProcessPoolExecutor):
    """Processes that end with this one, however it ends, and with the pool, whatever they do then."""

    def __init__(self, workers: int) -> None:
        # A fork of a process that has threads (numba, solvers) may deadlock; a fork server has none.
        # Python's tracker frees what workers that are ended still hold: no news for the user.
        os.environ.setdefault("PYTHONWARNINGS", "ignore:resource_tracker:UserWarning")
        method = "forkserver" if sys.platform == "linux" else "spawn"
        super().__init__(workers, multiprocessing.get_context(method), initializer=_start_worker)
        self._others = set(multiprocessing.active_children())
        self._unfinished: set[Future[Any]] = set()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Hand a call to a worker; workers start with Ctrl-C blocked, which is for this process."""
        with _blocked():
            future = super().submit(fn, *args, **kwargs)
        self._unfinished.add(future)
        future.add_done_callback(self._unfinished.discard)
        return future

    def close(self) -> None:
        """Cancel what waits and end the workers; nobody waits for what they still do."""
        for future in list(self._unfinished):
            future.cancel()
        if self._unfinished:
            for process in set(multiprocessing.active_children()) - self._others:
                process.terminate()
        self.shutdown(wait=True, cancel_futures=True)


@contextmanager
def open_executor(spec: str = DEFAULT) -> Iterator[Executor]:
    """Open the executor that ``spec`` names and close it at the end; what is not done then is given up.

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
    finished = False
    try:
        yield pool
        finished = True
    finally:
        if isinstance(pool, WorkerProcesses):
            pool.close()
        else:  # threads that have nothing left to do end at once; what an interruption leaves is not waited for
            pool.shutdown(wait=finished, cancel_futures=True)


def _local(spec: str, kind: str, rest: str) -> Executor:
    if kind == "serial" and not rest and ":" not in spec:
        return SerialExecutor()
    if kind not in ("auto", "processes", "threads") or (
        ":" in spec and not (_WORKERS.fullmatch(rest) and int(rest) <= MOST_WORKERS)
    ):
        raise InputError(f"executor '{spec[:60]}': must be one of {KINDS}; N is 1 to {MOST_WORKERS}")
    workers = int(rest) if rest else usable_cores()
    if kind == "auto":
        # The compiled loop runs without the interpreter's lock, so threads share the work, and also what was compiled,
        # loaded and imported: a process would need a second for that.
        kind = "threads" if jit.have_numba() else "processes"
    if kind == "threads":
        return ThreadPoolExecutor(workers)
    return WorkerProcesses(workers)


def usable_cores() -> int:
    """Cores that this process may use, which in a container is fewer than the machine has."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def _blocked() -> Iterator[None]:
    """Hold back the signals that a terminal sends to all its processes; a process started meanwhile never gets them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_worker() -> None:
    """In a new worker: leave interruptions to the parent, and end with it."""
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    if sys.platform == "linux":
        # The pipe whose other end only the parent holds kills this process when that end closes: the kernel does it,
        # so that a worker inside a solver, where no thread of Python's runs, ends as well.
        import fcntl

        pipe = int(parent.sentinel)
        fcntl.fcntl(pipe, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(pipe, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(pipe, fcntl.F_SETFL, fcntl.fcntl(pipe, fcntl.F_GETFL) | os.O_ASYNC)
    # elsewhere, and where the parent ended before that: a thread that waits for the same
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: Any) -> None:
    parent.join()
    os._exit(1)


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
