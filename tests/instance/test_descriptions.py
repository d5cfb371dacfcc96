"""Docstrings beneath fields become the text of JSON schemas."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field

from placer.exits.policy import PolicyFile
from placer.instance.descriptions import DescribedSchema, field_docstrings
from placer.instance.device import DeviceType
from placer.instance.exit_profile import ExitProfile
from placer.instance.model import Model
from placer.instance.network import RadioType
from placer.instance.schema import InstanceFile
from placer.plan.plan import Plan


class Base(BaseModel):
    """What both share."""

    first: int
    """From the base."""

    replaced: int = 0
    """Said by the base."""


class Told(Base):
    """A model whose descriptions are found by us."""

    replaced: int = 1
    """Said anew,
    on two lines."""

    silent: int = 2

    named: float = Field(3.0, alias="from")
    """Under its alias."""

    chosen: float = Field(4.0, description="given to Field")
    """Not this."""


class Twin(Told):
    """A model whose descriptions are found by us."""

    model_config = ConfigDict(use_attribute_docstrings=True, title="Told")

    replaced: int = 1
    """Said anew,
    on two lines."""

    silent: int = 2

    named: float = Field(3.0, alias="from")
    """Under its alias."""

    chosen: float = Field(4.0, description="given to Field")
    """Not this."""


def test_the_text_is_the_docstring_of_the_nearest_class() -> None:
    assert field_docstrings(Told) == {
        "first": "From the base.",
        "replaced": "Said anew,\non two lines.",
        "named": "Under its alias.",
        "chosen": "Not this.",
    }


def test_schemas_are_those_that_pydantic_makes_from_docstrings() -> None:
    ours = Told.model_json_schema(schema_generator=DescribedSchema)
    theirs = Twin.model_json_schema()
    theirs["properties"]["first"]["description"] = "From the base."  # pydantic looks at the class's own fields only
    assert ours == theirs


@pytest.mark.parametrize("model", [InstanceFile, Model, DeviceType, RadioType, ExitProfile, PolicyFile, Plan])
def test_every_field_of_every_format_is_described(model: type[BaseModel]) -> None:
    schema = model.model_json_schema(schema_generator=DescribedSchema)
    silent: list[str] = []
    parts: dict[str, Any] = {model.__name__: schema, **schema.get("$defs", {})}
    fields = 0
    for title, part in parts.items():
        for name, field in part.get("properties", {}).items():
            fields += 1
            if not field.get("description"):
                silent.append(f"{title}.{name}")
    assert fields > 5
    assert silent == []
