"""A sweep as a picture: loss, latency and accuracy against the first varied field, and where the plan changes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any

from placer.files import Output
from placer.pictures import canvas
from placer.pictures.canvas import ALARM, COLOURS, INK, PALE, QUIET
from placer.sweep.grid import Axis
from placer.sweep.run import Row, Sweep

_WIDTH, _LEFT, _RIGHT = 9.5, 0.95, 0.3
_PANEL, _BETWEEN, _HEAD = 1.75, 0.25, 0.75
_ROW = 0.17
_MOST_NOTES = 12
_MOST_TICKS = 24
_NOTE_LENGTH = 150


@dataclass(frozen=True)
class _Line:
    """The rows of one combination of the other axes, in the order of the first axis."""

    label: str
    colour: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class _Mark:
    """Where the plan changes: between two values of the first axis, in the same way on each of ``lines``."""

    lines: tuple[_Line, ...]
    x: float
    text: str

    @property
    def colour(self) -> str:
        """That of its line; ink for several lines."""
        return self.lines[0].colour if len(self.lines) == 1 else INK


def picture(sweep: Sweep, output: Output) -> None:
    """Plot a sweep; SVG, PNG or PDF by the suffix of ``output``.

    Raises:
        InputError: for another suffix, or when it cannot be written.
        MissingExtraError: without matplotlib.
    """
    canvas.check_suffix(output)
    lines = _lines(sweep)
    position = _positions(sweep.grid.axes[0])
    marks = _together(mark for line in lines for mark in _marks(line, sweep.grid.axes[0], position))
    figures = _figures(sweep)
    notes = _notes(sweep, lines, marks)
    legend_rows = math.ceil(len(lines) / 3) if len(lines) > 1 else 0
    foot = 0.65 + _ROW * (len(notes) + legend_rows)
    height = _HEAD + len(figures) * _PANEL + (len(figures) - 1) * _BETWEEN + foot
    figure, page = canvas.new_figure(_WIDTH, height)
    judges = sorted({row.answer.evaluator for row in sweep.rows if row.answer.evaluator})
    title = f"{sweep.grid.name}: {sweep.options.method}" + (f", {' and '.join(judges)} evaluator" if judges else "")
    canvas.say(page, 0.2, height - 0.3, title, fontsize=12, weight="bold")
    panels = []
    for number, (name, unit, figure_of) in enumerate(figures):
        bottom = height - _HEAD - _PANEL * (number + 1) - _BETWEEN * number
        box = (_LEFT / _WIDTH, bottom / height, (_WIDTH - _LEFT - _RIGHT) / _WIDTH, _PANEL / height)
        panel = figure.add_axes(box)
        _draw_panel(panel, lines, marks, position, figure_of)
        panel.set_ylabel(f"{name}, {unit}" if unit else name, color=INK, fontsize=8)
        panels.append(panel)
    _number_marks(panels[0], marks)
    _draw_x_axis(panels, sweep.grid.axes[0], position)
    _draw_foot(page, lines, notes, foot)
    canvas.save(figure, output)


def _lines(sweep: Sweep) -> list[_Line]:
    axes = sweep.grid.axes
    lines: list[_Line] = []
    for others, rows in groupby(sweep.rows, key=lambda row: row.point.index[1:]):
        label = ", ".join(f"{axis.path} = {axis.label(i)}" for axis, i in zip(axes[1:], others, strict=True))
        lines.append(_Line(label, COLOURS[len(lines) % len(COLOURS)], tuple(rows)))
    return lines


def _positions(axis: Axis) -> list[float]:
    """Where each value stands on the horizontal axis: at its number, or in a row when some are no numbers."""
    numeric = all(math.isfinite(number) for number in axis.numbers)
    return list(axis.numbers) if numeric else [float(i) for i in range(len(axis.numbers))]


def _marks(line: _Line, axis: Axis, position: list[float]) -> Iterable[_Mark]:
    """The changes of a line, each in the middle between the plan before it and the changed one."""
    planned = [row for row in line.rows if row.answer.planned]
    for before, after in pairwise(planned):
        if not after.changes or after.tie:
            continue  # a tie would mark where nothing had to change
        i, k = before.point.index[0], after.point.index[0]
        middle = math.sqrt(position[i] * position[k]) if axis.logarithmic else (position[i] + position[k]) / 2
        yield _Mark((line,), middle, f"{axis.label(i)} to {axis.label(k)}: {'; '.join(after.changes)}")


def _together(marks: Iterable[_Mark]) -> list[_Mark]:
    """Return marks in the order of their place, with one for the lines that change alike."""
    found: dict[tuple[float, str], tuple[_Line, ...]] = {}
    for mark in marks:
        found[mark.x, mark.text] = (*found.get((mark.x, mark.text), ()), *mark.lines)
    return sorted((_Mark(lines, x, text) for (x, text), lines in found.items()), key=lambda mark: mark.x)


def _figures(sweep: Sweep) -> list[tuple[str, str, Callable[[Row], float]]]:
    """What is plotted, each with its unit: what is known anywhere, and always the loss and a latency."""
    answers = [row.answer for row in sweep.rows]
    panels: list[tuple[str, str, Callable[[Row], float]]] = [("loss", "%", lambda r: 100 * r.answer.totals.loss_ratio)]
    if any(math.isfinite(found.totals.response_time) for found in answers):
        panels.append(("response time", "ms", lambda row: 1e3 * row.answer.totals.response_time))
    else:
        panels.append(("latency, alone", "ms", lambda row: 1e3 * row.answer.latency))
    if any(math.isfinite(found.accuracy) for found in answers):
        panels.append(("accuracy", "", lambda row: row.answer.accuracy))
    return panels


def _draw_panel(
    panel: Any, lines: list[_Line], marks: list[_Mark], position: list[float], figure: Callable[[Row], float]
) -> None:
    known = False
    for line in lines:
        points = [(position[row.point.index[0]], figure(row)) for row in line.rows]
        known = known or any(math.isfinite(y) for _, y in points)
        # an unknown or infeasible point breaks the line
        panel.plot(
            [x for x, _ in points],
            [y if math.isfinite(y) else math.nan for _, y in points],
            color=line.colour, marker="o", markersize=3, linewidth=1.3,
        )  # fmt: skip
        failed = [position[row.point.index[0]] for row in line.rows if not row.answer.planned]
        panel.plot(
            failed, [0.04] * len(failed), linestyle="none", marker="x", markersize=5, color=ALARM,
            transform=panel.get_xaxis_transform(), clip_on=False,
        )  # fmt: skip
    for mark in marks:
        panel.axvline(mark.x, color=mark.colour, linewidth=0.8, linestyle=(0, (3, 3)), alpha=0.8)
    if not known:
        canvas.say(panel, 0.5, 0.5, "unknown", transform=panel.transAxes, ha="center", color=QUIET, fontsize=9)
        panel.set_yticks([])
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        panel.spines[side].set_color(PALE)
    panel.tick_params(labelsize=7, colors=INK, color=PALE)
    panel.margins(y=0.08)


def _number_marks(panel: Any, marks: list[_Mark]) -> None:
    numbered = list(enumerate(marks[:_MOST_NOTES], 1))
    for x, here in groupby(numbered, key=lambda entry: entry[1].x):
        same = list(here)
        text = ", ".join(str(number) for number, _ in same)
        colour = same[0][1].colour if len(same) == 1 else INK
        style = {"transform": panel.get_xaxis_transform(), "ha": "center", "color": colour, "fontsize": 7}
        canvas.say(panel, x, 1.06, text, **style)


def _draw_x_axis(panels: list[Any], axis: Axis, position: list[float]) -> None:
    numeric = all(math.isfinite(number) for number in axis.numbers)
    low, high = min(position), max(position)
    for panel in panels:
        if axis.logarithmic:
            panel.set_xscale("log")
            margin = (high / low) ** 0.03
            panel.set_xlim(low / margin, high * margin)
        else:
            margin = 0.03 * (high - low) or 0.5
            panel.set_xlim(low - margin, high + margin)
        if panel is not panels[-1]:
            panel.tick_params(labelbottom=False)
    if not numeric:
        step = math.ceil(len(position) / _MOST_TICKS)
        for panel in panels:
            panel.set_xticks(position[::step])
        panels[-1].set_xticklabels(axis.shown[::step], parse_math=False)
    unit = f", {axis.unit}" if numeric and axis.unit else ""
    panels[-1].set_xlabel(axis.path + unit, color=INK, fontsize=8, parse_math=False)


def _notes(sweep: Sweep, lines: list[_Line], marks: list[_Mark]) -> list[tuple[str, str]]:
    notes = []
    for number, mark in enumerate(marks[:_MOST_NOTES], 1):
        shared = " (all lines)" if len(lines) > 1 and len(mark.lines) == len(lines) else ""
        several = f" ({len(mark.lines)} of {len(lines)} lines)" if 1 < len(mark.lines) < len(lines) else ""
        notes.append((f"{number}{shared}{several}: {mark.text}", mark.colour))
    if len(marks) > _MOST_NOTES:
        notes.append((f"and {len(marks) - _MOST_NOTES} more changes of plan", QUIET))
    if not any(math.isfinite(row.answer.accuracy) for row in sweep.rows):
        notes.append(("accuracy: unknown, the models give none for every service", QUIET))
    failed = [row.answer.status for row in sweep.rows if not row.answer.planned]
    if failed:
        listed = ", ".join(f"{failed.count(status)} {status}" for status in dict.fromkeys(failed))
        notes.append((f"×: no plan ({listed})", ALARM))
    if sweep.stopped is not None:
        notes.append((f"partial: {len(sweep.rows)} of {len(sweep.grid.points)} points", ALARM))
    return notes


def _draw_foot(page: Any, lines: list[_Line], notes: list[tuple[str, str]], foot: float) -> None:
    y = foot - 0.58
    if len(lines) > 1:
        for number, line in enumerate(lines):
            x = 0.3 + (number % 3) * (_WIDTH - 0.4) / 3
            here = y - _ROW * (number // 3)
            page.plot([x, x + 0.2], [here, here], color=line.colour, linewidth=2)
            canvas.say(page, x + 0.27, here, _short(line.label, 44), fontsize=7)
        y -= _ROW * math.ceil(len(lines) / 3)
    for text, colour in notes:
        canvas.say(page, 0.3, y, _short(text, _NOTE_LENGTH), fontsize=7, color=colour)
        y -= _ROW


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
