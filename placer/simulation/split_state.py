"""What the event loop needs for splitting: the trials that wait, and which trial runs next.

RESTART (M. Villén-Altamirano, J. Villén-Altamirano, RESTART: a method for accelerating rare event simulations,
Queueing, Performance and Control in ATM, 1991): whenever a trial rises into a region of the state space, further trials
start from the same state; they end where they fall out of it again, while the one that rose goes on. What is counted in
region i weighs 1/(R_1 ⋯ R_i), which makes every count right on average, whatever the regions are.

The trial that rose runs last, and only when no other waits does the loop heed the time at which it is to return, so a
mark cuts no trial short. What trials count beyond a mark is booked before it; on average that is as much at the first
mark of an interval as at its last.

A trial is copied as it stands, clocks included: all that the loop changes lies in one array of integers and one of
reals, of which the rows of :class:`placer.simulation.state.State` are views.
"""

from __future__ import annotations

from typing import NamedTuple

from placer.jit import helper
from placer.simulation.state import LEVEL
from placer.simulation.tables import Row

# Entries of Split.now.
DEPTH, REGION, BIRTH = 0, 1, 2


class Split(NamedTuple):
    """The trial that runs and those that wait. M regions above the lowest, at most M stacked states.

    Attributes:
        ints, reals: all that the loop changes, counts and sums left out; the state's rows are views of them.
        saved_ints, saved_reals: shape (M·len(ints),), (M·len(reals),): stacked states.
        entry_region, entry_left, entry_birth: shape (M,): region into which the stacked state had just risen, trials
            still to start from it, birth of the last of them, the one that rose.
        factor: shape (M+1,): trials R_i into which one that rises into region i is split; the first is 1.
        tally: shape ((M+1)·len(counts),): what was counted in each region.
        now: shape (3,): stacked states, region of the trial that runs, region below which it ends.
    """

    ints: Row
    reals: Row
    saved_ints: Row
    saved_reals: Row
    entry_region: Row
    entry_left: Row
    entry_birth: Row
    factor: Row
    tally: Row
    now: Row


@helper
def copy_part(source: Row, at: int, target: Row, to: int, size: int) -> None:
    """Copy ``size`` entries."""
    for k in range(size):
        target[to + k] = source[at + k]


@helper
def book(split: Split, counts: Row) -> None:
    """Add what was counted to the region of the trial that runs."""
    base = split.now[REGION] * len(counts)
    for k in range(len(counts)):
        split.tally[base + k] += counts[k]
        counts[k] = 0


@helper
def next_trial(split: Split, counts: Row, scalars: Row) -> None:
    """Settle what follows when the trial that runs has left its region: it is split, or goes on, or ends."""
    now, size, reals = split.now, len(split.ints), len(split.reals)
    book(split, counts)
    depth, region, birth = now[DEPTH], now[REGION], now[BIRTH]
    level = scalars[LEVEL]
    if level > region:  # one region at a time
        region += 1
        if split.factor[region] > 1:
            copy_part(split.ints, 0, split.saved_ints, depth * size, size)
            copy_part(split.reals, 0, split.saved_reals, depth * reals, reals)
            split.entry_region[depth] = region
            split.entry_left[depth] = split.factor[region] - 1
            split.entry_birth[depth] = birth
            depth += 1
            birth = region
    elif level >= birth:
        region = level
    else:  # never the first trial, whose birth is 0
        last = depth - 1
        copy_part(split.saved_ints, last * size, split.ints, 0, size)
        copy_part(split.saved_reals, last * reals, split.reals, 0, reals)
        region = split.entry_region[last]
        birth = region
        split.entry_left[last] -= 1
        if split.entry_left[last] == 0:  # the one that rose goes on
            birth = split.entry_birth[last]
            depth = last
    now[DEPTH], now[REGION], now[BIRTH] = depth, region, birth
