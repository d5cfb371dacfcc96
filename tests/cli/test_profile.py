"""``placer profile``: what it prints, writes and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("onnx")

import numpy as np
from onnx import TensorProto, helper

from tests.cli.run import Finished, placer
from tests.profiling.onnx.build import ones, save

node = helper.make_node


def run(*arguments: object) -> Finished:
    return placer(*map(str, arguments))


@pytest.fixture
def net(tmp_path: Path) -> Path:
    nodes = [
        node("Conv", ["x", "w"], ["c"], name="conv"),
        node("Det", ["c"], ["y"], name="det"),
    ]
    return save(tmp_path / "net.onnx", nodes, {"w": ones(4, 3, 3, 3)})


def test_totals_and_what_is_assumed(net: Path, tmp_path: Path) -> None:
    target = tmp_path / "net.yaml"
    done = run("profile", net, "-o", target)
    assert done.returncode == 0
    assert f"{target} written: 2 layers, 4.032 kMAC, 432 B weights, at most 1.344 kB of tensors at once" in done.stdout
    assert "work assumed, 3.57 % of all multiply-accumulates: det 3.57 %" in done.stderr
    written = target.read_text(encoding="utf-8")
    assert "det (Det) 3.57 %" in " ".join(written.split())
    assert run("show", target).returncode == 0


def test_blocks(net: Path) -> None:
    model = json.loads(run("profile", net, "--json", "--blocks", "1").stdout)
    (block,) = model["layers"]
    assert (block["name"], block["kind"], block["compute"]) == ("conv", "block", "4.032 kMAC")
    assert block["assumed"] == ["compute"]


def test_json_is_the_model(net: Path) -> None:
    done = run("profile", net, "--json")
    model = json.loads(done.stdout)
    assert [layer["name"] for layer in model["layers"]] == ["conv", "det"]
    assert model["layers"][1]["assumed"] == ["compute"]


def test_a_value_of_an_input_settles_a_choice(tmp_path: Path) -> None:
    def branch(name: str, operator: str) -> object:
        end = helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
        return helper.make_graph([node(operator, ["x"], [name], name=name)], name, [], [end])

    nodes = [
        node("Greater", ["rate", "limit"], ["fast"]),
        node("If", ["fast"], ["y"], then_branch=branch("relu", "Relu"), else_branch=branch("tanh", "Tanh")),
    ]
    limit = {"limit": np.array(10, dtype=np.float32)}
    path = save(tmp_path / "a.onnx", nodes, limit, inputs={"x": [1, 3], "rate": []})
    refused = run("profile", path)
    assert refused.returncode == 2
    assert "its condition 'fast' depends on the data" in refused.stderr
    assert "--input-value" in refused.stderr
    assert "name: relu" in run("profile", path, "--input-value", "rate=16000").stdout
    assert "name: tanh" in run("profile", path, "--input-value", "rate=8").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--input-shape", "x=1,2,z"), "'x=1,2,z' is not NAME=1,3,224,224"),
        (("--input-shape", "x=1,-2"), "is not NAME=1,3,224,224"),
        (("--input-value", "x"), "'x' is not NAME=16000"),
        (("--input-value", "x=1", "--input-value", "x=2"), "'x' is given twice"),
        (("--input-value", "z=1"), "a value is given for 'z', which is no input"),
        (("--input-shape", "x=1,3,8,9"), "its dimension 3 is fixed, not 9"),
    ],
)
def test_refused(net: Path, arguments: tuple[str, ...], message: str) -> None:
    done = run("profile", net, *arguments)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())
