import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from placer.queueing import mg1k, mm1k
from placer.queueing.mg1k_exact import mg1k as exact
from placer.queueing.network import Law

LOADS = st.floats(1e-2, 5.0)
SCVS = st.floats(0.0, 8.0)
PLACES = st.integers(1, 60)

ERRORS = [
    # law, scv, K, rho, formula / exact - 1
    (Law.EXPONENTIAL, 1.0, 10, 0.7, 0.0),
    (Law.EXPONENTIAL, 1.0, 10, 1.2, 0.0),
    (Law.DETERMINISTIC, 0.0, 10, 0.5, 2.97),
    (Law.DETERMINISTIC, 0.0, 10, 0.7, 0.536),
    (Law.DETERMINISTIC, 0.0, 10, 0.8, 0.182),
    (Law.DETERMINISTIC, 0.0, 10, 0.9, 0.028),
    (Law.DETERMINISTIC, 0.0, 10, 1.0, -0.0167),
    (Law.DETERMINISTIC, 0.0, 10, 1.2, -0.0065),
    (Law.DETERMINISTIC, 0.0, 5, 0.5, 0.58),
    (Law.GAMMA, 0.5, 10, 0.7, 0.099),
    (Law.GAMMA, 0.5, 10, 0.9, 0.002),
    (Law.HYPEREXPONENTIAL, 4.0, 10, 0.5, -0.30),
    (Law.HYPEREXPONENTIAL, 4.0, 10, 0.7, -0.02),
    (Law.HYPEREXPONENTIAL, 4.0, 10, 0.9, 0.09),
    (Law.HYPEREXPONENTIAL, 4.0, 10, 1.2, 0.10),
    (Law.HYPEREXPONENTIAL, 4.0, 50, 0.5, -0.97),
]


@pytest.mark.parametrize(("law", "scv", "capacity", "rho", "error"), ERRORS)
def test_how_far_the_formula_is_from_exact(law: Law, scv: float, capacity: int, rho: float, error: float) -> None:
    relative = mg1k.loss(rho, scv, capacity) / exact(rho, capacity, 1.0, scv, law).loss - 1.0
    assert relative == pytest.approx(error, abs=1e-9 if error == 0.0 else 0.01)


def test_limits() -> None:
    assert mg1k.loss(1.0, 0.3, 1) == pytest.approx(0.5)
    assert mg1k.loss(1.0, 1.0, 9) == pytest.approx(0.1)
    assert mg1k.loss(0.7, 1e14, 10) == pytest.approx(0.7 / 1.7, rel=1e-9)
    assert mg1k.loss(5.0, 0.0, 10) == pytest.approx(0.8)  # past the pole at rho = 4
    assert mg1k.loss(4.0, 0.0, 10) == pytest.approx(0.75)
    assert mg1k.loss(3.999, 0.0, 10) == pytest.approx(1.0 - 1.0 / 3.999)
    assert mg1k.loss(6.0, 0.0, 1) == pytest.approx(6.0 / 7.0)  # K = 1 has no pole
    assert mg1k.loss(0.0, 0.0, 4) == 0.0


def test_clip_acts_below_scv_one_and_above_load_one_only() -> None:
    assert mg1k.loss(2.0, 3.0, 5, clip=True) == mg1k.loss(2.0, 3.0, 5)
    assert mg1k.loss(0.9, 0.2, 5, clip=True) == mg1k.loss(0.9, 0.2, 5)
    assert mg1k.loss(2.0, 0.2, 5, clip=True) != mg1k.loss(2.0, 0.2, 5)
    load = np.linspace(0.01, 9.0, 2000)
    through = load * (1.0 - mg1k.loss(load, 0.0, 6, clip=True))
    assert (np.diff(through, 2) < 1e-9).all()


def test_printed_form_is_the_same_function() -> None:
    rho, scv, places = 0.83, 0.4, 7
    r = np.sqrt(rho)
    d = 2.0 + r * scv - r
    top = rho ** ((r * scv - r + 2 * places) / d) * (rho - 1.0)
    printed = top / (rho ** (2 * (1 + r * scv - r + places) / d) - 1.0)
    assert mg1k.loss(rho, scv, places) == pytest.approx(printed, rel=1e-12)


@given(LOADS, SCVS, PLACES, st.booleans())
def test_bounds(rho: float, scv: float, places: int, clip: bool) -> None:
    value = float(mg1k.loss(rho, scv, places, clip=clip))
    assert max(0.0, 1.0 - 1.0 / rho) - 1e-12 <= value <= rho / (1.0 + rho) + 1e-12


@given(LOADS, LOADS, SCVS, PLACES)
def test_loss_rises_with_load(one: float, other: float, scv: float, places: int) -> None:
    low, high = sorted((one, other))
    assert mg1k.loss(low, scv, places) <= mg1k.loss(high, scv, places) + 1e-12


@given(LOADS, SCVS, SCVS, PLACES)
def test_loss_rises_with_variability(rho: float, one: float, other: float, places: int) -> None:
    low, high = sorted((one, other))
    assert mg1k.loss(rho, low, places) <= mg1k.loss(rho, high, places) + 1e-12


@given(LOADS, st.floats(1e-6, 0.9), st.integers(2, 60), st.booleans())
def test_scv_max_inverts_the_formula(rho: float, limit: float, places: int, clip: bool) -> None:
    scv = float(mg1k.scv_max(rho, limit, places, clip=clip))
    if scv == np.inf:
        assert mg1k.loss(rho, 1e9, places, clip=clip) <= limit + 1e-6
    elif scv < 0.0:
        assert mg1k.loss(rho, 0.0, places, clip=clip) >= limit - 1e-9
    else:
        assume(scv < 1e9)
        assert mg1k.loss(rho, scv, places, clip=clip) == pytest.approx(limit, abs=1e-9)


@given(LOADS, LOADS, st.floats(1e-6, 0.9), st.integers(2, 60))
def test_scv_max_falls_with_load(one: float, other: float, limit: float, places: int) -> None:
    low, high = sorted((one, other))
    tolerant = float(mg1k.scv_max(low, limit, places))
    strict = float(mg1k.scv_max(high, limit, places))
    if 0.0 <= strict < np.inf:  # a negative value says infeasible, not by how much
        assert tolerant >= strict - 1e-6 * max(1.0, strict)


def test_scv_max_at_the_edges() -> None:
    assert mg1k.scv_max(1.5, 0.2, 10) == -np.inf  # the fluid bound is 1/3
    assert mg1k.scv_max(0.5, 0.4, 10) == np.inf
    assert mg1k.scv_max(1.0, 0.1, 9) == pytest.approx(1.0)
    assert mg1k.scv_max(0.9, float(mm1k.loss(0.9, 12)), 12) == pytest.approx(1.0)
