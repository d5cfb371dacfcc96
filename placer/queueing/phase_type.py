"""Service times as phases in a Markov chain, for stations that a clock drives.

Exponential laws, Erlang laws (gamma with an integer shape) and mixtures of both are represented exactly. Another
gamma law is replaced by one with the same mean and scv: below scv 1 a mixture of two neighbouring Erlang laws of one
rate (Tijms, *Stochastic Models*, 1994, appendix B), above it two exponential phases, which meet the third moment too.
A constant inside a mixture becomes an Erlang law of many stages.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np

from placer.queueing.counting import TimeLaw
from placer.queueing.network import Floats

STAGES = 24
"""Stages that stand for a constant, and the most for any component."""


@dataclass(frozen=True)
class PhaseType:
    """Time until absorption of a Markov chain with p phases.

    Attributes:
        start: shape (p,), probabilities.
        moves: shape (p, p), sub-generator, 1/s.
        exact: whether the chain has the very law that it stands for.
    """

    start: Floats
    moves: Floats
    exact: bool

    @property
    def ends(self) -> Floats:
        """Rate of absorption by phase, shape (p,)."""
        return np.asarray(-self.moves.sum(axis=1))

    @property
    def remaining(self) -> Floats:
        """Mean time to absorption by phase, s."""
        return np.asarray(np.linalg.solve(-self.moves, np.ones(len(self.start))))


def phase_type(law: TimeLaw, most: int = STAGES) -> PhaseType:
    """The chain of a service law.

    Args:
        law: mixture of gamma laws with positive means.
        most: stages of a component at most.
    """
    starts, blocks, exact = [], [], True
    for weight, mean, scv in zip(law.weight, law.mean, law.scv, strict=True):
        if weight <= 0.0:
            continue
        start, moves, same = _component(float(mean), float(scv), most)
        starts.append(weight * start)
        blocks.append(moves)
        exact &= same
    size = sum(len(start) for start in starts)
    moves = np.zeros((size, size))
    at = 0
    for block in blocks:
        moves[at : at + len(block), at : at + len(block)] = block
        at += len(block)
    begin = np.concatenate(starts)
    return PhaseType(begin / begin.sum(), moves, exact)


def _component(mean: float, scv: float, most: int) -> tuple[Floats, Floats, bool]:
    if mean <= 0.0:
        # served at once, nearly: a rate that no other time resolves
        return np.ones(1), np.array([[-1e12]]), False
    if scv > 1.0 + 1e-9:
        return _two_phases(mean, scv)
    shape = 1.0 / scv if scv > 0.0 else np.inf
    if shape > most + 1e-9:
        return _first(most), _stages(most, most / mean), False
    whole = round(shape)
    if abs(shape - whole) < 1e-9 * shape:
        return _first(whole), _stages(whole, whole / mean), True
    k = ceil(shape)
    shorter = (k * scv - sqrt(k * (1.0 + scv) - k * k * scv)) / (1.0 + scv)
    rate = (k - shorter) / mean
    start = np.zeros(k)
    start[0], start[1] = 1.0 - shorter, shorter  # k stages or k - 1
    return start, _stages(k, rate), False


def _first(stages: int) -> Floats:
    start = np.zeros(stages)
    start[0] = 1.0
    return start


def _stages(stages: int, rate: float) -> Floats:
    return np.asarray(rate * (np.eye(stages, k=1) - np.eye(stages)))


def _two_phases(mean: float, scv: float) -> tuple[Floats, Floats, bool]:
    """Two exponential phases with the first three moments of a gamma law."""
    first, second = mean, 0.5 * mean**2 * (1.0 + scv)
    third = mean**3 * (1.0 + scv) * (1.0 + 2.0 * scv) / 6.0
    total = (third - first * second) / (second - first**2)
    product = total * first - second
    root = sqrt(max(total**2 - 4.0 * product, 0.0))
    long, short = 0.5 * (total + root), 0.5 * (total - root)
    portion = (first - short) / (long - short)
    return np.array([portion, 1.0 - portion]), np.diag([-1.0 / long, -1.0 / short]), False
