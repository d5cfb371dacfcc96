"""A reference interpreter of split tables: copy this file beside the table; it needs nothing but Python.

A table (``placer split --table``) lists the cuts that are best somewhere. A cut costs c + cx / rate + ck * load (rate
in bytes/s), so the best one is the least of a few sums: exact at every rate and load that the table covers. The list
``pieces`` says the same for a few loads as ranges of rates.

    table = load("table.json")
    cut = table["cuts"][choose(table, rate=625000.0, load=1.0)]
    cut["device"], cut["send"], cut["server"]          # layers, tensors, layers

A link whose rate is measured with noise flaps between two cuts near a break point. ``Chooser`` smooths the rate and
stays with its cut until another one is better by a margin.
"""

from __future__ import annotations

import json
from typing import Any


def load(path: str) -> dict[str, Any]:
    """Read a table; ValueError when the file holds none, or one without what is needed to choose."""
    with open(path, encoding="utf-8") as stream:
        try:
            table = json.load(stream)
        except RecursionError as error:
            raise ValueError(f"{path} is nested too deeply") from error
    if not isinstance(table, dict) or table.get("format") != "placer/split-table/1":
        raise ValueError(f"{path} is no split table (format placer/split-table/1)")
    try:
        figures = [table[kind][end] for kind in ("rate", "load") for end in ("low", "high")]
        for cut in table["cuts"]:
            figures += [cut["plane"][name] for name in ("c", "cx", "ck")]
            whole = all(isinstance(cut[name], list) for name in ("device", "send", "server"))
            if not whole:
                raise TypeError("device, send and server of a cut must be lists")
        sound = all(type(figure) in (int, float) and abs(figure) <= 1e300 for figure in figures)
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} is a damaged split table: {error}") from error
    if not sound or not table["cuts"] or table["rate"]["low"] <= 0.0:
        raise ValueError(f"{path} is a damaged split table: a figure in it is none, or it has no cuts")
    return table


def cost(table: dict[str, Any], cut: int, rate: float, load: float = 1.0) -> float:
    """Cost of a cut at an uplink rate in bytes/s and a server load."""
    plane = table["cuts"][cut]["plane"]
    return float(plane["c"] + plane["cx"] / rate + plane["ck"] * load)


def choose(table: dict[str, Any], rate: float, load: float = 1.0) -> int:
    """Index of the best cut. Outside of what the table covers the nearest rate and load that it covers count."""
    rate = min(max(rate, table["rate"]["low"]), table["rate"]["high"])
    load = min(max(load, table["load"]["low"]), table["load"]["high"])
    return min(range(len(table["cuts"])), key=lambda cut: cost(table, cut, rate, load))


class Chooser:
    """Follows a noisy link without flapping.

    Attributes:
        cut: index of the cut in use; None before the first measurement.
        switches: how often it changed.
    """

    def __init__(self, table: dict[str, Any], margin: float = 0.05, memory: float = 0.5) -> None:
        """Stay until another cut costs less by the fraction ``margin``; ``memory`` is the weight of the past (0: none).

        What is averaged is the inverse rate, because costs are linear in it.
        """
        self.table = table
        self.margin = margin
        self.memory = memory
        self.cut: int | None = None
        self.switches = 0
        self._inverse: float | None = None

    def update(self, rate: float, load: float = 1.0) -> int:
        """Take a measured rate in bytes/s and return the cut to use now."""
        inverse = 1.0 / max(rate, self.table["rate"]["low"])
        if self._inverse is not None:
            inverse = self.memory * self._inverse + (1.0 - self.memory) * inverse
        self._inverse = inverse
        best = choose(self.table, 1.0 / inverse, load)
        if self.cut is None:
            self.cut = best
        elif best != self.cut:
            now = cost(self.table, self.cut, 1.0 / inverse, load)
            if cost(self.table, best, 1.0 / inverse, load) < now * (1.0 - self.margin):
                self.cut = best
                self.switches += 1
        return self.cut
