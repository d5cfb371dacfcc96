"""Accelerators, probes, tolerations, pull policies in manifests: valid against the schemas, there where planned."""

from __future__ import annotations

import json
from importlib.resources import files as resource
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from placer.errors import InputError
from placer.export import compose, kubernetes
from placer.instance.compiled import Compiled
from placer.instance.library import Library, shipped_names
from placer.instance.resolving import read_instance
from placer.plan.plan import Plan
from tests.cli.run import placer
from tests.export.helpers import IMAGE, plan_of
from tests.instance.build import board, chain, compiled_from, write_tree

CPU = {"name": "cpu", "cores": 4, "speed": 1e9}
SERVICE = {"model": "net", "source": "hub", "arrivals": {"rate": 2.0}}


def site(unit: dict[str, Any], *services: dict[str, Any], hub: dict[str, Any] | None = None, **file: Any) -> Compiled:
    """A hub with a processor and another unit, and a plain board beside it."""
    types = {"both": board(units=(CPU, {"speed": 1e10, **unit})), "plain": board(units=(CPU,))}
    devices = [{"name": "hub", "type": "both", **(hub or {})}, {"name": "side", "type": "plain"}]
    network = {"links": ({"between": ("hub", "side"), "rate": 1e7},)}
    streams = [{"name": f"s{index}", **SERVICE, **service} for index, service in enumerate(services or ({},))]
    return compiled_from(devices, streams, models={"net": chain(3)}, types=types, network=network, **file)


def deployments(files: dict[str, str]) -> dict[str, dict[str, Any]]:
    """All Deployments, everything else valid too."""
    found = {}
    for path, text in files.items():
        for document in yaml.safe_load_all(text) if "kustomization" not in path and path.endswith(".yaml") else ():
            for version in ("1.29", "1.33"):
                kubernetes_validate.validate(document, version, strict=True)
            if document["kind"] == "Deployment":
                found[document["metadata"]["name"]] = document
    return found


def pod_of(deployment: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    spec: dict[str, Any] = deployment["spec"]["template"]["spec"]
    [container] = spec["containers"]
    return spec, container


def composed(plan: Plan, compiled: Compiled, **options: Any) -> dict[str, dict[str, Any]]:
    """The Compose services of all devices, valid against the specification."""
    schema = json.loads((resource("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json").read_text())
    validator = jsonschema.validators.validator_for(schema)(schema)
    found: dict[str, dict[str, Any]] = {}
    for path, text in compose.write(plan, compiled, image=IMAGE, **options).items():
        if path.startswith("compose/"):
            body = yaml.safe_load(text)
            validator.validate(body)
            found |= body["services"]
    return found


GPU = {"name": "gpu", "accelerator": "nvidia"}


@pytest.mark.parametrize(
    ("unit", "asked", "mounted", "devices"),
    [
        (GPU, "nvidia.com/gpu", [], None),
        ({"name": "tpu", "accelerator": "coral"}, None, ["/dev/apex_0"], ["/dev/apex_0:/dev/apex_0"]),
        ({"name": "npu", "accelerator": "hailo"}, None, ["/dev/hailo0"], ["/dev/hailo0:/dev/hailo0"]),
        (
            {"name": "tpu", "accelerator": "coral", "resource": ("squat.ai/coral-edgetpu", "/dev/bus/usb")},
            "squat.ai/coral-edgetpu",
            [],
            ["/dev/bus/usb:/dev/bus/usb"],
        ),
        ({"name": "vpu", "accelerator": "other", "resource": ("/dev/mx0",)}, None, ["/dev/mx0"], ["/dev/mx0:/dev/mx0"]),
    ],
)
def test_what_a_container_asks_for(
    unit: dict[str, Any], asked: str | None, mounted: list[str], devices: list[str] | None
) -> None:
    compiled = site(unit)
    plan = plan_of(compiled, f"hub/cpu hub/{unit['name']} side")
    files = kubernetes.write(plan, compiled, image=IMAGE)
    found = deployments(files)
    assert set(found) == {"s0-1", "s0-3"}  # the fragments on the hub are one process
    spec, container = pod_of(found["s0-1"])
    resources = container["resources"]
    extended = {key for key in resources["limits"] if "/" in key}
    assert extended == ({asked} if asked else set())
    assert all(resources["requests"][key] == resources["limits"][key] == 1 for key in extended)
    paths = [volume["hostPath"]["path"] for volume in spec["volumes"] if "hostPath" in volume]
    assert paths == mounted == [mount["mountPath"] for mount in container["volumeMounts"][1:]]
    assert ("securityContext" in container) == bool(mounted)
    assert spec.get("runtimeClassName") == ("nvidia" if unit["accelerator"] == "nvidia" else None)
    notes = found["s0-1"]["metadata"]["annotations"]
    assert (asked or mounted[0]) in notes["placer.dev/accelerator"]
    assert notes["placer.dev/device"] == f"hub, unit cpu, {unit['name']}"
    # 100 ms a request on the processor, twice a second, 4 cores; nothing for the accelerator
    assert resources["requests"]["cpu"] == "800m"
    other, plain = pod_of(found["s0-3"])
    assert "runtimeClassName" not in other
    assert set(plain["resources"]["limits"]) == {"memory"}
    services = composed(plan, compiled)
    assert services["s0-1"].get("devices") == devices
    reserved = services["s0-1"].get("deploy", {}).get("resources", {}).get("reservations", {})
    # compose-go refuses distinct values of the two
    assert reserved.get("memory", services["s0-1"]["mem_reservation"]) == services["s0-1"]["mem_reservation"]
    assert ("memory" in reserved) == ("devices" in reserved)
    graphics = reserved.get("devices")
    nvidia = [{"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}]
    assert graphics == (nvidia if unit["accelerator"] == "nvidia" else None)
    assert not {"devices", "deploy"} & set(services["s0-3"])


def test_two_processes_on_one_accelerator_are_refused_unless_its_plugin_shares_it() -> None:
    alone = {"share": False}
    compiled = site(GPU, alone, alone)
    plan = plan_of(compiled, "hub/gpu hub/gpu hub/gpu", "hub/gpu hub/gpu hub/gpu")
    with pytest.raises(InputError, match=r"2 containers ask for unit 'gpu' of device 'hub' \(s0-1, s1-1\)") as caught:
        kubernetes.write(plan, compiled, image=IMAGE)
    assert "slices" in (caught.value.tip or "")
    assert set(composed(plan, compiled)) == {"s0-1", "s1-1"}  # Docker shares graphics processors
    for sliced in (site({**GPU, "slices": 2}, alone, alone), site(GPU, alone, alone, hub={"slices": 2})):
        found = deployments(kubernetes.write(plan, sliced, image=IMAGE))
        assert "one of 2 slices" in found["s1-1"]["metadata"]["annotations"]["placer.dev/accelerator"]
    shared = site(GPU, {}, {})
    [(name, one)] = deployments(kubernetes.write(plan, shared, image=IMAGE)).items()
    assert name == "net-shared-1"
    assert pod_of(one)[1]["resources"]["limits"]["nvidia.com/gpu"] == 1
    stick = site({"name": "gpu", "accelerator": "coral"}, alone, alone)
    for writer in (kubernetes.write, compose.write):
        with pytest.raises(InputError, match="and 1 can have it"):
            writer(plan, stick, image=IMAGE)


def test_docker_needs_a_device_file() -> None:
    compiled = site({"name": "tpu", "accelerator": "coral", "resource": ("squat.ai/coral-edgetpu",)})
    plan = plan_of(compiled, "hub/tpu hub/tpu hub/tpu")
    assert deployments(kubernetes.write(plan, compiled, image=IMAGE))
    with pytest.raises(InputError, match="no device file of unit 'tpu'") as caught:
        compose.write(plan, compiled, image=IMAGE)
    assert "resource: /dev/" in (caught.value.tip or "")


def test_a_pod_with_an_accelerator_stays_and_others_do_not_move_onto_one() -> None:
    compiled = site(GPU)
    files = kubernetes.write(plan_of(compiled, "hub/cpu side side"), compiled, image=IMAGE, affinity="preferred")
    assert "prefer" in json.dumps(deployments(files)["s0-1"])
    kept = kubernetes.write(plan_of(compiled, "hub/gpu hub/gpu hub/gpu"), compiled, image=IMAGE, affinity="preferred")
    affinity = pod_of(deployments(kept)["s0-1"])[0]["affinity"]["nodeAffinity"]
    terms = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert terms[0]["matchExpressions"][0]["values"] == ["hub"]


def test_tolerations_are_those_of_the_node() -> None:
    taints = ("edge=true:NoSchedule", "example.org/cameras:NoExecute", "spot")
    compiled = site(GPU, hub={"tolerations": taints})
    files = kubernetes.write(plan_of(compiled, "hub/cpu hub/cpu side"), compiled, image=IMAGE)
    found = deployments(files)
    assert pod_of(found["s0-1"])[0]["tolerations"] == [
        {"key": "edge", "operator": "Equal", "value": "true", "effect": "NoSchedule"},
        {"key": "example.org/cameras", "operator": "Exists", "effect": "NoExecute"},
        {"key": "spot", "operator": "Exists"},
    ]
    assert "tolerations" not in pod_of(found["s0-2"])[0]


def test_probes_ask_what_the_deployment_says() -> None:
    plain = site(GPU)
    plan = plan_of(plain, "hub/cpu hub/cpu side")
    container = pod_of(deployments(kubernetes.write(plan, plain, image=IMAGE))["s0-1"])[1]
    kinds = ("startupProbe", "readinessProbe", "livenessProbe")
    assert all(container[kind]["tcpSocket"] == {"port": "tensors"} for kind in kinds)
    start = container["startupProbe"]
    assert start["periodSeconds"] * start["failureThreshold"] >= 300
    assert "healthcheck" not in composed(plan, plain)["s0-1"]

    asked = site(
        GPU, deployment={"health": {"port": 9090, "command": ("wget", "-qO-", "http://localhost:9090/healthz")}}
    )
    container = pod_of(deployments(kubernetes.write(plan, asked, image=IMAGE))["s0-1"])[1]
    assert all(container[kind]["httpGet"] == {"path": "/healthz", "port": "health"} for kind in kinds)
    assert {"name": "health", "containerPort": 9090, "protocol": "TCP"} in container["ports"]
    test = composed(plan, asked)["s0-1"]["healthcheck"]["test"]
    assert test == ["CMD", "wget", "-qO-", "http://localhost:9090/healthz"]

    clash = site(GPU, deployment={"health": {"port": 8080}})
    with pytest.raises(InputError, match="health port 8080"):
        kubernetes.write(plan, clash, image=IMAGE)


def test_pull_policy_of_the_instance_and_of_the_command() -> None:
    compiled = site(GPU, deployment={"pull_policy": "Never"})
    plan = plan_of(compiled, "hub/cpu hub/cpu side")
    for option, policy, pull in ((None, "Never", "never"), ("IfNotPresent", "IfNotPresent", "missing")):
        for one in deployments(kubernetes.write(plan, compiled, image=IMAGE, pull_policy=option)).values():  # type: ignore[arg-type]
            assert pod_of(one)[1]["imagePullPolicy"] == policy
        assert {one["pull_policy"] for one in composed(plan, compiled, pull_policy=option).values()} == {pull}
    silent = deployments(kubernetes.write(plan, site(GPU), image=IMAGE))
    assert not any("imagePullPolicy" in pod_of(one)[1] for one in silent.values())


def test_the_command_passes_the_policy_on(tmp_path: Path) -> None:
    made = placer("plan", "smart-parking", "--time-limit", "20", "-o", str(tmp_path / "plan.json"))
    assert made.returncode == 0
    out = tmp_path / "out"
    call = ("export", str(tmp_path / "plan.json"), "-o", str(out), "--image", IMAGE, "--pull-policy", "Always")
    assert placer(*call).returncode == 0
    texts = [path.read_text() for path in (out / "kubernetes").glob("*.yaml") if path.stem != "kustomization"]
    assert texts
    assert all("imagePullPolicy: Always" in text for text in texts)
    assert placer(*call[:-1], "Sometimes").returncode == 2


TYPE = """
format: placer/device-type/1
name: mine
source: made up
memory: 1 GB
units: [{name: gpu, speed: 1 GMAC/s, FIELDS}]
"""
SITE = """
format: placer/instance/1
devices: [{name: d, type: mine, MORE}]
services: [{name: s, model: alexnet, source: d}]
"""


@pytest.mark.parametrize(
    ("fields", "more", "problem"),
    [
        ("accelerator: nvidea", "buffer: 2", "nvidia"),
        ("accelerator: other", "buffer: 2", "needs its 'resource'"),
        ("slices: 2", "buffer: 2", "of an accelerator"),
        ("resource: nvidia.com/gpu", "buffer: 2", "of an accelerator"),
        ("accelerator: coral, resource: /etc/passwd", "buffer: 2", "resource"),
        ("accelerator: coral, resource: /dev/../etc", "buffer: 2", "resource"),
        ("accelerator: coral, resource: coral", "buffer: 2", "resource"),
        ("accelerator: coral", "tolerations: 'a=b:Never'", "tolerations"),
        ("accelerator: coral", "tolerations: '-a'", "tolerations"),
        ("scv: 0", "slices: 2", "no accelerator that could have slices"),
    ],
)
def test_bad_fields(tmp_path: Path, fields: str, more: str, problem: str) -> None:
    tree = {"instance.yaml": SITE.replace("MORE", more), "mine.yaml": TYPE.replace("FIELDS", fields)}
    with pytest.raises(InputError) as caught:
        read_instance(write_tree(tmp_path, tree))
    assert problem in str([str(one) for one in caught.value.problems])


def test_shipped_types_say_what_their_accelerators_are() -> None:
    library = Library(None)
    found = {
        (name, unit.name): unit.accelerator
        for name in shipped_names("device type")
        for unit in library.device_type(name).units
        if unit.accelerator is not None
    }
    assert found["jetson-nano", "gpu"] == found["jetson-orin-nano", "gpu"] == found["cloud-gpu", "gpu"] == "nvidia"
    assert found["coral-dev-board", "tpu"] == "coral"
    assert found["raspberry-pi-5-hailo-8", "npu"] == "hailo"
