"""Kubernetes: a ConfigMap, a Service and a Deployment per fragment, bound to its node; and a kustomization.

What schemas do not say and Kubernetes demands anyway: a selector that matches the labels, names of Services
that start with a letter, requests that fit the node. Fragments that a device outside the cluster sends to get
a port on their node, the only way in that does not depend on the cluster.
"""

from __future__ import annotations

import hashlib
from typing import Any

from placer.errors import InputError
from placer.evaluation.deterministic import RouteBook
from placer.export import firmware_map
from placer.export.affinity import AFFINITIES, Affinity, affordable, movable_to, move_note, node_affinity
from placer.export.containers import check_memory, image_of, mebibytes, millicores
from placer.export.fragment_file import CONFIG_FOLDER, CONFIG_NAME, DEFAULT_PORT, MODEL_PARTS, fragment_facts
from placer.export.names import label
from placer.export.parts import Part, parts_of
from placer.export.text import json_text, yaml_text
from placer.instance.compiled import Compiled
from placer.instance.reading import unknown
from placer.instance.units import show_bytes, show_seconds
from placer.plan.plan import Plan

FOLDER = "kubernetes"
KUSTOMIZATION = "kustomization.yaml"


def write(
    plan: Plan,
    compiled: Compiled,
    *,
    image: str | None = None,
    affinity: Affinity = "required",
    container_memory: float = 0.0,
    port: int = DEFAULT_PORT,
) -> dict[str, str]:
    """Return the files of a plan: one per fragment, the kustomization, maps of devices without kubelet.

    Args:
        plan: the plan.
        compiled: its instance.
        image: container image of the node program; the instance's ``deployment.image`` when None.
        affinity: ``required`` binds each part to its node, ``preferred`` to all where it may run.
        container_memory: bytes that each container takes beside weights, activations and runtime.
        port: port on which the programs listen; a device outside the cluster reaches a fragment at this port
            plus the fragment's position on its node.

    Raises:
        InputError: without an image, or when the containers of a node do not fit.
    """
    if affinity not in AFFINITIES:
        raise InputError(unknown("affinity", affinity, AFFINITIES))
    mapped = firmware_map.no_kubelet(compiled)
    parts = parts_of(plan, compiled)
    hosted = [number for number, part in enumerate(parts.parts) if not mapped(part.device)]
    chosen = image_of(compiled, image) if hosted else ""
    check_memory(compiled, [parts.parts[number] for number in hosted], container_memory)
    book = RouteBook(compiled)
    priced = affinity == "preferred" and affordable(compiled, parts)
    files = {}
    for number in hosted:
        part = parts.parts[number]
        entered = any(mapped(flow.sender_device) for flow in parts.received(number))
        latencies = None
        if affinity == "preferred" and not entered:
            # without the prices the part stays where it is planned: nothing else is known to work
            latencies = movable_to(compiled, parts, part, book) if priced else {part.device: float("nan")}
        facts = fragment_facts(plan, parts, number, _address(compiled, mapped, port), mapped, port)
        documents = _Documents(plan, compiled, part, chosen, port, container_memory)
        config = json_text(facts)
        files[f"{FOLDER}/{part.name}.yaml"] = yaml_text(
            [
                documents.config_map(config),
                documents.service(),
                documents.deployment(config, entered, latencies),
            ],
            f"{part.service}, fragment {part.index + 1}: {part.layer_range} on {part.device}",
        )
    if files:
        files[f"{FOLDER}/{KUSTOMIZATION}"] = _kustomization(plan, compiled, sorted(files))
    return files | firmware_map.maps(plan, compiled, parts, mapped, port)


def _address(compiled: Compiled, mapped: Any, port: int) -> Any:
    namespace = compiled.instance.file.deployment.namespace
    outside = firmware_map.host_address(compiled, port)

    def address(part: Part) -> str:
        if mapped(part.device):
            return outside(part)
        # without a namespace the cluster's search path finds the Service beside its caller
        return f"{part.name}.{namespace}:{port}" if namespace else f"{part.name}:{port}"

    return address


def _kustomization(plan: Plan, compiled: Compiled, files: list[str]) -> str:
    namespace = compiled.instance.file.deployment.namespace
    body: dict[str, Any] = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
    if namespace:
        body["namespace"] = namespace
    body["resources"] = [path.removeprefix(f"{FOLDER}/") for path in files]
    return yaml_text([body], f"Plan of {plan.instance.name} by placer {plan.version}: kubectl apply -k .")


class _Documents:
    """The three resources of one part."""

    def __init__(
        self, plan: Plan, compiled: Compiled, part: Part, image: str, port: int, container_memory: float
    ) -> None:
        self.plan, self.compiled, self.part = plan, compiled, part
        self.image, self.port, self.container_memory = image, port, container_memory
        # what identifies the part and nothing else: a Deployment's selector can never be changed, so a new
        # plan must find the same labels on another device
        self.labels = {
            "app.kubernetes.io/name": part.service,
            "app.kubernetes.io/instance": part.name,
            "app.kubernetes.io/component": "fragment",
            "app.kubernetes.io/part-of": label(compiled.instance.name),
            "app.kubernetes.io/managed-by": "placer",
            "placer.dev/service": part.service,
            "placer.dev/fragment": str(part.index + 1),
        }

    def metadata(self, annotations: dict[str, str] | None = None) -> dict[str, Any]:
        metadata: dict[str, Any] = {"name": self.part.name}
        namespace = self.compiled.instance.file.deployment.namespace
        if namespace:
            metadata["namespace"] = namespace
        metadata["labels"] = self.labels
        if annotations:
            metadata["annotations"] = annotations
        return metadata

    def config_map(self, config: str) -> dict[str, Any]:
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": self.metadata(),
            "data": {CONFIG_NAME: config},
        }

    def service(self) -> dict[str, Any]:
        return {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": self.metadata(),
            "spec": {
                "type": "ClusterIP",
                "selector": self.labels,
                "ports": [{"name": "tensors", "protocol": "TCP", "port": self.port, "targetPort": "tensors"}],
            },
        }

    def deployment(self, config: str, entered: bool, latencies: dict[str, float] | None) -> dict[str, Any]:
        digest = hashlib.sha256(config.encode()).hexdigest()[:16]
        allowed = list(latencies) if latencies is not None else None
        pod = {
            "affinity": node_affinity(self.compiled, self.part, allowed),
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "containers": [self.container(entered)],
            "volumes": [{"name": "fragment", "configMap": {"name": self.part.name}}],
        }
        template = {
            "metadata": {"labels": self.labels, "annotations": {"placer.dev/config": digest}},
            "spec": pod,
        }
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": self.metadata(self.annotations(latencies)),
            "spec": {
                "replicas": 1,
                # a rolling update would need the memory of the part twice on its node
                "strategy": {"type": "Recreate"},
                "selector": {"matchLabels": self.labels},
                "template": template,
            },
        }

    def annotations(self, latencies: dict[str, float] | None) -> dict[str, str]:
        part = self.part
        held = [f"weights {show_bytes(part.weights)}", f"activations {show_bytes(part.activations)}"]
        held += [f"runtime {show_bytes(part.runtime)}", f"container {show_bytes(self.container_memory)}"]
        notes = {
            "placer.dev/layers": part.layer_range,
            "placer.dev/model": f"{part.model}, alternative {part.alternative}",
            "placer.dev/device": part.device if part.unit == "cpu" else f"{part.device}, unit {part.unit}",
            "placer.dev/instance-hash": self.plan.instance.hash,
            "placer.dev/memory": ", ".join(held),
            "placer.dev/model-parts": MODEL_PARTS,
        }
        if part.seconds < float("inf"):
            notes["placer.dev/time"] = f"{show_seconds(part.seconds)} a request"
        note = move_note(latencies, part) if latencies is not None else None
        if note:
            notes["placer.dev/move"] = note
        return notes

    def container(self, entered: bool) -> dict[str, Any]:
        port: dict[str, Any] = {"name": "tensors", "containerPort": self.port, "protocol": "TCP"}
        if entered:
            port["hostPort"] = self.port + self.part.ordinal
        memory = f"{mebibytes(self.part, self.container_memory)}Mi"
        requests = {"memory": memory}
        cpu = millicores(self.compiled, self.part)
        if cpu is not None:
            requests = {"cpu": f"{cpu}m", **requests}
        return {
            "name": "fragment",
            "image": self.image,
            "ports": [port],
            "env": [{"name": "PLACER_FRAGMENT", "value": f"{CONFIG_FOLDER}/{CONFIG_NAME}"}],
            # no limit on the processor: a limit would slow a part down while its node is idle
            "resources": {"requests": requests, "limits": {"memory": memory}},
            "volumeMounts": [{"name": "fragment", "mountPath": CONFIG_FOLDER, "readOnly": True}],
        }
