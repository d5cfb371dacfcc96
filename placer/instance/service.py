"""Services: the streams of requests, what each promises, and where its layers may run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from placer.instance.fields import Count, Facts, Label, LabelPattern, LayerName, Positive, Reference, Truth
from placer.instance.reading import Strict
from placer.instance.units import RATE, Bytes, Duration, Fraction, Rate, Seconds

ANY_LAYER = "*"
_ENDS = re.compile(r"(first|last) ([1-9][0-9]{0,8})")
Target = Annotated[str, Field(pattern=r"^[a-z0-9*-]{1,63}(/[a-z0-9-]{1,63})?$")]
"""A device, or one compute unit of it as ``device/unit``; of devices a pattern such as ``cam-*`` too."""


class MmppState(Strict):
    """One state of a Markov-modulated Poisson process."""

    rate: Rate
    """Arrivals per second in this state."""
    mean: Duration
    """Mean time that the state lasts; the next state is the next of the list."""


class Arrivals(Facts):
    """The arrival process of a service."""

    process: Literal["poisson", "periodic", "mmpp", "trace"] = "poisson"
    """Poisson and periodic arrivals have a rate, mmpp has states, a trace has times."""
    rate: Rate | None = None
    """Mean arrivals per second."""
    phase: Seconds | None = None
    """Of periodic arrivals: when the first one comes. Cameras of one rate keep their phases for ever, and these
    decide what a shared device loses; where none is given any phase is taken to be as likely as any other."""
    states: tuple[MmppState, ...] = Field(default=(), max_length=50)
    """States of the mmpp, visited in turn."""
    times: tuple[Seconds, ...] = Field(default=(), max_length=200_000)
    """Arrival instants of the trace, increasing; replayed in a cycle."""

    @model_validator(mode="after")
    def _is_complete(self) -> Arrivals:
        needs = {"poisson": "rate", "periodic": "rate", "mmpp": "states", "trace": "times"}[self.process]
        for name in ("rate", "states", "times"):
            given = bool(getattr(self, name))
            if given != (name == needs):
                verb = "needs" if name == needs else "takes no"
                raise ValueError(f"process '{self.process}' {verb} '{name}'")
        if self.phase is not None and self.process != "periodic":
            raise ValueError(f"process '{self.process}' takes no 'phase'")
        if self.process == "trace" and (
            len(self.times) < 2 or any(b <= a for a, b in zip(self.times, self.times[1:], strict=False))
        ):
            raise ValueError("'times' must hold two or more increasing instants")
        if self.mean_rate > RATE.largest:
            raise ValueError(f"the mean rate is larger than {RATE.largest:g} per second")
        return self

    @property
    def mean_rate(self) -> float:
        """Mean arrivals per second in the long run."""
        if self.process == "mmpp":
            duration = sum(state.mean for state in self.states)
            return sum(state.rate * state.mean for state in self.states) / duration
        if self.process == "trace":
            return (len(self.times) - 1) / (self.times[-1] - self.times[0])
        assert self.rate is not None
        return self.rate


def _arrivals(value: Any) -> Any:
    return {"rate": value} if isinstance(value, str | int | float) else value


def _names(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Names = Annotated[tuple[Target, ...], BeforeValidator(_names), Field(min_length=1)]


class Source(Strict):
    """Where inputs of a service arise, when there are several such places."""

    device: LabelPattern
    """A device, or a pattern (``cam-*``) for several."""
    arrivals: Annotated[Arrivals, BeforeValidator(_arrivals)] | None = None
    """How requests arise there, at each of them; as the service says when left out."""


def _sources(value: Any) -> Any:
    entries = [value] if isinstance(value, str) else value
    return [{"device": one} if isinstance(one, str) else one for one in entries] if isinstance(entries, list) else value


def _kind_of_time(value: Any) -> str:
    return "times" if isinstance(value, dict) else "time"


DecodeTime = Annotated[
    Annotated[Seconds, Tag("time")] | Annotated[dict[str, Seconds], Tag("times")],
    Discriminator(_kind_of_time),
]


class Privacy(Strict):
    """Tensors of the service up to a layer stay within a zone, relays included."""

    until: LayerName
    """The last layer whose input must not leave the zone; what it hands on may."""
    zone: Annotated[tuple[LabelPattern, ...], BeforeValidator(_names), Field(min_length=1)]
    """A zone of the instance, or the devices."""


class Service(Facts):
    """A stream of requests for one model."""

    name: Label
    """Unique in the instance."""
    model: Reference
    """A shipped model, or a file beside the instance."""
    source: Label = ""
    """The device where inputs arise; a service has it, or ``sources``."""
    sources: Annotated[tuple[Source, ...], BeforeValidator(_sources), Field(max_length=1000)] = ()
    """Several devices where inputs arise, by names or patterns (``cam-*``), with arrivals of their own where they
    differ: as many services, each named ``NAME-DEVICE``. They share loaded weights as :attr:`share` says."""
    sink: Label | None = None
    """The device that wants the result; the source when left out."""
    arrivals: Annotated[Arrivals, BeforeValidator(_arrivals)] | None = None
    """How requests arrive; without it only the latency of one request is planned."""
    input: Bytes | None = None
    """Bytes of the input as it travels (a JPEG, say); that of the model's input tensor when left out."""
    decode: DecodeTime = 0.0
    """Time to make the input tensor of what travels, where a layer runs that reads it; by device type (or
    ``type/unit``) where that differs, and then such layers run on no other type."""
    weight: Positive = 1.0
    """Weight of the service in a sum over services."""
    deadline: Seconds | None = None
    """Largest mean response time."""
    deadline_p95: Seconds | None = None
    """Largest 95th percentile of the response time; judged by simulation only."""
    max_loss: Fraction | None = None
    """Largest fraction of requests lost."""
    min_accuracy: Fraction | None = None
    """Smallest accuracy per completed job."""
    pins: dict[str, Names] = Field(default_factory=dict)
    """Layers that must run on one of the devices listed: a name, a range (``conv1..conv5``), a pattern (``blk.*``,
    ``*`` for all), ``first 3`` or ``last 2``."""
    forbid: dict[str, Names] = Field(default_factory=dict)
    """Layers that must not run on the devices listed, named in the same ways."""
    max_devices: Count | None = None
    """Largest number of devices that run layers of it."""
    max_fragments: Count | None = None
    """Largest number of fragments (runs of layers on one compute unit), for models whose layers are in a row."""
    contiguous: Truth = False
    """Whether each device has one run of layers in the order of the model at most: a pipeline of one stage a device."""
    privacy: Privacy | None = None
    """Which tensors stay in which zone."""
    exits: dict[str, Fraction] = Field(default_factory=dict)
    """Shares of the early exits by gate, when they differ from the model's."""
    choose_exits: bool = False
    """Whether the planner may choose the shares of the exits; every accuracy of the model must then be known."""
    share: Truth = True
    """Whether it shares a runtime with other services of the same model: weights of a layer that several run on one
    compute unit are there once, and so is the runtime on a device. False where the service is a process of its own."""
    runtime: Reference | None = None
    """The inference runtime that serves it, when it differs from what its model and its devices name."""
    alternatives: tuple[Label, ...] | None = None
    """The alternatives of the model to choose from; all when left out."""

    @model_validator(mode="after")
    def _has_a_source(self) -> Service:
        if bool(self.source) == bool(self.sources):
            raise ValueError("a service needs a 'source' or 'sources', one of the two")
        return self

    @property
    def result_device(self) -> str:
        """The device that wants the result."""
        return self.sink or self.source


def layers_named(key: str, names: Sequence[str]) -> list[int]:
    """The layers that a key of ``pins`` or ``forbid`` stands for, as indices; empty where there is none.

    Args:
        key: a layer, ``first..last``, a pattern with ``*``, ``first N`` or ``last N``; a layer of that very name wins.
        names: the layers of an alternative in the order of the model.
    """
    if key in names:
        return [names.index(key)]
    ends = _ENDS.fullmatch(key)
    if ends is not None:
        count = min(int(ends[2]), len(names))
        return list(range(count)) if ends[1] == "first" else list(range(len(names) - count, len(names)))
    if "*" in key:
        return [index for index, name in enumerate(names) if fnmatchcase(name, key)]
    first, _, last = key.partition("..")
    if first in names and last in names:
        return list(range(names.index(first), names.index(last) + 1))
    return []
