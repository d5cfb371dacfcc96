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

SHARE = 0.95
"""Of the time limit, for the search; what it began is ended in the rest."""


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


def explain(
    compiled: Compiled, limits: Limits | None = None, deployed: Deployed | None = None, repairing: bool = True
) -> Explanation:
    """Return an irreducible clash and its repairs, or say that the instance is feasible.

    Args:
        compiled: the instance.
        limits: of all of it together; where they end it early, the answer says what was left undone.
        deployed: what is there already, and how many of its layers may move.
        repairing: whether repairs are looked for, which takes most of the time.

    Raises:
        UnansweredError: when it is not decided within the limits whether there is a plan.
        InfeasibleError: when even without any limit no layer has a time anywhere.
    """
    countdown = (limits or Limits()).start().part(SHARE)
    oracle = Oracle(compiled, families(compiled, deployed), countdown, deployed)
    shop = Workshop(oracle, decide, countdown)
    from placer.planning.clashes.choosing import chooses  # only who has such limits needs it
    from placer.planning.clashes.remedies import waiting_workshop
    from placer.planning.clashes.waiting import WaitingOracle, waits

    waiting = WaitingOracle.of(compiled, countdown, deployed) if waits(compiled) else None
    if waiting is not None:
        shop = waiting_workshop(waiting, countdown)
    # where exits are chosen, what holds without waiting depends on the choice too
    if (waiting is None or not chooses(compiled)) and not oracle.possible(oracle.every):
        return _explained(oracle, shop, countdown, repairing)
    if waiting is None:
        return Explanation(True)
    waiting.known += oracle.known
    return Explanation(True) if waiting.possible(waiting.every) else _explained(waiting, shop, countdown, repairing)


def _explained(oracle: Oracle, shop: Workshop, countdown: Countdown, repairing: bool) -> Explanation:
    """Why the limits that an oracle knows clash, and what repairs it."""
    compiled, found = oracle.compiled, list[Repair]()
    clash, irreducible = _smallest(oracle)
    unfinished = "" if irreducible else "not decided in time is whether all of these are needed for the clash"
    if oracle.searched:
        unfinished = "that no shares of exits keep all of these is what a search found, not proven"
    said = sentences_of(compiled, oracle.every, clash, oracle.deployed)
    if repairing and not countdown.over:
        found = list(repairs(shop, clash))
        if shop.remedies is not None and shop.oracle is oracle:
            said, more = shop.remedies(shop, clash, said)
            found += more
        undecided = [f"{kind} of {subject}" for kind, subject in (one.group for one in found if not one.decided)]
        if undecided:
            open_ = f"the time limit ended the search for repairs: undecided is {', '.join(undecided)}"
            unfinished = f"{unfinished}; {open_}" if unfinished else open_
    elif repairing:
        late = "no time was left for repairs"
        unfinished = f"{unfinished}; {late}" if unfinished else late
    texts = {one.change.text: one.change.edits for one in found if one.change is not None}
    return Explanation(False, tuple(clash), tuple(said), tuple(texts), irreducible, unfinished, tuple(texts.values()))


def _smallest(oracle: Oracle) -> tuple[list[Group], bool]:
    """A set of limits that clash, and whether it is known that none of it can be spared.

    Raises:
        InfeasibleError: there is no placement even without limits.
    """
    doubts = 0

    def possible(held: Sequence[Group]) -> bool:
        nonlocal doubts
        try:
            return oracle.possible(held)
        except UnansweredError:
            doubts += 1
            return True

    if not possible([]):
        raise InfeasibleError(untimed(oracle.compiled))
    clash = quick_explain(list(oracle.every), possible)
    if doubts and not any(proven <= set(clash) for proven in oracle.impossible):
        clash = [group for group in oracle.every if group in oracle.fewest]
    return clash, not doubts
