"""Field types that the schemas share: names, references, and the marking of assumed figures."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, Strict, StringConstraints, model_validator

from placer.instance import reading

LONGEST_LABEL = 63

Label = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", max_length=LONGEST_LABEL)]
"""A DNS-1123 label: what Kubernetes accepts as a name."""

LabelPattern = Annotated[str, StringConstraints(pattern=r"^[a-z0-9*]([-a-z0-9*]{0,61}[a-z0-9*])?$")]
"""The name of a device, or a pattern such as ``cam-*`` for all whose names are like it."""

LayerName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.:-]{0,99}$")]
Reference = Annotated[str, StringConstraints(min_length=1, max_length=200)]
"""A shipped name, or a path relative to the file that holds it."""

Text = Annotated[str, StringConstraints(max_length=4000)]
Count = Annotated[int, Strict(), Field(ge=1, le=10**9)]
WholeNumber = Annotated[int, Strict(), Field(ge=0, le=10**9)]
Truth = Annotated[bool, Strict()]


def _reject_number_text(value: object) -> object:
    if isinstance(value, str | bool):
        raise ValueError(f"expected a number, got {value!r}"[:120])  # noqa: TRY004 - pydantic collects ValueError only
    return value


Scv = Annotated[float, BeforeValidator(_reject_number_text), Field(ge=0, le=1e6)]
"""Squared coefficient of variation; no unit."""

Positive = Annotated[float, BeforeValidator(_reject_number_text), Field(ge=1e-9, le=1e12)]
"""A number more than zero, bounded away from it so that quotients stay finite."""


class Facts(reading.Strict):
    """A mapping of figures that says which of them are assumptions."""

    assumed: tuple[str, ...] = ()
    """Names of the fields beside this one whose figures are assumed, neither measured nor published."""

    @model_validator(mode="before")
    @classmethod
    def _assumed_names_exist(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("assumed"), list):
            for name in data["assumed"]:
                if isinstance(name, str) and name not in data and name not in cls.model_fields:
                    allowed = [field for field in data if field != "assumed"]
                    raise ValueError("in assumed: " + reading.unknown("field", name, allowed))
        return data
