"""The suite ``exits``, small: what it says, not how fast it is."""

from __future__ import annotations

import json

import numpy as np
import pytest

from placer.bench.exits import suite, takeaways
from placer.errors import InputError


def test_takeaways_of_one_profile() -> None:
    found = list(takeaways.rows(["digits-mlp-8", "resnet-50-cifar10"], jobs=1200, replications=2))
    done = [row for row in found if row["status"] == "ok"]
    assert {row["method"] for row in done} == {m for methods in takeaways.COLUMNS.values() for m in methods}
    skipped = {row["method"] for row in found if row["status"] == "skipped"}
    assert skipped == {"thresholds", "queueing-confidence", "knapsack-confidence", "adaee"}
    assert len(found) == 2 * 2 * 6
    for row in done:
        assert 0 < row["retained"] < 1.2
        assert ("data drift" in row["loss"]) == row["instance"].startswith("digits")
        # more arrivals lose more, but for what follows them (and for noise)
        if row["method"].startswith("queueing"):
            assert row["loss"]["arrivals drift"] > row["loss"]["planned"]
    table = takeaways.table(found)
    assert set(table) == {"accuracy", "latency control", "loss control", "robustness"}
    for cells in table.values():
        for column, cell in cells.items():
            assert cell["runs"] == 2
            assert cell["best"]
            assert cell["keynote"] == takeaways.KEYNOTE[next(k for k, v in table.items() if v is cells)][column]


def test_at_least_six_profiles_of_8_to_24_exits() -> None:
    assert len(takeaways.profiles()) >= 6


def test_cells_by_hand() -> None:
    def row(method: str, accuracy: float, keeps: bool) -> dict[str, object]:
        values = {"status": "ok", "instance": "x", "method": method, "objective": accuracy, "keeps": keeps}
        return values | {"latency_in_services": 10 * accuracy, "retained": 1 - accuracy}

    found = [row("thresholds", 0.9, True), row("queueing-exact", 0.899, True), row("knapsack-moving", 0.8, False)]
    table = takeaways.table(found)
    assert table["accuracy"]["offline"]["best"] == ["Data-driven", "Queueing model"]
    assert not table["accuracy"]["offline"]["agrees"]
    assert table["loss control"]["offline"]["agrees"]
    assert table["latency control"]["offline"]["best"] == ["Knapsack"]
    assert table["robustness"]["offline"]["best"] == ["Knapsack"]
    assert np.isnan(table["accuracy"]["online"]["figures"]["Knapsack"])


@pytest.mark.filterwarnings("ignore")
def test_the_other_parts_small() -> None:
    *rows, last = suite.run(methods=["queueing", "adaee"], scale=0.05)
    json.dumps(last, allow_nan=False)
    figures = last["summary"]["queueing"]
    assert figures["profiles"] == 10
    assert figures["largest_gap"] <= 1.0001e-5
    assert figures["largest_excess_over_the_limit"] <= 1e-9
    assert {row["part"] for row in rows} == {"queueing", "adaee"}
    assert all("exponent" in row for row in rows if str(row["instance"]).endswith("stationary"))
    with pytest.raises(InputError, match="did you mean 'adaee'"):
        next(suite.run(methods=["adae"]))
