"""Why an instance is infeasible: an irreducible set of clashing constraints, and what single relaxation repairs it.

Constraints are switched on and off in the families a user knows (the memory of a device, the deadline of a service),
and QuickXplain (Junker, AAAI 2004) finds a subset-minimal infeasible family set with few feasibility problems.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from placer.errors import InfeasibleError, UnansweredError
from placer.instance.compiled import Compiled
from placer.planning.clashes.changes import Edit
from placer.planning.clashes.deciding import decide
from placer.planning.clashes.deployed import Deployed
from placer.planning.clashes.families import Group, families
from placer.planning.clashes.oracle import Oracle
from placer.planning.clashes.repairs import Repair, Workshop, repairs
from placer.planning.clashes.sentences import sentences_of, untimed
from placer.planning.quickxplain import quick_explain
from placer.solver.countdown import Countdown
from placer.solver.progress import Limits


@dataclass(frozen=True)
class Explanation:
    """Why there is no plan.

    Attributes:
        feasible: whether there is one after all; then the rest is empty.
        clash: families that cannot hold together; without any one of them the others can.
        sentences: the clash in words.
        repairs: single changes after which a plan exists.
        irreducible: whether without any one family of the clash the others can hold; the time limit may end the
            search for such a clash.
        unfinished: what the time limit left undone, in words; empty when all of it was done.
        edits: per repair what to write into the file; empty where no field of the instance says it.
    """

    feasible: bool
    clash: tuple[Group, ...] = ()
    sentences: tuple[str, ...] = ()
    repairs: tuple[str, ...] = ()
    irreducible: bool = True
    unfinished: str = ""
    edits: tuple[tuple[Edit, ...], ...] = ()


def explain(compiled: Compiled, limits: Limits | None = None, deployed: Deployed | None = None) -> Explanation:
    """Return an irreducible clash and its repairs, or say that the instance is feasible.

    Args:
        compiled: the instance.
        limits: of all of it together; where they end it early, the answer says what was left undone.
        deployed: what is there already, and how many of its layers may move.

    Raises:
        UnansweredError: when it is not decided within the limits whether there is a plan.
        InfeasibleError: when even without any limit no layer has a time anywhere.
    """
    limits = limits or Limits()
    countdown = limits.start()
    every = families(compiled, deployed)
    oracle = Oracle(compiled, every, countdown, deployed)
    if oracle.possible(every):
        from placer.planning.clashes.waiting import waiting_clash  # only who has such limits needs it

        waits = waiting_clash(compiled, limits, countdown)
        return Explanation(True) if waits is None else Explanation(False, waits.clash, waits.sentences, waits.repairs)
    return _explained(oracle, every, countdown)


def _explained(oracle: Oracle, every: Sequence[Group], countdown: Countdown) -> Explanation:
    compiled, irreducible, unfinished = oracle.compiled, False, ""
    found: list[Repair] = []
    clash = list(every)
    try:
        if not oracle.possible([]):
            raise InfeasibleError(untimed(compiled))
        clash = quick_explain(list(every), oracle.possible)
        irreducible = True
    except UnansweredError:
        clash = [group for group in every if group in oracle.fewest]
        unfinished = "the time limit ended the search: some of these may not be needed for the clash"
    if irreducible:
        found = list(repairs(Workshop(oracle, decide, countdown), clash))
        undecided = [f"{kind} of {subject}" for kind, subject in (one.group for one in found if not one.decided)]
        if undecided:
            unfinished = f"the time limit ended the search for repairs: undecided is {', '.join(undecided)}"
    texts = {}
    for one in found:
        if one.change is not None:
            texts[one.change.text] = one.change.edits
    sentences = sentences_of(compiled, every, clash, oracle.deployed)
    return Explanation(
        False, tuple(clash), tuple(sentences), tuple(texts), irreducible, unfinished, tuple(texts.values())
    )
