"""From measurements to files: what is written is valid input, says what was measured, and can be planned with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from placer.api import compiled_of, plan
from placer.errors import InputError
from placer.instance.device import DeviceType
from placer.instance.library import Library, shipped_root
from placer.instance.model import Model
from placer.instance.reading import read_document, validate
from placer.profiling.calibration.bases import Bases
from placer.profiling.calibration.calibration import Calibration, Options, calibrate
from placer.profiling.calibration.folder import claim_folder
from placer.profiling.calibration.formats.text import Names
from placer.profiling.calibration.written import files_of
from tests.profiling.calibration.test_formats import LLAMA, PROMPT

ALEXNET = {"conv1": 3.2, "conv2": 6.5, "conv3": 4.4, "conv4": 3.3, "conv5": 2.2, "fc6": 12.1, "fc7": 5.4, "fc8": 1.4}


def table(folder: Path, rows: list[dict[str, Any]]) -> Path:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    path = folder / "measured.csv"
    lines = [columns, *([row.get(column, "") for column in columns] for row in rows)]
    path.write_text("".join(",".join(map(str, line)) + "\n" for line in lines), encoding="utf-8")
    return path


def layers(device: str = "raspberry-pi-5", factor: float = 1.0, runs: int = 2) -> list[dict[str, Any]]:
    return [
        {
            "device": device,
            "model": "alexnet",
            "layer": name,
            "seconds": factor * ms * (1 + 0.02 * run) / 1e3,
            "run": run,
        }
        for run in range(runs)
        for name, ms in ALEXNET.items()
    ]


def written(folder: Path, found: Calibration) -> list[str]:
    files, notes = files_of(found)
    claim_folder(folder / "out", files, False).write()
    return notes


def device(folder: Path, name: str) -> DeviceType:
    return validate(DeviceType, read_document(folder / "out" / "devices" / f"{name}.yaml"))


def model(folder: Path, name: str) -> Model:
    return validate(Model, read_document(folder / "out" / "models" / f"{name}.yaml"))


def test_layers_of_a_known_model_on_a_known_device(tmp_path: Path) -> None:
    found = calibrate([table(tmp_path, layers())], Options())
    assert not written(tmp_path, found)
    made, shipped = model(tmp_path, "alexnet"), Library().model("alexnet")
    for one, before in zip(made.alternatives[0].layers, shipped.alternatives[0].layers, strict=True):
        assert one.times["raspberry-pi-5"] == pytest.approx(ALEXNET[one.name] * 1.01 / 1e3, rel=1e-6)
        assert isinstance(one.scv, dict)
        assert one.scv["raspberry-pi-5"] == pytest.approx(2 * (0.01 / 1.01) ** 2, rel=1e-4)
        assert (one.compute, one.weights, one.output, one.inputs) == (
            before.compute,
            before.weights,
            before.output,
            before.inputs,
        )
    kind, before_kind = device(tmp_path, "raspberry-pi-5"), Library().device_type("raspberry-pi-5")
    (unit,) = kind.units
    (fitted, _), *_ = found.fits.values()
    assert fitted is not None
    assert fitted.speed is not None
    assert fitted.bandwidth is not None
    assert unit.speed == pytest.approx(fitted.speed.value, rel=1e-5)
    assert unit.bandwidth == pytest.approx(fitted.bandwidth.value, rel=1e-5)
    assert 12e9 < unit.bandwidth < 14e9  # fc6: 151 MB in 12.2 ms
    assert set(unit.speeds) == {"resnet-50"}  # of another network: it stays; AlexNet's own gives way to the fit
    assert (kind.memory, kind.power, kind.reserve) == (before_kind.memory, before_kind.power, before_kind.reserve)
    assert "measured.csv" in kind.source


def test_predictions_are_work_over_shipped_speeds(tmp_path: Path) -> None:
    found = calibrate([table(tmp_path, layers())], Options())
    for one in found.compared:
        layer = next(x for x in Library().model("alexnet").alternatives[0].layers if x.name == one.series.thing.layer)
        assert layer.compute is not None
        assert one.predicted == pytest.approx(layer.compute / 34e9)
        assert one.error == pytest.approx(one.predicted / one.series.seconds - 1)
        assert one.basis == "speed"
    assert found.median_error == pytest.approx(0.03, abs=0.03)


def test_a_plan_with_the_written_files(tmp_path: Path) -> None:
    rows = layers() + layers("my-board", 3.0)
    options = Options(memory={"my-board": 1e9})
    written(tmp_path, calibrate([table(tmp_path, rows)], options))
    site = """
format: placer/instance/1
devices:
  - {name: near, type: devices/my-board}
  - {name: far, type: devices/raspberry-pi-5.yaml}
network: {links: [{between: [near, far], rate: 1 Gbit/s, latency: 1 ms}]}
services: [{name: look, model: models/alexnet, source: near}]
"""
    (tmp_path / "out" / "site.yaml").write_text(site, encoding="utf-8")
    answer = plan(tmp_path / "out" / "site.yaml", objective="latency")
    (service,) = answer.evaluation.services
    assert service.processing == pytest.approx(sum(ALEXNET.values()) * 1.01 / 1e3, rel=1e-5)
    compiled = compiled_of(str(tmp_path / "out" / "site.yaml"))
    assert compiled.variants[0].time[:, 0] == pytest.approx(3 * compiled.variants[0].time[:, 1], rel=1e-5)
    assert not compiled.variants[0].assumed.any()
    assert (compiled.variants[0].scv > 0).all()


def test_builds_become_alternatives_and_the_planner_chooses(tmp_path: Path) -> None:
    rows = [
        {"device": "box", "model": "net", "seconds": 0.2, "joules": 0.9, "runtime": "tflite", "precision": "int8"},
        {"device": "box", "model": "net", "seconds": 0.1, "joules": 1.5, "runtime": "onnxruntime"},
    ]
    notes = written(tmp_path, calibrate([table(tmp_path, rows)], Options(memory={"": 4e9})))
    assert "the bytes of its tensors are not known" in notes[0]
    made = model(tmp_path, "net")
    assert [(one.name, one.runtime) for one in made.alternatives] == [
        ("tflite-int8", "tflite"),
        ("onnxruntime", "onnxruntime"),
    ]
    assert all("output" in one.layers[0].assumed for one in made.alternatives)
    site = "format: placer/instance/1\ndevices: [{name: d, type: devices/box}]\n"
    site += "services: [{name: s, model: models/net, source: d}]\n"
    (tmp_path / "out" / "site.yaml").write_text(site, encoding="utf-8")
    for objective, name in (("latency", "onnxruntime"), ("energy", "tflite-int8")):
        (service,) = plan(tmp_path / "out" / "site.yaml", objective=objective).evaluation.services
        assert service.alternative == name
    assert service.energy == pytest.approx(0.9)


def test_a_build_of_a_shipped_model_is_held_against_that_build(tmp_path: Path) -> None:
    rows = [
        {
            "device": "raspberry-pi-5",
            "model": "vitpose-deit-small",
            "seconds": 0.21,
            "runtime": "tvm",
            "precision": "float32",
        },
    ]
    (one,) = calibrate([table(tmp_path, rows)], Options()).compared
    assert (one.predicted, one.basis) == (pytest.approx(0.820422), "times")


def test_whole_models_give_speeds_by_family(tmp_path: Path) -> None:
    rows = [{"device": "raspberry-pi-5", "model": "resnet-50", "seconds": 0.05}]
    found = calibrate([table(tmp_path, rows)], Options())
    (note,) = written(tmp_path, found)
    assert "no model file is written" in note
    assert not (tmp_path / "out" / "models").exists()
    macs = sum(layer.compute or 0 for layer in Library().model("resnet-50").alternatives[0].layers)
    (unit,) = device(tmp_path, "raspberry-pi-5").units
    assert unit.speeds["resnet-50"] == pytest.approx(macs / 0.05, rel=1e-5)
    assert unit.speeds["alexnet"] == 34e9
    assert unit.speed == 34e9


def test_idle_power_is_taken_off(tmp_path: Path) -> None:
    rows = [{"device": "box", "model": "net", "seconds": 0.5, "joules": joules} for joules in (3.0, 4.0)]
    options = Options(memory={"": 4e9}, idle=2.0)
    written(tmp_path, calibrate([table(tmp_path, rows)], options))
    (layer,) = model(tmp_path, "net").alternatives[0].layers
    assert layer.energy["box"] == pytest.approx(2.5)
    power = device(tmp_path, "box").power
    assert power is not None
    assert (power.idle, power.load) == (2.0, 7.0)
    with pytest.raises(
        InputError, match=r"3 J in 0.5 s is less than the 7 W of --idle; at least 3.5 J is allowed"
    ) as caught:
        calibrate([tmp_path / "measured.csv"], Options(idle=7.0))
    assert caught.value.problems[0].line == 2


def test_a_language_model(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    path.write_text(json.dumps([PROMPT, LLAMA]), encoding="utf-8")
    written(tmp_path, calibrate([path], Options(memory={"": 16e9})))
    kind = device(tmp_path, "nvidia-geforce-rtx-4080")
    (unit,) = kind.units
    assert unit.name == "gpu"
    assert unit.bandwidth == pytest.approx(4677120000 * 118.88, rel=2e-3)  # bytes x tokens/s
    assert unit.speed == pytest.approx(7615616512 * 512 / 0.07311740, rel=1e-4)
    (token,) = model(tmp_path, "qwen2-5-7b-instruct-q4-k-m-token").alternatives
    assert token.runtime == "llama.cpp"
    assert token.layers[0].times["nvidia-geforce-rtx-4080/gpu"] == pytest.approx(1 / 118.88, rel=1e-3)
    assert token.layers[0].assumed == ("scv",)


def test_sizes_of_several_language_models_give_a_time_beside(tmp_path: Path) -> None:
    tests = [
        LLAMA | {"model_filename": f"m{size}.gguf", "model_size": size, "samples_ns": [128 * (size / 100 + 2e6)]}
        for size in (10**9, 4 * 10**9, 9 * 10**9)
    ]
    path = tmp_path / "bench.jsonl"
    path.write_text("\n".join(map(json.dumps, tests)), encoding="utf-8")
    found = calibrate([path], Options(memory={"": 16e9}))
    ((_, reading),) = found.fits.values()
    assert reading is not None
    assert reading.bandwidth is not None
    assert reading.overhead is not None
    assert reading.bandwidth.value == pytest.approx(100e9, rel=1e-6)
    assert reading.overhead.value == pytest.approx(2e-3, rel=1e-6)
    assert all(one.fitted == pytest.approx(one.series.seconds, rel=1e-6) for one in found.compared)
    written(tmp_path, found)
    (unit,) = device(tmp_path, "nvidia-geforce-rtx-4080").units
    assert unit.overhead == 0  # it is one of a token, not of a layer
    assert "2 ms a token beside" in device(tmp_path, "nvidia-geforce-rtx-4080").source.replace("\n", " ").replace(
        "(2 to 2) ", ""
    )


def test_files_of_the_user_are_bases(tmp_path: Path) -> None:
    net = yaml.safe_load((shipped_root() / "models" / "cnn-5.yaml").read_text(encoding="utf-8"))
    net["name"] = "mine"
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(net, sort_keys=False), encoding="utf-8")
    names = [layer["name"] for layer in net["layers"]]
    rows = [{"device": "box", "model": "mine", "layer": name, "seconds": 0.01} for name in names]
    options = Options(bases=Bases.of([tmp_path / "mine.yaml"], {"box": "raspberry-pi-4b"}))
    found = calibrate([table(tmp_path, rows)], options)
    assert all(one.predicted is not None for one in found.compared)
    written(tmp_path, found)
    assert [layer.times["box"] for layer in model(tmp_path, "mine").alternatives[0].layers] == [0.01] * len(names)
    kind = device(tmp_path, "box")
    assert kind.memory == Library().device_type("raspberry-pi-4b").memory
    other = [{"device": "box", "model": "yours", "seconds": 1}]
    with pytest.raises(InputError, match=r"unknown measured model 'mine' \(allowed: yours\)"):
        calibrate([table(tmp_path, other)], options)
    rows[2]["layer"] = "conv9"
    with pytest.raises(InputError, match=r"unknown layer 'conv9'.*in model 'mine'") as caught:
        calibrate([table(tmp_path, rows)], options)
    assert caught.value.problems[0].line == 4
    with pytest.raises(InputError, match="unknown format"):
        Bases.of([tmp_path / "measured.csv"], {})


def test_memory_is_never_made_up(tmp_path: Path) -> None:
    found = calibrate([table(tmp_path, [{"device": "box", "model": "net", "seconds": 1}])], Options())
    with pytest.raises(InputError, match="how much memory device 'box' has is not known"):
        files_of(found)


def test_sizes_in_the_table_make_a_whole_model(tmp_path: Path) -> None:
    rows = [
        {
            "device": "box",
            "layer": f"l{i}",
            "seconds": 0.01 * (i + 1),
            "macs": 1e8 * (i + 1),
            "weights": 1e6,
            "output": 2e3,
        }
        | ({"input": 5e3} if i == 0 else {})
        for i in range(4)
    ]
    notes = written(tmp_path, calibrate([table(tmp_path, rows)], Options(memory={"": 4e9}, names=Names(model="net"))))
    assert not notes
    (graph,) = model(tmp_path, "net").alternatives
    assert graph.input == 5e3
    assert [layer.compute for layer in graph.layers] == [1e8, 2e8, 3e8, 4e8]
    assert not any(layer.assumed for layer in graph.layers)
    (unit,) = device(tmp_path, "box").units
    assert unit.speed == pytest.approx(1e10, rel=1e-6)


def test_several_files_are_one_set(tmp_path: Path) -> None:
    first = table(tmp_path, layers(runs=1)).rename(tmp_path / "first.csv")
    second = table(tmp_path, [row | {"seconds": row["seconds"] * 1.5} for row in layers(runs=1)])
    found = calibrate([first, second], Options())
    assert all(one.series.count == 2 for one in found.compared)
    with pytest.raises(InputError, match="is named twice"):
        calibrate([first, first], Options())
