"""The networks of the collection: what they compute, weigh, read and write."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from placer.recipes.measured.rows import Collection


@dataclass(frozen=True)
class Network:
    """A network of the collection as a model.

    Attributes:
        row: its name in the collection.
        title: for people.
        work: multiply-accumulates; None where they are not known.
        weights: parameters.
        values: values (not bytes) of the largest working memory; None where it is not known.
        input, output: values of the input and the output tensor.
        metric: what its accuracy is, as the collection calls it; empty for none.
        said: where those figures come from.
        assumed: which fields of the layer are assumed.
        output_bytes: bytes of a value of the output, whatever the precision; None for that of the input.
    """

    row: str
    title: str
    work: float | None
    weights: float
    values: float | None
    input: int
    output: int
    metric: str
    said: str
    assumed: tuple[str, ...]
    output_bytes: int | None = None


_JOINTS = (
    16 * 64 * 64
)  # heatmaps of MPII's joints: shape of the last layer in edgebench's final_reports/model_summary.json


def tiny(name: str) -> tuple[float, float]:
    """Multiply-accumulates and the most values alive (with a skip connection) of an MLPerf Tiny network.

    Computed from the architectures of Banbury et al., MLPerf Tiny Benchmark (NeurIPS 2021 Datasets and Benchmarks).
    """
    if name == "ad":  # fully connected autoencoder
        widths = [640, 128, 128, 128, 128, 8, 128, 128, 128, 128, 640]
        return sum(a * b for a, b in pairwise(widths)), 640 + 128
    if name == "kws":  # depthwise separable: 49 x 10 spectrogram, 64 channels at 25 x 5
        pixels, channels = 25 * 5, 64
        return 40 * channels * pixels + 4 * (9 + channels) * channels * pixels + channels * 12, 2 * channels * pixels
    if name == "ic":  # ResNet-8 on 32 x 32
        work, channels = 27 * 16 * 1024, 16
        for width, side in ((16, 32), (32, 16), (64, 8)):
            skip = channels * width * side * side if width != channels else 0
            work += (9 * channels * width + 9 * width * width) * side * side + skip
            channels = width
        return work + 64 * 10, 3 * 16 * 1024
    side, channels, work = 48, 8, 27 * 8 * 48 * 48  # MobileNet-v1, width 0.25, on 96 x 96
    for width, stride in ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), *[(128, 1)] * 5, (256, 2), (256, 1)):
        side //= stride
        work += (9 + width) * channels * side * side
        channels = width
    return work + 256 * 2, 48 * 48 * (8 + 16)


_TINY = "Work and working memory computed from the architecture, weights the parameters: Banbury et al., MLPerf Tiny"
_TINY_NETWORKS = {  # parameters: of the reference implementations (Banbury et al.); input and output values
    "ad": (
        "MLPerf Tiny ad (FC autoencoder)",
        "MLPerf Tiny anomaly detection, an autoencoder",
        269_992,
        640,
        640,
        "AUC",
    ),
    "kws": ("MLPerf Tiny kws (DS-CNN)", "MLPerf Tiny keyword spotting, DS-CNN", 24_908, 490, 12, "Top-1"),
    "ic": ("MLPerf Tiny ic (ResNet-8, 32x32)", "MLPerf Tiny image classification, ResNet-8", 78_666, 3072, 10, "Top-1"),
    "vww": (
        "MLPerf Tiny vww (MobileNetV1 0.25, 96x96)",
        "MLPerf Tiny visual wake words, MobileNet-v1 0.25",
        221_794,
        27_648,
        2,
        "Top-1",
    ),
}
_DETECTORS: dict[str, tuple[str, str, float | None, float, str]] = {
    "ssd-mobilenet-v2": ("SSD MobileNet v2 300x300", "SSD MobileNet-v2, 300 x 300", 1.8875e9, 16.818e6, ""),
    "ssd-mobilenet-v1-075": (
        "SSD MobileNet v1 0.75 depth 300x300",
        "SSD MobileNet-v1 at 0.75 of its channels, 300 x 300",
        None,
        0.75**2 * 6.807e6,
        " of the whole width, times 0.75 squared",
    ),
}


def networks(collection: Collection) -> dict[str, Network]:
    """All networks of the collection that become models, by the name of the model."""
    found: dict[str, Network] = {}
    for row, facts in collection.networks.items():
        short = row.removeprefix("ViTPose-").removesuffix("-256x256-light")
        name = re.sub("([a-z])([A-Z])", r"\1-\2", short).lower().replace("_", "-")
        peak = facts["peak_memory_mb"] * 2**20 / 4 - facts["params"]
        said = (
            "parameters and multiply-accumulates (there: flops) of final_reports/model_summary.json in that repository"
        )
        found[f"vitpose-{name}"] = Network(
            row,
            f"ViTPose with {short}, 256 x 256, MPII (light head)",
            facts["ops_as_reported"],
            facts["params"],
            peak,
            3 * 256 * 256,
            _JOINTS,
            "PCK",
            f"Work and weights: {said}; the output is 16 heatmaps of 64 x 64. Working memory (assumed): the peak "
            "of memory there less the weights, in the precision at hand, at most what the smallest board has",
            ("weights", "activations", "scv"),
        )
    for name, (row, title, weights, inputs, outputs, metric) in _TINY_NETWORKS.items():
        work, values = tiny(name)
        found[f"mlperf-tiny-{name}"] = Network(
            row,
            title,
            work,
            weights,
            values,
            inputs,
            outputs,
            metric,
            _TINY,
            ("weights", "activations", "scv", "energy"),
        )
    for name, (row, title, macs, parameters, note) in _DETECTORS.items():
        said = (
            f"Parameters: Open Model Zoo{note}, and assumed to be those of the files that were timed; the output, ten "
            "boxes, is assumed, working memory is not known and counts as nothing"
        )
        found[f"{name}-300"] = Network(
            row,
            title,
            macs,
            parameters,
            None,
            3 * 300 * 300,
            61,
            "",
            said,
            ("weights", "output"),
            4,
        )
    return found
