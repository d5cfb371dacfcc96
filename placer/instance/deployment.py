"""What manifests need beside the plan, as an instance says it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from placer.instance.fields import Label
from placer.instance.reading import Strict

PullPolicy = Literal["Always", "IfNotPresent", "Never"]
PULL_POLICIES: tuple[PullPolicy, ...] = ("Always", "IfNotPresent", "Never")

Taint = Annotated[
    str,
    StringConstraints(
        max_length=320,
        pattern=r"^([a-z0-9]([-a-z0-9.]{0,200}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
        r"(=([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?)?(:(NoSchedule|PreferNoSchedule|NoExecute))?$",
    ),
]
"""A taint of a node as ``kubectl taint`` has it: ``key=value:effect``, ``key:effect``, or ``key`` for all effects."""


def _taints(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Taints = Annotated[tuple[Taint, ...], BeforeValidator(_taints), Field(max_length=50)]


class Health(Strict):
    """How a container says that it is well."""

    port: Annotated[int, Field(ge=1, le=65535)]
    """Port inside the container on which it answers HTTP with a status of 200 to 399 when it is well."""
    path: Annotated[str, Field(max_length=200, pattern=r"^/[A-Za-z0-9._~/-]*$")] = "/healthz"
    """Path that is asked for."""
    command: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=500)], ...], Field(max_length=50)] = ()
    """What Docker Compose runs inside the container to learn the same, as Docker itself asks no HTTP; its program must
    be in the image. Left out, Compose does not ask."""


class Deployment(Strict):
    """What manifests need beside the plan."""

    image: Annotated[str, Field(max_length=300, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@-]*$")] | None = None
    """Container image of the node program."""
    namespace: Label | None = None
    """Kubernetes namespace."""
    pull_policy: PullPolicy | None = None
    """When nodes pull the image; left out, Kubernetes decides by its tag and Docker pulls what is missing."""
    health: Health | None = None
    """How containers say that they are well; left out, Kubernetes tries whether they accept connections on the port on
    which tensors come in."""
