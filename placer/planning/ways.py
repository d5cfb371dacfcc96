"""Which ways tensors take in a bound: planners that choose no ways bound plans whose tensors take theirs."""

from __future__ import annotations

from placer.evaluation.traffic import can_bind
from placer.instance.compiled import Compiled


def ways_of(compiled: Compiled, name: str, limited: bool = True) -> str | None:
    """What a bound holds for, as planners choose no ways: None where no choice of ways can better the objective.

    ``limited`` says whether limits were in the model: other ways may keep limits on links and airtime where these do
    not, and, where these are not the fastest, deadlines.
    """
    topology = compiled.topology
    own = {"energy": "energy", "throughput": "none"}.get(name, "time")
    deadlines = topology.least != "time" and any(s.deadline is not None for s in compiled.instance.services)
    if not topology.has_choice or (own == topology.least and not (limited and (deadlines or can_bind(compiled)))):
        return None
    return f"plans whose tensors take the ways of least {topology.least}"
