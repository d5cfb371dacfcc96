"""Confidence thresholds at several exits, and what they do on the samples of a table.

A sample leaves at the first enabled exit whose confidence reaches its threshold; a threshold above 1 switches
the exit off, and the last one takes everybody. Its cost is the backbone up to there and every enabled
classifier on the way. A table of samples then gives accuracy, shares, E[S] and E[S²], hence the loss
(Casale and Roveri 2023, section on multi-exit scheduling).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from placer.errors import InputError
from placer.exits.profile import Profile
from placer.exits.samples import Split
from placer.exits.station import Measures, Station, evaluate_mixture
from placer.queueing.network import Floats, Ints

OFF = 1.5
"""A threshold that no confidence reaches: the exit is switched off."""


@dataclass(frozen=True)
class Costs:
    """What samples cost. L exits.

    Attributes:
        backbone: shape (L,), s, without classifiers.
        classifier: shape (L,), s.
        scv: shape (L,), of the time of a job that leaves at the exit.
    """

    backbone: Floats
    classifier: Floats
    scv: Floats

    @classmethod
    def of(cls, profile: Profile) -> Costs:
        """The costs of a profile.

        Raises:
            InputError: when the classifiers' share of the times is unknown.
        """
        if np.isnan(profile.classifier).any():
            raise InputError(f"profile '{profile.name}' does not say what its classifiers cost; add `classifier`")
        return cls(profile.backbone, profile.classifier, profile.scv)


@dataclass(frozen=True)
class Behaviour:
    """What thresholds do on some samples.

    Attributes:
        accuracy: share of right answers.
        shares: samples by exit, (L,).
        right: right answers among those that leave at each exit, (L,); 0 where nobody does.
        mean: time of a job that leaves at each exit, (L,), s.
    """

    accuracy: float
    shares: Floats
    right: Floats
    mean: Floats


def exits_taken(thresholds: Floats, samples: Split) -> Ints:
    """Exit at which each sample leaves, shape (N,)."""
    leaves = (samples.confidence >= thresholds) & (thresholds <= 1.0)
    leaves[:, -1] = True
    return np.asarray(np.argmax(leaves, axis=1))


def behaviour(thresholds: Floats, samples: Split, costs: Costs) -> Behaviour:
    """Evaluate thresholds, shape (L,), on samples."""
    L = len(thresholds)
    taken = exits_taken(thresholds, samples)
    right = samples.correct[np.arange(len(samples)), taken]
    count = np.bincount(taken, minlength=L)
    hits = np.bincount(taken, right, minlength=L)
    return Behaviour(
        float(right.mean()),
        count / len(samples),
        np.divide(hits, count, out=np.zeros(L), where=count > 0),
        times(thresholds, costs),
    )


def times(thresholds: Floats, costs: Costs) -> Floats:
    """Time of a job that leaves at each exit, shape (L,), s."""
    enabled = np.where(thresholds <= 1.0, costs.classifier, 0.0)
    return np.asarray(costs.backbone + np.cumsum(enabled) - enabled + costs.classifier)


def measures(thresholds: Floats, samples: Split, costs: Costs, station: Station) -> Measures:
    """Exact measures of thresholds at a station whose jobs are like the samples."""
    done = behaviour(thresholds, samples, costs)
    return evaluate_mixture(done.shares, done.mean, costs.scv, done.right, station)
