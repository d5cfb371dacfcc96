import numpy as np
import pytest

from placer.queueing import mm1k
from placer.queueing.mg1k_exact import mg1k
from placer.queueing.network import Law
from tests.queueing.oracles import deterministic_mixture, phase_type_loss


@pytest.mark.parametrize("rho", [1e-3, 0.3, 0.9, 1.0, 1.3, 5.0])
@pytest.mark.parametrize("capacity", [1, 2, 5, 40, 200])
def test_exponential(rho: float, capacity: int) -> None:
    value = mg1k(rho, capacity, 1.0, 1.0, Law.EXPONENTIAL)
    assert value.loss == pytest.approx(float(mm1k.loss(rho, capacity)), abs=1e-12)
    assert value.mean_number == pytest.approx(float(mm1k.mean_number(rho, capacity)), abs=1e-8)
    assert value.mean_waiting == pytest.approx(float(mm1k.mean_waiting(rho, 1.0, capacity)), abs=1e-8)


@pytest.mark.parametrize("rho", [1e-3, 0.5, 0.95, 1.0, 1.4, 5.0])
@pytest.mark.parametrize("capacity", [1, 2, 7, 30, 100])
@pytest.mark.parametrize(("means", "probabilities"), [([1.0], [1.0]), ([0.25, 1.75], [0.5, 0.5])])
def test_deterministic_mixture(rho: float, capacity: int, means: list[float], probabilities: list[float]) -> None:
    loss, number = deterministic_mixture(rho, capacity, means, probabilities)
    value = mg1k(rho, capacity, means, 0.0, Law.DETERMINISTIC, probabilities)
    assert value.loss == pytest.approx(loss, abs=1e-12)
    assert value.mean_number == pytest.approx(number, abs=1e-9)


@pytest.mark.parametrize("rho", [0.2, 0.9, 1.5])
@pytest.mark.parametrize("capacity", [1, 4, 25])
def test_phase_type(rho: float, capacity: int) -> None:
    erlang = phase_type_loss(rho, capacity, [1.0, 0.0], np.array([[-2.0, 2.0], [0.0, -2.0]]))
    value = mg1k(rho, capacity, 1.0, 0.5, Law.GAMMA)
    assert (value.loss, value.mean_number) == pytest.approx(erlang, abs=1e-9)
    p = 0.5 * (1.0 + np.sqrt(3.0 / 5.0))
    hyper = phase_type_loss(rho, capacity, [p, 1 - p], np.diag([-2.0 * p, -2.0 * (1 - p)]))
    value = mg1k(rho, capacity, 1.0, 4.0, Law.HYPEREXPONENTIAL)
    assert (value.loss, value.mean_number) == pytest.approx(hyper, abs=1e-9)


def test_mixture_of_laws() -> None:
    # an early exit: exponential .4 with probability .3, else the two-stage Erlang of mean 1
    start = [0.3, 0.7, 0.0]
    generator = np.array([[-2.5, 0.0, 0.0], [0.0, -2.0, 2.0], [0.0, 0.0, -2.0]])
    loss, number = phase_type_loss(0.9, 6, start, generator)
    value = mg1k(0.9, 6, [0.4, 1.0], [1.0, 0.5], [Law.EXPONENTIAL, Law.GAMMA], [0.3, 0.7])
    assert (value.loss, value.mean_number) == pytest.approx((loss, number), abs=1e-9)


@pytest.mark.parametrize(("law", "scv"), [(Law.DETERMINISTIC, 0.0), (Law.GAMMA, 0.3), (Law.HYPEREXPONENTIAL, 9.0)])
def test_far_out_it_stays_within_its_bounds(law: Law, scv: float) -> None:
    for rho in (1e-3, 0.5, 1.0, 5.0, 60.0, 2000.0):
        for capacity in (1, 2, 250):
            value = mg1k(rho, capacity, 1.0, scv, law)
            assert max(0.0, 1.0 - 1.0 / rho) - 1e-9 <= value.loss <= rho / (1.0 + rho) + 1e-9
            assert 0.0 <= value.mean_number <= capacity + 1e-9
            assert value.mean_waiting >= 0.0


def test_loss_system_depends_on_the_mean_only() -> None:
    for law, scv in ((Law.DETERMINISTIC, 0.0), (Law.GAMMA, 0.4), (Law.HYPEREXPONENTIAL, 5.0)):
        assert mg1k(0.8, 1, 1.0, scv, law).loss == pytest.approx(0.8 / 1.8, abs=1e-12)


def test_no_arrivals() -> None:
    value = mg1k(0.0, 5, 1.0)
    assert (value.loss, value.mean_number, value.mean_waiting) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("load", [0.5, 0.9, 0.999, 1.0, 1.001, 1.1, 3.0])
@pytest.mark.parametrize("capacity", [513, 2000, 100_000])
def test_long_buffers(load: float, capacity: int) -> None:
    """Beyond what is computed place by place the closed form of M/M/1/K is met."""
    found = mg1k(load, capacity, 1.0, 1.0, Law.EXPONENTIAL)
    exact = float(mm1k.loss(load, capacity))
    assert found.loss == pytest.approx(exact, rel=1e-9, abs=1e-12)
    assert found.mean_number == pytest.approx(float(mm1k.mean_number(load, capacity)), rel=1e-7)
