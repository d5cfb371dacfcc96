"""JSON schemas whose fields are described by the docstrings beneath them.

Pydantic can take the docstrings itself, but then reads and parses the source of every class whenever it is imported;
only who prints a schema needs them.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

if TYPE_CHECKING:
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core.core_schema import ModelSchema


def field_docstrings(model: type[BaseModel]) -> dict[str, str]:
    """Return the docstring beneath each field of a model, those of its bases included."""
    found: dict[str, str] = {}
    for owner in reversed(model.__mro__):
        if issubclass(owner, BaseModel) and owner is not BaseModel:
            found |= _own_docstrings(owner)
    return {name: text for name, text in found.items() if name in model.model_fields}


def _own_docstrings(owner: type) -> dict[str, str]:
    tree = ast.parse(textwrap.dedent(inspect.getsource(owner)))
    assert isinstance(tree.body[0], ast.ClassDef)
    found: dict[str, str] = {}
    field: str | None = None
    for node in tree.body[0].body:
        if field is not None and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            found[field] = inspect.cleandoc(str(node.value.value))
        is_field = isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
        field = node.target.id if is_field else None  # type: ignore[attr-defined]
    return found


class DescribedSchema(GenerateJsonSchema):
    """For ``model_json_schema(schema_generator=...)``; a description given to ``Field`` wins over the docstring."""

    def model_schema(self, schema: ModelSchema) -> JsonSchemaValue:
        """Return the schema of a model with its fields described."""
        result = super().model_schema(schema)
        model = schema["cls"]
        properties: dict[str, Any] = result.get("properties", {})
        for name, text in field_docstrings(model).items():
            field = model.model_fields[name]
            if field.description is None:
                properties[field.alias or name]["description"] = text
        return result
