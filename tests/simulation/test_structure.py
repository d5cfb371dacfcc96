"""Joins, exits, outages, arrival processes."""

from __future__ import annotations

import numpy as np
import pytest

from placer.errors import InputError
from placer.queueing.network import DELAY, Arrivals, Law, Process, QueueNetwork
from placer.simulation import simulate

from .networks import everything, network, poisson, served

LEVEL = 0.9999


def fork(capacity: int = 2) -> QueueNetwork:
    """Two parallel branches fed by one stream, then a join that takes no time."""
    return network(
        [capacity, capacity],
        [poisson(1.0)],
        [[(0, []), (1, []), (DELAY, [0, 1])]],
        [served(0.8), served(1.1), served(0.0, Law.DETERMINISTIC)],
    )


def test_and_join_lies_between_its_bounds(compiled: bool) -> None:
    result = simulate(fork(), jobs=5000, replications=6, seed=1, compiled=compiled)
    lost = result.stations.loss_ratio.mean
    admitted = 1 - float(result.total_loss_ratio.mean)
    assert float(np.prod(1 - lost)) <= admitted <= float(np.min(1 - lost))
    # A branch does not care what happens to the other: each is M/M/1/2 under the whole stream.
    for s, rho in ((0, 0.8), (1, 1.1)):
        figure = simulate(fork(), jobs=20_000, seed=2, level=LEVEL).stations.loss_ratio.at(s)
        assert abs(figure.mean - rho**2 / (1 + rho + rho**2)) <= figure.half_width


def test_a_join_runs_once_per_complete_job(compiled: bool) -> None:
    result = simulate(fork(), jobs=3000, replications=2, seed=3, warmup=0.0, compiled=compiled)
    v = result.values
    np.testing.assert_array_equal(v["ended"][:, 2], v["completed"][:, 0])
    assert (v["lost"][:, 0] < v["dropped"].sum(axis=1)).all()  # some jobs lost both their tasks: counted once
    # The join ends with the later branch: longer than either alone.
    assert float(result.classes.end_to_end.mean[0]) > float(result.tasks.sojourn.mean[:2].max())


def test_nothing_that_follows_a_lost_task_starts() -> None:
    net = network([1, 1], [poisson(1.0)], [[(0, []), (1, [0])]], [served(1.0), served(5.0)])
    v = simulate(net, jobs=3000, replications=2, seed=4, warmup=0.0).values
    np.testing.assert_array_equal(v["arrived"][:, 1], v["ended"][:, 0])
    # A later branch task does run when the loss was elsewhere.
    side = network([1, 0], [poisson(1.0)], [[(0, []), (1, []), (1, [1])]], [served(9.0), served(0.1), served(0.1)])
    v = simulate(side, jobs=3000, replications=2, seed=4, warmup=0.0).values
    assert (np.abs(v["ended"][:, 2] - v["offered"][:, 0]) < 10).all()
    assert (v["lost"][:, 0] > 0.5 * v["offered"][:, 0]).all()


def exits(share: float) -> QueueNetwork:
    first = [
        (share, 0.2, 0.0, Law.DETERMINISTIC, True, 0.05),
        (1 - share, 0.3, 0.0, Law.DETERMINISTIC, False, 0.0),
    ]
    last = [(1.0, 0.4, 0.0, Law.DETERMINISTIC, False, 0.1)]
    return network([0, 0], [poisson(0.01)], [[(0, []), (1, [0])]], [first, last])


def test_exits_are_taken_in_their_shares(compiled: bool) -> None:
    result = simulate(exits(0.3), jobs=4000, replications=5, seed=5, warmup=0.0, compiled=compiled)
    share = result.outcomes[0] / result.outcomes[:2].sum()
    assert share == pytest.approx(0.3, abs=4 * np.sqrt(0.21 / result.outcomes[:2].sum()))
    assert result.outcomes[2] == pytest.approx(result.outcomes[1], abs=5)
    # Hardly anybody waits at this rate: 0.2 + 0.05 through the exit, 0.3 + 0.4 + 0.1 to the end.
    assert float(result.classes.end_to_end.mean[0]) == pytest.approx(share * 0.25 + (1 - share) * 0.8, rel=0.01)
    assert float(result.classes.p95.mean[0]) == pytest.approx(0.8, abs=1e-6)
    assert result.classes.lost[0] == 0


def test_an_exit_on_a_branch_answers_for_the_job() -> None:
    quick = [(1.0, 0.1, 0.0, Law.DETERMINISTIC, True, 0.0)]
    slow = served(1.0, Law.DETERMINISTIC)
    net = network([0, 0], [poisson(0.1)], [[(0, []), (1, []), (1, [1])]], [quick, slow, slow])
    result = simulate(net, jobs=2000, replications=2, seed=6, warmup=0.0)
    assert float(result.classes.end_to_end.mean[0]) == pytest.approx(0.1, rel=0.1)
    assert result.tasks.arrived[2] == 0  # the answer is out: nothing new starts
    assert result.classes.in_system_end[0] == 0 or result.classes.in_system_end[0] < 5


def test_outages_show_in_the_availability(compiled: bool) -> None:
    net = network([5], [poisson(1.0)], [[(0, [])]], [served(0.2)], up=[20.0], down=[5.0])
    result = simulate(net, jobs=6000, replications=8, seed=7, level=LEVEL, compiled=compiled)
    figure = result.stations.availability.at(0)
    assert abs(figure.mean - 0.8) <= figure.half_width
    # Lost: who comes during an outage, and who is there when it begins.
    loss = result.classes.loss_ratio.at(0)
    killed = float(result.tasks.killed[0] / result.classes.offered[0])
    assert killed > 0
    assert abs(loss.mean - (0.2 + killed)) <= loss.half_width
    assert result.tasks.dropped[0] + result.tasks.killed[0] == result.stations.lost[0] == result.classes.lost[0]


def mmpp() -> Arrivals:
    rates, generator = np.array([4.0, 0.5]), np.array([[-0.3, 0.3], [0.1, -0.1]])
    return Arrivals(Process.MMPP, 0.25 * 4.0 + 0.75 * 0.5, rates=rates, generator=generator)


def test_mmpp_has_its_mean_rate_and_is_burstier_than_poisson(compiled: bool) -> None:
    service = [served(0.3, Law.EXPONENTIAL)]
    net = network([4], [mmpp()], [[(0, [])]], service)
    result = simulate(net, jobs=6000, replications=8, seed=8, level=LEVEL, compiled=compiled)
    figure = result.stations.arrivals.at(0)
    assert abs(figure.mean - 1.375) <= figure.half_width
    even = simulate(network([4], [poisson(1.375)], [[(0, [])]], service), jobs=6000, replications=8, seed=8)
    assert float(result.total_loss_ratio.mean) > 1.5 * float(even.total_loss_ratio.mean)


def test_an_mmpp_of_one_state_is_poisson() -> None:
    one = Arrivals(Process.MMPP, 1.0, rates=np.array([1.0]), generator=np.zeros((1, 1)))
    figure = simulate(network([3], [one], [[(0, [])]], [served(1.0)]), jobs=20_000, seed=9, level=LEVEL)
    loss = figure.classes.loss_ratio.at(0)
    assert abs(loss.mean - 0.25) <= loss.half_width


def test_a_trace_is_replayed(compiled: bool) -> None:
    times = np.array([0.0, 0.1, 0.5, 3.0])
    trace = Arrivals(Process.TRACE, 4 / 4.0, times=times)  # period 3 + 1 = 4 s
    net = network([0], [trace], [[(0, [])]], [served(0.05, Law.DETERMINISTIC)])
    result = simulate(net, horizon=400.0, replications=2, seed=10, warmup=0.0, compiled=compiled)
    np.testing.assert_array_equal(result.values["offered"][:, 0], 400)
    assert float(result.classes.end_to_end.mean[0]) == pytest.approx(0.05)
    # At capacity 1 and 0.2 s of service, exactly the second of every four is turned away.
    net = network([1], [trace], [[(0, [])]], [served(0.2, Law.DETERMINISTIC)])
    result = simulate(net, horizon=400.0, replications=2, seed=10, warmup=0.0, compiled=compiled)
    np.testing.assert_array_equal(result.values["lost"][:, 0], 100)


def test_a_class_without_arrivals_stays_away() -> None:
    net = network([2], [poisson(1.0), poisson(0.0)], [[(0, [])], [(0, [])]], [served(0.5), served(0.5)])
    result = simulate(net, jobs=500, replications=2, seed=11)
    assert result.classes.offered[1] == 0
    assert np.isnan(result.classes.loss_ratio.mean[1])


def test_all_problems_of_a_network_are_told() -> None:
    net = everything()
    bad = QueueNetwork(
        **{
            **vars(net),
            "outcome_probability": net.outcome_probability * 0.9,
            "arrivals": (*net.arrivals[:3], Arrivals(Process.TRACE, 1.0)),
            "down": np.zeros(4),
        }
    )
    with pytest.raises(InputError) as told:
        simulate(bad, jobs=10)
    assert [problem.path for problem in told.value.problems] == [
        "$.outcome_probability",
        "$.down",
        "$.arrivals[3]",
    ]
