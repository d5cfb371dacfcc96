"""States led over the gaps of a clock: by series, by matrices, and by scipy's exponential; and what is too large."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg

from placer.bench.evaluator.instances import PERIODIC, SHARED, Regime, draw
from placer.queueing.clock_chain import clock_chain
from placer.queueing.clock_steps import Steps, steps_over
from placer.queueing.clocked import TooLargeError, solve
from placer.queueing.counting import TimeLaw
from placer.queueing.map_g1k import Server
from placer.queueing.markov_streams import MarkovArrivals, poisson
from placer.queueing.patterns import Clock, pattern_of
from placer.queueing.phase_type import phase_type
from placer.queueing.solve import solve_batch

GAPS = np.array([0.0, 0.05, 0.7, 9.0])
LAW = TimeLaw(np.ones(1), np.array([0.4]), np.array([0.25]))


def steps(up: float, background: MarkovArrivals | None, walks: int = 1) -> Steps:
    server = Server(4, LAW, up, 1.0 if up else 0.0)
    service = phase_type(LAW)
    return steps_over(clock_chain(server, service, background), GAPS, walks, server, service, background)


@pytest.mark.parametrize("up", [0.0, 5.0])
@pytest.mark.parametrize("rate", [0.0, 1.3])
def test_series_and_matrices_are_the_exponential(up: float, rate: float) -> None:
    found = steps(up, poisson(rate) if rate else None)
    size = len(found.chain.generator)
    x = np.random.default_rng(1).dirichlet(np.ones(size))
    for k, gap in enumerate(GAPS):
        exact = scipy.linalg.expm(found.chain.generator * gap)
        np.testing.assert_allclose(found.matrix(k), exact, atol=1e-10)
        after, time = found.lead_and_count(x, k)
        np.testing.assert_allclose(after, x @ exact, atol=1e-10)
        np.testing.assert_allclose(found.lead(x, k), x @ exact, atol=1e-10)
        # the time in the states is what the generator turns into the change of the state
        np.testing.assert_allclose(time @ found.chain.generator, after - x, atol=1e-9)
        assert time.sum() == pytest.approx(gap, abs=1e-9)


def test_many_walks_are_worth_matrices() -> None:
    few, many = steps(5.0, poisson(1.0)), steps(5.0, poisson(1.0), walks=100_000)
    assert few.by_series
    assert not many.by_series


def test_what_would_take_too_long_is_refused() -> None:
    pattern = pattern_of([Clock(1.0, np.zeros(1), False), Clock(np.sqrt(2.0), np.zeros(1), False)], 4)
    server = Server(4, LAW, 0.0, 0.0)
    with pytest.raises(TooLargeError):
        solve(pattern, server, phase_type(LAW), poisson(1.0), most_seconds=1e-4)


def test_many_clocks_behind_each_other_are_left_to_two_moments() -> None:
    """Twelve periodic streams without a common period that meet again after other stations: minutes as chains."""
    network = draw(Regime(PERIODIC, 0.0, 1.0, SHARED, (3, 6)), np.random.default_rng([5, 1, 6]))
    assert network.classes == 12
    found = solve_batch([network])
    assert np.all((found.loss_ratio >= 0.0) & (found.loss_ratio < 0.6))
