"""Users of one server, from a file, and what each needs with each share of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from placer.errors import InputError
from placer.instance.device import Cores, DeviceType
from placer.instance.fields import Count, Facts, Label, Positive, Reference, Text
from placer.instance.library import find, find_data, find_shipped, is_file
from placer.instance.reading import read_document, validate
from placer.instance.units import Bytes, DataRate, Seconds
from placer.splitting.costs import Plane
from placer.splitting.envelope import Region
from placer.splitting.pricing import latency_costs
from placer.splitting.sharing import speeds
from placer.splitting.table import table_cuts
from placer.splitting.two_machines import Case, Machines, build_case, read_model

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_USERS = 10_000
"""Users of one server, those that are alike counted one by one."""

_MOST_PROBLEMS = 50
LARGEST_TABLE = 10_000_000
"""Kinds of users times shares: their latencies are held at once."""


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
    count: Annotated[Count, Field(le=MOST_USERS)] = 1
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
    cores: Cores | None = None
    """Cores of the server, when they differ from its type's."""
    speedup: dict[Cores, Positive] = Field(default_factory=dict)
    """Measured speed of the server on n cores over that on one; its type's when left out."""


@dataclass(frozen=True, eq=False)
class Crowd:
    """Users and their needs.

    Attributes:
        names: N names.
        kinds: shape (N,), kind of each user: its entry of the file.
        table: shape (U, β + 1), T_u(f) in s of each kind with the best cut for each share.
        planes: per kind its cuts worth having, as (plane, layers on the device).
        load: shape (β + 1,), factor on the server's times with f units; inf for none.
        x: shape (U,), inverse uplink rates in s/byte.
        cores: cores of the server.
        assumed: what is assumed.
    """

    names: tuple[str, ...]
    kinds: Ints
    table: Floats
    planes: tuple[tuple[tuple[Plane, int], ...], ...]
    load: Floats
    x: Floats
    cores: int
    assumed: tuple[str, ...]

    def layers_on_device(self, user: int, units: int) -> int:
        """Layers that a user runs itself, with the best cut for its share."""
        kind = int(self.kinds[user])
        x, load = float(self.x[kind]), float(self.load[units])
        usable = [entry for entry in self.planes[kind] if math.isfinite(load) or entry[0].ck == 0]
        return min(usable, key=lambda entry: entry[0].at(x, load))[1]


def read_users(argument: str) -> UsersFile:
    """Read a users file from a path or by its shipped name.

    Raises:
        InputError: every problem of the file.
    """
    path = find_data(argument, "users file", "instances/users", ".yaml")
    document = read_document(path, argument)
    file = validate(UsersFile, document)
    problems = []
    names = [user.name for user in file.users]
    for position, name in enumerate(names):
        if name in names[:position]:
            problems.append(document.problem(f"two users are called '{name}'", ("users", position, "name")))
    total = sum(user.count for user in file.users)
    if total > MOST_USERS:
        problems.append(document.problem(f"{total} users in all; at most {MOST_USERS} are allowed", ("users",)))
    users = []
    for position, user in enumerate(file.users):
        references: dict[str, str] = {}
        for key, find_one in (("model", _find_model), ("device", _find_device)):
            try:
                references[key] = find_one(getattr(user, key), path.parent)
            except InputError as error:
                problems += [document.problem(one.message, ("users", position, key)) for one in error.problems]
        users.append(user.model_copy(update=references))
    if problems:
        raise InputError(problems[:_MOST_PROBLEMS])
    return file.model_copy(update={"users": tuple(users)})


def _find_model(reference: str, folder: Path) -> str:
    """A reference as the command line would give it: never out of the folder of the file that holds it."""
    return reference if find_shipped(reference, "model") == (path := find(reference, "model", folder)) else str(path)


def _find_device(reference: str, folder: Path) -> str:
    """The same for a device type, which ``/unit`` may follow."""
    name, slash, unit = reference.rpartition("/")
    if slash and not is_file(folder / reference):
        return f"{_find_device(name, folder)}/{unit}"
    path = find(reference, "device type", folder)
    return reference if find_shipped(reference, "device type") == path else str(path)


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
    if len(cases) * units > LARGEST_TABLE:
        raise InputError(
            f"{len(cases)} kinds of users and {units} shares of the server are too many to look at: at most "
            f"{LARGEST_TABLE} combinations",
            tip="ten shares are dealt for each core and each user: state fewer cores or users",
        )
    speed = speeds(speedup, cores, units)
    with np.errstate(divide="ignore"):
        # the model's times hold for the cores that the type's speeds were measured with
        load = speeds(speedup, max(cores, kind.units[unit].cores), 1)[-1] / speed
    planes = tuple(_options(case, float(load[1])) for case in cases)
    rates = [case.x for case in cases]
    rows = [_row(options, x, load) for options, x in zip(planes, rates, strict=True)]
    names = [
        user.name if user.count == 1 else f"{user.name}-{number + 1}"
        for user in file.users
        for number in range(user.count)
    ]
    kinds = np.repeat(np.arange(len(cases)), [user.count for user in file.users])
    assumed += [f"{user.name}: {name}" for user in file.users for name in user.assumed]
    assumed += [f"users file: {name}" for name in file.assumed]
    return Crowd(
        tuple(names), kinds, np.array(rows), planes, load, np.array(rates), cores, tuple(dict.fromkeys(assumed))
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
