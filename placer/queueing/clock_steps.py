"""The chain of a station led over the gaps between the instants of a clock.

Where only completions happen the transition matrices are those of counting the renewals of the services; otherwise
exponentials: of a matrix by uniformisation and squaring, applied to one state by the series of the uniformised chain
alone, which also gives the time spent in each state (Jensen 1953; Reibman and Trivedi 1989).
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from placer.queueing.clock_chain import ClockChain
from placer.queueing.counting import constant_counts, counts_within
from placer.queueing.map_g1k import Server
from placer.queueing.markov_streams import MarkovArrivals
from placer.queueing.network import Floats
from placer.queueing.phase_type import PhaseType

MOST_KEPT = 10_000_000
"""Numbers of transition matrices that are kept."""

PER_TERM, PER_ENTRY, PER_PRODUCT = 1e-5, 4e-9, 1e-10
"""Seconds, roughly: a term of a series, an entry of its matrix, a multiplication within a product of matrices. They
choose between ways to one result, the same way on every machine."""

PRODUCTS = 16
"""Products of matrices that an exponential takes, roughly."""


class Steps:
    """What happens to a chain over each of several gaps, made when it is asked for."""

    def __init__(self, chain: ClockChain, gaps: Floats, walks: int) -> None:
        """Take a chain, the gaps, s, shape (G,), and how many gaps are going to be walked."""
        self.chain, self.gaps, self.walks = chain, gaps, walks
        self._made: dict[int, Floats] = {}

    def matrix(self, k: int) -> Floats:
        """The transition matrix over gap ``k``, shape (N, N); those of a long trace would not fit into memory."""
        found = self._made.get(k)
        if found is None:
            found = self._make(k)
            if (len(self._made) + 1) * found.size <= MOST_KEPT:
                self._made[k] = found
        return found

    def lead(self, x: Floats, k: int) -> Floats:
        """One state, shape (N,), over gap ``k``."""
        if self.by_series and k not in self._made:
            return self.lead_and_count(x, k)[0]
        return np.asarray(x @ self.matrix(k))

    def lead_and_count(self, x: Floats, k: int) -> tuple[Floats, Floats]:
        """One state over gap ``k``, and the seconds spent in each state meanwhile; shape (N,) each."""
        gap = float(self.gaps[k])
        if gap <= 0.0:
            return x, np.zeros(len(x))
        step, rate = self._uniformised
        mass = constant_counts(rate, gap)
        beyond = np.append(np.cumsum(mass[::-1])[::-1][1:], 0.0)
        after, time, now = np.zeros(len(x)), np.zeros(len(x)), x
        for weight, rest in zip(mass, beyond, strict=True):
            after += weight * now
            time += rest * now
            now = step @ now
        return after, time / rate

    @cached_property
    def by_series(self) -> bool:
        """Whether the series is cheaper for all walks than making the matrices."""
        return self.series_seconds < self.matrix_seconds

    @cached_property
    def series_seconds(self) -> float:
        """Rough seconds of all walks by the series."""
        step, rate = self._uniformised
        y = rate * np.maximum(self.gaps, 0.0)
        per_walk = np.mean(y + 6.0 * np.sqrt(y) + 8.0) * (PER_TERM + PER_ENTRY * step.nnz)
        return self.walks * float(per_walk)

    @property
    def matrix_seconds(self) -> float:
        """Rough seconds to make all matrices."""
        raise NotImplementedError

    @cached_property
    def _uniformised(self) -> tuple[Any, float]:
        """The chain at the instants of a Poisson process, transposed, and the rate of that process, 1/s."""
        import scipy.sparse

        rate = float(-np.diag(self.chain.generator).min())
        step = np.eye(len(self.chain.generator)) + self.chain.generator / rate
        return scipy.sparse.csr_matrix(step.T), rate

    def _make(self, k: int) -> Floats:
        raise NotImplementedError


def steps_over(
    chain: ClockChain, gaps: Floats, walks: int, server: Server, service: PhaseType, background: MarkovArrivals | None
) -> Steps:
    """What the chain of a station does over gaps, s, of which ``walks`` are going to be walked."""
    if background is None and not chain.outages:
        return _Completions(chain, gaps, walks, server, service)
    return _Exponentials(chain, gaps, walks)


class _Completions(Steps):
    """Without background only completions happen: counting matrices of the renewal process of the services."""

    def __init__(self, chain: ClockChain, gaps: Floats, walks: int, server: Server, service: PhaseType) -> None:
        super().__init__(chain, gaps, walks)
        self._server, self._service = server, service

    @property
    def matrix_seconds(self) -> float:
        return PER_ENTRY * len(self.gaps) * float(len(self.chain.generator)) ** 2

    @cached_property
    def _blocks(self) -> Floats:
        """Shape (G, phases, K+1, phases): what the completions of a gap do to the phase of the service."""
        service, gaps = self._service, self.gaps
        renewals = np.outer(service.ends, service.start)[None]
        one = np.ones(1, dtype=np.int64)
        blocks = counts_within(service.moves, renewals, one, gaps, self._server.capacity)
        blocks[:, :, self._server.capacity, :] = 0.0
        return blocks

    def _make(self, k: int) -> Floats:
        inner, K = len(self.chain.generator) - 1, self._server.capacity
        place = np.arange(1, K + 1)[:, None] - np.arange(1, K + 1)[None, :]
        place = np.where(place < 0, K, place)  # nobody arrives: the number does not grow
        found = np.zeros((inner + 1, inner + 1))
        found[0, 0] = 1.0
        found[1:, 1:] = self._blocks[k][:, place, :].transpose(1, 0, 2, 3).reshape(inner, inner)
        found[1:, 0] = np.maximum(1.0 - found[1:, 1:].sum(axis=1), 0.0)
        return found


class _Exponentials(Steps):
    """Exponentials of the generator."""

    @property
    def matrix_seconds(self) -> float:
        return float(len(self.gaps) * PRODUCTS * (PER_TERM + PER_PRODUCT * len(self.chain.generator) ** 3))

    def _make(self, k: int) -> Floats:
        """exp(generator gap) by uniformisation of a short time and squaring."""
        generator = self.chain.generator
        rate = float(-np.diag(generator).min())
        y = rate * max(float(self.gaps[k]), 0.0)
        squarings = max(0, int(np.ceil(np.log2(max(y, 1e-300) / 2.0))))
        y /= 2.0**squarings
        weights = constant_counts(1.0, y)
        step = np.eye(len(generator)) + generator / rate
        result = weights[-1] * np.eye(len(generator))
        for weight in weights[-2::-1]:
            result = result @ step
            result[np.diag_indices_from(result)] += weight
        for _ in range(squarings):
            result = result @ result
        return np.asarray(result / result.sum(axis=1, keepdims=True))
