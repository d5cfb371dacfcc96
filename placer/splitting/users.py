"""Users of one server, from a file, and what each needs with each share of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from placer.errors import InputError
from placer.instance.device import Cores, DeviceType
from placer.instance.fields import Count, Facts, Label, Positive, Reference, Text
from placer.instance.library import find_data
from placer.instance.reading import read_document, validate
from placer.instance.units import Bytes, DataRate, Seconds
from placer.splitting.costs import Plane
from placer.splitting.envelope import Region
from placer.splitting.pricing import latency_costs
from placer.splitting.sharing import speeds
from placer.splitting.table import table_cuts
from placer.splitting.two_machines import Case, Machines, build_case, read_model

Floats = NDArray[np.float64]


class User(Facts):
    """One user, or several alike."""

    name: Label
    """Unique in the file."""
    model: Reference
    """A shipped model or a file."""
    device: Reference
    """A shipped device type or a file."""
    uplink: DataRate
    """Goodput of the uplink to the server."""
    latency: Seconds = 0.0
    """Seconds per tensor beside its transmission."""
    input: Bytes | None = None
    """Bytes of the input as it is sent; the model's input tensor when left out."""
    count: Annotated[Count, Field(le=10_000)] = 1
    """How many users like this."""


class UsersFile(Facts):
    """The users of one server."""

    format: Literal["placer/users/1"]
    """Version of this format."""
    title: Text | None = None
    """Name for people."""
    source: Text
    """Where the figures come from."""
    users: Annotated[tuple[User, ...], Field(min_length=1, max_length=1000)]
    """The users."""
    cores: Count | None = None
    """Cores of the server, when they differ from its type's."""
    speedup: dict[Cores, Positive] = Field(default_factory=dict)
    """Measured speed of the server on n cores over that on one; its type's when left out."""


@dataclass(frozen=True, eq=False)
class Crowd:
    """Users and their needs.

    Attributes:
        names: N names.
        table: shape (N, β + 1), T_i(f) in s with the best cut for each share.
        planes: per user its cuts worth having, as (plane, layers on the device).
        load: shape (β + 1,), factor on the server's times with f units; inf for none.
        x: shape (N,), inverse uplink rates in s/byte.
        cores: cores of the server.
        assumed: what is assumed.
    """

    names: tuple[str, ...]
    table: Floats
    planes: tuple[tuple[tuple[Plane, int], ...], ...]
    load: Floats
    x: Floats
    cores: int
    assumed: tuple[str, ...]

    def layers_on_device(self, user: int, units: int) -> int:
        """Layers that a user runs itself, with the best cut for its share."""
        x, load = float(self.x[user]), float(self.load[units])
        usable = [entry for entry in self.planes[user] if math.isfinite(load) or entry[0].ck == 0]
        return min(usable, key=lambda entry: entry[0].at(x, load))[1]


def read_users(argument: str) -> UsersFile:
    """Read a users file from a path or by its shipped name.

    Raises:
        InputError: every problem of the file.
    """
    path = find_data(argument, "users file", "instances/users", ".yaml")
    file = validate(UsersFile, read_document(path, argument))
    names = [user.name for user in file.users]
    if len(set(names)) < len(names):
        raise InputError(f"{argument}: two users have the same name")
    return file


def crowd(file: UsersFile, server: str, units: int | None = None) -> Crowd:
    """Return the users of a server with their latency by share.

    Args:
        file: the users.
        server: the server's type, ``/unit`` for one of several compute units.
        units: parts that the cores are dealt in; None for at least ten a core and ten a user.

    Raises:
        InputError: for unknown models or types.
        InfeasibleError: when a user can run nowhere.
    """
    total = sum(user.count for user in file.users)
    cases = [
        build_case(read_model(u.model), Machines(u.device, server, u.uplink, None, u.latency), u.input)
        for u in file.users
    ]
    kind, unit = _server(cases[0])
    cores = file.cores or kind.units[unit].cores
    speedup = dict(file.speedup or kind.units[unit].speedup)
    assumed = [f"speed-up of {kind.name}: proportional to its cores, not measured"] if not speedup else []
    if not speedup:
        speedup = {cores: float(cores)}
    elif max(speedup) < cores:
        assumed.append(f"speed-up of {kind.name} beyond {max(speedup)} cores: none")
    units = units or max(10 * cores, 10 * total)
    speed = speeds(speedup, cores, units)
    with np.errstate(divide="ignore"):
        # the model's times hold for the cores that the type's speeds were measured with
        load = speeds(speedup, max(cores, kind.units[unit].cores), 1)[-1] / speed
    rows, planes, names, rates = [], list[tuple[tuple[Plane, int], ...]](), [], []
    for user, case in zip(file.users, cases, strict=True):
        options = _options(case, float(load[1]))
        row = _row(options, case.x, load)
        for number in range(user.count):
            names.append(user.name if user.count == 1 else f"{user.name}-{number + 1}")
            rows.append(row)
            planes.append(options)
            rates.append(case.x)
    assumed += [f"{user.name}: {name}" for user in file.users for name in user.assumed]
    assumed += [f"users file: {name}" for name in file.assumed]
    return Crowd(
        tuple(names), np.array(rows), tuple(planes), load, np.array(rates), cores, tuple(dict.fromkeys(assumed))
    )


def _server(case: Case) -> tuple[DeviceType, int]:
    station = case.compiled.stations[case.server]
    kind = case.compiled.instance.device_type(case.compiled.instance.devices[station.device])
    return kind, [unit.name for unit in kind.units].index(station.unit)


def _options(case: Case, slowest: float) -> tuple[tuple[Plane, int], ...]:
    """Cuts that are best with some share (and the whole network on the device), as (plane, layers on the device)."""
    found: dict[Plane, int] = {}
    for variant in case.compiled.variants:
        costs = latency_costs(variant, case.device, case.server, case.link)
        for cut in table_cuts(costs, False, Region(case.x, case.x, 1.0, max(slowest, 1.0))):
            found.setdefault(cut.plane, cut.on_server.count(False))
        home = float(costs.on_device().sum())
        if math.isfinite(home):
            found.setdefault(Plane(home, 0.0, 0.0), len(costs))
    return tuple(found.items())


def _row(options: Sequence[tuple[Plane, int]], x: float, load: Floats) -> Floats:
    row = np.full(len(load), np.inf)
    for plane, _ in options:
        fixed = plane.c + plane.cx * x
        served = np.full(len(load), fixed) if plane.ck == 0 else fixed + plane.ck * load
        row = np.minimum(row, served)
    return row
