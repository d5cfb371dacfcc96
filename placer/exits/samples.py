"""What every exit said of single samples: confidence and correctness, in splits that are kept apart.

``train`` is what the network learned from (its confidences there are flattering), ``calibration`` is what
schedulers are tuned on, ``test`` is what is reported. Two file formats, neither of which can hold code:

- ``.npz`` with ``confidence_SPLIT`` and ``correct_SPLIT``, both (N, L). Confidence is a float in [0, 1], or
  an unsigned 8- or 16-bit number read as a fraction of its largest value; correct is a truth value.
- ``.csv`` with the header ``split,confidence_1,…,confidence_L,correct_1,…,correct_L``, one line a sample.
"""

from __future__ import annotations

import csv
import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from placer.errors import InputError, Problem
from placer.instance.reading import brief, read_text
from placer.queueing.network import Floats

SPLITS = ("train", "calibration", "test")
ARRAYS = tuple(f"{kind}_{split}" for kind in ("confidence", "correct") for split in SPLITS)
LARGEST_TABLE = 256 * 2**20
"""Bytes of an array in memory, where each value takes eight."""


@dataclass(frozen=True)
class Split:
    """Some samples. N samples, L exits.

    Attributes:
        confidence: shape (N, L), in [0, 1].
        correct: shape (N, L).
    """

    confidence: Floats
    correct: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.correct)

    @property
    def accuracy(self) -> Floats:
        """Share of the samples that each exit answers rightly, shape (L,)."""
        return np.asarray(self.correct.mean(axis=0))

    @property
    def mean_confidence(self) -> Floats:
        """Mean confidence of each exit, shape (L,)."""
        return np.asarray(self.confidence.mean(axis=0))

    def rows(self, index: Any) -> Split:
        """The samples of an index array or a mask."""
        return Split(self.confidence[index], self.correct[index])


Table = Mapping[str, Split]
"""The splits by name: ``calibration`` and ``test``, perhaps ``train``."""


def read_table(path: Path, exits: int, shown: str) -> dict[str, Split]:
    """Read the table of a profile with that many exits.

    Raises:
        InputError: for a file that is no such table; never runs anything that the file holds.
    """
    arrays = _read_csv(path, exits, shown) if path.suffix == ".csv" else _read_npz(path, shown)
    problems: list[Problem] = []
    table: dict[str, Split] = {}
    for split in SPLITS:
        confidence, correct = arrays.get(f"confidence_{split}"), arrays.get(f"correct_{split}")
        if confidence is None or correct is None:
            if split != "train" or (confidence is None) != (correct is None):
                problems.append(Problem(f"needs confidence_{split} and correct_{split}", file=shown))
            continue
        fault = _fault(confidence, correct, exits)
        if fault is None:
            table[split] = Split(_as_fraction(confidence), correct.astype(bool))
        else:
            problems.append(Problem(f"split {split}: {fault}", file=shown))
    if problems:
        raise InputError(problems)
    return table


def _fault(confidence: NDArray[Any], correct: NDArray[Any], exits: int) -> str | None:
    if confidence.ndim != 2 or confidence.shape != correct.shape or confidence.shape[1] != exits:
        return f"shapes {confidence.shape} and {correct.shape} should both be (samples, {exits})"
    if len(confidence) == 0:
        return "has no samples"
    if correct.dtype.kind not in "bui" or not np.isin(correct, (0, 1)).all():
        return "correct holds something else than 0 and 1"
    if confidence.dtype.kind == "f":
        values = confidence.astype(np.float64)
        return None if bool(((values >= 0) & (values <= 1)).all()) else "confidence leaves [0, 1]"
    return None if confidence.dtype in (np.uint8, np.uint16) else f"confidence has the type {confidence.dtype}"


def _as_fraction(confidence: NDArray[Any]) -> Floats:
    values = confidence.astype(np.float64)
    return values if confidence.dtype.kind == "f" else values / float(np.iinfo(confidence.dtype).max)


def _read_npz(path: Path, shown: str) -> dict[str, NDArray[Any]]:
    """The arrays of an archive, each looked at by its header before its values are unpacked."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = {entry.filename: entry for entry in archive.infolist()}
            if len(entries) < len(archive.infolist()):
                raise ValueError("it holds an array twice")
            unknown = sorted(set(entries) - {f"{name}.npy" for name in ARRAYS})
            if unknown:
                raise ValueError(f"unknown array {brief(unknown[0].removesuffix('.npy'))}")
            return {name.removesuffix(".npy"): _read_array(archive, entry) for name, entry in entries.items()}
    except Exception as error:  # zipfile, its decompressors and numpy's header raise a dozen kinds at damaged bytes
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError([Problem(f"cannot be read as .npz without pickle: {reason}", file=shown)]) from error


def _read_array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> NDArray[Any]:
    """One array of plain numbers whose header, size in the archive and limits agree."""
    with archive.open(entry) as stream:
        version = np.lib.format.read_magic(stream)
        headers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        if version not in headers:
            raise ValueError(f"{entry.filename} has the version {version} of the format")
        shape, fortran, dtype = headers[version](stream)
        if dtype.kind not in "buif" or dtype.itemsize > 8:
            raise ValueError(f"{entry.filename} holds values of the type {dtype}, not numbers")
        if len(shape) > 2 or any(not 0 <= size <= LARGEST_TABLE for size in shape):
            raise ValueError(f"{entry.filename} has the shape {shape}")
        count = math.prod(shape)
        if 8 * count > LARGEST_TABLE:
            raise ValueError(f"{entry.filename} unpacks to more than {LARGEST_TABLE // 2**20} MiB")
        content = stream.read(count * dtype.itemsize + 1)
    if len(content) != count * dtype.itemsize:
        raise ValueError(f"{entry.filename} holds {len(content)} bytes or more for {count} values")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C")


def _read_csv(path: Path, exits: int, shown: str) -> dict[str, NDArray[Any]]:
    header = ["split", *(f"{kind}_{position + 1}" for kind in ("confidence", "correct") for position in range(exits))]
    rows: dict[str, list[list[float]]] = {}
    problems: list[Problem] = []
    lines = csv.reader(read_text(path, shown).splitlines())
    try:
        everything = list(lines)
    except csv.Error as error:
        raise InputError([Problem(f"is not CSV: {error}", file=shown, line=lines.line_num)]) from error
    if everything[:1] != [header]:
        raise InputError([Problem(f"the header must be {','.join(header)}", file=shown, line=1)])
    for number, line in enumerate(everything[1:], 2):
        try:
            if len(line) != len(header) or line[0] not in SPLITS:
                raise ValueError(f"expected {len(header)} values, the first one of {', '.join(SPLITS)}")
            rows.setdefault(line[0], []).append([float(value) for value in line[1:]])
        except ValueError as error:
            problems.append(Problem(str(error), file=shown, line=number))
            if len(problems) == 20:
                break
    if problems:
        raise InputError(problems)
    arrays: dict[str, NDArray[Any]] = {}
    for split, values in rows.items():
        array = np.array(values)
        arrays[f"confidence_{split}"] = array[:, :exits]
        right = array[:, exits:]
        arrays[f"correct_{split}"] = right.astype(np.uint8) if np.isin(right, (0, 1)).all() else np.full(right.shape, 2)
    return arrays
