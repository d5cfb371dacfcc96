"""What the commands say and return; :mod:`tests.cli.test_acceptance` holds the program to the same."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from placer.cli import COMMANDS
from tests.cli.run import REPO, placer


@pytest.fixture(scope="session")
def planned(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("planned") / "plan.json"
    done = placer("plan", "smart-parking", "-o", str(path))
    assert done.returncode == 0, done.stderr
    return path.read_bytes()


@pytest.fixture
def plan_file(planned: bytes, tmp_path: Path) -> Path:
    """A plan of a shipped instance, in a folder of its own."""
    (tmp_path / "plan.json").write_bytes(planned)
    return tmp_path / "plan.json"


def edit(path: Path, change: Any) -> None:
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def test_help_lists_every_command() -> None:
    done = placer("--help")
    assert done.returncode == 0
    for name in COMMANDS:
        assert re.search(rf"^  {name} ", done.stdout, re.M)


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_has_help_and_json(name: str) -> None:
    done = placer(name, "--help")
    assert done.returncode == 0
    assert "--json" in done.stdout


def test_plan_check_round_trip_from_another_folder(plan_file: Path, tmp_path: Path) -> None:
    done = placer("check", "plan.json", cwd=tmp_path)
    assert done.returncode == 0
    assert "feasible" in done.stdout
    data = json.loads(plan_file.read_text())
    assert data["format"] == "placer/plan/2"
    assert data["certificate"]["objectives"][0]["gap"] == 0


def test_plan_json_is_pure(tmp_path: Path) -> None:
    done = placer("plan", "do-not-split", "--json")
    data = json.loads(done.stdout)
    assert data["evaluation"]["feasible"]
    assert data["baselines"]["single_node"]["latency"] == pytest.approx(data["evaluation"]["objectives"]["latency"])


def test_not_splitting_is_said() -> None:
    assert "Do not split" in placer("plan", "do-not-split").stdout


def test_infeasible_is_an_answer() -> None:
    done = placer("plan", "infeasible")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    done = placer("explain", "infeasible")
    assert done.returncode == 1
    assert "layer fc6" in done.stdout
    assert "151 MB" in done.stdout
    assert "128 MB" in done.stdout
    assert placer("explain", "smart-parking").returncode == 0


def test_existing_plan_is_not_overwritten(plan_file: Path) -> None:
    before = plan_file.read_text()
    done = placer("plan", "smart-parking", "-o", str(plan_file))
    assert done.returncode == 2
    assert plan_file.read_text() == before


def test_check_refuses_a_stale_plan(plan_file: Path, tmp_path: Path) -> None:
    text = (REPO / "instances" / "smart-parking.yaml").read_text().replace("arrivals: 2 /s", "arrivals: 3 /s")
    (tmp_path / "changed.yaml").write_text(text)
    done = placer("check", str(plan_file), "--instance", str(tmp_path / "changed.yaml"))
    assert done.returncode == 1
    assert "changed" in done.stdout
    done = placer("check", str(plan_file), "--instance", str(tmp_path / "changed.yaml"), "--stale-ok")
    assert done.returncode == 0
    assert "waived" in done.stdout


def test_check_says_what_is_violated_and_by_how_much(plan_file: Path) -> None:
    def shift(data: Any) -> None:
        fragments = data["services"][0]["fragments"]
        fragments[1]["device"] = "lot-1"

    edit(plan_file, shift)
    done = placer("check", str(plan_file), "--json")
    assert done.returncode == 1
    checks = json.loads(done.stdout)["plans"][0]["checks"]
    memory = next(c for c in checks if c["kind"] == "memory" and c["status"] == "violated")
    assert memory["subject"] == "lot-1"
    assert memory["excess"] == pytest.approx(memory["actual"] - memory["limit"])
    tree = ET.fromstring(placer("check", str(plan_file), "--format", "junit").stdout)
    failures = int(tree.find("testsuite").get("failures"))  # type: ignore[union-attr, arg-type]
    assert failures == len(tree.findall(".//failure")) > 0
    annotated = placer("check", str(plan_file), "--format", "github")
    assert "::error file=" in annotated.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["plan", "no-such-thing"], "unknown instance"),
        (["plan", "smart-parkin"], "did you mean 'smart-parking'"),
        (["plan", "smart-parking", "--objective", "speed"], "allowed"),
        (["plan", "smart-parking", "--method", "magic"], "allowed"),
        (["plan", "smart-parking", "--max-moves", "1"], "--keep"),
        (["check", "nowhere.json"], "nowhere.json"),
        (["bench", "nothing"], "unknown suite"),
        (["plam"], "Did you mean 'plan'"),
        (["show", "raspberry-pi-9"], "did you mean"),
    ],
)
def test_bad_usage_exits_2(arguments: list[str], words: str) -> None:
    done = placer(*arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_bad_input_names_file_line_path(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    text = (REPO / "instances" / "smart-parking.yaml").read_text()
    file.write_text(text.replace("buffer: 50}", "bufer: 50}").replace("range: 30 m", "range: 30"))
    done = placer("plan", str(file))
    assert done.returncode == 2
    assert "did you mean 'buffer'?" in done.stderr
    assert re.search(r"bad\.yaml:\d+ \$\.network\.radios\[0\]\.range: 30 has no unit", done.stderr)


def test_init_is_a_plannable_instance(tmp_path: Path) -> None:
    assert placer("init", "mine.yaml", cwd=tmp_path).returncode == 0
    assert placer("init", "mine.yaml", cwd=tmp_path).returncode == 2
    assert placer("plan", "mine.yaml", "-o", "plan.json", cwd=tmp_path).returncode == 0
    assert json.loads((tmp_path / "plan.json").read_text())["instance"]["path"] == "mine.yaml"


def test_starters_fit_together(tmp_path: Path) -> None:
    """A device type and a model from ``init``, named without their endings by an instance beside them."""
    for what in ("device", "model"):
        assert placer("init", what, cwd=tmp_path).returncode == 0
        assert placer("show", f"my-{what}.yaml", cwd=tmp_path).returncode == 0
    assert placer("init", "gadget", "x.yaml", cwd=tmp_path).returncode == 2
    (tmp_path / "site.yaml").write_text(
        "format: placer/instance/1\ndevices: [{name: hub, type: my-device}]\n"
        "services: [{name: look, model: my-model, source: hub}]\n",
        encoding="utf-8",
    )
    assert placer("plan", "site.yaml", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize("what", ["devices", "models", "radios", "instances", "exits"])
def test_what_is_listed_is_shown_and_copied(what: str, tmp_path: Path) -> None:
    listed = json.loads(placer("list", what, "--json").stdout)
    lines = placer("list", what).stdout.splitlines()
    assert [line.split()[0] for line in lines] == [one["name"] for one in listed]
    name = listed[0]["name"]
    copied = placer("show", name, "--yaml")
    assert copied.returncode == 0
    (tmp_path / "copy.yaml").write_text(copied.stdout, encoding="utf-8")
    if what != "exits":
        assert placer("show", "copy.yaml", cwd=tmp_path).returncode == 0
    assert placer("show", name, "--yaml", "--json").returncode == 2


def test_an_instance_alone_is_validated(tmp_path: Path) -> None:
    done = placer("check", "smart-parking")
    assert done.returncode == 0
    assert "smart-parking: feasible" not in done.stdout
    file = tmp_path / "bad.yaml"
    text = (REPO / "instances" / "smart-parking.yaml").read_text()
    file.write_text(text.replace("model: cnn-5", "model: cnn-6"))
    bad = placer("check", str(file))
    assert bad.returncode == 2
    assert re.search(r"bad\.yaml:\d+ \$\.services\[2\]\.model: unknown model 'cnn-6'; did you mean", bad.stderr)
    file.write_text(text)
    told = json.loads(placer("check", str(file), "--json").stdout)
    assert "the instance is valid: 6 device(s), 3 service(s)" in json.dumps(told)
    assert placer("check", str(file), "--stale-ok").returncode == 2


def test_keep_limits_moves(plan_file: Path, tmp_path: Path) -> None:
    done = placer(
        "plan",
        "smart-parking",
        "--objective",
        "throughput",
        "--keep",
        str(plan_file),
        "--max-moves",
        "1",
        "--json",
    )
    assert done.returncode == 0, done.stderr
    old, new = json.loads(plan_file.read_text()), json.loads(done.stdout)["plan"]

    def places(plan: Any) -> dict[tuple[str, str], str]:
        return {
            (service["service"], layer): fragment["device"]
            for service in plan["services"]
            for fragment in service["fragments"]
            for layer in fragment["layers"]
        }

    assert sum(places(old)[key] != device for key, device in places(new).items()) <= 1


@pytest.mark.parametrize("suffix", [".lp", ".mps"])
def test_written_model_has_readable_names_and_the_same_optimum(tmp_path: Path, suffix: str) -> None:
    import highspy

    file = tmp_path / f"model{suffix}"
    done = placer("plan", "smart-parking", "--write-model", str(file), "--json")
    value = json.loads(done.stdout)["evaluation"]["objectives"]["latency"]
    assert "alpha(plates_in,conv1,cam_1)" in file.read_text()
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.readModel(str(file))
    highs.run()
    assert highs.getInfo().objective_function_value == pytest.approx(value * 1e3, rel=1e-6)


@pytest.mark.parametrize("thing", ["smart-parking", "alexnet-exit", "raspberry-pi-4b", "wifi-n"])
def test_show(thing: str) -> None:
    assert placer("show", thing).returncode == 0
    assert json.loads(placer("show", thing, "--json").stdout)


def test_schemas_are_json() -> None:
    for name in ("instance", "model", "device-type", "radio", "link", "plan"):
        assert json.loads(placer("schema", name).stdout)["properties"]


def test_simulate_beside_analytic(plan_file: Path) -> None:
    done = placer("simulate", str(plan_file), "--jobs", "5000", "--replications", "10", "--json")
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    again = json.loads(
        placer(
            "simulate", str(plan_file), "--jobs", "5000", "--replications", "10", "--executor", "serial", "--json"
        ).stdout
    )
    assert data["simulation"]["times"] == again["simulation"]["times"]
    assert {times["name"] for times in data["analytic"]["times"]} == {"plates-in", "plates-out", "free-places"}
    done = placer("check", str(plan_file), "--simulate", "--jobs", "5000", "--replications", "10")
    assert done.returncode == 0
    assert "evaluator simulation" in done.stdout


def test_export_writes_whole_folders_only(plan_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    assert placer("export", str(plan_file), "-o", str(folder)).returncode == 2  # no image is invented
    assert not folder.exists()
    image = ["--image", "registry.example/edge-node:1.0"]
    assert placer("export", str(plan_file), "-o", str(folder), *image).returncode == 0
    assert (folder / "kubernetes" / "kustomization.yaml").is_file()
    assert placer("export", str(plan_file), "-o", str(folder), *image).returncode == 2
    assert placer("export", str(plan_file), "-o", str(folder), *image, "--force").returncode == 0


def test_explain_says_which_moves_are_missing(tmp_path: Path) -> None:
    """What is deployed breaks a limit that the instance has by now; not one layer may move."""
    site = (
        "format: placer/instance/1\ndevices:\n  - {name: a, type: raspberry-pi-4b, memory: MEMORY}\n"
        "  - {name: b, type: raspberry-pi-4b}\nnetwork: {links: [{between: [a, b], rate: 100 Mbit/s}]}\n"
        "services: [{name: s, model: alexnet, source: a}]\n"
    )
    path, plan = tmp_path / "site.yaml", tmp_path / "plan.json"
    path.write_text(site.replace("MEMORY", "1 GB"), encoding="utf-8")
    assert placer("plan", str(path), "-o", str(plan)).returncode == 0
    path.write_text(site.replace("MEMORY", "500 MB"), encoding="utf-8")
    assert placer("explain", str(path)).returncode == 0
    found = placer("explain", str(path), "--keep", str(plan), "--max-moves", "0", "--json")
    assert found.returncode == 1
    said = json.loads(found.stdout)
    assert sorted(map(tuple, said["clash"])) == [("max_moves", "the plan"), ("memory", "a")]
    edits = [edit for edits in said["edits"] for edit in edits]
    assert {edit["path"] for edit in edits} == {"--max-moves", "devices.a.memory"}
    assert placer("explain", str(path), "--keep", str(plan)).returncode == 2
