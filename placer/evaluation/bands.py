"""How far the analytic evaluator was from long simulations, by regime: what a verdict may rely on.

The table ``error_bands.json`` is measured by ``python -m placer.recipes.error_bands``. For a regime and a decade of the
predicted figure it holds the least and the largest ratio of true to predicted that was seen, and what is left below the
resolution of the simulations. A regime that was not measured has no band: the analytic evaluator decides nothing there.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from placer.queueing.network import DELAY, Ints, Process, QueueNetwork

LOSS, RESPONSE = "loss", "response"
LEAST_DECADE, MOST_DECADE = -8, -1
"""Predicted losses are told apart by decades between these; what is below the first counts as that small."""
SPECIAL = "special"


@dataclass(frozen=True)
class Band:
    """What is true where so much is predicted.

    Attributes:
        low, high: least and largest true figure over the predicted one.
        floor: true figures this small, in the figure's unit, may stand behind any prediction of the regime.
        seen: chains measured.
    """

    low: float
    high: float
    floor: float
    seen: int

    def doubts(self, predicted: float, limit: float) -> bool:
        """Whether the limit may lie on the other side of the true figure than of the predicted one."""
        if predicted <= limit:
            return predicted * self.high + self.floor >= limit
        return predicted * self.low - self.floor <= limit


def band(network: QueueNetwork, owner: int, measure: str, predicted: float) -> Band | None:
    """The band of a figure of a class; None where it was not measured.

    Args:
        network: the queueing network.
        owner: class.
        measure: ``LOSS`` or ``RESPONSE``.
        predicted: the analytic figure: a ratio, or s.
    """
    table = _table().get(measure, {}).get(regime_of(network, owner))
    if table is None or not math.isfinite(predicted):
        return None
    return table.get(decade_of(predicted) if measure == LOSS else 0)


def decade_of(loss: float) -> int:
    """The decade of a predicted loss ratio, clipped to those that the table tells apart."""
    return int(np.clip(math.floor(math.log10(max(loss, 1e-300))), LEAST_DECADE, MOST_DECADE))


def regime_of(network: QueueNetwork, owner: int) -> str:
    """The regime of a class: how it and those that share stations with it arrive, are served and share.

    ``special`` where there are outages, forks, joins, exits, several servers or rate limits at a source: such
    networks were not measured.
    """
    classes = _sharing(network, owner)
    tasks = np.concatenate([np.arange(*network.class_tasks[c : c + 2]) for c in classes])
    arrivals = [network.arrivals[c] for c in classes]
    outcomes = np.concatenate([np.arange(*network.outcome_ptr[t : t + 2]) for t in tasks])
    queued = tasks[network.task_station[tasks] != DELAY]
    visits = [int(np.isin(queued, np.arange(*network.class_tasks[c : c + 2])).sum()) for c in classes]
    if (
        (np.diff(network.outcome_ptr)[tasks] > 1).any()
        or network.outcome_leaves[outcomes].any()
        or not _is_chain(network, classes)
        or (network.up[network.task_station[queued]] > 0).any()
        or (network.at_once[network.task_station[queued]] > 1).any()
        or any(one.spacing > 0 or one.process == Process.TRACE for one in arrivals)
    ):
        return SPECIAL
    process = "poisson" if all(one.process == Process.POISSON for one in arrivals) else "other"
    scv = "smooth" if (network.outcome_scv[outcomes] <= 1.0 + 1e-9).all() else "variable"
    return f"{process} {scv} {'single' if max(visits, default=0) <= 1 else 'network'}"


def _is_chain(network: QueueNetwork, classes: list[int]) -> bool:
    """Whether the tasks of each class follow one another."""
    for c in classes:
        first, end = (int(x) for x in network.class_tasks[c : c + 2])
        for task in range(first, end):
            before = network.preds[network.pred_ptr[task] : network.pred_ptr[task + 1]]
            if before.tolist() != ([task - 1] if task > first else []):
                return False
    return True


def _sharing(network: QueueNetwork, owner: int) -> list[int]:
    """Classes connected with ``owner`` through shared stations, itself among them."""
    used = [_stations(network, c) for c in range(network.classes)]
    found, reach = {owner}, set(used[owner])
    while more := {c for c in range(network.classes) if c not in found and used[c] & reach}:
        found |= more
        reach |= set().union(*(used[c] for c in more))
    return sorted(found)


def _stations(network: QueueNetwork, owner: int) -> set[int]:
    here: Ints = network.task_station[int(network.class_tasks[owner]) : int(network.class_tasks[owner + 1])]
    return {int(station) for station in here if station != DELAY}


@cache
def _table() -> Mapping[str, Mapping[str, Mapping[int, Band]]]:
    data: dict[str, Any] = json.loads((Path(__file__).parent / "error_bands.json").read_text(encoding="utf-8"))
    return {
        measure: {
            regime: {int(key): Band(**values) for key, values in decades.items()}
            for regime, decades in data[measure].items()
        }
        for measure in (LOSS, RESPONSE)
    }
