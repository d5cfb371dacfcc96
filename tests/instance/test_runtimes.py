"""Inference runtimes: who names one, what it takes on which device, what is refused, what a plan's hash depends on."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placer.errors import InputError
from placer.evaluation.assumptions import assumptions
from placer.evaluation.evaluate import evaluate_placement
from placer.instance.compiled import Compiled, compile_instance
from placer.instance.device import DeviceType
from placer.instance.library import Library, shipped_names
from placer.instance.model import Model
from placer.instance.resolving import read_instance, resolve
from placer.instance.runtime import Runtime
from placer.instance.schema import InstanceFile
from placer.plan.placement import Placement
from tests.instance.build import board, chain, write_tree

MEMORY = {"heavy": (47e6, 10e6), "light": (5e6, 0.0), "none": (0.0, 0.0)}


def compiled(model: dict[str, Any], kind: dict[str, Any], device: dict[str, Any], service: dict[str, Any]) -> Compiled:
    library = Library(None)
    library.entries["model", "net"] = Model.model_validate(chain(3, **model))
    library.entries["device type", "board"] = DeviceType.model_validate(board(**kind))
    for name, (memory, container) in MEMORY.items():
        data = {"format": "placer/runtime/1", "name": name, "source": "test", "memory": memory, "container": container}
        library.entries["runtime", name] = Runtime.model_validate(data)
    file = {
        "format": "placer/instance/1",
        "devices": ({"name": "d", "type": "board", **device},),
        "services": ({"name": "s", "model": "net", "source": "d", **service},),
    }
    return compile_instance(resolve(InstanceFile.model_validate(file), library))


def given_by(name: str, value: Any) -> dict[str, Any]:
    return {} if value is None else {name: value}


runtimes = st.sampled_from([None, *MEMORY])
sizes = st.sampled_from([None, 0.0, 3e6])


@given(runtimes, sizes, runtimes, runtimes, runtimes, sizes, sizes, st.sampled_from(["arm64", "mcu"]))
def test_the_nearest_name_holds(
    of_model: str | None,
    stated: float | None,
    of_type: str | None,
    of_device: str | None,
    of_service: str | None,
    type_container: float | None,
    device_container: float | None,
    architecture: str,
) -> None:
    if of_model is not None or of_service is not None:
        stated = None
    if architecture == "mcu":
        type_container = device_container = None
    found = compiled(
        given_by("runtime", of_model) | given_by("runtime_memory", stated),
        given_by("runtime", of_type) | given_by("container", type_container) | {"architecture": architecture},
        given_by("runtime", of_device) | given_by("container", device_container),
        given_by("runtime", of_service),
    )
    named = of_service or of_model
    if named is None and stated is None:
        named = of_device or of_type
    resident, container = MEMORY[named] if named is not None else (stated or 0.0, 0.0)
    for size in (type_container, device_container):
        container = container if size is None else size
    if architecture == "mcu":
        container = 0.0
    assert found.variants[0].runtime_memory.tolist() == [resident + container]
    device = evaluate_placement(found, Placement((0,), ((0, 0, 0),)), "deterministic").devices[0]
    assert device.memory == pytest.approx(3e6 + resident + container)


@pytest.mark.parametrize("name", shipped_names("runtime"))
def test_shipped_runtimes_say_where_their_figures_come_from(name: str) -> None:
    runtime = Library().runtime(name)
    assert runtime.name == name
    assert any(word in runtime.source for word in ("Measured", "assumed", "Assumed", "definition"))
    assert ("ssumed" in runtime.source) == bool(runtime.assumed)


MODEL = """
format: placer/model/1
name: net
source: made up
input: 1 kB
layers: [{name: a, compute: 1 MMAC, output: 1 kB}]
"""
SITE = """
format: placer/instance/1
devices: [{name: d, type: raspberry-pi-4b}]
services: [{name: s, model: net, source: d}]
"""
ENGINE = "{format: placer/runtime/1, name: engine, source: made up, memory: 7 MB, container: 1 MB, assumed: [memory]}"


def test_a_file_beside_the_instance_is_found_by_name(tmp_path: Path) -> None:
    tree = {"instance.yaml": SITE.replace("source: d", "source: d, runtime: engine"), "net.yaml": MODEL}
    path = write_tree(tmp_path, {**tree, "engine.yaml": ENGINE})
    found = compile_instance(read_instance(path))
    assert found.variants[0].runtime_memory.tolist() == [8e6]
    assert "runtime engine: memory" in assumptions(found, Placement((0,), ((0,),)))


@pytest.mark.parametrize(
    ("instance", "model", "problem"),
    [
        (SITE.replace("source: d", "source: d, runtime: onnxruntim"), MODEL, r"services\[0\].runtime.*'onnxruntime'"),
        (SITE.replace("4b}", "4b, runtime: nccn}"), MODEL, r"devices\[0\].runtime.*did you mean 'ncnn'"),
        (SITE, MODEL + "runtime: nothing\n", r"services\[0\].model.*unknown runtime 'nothing'"),
        (SITE, MODEL + "runtime: ncnn\nruntime_memory: 1 MB\n", "say the same thing"),
        (
            SITE.replace("source: d", "source: d, runtime: ncnn"),
            MODEL + "runtime_memory: 1 MB\n",
            r"services\[0\].runtime.*states its 'runtime_memory'",
        ),
        (SITE.replace("raspberry-pi-4b}", "stm32h747, container: 1 MB}"), MODEL, "has no containers"),
    ],
)
def test_bad_runtimes(tmp_path: Path, instance: str, model: str, problem: str) -> None:
    path = write_tree(tmp_path, {"instance.yaml": instance, "net.yaml": model})
    with pytest.raises(InputError) as caught:
        read_instance(path)
    assert re.search(problem, "\n".join(str(one) for one in caught.value.problems)), caught.value.problems


def test_the_hash_knows_figures_and_not_names_of_files(tmp_path: Path) -> None:
    plain = write_tree(tmp_path / "a", {"instance.yaml": SITE, "net.yaml": MODEL})
    named = SITE.replace("4b}", "4b, runtime: engine}")
    one = write_tree(tmp_path / "b", {"instance.yaml": named, "net.yaml": MODEL, "engine.yaml": ENGINE})
    other = named.replace("engine", "rt/mine.yaml")
    moved = write_tree(tmp_path / "c", {"instance.yaml": other, "net.yaml": MODEL, "rt/mine.yaml": ENGINE})
    larger = ENGINE.replace("7 MB", "8 MB")
    changed = write_tree(tmp_path / "d", {"instance.yaml": named, "net.yaml": MODEL, "engine.yaml": larger})
    hashes = [read_instance(path).meaning_hash for path in (plain, one, moved, changed)]
    assert hashes[1] == hashes[2]
    assert len(set(hashes)) == 3


def test_services_of_different_runtimes_share_nothing(tmp_path: Path) -> None:
    two = SITE.replace("services: [", "services: [{name: t, model: net, source: d, runtime: ncnn}, ")
    path = write_tree(tmp_path, {"instance.yaml": two, "net.yaml": MODEL})
    found = compile_instance(read_instance(path))
    assert found.sharing.alone == (True, True)
