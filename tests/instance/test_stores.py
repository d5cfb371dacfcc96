"""Which memory holds what: the rule against plain sentences, and the vectorised fit against it."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from placer.instance.stores import Stores, stores_of

NAN = float("nan")


def test_every_case_of_the_rule() -> None:
    """Device 0: RAM only; device 1: flash; device 2: flash, a plain unit and one with its own memory."""
    stores = stores_of(
        np.array([10.0, 20.0, 30.0]),
        np.array([NAN, 200.0, 300.0]),
        np.array([NAN, NAN, NAN, 7.0]),
        np.array([1, 1, 2, 3]),
        np.array([0, 1, 2, 2]),
    )
    assert stores.capacity.tolist() == [10, 20, 30, np.inf, 200, 300, np.inf, np.inf, np.inf, 7]
    assert stores.weights.tolist() == [0, 4, 5, 9]  # RAM, flash, flash, own
    assert stores.working.tolist() == [0, 1, 2, 9]  # RAM, RAM, RAM, own
    assert stores.runtime.tolist() == [0, 1, 2, 2]  # always RAM
    assert [stores.family(store) for store in (0, 2, 3, 5, 6, 9)] == ["memory", "memory", "flash", "flash"] + [
        "memory"
    ] * 2
    weights = np.array([1.0, 2.0, 3.0, 4.0])
    kept = stores.kept(np.array([2, 3, 3, 0]), weights, np.array([4.5, 0.1, 0.5, 0.5]))
    assert stores.ram(kept).tolist() == [8.5, 0, 0.5]  # a device's runtime once, whatever its units
    assert stores.flash(kept).tolist() == [0, 0, 1]
    assert stores.own(kept).tolist() == [0, 0, 0, 5]
    assert stores.shared(np.array([1.0, 2.0, 3.0, 4.0])).tolist() == [1, 2, 6, 0, 0, 0, 0, 0, 0, 12]


SIZES = st.integers(0, 6).map(float)


@given(st.data())
def test_what_fits_is_what_leaves_nothing_below_zero(data: st.DataObject) -> None:
    devices = data.draw(st.integers(1, 3))
    at = np.array(data.draw(st.lists(st.integers(0, devices - 1), min_size=1, max_size=4)))
    maybe = st.just(NAN) | SIZES
    flash = np.array(data.draw(st.lists(maybe, min_size=devices, max_size=devices)))
    own = np.array(data.draw(st.lists(maybe, min_size=len(at), max_size=len(at))))
    memory = np.array(data.draw(st.lists(SIZES, min_size=devices, max_size=devices)))
    servers = np.array(data.draw(st.lists(st.integers(1, 3), min_size=len(at), max_size=len(at))))
    stores: Stores = stores_of(memory, flash, own, servers, at)
    weights, working = data.draw(SIZES), data.draw(SIZES)
    runtime = np.array(data.draw(st.lists(SIZES, min_size=devices, max_size=devices)))[at]
    fits = stores.fitting(stores.capacity, np.array(weights), np.array(working), runtime)
    for unit in range(len(at)):
        used = stores.kept(np.array([unit]), np.array([weights]), runtime)
        used = used + stores.shared(np.where(np.arange(len(at)) == unit, working, 0.0))
        assert fits[unit] == bool((used <= stores.capacity).all())
