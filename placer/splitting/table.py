"""A split table: the cuts that are best at some uplink rate and server load, with exact break points, as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from placer.instance.model import MODEL_INPUT
from placer.splitting.costs import Cut, SplitCosts
from placer.splitting.envelope import Region, envelope, pieces
from placer.splitting.mincut import cheapest_cut
from placer.splitting.neurosurgeon import best_split

TABLE_FORMAT = "placer/split-table/1"
LOADS = (1.0, 2.0, 4.0, 8.0)
RATE_LOW, RATE_HIGH = 1e3 / 8, 1e10 / 8
"""Rates that a table covers, bytes/s: 1 kbit/s to 10 Gbit/s."""


def table_cuts(costs: SplitCosts, single: bool, region: Region) -> list[Cut]:
    """Return the cuts of the lower envelope, of single splits only or of all cuts.

    Raises:
        InfeasibleError: when no cut puts every layer where it can run.
    """
    find = best_split if single else cheapest_cut
    return envelope(lambda x, load: find(costs, x, load), region)


def split_table(
    costs: SplitCosts,
    *,
    single: bool = False,
    loads: Sequence[float] = LOADS,
    about: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the table of a network as plain data.

    Args:
        costs: of latency (s) or energy (J).
        single: whether single splits only are looked at (Neurosurgeon) instead of all cuts (DADS).
        loads: server loads whose break points are listed; between the least and the largest every load is covered.
        about: what to say of model, device and server.

    Raises:
        InfeasibleError: when no cut puts every layer where it can run.
    """
    region = Region(1.0 / RATE_HIGH, 1.0 / RATE_LOW, min(loads), max(loads))
    cuts = table_cuts(costs, single, region)
    return {
        "format": TABLE_FORMAT,
        **(about or {}),
        "unit": costs.unit,
        "cost": "c + cx / rate + ck * load, rate in bytes/s; the least cost is best",
        "rate": {"low": RATE_LOW, "high": RATE_HIGH, "unit": "bytes/s"},
        "load": {"low": region.load_low, "high": region.load_high},
        "cuts": [_cut(costs, cut) for cut in cuts],
        "pieces": [{"load": load, "rates": _pieces(cuts, load, region)} for load in loads],
    }


def _cut(costs: SplitCosts, cut: Cut) -> dict[str, Any]:
    def tensor(index: int) -> str:
        return MODEL_INPUT if index < 0 else costs.names[index]

    return {
        "device": [name for name, remote in zip(costs.names, cut.on_server, strict=True) if not remote],
        "send": [
            {"tensor": tensor(index), "bytes": way.bytes, "compression": way.option or None}
            for index, way in cut.crossing
        ],
        "server": [name for name, remote in zip(costs.names, cut.on_server, strict=True) if remote],
        "plane": {"c": cut.plane.c, "cx": cut.plane.cx, "ck": cut.plane.ck},
    }


def _pieces(cuts: list[Cut], load: float, region: Region) -> list[dict[str, Any]]:
    """Ranges of rates from fast to slow uplinks turned round: from the slowest rate upwards."""
    found = pieces([cut.plane for cut in cuts], load, region.x_low, region.x_high)
    index = {cut.plane: number for number, cut in enumerate(cuts)}
    ends = [x for x, _ in found[1:]] + [region.x_high]
    listed = [
        {"above": 1.0 / end, "up_to": 1.0 / start, "cut": index[plane]}
        for (start, plane), end in zip(found, ends, strict=True)
    ]
    return listed[::-1]


def break_rates(table: dict[str, Any], load: float) -> list[float]:
    """Return the rates in bytes/s, increasing, at which the listed load changes its cut."""
    listed = next(entry for entry in table["pieces"] if entry["load"] == load)
    return [piece["above"] for piece in listed["rates"][1:]]


def dump_table(table: dict[str, Any]) -> str:
    """Return a table as JSON text."""
    return json.dumps(table, indent=2, allow_nan=False) + "\n"
