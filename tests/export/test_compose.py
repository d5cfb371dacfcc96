"""The Compose files: valid against the Compose specification, ports apart, hops that exist."""

from __future__ import annotations

import json
from importlib.resources import files as resource
from typing import Any

import jsonschema
import yaml

from placer.export import compose
from tests.export.helpers import IMAGE, everything, plan_of, tiny


def parsed(files: dict[str, str]) -> dict[str, dict[str, Any]]:
    return {path: yaml.safe_load(text) for path, text in files.items() if path.startswith("compose/")}


def test_every_file_is_valid() -> None:
    text = (resource("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json").read_text()
    schema = json.loads(text)
    compiled, plan = everything()
    found = parsed(compose.write(plan, compiled, image=IMAGE))
    assert set(found) == {f"compose/{name}.yaml" for name in ("near", "middle", "far")}
    validator = jsonschema.validators.validator_for(schema)(schema)
    for body in found.values():
        validator.validate(body)


def test_hops_lead_to_published_ports() -> None:
    compiled, plan = everything()
    files = compose.write(plan, compiled, image=IMAGE)
    found = parsed(files)
    published: dict[str, str] = {}
    for path, body in found.items():
        device = path.removeprefix("compose/").removesuffix(".yaml")
        ports = [service["ports"][0].split(":")[0] for service in body["services"].values()]
        assert len(set(ports)) == len(ports)
        published |= {name: f"{device}:{port}" for name, port in zip(body["services"], ports, strict=True)}
    hops = 0
    configs = [
        (body, json.loads(config["content"].replace("$$", "$")))
        for body in found.values()
        for config in body["configs"].values()
    ]
    mapped = json.loads(files["mcu/sensor.json"])["fragments"]
    for body, config in [*configs, *(({"services": {}}, fragment) for fragment in mapped)]:
        for sent in config["sends"]:
            target = sent["to"]
            if "fragment" not in target:
                continue
            hops += 1
            if target["fragment"] in body["services"]:
                assert target["address"] == f"{target['fragment']}:8080"
            else:
                assert target["address"] == published[target["fragment"]]
    assert hops == 2 + 1 + 4 + 2


def test_memory_is_limited_and_never_below_what_docker_accepts() -> None:
    compiled = tiny()
    found = parsed(compose.write(plan_of(compiled, "near near far"), compiled, image=IMAGE))
    assert found["compose/near.yaml"]["services"]["look-1"]["mem_limit"] == "6m"
    assert found["compose/far.yaml"]["services"]["look-2"]["mem_limit"] == "8m"
    assert found["compose/far.yaml"]["services"]["look-2"]["mem_reservation"] == "8m"
