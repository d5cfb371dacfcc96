"""The shipped models, devices and radios: they load, carry the published figures, and can be made again."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import yaml

from placer.instance.library import Library, shipped_names, shipped_root
from placer.instance.model import Graph
from placer.profiling.model_file import Heading
from placer.profiling.onnx.profile import profile
from placer.profiling.render import render

LIGHT = {
    "resnet-50": "resnet50",
    "inception-v1": "inception_v1",
    "vgg-19": "vgg19",
    "squeezenet": "squeezenet",
    "densenet-121": "densenet121",
}
# published millions of parameters and G multiply-accumulates; batch normalisation statistics come on top
PUBLISHED = {
    "resnet-50": (25.56, 4.09),
    "inception-v1": (7.0, 1.43),
    "vgg-19": (143.67, 19.6),
    "squeezenet": (1.24, 0.35),
    "densenet-121": (7.98, 2.85),
    "alexnet": (60.97, 0.725),
    "vgg-16-measured": (138.357544, 15.47),
    "resnet-50-measured": (25.636712, 3.86),
    "mobilenet-v2-measured": (3.538984, 0.30),
    "inception-v3-measured": (23.851784, 5.71),
    "vgg-19-measured": (143.66724, 19.6),
    "mobilenet-v1-measured": (4.253864, 0.569),
    "resnet-101-measured": (44.707176, 7.6),
    "densenet-121-measured": (8.062504, 2.85),
    "xception-measured": (22.91048, 8.4),
}
MILLISECONDS = {
    "vgg-16-measured": 2110.9,
    "resnet-50-measured": 961.4,
    "mobilenet-v2-measured": 443.5,
    "inception-v3-measured": 1291.4,
    "vgg-19-measured": 2734.7,
    "mobilenet-v1-measured": 344.4,
    "resnet-101-measured": 1792.3,
    "densenet-121-measured": 1240.9,
    "xception-measured": 1925.1,
}


def graph(name: str) -> Graph:
    return Library().model(name).alternatives[0]


@pytest.mark.parametrize("name", shipped_names("device type"))
def test_devices_load(name: str) -> None:
    device = Library().device_type(name)
    assert device.name == name
    assert device.source
    assert device.reserve.memory < device.memory
    assert all(unit.speed or unit.bandwidth for unit in device.units)
    # a fallback is never faster than the fastest figure that was measured
    assert all(unit.speed <= max(unit.speeds.values()) for unit in device.units if unit.speed and unit.speeds)


@pytest.mark.parametrize("name", shipped_names("radio"))
def test_radios_load(name: str) -> None:
    radio = Library().radio(name)
    assert radio.name == name
    assert radio.goodput > 0.05


@pytest.mark.parametrize("name", shipped_names("model"))
def test_models_load(name: str) -> None:
    assert Library().model(name).name == name


@pytest.mark.parametrize("name", [name for name in shipped_names("model") if name.endswith("-measured")])
def test_measured_models_name_shipped_devices(name: str) -> None:
    devices = shipped_names("device type")
    layers = graph(name).layers
    assert all(set(layer.times) <= set(devices) and layer.times for layer in layers)
    assert all(seconds > 0 for layer in layers for seconds in layer.times.values())
    total = sum(layer.times["raspberry-pi-4b"] for layer in layers)
    assert total * 1000 == pytest.approx(MILLISECONDS[name], abs=0.1)


@pytest.mark.parametrize("name", PUBLISHED)
def test_totals_are_the_published_ones(name: str) -> None:
    parameters, macs = PUBLISHED[name]
    layers = graph(name).layers
    exact = name.endswith("-measured")
    weights = sum(layer.weights for layer in layers) / 4e6
    assert weights == pytest.approx(parameters, rel=1e-9 if exact else 0.022)
    assert sum(layer.compute or 0 for layer in layers) / 1e9 == pytest.approx(macs, rel=0.01)


def test_the_papers_networks_carry_the_papers_figures() -> None:
    alexnet = {layer.name: layer for layer in graph("alexnet").layers}
    assert list(alexnet) == ["conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8"]
    assert alexnet["fc6"].weights == 151_011_390
    assert alexnet["conv2"].compute == 224_340_000
    assert alexnet["conv1"].output == 279_940
    assert graph("alexnet").input == 227 * 227 * 3 * 4
    gate = graph("alexnet-exit").exits[0]
    assert (gate.after, gate.share) == ("gate1", 0.772)
    assert graph("cnn-5-exit").exits[0].share == 0.99
    assert [layer.compute for layer in graph("cnn-5").layers] == [
        3_810_000,
        20_080_000,
        1_200_000,
        70_000,
        2_000,
    ]


def test_the_papers_fc6_does_not_fit_the_papers_orange_pi() -> None:
    largest = max(layer.weights for layer in graph("alexnet").layers)
    assert largest > Library().device_type("paper-orange-pi-zero").memory == 128e6


def test_the_table_in_the_readme_is_computed() -> None:
    rows = []
    for name in shipped_names("model"):
        layers = graph(name).layers
        macs = sum(layer.compute or 0 for layer in layers) / 1e9
        weights = sum(layer.weights for layer in layers) / 1e6
        rows.append(f"| `{name}` | {len(layers)} | {macs:.3f} | {weights:.2f} |")
    readme = (shipped_root() / "models" / "README.md").read_text(encoding="utf-8")
    written = [line for line in readme.splitlines() if line.startswith("| `") and line.count("|") == 6]
    assert [line.rsplit("|", 2)[0] + "|" for line in written] == rows


@pytest.mark.parametrize("name", LIGHT)
def test_profiling_reproduces_the_shipped_file(name: str) -> None:
    pytest.importorskip("onnx")
    spec = importlib.util.find_spec("onnx")
    assert spec is not None
    assert spec.origin is not None
    file = Path(spec.origin).parent / "backend" / "test" / "data" / "light" / f"light_{LIGHT[name]}.onnx"
    if not file.is_file():
        pytest.skip("this version of onnx carries no light models")
    shipped_file = shipped_root() / "models" / f"{name}.yaml"
    shipped = yaml.safe_load(shipped_file.read_text(encoding="utf-8"))
    made = profile(file, heading=Heading(name, shipped["title"], shipped["family"]))
    # the source names versions, which may differ
    made["source"] = shipped["source"]
    assert made == shipped
    assert render(made) == shipped_file.read_text(encoding="utf-8")
