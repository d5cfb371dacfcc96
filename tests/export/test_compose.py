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
    outside: dict[str, str] = {}
    inside: dict[str, str] = {}
    for path, body in found.items():
        device, ways = path.removeprefix("compose/").removesuffix(".yaml"), {}
        for program, service in body["services"].items():
            names = service.get("networks", {"default": {"aliases": [program]}})["default"]["aliases"]
            ways |= dict(zip(names, (way.split(":") for way in service["ports"]), strict=True))
        assert len({published for published, _ in ways.values()}) == len(ways)
        outside |= {name: f"{device}:{published}" for name, (published, _) in ways.items()}
        inside |= {name: f"{name}:{port}" for name, (_, port) in ways.items()}
    contents = [config["content"] for body in found.values() for config in body["configs"].values()]
    configs = [json.loads(content.replace("$$", "$")) for content in contents]
    hops = 0
    for config in [*configs, *json.loads(files["mcu/sensor.json"])["fragments"]]:
        for target in (sent["to"] for sent in config["sends"] if "fragment" in sent["to"]):
            hops += 1
            together = config.get("device") == target["device"]  # fragments of a map name no device of their own
            assert target["address"] == (inside if together else outside)[target["fragment"]]
    assert hops == 2 + 1 + 4 + 2


def test_memory_is_limited_and_never_below_what_docker_accepts() -> None:
    compiled = tiny()
    found = parsed(compose.write(plan_of(compiled, "near near far"), compiled, image=IMAGE))
    assert found["compose/near.yaml"]["services"]["look-1"]["mem_limit"] == "6m"
    assert found["compose/far.yaml"]["services"]["look-2"]["mem_limit"] == "8m"
    assert found["compose/far.yaml"]["services"]["look-2"]["mem_reservation"] == "8m"
