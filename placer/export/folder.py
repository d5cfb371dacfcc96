"""Write a plan as a folder of manifests, whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from placer._version import __version__
from placer.errors import InputError, Problem
from placer.export import compose, dot, kubernetes, mermaid
from placer.export.affinity import Affinity
from placer.export.fragment_file import DEFAULT_PORT
from placer.export.names import inside
from placer.export.text import json_text
from placer.files import probe_folder, recover_folder, write_folder
from placer.instance.compiled import Compiled
from placer.instance.deployment import PullPolicy
from placer.instance.library import find_shipped
from placer.instance.reading import unknown
from placer.plan.plan import Plan, dump_plan

MARKER = "placer-export.json"
MARKER_FORMAT = "placer/export/1"


@dataclass(frozen=True)
class Options:
    """What formats may be told.

    Attributes:
        folder: where the files will be, for relative paths.
        image: container image; the instance's when None.
        affinity: ``required`` or ``preferred``.
        port: first port.
        pull_policy: when nodes pull the image; the instance's when None.
    """

    folder: Path
    image: str | None = None
    affinity: Affinity = "required"
    port: int = DEFAULT_PORT
    pull_policy: PullPolicy | None = None


Writer = Callable[[Plan, Compiled, Options], dict[str, str]]


def _kubernetes(plan: Plan, compiled: Compiled, options: Options) -> dict[str, str]:
    return kubernetes.write(
        plan,
        compiled,
        image=options.image,
        affinity=options.affinity,
        port=options.port,
        pull_policy=options.pull_policy,
    )


def _compose(plan: Plan, compiled: Compiled, options: Options) -> dict[str, str]:
    return compose.write(plan, compiled, image=options.image, port=options.port, pull_policy=options.pull_policy)


def _plan(plan: Plan, compiled: Compiled, options: Options) -> dict[str, str]:
    return {"plan.json": dump_plan(_moved(plan, compiled, options.folder))}


FORMATS: Mapping[str, Writer] = {
    "kubernetes": _kubernetes,
    "compose": _compose,
    "mermaid": lambda plan, compiled, _: mermaid.write(plan, compiled),
    "dot": lambda plan, compiled, _: dot.write(plan, compiled),
    "plan": _plan,
}


def check_formats(formats: Sequence[str]) -> None:
    """Refuse what is no name of a format, before any work.

    Raises:
        InputError: an unknown format, or none.
    """
    problems = [Problem(unknown("format", name, list(FORMATS))) for name in formats if name not in FORMATS]
    if problems:
        raise InputError("\n".join(problem.message for problem in problems))
    if not formats:
        raise InputError(f"no format is named (allowed: {', '.join(sorted(FORMATS))})")


def export(
    plan: Plan,
    compiled: Compiled,
    folder: Path,
    formats: Sequence[str],
    *,
    image: str | None = None,
    force: bool = False,
    affinity: Affinity = "required",
    port: int = DEFAULT_PORT,
    pull_policy: PullPolicy | None = None,
) -> list[Path]:
    """Write a plan in some formats into a folder, and return the files written, sorted.

    The files are written beside the folder, which takes its place in one step: a failure or a kill leaves what was.

    Args:
        plan: the plan; whether it is feasible is the caller's business.
        compiled: its instance.
        folder: where to; its parent must exist.
        formats: names out of ``FORMATS``.
        image: container image of the node program; the instance's ``deployment.image`` when None.
        force: replace an earlier export. Nothing else is ever replaced.
        affinity: ``required`` or ``preferred``, for Kubernetes.
        port: first port of the programs.
        pull_policy: when nodes pull the image; the instance's ``deployment.pull_policy`` when None.

    Raises:
        InputError: for an unknown format, a folder that may not be replaced, or what a format refuses.
    """
    check_formats(formats)
    if not 1 <= port <= 65535 - len(compiled.instance.services) * 64:
        raise InputError(f"port {port} leaves no ports for the fragments; allowed: 1 to 1500 below 65536")
    check_folder(folder, force)
    options = Options(folder, image, affinity, port, pull_policy)
    files: dict[str, str] = {}
    for name in dict.fromkeys(formats):
        files |= FORMATS[name](plan, compiled, options)
    files[MARKER] = _marker(plan, list(dict.fromkeys(formats)), files)
    written = sorted(inside(folder, relative) for relative in files)
    write_folder(folder, files, replace=force)
    return written


def _marker(plan: Plan, formats: list[str], files: Mapping[str, str]) -> str:
    return json_text(
        {
            "format": MARKER_FORMAT,
            "version": __version__,
            "instance": plan.instance.hash,
            "plan": f"sha256:{_digest(dump_plan(plan))}",
            "formats": formats,
            "files": {relative: f"sha256:{_digest(files[relative])}" for relative in sorted(files)},
        }
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _moved(plan: Plan, compiled: Compiled, folder: Path) -> Plan:
    """Return the plan with the path of its instance relative to its new folder."""
    source, old = compiled.instance.path, plan.instance.path
    if source is None or old is None or find_shipped(old, "instance") is not None:
        return plan
    try:
        path = Path(os.path.relpath(source.resolve(), folder.resolve())).as_posix()
    except ValueError:
        return plan  # another drive: no relative path leads there
    return plan.model_copy(update={"instance": plan.instance.model_copy(update={"path": path})})


def _refused(folder: Path, message: str, tip: str | None = None) -> InputError:
    return InputError([Problem(message, file=str(folder))], tip=tip)


def probe(folder: Path, force: bool) -> None:
    """Find out before the work whether an export can be written there.

    Raises:
        InputError: as of :func:`export`.
    """
    check_folder(folder, force)
    probe_folder(folder)


def check_folder(folder: Path, force: bool) -> None:
    """Put back what a killed export left, then see whether the folder may be written.

    Raises:
        InputError: unless the folder is new, empty, or with ``force`` nothing but an earlier export.
    """
    try:
        if not folder.resolve().parent.is_dir():
            raise _refused(folder, "cannot be made: the folder above it does not exist")
        if folder.is_symlink():
            raise _refused(folder, "is a symbolic link; name the folder itself")
        recover_folder(folder)
        there = os.path.lexists(folder)
    except (OSError, ValueError) as error:
        raise _refused(folder, f"cannot be written: {error}") from error
    if not there:
        return
    if not folder.is_dir():
        raise _refused(folder, "is a file, not a folder")
    here, target = Path.cwd().resolve(), folder.resolve()
    if here.is_relative_to(target):
        raise _refused(folder, "is, or holds, the folder you are in, and cannot be replaced")
    try:
        if not any(folder.iterdir()):
            return
        if not force:
            raise _refused(folder, "exists already", "name another folder, or replace an earlier export with --force")
        foreign = _foreign_files(folder)
    except OSError as error:
        raise _refused(folder, f"cannot be read: {error.strerror}") from error
    if foreign is None:
        raise _refused(folder, f"is not an earlier export (it has no {MARKER}) and will not be replaced")
    if foreign:
        listed = ", ".join(foreign[:10]) + (", …" if len(foreign) > 10 else "")
        raise _refused(folder, f"holds files that no export wrote: {listed}", "move them first")


def _foreign_files(folder: Path) -> list[str] | None:
    """Return the files that an earlier export did not write; None when the folder is no export."""
    try:
        data = json.loads((folder / MARKER).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError, RecursionError):
        return None
    if not isinstance(data, dict) or not str(data.get("format", "")).startswith("placer/export/"):
        return None
    listed = data.get("files")
    known = {MARKER, *(listed if isinstance(listed, dict) else ())}
    found = [path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]
    return sorted(name for name in (path.relative_to(folder).as_posix() for path in found) if name not in known)
