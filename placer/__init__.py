"""Plan where the layers of neural networks run on edge devices.

The one flow: files → Instance → plan → Plan → evaluate → Evaluation → report, plan.json, manifests.

    import placer

    answer = placer.plan("smart-parking", objective="latency")
    placer.simulate(answer)

``placer.api`` documents ``read``, ``plan``, ``evaluate``, ``simulate`` and ``export``.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from placer._version import __version__

if TYPE_CHECKING:
    from placer.api import evaluate, export, plan, read, simulate

__all__ = ["__version__", "evaluate", "export", "plan", "read", "simulate"]

_ROOMS = ("plan", "export")


class _Room(ModuleType):
    """A package that is called like the function of its name: ``placer.plan(…)`` beside ``placer.plan.plan.Plan``."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        return getattr(import_module("placer.api"), self.__name__.rpartition(".")[2])(*args, **options)


class _Package(ModuleType):
    """Loads the functions when they are asked for: ``import placer`` costs next to nothing."""

    def __getattr__(self, name: str) -> Any:
        if name in _ROOMS:
            return import_module(f"placer.{name}")
        if name in __all__:
            return getattr(import_module("placer.api"), name)
        raise AttributeError(f"module 'placer' has no attribute '{name}'")

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _ROOMS and isinstance(value, ModuleType):
            value.__class__ = _Room
        super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *__all__})


sys.modules[__name__].__class__ = _Package
