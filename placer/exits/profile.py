"""A profile in memory: arrays over the exits, and its per-sample table where it has one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from placer.errors import InputError
from placer.exits.samples import Split, Table, read_table
from placer.instance.exit_profile import ExitProfile
from placer.instance.library import find_shipped, locate, shipped_names
from placer.instance.reading import read_document, validate
from placer.queueing.network import Floats

__all__ = ["Profile", "profile_of", "read_profile", "shipped_names"]


@dataclass(frozen=True)
class Profile:
    """What the exits of a network cost on one machine and how right they are. L exits.

    Attributes:
        name: of the profile.
        exits: names, from the shallowest to the deepest.
        mean: shape (L,), s: backbone up to the exit and its classifier.
        scv: shape (L,), squared coefficient of variation of that time; 0 is constant, else gamma.
        accuracy: shape (L,): with a table, that of one split (see :meth:`seen_on`).
        confidence: shape (L,), mean confidence; NaN where unknown.
        classifier: shape (L,), s of ``mean`` that the exit's own classifier takes; NaN where unknown.
        macs, classifier_macs: shape (L,), multiply-accumulates; NaN where unknown.
        table: the splits, or None.
        synthetic: whether the figures are made up.
        assumed: what nobody measured, in words.
        source: where the figures come from.
    """

    name: str
    exits: tuple[str, ...]
    mean: Floats
    scv: Floats
    accuracy: Floats
    confidence: Floats
    classifier: Floats
    macs: Floats
    classifier_macs: Floats
    table: Table | None = None
    synthetic: bool = False
    assumed: tuple[str, ...] = ()
    source: str = ""

    def __len__(self) -> int:
        return len(self.exits)

    @cached_property
    def second_moment(self) -> Floats:
        """E[S²] of each exit, shape (L,), s²."""
        return self.mean**2 * (1.0 + self.scv)

    @property
    def backbone(self) -> Floats:
        """Time of the backbone up to each exit without any classifier, shape (L,), s; NaN where unknown."""
        return self.mean - self.classifier

    def split(self, name: str) -> Split:
        """One split of the table.

        Raises:
            InputError: when the profile has no table.
        """
        if self.table is None:
            raise InputError(
                f"profile '{self.name}' has no per-sample table, which this method needs",
                tip="methods that read confidences need a profile with a table, such as mnist-cnn-8",
            )
        return self.table[name]

    def seen_on(self, name: str) -> Profile:
        """The profile with the accuracies and confidences of a split; the same one when there is no table."""
        if self.table is None:
            return self
        split = self.table[name]
        return replace(self, accuracy=split.accuracy, confidence=split.mean_confidence)

    def at_speed(self, speed: float) -> Profile:
        """The profile on a machine of so many MAC/s: constant times from the MACs instead of the stored ones.

        Raises:
            InputError: when the profile has no MACs.
        """
        if np.isnan(self.macs).any() or np.isnan(self.classifier_macs).any():
            raise InputError(f"profile '{self.name}' has no MACs, so no time follows from a speed")
        told = ("times from MACs and a speed, not measured",)
        return replace(
            self,
            mean=self.macs / speed,
            classifier=self.classifier_macs / speed,
            scv=np.zeros(len(self)),
            assumed=self.assumed + told,
        )


def profile_of(file: ExitProfile, table: Table | None) -> Profile:
    """Make arrays of a profile file; with a table the accuracies are those of its calibration split."""

    def row(field: str) -> Floats:
        values = [getattr(exit_, field) for exit_ in file.exits]
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)

    assumed: dict[str, list[str]] = {}
    for exit_ in file.exits:
        for name in exit_.assumed:
            assumed.setdefault(name, []).append(exit_.name)
    told = [f"{name} of {_some(names, len(file.exits))}" for name, names in assumed.items()]
    profile = Profile(
        name=file.name,
        exits=tuple(exit_.name for exit_ in file.exits),
        mean=row("time"),
        scv=row("scv"),
        accuracy=row("accuracy"),
        confidence=row("confidence"),
        classifier=row("classifier"),
        macs=row("macs"),
        classifier_macs=row("classifier_macs"),
        table=table,
        synthetic=file.synthetic,
        assumed=(*(["every figure: the profile is synthetic"] if file.synthetic else []), *told),
        source=file.source,
    )
    return profile.seen_on("calibration")


def _some(names: list[str], count: int) -> str:
    return "every exit" if len(names) == count else ", ".join(names)


def read_profile(argument: str) -> Profile:
    """Read a profile: an existing path wins over a shipped name.

    Raises:
        InputError: all that is wrong with the file or its table, with lines.
    """
    path: Path = locate(argument, "exit profile")
    shown = path.name if path == find_shipped(argument, "exit profile") else str(path)
    document = read_document(path, shown)
    file = validate(ExitProfile, document)
    if file.table is None:
        return profile_of(file, None)
    place = path.parent / file.table
    if not place.is_file():
        raise InputError([document.problem(f"no such file beside the profile: {file.table}", ("table",))])
    return profile_of(file, read_table(place, len(file.exits), str(Path(shown).parent / file.table)))
