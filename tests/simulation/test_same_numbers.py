"""Compiled or not, one worker or several, here or there: the same seed gives the same numbers."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from placer import jit
from placer.errors import MissingExtraError
from placer.jit import have_numba
from placer.queueing.network import QueueNetwork
from placer.simulation import SimulationResult, core, open_executor, simulate
from placer.simulation.features import Features, features_of
from placer.simulation.tables import tabulate

from .networks import everything

needs_numba = pytest.mark.skipif(not have_numba(), reason="needs numba")


def assert_same(one: SimulationResult, other: SimulationResult) -> None:
    assert one.values.keys() == other.values.keys()
    for name, values in one.values.items():
        np.testing.assert_array_equal(values, other.values[name], err_msg=name)
    assert one.events == other.events


@needs_numba
@pytest.mark.parametrize("warmup", [0.0, 0.1, "mser"])
def test_compiled_and_plain_are_equal_to_the_last_bit(warmup: float | str) -> None:
    net = everything()
    runs = [simulate(net, jobs=4000, replications=2, seed=7, warmup=warmup, compiled=flag) for flag in (True, False)]
    assert_same(*runs)
    assert runs[0].compiled
    assert not runs[1].compiled
    # All that the network has did happen.
    assert (runs[0].outcomes > 0).all()
    assert runs[0].tasks.killed.sum() > 0
    assert (runs[0].classes.lost > 0).all()
    assert (runs[0].classes.completed > 0).all()


@needs_numba
def test_thinned_samples_are_equal_too(t1: QueueNetwork) -> None:
    net, seed = tabulate(t1), np.random.SeedSequence(3)
    runs = [core.replicate(net, seed, 30_000.0, 0.1, compiled=flag, sample_cap=4096) for flag in (True, False)]
    for name, values in runs[0].measures.items():
        np.testing.assert_array_equal(values, runs[1].measures[name], err_msg=name)


@pytest.mark.parametrize("spec", ["processes:1", "processes:2", "threads:2"])
def test_workers_change_nothing(t2: QueueNetwork, spec: str) -> None:
    here = simulate(t2, jobs=2000, replications=4, seed=11, relative_half_width=0.2, max_replications=12)
    with open_executor(spec) as executor:
        there = simulate(
            t2,
            jobs=2000,
            replications=4,
            seed=11,
            relative_half_width=0.2,
            max_replications=12,
            executor=executor,
        )
    assert_same(here, there)
    assert here.replications == there.replications


def test_a_seed_is_named_when_none_is_given(t1: QueueNetwork) -> None:
    first = simulate(t1, jobs=500, replications=2)
    assert_same(first, simulate(t1, jobs=500, replications=2, seed=first.seed))


def test_seeds_and_replications_differ(t1: QueueNetwork) -> None:
    result = simulate(t1, jobs=500, replications=5, seed=1)
    assert len(set(result.values["end_to_end"][:, 0])) == 5
    assert simulate(t1, jobs=500, replications=5, seed=2).classes.end_to_end.mean != result.classes.end_to_end.mean


def test_a_loop_for_more_features_gives_the_same_numbers(t1: QueueNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    lean = simulate(t1, jobs=2000, replications=2, seed=5, compiled=False)
    assert features_of(tabulate(t1)) == Features()
    assert all(features_of(tabulate(everything()), levels=True))
    monkeypatch.setattr(core, "features_of", lambda net: features_of(tabulate(everything())))
    assert_same(lean, simulate(t1, jobs=2000, replications=2, seed=5, compiled=False))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@needs_numba
@pytest.mark.parametrize("terminal", [True, False])
def test_a_terminal_is_told_when_something_compiles(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal() if terminal else io.StringIO()

    def twice(value: int) -> int:
        return 2 * value

    monkeypatch.setattr(sys, "stderr", stream)
    double = jit.version(twice, True)
    assert double(4) == 8
    said = stream.getvalue()
    assert ("compiling the simulator" in said) == terminal
    assert double(5) == 10  # nothing compiles, nothing is said
    assert stream.getvalue() == said


def test_without_numba_plain_python_runs(t1: QueueNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = simulate(t1, jobs=500, replications=2, seed=1, compiled=False)
    monkeypatch.setattr("placer.optional.find_spec", lambda name: None)
    result = simulate(t1, jobs=500, replications=2, seed=1)
    assert_same(plain, result)
    assert not result.compiled
    with pytest.raises(MissingExtraError, match="fast"):
        simulate(t1, jobs=500, replications=2, seed=1, compiled=True)


RUN = """
import numpy as np
from placer.queueing.network import Law, chains
from placer.simulation import simulate
net = chains(np.array([2]), np.array([1.0]), [[0]], [[1.0]], law=Law.EXPONENTIAL)
print(simulate(net, jobs=500, replications=2, seed=1, compiled=True).total_loss_ratio.mean)
"""


@needs_numba
def test_compiled_code_is_kept_in_a_private_folder(tmp_path: Path) -> None:
    env = {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"} | {"XDG_CACHE_HOME": str(tmp_path)}
    first = subprocess.run([sys.executable, "-c", RUN], env=env, capture_output=True, text=True, check=True)
    assert first.stderr == ""
    if sys.platform == "linux":
        (folder,) = (tmp_path / "placer").iterdir()
        assert folder.stat().st_mode & 0o077 == 0
        kept = sorted(path.name for path in folder.rglob("*.nbc"))
        assert kept
        again = subprocess.run([sys.executable, "-c", RUN], env=env, capture_output=True, text=True, check=True)
        assert again.stdout == first.stdout
        assert sorted(path.name for path in folder.rglob("*.nbc")) == kept


@needs_numba
@pytest.mark.slow
def test_it_compiles_where_nothing_can_be_written(tmp_path: Path) -> None:
    # A file where the folder should be: fails for every user, the superuser included.
    blocked = tmp_path / "file"
    blocked.write_text("")
    env = {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"} | {"XDG_CACHE_HOME": str(blocked)}
    done = subprocess.run([sys.executable, "-c", RUN], env=env, capture_output=True, text=True, check=True)
    assert 0 < float(done.stdout) < 1
