"""The file of an early-exit profile: what each exit of a network costs on one machine, and how right it is there."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from placer.instance.fields import Facts, Label, LayerName, Scv, Text, Truth
from placer.instance.reading import Strict
from placer.instance.units import Duration, Fraction, Macs, Seconds

EXITS_FORMAT = "placer/exits/1"

TableName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\.(npz|csv)$")]


class ExitFigures(Facts):
    """One exit: the cost of answering there, and the quality of its answers over all jobs."""

    name: LayerName
    """Unique in the profile."""
    time: Duration
    """Mean time of a job that runs the backbone up to here and this classifier, no other one."""
    classifier: Seconds | None = None
    """Part of ``time`` that the classifier takes; without it several exits cannot be combined on one job."""
    scv: Scv = 0.0
    """Squared coefficient of variation of ``time``; 0 is constant."""
    macs: Macs | None = None
    """Multiply-accumulates behind ``time``."""
    classifier_macs: Macs | None = None
    """Those of the classifier."""
    accuracy: Fraction | None = None
    """Fraction of all jobs that this exit answers rightly; left out when there is a table."""
    confidence: Fraction | None = None
    """Mean confidence over all jobs; left out when there is a table."""


class Published(Strict):
    """What a publication says of the network as a whole."""

    accuracy: Fraction | None = None
    """Of the network with its exits, at the published shares."""
    mean_time: Duration | None = None
    """Mean time of a job at the published shares."""
    plain_time: Duration | None = None
    """Time of the network without exits."""
    shares: Annotated[tuple[Fraction, ...], Field(max_length=200)] = ()
    """Fraction of all jobs that leave at each exit."""


class ExitProfile(Strict):
    """An early-exit profile as a file holds it."""

    format: Literal["placer/exits/1"]
    """Version of this format."""
    name: Label
    """Name of the profile."""
    title: Text | None = None
    """Name for people."""
    source: Text
    """Where the figures come from."""
    synthetic: Truth = False
    """Whether the figures are made up to resemble a network; no measurement stands behind any of them."""
    published: Published = Published()
    """What the source says of the whole network."""
    table: TableName | None = None
    """File beside this one with the confidence and correctness of every exit on single samples."""
    exits: Annotated[tuple[ExitFigures, ...], Field(min_length=2, max_length=200)]
    """Exits from the shallowest to the deepest; the last one is the network's own output."""

    @model_validator(mode="after")
    def _profile_is_sound(self) -> ExitProfile:
        names = [exit_.name for exit_ in self.exits]
        if len(set(names)) < len(names):
            raise ValueError("two exits have the same name")
        for before, after in zip(self.exits, self.exits[1:], strict=False):
            deeper = after.time - (after.classifier or 0.0)
            if deeper < before.time - (before.classifier or before.time):
                raise ValueError(f"the backbone up to '{after.name}' takes less time than that up to '{before.name}'")
        for exit_ in self.exits:
            if (exit_.classifier or 0.0) > exit_.time:
                raise ValueError(f"the classifier of '{exit_.name}' takes longer than the whole exit")
            if self.table is None and exit_.accuracy is None:
                raise ValueError(f"exit '{exit_.name}' needs an accuracy, or the profile a table")
            if self.table is not None and (exit_.accuracy is not None or exit_.confidence is not None):
                raise ValueError(f"exit '{exit_.name}': accuracy and confidence come from the table; leave them out")
        shares = self.published.shares
        if shares and len(shares) != len(self.exits):
            raise ValueError(f"published.shares has {len(shares)} entries for {len(self.exits)} exits")
        return self
