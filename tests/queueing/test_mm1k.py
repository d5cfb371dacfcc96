import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from placer.queueing import mm1k


@given(st.floats(1e-3, 5.0), st.integers(1, 120))
def test_loss_and_number_are_those_of_the_birth_death_chain(rho: float, capacity: int) -> None:
    weights = np.exp(np.arange(capacity + 1) * np.log(rho) - max(0.0, capacity * np.log(rho)))
    p = weights / weights.sum()
    assert mm1k.loss(rho, capacity) == pytest.approx(p[-1], rel=1e-9, abs=1e-300)
    assert mm1k.mean_number(rho, capacity) == pytest.approx(np.arange(capacity + 1) @ p, rel=1e-6)


@pytest.mark.parametrize("rho", [1.0, 1.0 + 1e-13, 1.0 - 1e-13])
def test_load_one_is_no_special_case(rho: float) -> None:
    assert mm1k.loss(rho, 9) == pytest.approx(0.1, abs=1e-12)
    assert mm1k.mean_number(rho, 9) == pytest.approx(4.5, abs=1e-9)


def test_no_load_no_loss() -> None:
    assert mm1k.loss([0.0, 0.0], [1, 5]).tolist() == [0.0, 0.0]
    assert mm1k.mean_number(0.0, 3) == 0.0


def test_waiting_obeys_little() -> None:
    rate, service, capacity = 0.8, 1.1, 6
    rho = rate * service
    through = rate * (1.0 - mm1k.loss(rho, capacity))
    waiting = mm1k.mean_waiting(rate, service, capacity)
    assert through * (waiting + service) == pytest.approx(mm1k.mean_number(rho, capacity))
