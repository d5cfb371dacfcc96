"""The accuracy-loss frontier of a sweep as a picture (extra ``picture``: matplotlib)."""

from __future__ import annotations

from collections.abc import Sequence

from placer.exits.sweep import Axis, Point
from placer.files import Output
from placer.pictures import canvas

_COLOURS = (
    "#0072b2",
    "#56b4e9",
    "#009e73",
    "#d55e00",
    "#e69f00",
    "#f0c000",
    "#000000",
    "#cc79a7",
    "#994f88",
    "#777777",
)
_MARKS = "osv^<>DPX*"


def draw(points: Sequence[Point], axis: Axis, title: str, limit: float, output: Output) -> None:
    """Draw accuracy and loss of every method over the swept values, the bound as a grey line.

    Args:
        points: of the sweep.
        axis: what was swept.
        title: of the picture.
        limit: loss limit, drawn where the arrivals were swept.
        output: .svg, .png or .pdf.

    Raises:
        MissingExtraError: matplotlib is missing.
        InputError: another suffix, or the file cannot be written.
    """
    canvas.check_suffix(output)
    matplotlib, figure_module = canvas.load("matplotlib"), canvas.load("matplotlib.figure")
    with matplotlib.rc_context({"svg.hashsalt": "placer", "svg.fonttype": "none", "font.size": 9}):
        figure = figure_module.Figure(figsize=(7.5, 6.5), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True)
        names = list(dict.fromkeys(report.method for point in points for report in point.reports))
        for index, name in enumerate(names):
            found = [(p.value, r) for p in points for r in p.reports if r.method == name]
            style = {"color": _COLOURS[index % 10], "marker": _MARKS[index % 10], "markersize": 4, "linewidth": 1.2}
            above.plot([v for v, _ in found], [r.accuracy for _, r in found], label=name, **style)
            below.plot([v for v, _ in found], [max(r.loss, 1e-9) for _, r in found], label=name, **style)
        bounds = [(p.value, p.reports[0].bound) for p in points if p.reports]
        bound_style = {"color": "#999999", "linewidth": 3, "alpha": 0.6, "zorder": 0}
        above.plot(*zip(*bounds, strict=True), label="bound (semi-Markov)", **bound_style)
        if axis == "arrivals":
            below.axhline(limit, color="#999999", linestyle="--", linewidth=1, label="limit")
            below.set_xlabel("arrivals (1/s)")
        else:
            values = [p.value for p in points]
            below.plot(values, values, color="#999999", linestyle="--", linewidth=1, label="limit")
            below.set_xlabel("loss limit")
            below.set_xscale("log")
        below.set_yscale("log")
        below.set_ylim(bottom=1e-6)
        below.set_ylabel("loss ratio")
        above.set_ylabel("accuracy per completed job")
        above.set_title(title)
        above.legend(fontsize=7, ncols=2)
        canvas.save(figure, output, dpi=150)
