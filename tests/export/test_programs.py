"""Services that share loaded weights are one container in manifests; the others are one each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import kubernetes_validate
import numpy as np
import pytest
import yaml

from placer.api import compiled_of, plan
from placer.errors import InputError
from placer.export import compose, kubernetes
from placer.export.parts import parts_of
from placer.export.programs import programs_of
from placer.instance.compiled import Compiled
from placer.plan.placement import Placement
from placer.plan.plan import Certificate, Plan, make_plan
from tests.random_instances import random_instance

IMAGE = "registry.example/edge-node:1.0"

SITE = """
format: placer/instance/1
devices:
  - {name: hub, type: raspberry-pi-4b, container: 10 MB}
  - {name: cam, type: raspberry-pi-zero-2-w, replicas: 20}
network: {links: [{between: [cam-*, hub], rate: 20 Mbit/s}]}
services:
  - {name: look, model: alexnet, sources: [cam-1, cam-2], sink: hub, arrivals: 0.2 /s, pins: {"*": hub}}
  - {name: part, model: alexnet, sources: [cam-3, cam-4], sink: hub, pins: {conv1: "cam-*", conv2..fc8: hub}}
  - {name: more, model: alexnet, sources: [cam-5, cam-6, cam-7, cam-8, cam-9, cam-10, cam-11, cam-12, cam-13, cam-14],
     sink: hub, pins: {"*": hub}}
  - {name: last, model: alexnet, source: cam-20, sink: hub, pins: {"*": hub}, share: false}
"""  # fmt: skip


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, Compiled]:
    path = tmp_path_factory.mktemp("site") / "site.yaml"
    path.write_text(SITE, encoding="utf-8")
    return plan(path, objective="latency").plan, compiled_of(path)


def test_kubernetes_loads_weights_once(planned: tuple[Plan, Compiled]) -> None:
    files = kubernetes.write(*planned, image=IMAGE)
    documents: list[dict[str, Any]] = [d for text in files.values() for d in yaml.safe_load_all(text)]
    for document in documents:
        if document["kind"] != "Kustomization":
            kubernetes_validate.validate(document, "1.31", strict=True)
    deployments = {d["metadata"]["name"]: d for d in documents if d["kind"] == "Deployment"}
    services = {d["metadata"]["name"]: d for d in documents if d["kind"] == "Service"}
    configs = {d["metadata"]["name"]: d["data"] for d in documents if d["kind"] == "ConfigMap"}
    assert set(deployments) == {"alexnet-shared-1", "last-1", "part-cam-3-1", "part-cam-4-1"}
    shared = deployments["alexnet-shared-1"]["spec"]["template"]
    [container] = shared["spec"]["containers"]
    assert container["resources"]["limits"]["memory"] == f"{-(-(243_860_576 + 10_000_000) // 2**20)}Mi"
    paths = container["env"][0]["value"].split(":")
    assert [path.removeprefix("/etc/placer/") for path in paths] == list(configs["alexnet-shared-1"])
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert len(paths) == len(ports) == 14
    for path in paths:
        facts = json.loads(configs["alexnet-shared-1"][path.removeprefix("/etc/placer/")])
        service = services[facts["fragment"]]["spec"]
        assert service["selector"] == shared["metadata"]["labels"]
        assert ports[service["ports"][0]["targetPort"]] == facts["listen"]["port"]
    sent = json.loads(configs["part-cam-3-1"]["fragment.json"])["sends"]
    assert [one["to"].get("address") for one in sent] == ["part-cam-3-2:8080"]
    alone = deployments["last-1"]["spec"]["template"]["spec"]["containers"][0]
    assert alone["env"] == [{"name": "PLACER_FRAGMENT", "value": "/etc/placer/fragment.json"}]


def test_compose_loads_weights_once(planned: tuple[Plan, Compiled]) -> None:
    files = {path: yaml.safe_load(text) for path, text in compose.write(*planned, image=IMAGE).items()}
    hub = files["compose/hub.yaml"]
    assert set(hub["services"]) == {"alexnet-shared-1", "last-1"}
    shared = hub["services"]["alexnet-shared-1"]
    names = shared["networks"]["default"]["aliases"]
    assert len(names) == len(shared["ports"]) == len(shared["configs"]) == 14
    outside = [way.split(":")[0] for service in hub["services"].values() for way in service["ports"]]
    assert len(set(outside)) == 15
    for name, way, config in zip(names, shared["ports"], shared["configs"], strict=True):
        facts = json.loads(hub["configs"][config["source"]]["content"])
        assert (facts["fragment"], str(facts["listen"]["port"])) == (name, way.split(":")[1])
    camera = json.loads(files["compose/cam-3.yaml"]["configs"]["part-cam-3-1"]["content"])
    published = dict(zip(names, shared["ports"], strict=True))["part-cam-3-2"].split(":")[0]
    assert camera["sends"][0]["to"]["address"] == f"hub:{published}"


HEAVY = """
format: placer/model/1
name: heavy
source: made up
input: 1 kB
layers: [{name: a, compute: 1 MMAC, weights: 100 MB, activations: 80 MB, output: 1 kB}]
"""
TWO = """
format: placer/instance/1
devices: [{name: hub, type: raspberry-pi-4b, memory: 700 MB, container: 10 MB}]
services:
  - {name: one, model: heavy, source: hub, share: false}
  - {name: other, model: heavy, source: hub, share: false}
"""


@pytest.mark.parametrize(("memory", "fits"), [("700 MB", True), ("670 MB", False)])
def test_containers_that_do_not_fit(tmp_path: Path, memory: str, fits: bool) -> None:
    """A plan counts the working memory of a unit once (300 MB with containers); two containers have it twice."""
    path = tmp_path / "site.yaml"
    path.write_text(TWO.replace("700 MB", memory), encoding="utf-8")
    (tmp_path / "heavy.yaml").write_text(HEAVY, encoding="utf-8")
    found, compiled = plan(path, objective="latency").plan, compiled_of(path)
    if fits:
        assert kubernetes.write(found, compiled, image=IMAGE)
        return
    with pytest.raises(InputError, match="device 'hub' ask for 364 MiB"):
        kubernetes.write(found, compiled, image=IMAGE)


@pytest.mark.parametrize("seed", range(30))
def test_what_is_planned_is_what_is_exported(seed: int) -> None:
    """Weights, runtimes and containers of all programs of a device are what the evaluator counts there."""
    compiled = random_instance(seed, site=True)
    rng = np.random.default_rng(seed)
    choice = tuple(int(rng.choice(group)) for group in compiled.service_variants)
    stations = tuple(
        tuple(rng.integers(len(compiled.stations), size=len(compiled.variants[one])).tolist()) for one in choice
    )
    placement = Placement(choice, stations)
    certificate = Certificate(method="given", termination="given", objectives=(), seconds=0.0, seed=0)
    parts = parts_of(make_plan(compiled, placement, certificate), compiled)
    held = dict.fromkeys(compiled.device_names, 0.0)
    for program in programs_of(compiled, parts, range(len(parts.parts))):
        held[program.device] += program.memory - program.activations
    counted = compiled.stores.ram(compiled.sharing.kept(choice, stations))
    assert list(held.values()) == pytest.approx(counted.tolist())


def test_the_note_names_the_runtime_or_says_that_none_is_named(tmp_path: Path) -> None:
    notes = []
    for more in ("", ", runtime: onnxruntime"):
        path = tmp_path / f"site{len(notes)}.yaml"
        path.write_text(TWO.replace("700 MB", "1 GB").replace("false}\n", f"false{more}}}\n"), encoding="utf-8")
        (tmp_path / "heavy.yaml").write_text(HEAVY, encoding="utf-8")
        found, compiled = plan(path, objective="latency").plan, compiled_of(path)
        text = kubernetes.write(found, compiled, image=IMAGE)["kubernetes/one-1.yaml"]
        deployment = next(one for one in yaml.safe_load_all(text) if one["kind"] == "Deployment")
        notes.append(deployment["metadata"]["annotations"]["placer.dev/memory"])
        config = next(one for one in yaml.safe_load_all(text) if one["kind"] == "ConfigMap")
        assert json.loads(config["data"]["fragment.json"]).get("runtime") == (more[-11:] or None)
    assert "no runtime is named" in notes[0]
    assert "runtime onnxruntime 47.7 MB" in notes[1]
    assert "no runtime" not in notes[1]
