"""Kubernetes: a ConfigMap, a Service and a Deployment per fragment, bound to its node; and a kustomization.

Fragments of one process (:mod:`placer.export.programs`) are one Deployment, with a Service for each of them.

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
from placer.export.accelerators import check_claims
from placer.export.affinity import AFFINITIES, Affinity, affordable, movable_to, move_note, node_affinity
from placer.export.containers import LEAST_MEMORY, check_memory, image_of
from placer.export.fragment_file import DEFAULT_PORT, MODEL_PARTS, fragment_facts
from placer.export.names import label
from placer.export.part import Part
from placer.export.parts import parts_of
from placer.export.pods import Pod
from placer.export.programs import programs_of
from placer.export.text import json_text, yaml_text
from placer.instance.compiled import Compiled
from placer.instance.deployment import PullPolicy
from placer.instance.reading import unknown
from placer.instance.units import show_seconds
from placer.plan.plan import Plan

FOLDER = "kubernetes"
KUSTOMIZATION = "kustomization.yaml"


def write(
    plan: Plan,
    compiled: Compiled,
    *,
    image: str | None = None,
    affinity: Affinity = "required",
    port: int = DEFAULT_PORT,
    pull_policy: PullPolicy | None = None,
) -> dict[str, str]:
    """Return the files of a plan: one per program, the kustomization, maps of devices without kubelet.

    Args:
        plan: the plan.
        compiled: its instance.
        image: container image of the node program; the instance's ``deployment.image`` when None.
        affinity: ``required`` binds each part to its node, ``preferred`` to all where it may run.
        port: port on which the programs listen; a device outside the cluster reaches a fragment at this port
            plus the fragment's position on its node.
        pull_policy: when nodes pull the image; the instance's ``deployment.pull_policy`` when None.

    Raises:
        InputError: without an image, or when the containers of a node do not fit or ask for more accelerators than are.
    """
    if affinity not in AFFINITIES:
        raise InputError(unknown("affinity", affinity, AFFINITIES))
    mapped = firmware_map.no_kubelet(compiled)
    parts = parts_of(plan, compiled)
    programs = programs_of(compiled, parts, [n for n, part in enumerate(parts.parts) if not mapped(part.device)])
    chosen = image_of(compiled, image) if programs else ""
    check_memory(compiled, programs, LEAST_MEMORY)
    check_claims(compiled, parts, programs, docker=False)
    policy = pull_policy or compiled.instance.file.deployment.pull_policy
    book = RouteBook(compiled)
    priced = affinity == "preferred" and affordable(compiled, parts)
    files = {}
    for program in programs:
        first = parts.parts[program.parts[0]]
        entered = {n for n in program.parts if any(mapped(flow.sender_device) for flow in parts.received(n))}
        latencies = None
        pod = Pod(compiled, parts, program, chosen, port, policy)
        # a container that asks for an accelerator starts nowhere else
        if affinity == "preferred" and not entered and not pod.claims():
            # without the prices the part stays where it is planned: nothing else is known to work
            alone = priced and len(program.parts) == 1
            latencies = movable_to(compiled, parts, first, book) if alone else {first.device: float("nan")}
        address = _address(compiled, mapped, port)
        configs = {
            number: json_text(fragment_facts(plan, parts, number, address, mapped, port + place))
            for place, number in enumerate(program.parts)
        }
        documents = _Documents(plan, pod)
        title = f"{first.service}, fragment {first.index + 1}: {first.layer_range} on {first.device}"
        if program.services > 1:
            title = f"{first.model} on {first.device}, loaded once for {len(program.parts)} fragments"
        elif len(program.parts) > 1:
            title = f"{first.service} on {first.device}, {len(program.parts)} fragments in one process"
        bodies = [documents.config_map(configs), *map(documents.service, program.parts)]
        files[f"{FOLDER}/{program.name}.yaml"] = yaml_text(
            [*bodies, documents.deployment(configs, entered, latencies)], title
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
    """The resources of one program: its configuration, a Service for each of its parts, its Deployment."""

    def __init__(self, plan: Plan, pod: Pod) -> None:
        self.plan, self.pod, self.compiled, self.parts, program = plan, pod, pod.compiled, pod.parts, pod.program
        self.program = program
        self.first = self.parts.parts[program.parts[0]]
        self.shared = len(program.parts) > 1
        # what identifies the program and nothing else: a Deployment's selector can never be changed, so a new
        # plan must find the same labels on another device
        self.labels = self._labels(program.parts[0])
        if program.services > 1:
            self.labels = {
                **self._common(program.name),
                "app.kubernetes.io/name": label(self.first.model),
                "app.kubernetes.io/component": "shared-model",
            }

    def _common(self, name: str) -> dict[str, str]:
        return {
            "app.kubernetes.io/instance": name,
            "app.kubernetes.io/part-of": label(self.compiled.instance.name),
            "app.kubernetes.io/managed-by": "placer",
        }

    def _labels(self, number: int) -> dict[str, str]:
        part = self.parts.parts[number]
        return {
            **self._common(part.name),
            "app.kubernetes.io/name": part.service,
            "app.kubernetes.io/component": "fragment",
            "placer.dev/service": part.service,
            "placer.dev/fragment": str(part.index + 1),
        }

    def metadata(self, name: str, labels: dict[str, str], annotations: dict[str, str] | None = None) -> dict[str, Any]:
        metadata: dict[str, Any] = {"name": name}
        namespace = self.compiled.instance.file.deployment.namespace
        if namespace:
            metadata["namespace"] = namespace
        metadata["labels"] = labels
        if annotations:
            metadata["annotations"] = annotations
        return metadata

    def config_map(self, configs: dict[int, str]) -> dict[str, Any]:
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": self.metadata(self.program.name, self.labels),
            "data": {self.pod.file(number): config for number, config in configs.items()},
        }

    def service(self, number: int) -> dict[str, Any]:
        ports = [
            {"name": "tensors", "protocol": "TCP", "port": self.pod.port, "targetPort": self.pod.port_name(number)}
        ]
        return {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": self.metadata(self.parts.parts[number].name, self._labels(number)),
            "spec": {"type": "ClusterIP", "selector": self.labels, "ports": ports},
        }

    def deployment(
        self, configs: dict[int, str], entered: set[int], latencies: dict[str, float] | None
    ) -> dict[str, Any]:
        digest = hashlib.sha256("".join(configs.values()).encode()).hexdigest()[:16]
        allowed = list(latencies) if latencies is not None else None
        bound = node_affinity(self.compiled, self.first, allowed)
        spec = self.pod.spec(bound, entered, allowed or [self.first.device])
        template = {
            "metadata": {"labels": self.labels, "annotations": {"placer.dev/config": digest}},
            "spec": spec,
        }
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": self.metadata(self.program.name, self.labels, self.annotations(latencies)),
            "spec": {
                "replicas": 1,
                # a rolling update would need the memory of the program twice on its node
                "strategy": {"type": "Recreate"},
                "selector": {"matchLabels": self.labels},
                "template": template,
            },
        }

    def annotations(self, latencies: dict[str, float] | None) -> dict[str, str]:
        part = self.first
        members = [self.parts.parts[number] for number in self.program.parts]
        units = list(dict.fromkeys(one.unit for one in members))
        layers = ", ".join(f"{one.name}: {one.layer_range}" for one in members) if self.shared else part.layer_range
        notes = {
            "placer.dev/layers": layers,
            "placer.dev/model": f"{part.model}, alternative {part.alternative}",
            "placer.dev/device": part.device if units == ["cpu"] else f"{part.device}, unit {', '.join(units)}",
            "placer.dev/instance-hash": self.plan.instance.hash,
            **self.pod.notes(),
            "placer.dev/model-parts": MODEL_PARTS,
        }
        if part.seconds < float("inf") and not self.shared:
            notes["placer.dev/time"] = f"{show_seconds(part.seconds)} a request"
        note = move_note(latencies, part) if latencies is not None else None
        if note:
            notes["placer.dev/move"] = note
        return notes
