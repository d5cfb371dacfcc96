"""Pictures for people: the devices of an instance, and on them what a plan places there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from placer.evaluation.deterministic import loads
from placer.evaluation.evaluate import evaluate
from placer.export.parts import Parts, parts_of
from placer.files import Output
from placer.instance.compiled import Compiled
from placer.instance.units import show_bytes, show_seconds
from placer.pictures import canvas
from placer.pictures.canvas import ALARM, CALM, COLOURS, INK, PALE, QUIET
from placer.pictures.positions import Floats, layout
from placer.plan.plan import Plan

_MOST_CARDS = 14
"""With more devices than this, fragments are listed in a panel beside and devices are small."""

_LINE = 0.17
_PANEL = 2.9
_ROW = 0.155
_HEAD = 0.55


@dataclass
class _Scene:
    """What is drawn: per device its lines, its share of memory used, the services on it."""

    compiled: Compiled
    parts: Parts | None
    lines: list[list[tuple[str, str]]]
    used: Floats
    compact: bool

    def colour(self, service: int) -> str:
        return COLOURS[service % len(COLOURS)]


def picture(plan: Plan, compiled: Compiled, output: Output) -> None:
    """Draw a plan on its topology; SVG, PNG or PDF by the suffix of ``output``.

    Raises:
        InputError: for another suffix, or a plan that is not about this instance.
        MissingExtraError: without matplotlib.
    """
    canvas.check_suffix(output)
    parts = parts_of(plan, compiled)
    method = ", ".join(dict.fromkeys((plan.certificate.method, plan.certificate.termination)))
    latencies = [metrics.latency for metrics in evaluate(plan, compiled).services]
    _draw(_scene(compiled, parts), output, f"{plan.instance.name}: {method}", latencies)


def picture_of_instance(compiled: Compiled, output: Output) -> None:
    """Draw the topology of an instance with its sources and sinks; SVG, PNG or PDF by the suffix of ``output``.

    Raises:
        InputError: for another suffix.
        MissingExtraError: without matplotlib.
    """
    canvas.check_suffix(output)
    _draw(_scene(compiled, None), output, compiled.instance.name, None)


def _scene(compiled: Compiled, parts: Parts | None) -> _Scene:
    names = compiled.device_names
    compact = len(names) > _MOST_CARDS
    lines: list[list[tuple[str, str]]] = [[] for _ in names]
    index = {name: position for position, name in enumerate(names)}
    used = np.zeros(len(names))
    for number, service in enumerate(compiled.instance.services):
        if parts is None or not compact:
            lines[index[service.source]].append((f"input of {service.name}", COLOURS[number % len(COLOURS)]))
    for part in parts.parts if parts is not None else ():
        time = f", {show_seconds(part.seconds)}" if math.isfinite(part.seconds) else ""
        colour = COLOURS[part.service_index % len(COLOURS)]
        lines[index[part.device]].append((f"{part.service}: {_short(part.layer_range)}{time}", colour))
    for number, service in enumerate(compiled.instance.services):
        if parts is None or not compact:
            target = lines[index[service.result_device]]
            target.append((f"result of {service.name}", COLOURS[number % len(COLOURS)]))
    if parts is not None:
        used = compiled.stores.ram(loads(compiled, parts.placement).stored)
    return _Scene(compiled, parts, lines, used, compact)


def _short(text: str, longest: int = 26) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _draw(scene: _Scene, output: Output, title: str, latencies: list[float] | None) -> None:
    compiled = scene.compiled
    services = compiled.instance.services
    columns = 3
    rows = min(math.ceil(len(services) / columns), 8)
    foot = 0.25 + 0.2 * rows
    sizes = _card_sizes(scene)
    width, height = (10.5, 6.4) if not scene.compact else (11.5, 8.2)
    if scene.compact:
        # as much page as the cards need to stand apart
        grow = math.sqrt(max(1.0, 2.6 * float(sizes.prod(axis=1).sum()) / (width * height)))
        width, height = width * grow, height * grow
    per_column = int(height / _ROW)
    rows_listed = _panel_rows(scene, per_column) if scene.compact and scene.parts is not None else []
    panel_columns = min(3, math.ceil(len(rows_listed) / per_column))
    panel = _PANEL * panel_columns
    points = layout(compiled, sizes, width, height)
    figure, axes = canvas.new_figure(width + panel, height + foot + _HEAD)
    points = points + np.array([0.0, foot])
    canvas.say(axes, 0.2, height + foot + _HEAD - 0.27, title, fontsize=13, weight="bold")
    _draw_network(axes, scene, points)
    _draw_flows(axes, scene, points, sizes)
    for device in range(len(points)):
        _draw_device(axes, scene, device, points[device], sizes[device])
    _draw_legend(axes, scene, latencies, (width + panel) / columns, foot, columns * rows, columns)
    if panel:
        _draw_panel(axes, rows_listed, (width + 0.1, height + foot), per_column, panel_columns)
    canvas.save(figure, output)


def _card_sizes(scene: _Scene) -> Floats:
    sizes = []
    for name, lines in zip(scene.compiled.device_names, scene.lines, strict=True):
        longest = max((len(text) for text, _ in lines), default=0)
        if scene.compact:
            rows = math.ceil(len(lines) / 8)
            sizes.append((max(0.8, 0.075 * len(_short(name, 18)) + 0.2), 0.42 + 0.13 * rows))
        else:
            text = max(0.066 * longest + 0.3, 0.09 * len(_short(name, 30)) + 0.3, 1.3)
            sizes.append((text, 0.58 + _LINE * len(lines)))
    return np.array(sizes)


def _draw_network(axes: Any, scene: _Scene, points: Floats) -> None:
    drawn: set[tuple[int, int, bool]] = set()
    for arc in scene.compiled.topology.arcs:
        a, b = sorted((arc.tail, arc.head))
        link = arc.technology == "link"
        if (a, b, link) in drawn:
            continue
        drawn.add((a, b, link))
        crowded = len(scene.compiled.topology.arcs) > 200
        style = (
            {"color": QUIET, "lw": 1.6} if link else {"color": PALE, "lw": 0.5 if crowded else 1.0, "ls": (0, (4, 2))}
        )
        axes.plot(*points[[a, b]].T, zorder=1, solid_capstyle="round", **style)


def _draw_flows(axes: Any, scene: _Scene, points: Floats, sizes: Floats) -> None:
    """Draw each hop of each service as a coloured line; several on one way lie side by side."""
    if scene.parts is None:
        return
    index = {name: position for position, name in enumerate(scene.compiled.device_names)}
    order = {service.name: number for number, service in enumerate(scene.compiled.instance.services)}
    hops: dict[tuple[int, int], list[tuple[int, int, int]]] = {}
    for flow, service in zip(scene.parts.flows, scene.parts.flow_services, strict=True):
        for a, b in zip(flow.path, flow.path[1:], strict=False):
            if a not in index or b not in index:
                continue
            tail, head = index[a], index[b]
            lane = (order[service], tail, head)
            lanes = hops.setdefault((min(tail, head), max(tail, head)), [])
            if lane not in lanes:
                lanes.append(lane)
    for (low, high), lanes in hops.items():
        along = points[high] - points[low]
        length = float(np.hypot(*along)) or 1.0
        across = np.array([-along[1], along[0]]) / length
        for position, (number, tail, head) in enumerate(sorted(lanes)):
            shift = across * 0.075 * (position - (len(lanes) - 1) / 2)
            start, end = points[tail] + shift, points[head] + shift
            colour = scene.colour(number)
            axes.plot(*np.array([start, end]).T, color=colour, lw=1.9, zorder=2, solid_capstyle="round")
            # the arrow stands in the middle of what the cards at both ends leave to see
            leaves, enters = (_covered(along, sizes[device]) for device in (tail, head))
            middle = start + (end - start) * min(0.9, max(0.1, (1 + leaves - enters) / 2))
            arrow = {"arrowstyle": "-|>", "color": colour, "lw": 0, "mutation_scale": 13}
            direction = (end - start) / length * 0.1
            axes.annotate("", middle + direction, middle - direction, arrowprops=arrow, zorder=3)


def _covered(along: Floats, size: Floats) -> float:
    """Share of the way along a line that lies under the card at its end."""
    with np.errstate(divide="ignore"):
        return float(np.min(size / 2 / np.abs(along)))


def _draw_device(axes: Any, scene: _Scene, device: int, centre: Floats, size: Floats) -> None:
    FancyBboxPatch = canvas.load("matplotlib.patches").FancyBboxPatch

    x, y = centre - size / 2
    w, h = size
    lines = scene.lines[device]
    rounded = "round,pad=0,rounding_size=0.06"
    busy = bool(lines)
    box = FancyBboxPatch(
        (x, y),
        w,
        h,
        boxstyle=rounded,
        fc="white" if busy else "#f5f7fa",
        ec=INK if busy else PALE,
        lw=0.9,
        zorder=4,
    )
    axes.add_patch(box)
    name = scene.compiled.device_names[device]
    small = scene.compact
    ink = INK if busy else QUIET
    top = y + h - (0.13 if small else 0.17)
    canvas.say(
        axes, x + w / 2, top, _short(name, 18 if small else 30), ha="center", fontsize=7 if small else 9.5,
        weight="bold" if busy else "normal", color=ink, zorder=6,
    )  # fmt: skip
    bar = top - (0.13 if small else 0.17)
    _draw_memory(axes, scene, device, x + 0.1, bar, w - 0.2)
    if small:
        for number, (_, colour) in enumerate(lines):
            column, row = number % 8, number // 8
            axes.plot(x + 0.14 + 0.09 * column, bar - 0.13 * (row + 1), "o", ms=4, color=colour, zorder=6)
        return
    for number, (text, colour) in enumerate(lines):
        canvas.say(
            axes, x + 0.12, bar - (0.24 if scene.parts is None else 0.3) - _LINE * number + 0.02, text,
            fontsize=7.5, color=colour, zorder=6,
        )  # fmt: skip


def _draw_memory(axes: Any, scene: _Scene, device: int, x: float, y: float, width: float) -> None:
    Rectangle = canvas.load("matplotlib.patches").Rectangle

    free, used = float(scene.compiled.memory[device]), float(scene.used[device])
    if scene.parts is not None:
        share = used / free if free > 0 else float(used > 0)
        colour = CALM if share <= 1 + 1e-7 else ALARM
        axes.add_patch(Rectangle((x, y - 0.025), width, 0.05, fc="#e4e7eb", ec="none", zorder=5))
        axes.add_patch(Rectangle((x, y - 0.025), width * min(share, 1.0), 0.05, fc=colour, ec="none", zorder=6))
    if not scene.compact:
        text = f"{show_bytes(free)} free" if scene.parts is None else f"{show_bytes(used)} of {show_bytes(free)}"
        below = 0.0 if scene.parts is None else 0.1
        canvas.say(axes, x + width / 2, y - below, text, ha="center", fontsize=6, color=QUIET, zorder=6)


def _draw_legend(
    axes: Any, scene: _Scene, latencies: list[float] | None, step: float, foot: float, most: int, columns: int
) -> None:
    services = scene.compiled.instance.services
    for number, service in enumerate(services[:most]):
        column, row = number % columns, number // columns
        x, y = 0.2 + step * column, foot - 0.1 - 0.2 * row
        axes.plot([x, x + 0.25], [y, y], color=scene.colour(number), lw=3, solid_capstyle="round")
        text = f"{_short(service.name, 24)}: {_short(service.source, 16)} to {_short(service.result_device, 16)}"
        if latencies is not None and math.isfinite(latencies[number]):
            text += f", {show_seconds(latencies[number])}"
        if number == most - 1 and len(services) > most:
            text = f"and {len(services) - most + 1} more services"
        canvas.say(axes, x + 0.34, y, text, fontsize=7.5)


def _panel_rows(scene: _Scene, per_column: int) -> list[tuple[str, str, bool]]:
    """Text, colour and whether it heads a group: the fragments of each device."""
    rows: list[tuple[str, str, bool]] = []
    for name, lines in zip(scene.compiled.device_names, scene.lines, strict=True):
        if lines:
            if len(rows) % per_column == per_column - 1:
                rows.append(("", INK, False))  # no heading at the foot of a column
            rows.append((name, INK, True))
            rows += [(text, colour, False) for text, colour in lines]
    return rows


def _draw_panel(
    axes: Any, rows: list[tuple[str, str, bool]], corner: tuple[float, float], per_column: int, columns: int
) -> None:
    most = per_column * columns
    for number, (text, colour, head) in enumerate(rows[:most]):
        if number == most - 1 and len(rows) > most:
            text, colour, head = f"and {len(rows) - most + 1} more lines", QUIET, False
        x = corner[0] + _PANEL * (number // per_column) + (0.0 if head else 0.12)
        y = corner[1] - _ROW * (number % per_column)
        weight = "bold" if head else "normal"
        canvas.say(axes, x, y, _short(text, 44), fontsize=6.8, color=colour, weight=weight)
