"""Measure how far the analytic evaluator is from long simulations: ``python -m placer.recipes.error_bands -o FILE``.

Networks of every regime of :mod:`placer.bench.evaluator.instances` are simulated, and the table of
:mod:`placer.evaluation.bands` is written: per regime and decade of the predicted loss the least and the largest ratio
of true to predicted, widened by the interval of the simulation and by ``MARGIN``. Losses that a simulation of that
length does not resolve count as an absolute floor.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from placer.bench.evaluator.errors import Row, rows
from placer.bench.evaluator.instances import instances, regimes
from placer.evaluation.bands import LOSS, RESPONSE, Band, decade_of, regime_of

MARGIN = 1.25
"""Factor by which a band is widened beyond what was seen."""
LEAST_SEEN = 40
"""Chains that a cell must have; a smaller one has no band."""
RESOLVED = 4.0
"""Half-widths that a true loss must be away from 0 to count as a ratio."""


def bands(found: Iterable[Row]) -> dict[str, dict[str, dict[str, dict[str, float]]]]:
    """The table of the rows: measure, regime, decade (0 for response times), fields of :class:`Band`."""
    loss: dict[tuple[str, int], list[Row]] = defaultdict(list)
    response: dict[tuple[str, int], list[Row]] = defaultdict(list)
    for row in found:
        regime = regime_of(row.network, row.chain)
        loss[regime, decade_of(row.predicted)].append(row)
        response[regime, 0].append(row)
    return {LOSS: _written(loss, _of_loss), RESPONSE: _written(response, _of_response)}


def _written(cells: dict[tuple[str, int], list[Row]], make: object) -> dict[str, dict[str, dict[str, float]]]:
    table: dict[str, dict[str, dict[str, float]]] = defaultdict(dict)
    for (regime, decade), cell in sorted(cells.items()):
        if len(cell) >= LEAST_SEEN:
            band = make(cell)  # type: ignore[operator]
            table[regime][str(decade)] = {key: float(f"{value:.4g}") for key, value in asdict(band).items()}
    return dict(table)


def _of_loss(cell: Sequence[Row]) -> Band:
    resolved = [row for row in cell if row.true > RESOLVED * row.half_width]
    vague = [row.true + row.half_width for row in cell if row.true <= RESOLVED * row.half_width]
    low = min(((row.true - row.half_width) / max(row.predicted, 1e-300) for row in resolved), default=1.0)
    high = max(((row.true + row.half_width) / max(row.predicted, 1e-300) for row in resolved), default=1.0)
    return Band(max(low, 0.0) / MARGIN, min(high * MARGIN, 1e12), max(vague, default=0.0), len(cell))


def _of_response(cell: Sequence[Row]) -> Band:
    ratio = np.array([row.true_response / row.predicted_response for row in cell if row.predicted_response > 0])
    ratio = ratio[np.isfinite(ratio)]
    return Band(float(ratio.min()) / MARGIN, float(ratio.max()) * MARGIN, 0.0, len(cell))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(prog="python -m placer.recipes.error_bands", description="Measure error bands.")
    parser.add_argument("-o", "--output", type=Path, required=True, help="file to write (JSON)")
    parser.add_argument("--networks", type=int, default=2000, help="networks in all")
    parser.add_argument("--jobs", type=int, default=300_000, help="arrivals simulated of each")
    parser.add_argument("--seed", type=int, default=5)
    given = parser.parse_args(arguments)
    drawn = instances(regimes(), given.seed, given.networks)
    table = bands(rows(drawn, jobs=given.jobs, seed=given.seed))
    command = (
        f"python -m placer.recipes.error_bands --networks {given.networks} --jobs {given.jobs} --seed {given.seed}"
    )
    given.output.write_text(json.dumps({"measured": command, **table}, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
