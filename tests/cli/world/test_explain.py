"""Explanations of inputs that 0.1.0 explained wrongly: sets that could be reduced, figures that did not repair."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from placer.planning.clashes.changes import Edit
from tests.cli.run import placer
from tests.planning.clashes.files import edited

HERE = Path(__file__).parent
CLASHES = {
    "deadline-rounding": [["deadline", "s0"]],
    "hang-explain": [["min_accuracy", "s0"]],
    "memory-rounding": None,
    "range-factor-1": [["range", "s0"], ["memory", "d1"], ["deadline", "s0"]],
    "range-rounding": [["range", "s0"]],
    "reducible-airtime": [["airtime", "ch"]],
    "reducible-deadline": [["deadline", "s1"]],
    "unit-memory": [["range", "s0"], ["layers", "d1"], ["utilisation", "d2"], ["memory", "d2"]],
}


@pytest.mark.parametrize("case", CLASHES)
def test_repairs_repair(case: str, tmp_path: Path) -> None:
    folder = tmp_path / case
    shutil.copytree(HERE / "explain" / case, folder)
    path = folder / "inst.yaml"
    if case == "memory-rounding":  # it links two devices twice, which is refused now: the slower cable goes
        lines = path.read_text(encoding="utf-8").splitlines()
        path.write_text("\n".join(line for line in lines if "322359" not in line), encoding="utf-8")
    ran = placer("explain", str(path), "--json", "--time-limit", "20")
    assert ran.returncode in (0, 1), ran.stderr
    told = json.loads(ran.stdout)
    if told["feasible"]:
        assert case == "memory-rounding"
        return
    assert told["irreducible"]
    assert not told["unfinished"]
    if CLASHES[case] is not None:
        assert told["clash"] == CLASHES[case]
    for number, edits in enumerate(told["edits"]):
        changed = edited(path, [Edit(**edit) for edit in edits], number)
        again = placer("explain", str(changed), "--json", "--time-limit", "20")
        assert json.loads(again.stdout)["feasible"], told["repairs"][number]


def test_a_clash_of_nothing_but_loss() -> None:
    """A board that serves one job of 1 s at a time, ten of which come a second: rho / (1 + rho) = 90.91 % is lost."""
    ran = placer("explain", str(HERE / "oracle/explain-loss/inst.yaml"), "--json", "--time-limit", "20")
    told = json.loads(ran.stdout)
    assert (ran.returncode, told["clash"]) == (1, [["max_loss", "s"]])
    assert "90.91 %" in told["sentences"][0]
    assert any("91 %" in one for one in told["repairs"])
