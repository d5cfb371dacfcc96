"""Stations that serve several jobs at once: the simulator against exact chains, the formula against both."""

from __future__ import annotations

import numpy as np
import pytest

from placer.errors import InputError
from placer.queueing.many_servers import station
from placer.queueing.mg1k_exact import embedded
from placer.queueing.network import UNLIMITED, Law, QueueNetwork
from placer.queueing.solve import solve
from placer.simulation import simulate
from tests.simulation.networks import network, poisson, served

LEVEL = 0.9999


def birth_and_death(load: float, servers: int, places: int) -> tuple[float, float]:
    """Loss and mean number waiting of M/M/c/K at λs = load."""
    chain = [1.0]
    for number in range(1, places + 1):
        chain.append(chain[-1] * load / min(number, servers))
    p = np.array(chain) / sum(chain)
    return float(p[-1]), float(sum(max(number - servers, 0) * share for number, share in enumerate(p)))


def alone(load: float, servers: int, places: int, law: Law, scv: float = 1.0) -> QueueNetwork:
    net = network([places], [poisson(load)], [[(0, [])]], [served(1.0, law, scv)])
    return QueueNetwork(**{**vars(net), "servers": np.array([servers])})


EXPONENTIAL = [(0.9, 1, 4), (1.5, 2, 5), (2.4, 2, 12), (2.0, 3, 3), (3.9, 4, 20), (6.0, 8, 12)]


@pytest.mark.parametrize(("load", "servers", "places"), EXPONENTIAL)
def test_exponential_services_are_exact(load: float, servers: int, places: int) -> None:
    loss, waiting = birth_and_death(load, servers, places)
    answer = station(places, servers, load / 7.0, 7.0, 1.0)
    assert answer.loss == pytest.approx(loss, rel=1e-9)
    assert answer.waiting == pytest.approx(waiting, rel=1e-9)
    solved = solve(alone(load, servers, places, Law.EXPONENTIAL))
    if servers > 1:
        assert float(solved.loss_ratio[0]) == pytest.approx(loss, rel=1e-6)
        assert float(solved.station_utilisation[0]) == pytest.approx(load * (1.0 - loss) / servers, rel=1e-6)
        assert float(solved.task_waiting[0]) == pytest.approx(waiting / (load * (1.0 - loss)), rel=1e-6)


@pytest.mark.parametrize("scv", [0.0, 0.5, 1.0, 3.0])
@pytest.mark.parametrize("load", [0.5, 0.9, 1.3])
def test_one_server_is_the_exact_station(load: float, scv: float) -> None:
    one = np.array([0])
    exact = embedded(np.array([6]), one, np.ones(1), np.array([load]), np.array([scv]))
    answer = station(6, 1, load, 1.0, scv)
    assert answer.loss == pytest.approx(float(exact.loss[0]), rel=1e-4)
    assert answer.waiting == pytest.approx(float(exact.waiting_number[0]), rel=1e-4)


@pytest.mark.parametrize("scv", [0.0, 0.3, 4.0])
def test_where_nobody_waits_only_the_mean_counts(scv: float) -> None:
    assert station(4, 4, 2.5, 1.0, scv).loss == pytest.approx(birth_and_death(2.5, 4, 4)[0], rel=1e-3)


def test_the_simulator_knows_servers() -> None:
    """Lost, busy, present and response of M/M/2/4 against the chain, and Little's law to the last digit."""
    load, servers, places = 1.6, 2, 4
    loss, waiting = birth_and_death(load, servers, places)
    net = alone(load, servers, places, Law.EXPONENTIAL)
    result = simulate(net, jobs=10_000, replications=5, seed=3, level=LEVEL, compiled=False)
    here = result.stations
    for figure, exact in (
        (result.classes.loss_ratio.at(0), loss),
        (here.utilisation.at(0), load * (1.0 - loss) / servers),
        (here.number.at(0), waiting + load * (1.0 - loss)),
    ):
        assert abs(figure.mean - exact) <= figure.half_width
    flow, stay = result.classes.throughput.mean[0], result.classes.end_to_end.mean[0]
    assert flow * stay == pytest.approx(float(here.number.mean[0]), rel=1e-2)


@pytest.mark.parametrize(
    ("load", "servers", "places", "scv"),
    [(1.5, 2, 5, 0.0), (2.7, 3, 6, 0.0), (3.5, 4, 12, 0.0), (1.6, 2, 6, 4.0), (2.5, 3, 8, 0.3)],
)
def test_other_services_are_near_the_simulation(load: float, servers: int, places: int, scv: float) -> None:
    law = Law.GAMMA if scv else Law.DETERMINISTIC
    net = alone(load, servers, places, law, scv)
    result = simulate(net, jobs=30_000, replications=4, seed=1, level=LEVEL, compiled=False)
    solved = solve(net)
    loss, half = float(result.classes.loss_ratio.mean[0]), float(result.classes.loss_ratio.half_width[0])
    assert float(solved.loss_ratio[0]) == pytest.approx(loss, rel=0.06, abs=half)
    assert float(solved.end_to_end[0]) == pytest.approx(float(result.classes.end_to_end.mean[0]), rel=0.03)


def test_unlimited_buffers() -> None:
    """Erlang's delay formula; load above the servers is said to be unstable."""
    solved = solve(alone(1.5, 2, UNLIMITED, Law.EXPONENTIAL))
    assert float(solved.task_waiting[0]) == pytest.approx(1.5**2 / (4 - 1.5**2), rel=1e-9)
    assert solve(alone(2.5, 2, UNLIMITED, Law.EXPONENTIAL)).station_unstable.all()
    assert not solve(alone(1.9, 2, UNLIMITED, Law.EXPONENTIAL)).station_unstable.any()


def test_what_fails_serves_one_at_a_time() -> None:
    net = alone(1.0, 2, 4, Law.EXPONENTIAL)
    broken = QueueNetwork(**{**vars(net), "up": np.array([100.0]), "down": np.array([1.0])})
    with pytest.raises(InputError, match="serves one job at a time"):
        simulate(broken, jobs=100)
