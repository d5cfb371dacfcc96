"""Small valid files of every format that placer reads: what the fuzzer starts from."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from placer.cli import cli
from placer.instance.library import shipped_root
from tests.cli.fuzz.mutations import npy
from tests.instance.build import small_tree, write_tree
from tests.profiling.calibration.test_formats import FRIGATE, LLAMA, PROMPT, TRITON
from tests.profiling.onnx.build import ones, save
from tests.profiling.tflite.build import Net, Op, content, conv, empty

LOSS = """\
format: placer/instance/1
devices:
  - {name: cam, type: raspberry-pi-3a-plus, buffer: 3}
  - {name: hub, type: raspberry-pi-4b, buffer: 4}
network:
  links: [{between: [cam, hub], rate: 20 Mbit/s, latency: 5 ms}]
services:
  - {name: s, model: parts/net.yaml, source: cam, sink: hub, arrivals: 4 /s, deadline: 2 s}
  - {name: t, model: parts/net.yaml, source: cam, arrivals: {rate: 1 /s, process: poisson}}
objective: loss
"""
TRACED = LOSS.replace("{rate: 1 /s, process: poisson}", "{process: trace, times: [0 s, 1 s, 1.5 s, 3 s]}")
"""Evaluating this takes longer than all the rest: it is only read."""

SCENARIOS = """\
format: placer/scenarios/1
scenarios:
  - {name: usual, weight: 3}
  - {name: busy, arrivals: {s: 9 /s}}
  - {name: broken, weight: 0.5, arrivals: {}, down: [hub]}
"""
PROFILE = """\
format: placer/exits/1
name: small
title: Three exits
source: made up
table: table.npz
exits:
  - {name: one, time: 10 ms, classifier: 1 ms, macs: 1 MMAC, classifier_macs: 100 kMAC, scv: 0.1}
  - {name: two, time: 20 ms, classifier: 1 ms, macs: 2 MMAC, classifier_macs: 100 kMAC}
  - {name: three, time: 35 ms, classifier: 2 ms, macs: 4 MMAC, classifier_macs: 100 kMAC, assumed: [time]}
"""
FIGURES = """\
format: placer/exits/1
name: figures
source: made up
synthetic: true
published: {accuracy: 0.8, mean_time: 20 ms, plain_time: 35 ms, shares: [0.5, 0.5]}
exits:
  - {name: one, time: 10 ms, accuracy: 0.6, confidence: 0.7}
  - {name: two, time: 0.02 s, scv: 0.5, accuracy: 80 %}
"""
USERS = """\
format: placer/users/1
source: made up
users:
  - {name: ann, model: parts/net.yaml, device: raspberry-pi-4b, uplink: 20 Mbit/s, latency: 10 ms, count: 2}
  - {name: bob, model: alexnet, device: parts/board.yaml, uplink: 1 Mbit/s, input: 100 kB, assumed: [uplink]}
cores: 4
speedup: {2: 1.67, 4: 2.5}
"""
COMPRESSION = """\
format: placer/compression/1
name: small
source: made up
options:
  - {name: four, ratio: 4, encode: {"*": 50 MB/s}, decode: {"*": 500 MB/s}, accuracy_loss: 0 %, layers: [a, input]}
  - {name: nine, ratio: 9, encode: {raspberry-pi-4b: 5 MB/s}, decode: {"*": 5 MB/s}, accuracy_loss: 2 %}
"""
GRAPH = {
    "maxSizePerFPGA": 10.0,
    "maxFPGAs": 2,
    "maxCPUs": 1,
    "nodes": [
        {"id": 0, "supportedOnFpga": True, "cpuLatency": 5.0, "fpgaLatency": 1.0, "size": 3.0, "name": "in"},
        {"id": 1, "supportedOnFpga": True, "cpuLatency": 4.0, "fpgaLatency": 1.5, "size": 4.0, "colorClass": 1},
        {"id": 2, "supportedOnFpga": False, "cpuLatency": 0.5, "fpgaLatency": 1.0, "size": 1.0, "colorClass": 2},
        {"id": 3, "supportedOnFpga": True, "cpuLatency": 2.0, "fpgaLatency": 0.5, "isBackwardNode": True},
    ],
    "edges": [
        {"sourceId": 0, "destId": 1, "cost": 0.5},
        {"sourceId": 0, "destId": 2, "cost": 0.5},
        {"sourceId": 1, "destId": 3, "cost": 0.1},
        {"sourceId": 2, "destId": 3, "cost": 0.2},
    ],
}
REFERENCE = {
    "throughput": {"g": {"contiguous": 3.0, "contiguous_bound": 2.0, "noncontiguous": 3, "noncontiguous_bound": 2.5}},
    "latency": {"g": {"best_feasible": 5.0, "bound": 4.0}},
}
MEASURED = """device,model,layer,seconds,joules,runtime,precision,run,macs
raspberry-pi-5,alexnet,conv1,0.0031,0.021,,,1,
raspberry-pi-5,alexnet,conv2,0.0066,0.041,,,1,
raspberry-pi-5,alexnet,fc6,0.0121,0.08,,,1,
raspberry-pi-5,alexnet,conv1,0.0033,0.022,,,2,
board,net,,0.5,3,,,,
raspberry-pi-4b/cpu,own,,0.5,,tflite,int8,,1e9
raspberry-pi-4b/cpu,own,,0.6,,onnxruntime,,,1e9
"""
CHAINNET = {
    "numClasses": "2\n1\n",
    "numNodes": "3\n2\n",
    "capacity": "4 5 3\n2 6\n",
    "path": "1 2 3\n3 1\n2 1 2\n",
    "arrival": "1.5\n2.25\n1\n",
    "service": "0.5 0.25 0.5\n1 0.5\n0.25 0.5 0.125\n",
    "tputRatio": "0.9\n0.95\n0.8\n",
    "responseTime": "1.5\n1.75\n2\n",
}


def run(folder: Path, *arguments: str) -> None:
    """Run a command that must write its file, in a folder; what it writes may break limits or leave them open."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            assert cli.main(list(arguments), standalone_mode=False) in (0, 1, 3, None), arguments
    finally:
        os.chdir(before)


def write_seeds(folder: Path) -> Path:
    """Write every file into a folder and return it."""
    tree = small_tree()
    tree["instance.yaml"]["services"][0]["max_loss"] = "50 %"
    tree["instance.yaml"]["objective"] = ["latency"]
    write_tree(folder, tree)
    root = shipped_root()
    for name, text in {
        "loss.yaml": LOSS,
        "traced.yaml": TRACED,
        "scenarios.yaml": SCENARIOS,
        "profile.yaml": PROFILE,
        "sheet.yaml": PROFILE.replace("table.npz", "table.csv"),
        "figures.yaml": FIGURES,
        "users.yaml": USERS,
        "compression.yaml": COMPRESSION,
        "trace.csv": "# made up\ntime_s,rate_mbit_s\n0,20\n1,1.5\n2.5,6\n4,20\n",
        "radio.yaml": (root / "models/radios/wifi-n.yaml").read_text(encoding="utf-8"),
        "engine.yaml": (root / "models/runtimes/tflite-micro.yaml").read_text(encoding="utf-8"),
        "measured.csv": MEASURED,
        "perf.csv": TRITON,
        "bench.json": json.dumps([LLAMA, PROMPT], indent=1),
        "stats.json": json.dumps(FRIGATE, indent=1),
        "graphs/throughput/g.json": json.dumps(GRAPH),
        "graphs/latency/g.json": json.dumps(GRAPH),
        "graphs/reference.json": json.dumps(REFERENCE),
        **{f"chainnet/{name}.txt": text for name, text in CHAINNET.items()},
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    _write_tables(folder)
    _write_onnx(folder)
    _write_tflite(folder)
    _write_answers(folder)
    return folder


def _write_tables(folder: Path) -> None:
    rng = np.random.default_rng(0)
    arrays, rows = {}, ["split," + ",".join(f"{kind}_{e}" for kind in ("confidence", "correct") for e in (1, 2, 3))]
    for split in ("train", "calibration", "test"):
        confidence = np.sort(rng.random((12, 3)), axis=1).astype(np.float32)
        correct = rng.random((12, 3)) < confidence
        arrays[f"confidence_{split}"], arrays[f"correct_{split}"] = confidence, correct
        rows += [
            ",".join([split, *(f"{value:.3f}" for value in one), *(str(int(value)) for value in other)])
            for one, other in zip(confidence, correct, strict=True)
        ]
    arrays["confidence_test"] = (arrays["confidence_test"] * 255).astype(np.uint8)
    np.savez_compressed(folder / "table.npz", **arrays)
    (folder / "table.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    assert npy(arrays["correct_test"])


def _write_onnx(folder: Path) -> None:
    from onnx import helper

    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], name="conv/one"),
        helper.make_node("BatchNormalization", ["c", "s", "s", "s", "s"], ["n"]),
        helper.make_node("Relu", ["n"], ["r"]),
        helper.make_node("Shape", ["r"], ["shape"]),
        helper.make_node("Gather", ["shape", "zero"], ["first"]),
        helper.make_node("Concat", ["first", "rest"], ["target"], axis=0),
        helper.make_node("Reshape", ["r", "target"], ["flat"]),
        helper.make_node("Gemm", ["flat", "g"], ["y"], name="last", transB=1),
        helper.make_node("Softmax", ["y"], ["z"]),
    ]
    weights = {
        "w": ones(4, 3, 3, 3),
        "s": ones(4),
        "zero": np.array([0], dtype=np.int64),
        "rest": np.array([256], dtype=np.int64),
        "g": ones(5, 256),
    }
    save(folder / "net.onnx", nodes, weights, inputs={"x": ["batch", 3, 8, 8]}, outputs=("z", "r"))
    _write_flow(folder)


def _write_flow(folder: Path) -> None:
    """Control flow that is none: a loop of four laps at most, a branch, a sequence."""
    from onnx import helper

    make = helper.make_node
    branch = helper.make_graph([make("MatMul", ["x", "w"], ["t"])], "b", [], [_float("t")])
    body = helper.make_graph(
        [
            make("MatMul", ["h", "w"], ["k"]),
            make("Less", ["lap", "two"], ["on"]),
            make("Identity", ["k"], ["slice"]),
        ],
        "body",
        [_float("lap", 7), _float("was", 9), _float("h")],
        [_float("on", 9), _float("k"), _float("slice")],
    )
    nodes = [
        make("If", ["yes"], ["a"], then_branch=branch, else_branch=branch),
        make("Loop", ["four", "yes", "a"], ["last", "all"], body=body),
        make("SequenceConstruct", ["a", "last"], ["s"]),
        make("SequenceAt", ["s", "one"], ["c"]),
        make("Einsum", ["all", "c"], ["y"], equation="lij,kj->lk"),
    ]
    weights = {
        "w": ones(6, 6),
        "yes": np.array(True),
        "four": np.array(4),
        "two": np.array(2),
        "one": np.array(1),
    }
    save(folder / "flow.onnx", nodes, weights, inputs={"x": [1, 6]})


def _float(name: str, kind: int = 1) -> Any:
    from onnx import helper

    return helper.make_tensor_value_info(name, kind, None)


def _write_tflite(folder: Path) -> None:
    net = Net(
        {"x": (1, 4, 4, 2), "w": (3, 3, 3, 2), "b": (3,), "c": (1, 4, 4, 3), "s": (2,), "y": (1, 48)},
        [Op("CONV_2D", ["x", "w", "b"], ["c"], conv()), Op("RESHAPE", ["c", "s"], ["y"], empty("ReshapeOptions"))],
        ["x"],
        ["y"],
        {"w": ones(3, 3, 3, 2), "b": ones(3), "s": np.array([1, 48], dtype=np.int32)},
    )
    (folder / "net.tflite").write_bytes(content(net))


def _write_answers(folder: Path) -> None:
    """The files that placer itself writes: plans, policy, split table, an export."""
    run(folder, "plan", "instance.yaml", "-o", "plan.json", "--method", "ilp")
    run(folder, "plan", "loss.yaml", "-o", "loss.json", "--rounds", "1", "--no-confirm")
    load = ("--arrivals", "20 /s", "--buffer", "3", "--jobs", "100", "--replications", "2")
    run(folder, "exits", "figures.yaml", *load, "-o", "policy.json")
    cut = ("--server", "edge-2500", "--uplink", "5 Mbit/s", "--table", "table.json")
    run(folder, "split", "parts/net.yaml", *cut)
    run(folder, "export", "plan.json", "-o", "exported")
    assert yaml.safe_load((folder / "plan.json").read_text())["format"].startswith("placer/plan/")
    shutil.rmtree(folder / "__pycache__", ignore_errors=True)
