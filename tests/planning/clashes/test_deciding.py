"""Whether there is a plan at all: every way to decide it says what looking at every placement says."""

from __future__ import annotations

import numpy as np
import pytest

from placer.errors import InfeasibleError
from placer.instance.compiled import Compiled
from placer.plan.placement import Placement
from placer.planning.clashes.deciding import _by_columns, _by_ilp, decide, keeps, nearest
from placer.planning.clashes.deployed import Deployed
from placer.planning.clashes.families import families
from placer.planning.clashes.oracle import Oracle
from placer.planning.clashes.relaxing import Relaxing
from placer.planning.quickxplain import quick_explain
from placer.solver.countdown import Countdown
from tests.instance.build import board, chain, compiled_from
from tests.planning.clashes.infeasible import anything, tightened


def _columns(compiled: Compiled) -> Placement | None:
    try:
        found = _by_columns(compiled, Countdown.of(20.0), None)
    except InfeasibleError:
        return None
    assert found is not None, "not decided"
    return found


@pytest.mark.parametrize(
    "seeds", [range(1000, 1025), pytest.param(range(1025, 1200), marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_columns_the_ilp_and_every_placement_agree(seeds: range) -> None:
    seen = {True: 0, False: 0}
    for seed in seeds:
        compiled = tightened(seed).compiled
        possible = anything(compiled) is not None
        seen[possible] += 1
        for found in (decide(compiled, Countdown.of(20.0)), _by_ilp(compiled, Countdown.of(20.0), None)):
            assert (found is not None) == possible, seed
            assert found is None or keeps(compiled, found)
        assert (_columns(compiled) is not None) == possible, seed
    assert min(seen.values()) >= 4


def test_limits_that_are_taken_out_leave_the_others() -> None:
    """The instance without all of its limits keeps anything, and ways that exist stay what they are."""
    farther = 0
    for seed in range(40):
        compiled = tightened(seed).compiled
        every = families(compiled)
        relaxing = Relaxing(compiled, every)
        assert relaxing.held(every) is compiled
        free = relaxing.held([])
        known = np.isfinite(compiled.topology.routes(1e4).seconds)
        found = free.topology.routes(1e4)
        np.testing.assert_array_equal(found.seconds[known], compiled.topology.routes(1e4).seconds[known])
        if any(kind == "range" for kind, _ in every):
            assert np.isfinite(found.seconds).all()
            farther += 1
            for tail, head in zip(*np.nonzero(~known), strict=True):
                seconds = sum(found.arcs[arc].seconds(1e4) for arc in found.arcs_of(tail, head))
                assert seconds == pytest.approx(found.seconds[tail, head])
        assert anything(free) is not None
    assert farther >= 5


def test_privacy_that_is_lifted_takes_its_zone_along() -> None:
    """What keeps a tensor in the zone is no way that is missing once the zone is gone: airtime alone clashes."""
    types = {"slow": board(name="slow", units=({"name": "cpu", "speed": 1e6},))}
    compiled = compiled_from(
        [
            {"name": "cam", "type": "slow", "position": (0.0, 0.0), "compute": False},
            {"name": "hub", "type": "board", "position": (5.0, 0.0)},
            {"name": "far", "type": "board", "position": (9.0, 0.0)},
        ],
        [{"name": "s", "model": "net", "source": "cam", "arrivals": {"rate": 20.0}, "privacy": PRIVATE}],
        types=types,
        network={"radios": ({"rate": 1e6, "range": 20.0},)},
    )
    every = families(compiled)
    oracle = Oracle(compiled, every, Countdown.of(20.0))
    assert {kind for kind, _ in quick_explain(every, oracle.possible)} == {"airtime"}


PRIVATE = {"until": "l3", "zone": ("cam", "hub")}


def test_many_services_that_do_not_fit_are_explained_in_a_moment() -> None:
    """Seventeen processes on one board took half a minute: no ILP is needed where prices prove it."""
    services = [{"name": f"s{k}", "model": "net", "source": "a", "share": False} for k in range(17)]
    compiled = compiled_from([{"name": "a", "type": "board", "memory": 60e6}], services, models={"net": chain(12)})
    countdown = Countdown.of(10.0)
    oracle = Oracle(compiled, families(compiled), countdown)
    assert quick_explain(list(oracle.every), oracle.possible) == [("memory", "a")]
    assert countdown.spent < 5.0


def test_what_is_deployed_stays_but_for_what_is_in_the_way() -> None:
    """Two processes on a board that has lost memory for one of them: the other stays where it is."""
    services = [{"name": f"s{k}", "model": "net", "source": "a", "share": False} for k in range(2)]
    links = ({"between": ("a", "b"), "rate": 1e7},)
    compiled = compiled_from(
        [{"name": "a", "type": "board", "memory": 5e6}, {"name": "b", "type": "board"}],
        services,
        models={"net": chain(4)},
        network={"links": links},
    )
    old = Placement((0, 1), ((0,) * 4, (0,) * 4))
    found = nearest(compiled, old)
    assert found is not None
    assert keeps(compiled, found)
    moved = [sum(station != 0 for station in row) for row in found.stations]
    assert min(moved) == 0
    assert 1 <= sum(moved) == Deployed(old, 0).moved(found) <= 4
