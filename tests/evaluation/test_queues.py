"""Queueing networks of placements: links that queue are numbered by the instance, not by who asks first."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from placer.evaluation.evaluate import evaluate_placement
from placer.evaluation.queues import NetworkBuilder
from placer.instance.compiled import Compiled
from placer.plan.placement import Placement
from tests.instance.build import board, chain, compiled_from

DEVICES = ("a", "b", "c")
LINKS = (("a", "b"), ("b", "c"), ("a", "c"))


def ring(devices: tuple[str, ...] = DEVICES, links: tuple[tuple[str, str], ...] = LINKS, turned: int = 0) -> Compiled:
    """Three boards of different speed, every pair joined by a link that queues; two services with arrivals.

    Args:
        devices: their order in the file.
        links: theirs.
        turned: bits say which links are written the other way round.
    """
    kinds = {name: board(units=({"name": "cpu", "speed": 1e9 * (1 + i)},)) for i, name in enumerate(DEVICES)}
    network = {
        "links": tuple(
            {"between": link[:: -1 if turned >> i & 1 else 1], "rate": 1e5 * (1 + LINKS.index(link)), "queue": 2}
            for i, link in enumerate(links)
        )
    }
    services: list[dict[str, Any]] = [
        {"name": "s", "model": "net", "source": "a", "arrivals": {"rate": 1.0}, "max_loss": 0.5},
        {"name": "t", "model": "net", "source": "b", "sink": "c", "arrivals": {"rate": 0.7}},
    ]
    boards = [{"name": name, "type": name, "buffer": 3} for name in devices]
    return compiled_from(boards, services, models={"net": chain(2)}, types=kinds, network=network)


def placed(compiled: Compiled, where: tuple[tuple[str, ...], ...]) -> Placement:
    at = {station.name: index for index, station in enumerate(compiled.stations)}
    return Placement((0, 1), tuple(tuple(at[name] for name in names) for names in where))


PLACES = list(itertools.product(itertools.product(DEVICES, repeat=2), repeat=2))


@settings(max_examples=60)
@given(
    st.permutations(DEVICES),
    st.permutations(LINKS),
    st.integers(0, 7),
    st.sampled_from(PLACES),
    st.sampled_from(PLACES),
)
def test_names_decide_and_not_the_order_of_anything(
    devices: list[str],
    links: list[tuple[str, str]],
    turned: int,
    where: tuple[tuple[str, ...], ...],
    before: tuple[tuple[str, ...], ...],
) -> None:
    """Relabelled devices and links, and a builder that has seen another placement: same figures for the same names."""
    plain, other = ring(), ring(tuple(devices), tuple(links), turned)
    one, two = evaluate_placement(plain, placed(plain, where)), evaluate_placement(other, placed(other, where))
    assert one.excess == pytest.approx(two.excess)
    assert one.objectives["loss"] == pytest.approx(two.objectives["loss"], rel=1e-6, abs=1e-12)
    for mine, theirs in zip(one.times, two.times, strict=True):
        assert mine.name == theirs.name
        assert mine.loss_ratio == pytest.approx(theirs.loss_ratio, rel=1e-6, abs=1e-12)
        assert mine.response_time == pytest.approx(theirs.response_time, rel=1e-6)
    stations = {s.name: s.utilisation for s in one.stations}
    assert {s.name: s.utilisation for s in two.stations} == pytest.approx(stations, rel=1e-6, abs=1e-12)
    builder = NetworkBuilder(plain)
    builder.network(placed(plain, before))
    again, fresh = builder.labelled(placed(plain, where)), NetworkBuilder(plain).labelled(placed(plain, where))
    assert again.stations == fresh.stations
    assert np.array_equal(again.network.task_station, fresh.network.task_station)
    assert np.array_equal(again.network.capacity, fresh.network.capacity)


def test_a_network_holds_the_carriers_that_its_placement_uses() -> None:
    """In the order of the instance: the directions of the links, there before back."""
    compiled = ring()
    labelled = NetworkBuilder(compiled).labelled(placed(compiled, (("a", "a"), ("b", "b"))))
    assert labelled.stations == (*DEVICES, "link b → c")
    assert labelled.network.capacity.tolist() == [3] * 3 + [2]
    labelled = NetworkBuilder(compiled).labelled(placed(compiled, (("a", "b"), ("b", "a"))))
    # by c, which is faster than the slow link between a and b
    assert labelled.stations == (*DEVICES, "link b → c", "link c → b", "link a → c", "link c → a")
    assert labelled.network.task_station.tolist() == [0, 5, 4, 1, 3, 6, 1, 3, 6, 0, 5]
