"""Exits inside the placement: joint, sequential with the same evaluations, enumeration; and the simulated loss."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from placer.bench.exits.instances import generate
from placer.planning.exits.planner import enumerate_joint, joint, sequential
from placer.planning.exits.shares import Judge
from placer.planning.loss.selection import select

INSTANCES, EVALUATIONS, FAR = 20, 600, 600.0


def rows(limit: int | None, scale: float, seed: int) -> Iterator[dict[str, Any]]:
    """Yield a row per instance and method with 1 - accuracy as objective, then the figures."""
    ahead = behind = differs = over = missed = 0
    count = limit or max(int(INSTANCES * scale), 2)
    for number in range(seed, seed + count):
        compiled, end = generate(number, services=1, devices=2), time.monotonic() + FAR
        judges = [Judge(compiled) for _ in range(3)]
        together = joint(judges[0], number, end, EVALUATIONS)
        apart = sequential(judges[1], number, end, judges[0].evaluations)
        best = enumerate_joint(judges[2])
        if together is None or apart is None or best is None:
            continue
        seen = select(judges[0].problem(together.shares), [together.placement], None, number)
        allowed = float(judges[0].base.max_loss[0])
        found = zip(("joint", "sequential", "enumeration"), judges, (together, apart, best), strict=True)
        for name, judge, point in found:
            row = {"instance": f"exits-{number}", "method": name, "status": "ok", "objective": point.value}
            row |= {"excess": point.excess, "evaluations": judge.evaluations, "max_loss": allowed, "loss": point.loss}
            if name == "joint":
                row |= {"simulated_loss": float(seen.loss[0]), "half_width": float(seen.loss_half_width[0])}
            yield row
        ahead += together.value < apart.value - 5e-5
        behind += together.value > apart.value + 1e-9
        differs += best.value < apart.value - 1e-4
        missed += together.value > best.value + 2e-5
        over += bool(seen.loss[0] - seen.loss_half_width[0] > allowed)
    yield {
        "figures": {
            "instances": count,
            "joint_ahead_of_sequential": ahead,
            "joint_behind_sequential": behind,
            "enumeration_ahead_of_sequential": differs,
            "joint_behind_enumeration": missed,
            "simulated_loss_above_the_limit_before_correction": over,
        }
    }
