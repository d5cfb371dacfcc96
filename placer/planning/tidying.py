"""Among equal plans the one with fewer fragments and transfers: runs of layers join their neighbours where they can."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from placer.evaluation.evaluate import evaluate_placement
from placer.evaluation.evaluation import Evaluation
from placer.instance.compiled import Compiled
from placer.plan.placement import Placement, fragments_of, moves_needed
from placer.solver.countdown import Countdown

TRIALS = 400
"""Placements that are looked at."""

SAME = 1e-12
"""Relative difference of objectives that is rounding."""


def tidied(compiled: Compiled, placement: Placement, objectives: Sequence[str], countdown: Countdown) -> Placement:
    """A placement that is no worse in any of the objectives, keeps all limits and has as few fragments as moves find.

    A move puts a run of layers of a service, in the order of the model, on the compute unit of the run before or after.
    """
    best, count = placement, _pieces(compiled, placement)
    judged = evaluate_placement(compiled, best, "deterministic")
    trials = 0
    improved = True
    while improved:
        improved = False
        for trial in _joined(best):
            fewer = _pieces(compiled, trial)
            if fewer >= count:
                continue
            trials += 1
            if trials > TRIALS or countdown.over:
                return best
            found = evaluate_placement(compiled, trial, "deterministic")
            if found.feasible and _no_worse(found, judged, objectives):
                best, count, judged, improved = trial, fewer, found, True
                break
    return best


def _pieces(compiled: Compiled, placement: Placement) -> tuple[int, int]:
    """How many fragments and transfers a placement has."""
    fragments = transfers = 0
    for choice, stations in zip(placement.choice, placement.stations, strict=True):
        variant = compiled.variants[choice]
        fragments += len(fragments_of(variant, stations))
        transfers += len(moves_needed(compiled, variant, stations))
    return fragments, transfers


def _joined(placement: Placement) -> Iterator[Placement]:
    """Placements with one run of layers on the unit of a neighbouring run."""
    for service, stations in enumerate(placement.stations):
        runs = [(station, len(list(members))) for station, members in groupby(stations)]
        start = 0
        for position, (_, length) in enumerate(runs):
            for neighbour in (position - 1, position + 1):
                if 0 <= neighbour < len(runs):
                    moved = (*stations[:start], *[runs[neighbour][0]] * length, *stations[start + length :])
                    yield Placement(
                        placement.choice, (*placement.stations[:service], moved, *placement.stations[service + 1 :])
                    )
            start += length


def _no_worse(found: Evaluation, judged: Evaluation, objectives: Sequence[str]) -> bool:
    return all(found.costs[name] <= judged.costs[name] + SAME * abs(judged.costs[name]) for name in objectives)
