import numpy as np
import pytest

from placer.queueing import class_loss, loss_system
from placer.queueing.variability import fit_gaps, long_run_weights, work_scv


def prepared(rate: list[float], scv: list[float], service: list[float]) -> class_loss.TokenStations:
    flow = np.array(rate)
    zero = np.zeros(len(rate))
    gaps = fit_gaps(flow, np.array(scv), zero)
    return class_loss.prepare(np.zeros(len(rate), dtype=int), np.arange(len(rate)), gaps, zero, zero, np.array(service))


@pytest.mark.parametrize("rho", [1.1, 1.5, 3.0])
def test_poisson_streams_lose_alike(rho: float) -> None:
    streams = prepared([0.3 * rho, 0.7 * rho], [1.0, 1.0], [1.0, 1.0])
    value, eta = class_loss.share_loss(streams, np.ones(1), np.ones(2), np.full(1, 0.3), 30)
    assert value == pytest.approx([1.0 / rho] * 2, rel=1e-3)
    # the tokens are a D/M/1 queue
    assert eta[0] == pytest.approx(np.exp(-rho * (1.0 - eta[0])), abs=5e-3)


def test_two_periodic_streams_race_for_the_free_place() -> None:
    # far in overload a stream of period T is first with the probability that its residual is the smallest
    streams = prepared([4.0, 1.25], [0.0, 0.0], [1.0, 1.0])
    value, _ = class_loss.share_loss(streams, np.ones(1), np.ones(2), np.full(1, 0.3), 30)
    x = (np.arange(10000) + 0.5) / 10000 * 0.25
    slow = np.mean(0.25 * 1.25 * (1.0 - x / 0.25))
    assert value == pytest.approx([(1.0 - slow) / 4.0, slow / 1.25], rel=0.03)


def test_the_work_accepted_is_the_work_done() -> None:
    streams = prepared([0.9, 0.6], [0.2, 0.9], [1.0, 0.7])
    value, _ = class_loss.share_loss(streams, np.array([0.97]), np.ones(2), np.full(1, 0.3), 6)
    assert streams.rate * streams.service @ value == pytest.approx(0.97, rel=1e-6)


@pytest.mark.parametrize("rho", [0.1, 0.7, 2.0])
def test_loss_system_with_one_and_with_several_poisson_streams(rho: float) -> None:
    gaps = fit_gaps(np.array([rho, rho / 2, rho / 2]), np.ones(3), np.zeros(3))
    value = loss_system.acceptance(np.array([0, 1, 1]), gaps, np.ones(3))
    assert value == pytest.approx([1.0 / (1.0 + rho)] * 3, rel=2e-3)


def test_long_run_weights_at_load_one_and_far_from_it() -> None:
    arrivals, services = long_run_weights(np.array([1.0, 0.2, 5.0]), np.full(3, 50.0))
    assert arrivals == pytest.approx([1 / 3, 1.0, 0.0], abs=1e-3)
    assert services == pytest.approx([1 / 3, 0.0, 1.0], abs=1e-3)


def test_work_scv_of_poisson_streams_is_one() -> None:
    share, mean, station = np.array([0.3, 0.7]), np.array([2.0, 0.5]), np.zeros(2, dtype=int)
    assert work_scv(share, mean, np.ones(2), station, 1) == pytest.approx([1.0])
    # regular streams bring regular work, whatever the mixture of their service times looks like
    total = share @ mean
    mixture = share @ mean**2 / total**2 - 1.0
    assert work_scv(share, mean, np.zeros(2), station, 1) + mixture == pytest.approx([0.0], abs=1e-12)
