"""A picture of a model: its layers from top to bottom, what skips, and bars of work, weights and output."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from placer.errors import InputError
from placer.files import Output
from placer.instance.model import Alternative, Layer, Model
from placer.instance.reading import unknown
from placer.instance.units import show_bytes, show_fraction, show_macs
from placer.pictures import canvas
from placer.pictures.canvas import COLOURS, INK, PALE, QUIET

_BARS: tuple[tuple[str, Callable[[Layer], float], Callable[[float], str], str], ...] = (
    ("work", lambda layer: layer.compute or 0.0, show_macs, COLOURS[0]),
    ("weights", lambda layer: layer.weights, show_bytes, COLOURS[2]),
    ("output", lambda layer: layer.output, show_bytes, COLOURS[1]),
)
_MOST_LABELLED = 120
_HEAD = 0.9


def picture_of_model(model: Model, output: Output, alternative: str | None = None) -> None:
    """Draw a model: SVG, PNG or PDF by the suffix of ``output``.

    Args:
        model: the model.
        output: where to.
        alternative: which of its alternatives; the first when None.

    Raises:
        InputError: for another suffix or an unknown alternative.
        MissingExtraError: without matplotlib.
    """
    canvas.check_suffix(output)
    graphs = {graph.name: graph for graph in model.alternatives}
    if alternative is not None and alternative not in graphs:
        raise InputError(unknown("alternative", alternative, list(graphs)))
    graph = graphs[alternative] if alternative is not None else model.alternatives[0]
    count = len(graph.layers)
    # a long model is drawn in thinner rows, a very long one without names
    row = 0.27 if count <= 40 else max(0.02, min(0.27, 22 / count))
    width, height = 10.0, row * count + _HEAD + 0.3
    figure, axes = canvas.new_figure(width, height)
    name = model.title or model.name
    if len(graphs) > 1:
        name += f", {graph.name}"
    canvas.say(axes, 0.2, height - 0.27, name[:110], fontsize=12, weight="bold")
    total = f"{count} layers, input {show_bytes(graph.input)}"
    canvas.say(axes, 0.2, height - 0.52, total, fontsize=7.5, color=QUIET)
    top = height - _HEAD - row / 2
    _draw_names(axes, graph, top, row)
    _draw_edges(axes, graph, top, row)
    for number, bar in enumerate(_BARS):
        _draw_bars(axes, graph, bar, 3.5 + 2.15 * number, top, row, height - _HEAD + 0.14)
    canvas.save(figure, output)


def _draw_names(axes: Any, graph: Alternative, top: float, row: float) -> None:
    if len(graph.layers) > _MOST_LABELLED:
        return
    shares = {exit_.after: exit_.share for exit_ in graph.exits}
    for number, layer in enumerate(graph.layers):
        y = top - row * number
        size = min(7.5, row * 40)
        text = layer.name if len(layer.name) <= 20 else layer.name[:19] + "…"
        canvas.say(axes, 1.5, y, text, fontsize=size)
        if layer.name in shares:
            note = f"{show_fraction(shares[layer.name])} leave"
            canvas.say(axes, 3.35, y, note, fontsize=size - 1, color=COLOURS[4], ha="right")


def _draw_edges(axes: Any, graph: Alternative, top: float, row: float) -> None:
    """Draw the layers as dots in a column; an edge that skips layers is a bow to the left."""
    FancyArrowPatch = canvas.load("matplotlib.patches").FancyArrowPatch

    x = 1.3
    longest = max((v - u for v, sources in enumerate(graph.predecessors()) for u in sources), default=1)
    for reader, sources in enumerate(graph.predecessors()):
        for maker in sources:
            a, b = (x, top - row * maker), (x, top - row * reader)
            if reader - maker == 1:
                axes.plot([a[0], b[0]], [a[1], b[1]], color=INK, lw=1.0, zorder=2)
                continue
            # arc3 bows by a share of the length: the longest reaches the margin, short ones stay near
            reach = 0.2 + 0.85 * (reader - maker) / longest
            rad = 2 * reach / (row * (reader - maker))
            style = f"arc3,rad={rad:.4f}"
            axes.add_patch(FancyArrowPatch(a, b, connectionstyle=style, arrowstyle="-", color=QUIET, lw=0.8))
    gates = {exit_.after for exit_ in graph.exits}
    size = max(1.0, min(5.0, row * 20))
    for number, layer in enumerate(graph.layers):
        colour = COLOURS[4] if layer.name in gates else INK
        axes.plot(x, top - row * number, "o", ms=size, color=colour, zorder=3)


def _draw_bars(
    axes: Any,
    graph: Alternative,
    bar: tuple[str, Callable[[Layer], float], Callable[[float], str], str],
    x: float,
    top: float,
    row: float,
    head: float,
) -> None:
    Rectangle = canvas.load("matplotlib.patches").Rectangle

    title, value, show, colour = bar
    values = [value(layer) for layer in graph.layers]
    most = max(values)
    summed = f"{title}: {show(sum(values))} in all" if title != "output" else title
    canvas.say(axes, x, head, summed, fontsize=8, weight="bold")
    axes.plot([x, x], [top + row / 2, top - row * (len(values) - 0.5)], color=PALE, lw=0.8)
    for number, amount in enumerate(values):
        y = top - row * number
        long = 1.35 * amount / most if most > 0 else 0.0
        axes.add_patch(Rectangle((x, y - row * 0.36), long, row * 0.72, fc=colour, ec="none"))
        if len(values) <= _MOST_LABELLED and amount > 0:
            canvas.say(axes, x + long + 0.05, y, show(amount), fontsize=min(6.5, row * 36), color=QUIET)
