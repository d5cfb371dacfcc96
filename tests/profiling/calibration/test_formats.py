"""Reading measurements: what the tools' own documentation shows, and everything that can be wrong with a file."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from placer.errors import InputError
from placer.profiling.calibration.formats.registry import FORMATS, read_file
from placer.profiling.calibration.formats.text import Names
from placer.profiling.calibration.measurements import Measurement, Thing, label, series_of

LLAMA: dict[str, Any] = {
    # llama.cpp, tools/llama-bench/README.md, "JSON"
    "build_commit": "8cf427ff",
    "cpu_info": "AMD Ryzen 7 7800X3D 8-Core Processor",
    "gpu_info": "NVIDIA GeForce RTX 4080",
    "model_filename": "models/Qwen2.5-7B-Instruct-Q4_K_M.gguf",
    "model_size": 4677120000,
    "model_n_params": 7615616512,
    "n_gpu_layers": 99,
    "n_prompt": 0,
    "n_gen": 128,
    "n_depth": 0,
    "avg_ns": 1076767880,
    "samples_ns": [1075361300, 1065089400, 1071761200, 1081934900, 1089692600],
}
PROMPT = LLAMA | {"n_prompt": 512, "n_gen": 0, "avg_ns": 72135640, "samples_ns": [74601900, 71632900]}
# Triton Inference Server, Performance Analyzer, "Visualizing Latency vs. Throughput"
TRITON = (
    "Concurrency,Inferences/Second,Client Send,Network+Server Send/Recv,Server Queue,Server Compute Input,"
    "Server Compute Infer,Server Compute Output,Client Recv,p50 latency,p90 latency,p95 latency,p99 latency\n"
    "3,84.2,237,1768,21673,209,11742,17,0,35398,43984,47085,51701\n"
    "1,69.2,225,2148,64,206,11781,19,0,13891,18795,19753,21018\n"
)
# Frigate, docs/docs/integrations/api.md, GET /api/stats
FRIGATE = {
    "back": {"camera_fps": 5.0, "detection_fps": 1.5, "skipped_fps": 0.0},
    "detection_fps": 5.0,
    "detectors": {"coral": {"detection_start": 0.0, "inference_speed": 10.48, "pid": 25321}},
    "service": {"uptime": 10, "version": "0.10.1-8883709"},
}
NAMED = Names("box/gpu", "net")


def read(tmp_path: Path, text: str, names: Names = NAMED, wanted: str | None = None) -> tuple[str, list[Measurement]]:
    path = tmp_path / "file"
    path.write_text(text, encoding="utf-8")
    return read_file(path, names, wanted)


def test_a_table(tmp_path: Path) -> None:
    text = "device,layer,model,seconds,joules,run\n"
    text += "Pi 5/GPU,conv1,AlexNet,0.002,0.01,1\n\nPi 5/GPU,conv1,AlexNet,0.004,,2\n"
    name, found = read(tmp_path, text, Names())
    assert name == "csv"
    assert [one.thing for one in found] == [Thing("pi-5", "gpu", "alexnet", "conv1", "", "")] * 2
    assert [(one.seconds, one.joules, one.line) for one in found] == [(0.002, 0.01, 2), (0.004, None, 4)]
    (series,) = series_of(found)
    assert series.count == 2
    assert series.seconds == pytest.approx(0.003)
    assert series.scv == pytest.approx(2e-6 / 9e-6)
    assert series.joules == 0.01
    assert not series.averaged


def test_a_table_with_units_sizes_and_builds(tmp_path: Path) -> None:
    text = (
        "\ufeffdevice,model,seconds,joules,runtime,precision,macs,weights,input,output\n"
        "pi,net,12 ms,3 mJ,ONNXRuntime,Int8,1 GMAC,2 MB,150 kB,4 kB\n"
    )
    _, (one,) = read(tmp_path, text, Names())
    assert one.thing.build == "onnxruntime-int8"
    assert one.seconds == pytest.approx(0.012)
    assert one.joules == pytest.approx(0.003)
    assert (one.sizes.macs, one.sizes.weights, one.sizes.input, one.sizes.output) == (1e9, 2e6, 150e3, 4e3)
    _, (two,) = read(tmp_path, "layer,seconds\nconv1,0.5\n", Names("pi"))
    assert two.thing == Thing("pi", "", "measured", "conv1", "", "")


def test_llama_bench(tmp_path: Path) -> None:
    name, found = read(tmp_path, json.dumps([PROMPT, LLAMA, LLAMA | {"n_prompt": 512}], indent=2), Names())
    assert name == "llama-bench"
    assert len(found) == 7  # tests of both at once tell neither
    prompt, token = found[0], found[2]
    assert prompt.thing == Thing(
        "nvidia-geforce-rtx-4080", "gpu", "qwen2-5-7b-instruct-q4-k-m-prompt-512", "", "llama.cpp", ""
    )
    assert prompt.seconds == pytest.approx(0.0746019)
    assert prompt.sizes.macs == 7615616512 * 512
    assert not prompt.reads
    assert token.thing.model == "qwen2-5-7b-instruct-q4-k-m-token"
    assert token.seconds == pytest.approx(1.0753613 / 128)
    assert token.sizes.weights == 4677120000
    assert token.reads
    assert token.averaged
    # tokens per second of the documentation: 118.881588 on average
    (_, series) = series_of(found)
    assert 1 / series.seconds == pytest.approx(118.88, rel=1e-3)


def test_llama_bench_lines_and_means(tmp_path: Path) -> None:
    bare = {key: value for key, value in LLAMA.items() if key != "samples_ns"}
    _, found = read(tmp_path, json.dumps(bare | {"n_gpu_layers": 0}) + "\n" + json.dumps(PROMPT) + "\n", Names())
    assert [one.line for one in found] == [1, 2, 2]
    assert found[0].thing.device == "amd-ryzen-7-7800x3d-8-core-processor"
    assert found[0].thing.unit == ""
    assert found[0].seconds == pytest.approx(1.07676788 / 128)
    _, named = read(tmp_path, json.dumps(bare | {"n_depth": 512}), Names("my-pc/gpu", "qwen"))
    assert named[0].thing == Thing("my-pc", "gpu", "qwen-token-after-512", "", "llama.cpp", "")


def test_perf_analyzer_at_the_least_concurrency(tmp_path: Path) -> None:
    name, (one,) = read(tmp_path, TRITON)
    assert name == "perf-analyzer"
    assert one.seconds == pytest.approx((206 + 11781 + 19) * 1e-6)
    assert one.thing == Thing("box", "gpu", "net", "", "triton", "")
    assert one.line == 3
    old = "Concurrency,Inferences/Second,Client Send,Network+Server Send/Recv,Server Queue,Server Compute,Client Recv\n"
    _, (one,) = read(tmp_path, old + "1,160.8,68,1291,38,4801,7\n")
    assert one.seconds == pytest.approx(4801e-6)


def test_frigate(tmp_path: Path) -> None:
    name, (one,) = read(tmp_path, json.dumps(FRIGATE), Names("nuc", "ssd"))
    assert name == "frigate"
    assert one.seconds == pytest.approx(0.01048)
    assert one.averaged
    assert one.thing == Thing("nuc", "", "ssd", "", "", "")
    two = FRIGATE | {"detectors": {"Coral 1": {"inference_speed": 9.0}, "Coral 2": {"inference_speed": 10}}}
    _, found = read(tmp_path, json.dumps(two), Names("nuc", "ssd"))
    assert [one.thing.unit for one in found] == ["coral-1", "coral-2"]


HEAD = "device,model,seconds\n"
LINES = json.dumps(LLAMA | {"avg_ns": 1}) + "\n"
FAULTS: list[tuple[str, str, int | None]] = [
    ("", "is empty", None),
    ("   \n\n", "is empty", None),
    ("hello\nworld\n", "is of no known format", 1),
    ("device,model,secs\npi,a,1\n", "unknown column 'secs'; did you mean 'seconds'?", 1),
    ("device,model,seconds,seconds\npi,a,1,2\n", "column 'seconds' is there twice", 1),
    ("model,seconds\na,1\n", "column 'device' is missing", 1),
    ("device,model,joules\npi,a,1\n", "column 'seconds' is missing", 1),
    (HEAD, "has a head and no measurements", None),
    (HEAD + "pi,a\n", "has 2 cells; the head has 3", 2),
    (HEAD + "pi,a,1\npi,a,nan\n", "'nan' is not finite", 3),
    (HEAD + "pi,a,inf\n", "'inf' is not finite", 2),
    (HEAD + "pi,a,-1\n", "'-1' is negative; a duration of more than zero is allowed", 2),
    (HEAD + "pi,a,0\n", "must be more than zero", 2),
    (HEAD + "pi,a,1e99\n", "is out of range", 2),
    (HEAD + "pi,a,\n", "seconds is empty", 2),
    (HEAD + 'pi,a,"0,5"\n', "0,5", 2),
    (HEAD + "pi,a,soon\n", "soon", 2),
    (HEAD + "pi,a,1_0\n", "1_0", 2),
    (HEAD + "pi,a,12 ms\npi,a,0.012\n", "mixed units in column 'seconds': 'none' here, 'ms' in line 2", 3),
    (HEAD + "pi,a,12 ms\npi,a,1 s\n", "mixed units in column 'seconds': 's' here, 'ms' in line 2", 3),
    (HEAD + "pi,a,12 mJ\n", "unknown unit 'mJ' for a duration", 2),
    (HEAD + ",a,1\n", "device is empty", 2),
    (HEAD + "pi,,1\n", "needs a model or a layer", 2),
    (HEAD + "pi,___,1\n", "needs a model or a layer", 2),
    ("device,layer,seconds\npi,a b,1\n", "'a b' is no name of a layer", 2),
    ("device,model,seconds,joules\npi,a,1,-2\n", "joules: '-2' is negative", 2),
    ("device,model,seconds,run\npi,a,1,7\npi,a,1,7\n", "run '7' has the same thing in line 2 already", 3),
    (HEAD + 'pi,"a,1\n', "is no table", 2),
    (TRITON.replace("Client Send", "Client Sent"), "unknown column 'Client Sent'; did you mean 'Client Send'?", 1),
    (TRITON.replace("Concurrency", "Request Rat"), "one of the columns Concurrency, Request Rate is missing", 1),
    (TRITON.replace(",11781,", ",nan,"), "Server Compute Infer: 'nan' is not finite", 3),
    (TRITON.replace("1,69.2,", "1,276.8,"), "looks like batches of 4", 3),
    ("Concurrency,Inferences/Second,Client Send\n1,2,3\n", "no column says how long the server computes", 1),
    ("[]", "is of no known format", 1),
    ("[" + json.dumps(LLAMA) + ", 3]", "expected a test, a mapping", 1),
    (json.dumps([{**LLAMA, "samples_ns": [1, -5]}], indent=0), "-5 is negative", 16),
    (json.dumps([{**LLAMA, "samples_ns": [1, "NaN"]}], indent=0), "'NaN' is not finite", 16),
    (json.dumps([{**LLAMA, "samples_ns": [1, math.nan]}], indent=0), "'NaN' is not finite", 16),
    (json.dumps([LLAMA | {"n_gen": 0}], indent="\t"), "holds no test of a prompt", None),
    (json.dumps([{**LLAMA, "n_gen": 1.5}], indent=0), "expected a whole number, got 1.5", 11),
    (json.dumps([{k: v for k, v in LLAMA.items() if k != "model_size"}], indent=0), "is required", 2),
    (json.dumps([LLAMA | {"n_prompt": 5}]), "holds no test of a prompt or of generation alone", None),
    (LINES + LINES.replace("128", "-1"), "expected a whole number, got -1", 2),
    (json.dumps([LLAMA])[:-2], "is not valid JSON: Expecting ',' delimiter", 1),
    (json.dumps({"detectors": {"coral": {"inference_speed": 0.0}}}), "must be more than zero", 1),
    (json.dumps({"detectors": {"coral": {"inference_speed": -1}}}), "-1 is negative", 1),
    (json.dumps({"detectors": {"a": {"inference_speed": 1}, "b": {"pid": 1}}}), "is required", 1),
    (json.dumps({"detectors": {"a b": {"inference_speed": 1}, "a-b": {"inference_speed": 1}}}), "same as labels", None),
]


@pytest.mark.parametrize(("text", "message", "line"), FAULTS, ids=[message[:40] for _, message, _ in FAULTS])
def test_faults_name_the_line_the_value_and_what_is_allowed(
    tmp_path: Path, text: str, message: str, line: int | None
) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, text, Names() if text.startswith(("device", "model")) else NAMED)
    problem = next(one for one in caught.value.problems if message in one.message)
    assert problem.line == line
    assert problem.file == str(tmp_path / "file")


def test_all_faults_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, HEAD + "pi,a,nan\n" * 50, Names())
    assert [one.line for one in caught.value.problems[:20]] == list(range(2, 22))
    assert caught.value.problems[20].message == "and 30 more problems"


@pytest.mark.parametrize("text", [TRITON, json.dumps(FRIGATE)])
def test_names_that_a_format_lacks(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match="which names no device and no model"):
        read(tmp_path, text, Names())
    with pytest.raises(InputError, match="which names no model"):
        read(tmp_path, text, Names("pi", "--"))


def test_a_wanted_format_is_not_guessed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown column 'Concurrency'"):
        read(tmp_path, TRITON, NAMED, "csv")
    with pytest.raises(InputError, match=r"unknown format 'llama-bensch'; did you mean 'llama-bench'\?"):
        read(tmp_path, TRITON, NAMED, "llama-bensch")


@pytest.mark.parametrize("cut", range(1, 400, 23))
@pytest.mark.parametrize("name", ["llama", "triton", "frigate", "csv"])
def test_a_file_cut_short_is_an_answer_or_an_input_error(tmp_path: Path, name: str, cut: int) -> None:
    whole = {
        "llama": json.dumps([LLAMA, PROMPT]),
        "triton": TRITON,
        "frigate": json.dumps(FRIGATE),
        "csv": HEAD + "pi,a,12 ms\n" * 30,
    }[name]
    try:
        _, found = read(tmp_path, whole[: -cut % len(whole)])
    except InputError:
        return
    assert all(one.seconds > 0 for one in found)


def test_labels() -> None:
    assert label("Raspberry Pi 5 (8 GB)") == "raspberry-pi-5-8-gb"
    assert label("__") == ""
    assert len(label("x" * 100)) == 63


def test_every_format_is_told_by_its_content() -> None:
    texts = {
        "llama-bench": json.dumps([LLAMA]),
        "frigate": json.dumps(FRIGATE),
        "perf-analyzer": TRITON,
        "csv": HEAD,
    }
    assert set(texts) == set(FORMATS)
    for name, text in texts.items():
        assert [other for other, one in FORMATS.items() if one.is_this(text)] == [name]
