"""The pod of a program: its container with memory, processor, accelerators and probes, and what lets it onto a node."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from placer.errors import InputError
from placer.export.accelerators import Claim, claims_of, note_of
from placer.export.containers import LEAST_MEMORY, mebibytes, millicores
from placer.export.fragment_file import CONFIG_FOLDER, CONFIG_NAME
from placer.export.parts import Parts
from placer.export.programs import Program
from placer.instance.compiled import Compiled
from placer.instance.deployment import PullPolicy

STARTS_WITHIN = 300
"""Seconds that a container has to load its runtime and weights before it counts as ill."""


@dataclass(frozen=True)
class Pod:
    """What the pod of one program is made of.

    Attributes:
        compiled: the instance.
        parts: all parts.
        program: what it runs.
        image: container image.
        port: port of its first part; the others follow.
        pull_policy: when the node pulls the image; None leaves it to Kubernetes.
    """

    compiled: Compiled
    parts: Parts
    program: Program
    image: str
    port: int
    pull_policy: PullPolicy | None = None

    def file(self, number: int) -> str:
        """The name of the configuration of a part."""
        return f"{self.parts.parts[number].name}.json" if len(self.program.parts) > 1 else CONFIG_NAME

    def port_name(self, number: int) -> str:
        """The name of the port of a part."""
        return f"tensors-{self.program.parts.index(number) + 1}" if len(self.program.parts) > 1 else "tensors"

    def claims(self) -> list[Claim]:
        """The accelerators that it asks for."""
        return claims_of(self.compiled, self.parts, self.program)

    def spec(self, affinity: dict[str, Any], entered: set[int], nodes: Iterable[str]) -> dict[str, Any]:
        """Return the specification of the pod.

        Args:
            affinity: to which nodes it is bound.
            entered: parts that a device outside the cluster sends to.
            nodes: devices on which it may run.
        """
        claims = self.claims()
        volumes: list[dict[str, Any]] = [{"name": "fragment", "configMap": {"name": self.program.name}}]
        for number, path in enumerate(_files(claims)):
            volumes.append({"name": f"accelerator-{number + 1}", "hostPath": {"path": path}})
        spec: dict[str, Any] = {"affinity": affinity}
        if tolerations := self._tolerations(nodes):
            spec["tolerations"] = tolerations
        if any(claim.accelerator == "nvidia" for claim in claims):
            spec["runtimeClassName"] = "nvidia"
        return spec | {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "containers": [self._container(entered, claims)],
            "volumes": volumes,
        }

    def notes(self) -> dict[str, str]:
        """Return what its resources mean, as annotations."""
        notes = {
            "placer.dev/memory": (
                f"request and limit {self._memory()}: {self.program.memory_note}, rounded up; "
                f"at least {LEAST_MEMORY} MiB, with which a container starts"
            )
        }
        if cpu := self._millicores():
            notes["placer.dev/cpu"] = (
                f"request {cpu}m: utilisation at the arrival rates times cores; no limit, which would slow it down "
                "while its node is idle"
            )
        if claims := self.claims():
            notes["placer.dev/accelerator"] = "; ".join(map(note_of, claims))
        return notes

    def _memory(self) -> str:
        return f"{mebibytes(self.program, LEAST_MEMORY)}Mi"

    def _millicores(self) -> int:
        """Thousandths of a core; 0 where nothing is known."""
        return sum(millicores(self.compiled, self.parts.parts[number]) or 0 for number in self.program.parts)

    def _container(self, entered: set[int], claims: list[Claim]) -> dict[str, Any]:
        ports: list[dict[str, Any]] = []
        for place, number in enumerate(self.program.parts):
            ports.append({"name": self.port_name(number), "containerPort": self.port + place, "protocol": "TCP"})
            if number in entered:
                ports[-1]["hostPort"] = self.port + self.parts.parts[number].ordinal
        health = self.compiled.instance.file.deployment.health
        if health is not None:
            if any(port["containerPort"] == health.port for port in ports):
                raise InputError(f"the health port {health.port} is one of the ports of tensors; choose another")
            ports.append({"name": "health", "containerPort": health.port, "protocol": "TCP"})
        files = ":".join(f"{CONFIG_FOLDER}/{self.file(number)}" for number in self.program.parts)
        mounts: list[dict[str, Any]] = [{"name": "fragment", "mountPath": CONFIG_FOLDER, "readOnly": True}]
        for number, path in enumerate(_files(claims)):
            mounts.append({"name": f"accelerator-{number + 1}", "mountPath": path})
        container: dict[str, Any] = {"name": "fragment", "image": self.image}
        if self.pull_policy is not None:
            container["imagePullPolicy"] = self.pull_policy
        container |= {
            "ports": ports,
            "env": [{"name": "PLACER_FRAGMENT", "value": files}],
            "resources": self._resources(claims),
            **self._probes(),
            "volumeMounts": mounts,
        }
        if _files(claims):
            # without a device plugin only a privileged container may open a device file
            container["securityContext"] = {"privileged": True}
        return container

    def _resources(self, claims: list[Claim]) -> dict[str, Any]:
        # no limit on the processor: a limit would slow a part down while its node is idle
        limits: dict[str, Any] = {"memory": self._memory()}
        for claim in claims:
            if claim.resource is not None:
                limits[claim.resource] = limits.get(claim.resource, 0) + 1
        cpu = self._millicores()
        requests = {"cpu": f"{cpu}m", **limits} if cpu else dict(limits)
        return {"requests": requests, "limits": limits}

    def _probes(self) -> dict[str, Any]:
        """Loading may take minutes; then the node asks for readiness often, and restarts what is silent for long."""
        health = self.compiled.instance.file.deployment.health
        ask: dict[str, Any] = {"tcpSocket": {"port": self.port_name(self.program.parts[0])}}
        patience = 1
        if health is not None:
            ask = {"httpGet": {"path": health.path, "port": "health"}}
            # a program that is busy with a request may answer after it
            busy = [self.parts.parts[number].seconds for number in self.program.parts]
            patience = max(2, math.ceil(2 * max((one for one in busy if math.isfinite(one)), default=1.0)))
        every = max(5, patience)
        return {
            "startupProbe": {
                **ask,
                "periodSeconds": every,
                "timeoutSeconds": patience,
                "failureThreshold": math.ceil(STARTS_WITHIN / every),
            },
            "readinessProbe": {**ask, "periodSeconds": every, "timeoutSeconds": patience, "failureThreshold": 2},
            "livenessProbe": {**ask, "periodSeconds": 2 * every, "timeoutSeconds": patience, "failureThreshold": 3},
        }

    def _tolerations(self, nodes: Iterable[str]) -> list[dict[str, str]]:
        """Of the taints of all nodes on which it may run."""
        allowed = set(nodes)
        devices = [device for device in self.compiled.instance.devices if device.name in allowed]
        return [toleration(taint) for taint in dict.fromkeys(t for device in devices for t in device.tolerations)]


def toleration(taint: str) -> dict[str, str]:
    """Return what tolerates a taint that is written as ``kubectl taint`` does."""
    pair, _, effect = taint.partition(":")
    key, equals, value = pair.partition("=")
    found = {"key": key, "operator": "Equal", "value": value} if equals else {"key": key, "operator": "Exists"}
    return found | ({"effect": effect} if effect else {})


def _files(claims: list[Claim]) -> list[str]:
    """Device files to mount: of accelerators that no device plugin hands out."""
    return list(dict.fromkeys(path for claim in claims if claim.resource is None for path in claim.files))
