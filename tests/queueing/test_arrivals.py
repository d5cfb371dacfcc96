"""Single stations under arrivals of every kind, against exact values found by other roads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from placer.jit import have_numba
from placer.queueing import grid_station, markov_streams
from placer.queueing.network import Arrivals, Law, Process, QueueNetwork, chains
from placer.queueing.patterns import clock_of, pattern_of
from placer.queueing.solve import solve
from placer.simulation import simulate
from tests.queueing.arrival_oracles import closed, markov_queue, modulated_constant, orbit, solve_chain, timed_queue


def station(
    streams: Sequence[Arrivals],
    capacity: int,
    service: Sequence[float],
    law: Law = Law.EXPONENTIAL,
    scv: float = 1.0,
    outages: tuple[float, float] = (0.0, 0.0),
) -> QueueNetwork:
    """One station that all streams enter."""
    network = chains(
        np.array([capacity]),
        np.array([stream.rate for stream in streams]),
        [[0]] * len(streams),
        [[s] for s in service],
        [[0.0 if law is Law.DETERMINISTIC else scv]] * len(streams),
        law,
    )
    return replace(network, arrivals=tuple(streams), up=np.array([outages[0]]), down=np.array([outages[1]]))


def poisson(rate: float) -> Arrivals:
    return Arrivals(Process.POISSON, rate)


def periodic(rate: float, phase: float | None = None) -> Arrivals:
    return Arrivals(Process.PERIODIC, rate, phase=phase)


def trace(*times: float) -> Arrivals:
    return Arrivals(Process.TRACE, (len(times) - 1) / (times[-1] - times[0]), times=np.array(times))


def mmpp(rates: Sequence[float], means: Sequence[float]) -> Arrivals:
    """Phases in a ring, each left after its mean time."""
    m = len(rates)
    generator = np.zeros((m, m))
    for j, mean in enumerate(means):
        generator[j, j] -= 1.0 / mean
        generator[j, (j + 1) % m] += 1.0 / mean
    rate = float(np.dot(rates, means) / np.sum(means))
    return Arrivals(Process.MMPP, rate, rates=np.array(rates, dtype=float), generator=generator)


def draw_mmpp(rng: np.random.Generator, load: float, service: float) -> Arrivals:
    m = int(rng.integers(2, 4))
    means = rng.uniform(0.2, 30.0, m)
    rates = rng.uniform(0.0, 1.0, m) ** 3
    rates *= load / service / float(rates @ means / means.sum())
    return mmpp(rates.tolist(), means.tolist())


CAMERA = mmpp([20.0, 0.01], [0.2, 20.0])


def test_bursty_camera() -> None:
    """`cases/arrivals/bursty-camera.yaml`: exact chain of MMPP/M/1/5, 23.66 %."""
    solution = solve(station([CAMERA], 5, [0.25]))
    assert solution.loss_ratio[0] == pytest.approx(0.2366, abs=5e-5)
    exact = markov_queue(5, 4.0, [(CAMERA.rates, CAMERA.generator)])
    assert solution.loss_ratio[0] == pytest.approx(exact[0], abs=1e-10)


def test_periodic_camera() -> None:
    """`cases/arrivals/dm1k.yaml`: D/M/1/4 loses 7.244 %; `cases/oracle/false-optimal`: D/M/1/1 loses 32.9 %."""
    assert solve(station([periodic(3.6)], 4, [0.25])).loss_ratio[0] == pytest.approx(0.07244, abs=5e-6)
    assert solve(station([periodic(1.0)], 1, [0.9])).loss_ratio[0] == pytest.approx(np.exp(-1 / 0.9), abs=1e-12)


@pytest.mark.parametrize("seed", range(12))
def test_modulated_exponential(seed: int) -> None:
    rng = np.random.default_rng(seed)
    service, capacity = float(rng.uniform(0.05, 2.0)), int(rng.integers(1, 9))
    stream = draw_mmpp(rng, float(rng.uniform(0.1, 1.5)), service)
    exact = markov_queue(capacity, 1 / service, [(stream.rates, stream.generator)])
    assert solve(station([stream], capacity, [service])).loss_ratio[0] == pytest.approx(exact[0], abs=1e-8)


@pytest.mark.parametrize("seed", range(12))
def test_modulated_constant(seed: int) -> None:
    rng = np.random.default_rng(100 + seed)
    service, capacity = float(rng.uniform(0.05, 2.0)), int(rng.integers(1, 15))
    stream = draw_mmpp(rng, float(rng.uniform(0.1, 1.5)), service)
    exact = modulated_constant(capacity, service, stream.rates, stream.generator)
    found = solve(station([stream], capacity, [service], Law.DETERMINISTIC)).loss_ratio[0]
    assert found == pytest.approx(exact, abs=1e-8)


@pytest.mark.parametrize("seed", range(10))
def test_superposed(seed: int) -> None:
    """Two MMPPs and a Poisson stream: each loses its own part."""
    rng = np.random.default_rng(200 + seed)
    service, capacity = float(rng.uniform(0.05, 1.0)), int(rng.integers(1, 5))
    streams = [draw_mmpp(rng, float(rng.uniform(0.1, 0.6)), service) for _ in range(2)]
    rate = float(rng.uniform(0.1, 0.4) / service)
    given = [(s.rates, s.generator) for s in streams] + [(np.array([rate]), np.zeros((1, 1)))]
    exact = markov_queue(capacity, 1 / service, given)
    found = solve(station([*streams, poisson(rate)], capacity, [service] * 3)).loss_ratio
    np.testing.assert_allclose(found, exact, atol=1e-8)


@pytest.mark.parametrize("seed", range(12))
def test_outages(seed: int) -> None:
    """An exponential station that fails, one stream: what it does not serve, the jobs that an outage kills included."""
    rng = np.random.default_rng(300 + seed)
    service, capacity = float(rng.uniform(0.05, 1.0)), int(rng.integers(1, 8))
    up, down = float(rng.uniform(2.0, 40.0)), float(rng.uniform(0.1, 10.0))
    bursty = bool(seed % 2)
    stream = draw_mmpp(rng, 0.7, service) if bursty else poisson(float(rng.uniform(0.2, 1.4) / service))
    given = (stream.rates, stream.generator) if bursty else (np.array([stream.rate]), np.zeros((1, 1)))
    exact = markov_queue(capacity, 1 / service, [given], up, down)
    found = solve(station([stream], capacity, [service], outages=(up, down))).loss_ratio[0]
    assert found == pytest.approx(exact[0], abs=1e-8)


@pytest.mark.parametrize("seed", range(12))
def test_clocks_and_random_services(seed: int) -> None:
    """Periodic streams with stated phases and a trace, exponential services, half of them beside a Poisson stream."""
    rng = np.random.default_rng(400 + seed)
    service, capacity = float(rng.uniform(0.1, 0.6)), int(rng.integers(1, 12))
    beside = float(rng.uniform(0.1, 0.5) / service) if seed % 2 else 0.0
    if seed % 3 == 0:
        times = np.cumsum(rng.uniform(0.01, 1.0, 6))
        stream = trace(*(times - times[0]))
        period = float(stream.times[-1] + 1 / stream.rate)
        streams, instants = [stream], [(float(t), 0) for t in stream.times]
    else:
        phases = rng.uniform(0.0, 1.0, 2)
        streams, period = [periodic(1.0, float(phases[0])), periodic(2.0, float(phases[1]) / 2)], 1.0
        instants = sorted([(float(phases[0]), 0), (float(phases[1]) / 2, 1), (float(phases[1]) / 2 + 0.5, 1)])
    exact = timed_queue(capacity, 1 / service, period, instants, beside)
    every = [*streams, poisson(beside)] if beside else streams
    found = solve(station(every, capacity, [service] * len(every))).loss_ratio
    np.testing.assert_allclose(found, exact[: len(every)], atol=1e-8)


@pytest.mark.parametrize("seed", range(12))
def test_orbits(seed: int) -> None:
    """Everything by the clock, in fractions: streams of several periods and services, stated phases."""
    rng = np.random.default_rng(500 + seed)
    capacity = int(rng.integers(1, 6))
    periods = [Fraction(int(p), 10) for p in rng.choice([4, 5, 8, 10, 20], 3)]
    phases = [p * int(k) / 97 for p, k in zip(periods, rng.integers(0, 97, 3), strict=True)]
    service = [Fraction(int(s), 1000) for s in rng.integers(20, 600, 3)]
    whole = Fraction(np.lcm.reduce([int(p * 10) for p in periods]).item(), 10)
    instants = sorted(
        (phase + k * p, s)
        for s, (p, phase) in enumerate(zip(periods, phases, strict=True))
        for k in range(int(whole / p))
    )
    exact = orbit(capacity, service, whole, instants)
    streams = [periodic(float(1 / p), float(phase)) for p, phase in zip(periods, phases, strict=True)]
    found = solve(station(streams, capacity, [float(s) for s in service], Law.DETERMINISTIC)).loss_ratio
    np.testing.assert_allclose(found, [float(x) for x in exact], atol=1e-6)


def test_burst_by_trace() -> None:
    """Five frames in 40 ms every 20 s, K = 2, constant services of 250 ms: two are served, 60 % are lost."""
    frames = trace(*(20.0 * burst + 0.01 * i for burst in range(4) for i in range(5)))
    assert solve(station([frames], 2, [0.25], Law.DETERMINISTIC)).loss_ratio[0] == pytest.approx(0.6, abs=1e-12)


def test_cameras_of_one_period() -> None:
    """`cases/oracle/periodic-cameras`: spread phases lose nothing, equal ones three of five."""
    spread = solve(station([periodic(1.0, 0.2 * i) for i in range(5)], 2, [0.19] * 5, Law.DETERMINISTIC))
    assert np.all(spread.loss_ratio == 0.0)
    at_once = solve(station([periodic(1.0, 0.0)] * 5, 2, [0.19] * 5, Law.DETERMINISTIC))
    np.testing.assert_allclose(at_once.loss_ratio, [0, 0, 1, 1, 1])
    loose = solve(station([periodic(1.0)] * 5, 2, [0.19] * 5, Law.DETERMINISTIC))
    assert np.ptp(loose.loss_ratio) == 0.0
    assert 0.1 < loose.loss_ratio[0] < 0.3


def test_overload_without_a_buffer_limit() -> None:
    """`cases/oracle/exit-unlimited`: nothing is lost, the queue grows without end."""
    both = solve(chains(np.array([0, 3]), np.array([2.0]), [[0, 1]], [[1.05, 0.4]], [[1.0, 1.0]], Law.EXPONENTIAL))
    assert both.station_unstable.tolist() == [True, False]
    assert both.end_to_end[0] == np.inf
    assert both.station_load[0] == pytest.approx(2.1)
    # the second station sees what the first one gets done
    assert both.station_rate[1] == pytest.approx(1 / 1.05)
    alone = solve(chains(np.array([0]), np.array([2.0]), [[0]], [[0.525]]))
    assert alone.loss_ratio[0] == 0.0
    assert alone.throughput[0] == pytest.approx(1 / 0.525)


@pytest.mark.parametrize("process", ["mmpp", "periodic", "constant"])
def test_without_a_buffer_limit(process: str) -> None:
    """A stable station without a limit loses nothing; the wait is that of a very long buffer."""
    stream = CAMERA if process == "mmpp" else periodic(3.0)
    law = Law.DETERMINISTIC if process == "constant" else Law.EXPONENTIAL
    endless, long = (solve(station([stream], K, [0.25], law)) for K in (0, 250))
    assert endless.loss_ratio[0] == 0.0
    assert not endless.station_unstable[0]
    assert endless.end_to_end[0] == pytest.approx(long.end_to_end[0], rel=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_kinds_of_different_services(seed: int) -> None:
    """An MMPP and a Poisson stream with services of their own, half of them at a station that fails."""
    rng = np.random.default_rng(600 + seed)
    capacity, service = int(rng.integers(1, 6)), rng.uniform(0.1, 1.0, 2)
    bursty = draw_mmpp(rng, 0.5, float(service[0]))
    rate = float(0.5 / service[1])
    up, down = (30.0, 3.0) if seed % 2 else (0.0, 0.0)
    given = [(bursty.rates, bursty.generator), (np.array([rate]), np.zeros((1, 1)))]
    exact = markov_queue(capacity, (1 / service).tolist(), given, up, down)
    found = solve(station([bursty, poisson(rate)], capacity, service.tolist(), outages=(up, down))).loss_ratio
    if up:  # which kind an outage kills is shared out by the mean stay: the total is exact
        offered = np.array([bursty.rate, rate])
        assert offered @ found == pytest.approx(offered @ np.array(exact), abs=1e-8)
        np.testing.assert_allclose(found, exact, atol=2e-3)
    else:
        np.testing.assert_allclose(found, exact, atol=1e-8)


def tandem_of(stream: Arrivals, capacity: Sequence[int], mu: Sequence[float]) -> float:
    """Loss of an MMPP over two exponential stations, by the chain of (numbers, phase)."""
    moves: dict[tuple[object, object], float] = {}
    for a in range(capacity[0] + 1):
        for b in range(capacity[1] + 1):
            for j, rate in enumerate(stream.rates):
                for k in range(len(stream.rates)):
                    if k != j and stream.generator[j, k] > 0:
                        moves[(a, b, j), (a, b, k)] = stream.generator[j, k]
                if a < capacity[0]:
                    moves[(a, b, j), (a + 1, b, j)] = rate
                if b:
                    moves[(a, b, j), (a, b - 1, j)] = mu[1]
                if a:
                    moves[(a, b, j), (a - 1, min(b + 1, capacity[1]), j)] = mu[0]
    q, states = closed(moves)
    p = solve_chain(q)
    done = sum(p[i] * mu[1] for i, (_, b, _) in enumerate(states) if b)
    return 1.0 - done / stream.rate


@pytest.mark.parametrize(
    ("stream", "tolerance"),
    [
        (CAMERA, 0.02),
        (mmpp([8.0, 0.5], [5.0, 20.0]), 0.01),
        (mmpp([6.0, 1.0], [1.0, 1.0]), 0.01),
        (mmpp([8.0, 0.0], [0.2, 0.2]), 0.01),
    ],
)
@pytest.mark.parametrize(("capacity", "mu"), [((10, 5), (20.0, 4.0)), ((5, 3), (5.0, 4.0)), ((4, 4), (4.0, 4.0))])
def test_bursts_go_on(stream: Arrivals, tolerance: float, capacity: tuple[int, int], mu: tuple[float, float]) -> None:
    """A modulated stream over two stations: by two moments the camera's loss would be wrong by a factor of 50."""
    exact = tandem_of(stream, capacity, mu)
    network = chains(
        np.array(capacity), np.array([stream.rate]), [[0, 1]], [[1 / m for m in mu]], None, Law.EXPONENTIAL
    )
    found = solve(replace(network, arrivals=(stream,)))
    assert found.loss_ratio[0] == pytest.approx(exact, rel=tolerance)


def test_a_failing_station_that_serves_nothing() -> None:
    network = chains(np.array([3, 3]), np.array([1.0]), [[0]], [[0.1]])
    assert solve(replace(network, up=np.array([0.0, 10.0]), down=np.array([0.0, 1.0]))).loss_ratio[0] < 1e-3


@pytest.mark.skipif(not have_numba(), reason="too long without numba")
@pytest.mark.parametrize(
    ("service", "capacity", "rate"),
    [(0.25, 5, 1.0), (0.29973, 3, 1.0), (0.25, 2, 2.0), (0.19, 1, 1.0), (0.70031, 3, 1.0)],
)
def test_constant_services_under_a_clock_with_company(service: float, capacity: int, rate: float) -> None:
    """Periodic and Poisson arrivals, constant services: no closed chain is known, the simulator's interval holds it."""
    network = station([periodic(2.0, 0.1), poisson(rate)], capacity, [service] * 2, Law.DETERMINISTIC)
    found = solve(network)
    seen = simulate(network, jobs=400_000, replications=6, seed=3, level=0.999).classes
    assert np.all(np.abs(found.loss_ratio - seen.loss_ratio.mean) <= seen.loss_ratio.half_width + 1e-5)
    np.testing.assert_allclose(found.end_to_end, seen.end_to_end.mean, rtol=5e-3)


def test_grids_agree() -> None:
    """The extrapolated value does not depend on the grid: 1e-7 between two."""
    pattern = pattern_of([clock_of(periodic(2.0, 0.0))], 1)
    coarse = grid_station.solve(pattern, 4, 0.2, markov_streams.poisson(1.5))
    before = grid_station.CELLS
    grid_station.CELLS = 2 * before
    try:
        fine = grid_station.solve(pattern, 4, 0.2, markov_streams.poisson(1.5))
    finally:
        grid_station.CELLS = before
    assert coarse is not None
    assert fine is not None
    np.testing.assert_allclose(coarse.loss, fine.loss, atol=1e-6)
    np.testing.assert_allclose(coarse.background_loss, fine.background_loss, atol=1e-6)
