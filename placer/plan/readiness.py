"""What a station serves as one job, and when the layers of a request alone in the system end.

A station takes the jobs of a request as they get ready, first come, first served, as it takes those of all requests:
this is the order that plans, limits and the simulation mean. Plain loops over arrays, for compiled callers too.

Layers are nodes 0..n-1 in the order of the model. The nodes that node v reads are
``sources[first_source[v]:first_source[v + 1]]``, -1 for the input of the model; ``at`` is the station of each node, -1
for a node that is no layer but the input itself.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from placer import jit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Truths = NDArray[np.bool_]


@jit.helper
def number_fragments(first_source: Ints, sources: Ints, at: Ints, sent: Truths, number: Ints) -> int:
    """Number the fragments: maximal runs that a station can serve as one job without delaying anyone.

    Per station the layers are taken in topological order. A layer joins the fragment before it on the same
    station when it reads something made there, when every tensor that it needs from elsewhere had to be there
    at the start of the fragment anyway, and when nobody elsewhere waits for what the fragment has made so
    far. On a chain these are the maximal runs of layers on one station; on a DAG they are connected and
    convex.

    Args:
        first_source, sources: the graph, shapes (n + 1,) and (E,).
        at: station of each node, shape (n,).
        sent: whether the sink waits for what a node makes, shape (n,); set for what other stations read, too.
        number: filled in with the fragment of each node, in order of their first nodes, shape (n,).

    Returns:
        how many fragments there are.
    """
    nodes = len(at)
    for node in range(nodes):
        for place in range(first_source[node], first_source[node + 1]):
            maker = sources[place]
            if maker >= 0 and at[maker] != at[node]:
                sent[maker] = True
    count = 0
    for node in range(nodes):
        number[node] = -1
        if at[node] < 0:
            continue
        last = node - 1  # the last node of the station: the fragment that may go on
        while last >= 0 and at[last] != at[node]:
            last -= 1
        if last >= 0 and not sent[last] and _joins(first_source, sources, at, number, node, number[last]):
            number[node] = number[last]
        else:
            number[node] = count
            count += 1
    return count


@jit.helper
def _joins(first_source: Ints, sources: Ints, at: Ints, number: Ints, node: int, fragment: int) -> bool:
    """Whether a node reads what a fragment of its station made, and from elsewhere only what the first node reads.

    What an earlier fragment there received is not held for a later one: each waits for its own.
    """
    head = 0
    while number[head] != fragment:
        head += 1
    reads = False
    for place in range(first_source[node], first_source[node + 1]):
        maker = sources[place]
        if maker >= 0 and at[maker] == at[node]:
            reads = reads or number[maker] == fragment
            continue
        received = False
        for other in range(first_source[head], first_source[head + 1]):
            received = received or sources[other] == maker
        if not received:
            return False
    return bool(reads)


@jit.helper
def run_by_readiness(
    first_source: Ints,
    sources: Ints,
    at: Ints,
    servers: Ints,
    sent: Truths,
    seconds: Floats,
    way: Floats,
    done: Floats,
) -> float:
    """When the layers of a request alone in the system end: a station serves its fragments as they get ready.

    Of two that get ready at the same time the one listed first is served first. A tensor leaves when the fragment
    that makes it is done; the ways of tensors do not delay each other.

    Args:
        first_source, sources, at, sent: as in :func:`number_fragments`.
        servers: jobs that the station of a node serves at once, shape (n,).
        seconds: that a node takes where it is, shape (n,).
        way: seconds until what is read is there once it is made, shape (E,); 0 on one station.
        done: filled in with the end of each node, shape (n,).

    Returns:
        the end of all.
    """
    nodes = len(at)
    number = np.empty(nodes, np.int64)
    count = number_fragments(first_source, sources, at, sent, number)
    head = np.zeros(count, np.int64)  # first node of each fragment
    for node in range(nodes - 1, -1, -1):
        if number[node] >= 0:
            head[number[node]] = node
    missing = np.zeros(count, np.int64)  # tensors that are not made yet, and when the others are there
    ready, made = np.zeros(count), np.full(count, -1.0)
    for node in range(nodes):
        fragment = number[node]
        for place in range(first_source[node], first_source[node + 1]):
            maker = sources[place]
            if maker < 0 or number[maker] < 0:
                ready[fragment] = max(ready[fragment], way[place])
            elif number[maker] != fragment:
                missing[fragment] += 1
    end = 0.0
    for _ in range(count):
        best = -1
        for fragment in range(count):
            if made[fragment] < 0.0 and missing[fragment] == 0 and (best < 0 or ready[fragment] < ready[best]):
                best = fragment
        clock = max(ready[best], _free(at, head, made, at[head[best]], servers[head[best]]))
        for node in range(head[best], nodes):
            if number[node] == best:
                clock += seconds[node]
                done[node] = clock
        made[best] = clock
        end = max(end, clock)
        for node in range(head[best], nodes):
            fragment = number[node]
            for place in range(first_source[node], first_source[node + 1]):
                maker = sources[place]
                if maker >= 0 and number[maker] == best and fragment != best:
                    missing[fragment] -= 1
                    ready[fragment] = max(ready[fragment], clock + way[place])
    return end


@jit.helper
def _free(at: Ints, head: Ints, made: Floats, station: int, servers: int) -> float:
    """When a server of a station is free: the end of the fragment there that ends last but ``servers`` - 1."""
    served = 0
    for fragment in range(len(head)):
        served += 1 if made[fragment] >= 0.0 and at[head[fragment]] == station else 0
    if served < servers:
        return 0.0
    last, index = np.inf, -1
    for _ in range(servers):
        best = -1
        for fragment in range(len(head)):
            if made[fragment] < 0.0 or at[head[fragment]] != station:
                continue
            below = made[fragment] < last or (made[fragment] == last and fragment > index)
            if below and (best < 0 or made[fragment] > made[best]):
                best = fragment
        last, index = made[best], best
    return float(last)
