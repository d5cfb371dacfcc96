"""How long a layer takes where nobody timed it: regressions per type of layer (Kang et al., ASPLOS 2017).

Neurosurgeon fits the time of a layer to a few figures of its configuration, one regression per type. The figures that
model files hold are used here: multiply-accumulates (which contain a convolution's (filter / stride)² · filters), bytes
read, bytes made. Three forms, compared on networks left out of the fit: ``log`` (linear in the logarithms: times span
five decades, and plain linear fits on public timings missed convolutions by 353 % in the median), ``weighted`` (a sum
of nonnegative parts, each residual over its time, so that relative errors count and a fixed cost per call has a place)
and ``linear`` (as published, clamped at zero). Predictions take, per type of layer, the better of the first two: the
third may say zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from placer.errors import InputError
from placer.instance.library import Library, shipped_names
from placer.instance.model import Alternative, Layer, Model

Floats = NDArray[np.float64]
Form = Literal["log", "weighted", "linear"]
FORMS: tuple[Form, ...] = ("log", "weighted", "linear")
PREDICTING: tuple[Form, ...] = ("log", "weighted")
"""The forms whose predictions are more than zero."""

GROUPS: dict[str, str] = {
    "conv": "convolution",
    "depthwise": "depthwise convolution",
    "fc": "fully connected",
    "pool": "pooling",
    "norm": "normalisation",
    "activation": "activation",
}
"""Type of layer by its kind; every other kind is ``other``."""
OTHER = "other"
_LEAST_SAMPLES = 4


class Sample(NamedTuple):
    """One timed layer.

    Attributes:
        network: the model that it belongs to.
        group: its type.
        macs: multiply-accumulates.
        read, made: bytes.
        seconds: its time; NaN when it is to be predicted.
    """

    network: str
    group: str
    macs: float
    read: float
    made: float
    seconds: float


@dataclass(frozen=True, eq=False)
class Regression:
    """Fits of one device type.

    Attributes:
        form: one of ``FORMS``.
        weights: per type of layer the coefficients of (1, macs, read, made); the key ``""`` is a fit over all.
    """

    form: Form
    weights: Mapping[str, Floats]

    def predict(self, sample: Sample) -> float:
        """Return the predicted seconds, never below zero; a type that was not timed takes the fit over all layers."""
        weights = self.weights.get(sample.group, self.weights[""])
        value = float(_features(sample, self.form) @ weights)
        return float(np.exp(value)) if self.form == "log" else max(value, 0.0)


@dataclass(frozen=True)
class GroupError:
    """How well a type of layer is predicted on networks that were left out of the fit.

    Attributes:
        group: the type.
        layers: how many layers were predicted.
        median, p90: relative error |predicted - timed| / timed.
        r2: coefficient of determination of the seconds; NaN for fewer than two layers.
        negative: predictions below zero before they were clamped (linear fits only).
    """

    group: str
    layers: int
    median: float
    p90: float
    r2: float
    negative: int


def samples_of(model: Model, alternative: Alternative, device: str) -> list[Sample]:
    """Return every layer with its time on a device type, NaN where it was not timed."""
    made = [layer.output for layer in alternative.layers]
    found = []
    for layer, sources in zip(alternative.layers, alternative.predecessors(), strict=True):
        read = sum(alternative.input if source < 0 else made[source] for source in sources)
        found.append(_sample(model.name, layer, read, layer.times.get(device, float("nan"))))
    return found


def _sample(network: str, layer: Layer, read: float, seconds: float) -> Sample:
    group = GROUPS.get(layer.kind, OTHER)
    return Sample(network, group, layer.compute or 0.0, read, layer.output, seconds)


def shipped_samples(device: str) -> list[Sample]:
    """Return the timed layers of every shipped model on a device type.

    Raises:
        InputError: when no shipped model was timed on it.
    """
    library, found = Library(None), list[Sample]()
    timed: set[str] = set()
    for name in shipped_names("model"):
        model = library.model(name)
        for alternative in model.alternatives:
            timed |= {key for layer in alternative.layers for key in layer.times}
            found += [sample for sample in samples_of(model, alternative, device) if sample.seconds > 0]
    if not found:
        raise InputError(f"no shipped model was timed on '{device}' (timed: {', '.join(sorted(timed))})")
    return found


def fit(samples: Iterable[Sample], form: Form = "log") -> Regression:
    """Fit every type of layer by least squares; types with fewer than four samples share the fit over all layers."""
    every = list(samples)
    groups: dict[str, list[Sample]] = {"": every}
    for sample in every:
        groups.setdefault(sample.group, []).append(sample)
    weights = {
        group: _least_squares(members, form)
        for group, members in groups.items()
        if len(members) >= _LEAST_SAMPLES or not group
    }
    return Regression(form, weights)


def _least_squares(samples: list[Sample], form: Form) -> Floats:
    rows = np.array([_features(sample, form) for sample in samples])
    seconds = np.array([sample.seconds for sample in samples])
    target = np.log(seconds) if form == "log" else seconds
    if form == "weighted":
        parts: Floats = nnls(rows / seconds[:, None], np.ones(len(rows)))[0]
        return parts
    # columns of like size, so that the least-norm solution is sensible where columns agree
    scale = np.abs(rows).max(axis=0)
    scale[scale == 0] = 1.0
    solution: Floats = np.linalg.lstsq(rows / scale, target, rcond=1e-9)[0] / scale
    return solution


def _features(sample: Sample, form: Form) -> Floats:
    figures = np.array([sample.macs, sample.read, sample.made])
    return np.concatenate([[1.0], np.log1p(figures) if form == "log" else figures])


def leave_one_network_out(samples: Iterable[Sample], form: Form = "log") -> list[GroupError]:
    """Return the error per type of layer when each network is predicted from the others, then over all layers.

    Raises:
        InputError: when there are fewer than two networks.
    """
    every = list(samples)
    networks = sorted({sample.network for sample in every})
    if len(networks) < 2:
        raise InputError("errors need two timed networks or more")
    pairs: dict[str, list[tuple[float, float]]] = {}
    for network in networks:
        regression = fit([sample for sample in every if sample.network != network], form)
        for sample in every:
            if sample.network != network:
                continue
            raw = _raw(regression, sample)
            for group in (sample.group, "all"):
                pairs.setdefault(group, []).append((raw, sample.seconds))
    order = [*GROUPS.values(), OTHER, "all"]
    return [_error(group, pairs[group]) for group in order if group in pairs]


def _raw(regression: Regression, sample: Sample) -> float:
    if regression.form == "log":
        return regression.predict(sample)
    weights = regression.weights.get(sample.group, regression.weights[""])
    return float(_features(sample, regression.form) @ weights)


def _error(group: str, pairs: list[tuple[float, float]]) -> GroupError:
    raw, timed = (np.array(column) for column in zip(*pairs, strict=True))
    predicted = np.maximum(raw, 0.0)
    relative = np.abs(predicted - timed) / timed
    spread = float(((timed - timed.mean()) ** 2).sum())
    r2 = 1.0 - float(((predicted - timed) ** 2).sum()) / spread if spread > 0 else float("nan")
    return GroupError(
        group,
        len(pairs),
        float(np.median(relative)),
        float(np.quantile(relative, 0.9)),
        r2,
        int((raw < 0).sum()),
    )


def best_forms(samples: Iterable[Sample]) -> dict[str, tuple[Form, GroupError]]:
    """Return per type of layer the form that predicts with the least median error on networks left out, and that error.

    Raises:
        InputError: when there are fewer than two networks.
    """
    every = list(samples)
    found: dict[str, tuple[Form, GroupError]] = {}
    for form in PREDICTING:
        for error in leave_one_network_out(every, form):
            if error.group not in found or error.median < found[error.group][1].median:
                found[error.group] = (form, error)
    return found


def predictor(samples: Iterable[Sample]) -> Callable[[Sample], float]:
    """Return a function that predicts a layer's seconds with the best form of its type."""
    every = list(samples)
    fits = {form: fit(every, form) for form in PREDICTING}
    forms = {group: form for group, (form, _) in best_forms(every).items()}
    return lambda sample: fits[forms.get(sample.group, forms["all"])].predict(sample)


def fill_times(model: Model, devices: Iterable[str]) -> tuple[Model, dict[str, int]]:
    """Return a model whose layers have a time on each device type, predicted where none was taken.

    Args:
        model: the model.
        devices: device types.

    Returns:
        (the model, how many layers were predicted by device type).

    Raises:
        InputError: when times are missing on a type that no shipped model was timed on.
    """
    counts: dict[str, int] = {}
    for device in dict.fromkeys(devices):
        if all(device in layer.times for alternative in model.alternatives for layer in alternative.layers):
            continue
        predict = predictor([sample for sample in shipped_samples(device) if sample.network != model.name])
        alternatives = []
        for alternative in model.alternatives:
            layers = []
            for layer, sample in zip(alternative.layers, samples_of(model, alternative, device), strict=True):
                if device not in layer.times:
                    layer = layer.model_copy(update={"times": {**layer.times, device: predict(sample)}})
                    counts[device] = counts.get(device, 0) + 1
                layers.append(layer)
            alternatives.append(alternative.model_copy(update={"layers": tuple(layers)}))
        model = model.model_copy(update={"alternatives": tuple(alternatives)})
    return model, counts
