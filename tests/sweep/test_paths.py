"""Paths by names, the values they set, and what is said when they lead nowhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from placer.errors import InputError
from placer.instance.compiled import compile_instance
from placer.instance.resolving import read_instance
from placer.instance.tree import PathParts
from placer.sweep.paths import find, set_value, value_at
from tests.sweep.helpers import INSTANCE, data, grid_of, write


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("services.plates.arrivals", ("services", 0, "arrivals")),
        ("services.0.arrivals", ("services", 0, "arrivals")),
        ("services.plates.arrivals.rate", ("services", 0, "arrivals")),
        ("services.people.arrivals", ("services", 1, "arrivals", "rate")),
        ("services.people.arrivals.rate", ("services", 1, "arrivals", "rate")),
        ("services.bursts.arrivals.states.1.rate", ("services", 2, "arrivals", "states", 1, "rate")),
        ("services.people.max_loss", ("services", 1, "max_loss")),
        ("services.people.exits.conv2", ("services", 1, "exits", "conv2")),
        ("devices.hub.buffer", ("devices", 1, "buffer")),
        ("devices.cloud-1.buffer", ("devices", 2, "buffer")),
        ("devices.hub.outages.up", ("devices", 1, "outages", "up")),
        ("devices.hub.reserve.memory", ("devices", 1, "reserve", "memory")),
        ("devices.cam.position.0", ("devices", 0, "position", 0)),
        ("network.radios.wifi-n.rate", ("network", "radios", 0, "rate")),
        ("network.radios.0.range", ("network", "radios", 0, "range")),
        ("network.links.hub-cloud-1.rate", ("network", "links", 0, "rate")),
        ("network.links.hub-cloud-1.loss", ("network", "links", 0, "loss")),
        ("network.links.cloud-1-hub.latency", ("network", "links", 0, "latency")),
        ("network.links.0.queue", ("network", "links", 0, "queue")),
        ("limits.utilisation", ("limits", "utilisation")),
        ("limits.layers", ("limits", "layers")),
    ],
)
def test_names_lead_to_fields(path: str, where: PathParts) -> None:
    assert find(data(), path) == [where]


def test_a_star_is_every_entry() -> None:
    assert find(data(), "devices.*.buffer") == [("devices", i, "buffer") for i in range(3)]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("service.plates.arrivals", "unknown field 'service'; did you mean 'services'?"),
        ("services.plats.arrivals", r"unknown service 'plats'; did you mean 'plates'\? \(allowed: bursts, people"),
        ("services.plates.arival", "did you mean 'arrivals'?"),
        ("services.people.arrivals.rat", "did you mean 'rate'?"),
        ("services.plates.arrivals.process", "write it as a mapping"),
        ("services.bursts.arrivals", r"arrivals\.states\.INDEX\.rate"),
        ("services.bursts.arrivals.states.2.rate", "there is no entry 2: 2 of them"),
        ("devices.hubb.buffer", "unknown device 'hubb'; did you mean 'hub'?"),
        ("devices.hub.outages.upp", "did you mean 'up'?"),
        ("devices.hub.buffer.size", "'buffer' is a single value"),
        ("network.radios.wifi.rate", "unknown radio 'wifi'; did you mean 'wifi-n'?"),
        ("network.links.hub-cloud.rate", "unknown link 'hub-cloud'; did you mean 'hub-cloud-1'?"),
        ("network.links.3.rate", "there is no link 3: 1 of them"),
        ("limits.utilization", "did you mean 'utilisation'?"),
        ("devices..buffer", "empty part"),
    ],
)
def test_what_is_unknown_is_said_with_the_nearest_name(path: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        find(data(), path)


def test_several_of_one_name_ask_for_an_index() -> None:
    document = data()
    document["network"]["radios"].append({"technology": "wifi-n", "range": "10 m"})
    with pytest.raises(InputError, match=r"several radios are called 'wifi-n'; name one by its index: 0, 1"):
        find(document, "network.radios.wifi-n.range")
    assert find(document, "network.radios.1.range") == [("network", "radios", 1, "range")]


def test_a_name_with_dots_is_found() -> None:
    document = data()
    document["network"]["radios"][0]["technology"] = "radios/my.radio.yaml"
    assert find(document, "network.radios.radios/my.radio.yaml.range") == [("network", "radios", 0, "range")]


def test_absent_lists_and_mappings() -> None:
    document = data()
    del document["network"]["links"], document["limits"]
    with pytest.raises(InputError, match="unknown link 'hub-cloud-1'"):
        find(document, "network.links.hub-cloud-1.rate")
    set_value(document, ("limits", "utilisation"), "70 %")
    set_value(document, ("devices", 0, "outages", "up"), "1 h")
    assert value_at(document, ("limits", "utilisation")) == "70 %"
    assert document["devices"][0]["outages"] == {"up": "1 h"}
    assert value_at(document, ("zones", "none")) is None


@pytest.mark.parametrize(
    ("vary", "written"),
    [
        ("services.plates.arrivals=1,2.5", ["1 /s", "2.5 /s"]),
        ("services.people.arrivals=30,90", ["30 /min", "90 /min"]),
        ("services.plates.arrivals=60,120 /min", ["60 /min", "120 /min"]),
        ("services.bursts.arrivals.states.0.mean=5,20", ["5 s", "20 s"]),
        ("devices.hub.buffer=5,memory", [5, "memory"]),
        ("devices.hub.buffer=1:50:8", [1, 8, 15, 22, 29, 36, 43, 50]),
        ("limits.utilisation=0.5:0.9:3", [0.5, 0.7, 0.9]),
        ("limits.utilisation=50:90:3 %", ["50 %", "70 %", "90 %"]),
        ("network.links.hub-cloud-1.rate=1:100:3:log", ["1 Mbit/s", "10 Mbit/s", "100 Mbit/s"]),
        ("network.links.hub-cloud-1.rate=500 kbit/s,1 Mbit/s", ["500 kbit/s", "1 Mbit/s"]),
        ("devices.hub.compute=true,false", [True, False]),
        ("services.plates.model=cnn-5,squeezenet", ["cnn-5", "squeezenet"]),
    ],
)
def test_values_take_the_unit_that_stands_there(tmp_path: Path, vary: str, written: list[Any]) -> None:
    text = INSTANCE.replace(", pins: {fc5: hub}", "")
    (axis,) = grid_of(tmp_path, vary, text=text).axes
    assert [row[0] for row in axis.values] == written
    assert [type(row[0]) for row in axis.values] == [type(value) for value in written]


@pytest.mark.parametrize(
    ("vary", "words"),
    [
        (["devices.hub.buffer=1:10:4,5"], "is no range"),
        (["devices.hub.buffer=1:10:3"], r"small.yaml:5 \$.devices\[1\].buffer: expected a number of jobs .* got 5.5"),
        (["services.plates.arrivals=-1,2"], r"small.yaml:11 \$.services\[0\].arrivals: '-1 /s' is out of range"),
        (["devices.cloud-1.outages.up=5,9"], r"outages.up: 5 has no unit"),
        (["devices.hub.reserve.memory=1,900 GiB"], r"the memory reserve .* is larger than the memory"),
        (["services.plates.model=cnn-5,cnn-6"], "unknown model 'cnn-6'; did you mean 'cnn-5'?"),
        (["services.plates.source=cam,nobody"], "unknown device 'nobody'"),
        (["devices.cam.position=1,2"], "is a list; name one value in it"),
        (["limits=1,2"], "is a mapping; name one value in it"),
        (["devices.hub.buffer=1,2", "devices.*.buffer=1,2"], "set the same field"),
        (["devices.hub.buffer=1:1000:999", "devices.cam.buffer=1:1000:999"], "at most 10000"),
        ([], "nothing to vary"),
    ],
)
def test_bad_points_are_told_as_in_the_file(tmp_path: Path, vary: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        grid_of(tmp_path, *vary)


def test_the_tip_names_the_point(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        grid_of(tmp_path, "devices.cam.buffer=3,4", "devices.hub.buffer=5,0")
    assert caught.value.tip == "at the point devices.cam.buffer = 3, devices.hub.buffer = 0"


def test_a_field_that_is_absent_is_set(tmp_path: Path) -> None:
    grid = grid_of(tmp_path, "devices.hub.outages.up=1,2 h", "devices.hub.outages.down=30 s")
    assert [point.data["devices"][1]["outages"] for point in grid.points] == [
        {"up": "1 h", "down": "30 s"},
        {"up": "2 h", "down": "30 s"},
    ]


def test_the_first_axis_runs_fastest_and_the_base_is_left_alone(tmp_path: Path) -> None:
    grid = grid_of(tmp_path, "devices.cam.buffer=1,2,3", "devices.hub.buffer=7,8")
    assert [p.index for p in grid.points] == [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1)]
    assert [(p.data["devices"][0]["buffer"], p.data["devices"][1]["buffer"]) for p in grid.points] == [
        (1, 7), (2, 7), (3, 7), (1, 8), (2, 8), (3, 8),
    ]  # fmt: skip
    assert grid.points[0].data is not grid.points[1].data
    again = compile_instance(read_instance(write(tmp_path)))
    assert again.instance.devices[0].buffer == 10
