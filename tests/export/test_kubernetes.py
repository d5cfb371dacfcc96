"""The Kubernetes manifests: valid against the schemas, and right where schemas do not look."""

from __future__ import annotations

import json
import re
from typing import Any

import kubernetes_validate
import pytest
import yaml

from placer.errors import InputError
from placer.export import kubernetes
from placer.export.containers import MEBI
from placer.instance.compiled import Compiled
from tests.export.helpers import BRANCH, FEEL, IMAGE, LEAVE, LOOK, everything, plan_of, tiny, with_services

PORT = 8080


def documents(files: dict[str, str]) -> list[dict[str, Any]]:
    return [
        document
        for path, text in files.items()
        if path.startswith("kubernetes/") and "kustomization" not in path
        for document in yaml.safe_load_all(text)
    ]


def of_kind(files: dict[str, str], kind: str) -> dict[str, dict[str, Any]]:
    return {item["metadata"]["name"]: item for item in documents(files) if item["kind"] == kind}


def facts(files: dict[str, str]) -> dict[str, dict[str, Any]]:
    texts = [text for item in of_kind(files, "ConfigMap").values() for text in item["data"].values()]
    return {fact["fragment"]: fact for fact in map(json.loads, texts)}


def affinity(deployment: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = deployment["spec"]["template"]["spec"]["affinity"]["nodeAffinity"]
    return found


def hosts(deployment: dict[str, Any]) -> list[str]:
    required = affinity(deployment)["requiredDuringSchedulingIgnoredDuringExecution"]
    [term] = required["nodeSelectorTerms"]
    [expression] = term["matchExpressions"]
    assert expression["key"] == "kubernetes.io/hostname"
    values: list[str] = expression["values"]
    return values


@pytest.mark.parametrize("mode", ["required", "preferred"])
def test_every_document_is_valid(mode: Any) -> None:
    compiled, plan = everything()
    found = documents(kubernetes.write(plan, compiled, image=IMAGE, affinity=mode))
    assert {item["kind"] for item in found} == {"ConfigMap", "Service", "Deployment"}
    for item in found:
        for version in ("1.29", "1.31", "1.33"):
            kubernetes_validate.validate(item, version, strict=True)


def test_selectors_are_the_labels_and_differ_between_fragments() -> None:
    compiled, plan = everything()
    files = kubernetes.write(plan, compiled, image=IMAGE)
    deployments, services = of_kind(files, "Deployment"), of_kind(files, "Service")
    assert services.keys() == facts(files).keys()
    # leave and branch go away and come back: one process on the device has both fragments
    assert services.keys() - deployments.keys() == {"look-3", "branch-3", "branch-4"}
    seen = []
    for name, deployment in deployments.items():
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert deployment["spec"]["selector"]["matchLabels"] == labels == services[name]["spec"]["selector"]
        assert labels not in seen
        seen.append(labels)
        assert all(re.fullmatch(r"[a-z0-9A-Z]([-a-z0-9A-Z_.]{0,61}[a-z0-9A-Z])?", v) for v in labels.values())
        # DNS-1035, which the schema of a Service does not demand
        assert re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", name)
        assert deployment["metadata"]["namespace"] == "edge"
        assert deployment["spec"]["strategy"] == {"type": "Recreate"}


def quantity(text: str) -> int:
    match = re.fullmatch(r"([1-9][0-9]*)(Mi|m)", text)
    assert match, text
    return int(match[1])


def test_requests_are_well_formed_and_fit() -> None:
    compiled, plan = everything("20 MB")
    files = kubernetes.write(plan, compiled, image=IMAGE)
    free = dict(zip(compiled.device_names, compiled.memory, strict=True))
    wanted = dict.fromkeys(free, 0)
    for deployment in of_kind(files, "Deployment").values():
        [container] = deployment["spec"]["template"]["spec"]["containers"]
        resources = container["resources"]
        assert resources["limits"] == {"memory": resources["requests"]["memory"]}
        [host] = hosts(deployment)
        wanted[host] += quantity(resources["requests"]["memory"]) * MEBI
    assert all(0 <= wanted[name] <= free[name] for name in free)
    assert wanted["sensor"] == 0


def test_memory_and_processor_of_a_fragment() -> None:
    compiled = tiny(container="30 MB")
    files = kubernetes.write(plan_of(compiled, "near near far"), compiled, image=IMAGE)
    first = of_kind(files, "Deployment")["look-1"]
    [container] = first["spec"]["template"]["spec"]["containers"]
    # 600 kB weights, 300 kB activations (the largest), 100 kB runtime, 30 MB container: 31 MB in MiB
    assert container["resources"]["requests"]["memory"] == "30Mi"
    # 30 ms a request, 2 requests a second, 4 cores
    assert container["resources"]["requests"]["cpu"] == "240m"
    assert first["metadata"]["annotations"]["placer.dev/memory"] == (
        "request and limit 30Mi: weights 600 kB, activations 300 kB, runtime 100 kB, container 30 MB, rounded up; at "
        "least 16 MiB, with which a container starts"
    )
    assert first["metadata"]["annotations"]["placer.dev/model-parts"].startswith("not included")


def test_without_arrivals_no_processor_is_requested() -> None:
    compiled = tiny(with_services(BRANCH))
    files = kubernetes.write(plan_of(compiled, "near near near near"), compiled, image=IMAGE)
    [deployment] = of_kind(files, "Deployment").values()
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["requests"] == {"memory": "16Mi"}


def test_containers_that_do_not_fit_are_refused_by_name() -> None:
    compiled = tiny(container="452 MB")
    with pytest.raises(InputError, match="device 'far' ask for 439 MiB") as caught:
        kubernetes.write(plan_of(compiled, "near near far"), compiled, image=IMAGE)
    assert caught.value.tip
    assert "reserve" in caught.value.tip


def test_affinity_names_devices_that_exist() -> None:
    compiled, plan = everything()
    modes: tuple[Any, ...] = ("required", "preferred")
    for mode in modes:
        for deployment in of_kind(
            kubernetes.write(plan, compiled, image=IMAGE, affinity=mode),
            "Deployment",
        ).values():
            assert set(hosts(deployment)) <= {"near", "middle", "far"}


def test_preferred_affinity_keeps_pins_and_says_what_moving_costs() -> None:
    compiled = tiny(with_services(LOOK[:-1] + ", pins: {b: [near, middle]}}"))
    files = kubernetes.write(plan_of(compiled, "near near far"), compiled, image=IMAGE, affinity="preferred")
    first, second = (of_kind(files, "Deployment")[name] for name in ("look-1", "look-2"))
    assert sorted(hosts(first)) == ["middle", "near"]
    [preferred] = affinity(first)["preferredDuringSchedulingIgnoredDuringExecution"]
    assert preferred["preference"]["matchExpressions"][0]["values"] == ["near"]
    # from near to middle: the input's 100 ms, less 20 ms of the output that need not hop twice
    assert first["metadata"]["annotations"]["placer.dev/move"] == (
        "up to 80 ms more per request on node middle, without waiting (100 ms on near)"
    )
    assert sorted(hosts(second)) == ["far", "middle", "near"]


def test_next_hops_point_to_services_that_exist() -> None:
    compiled, plan = everything()
    files = kubernetes.write(plan, compiled, image=IMAGE)
    services = of_kind(files, "Service")
    hops = 0
    for config in facts(files).values():
        for sent in config["sends"]:
            target = sent["to"]
            if "sink" in target:
                assert target["sink"] in compiled.device_names
                continue
            name, _, rest = target["address"].partition(".")
            assert rest == f"edge:{PORT}"
            assert services[name]["spec"]["ports"][0]["port"] == PORT
            assert any(back["from"].get("fragment") == config["fragment"] for back in facts(files)[name]["receives"])
            hops += 1
    assert hops == 2 + 1 + 4 + 1


def test_a_service_that_returns_to_a_device_is_relayed() -> None:
    compiled = tiny()
    files = kubernetes.write(plan_of(compiled, "near far near"), compiled, image=IMAGE)
    found = facts(files)
    assert [found[name]["device"] for name in ("look-1", "look-2", "look-3")] == ["near", "far", "near"]
    [sent] = found["look-1"]["sends"]
    assert sent == {
        "tensor": "a",
        "bytes": 50000,
        "to": {"fragment": "look-2", "device": "far", "address": "look-2:8080"},
        "route": {
            "devices": ["near", "middle", "far"],
            "relays": ["middle"],
            "technologies": ["radio-1", "radio-1"],
            "seconds": 0.1,
        },
    }
    assert found["look-1"]["receives"] == [{"tensor": "input", "bytes": 100000, "from": {"source": "near"}}]
    assert found["look-1"]["timeout"] == {"seconds": 1.2, "from": "deadline"}


def test_exits_send_results_with_their_share() -> None:
    compiled = tiny(with_services(LEAVE))
    found = facts(kubernetes.write(plan_of(compiled, "near middle middle"), compiled, image=IMAGE))
    assert found["leave-1"]["exits"] == [{"after": "a", "share": 0.4}]
    result = next(sent for sent in found["leave-1"]["sends"] if sent["tensor"] == "result")
    assert result == {"tensor": "result", "bytes": 1000, "after": "a", "share": 0.4, "to": {"sink": "near"}}
    assert found["leave-2"]["sends"][0]["share"] == pytest.approx(0.6)
    assert found["leave-1"]["timeout"] == {"seconds": 30, "from": "default"}


def test_a_microcontroller_gets_a_map_and_its_receiver_a_port() -> None:
    compiled = tiny(with_services(LOOK, FEEL))
    files = kubernetes.write(plan_of(compiled, "near near near", "sensor near near"), compiled, image=IMAGE)
    assert set(of_kind(files, "Deployment")) == {"look-1", "feel-2"}
    mapped = json.loads(files["mcu/sensor.json"])
    assert mapped["memory"] == {"ram": 400000, "free": 1048576, "flash": 200000, "flash_free": 2097152}
    [fragment] = mapped["fragments"]
    assert fragment["layers"] == ["a"]
    assert fragment["timeout"] == {"seconds": 2, "from": "deadline_p95"}
    assert fragment["sends"][0]["to"] == {"fragment": "feel-2", "device": "near", "address": "near:8081"}
    [container] = of_kind(files, "Deployment")["feel-2"]["spec"]["template"]["spec"]["containers"]
    assert container["ports"][0]["hostPort"] == 8081


def test_a_fragment_that_sends_to_a_microcontroller_names_its_map() -> None:
    compiled = tiny()
    files = kubernetes.write(plan_of(compiled, "near sensor near"), compiled, image=IMAGE)
    target = facts(files)["look-1"]["sends"][0]["to"]
    assert target["map"] == "mcu/sensor.json"
    assert target["map"] in files


def test_the_kustomization_lists_exactly_the_files() -> None:
    compiled, plan = everything()
    files = kubernetes.write(plan, compiled, image=IMAGE)
    listed = yaml.safe_load(files["kubernetes/kustomization.yaml"])
    expected = {path.removeprefix("kubernetes/") for path in files if path.startswith("kubernetes/")}
    assert set(listed["resources"]) == expected - {"kustomization.yaml"}
    assert listed["namespace"] == "edge"


def test_an_image_is_never_invented() -> None:
    compiled = tiny()
    plan = plan_of(compiled, "near near near")
    with pytest.raises(InputError, match=r"deployment\.image") as caught:
        kubernetes.write(plan, compiled)
    assert "--image" in (caught.value.tip or "")
    with pytest.raises(InputError, match="cannot be the name"):
        kubernetes.write(plan, compiled, image="bad image")
    named = tiny(with_services(LOOK, extra="deployment: {image: from.instance/x:2}\n"))
    assert "image: from.instance/x:2" in kubernetes.write(plan, named)["kubernetes/look-1.yaml"]


def test_nothing_to_deploy_needs_no_image() -> None:
    compiled = tiny(with_services(FEEL))
    small = plan_of(compiled, "sensor sensor sensor")
    assert list(kubernetes.write(small, compiled)) == ["mcu/sensor.json"]


def test_an_unknown_affinity_is_refused() -> None:
    compiled: Compiled = tiny()
    with pytest.raises(InputError, match="did you mean 'preferred'"):
        kubernetes.write(plan_of(compiled, "near near near"), compiled, affinity="prefered")  # type: ignore[arg-type]


def test_a_service_name_that_begins_with_a_digit_gets_a_letter() -> None:
    compiled = tiny(with_services(LOOK.replace("name: look", 'name: "3d"')))
    files = kubernetes.write(plan_of(compiled, "near near near"), compiled, image=IMAGE)
    assert set(of_kind(files, "Service")) == {"x-3d-1"}
