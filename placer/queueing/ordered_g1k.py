"""MAP/G/1/K where kinds of jobs differ in their service times: the order of the jobs in the queue is part of the state.

The chain is embedded at departures; its state is the word of the kinds that are still there, first come first
served, and the phase of the arrivals. What comes during a service appends letters: the words that Markovian arrivals
spell in a random time by uniformisation, as in :mod:`placer.queueing.counting`. Exact, and exponential in K: for
small stations. Independent streams that are all Poisson need no order, because each job's kind is then drawn anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from placer.queueing.counting import TimeLaw, poisson_counts
from placer.queueing.markov_streams import MarkovArrivals
from placer.queueing.network import Floats

MOST_STATES = 900
"""Words times phases beyond which the chain is too large."""


@dataclass(frozen=True)
class OrderedServer:
    """A station whose jobs are of several kinds.

    Attributes:
        capacity: K >= 1.
        laws: service time of each kind (letter).
        spelled: letters that each event of the arrivals adds, in the order in which its jobs ask for places.
        up, down: of outages, s; ``up`` 0 for none.
    """

    capacity: int
    laws: tuple[TimeLaw, ...]
    spelled: tuple[tuple[int, ...], ...]
    up: float = 0.0
    down: float = 0.0

    def words(self) -> int:
        """Number of words of fewer than K letters."""
        return sum(len(self.laws) ** length for length in range(self.capacity))


@dataclass(frozen=True)
class OrderedAnswer:
    """Loss, wait and survival, shape (E, B) each, by event and place in its batch; NaN beyond a batch."""

    loss: Floats
    waiting: Floats
    survival: Floats


@dataclass(frozen=True)
class _Spelling:
    """What a service of each kind leaves behind; L letters, W words of fewer than K letters.

    Attributes:
        ends: shape (L, m, W, m), words that arrive in a service.
        times: shape (L, m, W, m), time in s with a word arrived.
        rests: shape (L, m, W, m), the same times the rest of the service.
        start: shape (K+1,), index of the first word of each length.
    """

    ends: Floats
    times: Floats
    rests: Floats
    start: tuple[int, ...]


def solve(arrivals: MarkovArrivals, server: OrderedServer) -> OrderedAnswer:
    """Stationary values of a station.

    Args:
        arrivals: what comes; the size of its batches is that of ``spelled``.
        server: the station.

    Raises:
        OverflowError: uniformisation needs too many steps.
    """
    kill = 1.0 / server.up if server.up > 0.0 else 0.0
    m, K, letters = arrivals.phases, server.capacity, len(server.laws)
    hidden = arrivals.hidden - kill * np.eye(m)
    spelling = _spell(arrivals, hidden, server)
    start = spelling.start
    words = start[K]
    repaired: Floats = np.zeros((m, m))
    if kill:
        repaired = np.asarray(np.linalg.inv(np.eye(m) - server.down * arrivals.modulation), dtype=np.float64)
    size = words + (1 if kill else 0)
    rows = _Rows(spelling, letters, K, size, kill, repaired)
    chain = np.zeros((size, m, size, m))
    for length in range(1, K):
        for value in range(letters**length):
            chain[start[length] + value] = rows.after(length, value)
    idle_time = np.linalg.inv(-hidden)
    begins: dict[tuple[int, int], Floats] = {}
    for event, spelled in zip(arrivals.events, server.spelled, strict=True):
        word = spelled[:K]
        value = 0
        for letter in word:
            value = value * letters + letter
        into = idle_time @ event
        begins[len(word), value] = begins.get((len(word), value), 0.0) + into
        chain[0] += np.tensordot(into, rows.after(len(word), value), axes=1)
    if kill:
        chain[0, :, words] += kill * idle_time @ repaired
        chain[words] = chain[0]
    system = np.eye(size * m) - chain.reshape(size * m, size * m).T
    system[-1] = 1.0
    goal = np.zeros(size * m)
    goal[-1] = 1.0
    visits = np.maximum(np.linalg.solve(system, goal), 0.0).reshape(size, m)
    empty = visits[0] + (visits[words] if kill else 0.0)
    starts = {
        (length, value): visits[start[length] + value] for length in range(1, K) for value in range(letters**length)
    }
    for key, into in begins.items():
        starts[key] = starts.get(key, 0.0) + empty @ into
    present, ahead = _spread(spelling, server, starts)
    present[0] = empty @ idle_time
    failed = kill * present.sum(axis=0) @ repaired * server.down if kill else np.zeros(m)
    total = float(present.sum() + failed.sum())
    served = float(visits[:words].sum()) / total
    return _admission(arrivals, server, present / total, ahead / total, failed / total, served)


def _spell(arrivals: MarkovArrivals, hidden: Floats, server: OrderedServer) -> _Spelling:
    """Sum the uniformised chain of (word arrived, phase) over the services of each kind."""
    K, letters, m = server.capacity, len(server.laws), arrivals.phases
    start = tuple(np.cumsum([0, *(letters**length for length in range(K))]).tolist())
    words = start[K]
    rate = max(float(-np.diag(hidden).min()), 1e-300)
    weights = []
    for law in server.laws:
        mass, beyond = poisson_counts(rate, law)
        later = np.append(np.cumsum(beyond[::-1])[::-1][1:], 0.0)
        weights += [mass, beyond / rate, later / rate**2]
    steps = max(len(row) for row in weights)
    table = np.zeros((len(weights), steps))
    for row, values in zip(table, weights, strict=True):
        row[: len(values)] = values
    children = np.arange(start[K - 1]) if K > 1 else np.zeros(0, dtype=np.int64)
    lengths = np.repeat(np.arange(K), np.diff(start))
    first = np.array(
        [start[n + 1] + (i - start[n]) * letters for i, n in zip(children, lengths, strict=False)], dtype=int
    )
    total = np.zeros((len(weights), m * words * m))
    now = np.zeros((m, words, m))
    now[:, 0] = np.eye(m)
    stay = np.eye(m) + hidden / rate
    for k in range(steps):
        total += np.outer(table[:, k], now.ravel())
        after = now @ stay
        for event, spelled in zip(arrivals.events, server.spelled, strict=True):
            moved = now @ (event / rate)
            for letter in spelled:
                grown = np.zeros_like(moved)
                grown[:, start[K - 1] :] = moved[:, start[K - 1] :]
                if len(children):
                    grown[:, first + letter] += moved[:, : start[K - 1]]
                moved = grown
            after += moved
        now = after
    shape = (letters, 3, m, words, m)
    parts = total.reshape(shape)
    return _Spelling(parts[:, 0], parts[:, 1], parts[:, 2], start)


def _capped(values: Floats, start: Sequence[int], letters: int, most: int) -> Floats:
    """Words of at most ``most`` letters: longer ones count as their beginning, the rest of them is turned away."""
    K = len(start) - 1
    result = values[:, : start[most + 1]].copy()
    for length in range(most + 1, K):
        tail = values[:, start[length] : start[length + 1]]
        shape = (len(values), letters**most, letters ** (length - most), values.shape[2])
        result[:, start[most] :] += tail.reshape(shape).sum(axis=2)
    return result


class _Rows:
    """Rows of the embedded chain."""

    def __init__(
        self, spelling: _Spelling, letters: int, capacity: int, size: int, kill: float, repaired: Floats
    ) -> None:
        self.start, self.letters, self.capacity, self.size = spelling.start, letters, capacity, size
        self.ends = [[_capped(one, self.start, letters, most) for most in range(capacity)] for one in spelling.ends]
        self.killed = [kill * one.sum(axis=1) @ repaired for one in spelling.times] if kill else []

    def after(self, length: int, value: int) -> Floats:
        """Where a service leads that starts with this word in the station, shape (m, size, m)."""
        scale = self.letters ** (length - 1)
        head, rest = value // scale, value % scale
        room = self.capacity - length
        ends = self.ends[head][room]
        row = np.zeros((len(ends), self.size, ends.shape[2]))
        for more in range(room + 1):
            width = self.letters**more
            at = self.start[length - 1 + more] + rest * width
            row[:, at : at + width] = ends[:, self.start[more] : self.start[more] + width]
        if self.killed:
            row[:, -1] = self.killed[head]
        return row


def _spread(spelling: _Spelling, server: OrderedServer, starts: dict[tuple[int, int], Floats]) -> tuple[Floats, Floats]:
    """Time with each number present, and that times the mean work there; shape (K+1, m) each."""
    K, letters, start = server.capacity, len(server.laws), spelling.start
    m = spelling.times.shape[1]
    means = np.array([law.average for law in server.laws])
    work = np.zeros(start[K])
    for length in range(1, K):
        for value in range(letters**length):
            work[start[length] + value] = work[start[length - 1] + value // letters] + means[value % letters]
    present, ahead = np.zeros((K + 1, m)), np.zeros((K + 1, m))
    tables = {
        (letter, room): tuple(_capped(part[letter], start, letters, room) for part in (spelling.times, spelling.rests))
        for letter in range(letters)
        for room in range(K)
    }
    for (length, value), begin in starts.items():
        scale = letters ** (length - 1)
        head, rest = value // scale, value % scale
        behind = work[start[length - 1] + rest]
        times, rests = tables[head, K - length]
        for more in range(K - length + 1):
            part = slice(start[more], start[more + 1])
            spent = np.tensordot(begin, times[:, part], axes=1)
            present[length + more] += spent.sum(axis=0)
            ahead[length + more] += (behind + work[part]) @ spent + np.tensordot(
                begin, rests[:, part].sum(axis=1), axes=1
            )
    return present, ahead


def _admission(
    arrivals: MarkovArrivals, server: OrderedServer, present: Floats, ahead: Floats, failed: Floats, served: float
) -> OrderedAnswer:
    """Loss, wait and survival by event and place; ``served`` jobs leave per second."""
    K = server.capacity
    widest = max(len(spelled) for spelled in server.spelled)
    shape = (len(server.spelled), widest)
    loss, waiting, survival, flow = (
        np.full(shape, np.nan),
        np.full(shape, np.nan),
        np.full(shape, np.nan),
        np.zeros(shape),
    )
    rates = arrivals.event_rates()
    for e, spelled in enumerate(server.spelled):
        marks = arrivals.events[e].sum(axis=1)
        seen, work, before = present @ marks, ahead @ marks, 0.0
        for b, letter in enumerate(spelled):
            room = max(K - b, 0)
            flow[e, b] = seen[:room].sum()
            loss[e, b] = min((seen[room:].sum() + failed @ marks) / rates[e], 1.0) if rates[e] > 0.0 else 0.0
            if flow[e, b] > 0.0:
                waiting[e, b] = work[:room].sum() / flow[e, b] + before
            before += server.laws[letter].average
            stay = np.nan_to_num(waiting[e, b]) + server.laws[letter].average
            survival[e, b] = server.up / (server.up + stay) if server.up > 0.0 else 1.0
    if server.up > 0.0:
        total = float(np.nansum(flow * survival))
        survival = np.minimum(survival * (served / total if total > 0.0 else 1.0), 1.0)
    return OrderedAnswer(loss, waiting, survival)
