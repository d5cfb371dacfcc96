"""Explanations of random infeasible instances of every kind: each set clashes, none of it can be spared, and each
printed repair, written into the file, makes a plan possible. Every placement is looked at by the one evaluator."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from placer.errors import InfeasibleError
from placer.planning.clashes.deployed import Deployed
from placer.planning.clashes.families import families
from placer.planning.explain import explain
from tests.planning.clashes.files import compiled_file, edited, write_files
from tests.planning.clashes.infeasible import Case, anything, tightened, together

CAMPAIGN = [pytest.param(range(start, start + 40), marks=pytest.mark.slow) for start in range(40, 760, 40)]


@pytest.mark.parametrize("seeds", [range(12), *CAMPAIGN], ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")
def test_sets_clash_and_repairs_repair(seeds: range, tmp_path: Path) -> None:
    seen: Counter[str] = Counter()
    for seed in seeds:
        case = tightened(seed)
        if anything(case.compiled, case.deployed) is not None:
            continue
        (tmp_path / str(seed)).mkdir()
        try:
            seen += check(case, tmp_path / str(seed), seed)
        except InfeasibleError:
            assert not together(case, families(case.compiled, case.deployed), []), seed
    print("campaign", dict(sorted(seen.items())))
    assert seen["explained"] >= len(seeds) / 4


def check(case: Case, folder: Path, seed: int) -> Counter[str]:
    """Check one explanation; count what was seen."""
    found = explain(case.compiled, deployed=case.deployed)
    every = families(case.compiled, case.deployed)
    assert not found.feasible, seed
    assert found.irreducible, seed
    assert not found.unfinished, seed
    assert found.sentences
    assert not together(case, every, found.clash), (seed, found.clash)
    seen = Counter(explained=1)
    for group in found.clash:
        assert together(case, every, [g for g in found.clash if g != group]), (seed, group, found.clash)
        seen[f"clash {group[0]}"] += 1
        single = together(case, every, [g for g in every if g != group])
        seen["repairable"] += single
    path = write_files(case.data, case.library, folder)
    for number, (text, edits) in enumerate(zip(found.repairs, found.edits, strict=True)):
        seen["repairs"] += 1
        seen["repairs without a figure"] += not edits
        if not edits:
            print("no figure:", seed, text)
            continue
        deployed = case.deployed
        moves = [edit for edit in edits if edit.path == "--max-moves"]
        if moves and deployed is not None:
            deployed = Deployed(deployed.placement, int(str(moves[0].value)))
        changed = compiled_file(edited(path, [e for e in edits if e not in moves], number))
        assert anything(changed, deployed) is not None, (seed, text, edits)
    return seen
