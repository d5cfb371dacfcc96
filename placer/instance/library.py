"""Where named things come from: files beside the instance first, then what placer ships.

A file ``NAME.yaml`` beside is found by ``NAME`` too, unless placer ships something of that name: then the name means
what is shipped, and the file is named with its ending. A reference never leaves the folder of the file that holds it:
no absolute path, no ``..``, no link that points out.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Literal

from placer.errors import InputError, Problem
from placer.instance.device import DEVICE_FORMAT, DeviceType
from placer.instance.exit_profile import EXITS_FORMAT, ExitProfile
from placer.instance.model import MODEL_FORMAT, Model
from placer.instance.network import LINK_FORMAT, RADIO_FORMAT, LinkType, RadioType
from placer.instance.reading import parse_document, read_document, read_text, validate
from placer.instance.runtime import RUNTIME_FORMAT, Runtime

Kind = Literal["instance", "model", "device type", "radio", "link", "runtime", "exit profile"]
Entry = Model | DeviceType | RadioType | LinkType | Runtime | ExitProfile

_FOLDERS: dict[Kind, str] = {
    "instance": "instances",
    "model": "models",
    "device type": "models/devices",
    "radio": "models/radios",
    "link": "models/links",
    "runtime": "models/runtimes",
    "exit profile": "models/exits",
}
_SCHEMAS: dict[Kind, type[Entry]] = {
    "model": Model,
    "device type": DeviceType,
    "radio": RadioType,
    "link": LinkType,
    "runtime": Runtime,
    "exit profile": ExitProfile,
}
FORMATS: dict[Kind, str] = {
    "model": MODEL_FORMAT,
    "device type": DEVICE_FORMAT,
    "radio": RADIO_FORMAT,
    "link": LINK_FORMAT,
    "runtime": RUNTIME_FORMAT,
    "exit profile": EXITS_FORMAT,
}


@cache
def shipped_root() -> Path:
    """Return the folder that holds the shipped ``models`` and ``instances``.

    In a wheel they lie inside the package; in a checkout beside it.
    """
    package = Path(__file__).resolve().parent.parent
    inside = package / "_shipped"
    return inside if inside.is_dir() else package.parent


def shipped_names(kind: Kind) -> list[str]:
    """Return the names of everything of a kind that placer ships, sorted."""
    folder = shipped_root() / _FOLDERS[kind]
    return sorted(path.stem for path in folder.glob("*.yaml"))


def is_file(path: str | Path) -> bool:
    """Whether a file is there; a name that no file system takes is none."""
    try:
        return Path(path).is_file()
    except (OSError, ValueError):
        return False


def is_instance(argument: str) -> bool:
    """Whether a command-line argument names an instance: a file of that format, or a shipped one."""
    if not is_file(argument):
        return find_shipped(argument, "instance") is not None
    text = read_text(Path(argument), argument)
    if "placer/instance/" not in text:  # plans may be large
        return False
    data = parse_document(text, argument).data
    return isinstance(data, dict) and str(data.get("format")).startswith("placer/instance/")


def find(reference: str, kind: Kind, folder: Path | None) -> Path:
    """Return the file that a reference names.

    Args:
        reference: a path relative to ``folder``, with or without its ending ``.yaml``, or a shipped name.
        kind: what is looked for.
        folder: folder of the file that holds the reference; None allows shipped names only.

    Raises:
        InputError: when it names nothing, or something outside the folder.
    """
    if folder is not None:
        pure = PurePosixPath(reference)
        windows = PureWindowsPath(reference)
        if pure.is_absolute() or windows.drive or windows.root or ".." in pure.parts or "\\" in reference:
            raise InputError(
                f"'{reference}' leaves the folder of the file; a {kind} is a shipped name or a path below that folder"
            )
        try:
            candidate = folder / reference
            if candidate.is_file():
                if not candidate.resolve().is_relative_to(folder.resolve()):
                    raise InputError(f"'{reference}' is a link that leaves the folder of the file")
                return candidate
        except (OSError, ValueError) as error:
            raise InputError(f"'{reference[:60]!s}' cannot be a file name") from error
    shipped = find_shipped(reference, kind)
    if shipped is None and folder is not None and (folder / f"{reference}.yaml").is_file():
        return find(f"{reference}.yaml", kind, folder)
    if shipped is None:
        names = shipped_names(kind)
        near = difflib.get_close_matches(reference, names, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        other = next((one for one in _FOLDERS if one != kind and reference in shipped_names(one)), None)
        hint += f"; '{reference}' is a shipped {other}" if other else ""
        raise InputError(f"unknown {kind} '{reference}'{hint} (shipped: {', '.join(names)})")
    return shipped


def find_shipped(name: str, kind: Kind) -> Path | None:
    """Return the shipped file of that name, or None."""
    if name not in shipped_names(kind):
        return None
    return shipped_root() / _FOLDERS[kind] / f"{name}.yaml"


@cache
def _shipped_entry(path: Path, kind: Kind) -> Entry:
    return validate(_SCHEMAS[kind], read_document(path))


@dataclass
class Library:
    """Resolves the references of one instance, reading each file once.

    Attributes:
        folder: folder of the instance file, or None for an instance that is no file.
        entries: what has been resolved so far, by kind and reference; may be filled beforehand by code.
    """

    folder: Path | None = None
    entries: dict[tuple[Kind, str], Entry] = field(default_factory=dict)

    def _get(self, kind: Kind, reference: str) -> Entry:
        key = (kind, reference)
        if key not in self.entries:
            path = find(reference, kind, self.folder)
            if path == find_shipped(reference, kind):
                self.entries[key] = _shipped_entry(path, kind)
            else:
                self.entries[key] = validate(_SCHEMAS[kind], read_document(path))
        return self.entries[key]

    def model(self, reference: str) -> Model:
        """Return the model that ``reference`` names."""
        entry = self._get("model", reference)
        assert isinstance(entry, Model)
        return entry

    def device_type(self, reference: str) -> DeviceType:
        """Return the device type that ``reference`` names."""
        entry = self._get("device type", reference)
        assert isinstance(entry, DeviceType)
        return entry

    def radio(self, reference: str) -> RadioType:
        """Return the radio technology that ``reference`` names."""
        entry = self._get("radio", reference)
        assert isinstance(entry, RadioType)
        return entry

    def link(self, reference: str) -> LinkType:
        """Return the kind of link that ``reference`` names."""
        entry = self._get("link", reference)
        assert isinstance(entry, LinkType)
        return entry

    def runtime(self, reference: str) -> Runtime:
        """Return the inference runtime that ``reference`` names."""
        entry = self._get("runtime", reference)
        assert isinstance(entry, Runtime)
        return entry


def locate(argument: str, kind: Kind) -> Path:
    """Return the file that a command-line argument names: an existing path wins over a shipped name.

    Raises:
        InputError: when it is neither.
    """
    try:
        path = Path(argument)
        if path.is_file():
            return path
        if path.is_dir() and find_shipped(argument, kind) is None:
            raise InputError([Problem(f"is a folder, not a file ({kind})", file=argument)])
    except (OSError, ValueError) as error:
        raise InputError(f"'{argument[:60]}' cannot be a file name") from error
    if ("/" in argument or argument.endswith((".yaml", ".yml", ".json"))) and not path.exists():
        raise InputError([Problem("no such file", file=argument)])
    return find(argument, kind, None)


def find_data(argument: str, what: str, folder: str, suffix: str) -> Path:
    """Return the file that an argument names: an existing path wins over a shipped name.

    Args:
        argument: a path or a shipped name.
        what: what is looked for, for messages.
        folder: where placer ships such files, below its root.
        suffix: their ending.

    Raises:
        InputError: when it is neither.
    """
    try:
        if Path(argument).is_file():
            return Path(argument)
    except (OSError, ValueError) as error:
        raise InputError(f"'{argument[:60]}' cannot be a file name") from error
    names = shipped_data(folder, suffix)
    if argument not in names:
        near = difflib.get_close_matches(argument, names, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise InputError(f"no such file or shipped {what} '{argument[:60]}'{hint} (shipped: {', '.join(names)})")
    return shipped_root() / folder / f"{argument}{suffix}"


def shipped_data(folder: str, suffix: str) -> list[str]:
    """Return the names of the files that placer ships in a folder, sorted."""
    return sorted(path.stem for path in (shipped_root() / folder).glob(f"*{suffix}"))
