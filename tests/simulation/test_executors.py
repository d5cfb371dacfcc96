"""Where replications run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from placer.errors import InputError, MissingExtraError, UnansweredError
from placer.queueing.network import QueueNetwork
from placer.simulation import executors, open_executor, simulate

needs_dask = pytest.mark.skipif(find_spec("distributed") is None, reason="distributed is not installed")


@pytest.mark.parametrize(
    "spec",
    ["", "serial:1", "processes:0", "processes:", "threads:two", "threads:²", "dask", "dask:", "cloud"],
)
def test_unknown_names(spec: str) -> None:
    with pytest.raises(InputError, match="must be one of"), open_executor(spec):
        pass


def test_serial_passes_errors_on() -> None:
    with open_executor("serial") as executor, pytest.raises(ZeroDivisionError):
        executor.submit(lambda: 1 // 0).result()


def test_dask_is_only_imported_when_asked_for() -> None:
    code = "import sys, placer.simulation; print({'dask', 'distributed', 'numba'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_dask_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("placer.optional.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="cluster"), open_executor("dask:tcp://127.0.0.1:1"):
        pass


def _die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_dead_worker_process_is_an_answer_not_a_traceback(t1: QueueNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("placer.simulation.runner.replicate", _die)
    with (
        open_executor("processes:1") as executor,
        pytest.raises(UnansweredError, match="worker process died"),
    ):
        simulate(t1, jobs=100, replications=2, seed=1, executor=executor)


def _spawn(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    with (folder / f"{arguments[0]}.log").open("ab") as log:
        return subprocess.Popen([sys.executable, "-m", *arguments], stdout=log, stderr=log, cwd=Path.cwd())


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A real scheduler with two worker processes on the loopback."""
    where = tmp_path / "scheduler.json"
    common = ("--scheduler-file", str(where))
    scheduler = _spawn(
        tmp_path,
        "distributed.cli.dask_scheduler",
        "--host",
        "127.0.0.1",
        "--port",
        "0",
        "--no-dashboard",
        *common,
    )
    options = (
        "--nthreads",
        "1",
        "--no-nanny",
        "--no-dashboard",
        "--host",
        "127.0.0.1",
        "--local-directory",
        str(tmp_path),
    )
    started = [scheduler]
    try:
        for _ in range(300):
            if where.exists() and where.stat().st_size:
                break
            time.sleep(0.1)
        import json

        address = json.loads(where.read_text())["address"]
        started += [_spawn(tmp_path, "distributed.cli.dask_worker", address, *options) for _ in range(2)]
        yield address, started[1:]
    finally:
        for process in reversed(started):
            process.kill()
            process.wait()


@needs_dask
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_killed_worker_loses_no_replication(
    t1: QueueNetwork, cluster: tuple[str, list[subprocess.Popen[bytes]]]
) -> None:
    address, workers = cluster
    options = {"jobs": 3000, "replications": 60, "seed": 21, "compiled": False}
    here = simulate(t1, **options)  # type: ignore[arg-type]
    done = threading.Event()

    def progress(count: int, planned: int) -> None:
        if count == 5:
            workers[0].kill()
            done.set()

    from distributed import Client

    with Client(address, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
    with open_executor(f"dask:{address}") as executor:
        there = simulate(t1, executor=executor, progress=progress, **options)  # type: ignore[arg-type]
    assert done.is_set()
    assert workers[0].wait(10) != 0
    assert workers[1].poll() is None
    for name, values in here.values.items():
        np.testing.assert_array_equal(values, there.values[name], err_msg=name)


@needs_dask
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_no_scheduler_at_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "DASK_TIMEOUT", "1s")
    with pytest.raises(UnansweredError, match="no Dask scheduler"), open_executor("dask:tcp://127.0.0.1:9"):
        pass
