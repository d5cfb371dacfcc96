"""What ``placer calibrate`` says: measured beside predicted, and what was fitted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import click

from placer.cli.output import plan as report
from placer.cli.output.table import table
from placer.instance.units import show_joules, show_seconds
from placer.profiling.calibration.calibration import Calibration, Compared, Place
from placer.profiling.calibration.fitting import Estimate, Fit


def as_data(found: Calibration, written: Sequence[str], notes: Sequence[str]) -> dict[str, Any]:
    """Everything as plain data, in SI units."""
    return {
        "files": found.formats,
        "measured": [_row_data(one) for one in found.compared],
        "median_error": found.median_error,
        "fits": [
            {
                "device": place.device,
                "unit": place.unit or None,
                "build": place.build,
                "of": kind,
                **{name: _estimate(getattr(one, name)) for name in ("speed", "bandwidth", "overhead")},
                "count": one.count,
                "relative_error": one.error,
            }
            for place, fits in found.fits.items()
            for kind, one in zip(_kinds(place), fits, strict=True)
            if one is not None
        ],
        "written": list(written),
        "notes": list(notes),
    }


def _kinds(place: Place) -> tuple[str, str]:
    return ("model" if place.whole else "layer", "size of weights")


def _estimate(figure: Estimate | None) -> dict[str, float] | None:
    return None if figure is None else {"value": figure.value, "low": figure.low, "high": figure.high}


def _row_data(one: Compared) -> dict[str, Any]:
    series, thing = one.series, one.series.thing
    return {
        **{name: getattr(thing, name) or None for name in ("device", "unit", "model", "layer", "runtime", "precision")},
        "count": series.count,
        "seconds": series.seconds,
        "scv": series.scv,
        "scv_is_lower_bound": series.averaged,
        "joules": series.joules,
        "macs": one.macs,
        "weights": one.weights or None,
        "bandwidth": one.weights / series.seconds if one.weights else None,
        "predicted": one.predicted,
        "basis": one.basis or None,
        "error": one.error,
        "fitted": one.fitted,
    }


def show(found: Calibration, written: Sequence[str], notes: Sequence[str]) -> None:
    """Print the tables."""
    out = report.console()
    columns = ("device", "what", "n", "measured", "scv", "energy", "predicted", "error", "fitted")
    right = ("n", "measured", "scv", "energy", "predicted", "error", "fitted")
    out.print(table("Measured and predicted", columns, (_row(one) for one in found.compared), right=right))
    errors = [abs(one.error) for one in found.compared if one.error is not None]
    if errors:
        out.print(
            f"predictions of the known device types: median error {found.median_error:.1%}, largest "
            f"{max(errors):.1%}, of {len(errors)} of {len(found.compared)}",
            markup=False,
        )
    if any(one.basis == "times" for one in found.compared):
        out.print("predicted marked = was timed before; the others are work over speed", markup=False)
    if any(one.series.averaged and one.series.scv is not None for one in found.compared):
        out.print("scv marked ≥ is that of means: single inferences vary at least so much", markup=False)
    for line in _fit_lines(found):
        out.print(line, markup=False)
    for note in notes:
        out.print(f"note: {note}", markup=False)
    for path in written:
        click.echo(f"{path} written")


def _row(one: Compared) -> tuple[str, ...]:
    series, thing = one.series, one.series.thing
    spread = "–" if series.scv is None else f"{'≥ ' if series.averaged else ''}{series.scv:.2g}"
    build = "" if thing.build == "default" else f" ({thing.build})"
    said = "–" if one.predicted is None else show_seconds(one.predicted)
    return (
        thing.device + (f"/{thing.unit}" if thing.unit else ""),
        thing.model + (f": {thing.layer}" if thing.layer else "") + build,
        str(series.count),
        show_seconds(series.seconds),
        spread,
        "–" if series.joules is None else show_joules(series.joules),
        f"= {said}" if one.basis == "times" else said,
        "–" if one.error is None else f"{one.error:+.1%}",
        "–" if one.fitted is None else show_seconds(one.fitted),
    )


def _fit_lines(found: Calibration) -> Iterator[str]:
    for place, fits in found.fits.items():
        for kind, one in zip(_kinds(place), fits, strict=True):
            if one is not None:
                name = place.device + (f"/{place.unit}" if place.unit else "")
                many = kind if one.count == 1 else "sizes of weights" if " " in kind else f"{kind}s"
                yield f"{name} ({place.build}), from {one.count} {many}: {_fit_text(one)}"


def _fit_text(one: Fit) -> str:
    parts = []
    for figure, unit, name in (
        (one.speed, 1e9, "GMAC/s"),
        (one.bandwidth, 1e9, "GB/s"),
        (one.overhead, 1e-6, "us beside"),
    ):
        if figure is not None:
            sure = "" if figure.low != figure.low else f" ({figure.low / unit:.4g} to {figure.high / unit:.4g})"
            parts.append(f"{figure.value / unit:.4g} {name}{sure}")
    return ", ".join(parts) + f", relative error {one.error:.2g}"
