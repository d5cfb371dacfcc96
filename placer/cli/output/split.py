"""Answers of ``placer split`` as text for people."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from placer.cli.output.plan import print_assumptions, value_text
from placer.cli.output.table import table
from placer.instance.units import show_bytes, show_fraction, show_rate, show_seconds
from placer.splitting.questions import CutAnswer, SharingAnswer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

_MOST_USERS = 20


def print_found(found: CutAnswer | SharingAnswer, out: Console) -> None:
    """Print whatever was answered."""
    if isinstance(found, SharingAnswer):
        _print_shared(found, out)
        return
    _print_cut(found, out)
    _print_beside(found, out)
    _print_breaks(found, out)
    _print_replay(found, out)
    for message in found.answer.violations:
        out.print(f"VIOLATED {message}", markup=False)
    _print_predictions(found, out)
    print_assumptions(list(found.assumed), out)


def _print_cut(found: CutAnswer, out: Console) -> None:
    one, asked = found.answer, found.asked
    names, remote = one.variant.layers, one.cut.on_server
    home = [name for name, far in zip(names, remote, strict=True) if not far]
    away = [name for name, far in zip(names, remote, strict=True) if far]
    tensors = [
        f"{'input' if tensor < 0 else names[tensor]} ({show_bytes(way.bytes)}{', ' + way.option if way.option else ''})"
        for tensor, way in one.cut.crossing
    ]
    rows = [
        (asked.device, _layers(home), show_seconds(one.stages.device)),
        (f"uplink, {show_rate(1 / found.case.x)}", ", ".join(tensors) or "–", show_seconds(one.stages.uplink)),
        (asked.server, _layers(away), show_seconds(one.stages.server)),
    ]
    busy = "busy per request"
    out.print(table(f"Split of {found.case.model.name}", ("where", "what", busy), rows, right=(busy,)))
    what = "bottleneck" if asked.objective == "throughput" else asked.objective
    proof = one.proof if one.proof != "none" else "heuristic: no bound is proven"
    out.print(f"{what}: {value_text(one.value, one.unit)} ({proof})", markup=False)
    rate = f"sustains {one.largest_rate:.4g} requests/s" if math.isfinite(one.largest_rate) else "takes no time"
    if asked.rate is not None:
        rate += f"; {asked.rate:.4g} /s asked for"
        rate += "" if one.sustained else ": TOO FAST, the first figure is the largest rate that fits this cut"
    out.print(f"method {asked.method}, {one.mode} load; {rate}", markup=False)


def _layers(names: Sequence[str]) -> str:
    if not names:
        return "–"
    return names[0] if len(names) == 1 else f"{names[0]} … {names[-1]} ({len(names)})"


def _print_beside(found: CutAnswer, out: Console) -> None:
    one = found.answer
    rows = [("the split", value_text(one.value, one.unit), "")]
    for title, value in (("all on the device", one.all_device), ("all on the server", one.all_server)):
        ratio = f"× {value / one.value:.3g}" if one.value > 0 and math.isfinite(value) else "–"
        rows.append((title, value_text(value, one.unit), ratio))
    figures = (found.asked.objective, "against the split")
    out.print(table("Beside it", ("placement", *figures), rows, right=figures))
    if not any(one.cut.on_server) or all(one.cut.on_server):
        out.print(
            "Do not split: the whole network is best " + ("on the server." if one.cut.on_server[0] else "at home.")
        )


def _print_breaks(found: CutAnswer, out: Console) -> None:
    if found.table is None:
        return
    rates = ", ".join(show_rate(rate) for rate in found.break_rates) or "none between 1 kbit/s and 10 Gbit/s"
    out.print(f"the cut changes at these uplink rates (server load {found.asked.server_load:g}): {rates}", markup=False)


def _print_replay(found: CutAnswer, out: Console) -> None:
    if not found.scores:
        return
    figures = (f"mean {found.asked.objective}", "regret", "worst", "switches")
    rows = []
    best = found.scores[0].mean
    for score in found.scores:
        regret = show_fraction(score.regret / best) if best > 0 else "–"
        unit = found.answer.unit
        mean, worst = value_text(score.mean, unit), value_text(score.worst, unit)
        rows.append((score.policy, mean, regret, worst, str(score.switches)))
    out.print(table(f"Replay of {found.asked.trace}", ("policy", *figures), rows, right=figures))


def _print_predictions(found: CutAnswer, out: Console) -> None:
    for entry in found.predicted:
        out.print(f"{entry.layers} layer times on {entry.device} predicted, not measured; errors on networks left out:")
        for form, error in entry.errors:
            line = f"  {error.group} ({form}): median {show_fraction(error.median)}, 90 % within "
            out.print(line + f"{show_fraction(error.p90)}, R² {error.r2:.2f}, {error.layers} layers", markup=False)


def _print_shared(found: SharingAnswer, out: Console) -> None:
    units = len(found.crowd.load) - 1
    title = f"{len(found.crowd.names)} users share {found.asked.server}: {found.crowd.cores} cores in {units} units"
    figures = ("cores", "latency", "layers on the device")
    rows = []
    order = sorted(range(len(found.crowd.names)), key=lambda user: -float(found.exact.latency[user]))
    for user in order[:_MOST_USERS]:
        share = int(found.exact.units[user])
        cores, latency = f"{share * found.crowd.cores / units:.3g}", show_seconds(float(found.exact.latency[user]))
        rows.append((found.crowd.names[user], cores, latency, str(found.crowd.layers_on_device(user, share))))
    if len(order) > _MOST_USERS:
        rows.append((f"… and {len(order) - _MOST_USERS} more", "", "", ""))
    out.print(table(title, ("user", *figures), rows, right=figures))
    best = found.exact.worst
    out.print(f"slowest user: {show_seconds(best)} (exact); shares left free: {units - found.exact.units.sum()}")
    gap = show_fraction(found.alternating.worst / best - 1)
    out.print(f"alternating optimisation: {show_seconds(found.alternating.worst)}, {gap} above", markup=False)
    out.print(f"equal shares: {show_seconds(found.equal.worst)}, × {found.equal.worst / best:.3g}", markup=False)
    print_assumptions(list(found.crowd.assumed), out)
