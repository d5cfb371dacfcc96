"""The simulator against the exact chain, compiled against plain, and the interpreter against both."""

from __future__ import annotations

import ast
import inspect
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from placer.errors import InputError
from placer.exits import interpreter, knapsack, queueing_lp, semi_markov
from placer.exits.interpreter import Device
from placer.exits.policy import (
    AnyPolicy,
    BanditPolicy,
    PolicyFile,
    RateTablePolicy,
    TablePolicy,
    ThresholdPolicy,
    read_policy,
)
from placer.exits.profile import Profile, read_profile
from placer.exits.simulate import Adapt, Phase, record, simulate
from placer.exits.station import Station, evaluate_table, single
from placer.exits.tables import times_of
from placer.jit import have_numba
from placer.queueing.network import Floats

needs_numba = pytest.mark.skipif(not have_numba(), reason="needs numba")
JOBS = 40_000 if have_numba() else 4_000


def as_table(rows: Floats) -> TablePolicy:
    return TablePolicy(probabilities=tuple(map(tuple, rows.tolist())))


def kinds(profile: Profile, rate: float, places: int) -> list[AnyPolicy]:
    """One policy of each kind, and two bandits."""
    station = Station(rate, places)
    rates = knapsack.rate_grid(rate, 12)
    tables = knapsack.rate_tables(profile.accuracy, profile.mean, station, rates)
    arms = tuple(i / 10 for i in range(11))
    return [
        as_table(tables[6]),
        RateTablePolicy(
            rates=tuple(rates.tolist()),
            memory=0.05,
            start=1 / rate,
            tables=tuple(tuple(map(tuple, table)) for table in tables.tolist()),
        ),
        ThresholdPolicy(thresholds=(1.5, 0.9, 1.2, 0.8, 0.7, 0.6, 0.5, 0.0)),
        BanditPolicy(edge=2, exits=8, arms=arms, overhead=0.1, exploration=0.1, side=True, window=50),
        BanditPolicy(edge=1, exits=8, arms=arms, overhead=0.1, exploration=1.0, side=False, window=0),
    ]


@pytest.mark.parametrize("gamma", [True, False], ids=["gamma", "constant"])
@pytest.mark.parametrize(("load", "places"), [(0.9, 10), (1.4, 5)])
def test_the_simulator_lies_around_the_exact_chain(gamma: bool, load: float, places: int) -> None:
    profile = read_profile("resnet-50-cifar10")
    if not gamma:
        profile = replace(profile, scv=np.zeros(len(profile)))
    station = Station(load / float(profile.mean[5]), places)
    tables = {
        "queueing": single(queueing_lp.solve(profile, station, 0.02).probabilities, station.states),
        "knapsack": knapsack.table(profile.accuracy, profile.mean, station),
        "optimum": semi_markov.solve(profile, station, 0.02).probabilities,
    }
    for name, table in tables.items():
        truth = evaluate_table(profile, station, table)
        (seen,) = simulate(
            profile, station, as_table(table), [Phase(JOBS, station.rate)], replications=20, level=0.9999, seed=3
        )
        for figure in ("loss", "accuracy", "latency", "utilisation"):
            estimate = getattr(seen, figure)
            # a policy that uses one exit has no variance in its accuracy
            slack = float(estimate.half_width) + 1e-9
            assert abs(float(estimate.mean) - getattr(truth, figure)) <= slack, (name, figure)
        np.testing.assert_allclose(seen.shares, truth.shares, atol=0.01)


@needs_numba
def test_compiled_and_plain_are_equal_to_the_last_bit() -> None:
    profile = read_profile("mnist-cnn-8")
    rate = 1.15 / float(profile.mean[-1])
    phases = [Phase(800, rate, profile.split("test")), Phase(800, 2 * rate, profile.split("calibration"))]
    for policy in kinds(profile, rate, 10):
        one, two = (
            simulate(profile, Station(rate, 10), policy, phases, replications=2, compiled=flag)
            for flag in (True, False)
        )
        for here, there in zip(one, two, strict=True):
            for figure in ("loss", "accuracy", "accuracy_offered", "latency", "utilisation"):
                assert float(getattr(here, figure).mean) == float(getattr(there, figure).mean), policy.kind
            np.testing.assert_array_equal(here.shares, there.shares)


def test_the_interpreter_does_what_the_simulator_did(tmp_path: Path) -> None:
    profile = read_profile("mnist-cnn-8")
    rate, test = 1.15 / float(profile.mean[-1]), profile.split("test")
    for policy in kinds(profile, rate, 10):
        file = PolicyFile(
            profile=profile.name,
            method="given",
            exits=profile.exits,
            arrivals=rate,
            buffer=10,
            max_loss=0.01,
            policy=policy,
        )
        path = tmp_path / f"{policy.kind}.json"
        path.write_text(file.to_json())
        assert read_policy(path) == file
        log = record(profile, Station(rate, 10), policy, Phase(1500, rate, test))
        device, told = Device(json.loads(path.read_text())["policy"]), 0
        assert len(set(log.exit)) > 1
        for i in range(len(log.exit)):
            while told < log.arrivals[i]:
                device.arrived(log.gap[told])
                told += 1
            device.start(int(log.jobs[i]), float(log.draw[i]))
            confidence = test.confidence[int(log.sample[i])]
            left = next(e for e in range(8) if device.runs(e) and device.leaves(e, float(confidence[e])))
            assert left == log.exit[i], (policy.kind, i)


def test_the_interpreter_needs_nothing_but_python() -> None:
    tree = ast.parse(inspect.getsource(interpreter))
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert modules == {"__future__", "math", "typing"}
    assert not any(isinstance(node, ast.Import) for node in ast.walk(tree))


def test_a_policy_file_must_fit_itself(tmp_path: Path) -> None:
    bad = {"format": "placer/exit-policy/1", "profile": "x", "method": "x", "exits": ["a", "b"], "arrivals": 1.0}
    bad |= {"buffer": 3, "max_loss": 0.1, "policy": {"kind": "table", "probabilities": [[0.5, 0.4]]}}
    path = tmp_path / "policy.json"
    path.write_text(json.dumps(bad))
    with pytest.raises(InputError, match="sum to 1"):
        read_policy(path)
    path.write_text(json.dumps(bad | {"policy": {"kind": "tabel"}}))
    with pytest.raises(InputError, match=r"policy\.json:1 \$\.policy"):
        read_policy(path)


def test_thresholds_pay_for_the_classifiers_on_the_way() -> None:
    profile = read_profile("mnist-cnn-8")
    thresholds = ThresholdPolicy(thresholds=(0.9, 2.0, 0.9, 2.0, 2.0, 2.0, 2.0, 0.0))
    times = times_of(profile, thresholds)
    assert times[0] == profile.mean[0]
    assert times[2] == pytest.approx(profile.mean[2] + profile.classifier[0])
    assert times[7] == pytest.approx(profile.mean[7] + profile.classifier[0] + profile.classifier[2])


def test_a_rate_table_follows_the_arrivals() -> None:
    profile = read_profile("resnet-50-cifar10")
    policy = kinds_rate(profile)
    phases = [Phase(20_000, 2.0), Phase(20_000, 6.0)]
    calm, busy = simulate(profile, Station(2.0, 10), policy, phases, replications=3)
    assert float(busy.accuracy.mean) < float(calm.accuracy.mean) - 0.05
    frozen = as_table(knapsack.table(profile.accuracy, profile.mean, Station(2.0, 10)))
    _, stuck = simulate(profile, Station(2.0, 10), frozen, phases, replications=3)
    assert float(busy.loss.mean) < float(stuck.loss.mean) - 0.01


def kinds_rate(profile: Profile) -> RateTablePolicy:
    station = Station(2.0, 10)
    rates = knapsack.rate_grid(2.0, 24)
    tables = knapsack.rate_tables(profile.accuracy, profile.mean, station, rates)
    return RateTablePolicy(
        rates=tuple(rates.tolist()),
        memory=0.02,
        start=0.5,
        tables=tuple(tuple(map(tuple, table)) for table in tables.tolist()),
    )


def test_a_policy_is_refreshed_from_what_is_seen() -> None:
    profile = read_profile("mnist-cnn-8")
    rate, seen = 1.2 / float(profile.mean[-1]), []

    def again(confidence: Floats) -> TablePolicy:
        seen.append(confidence)
        return as_table(np.tile(np.eye(8)[3], (9, 1)))

    first = as_table(np.tile(np.eye(8)[0], (9, 1)))
    (result,) = simulate(
        profile,
        Station(rate, 10),
        first,
        [Phase(3000, rate, profile.split("test"))],
        replications=1,
        warmup=0.5,
        adapt=Adapt(500, again),
    )
    assert len(seen) == 6
    assert result.shares[3] > 0.99
    assert seen[0][0] != profile.confidence[0]
    assert seen[-1][3] == pytest.approx(profile.split("test").confidence[:, 3].mean(), abs=0.05)
