"""Packages that belong to an extra: imported in one way, so that one that is missing or broken is said in one way.

Present and importable are two things: a package may be installed and yet fail when it is imported (built for another
numpy, a shared library that is gone, an unreadable file), with whatever exception its code meets first.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from placer.errors import BrokenExtraError, MissingExtraError


def have(package: str) -> bool:
    """Whether a package is installed; does not import it, so it may still turn out broken."""
    try:
        return find_spec(package) is not None
    except (ImportError, ValueError):  # ValueError: something without a spec stands in sys.modules
        return False


def load(module: str, what: str, extra: str) -> Any:
    """Import a module of an optional package.

    Args:
        module: its full name, ``optuna`` or ``matplotlib.figure``.
        what: what needs it, for the message: ``tuning by TPE``.
        extra: the extra that it belongs to.

    Raises:
        MissingExtraError: the package is not installed.
        BrokenExtraError: it is installed and cannot be imported.
    """
    package = module.partition(".")[0]
    if not have(package):
        raise MissingExtraError(what, extra)
    try:
        return import_module(module)
    except (Exception, SystemExit) as error:  # a package that is broken may raise anything
        raise BrokenExtraError(what, extra, package, error) from error
