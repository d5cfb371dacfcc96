"""What services keep in memory together, against a count of every layer by hand; what is left to load."""

from __future__ import annotations

import numpy as np
import pytest

from placer.instance.compiled import Compiled
from placer.plan.placement import Placement
from tests.random_instances import random_instance


def random_placement(compiled: Compiled, rng: np.random.Generator) -> Placement:
    choice = tuple(int(rng.choice(group)) for group in compiled.service_variants)
    stations = tuple(
        tuple(rng.integers(len(compiled.stations), size=len(compiled.variants[c])).tolist()) for c in choice
    )
    return Placement(choice, stations)


def counted(compiled: Compiled, placement: Placement) -> dict[int, float]:
    """Bytes by memory: a set of what is loaded, by name."""
    loaded: dict[tuple[object, ...], tuple[int, float]] = {}
    for choice, stations in zip(placement.choice, placement.stations, strict=True):
        variant = compiled.variants[choice]
        service = compiled.instance.services[variant.service]
        owner = (service.model, variant.name, service.runtime) if service.share else service.name
        for layer, station in zip(range(len(variant)), stations, strict=True):
            memory = int(compiled.stores.weights[station])
            loaded[owner, variant.layers[layer], station] = (memory, float(variant.weights[layer]))
            device = int(compiled.station_device[station])
            loaded[owner, "the runtime", "on", device] = (device, float(variant.runtime_memory[station]))
    total: dict[int, float] = {}
    for memory, size in loaded.values():
        total[memory] = total.get(memory, 0.0) + size
    return total


@pytest.mark.parametrize("seed", range(40))
def test_memory_is_a_set_of_what_is_loaded(seed: int) -> None:
    compiled = random_instance(seed, site=True)
    rng = np.random.default_rng(seed)
    for _ in range(10):
        placement = random_placement(compiled, rng)
        kept = compiled.sharing.kept(placement.choice, placement.stations)
        expected = counted(compiled, placement)
        assert {i: float(size) for i, size in enumerate(kept) if size} == pytest.approx(
            {i: size for i, size in expected.items() if size}
        )


@pytest.mark.parametrize("seed", range(40))
def test_what_is_left_to_load_is_what_is_added(seed: int) -> None:
    compiled = random_instance(seed, site=True)
    placement = random_placement(compiled, np.random.default_rng(seed))
    last, before = placement.choice[-1], (placement.choice[:-1], placement.stations[:-1])
    weights, runtime = compiled.sharing.to_load(last, *before)
    stations = np.array(placement.stations[-1])
    added = np.bincount(
        compiled.stores.weights[stations], weights[np.arange(len(stations)), stations], minlength=len(compiled.stores)
    )
    for device in np.unique(compiled.stores.runtime[stations]):
        added[device] += runtime[compiled.stores.runtime == device][0]
    together = compiled.sharing.kept(placement.choice, placement.stations)
    assert added == pytest.approx(together - compiled.sharing.kept(*before))


def test_some_instances_share() -> None:
    assert sum(random_instance(seed, site=True).sharing.is_possible for seed in range(40)) >= 6
