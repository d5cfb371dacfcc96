"""A site in ten lines is the same as the site in two hundred; messages name the lines of the ten."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from placer.errors import InputError
from placer.instance.compiled import compile_instance
from placer.instance.instance import Instance
from placer.instance.resolving import read_instance

SHORT = """
format: placer/instance/1
devices:
  - {name: hub, type: raspberry-pi-4b}
  - {name: cam, type: esp32-s3, replicas: 3, position: [1 m, 2 m]}
  - {name: gate, type: esp32-s3}
network:
  radios: [{technology: wifi-n, devices: [cam-*]}]
  links:
    - {between: [cam-*, hub], rate: {up: 20 Mbit/s, down: 1 Mbit/s}}
    - {between: [gate, hub], rate: 9 Mbit/s}
zones: {yard: [cam-*, gate]}
services:
  - {name: look, model: alexnet, sources: [{device: cam-*, arrivals: 2 /s}, gate], sink: hub, arrivals: 1 /s,
     forbid: {conv1: [cam-*]}, pins: {fc8: hub/cpu}}
  - {name: door, model: cnn-5, source: gate, privacy: {until: conv2, zone: [cam-*, gate]}}
"""

LONG = """
format: placer/instance/1
devices:
  - {name: hub, type: raspberry-pi-4b}
  - {name: cam-1, type: esp32-s3, position: [1 m, 2 m]}
  - {name: cam-2, type: esp32-s3, position: [1 m, 2 m]}
  - {name: cam-3, type: esp32-s3, position: [1 m, 2 m]}
  - {name: gate, type: esp32-s3}
network:
  radios: [{technology: wifi-n, devices: [cam-1, cam-2, cam-3]}]
  links:
    - {between: [cam-1, hub], rate: {up: 20 Mbit/s, down: 1 Mbit/s}}
    - {between: [cam-2, hub], rate: {up: 20 Mbit/s, down: 1 Mbit/s}}
    - {between: [cam-3, hub], rate: {up: 20 Mbit/s, down: 1 Mbit/s}}
    - {between: [gate, hub], rate: 9 Mbit/s}
zones: {yard: [cam-1, cam-2, cam-3, gate]}
services:
  - {name: look-cam-1, model: alexnet, source: cam-1, sink: hub, arrivals: 2 /s,
     forbid: {conv1: [cam-1, cam-2, cam-3]}, pins: {fc8: hub/cpu}}
  - {name: look-cam-2, model: alexnet, source: cam-2, sink: hub, arrivals: 2 /s,
     forbid: {conv1: [cam-1, cam-2, cam-3]}, pins: {fc8: hub/cpu}}
  - {name: look-cam-3, model: alexnet, source: cam-3, sink: hub, arrivals: 2 /s,
     forbid: {conv1: [cam-1, cam-2, cam-3]}, pins: {fc8: hub/cpu}}
  - {name: look-gate, model: alexnet, source: gate, sink: hub, arrivals: 1 /s,
     forbid: {conv1: [cam-1, cam-2, cam-3]}, pins: {fc8: hub/cpu}}
  - {name: door, model: cnn-5, source: gate, privacy: {until: conv2, zone: [cam-1, cam-2, cam-3, gate]}}
"""


SECOND = "9 Mbit/s}\n    - {between: [hub, cam-2], rate: 1 Mbit/s}"


def read(folder: Path, text: str) -> Instance:
    path = folder / "site.yaml"
    path.write_text(text, encoding="utf-8")
    return read_instance(path)


def test_short_and_long_mean_the_same(tmp_path: Path) -> None:
    short, long = read(tmp_path, SHORT), read(tmp_path, LONG)
    assert short.file == long.file
    assert short.meaning_hash == long.meaning_hash
    assert len(compile_instance(short).variants) == 5


@pytest.mark.parametrize(
    ("old", "new", "line", "path", "words"),
    [
        ("type: esp32-s3, rep", "type: esp33, rep", 5, "$.devices[1].type", "unknown device type 'esp33'"),
        ("9 Mbit/s}", SECOND, 12, "$.network.links[2].between", "have a link already"),
        ("[cam-*, hub]", "[cam-*, h*]", 10, "$.network.links[0].between", "a pattern at both ends"),
        ("[cam-*, hub]", "[cam-*, hup]", 10, "$.network.links[0].between[1]", "unknown device 'hup'; did you"),
        ("{device: cam-*,", "{device: kam-*,", 14, "$.services[0].source", "unknown device 'kam-*'; did you mean"),
        (", gate], sink", ", cam-2], sink", 14, "$.services[0].sources[1]", "device 'cam-2' is a source twice"),
        ("pins: {fc8:", "pins: {fc9:", 15, "$.services[0].pins.fc9", "unknown layer 'fc9'"),
        ("model: cnn-5, source: gate", "model: cnn-5", 16, "$.services[1]", "a service needs a 'source' or 'sources'"),
        ("replicas: 3", "replicas: 1000", 4, "$.devices", "replicas and sources make more than 1000 devices"),
        ("name: look", "name: look" + "k" * 58, 14, "$.services[0].name", "that it makes is longer than 63 characters"),
    ],
)  # fmt: skip
def test_messages_name_what_is_written(tmp_path: Path, old: str, new: str, line: int, path: str, words: str) -> None:
    assert old in SHORT
    with pytest.raises(InputError) as caught:
        read(tmp_path, SHORT.replace(old, new))
    assert any(p.line == line and p.path == path and words in p.message for p in caught.value.problems), caught.value


def test_a_short_file_cannot_ask_for_millions(tmp_path: Path) -> None:
    many = "\n".join(f"  - {{name: d{n}, type: esp32-s3, replicas: 1000000000}}" for n in range(20))
    links = "\n".join(f"    - {{between: [d{n}-1, '*'], rate: 1 Mbit/s}}" for n in range(500))
    head = f"format: placer/instance/1\ndevices:\n{many}\nnetwork:\n  links:\n{links}\n"
    start = time.process_time()
    with pytest.raises(InputError) as caught:
        read(tmp_path, head + "services:\n  - {name: s, model: cnn-5, sources: '*'}\n")
    assert time.process_time() - start < 20
    words = " ".join(problem.message for problem in caught.value.problems)
    assert "more than 1000 devices" in words
    assert "more than 20000 links" in words
