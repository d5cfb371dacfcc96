"""What a device executes: four kinds of policy, their JSON, and reading it back.

Each kind is plain numbers, so that a device needs no solver: :mod:`placer.exits.interpreter` is the whole
program of such a device in plain Python.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from placer._version import __version__
from placer.instance.reading import Strict, read_document, validate

POLICY_FORMAT = "placer/exit-policy/1"

Chance = Annotated[float, Field(ge=0.0, le=1.0)]
Row = tuple[Chance, ...]


class TablePolicy(Strict):
    """An exit is drawn when a service starts, from the row of the number of jobs present."""

    kind: Literal["table"] = "table"
    """Decides by the length of the queue."""
    probabilities: Annotated[tuple[Row, ...], Field(min_length=1, max_length=10_000)]
    """Row n-1: probability of each exit with n jobs present, this one included; more jobs use the last row."""

    @property
    def exits(self) -> int:
        """Number of exits."""
        return len(self.probabilities[0])


class RateTablePolicy(Strict):
    """A table per arrival rate; the rate is estimated from the gaps between arrivals."""

    kind: Literal["rate-table"] = "rate-table"
    """Decides by the length of the queue and by a moving average of the arrivals."""
    rates: Annotated[tuple[Annotated[float, Field(gt=0.0)], ...], Field(min_length=1, max_length=1000)]
    """Increasing rates in 1/s; the smallest one that is not below the estimate is used, else the last."""
    memory: Annotated[float, Field(gt=0.0, le=1.0)]
    """Weight of a new gap in the moving average of the gaps: gap += memory (new - gap)."""
    start: Annotated[float, Field(gt=0.0)]
    """Gap in s to start from."""
    tables: Annotated[tuple[Annotated[tuple[Row, ...], Field(min_length=1)], ...], Field(min_length=1, max_length=1000)]
    """Per rate: rows as in a table policy."""

    @property
    def exits(self) -> int:
        """Number of exits."""
        return len(self.tables[0][0])


class ThresholdPolicy(Strict):
    """A job leaves at the first enabled exit that is confident enough."""

    kind: Literal["thresholds"] = "thresholds"
    """Decides by the confidence in the sample."""
    thresholds: Annotated[tuple[Annotated[float, Field(ge=0.0, le=2.0)], ...], Field(min_length=2, max_length=200)]
    """Per exit: leave if the confidence is at least this; above 1 the classifier is not run; the last one is 0."""

    @property
    def exits(self) -> int:
        """Number of exits."""
        return len(self.thresholds)


class BanditPolicy(Strict):
    """AdaEE: the threshold of one exit is learned while jobs run; who does not leave there goes to the end."""

    kind: Literal["bandit"] = "bandit"
    """Learns from the confidences that it sees."""
    edge: Annotated[int, Field(ge=0, le=199)]
    """Index of the exit with the learned threshold; the last exit is the only other one."""
    exits: Annotated[int, Field(ge=2, le=200)]
    """Number of exits of the profile."""
    arms: Annotated[tuple[Chance, ...], Field(min_length=1, max_length=1000)]
    """Thresholds to choose from, increasing."""
    overhead: Annotated[float, Field(ge=0.0, le=1.0)]
    """Cost of going on, in units of confidence."""
    exploration: Annotated[float, Field(ge=0.0, le=10.0)]
    """c of ``mean + c sqrt(ln t / N)``."""
    side: bool
    """Whether a job teaches the arms below the one played too, whose rewards it always reveals."""
    window: Annotated[int, Field(ge=0, le=10**6)]
    """Jobs that are remembered; 0 remembers all."""


AnyPolicy = TablePolicy | RateTablePolicy | ThresholdPolicy | BanditPolicy


class PolicyFile(Strict):
    """A policy as a file: what a device needs to execute it, and what it was made for."""

    format: Literal["placer/exit-policy/1"] = "placer/exit-policy/1"
    """Version of this format."""
    profile: Annotated[str, Field(max_length=200)]
    """Name of the profile."""
    method: Annotated[str, Field(max_length=60)]
    """Scheduler that made it."""
    exits: Annotated[tuple[Annotated[str, Field(max_length=200)], ...], Field(min_length=2, max_length=200)]
    """Names of the exits, from the shallowest to the deepest; the policy counts them from 0."""
    arrivals: Annotated[float, Field(gt=0.0)]
    """Arrivals that it was made for, 1/s."""
    buffer: Annotated[int, Field(ge=1)]
    """Places of the device that it was made for, the job in service included."""
    max_loss: Chance
    """Loss limit that it was made for."""
    policy: Annotated[AnyPolicy, Field(discriminator="kind")]
    """What to do."""
    version: str = __version__
    """Version of placer that wrote it."""

    @model_validator(mode="after")
    def _exits_agree(self) -> PolicyFile:
        tables: tuple[tuple[Row, ...], ...] = ()
        if isinstance(self.policy, TablePolicy):
            tables = (self.policy.probabilities,)
        elif isinstance(self.policy, RateTablePolicy):
            tables = self.policy.tables
        rows = [row for table in tables for row in table]
        if self.policy.exits != len(self.exits) or any(len(row) != len(self.exits) for row in rows):
            raise ValueError(f"the policy is not for {len(self.exits)} exits")
        if any(abs(sum(row) - 1.0) > 1e-9 for row in rows):
            raise ValueError("the probabilities of a row do not sum to 1")
        if isinstance(self.policy, ThresholdPolicy) and self.policy.thresholds[-1] != 0.0:
            raise ValueError("the last threshold must be 0: every job leaves there")
        if isinstance(self.policy, BanditPolicy) and self.policy.edge >= self.policy.exits - 1:
            raise ValueError("the edge exit must lie before the last one")
        if isinstance(self.policy, RateTablePolicy) and len(self.policy.rates) != len(self.policy.tables):
            raise ValueError("there are not as many tables as rates")
        return self

    def to_json(self) -> str:
        """The file's text; floats are written in full, so that reading gives the same policy."""
        return json.dumps(self.model_dump(mode="json"), indent=1) + "\n"


def read_policy(path: Path) -> PolicyFile:
    """Read a policy file.

    Raises:
        InputError: all that is wrong with it, with lines.
    """
    return validate(PolicyFile, read_document(path))
