"""Plans as files: JSON out, JSON in, and what older versions wrote told in today's words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from placer.instance.reading import read_document, validate
from placer.plan.schema import PLAN_FORMAT, Plan

_NO_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def dump_plan(plan: Plan) -> str:
    """Return the plan as JSON text, which is YAML too (so without escapes in pairs beyond 16 bits)."""
    text = json.dumps(plan.model_dump(mode="json"), indent=2, allow_nan=False, ensure_ascii=False)
    return _NO_YAML.sub(lambda match: f"\\u{ord(match[0]):04x}", text) + "\n"


def read_plan(path: Path) -> Plan:
    """Read a plan from its JSON file, of this version's format or an older one's.

    Raises:
        InputError: every problem of the file.
    """
    document = read_document(path)
    data = document.data
    while isinstance(data, dict) and isinstance(data.get("format"), str) and data["format"] in MIGRATIONS:
        data = MIGRATIONS[data["format"]](data)
    return validate(Plan, replace(document, data=data))


def _from_1(data: dict[str, Any]) -> dict[str, Any]:
    """Version 1 stated what planners minimise: 1 - accuracy, and the load of the slowest stage for the throughput.

    A load becomes requests per second only beside the arrival rates of the instance: it is read as it stands, with its
    unit ``s/s`` and its sense, and :func:`placer.evaluation.plan_checks.renewed` turns it. What is not as version 1
    had it is left as it is, for the schema to refuse.
    """
    certificate = data.get("certificate")
    stated = certificate.get("objectives") if isinstance(certificate, dict) else None
    new = {**data, "format": PLAN_FORMAT}
    if isinstance(certificate, dict) and isinstance(stated, list):
        new["certificate"] = {**certificate, "objectives": [_result_from_1(one) for one in stated]}
    return new


def _result_from_1(result: Any) -> Any:
    if not isinstance(result, dict):
        return result
    if result.get("name") != "accuracy":
        return {"sense": "min", **result}
    value, bound = (_complement(result.get(key)) for key in ("value", "bound"))
    gap = result.get("gap")
    if isinstance(value, float) and isinstance(bound, float) and value > 0:
        gap = (bound - value) / value
    return {"sense": "max", **result, "value": value, "bound": bound, "gap": gap}


def _complement(number: Any) -> Any:
    return 1.0 - number if isinstance(number, int | float) and not isinstance(number, bool) else number


MIGRATIONS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {"placer/plan/1": _from_1}
"""From each older version of the format to the next one."""
