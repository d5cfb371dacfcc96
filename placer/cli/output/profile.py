"""What ``placer profile`` says beside the model file that it makes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from placer.instance.units import BYTES, MACS, show_bytes, show_macs

_MOST_NAMED = 10


def summary(model: Mapping[str, Any]) -> str:
    """Return the totals of a model file's mapping on one line."""
    layers = model["layers"]
    macs, weights = (
        sum(dimension.parse(layer[key]) for layer in layers)
        for key, dimension in (("compute", MACS), ("weights", BYTES))
    )
    live = max(BYTES.parse(layer["activations"]) for layer in layers)
    return (
        f"{len(layers)} layers, {show_macs(macs)}, {show_bytes(weights)} weights, "
        f"at most {show_bytes(live)} of tensors at once"
    )


def assumptions(model: Mapping[str, Any]) -> str:
    """Return a line that names the layers whose work is assumed, with their share; empty where there are none."""
    total = sum(MACS.parse(layer["compute"]) for layer in model["layers"])
    assumed = [
        (MACS.parse(one["compute"]), one["name"]) for one in model["layers"] if "compute" in one.get("assumed", ())
    ]
    if not assumed:
        return ""
    assumed.sort(key=lambda one: -one[0])
    named = [f"{name} {_share(macs, total)}" for macs, name in assumed[:_MOST_NAMED]]
    rest = assumed[_MOST_NAMED:]
    if rest:
        named.append(f"{len(rest)} more {_share(sum(macs for macs, _ in rest), total)}")
    share = _share(sum(macs for macs, _ in assumed), total)
    return f"work assumed, {share} of all multiply-accumulates: {', '.join(named)}"


def _share(part: float, total: float) -> str:
    return f"{100 * part / total:.3g} %" if total else "0 %"
