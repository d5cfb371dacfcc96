"""Nodes and addresses of devices in manifests: names with dots, IP addresses, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from placer.api import compiled_of, plan
from placer.errors import InputError
from placer.export import compose, kubernetes

SITE = """
format: placer/instance/1
devices:
  - {name: node1, type: raspberry-pi-4b, hostname: node1.example.com}
  - {name: board, type: raspberry-pi-4b, address: 192.168.1.20}
  - {name: server, type: cloud-gpu, hostname: gpu-1.example.com, address: "2001:db8::7"}
network: {links: [{between: [node1, board], rate: 1 Gbit/s}, {between: [board, server], rate: 1 Gbit/s}]}
services:
  - {name: look, model: alexnet, source: node1, pins: {conv1: node1, conv2..conv5: board, "fc*": server}}
"""


def test_manifests_name_nodes_and_addresses(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(SITE, encoding="utf-8")
    found, compiled = plan(path).plan, compiled_of(path)
    bound = {}
    for name, text in kubernetes.write(found, compiled, image="example/node:1").items():
        if "kustomization" in name:
            continue
        pod = list(yaml.safe_load_all(text))[2]["spec"]["template"]["spec"]
        [term] = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
        [bound[name]] = term["matchExpressions"][0]["values"]
    assert sorted(bound.values()) == ["board", "gpu-1.example.com", "node1.example.com"]
    sends = []
    for text in compose.write(found, compiled, image="example/node:1").values():
        [config] = yaml.safe_load(text)["configs"].values()
        sends += [one["to"].get("address") for one in json.loads(config["content"].replace("$$", "$"))["sends"]]
    assert sorted(filter(None, sends)) == ["192.168.1.20:8080", "[2001:db8::7]:8080"]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("name: node1,", "name: node1.example.com,", "has dots; choose a short name and write 'hostname: node1.exam"),
        ("hostname: node1.example.com", "hostname: Node_1", "hostname: string should match pattern"),
        ("address: 192.168.1.20", "address: 'http://board'", "is neither a host name nor an IP address"),
        ("address: 192.168.1.20", "hostname: gpu-1.example.com", "are the same node 'gpu-1.example.com'"),
        ("address: 192.168.1.20", "address: 192.168.1.20, replicas: 2", "'replicas' are several nodes"),
    ],
)
def test_what_is_no_name(tmp_path: Path, old: str, new: str, words: str) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(SITE.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        compiled_of(path)
    assert words in str(caught.value)
