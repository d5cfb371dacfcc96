"""The schedulers against slow oracles, and against each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from placer.errors import InfeasibleError
from placer.exits import knapsack, queueing_lp, semi_markov
from placer.exits.profile import read_profile, shipped_names
from placer.exits.station import CLIP, Station, evaluate_mixture, evaluate_table, single
from placer.queueing import mg1k, mg1k_exact
from placer.queueing.network import Law

from .oracles import all_counts, enumerate_supports, made_up, random_profile

LIMITS = (0.001, 0.01, 0.05, 0.2)


def test_the_queueing_program_equals_support_enumeration() -> None:
    rng = np.random.default_rng(5)
    feasible = refused = 0
    while feasible < 200:
        profile = random_profile(rng)
        station = Station(float(rng.uniform(0.5, 4.0)), int(rng.integers(1, 21)))
        limit = float(rng.choice(LIMITS))
        oracle = enumerate_supports(profile, station, limit)
        try:
            answer = queueing_lp.solve(profile, station, limit)
        except InfeasibleError:
            assert oracle == -np.inf
            refused += 1
            continue
        feasible += 1
        assert answer.gap <= 1e-5 * (1 + 1e-9)
        assert answer.accuracy == pytest.approx(oracle, abs=1e-5 + 1e-8)
        assert oracle <= answer.bound + 1e-8
        # the limit holds in the formula, worked out anew
        p = answer.probabilities
        m, square = p @ profile.mean, p @ (profile.mean**2 * (1 + profile.scv))
        loss = mg1k.loss(station.rate * m, max(square / m**2 - 1, 0.0), station.capacity, clip=CLIP)
        assert float(loss) <= limit + 1e-9
        assert p.min() >= 0.0
        assert p.sum() == pytest.approx(1.0, abs=1e-12)
        assert (p > 1e-9).sum() <= 3
    assert refused > 5


def test_scv_max_does_not_rise_with_the_load() -> None:
    """What makes the bound over an interval valid, under the clipping rule in use."""
    rho = np.linspace(1e-3, 8, 4001)
    for limit in (*LIMITS, 0.5):
        for places in (1, 2, 5, 10, 50):
            values = mg1k.scv_max(rho, limit, places, clip=CLIP)
            assert not np.isnan(values).any()
            # below 0 the load is given up, whatever the value
            assert (np.diff(np.clip(values, 0.0, 1e12)) <= 1e-9).all()


def test_an_open_gap_is_told() -> None:
    profile = read_profile("synthetic-24")
    answer = queueing_lp.solve(profile, Station(12.0, 10), 0.01, gap=1e-9, programs=60)
    assert answer.bound > answer.accuracy + 1e-9


def test_the_correction_meets_the_exact_limit() -> None:
    profile, station = read_profile("resnet-50-cifar10"), Station(3.0, 10)
    plain, corrected = (f(profile, station, 0.01) for f in (queueing_lp.solve, queueing_lp.solve_exact))

    def loss(p: np.ndarray) -> float:
        return evaluate_mixture(p, profile.mean, profile.scv, profile.accuracy, station).loss

    assert loss(plain.probabilities) < 0.0095  # the formula is conservative here
    assert loss(corrected.probabilities) == pytest.approx(0.01, rel=1e-4)
    assert loss(corrected.probabilities) <= 0.01 + 1e-9
    assert corrected.accuracy > plain.accuracy + 5e-4


@given(seed=st.integers(0, 10**6))
def test_the_chain_of_a_fixed_choice_is_mg1k(seed: int) -> None:
    rng = np.random.default_rng(seed)
    profile = random_profile(rng)
    station = Station(float(rng.uniform(0.5, 4.0)), int(rng.integers(1, 30)))
    p = rng.dirichlet(np.ones(len(profile)))
    measures = evaluate_table(profile, station, single(p, station.states))
    solved = mg1k_exact.mg1k(station.rate, station.capacity, profile.mean, profile.scv, Law.GAMMA, p)
    assert measures.loss == pytest.approx(solved.loss, rel=1e-9, abs=1e-12)
    accepted = station.rate * (1 - solved.loss)
    assert measures.latency == pytest.approx(solved.mean_number / accepted, rel=1e-9)
    assert measures.utilisation == pytest.approx(accepted * float(p @ profile.mean), rel=1e-9)
    assert measures.accuracy == pytest.approx(float(p @ profile.accuracy))


@given(seed=st.integers(0, 10**6))
def test_knapsack_equals_brute_force(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count, jobs = int(rng.integers(2, 7)), int(rng.integers(1, 6))
    times, worth = np.sort(rng.uniform(0.01, 1, count)), np.sort(rng.uniform(0.2, 1, count))
    if rng.random() < 0.4:
        worth = rng.permutation(worth)
    if rng.random() < 0.3:
        times = np.round(times, 1) + 0.1  # ties
    budget = float(rng.uniform(0, 1.2 * jobs * times.max()))
    counts = knapsack.best_counts(worth, times, jobs, budget)
    oracle = all_counts(worth, times, jobs, budget * (1 + 1e-12))
    assert counts.sum() == jobs
    assert counts.min() >= 0
    if oracle is None:
        assert counts @ times == pytest.approx(jobs * times.min())
    else:
        assert counts @ times <= budget * (1 + 1e-9)
        assert float(counts @ worth) == pytest.approx(oracle, abs=1e-9)


def test_knapsack_tables() -> None:
    profile, station = read_profile("resnet-50-cifar10"), Station(3.0, 10)
    tables = {head: knapsack.table(profile.accuracy, profile.mean, station, head=head) for head in knapsack.HEADS}
    for table in tables.values():
        assert table.shape == (9, 9)
        np.testing.assert_allclose(table.sum(axis=1), 1.0)
    times = {head: table @ profile.mean for head, table in tables.items()}
    assert (times["shallowest"] <= times["random"] + 1e-12).all()
    assert (times["random"] <= times["deepest"] + 1e-12).all()
    # the more jobs wait, the less time each gets
    assert (np.diff(times["random"]) <= 1e-12).all()
    more = knapsack.table(profile.accuracy, profile.mean, station, room=1)
    assert (more @ profile.mean >= times["random"] - 1e-12).all()


@pytest.mark.parametrize("name", [n for n in shipped_names("exit profile") if len(read_profile(n)) >= 8])
def test_no_policy_by_queue_length_beats_the_semi_markov_optimum(name: str) -> None:
    profile = read_profile(name)
    rng = np.random.default_rng(len(name))
    for load in (0.9, 1.3, 2.5):
        station = Station(load / float(profile.mean[-1]), 10)
        tables = [
            knapsack.table(profile.accuracy, profile.mean, station, head=head, room=room)
            for head in knapsack.HEADS
            for room in (0, 1)
        ]
        tables += [rng.dirichlet(np.full(len(profile), 0.2), station.states) for _ in range(3)]
        for limit in (0.01, 0.1):
            optimum = semi_markov.solve(profile, station, limit)
            own = evaluate_table(profile, station, optimum.probabilities)
            assert own.loss <= limit + 1e-9
            assert own.accuracy == pytest.approx(optimum.accuracy, abs=1e-8)
            solvers = [queueing_lp.solve, *([queueing_lp.solve_exact] if name.startswith("resnet") else [])]
            for solver in solvers:
                try:
                    tables.append(single(solver(profile, station, limit).probabilities, station.states))
                except InfeasibleError:
                    continue
        for table in tables:
            measures = evaluate_table(profile, station, table)
            bound = semi_markov.solve(profile, station, min(measures.loss + 1e-9, 1.0))
            assert bound.accuracy >= measures.accuracy - 1e-6


def test_one_place() -> None:
    """K = 1: nobody waits, the loss is rho/(1+rho) whatever the law."""
    profile = made_up(np.array([0.1, 0.5]), np.array([0.0, 1.0]), np.array([0.5, 0.9]))
    optimum = semi_markov.solve(profile, Station(1.0, 1), 0.2)
    share = float(optimum.probabilities[0, 1])
    rho = 0.1 + 0.4 * share
    assert rho / (1 + rho) == pytest.approx(0.2)
    assert queueing_lp.solve(profile, Station(1.0, 1), 0.2).accuracy == pytest.approx(optimum.accuracy, abs=2e-5)


def test_infeasible_says_the_least_loss() -> None:
    profile = read_profile("resnet-50-cifar10")
    with pytest.raises(InfeasibleError, match=r"the least is 82\.1.* %"):
        semi_markov.solve(profile, Station(2000.0, 10), 0.01)
    with pytest.raises(InfeasibleError, match="1 %"):
        queueing_lp.solve(profile, Station(2000.0, 10), 0.01)
