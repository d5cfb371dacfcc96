"""Shares of a server: exact against brute force, the published iteration against exact."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from placer.splitting.neurosurgeon import single_splits
from placer.splitting.pricing import latency_costs
from placer.splitting.sharing import alternating, by_dynamic_programme, equal, exact, speeds
from placer.splitting.two_machines import Machines, build_case, read_model
from placer.splitting.users import User, UsersFile, crowd, read_users


def random_table(rng: np.random.Generator, users: int, units: int) -> np.ndarray:
    """Not increasing, with plateaus now and then; some users need a unit to run at all."""
    table = np.sort(rng.exponential(1.0, (users, units + 1)), axis=1)[:, ::-1]
    if rng.random() < 0.5:
        table = np.round(table, 1)
    if rng.random() < 0.3:
        table[0, 0] = np.inf
    return np.ascontiguousarray(table)


@pytest.mark.parametrize("seed", range(200))
def test_exact_is_brute_force_and_the_iteration_is_never_better(seed: int) -> None:
    rng = np.random.default_rng(seed)
    users, units = int(rng.integers(2, 5)), int(rng.integers(4, 9))
    table = random_table(rng, users, units)
    best = min(
        max(table[user, share] for user, share in enumerate(shares))
        for shares in itertools.product(range(units + 1), repeat=users)
        if sum(shares) <= units
    )
    found = exact(table)
    assert found.worst == best == by_dynamic_programme(table)
    assert found.units.sum() <= units
    assert found.units.min() >= 0
    assert found.latency.tolist() == [table[user, share] for user, share in enumerate(found.units)]
    for step, halve in ((1, False), (None, True)):
        published = alternating(table, step, halve)
        assert best <= published.worst <= equal(table).worst
        assert published.units.sum() == units
        assert published.units.min() >= 0


def test_the_iteration_gets_stuck_where_two_are_slowest() -> None:
    """Why the gap is printed: one move does not help both, so the published rule stops at once."""
    eager, content = [4.0, 4.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0, 1.0]
    table = np.array([eager, eager, content, content])
    assert exact(table).worst == 1.0
    assert alternating(table).worst == 4.0


def test_too_few_units_are_an_error() -> None:
    with pytest.raises(ValueError, match="too few units"):
        exact(np.array([[np.inf, 1.0], [np.inf, 1.0]]))


def test_measured_speeds_are_made_monotone() -> None:
    speed = speeds({2: 1.8, 3: 1.6, 4: 2.5}, 4, 8)
    assert speed == pytest.approx([0, 0.5, 1, 1.4, 1.8, 1.8, 1.8, 2.15, 2.5])


def test_latency_by_share_is_that_of_the_best_split() -> None:
    file = UsersFile(
        format="placer/users/1",
        source="test",
        users=(User(name="a", model="mobilenet-v2-measured", device="raspberry-pi-4b", uplink=5e6, latency=0.01),),
        cores=4,
        speedup={2: 1.7, 4: 2.5},
    )
    many = crowd(file, "edge-2500", 8)
    case = build_case(read_model("mobilenet-v2-measured"), Machines("raspberry-pi-4b", "edge-2500", 5e6, None, 0.01))
    costs = latency_costs(case.compiled.variants[0], case.device, case.server, case.link)
    assert many.load[8] == 1.0
    assert many.load[4] == pytest.approx(2.5 / 1.7)
    for units in range(1, 9):
        load = float(many.load[units])
        best = min(cut.value(case.x, load) for cut in single_splits(costs, case.x, load))
        assert many.table[0, units] == pytest.approx(best, rel=1e-9)
    assert many.table[0, 0] == pytest.approx(costs.device.sum())


def test_the_shipped_users_gain_over_equal_shares() -> None:
    many = crowd(read_users("nine-boards"), "edge-2500")
    best = exact(many.table, many.kinds)
    assert best.worst == pytest.approx(by_dynamic_programme(many.table[many.kinds]))
    assert equal(many.table, many.kinds).worst > 1.2 * best.worst


def test_two_hundred_users() -> None:
    models = ["vgg-16-measured", "resnet-50-measured", "mobilenet-v1-measured", "inception-v3-measured"]
    users = tuple(
        User(name=f"u{n}", model=models[n % 4], device="raspberry-pi-4b", uplink=1e6 * (1 + n % 17), latency=0.01)
        for n in range(200)
    )
    file = UsersFile(format="placer/users/1", source="test", users=users, cores=40, speedup={40: 30.0})
    many = crowd(file, "edge-2500")
    best = exact(many.table, many.kinds)
    assert len(best.units) == 200
    assert best.units.sum() <= many.table.shape[1] - 1
    assert best.worst == pytest.approx(float(best.latency.max()))
    assert best.worst <= equal(many.table, many.kinds).worst
