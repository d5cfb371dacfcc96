"""Reduced-cost fixing takes away nothing that a better placement uses: against every placement."""

from __future__ import annotations

import numpy as np
import pytest

from placer.errors import InfeasibleError
from placer.evaluation.evaluate import evaluate_placement
from placer.planning.columns.coupling import Coupling
from placer.planning.columns.fixing import narrowed
from placer.planning.columns.rounds import Rounds
from placer.planning.columns.sites import Sites
from placer.solver.countdown import Countdown
from placer.solver.progress import Limits
from tests.random_instances import every_placement, random_instance


@pytest.mark.parametrize("objective", ["latency", "energy", "throughput", "latency-worst"])
def test_better_placements_stay(objective: str) -> None:
    taken = 0
    for seed in range(30):
        compiled = random_instance(seed, 300, crowded=True, site=bool(seed % 2))
        coupling = Coupling(compiled, objective)
        try:
            rounds = Rounds(coupling, Sites.of(coupling), 0.0, Limits(), Countdown.of(10.0), None)
        except InfeasibleError:
            continue
        rounds.first()
        for _ in range(3):  # before prices have settled: a gap is open
            if not rounds.good:
                rounds._round(rounds.master.solve().prices)
        found = narrowed(rounds)
        if found is None:
            continue
        judged = [(evaluate_placement(compiled, one, "deterministic"), one) for one in every_placement(compiled)]
        for judge, one in judged:
            if not judge.feasible or judge.costs[objective] >= rounds.search.value * (1 - 1e-9):
                continue
            for choice, stations in zip(one.choice, one.stations, strict=True):
                assert found.variants[choice].allowed[np.arange(len(stations)), list(stations)].all(), seed
        taken += sum(
            int((a.allowed & ~b.allowed).sum()) for a, b in zip(compiled.variants, found.variants, strict=True)
        )
    assert taken
