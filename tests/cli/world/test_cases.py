"""Inputs from the world that went wrong on 0.1.0, each with its right value: what ``plan`` and ``check`` say of them.

The folders beside this file hold the inputs as people wrote them, with few devices and layers; sources and right
values stand in the tests.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.run import Finished, placer

HERE = Path(__file__).parent


def planned(case: str, folder: Path, *options: str) -> tuple[int, dict[str, Any]]:
    """Exit code and JSON of ``plan``; ``check`` of what it wrote must end in the same way."""
    out = folder / "plan.json"
    ran = placer("plan", str(HERE / case), "--json", "--time-limit", "4", "-o", str(out), *options)
    assert ran.stdout, ran.stderr
    checked = placer("check", str(out))
    assert checked.returncode == ran.returncode, checked.stdout + checked.stderr
    return ran.returncode, json.loads(ran.stdout)


def refused(case: str, *command: str) -> Finished:
    """What a command says that has no plan to give."""
    ran = placer(*(command or ("plan",)), str(HERE / case), "--time-limit", "4")
    assert ran.returncode in (1, 2)
    return ran


def losses(answer: dict[str, Any]) -> dict[str, float]:
    """Loss ratio per service."""
    return {one["name"]: one["loss_ratio"] for one in answer["evaluation"]["times"]}


def violated(answer: dict[str, Any]) -> set[tuple[str, str]]:
    """What is violated: kind and subject."""
    return {(c["kind"], c["subject"]) for c in answer["evaluation"]["checks"] if c["status"] == "violated"}


def test_a_camera_that_films_in_bursts(tmp_path: Path) -> None:
    """Exact chain of MMPP/M/1/5: 23.66 %; 0.1.0 said .40 % and passed a limit of 1 %."""
    code, answer = planned("arrivals/bursty-camera.yaml", tmp_path)
    assert (code, violated(answer)) == (1, {("max_loss", "jobs")})
    assert losses(answer)["jobs"] == pytest.approx(0.2366, abs=5e-5)


def test_frames_at_even_distances(tmp_path: Path) -> None:
    """D/M/1/4 loses 7.244 %; 0.1.0 said 8.40 %."""
    code, answer = planned("arrivals/dm1k.yaml", tmp_path)
    assert code == 0
    assert losses(answer)["jobs"] == pytest.approx(0.07244, abs=5e-6)


def test_an_optimum_that_loses_a_third(tmp_path: Path) -> None:
    """Even distances into one place lose 32.9 %; eight places elsewhere lose far less."""
    code, answer = planned("oracle/false-optimal/inst.yaml", tmp_path)
    (service,) = answer["plan"]["services"]
    assert (code, {one["device"] for one in service["fragments"]}) == (0, {"b"})
    assert losses(answer)["s"] < 0.06


def test_both_branches_of_a_fork_at_once(tmp_path: Path) -> None:
    """Two jobs that come together need two places: with one, every request loses a branch."""
    code, answer = planned("oracle/fork/inst.yaml", tmp_path)
    assert (code, violated(answer)) == (1, {("max_loss", "s")})
    assert losses(answer)["s"] == pytest.approx(1.0, abs=1e-3)


def test_a_queue_that_grows_without_end(tmp_path: Path) -> None:
    code, answer = planned("oracle/exit-unlimited/inst.yaml", tmp_path)
    assert (code, violated(answer)) == (1, {("stability", "a")})
    assert losses(answer)["s"] == 0.0
    assert "grow without end" in refused("oracle/exit-unlimited/lim.yaml").stderr


@pytest.mark.parametrize("case", ["inst", "inst-25", "inst-free"])
def test_one_order_of_layers(tmp_path: Path, case: str) -> None:
    """A station takes layers as they get ready: 1.12 s, in the plan, the deadline of 1.5 s and the simulation."""
    code, answer = planned(f"oracle/dag-order/{case}.yaml", tmp_path)
    assert code == 0
    (service,) = answer["evaluation"]["services"]
    assert service["latency"] == pytest.approx(1.12, abs=1e-3)
    # a request now and then meets the one before it: .001/s
    assert answer["evaluation"]["times"][0]["response_time"] == pytest.approx(1.122, abs=2e-3)
    ran = placer("simulate", str(tmp_path / "plan.json"), "--json", "--jobs", "2000")
    assert json.loads(ran.stdout)["simulation"]["times"][0]["response_time"] == pytest.approx(1.122, abs=4e-3)


def test_upload_and_download(tmp_path: Path) -> None:
    """618 kB at 5 Mbit/s and 20 ms of delay there and back; a link given twice is no second cable."""
    _, answer = planned("links/one-link.yaml", tmp_path)
    assert answer["evaluation"]["services"][0]["latency"] == pytest.approx(1.04, abs=5e-3)
    twice = refused("links/upload.yaml")
    assert twice.returncode == 2
    assert "rate: {up: …, down: …}" in twice.stderr


def test_twenty_cameras_one_network(tmp_path: Path) -> None:
    code, answer = planned("shared_model/cams-20.yaml", tmp_path)
    assert code == 0
    hub = next(one for one in answer["evaluation"]["devices"] if one["name"] == "hub")
    assert hub["memory"] == pytest.approx(244e6, rel=0.01)


def test_a_pipeline_of_five_equal_layers(tmp_path: Path) -> None:
    """Two layers on one of four stages: 500 requests/s."""
    code, answer = planned("throughput/p5-4.yaml", tmp_path)
    assert code == 0
    assert answer["evaluation"]["objectives"]["throughput"] == pytest.approx(500.0)
    assert answer["plan"]["certificate"]["termination"] == "optimal"


def test_names_with_dots() -> None:
    ran = refused("names/dotted.yaml")
    assert ran.returncode == 2
    assert "hostname: node1.example.com" in ran.stderr


def test_a_link_that_cannot_carry_it() -> None:
    """96 Mbit/s over 10 Mbit/s."""
    assert refused("site/link.yaml").returncode == 1
    assert "link cam → server" in placer("explain", str(HERE / "site/link.yaml")).stdout


def test_a_unit_with_too_much_to_do(tmp_path: Path) -> None:
    """153 % of what it can do, 34.5 % lost, no limit on loss: warned of."""
    code, answer = planned("site/big.yaml", tmp_path)
    assert code == 0
    assert losses(answer)["s"] == pytest.approx(0.345, abs=1e-3)
    told = placer("check", str(tmp_path / "plan.json"))
    assert "overloaded" in told.stdout
    assert "34.51 %" in told.stdout


@pytest.mark.parametrize("case", ["two", "loss1"])
def test_plan_and_explain_agree(case: str) -> None:
    ran = placer("plan", str(HERE / f"site/{case}.yaml"), "--json", "--time-limit", "4")
    told = placer("explain", str(HERE / f"site/{case}.yaml"), "--time-limit", "4")
    assert (ran.returncode, told.returncode) == (1, 1), told.stdout


def test_a_mean_below_the_deadline_and_a_p95_above(tmp_path: Path) -> None:
    code, answer = planned("site/dl.yaml", tmp_path)
    checks = {c["kind"]: c["message"] for c in answer["evaluation"]["checks"]}
    assert code == 0
    assert "mean response time" in checks["deadline"]
    ran = json.loads(placer("simulate", str(tmp_path / "plan.json"), "--json", "--jobs", "20000").stdout)
    (times,) = ran["simulation"]["times"]
    assert times["response_time"] < 0.25 < times["p95"]


def test_no_zigzag(tmp_path: Path) -> None:
    code, answer = planned("site/mix.yaml", tmp_path)
    (service,) = answer["plan"]["services"]
    assert (code, len(service["fragments"])) == (0, 1)


def test_the_way_of_least_energy(tmp_path: Path) -> None:
    """The slower radio costs 18 mJ, the faster one 810 mJ."""
    code, answer = planned("oracle/route-bound/inst.yaml", tmp_path)
    assert code == 0
    assert answer["evaluation"]["services"][0]["energy"] == pytest.approx(0.018)


def test_cameras_of_one_period(tmp_path: Path) -> None:
    """Their phases decide what is lost: the report says which are assumed, and prints no interval for them."""
    code, answer = planned("oracle/periodic-cameras/inst.yaml", tmp_path)
    assert code == 1
    assert violated(answer) == {("max_loss", f"cam-{i}") for i in range(1, 6)}
    assert "loss 0 % to 100 %, according to phases" in placer("check", str(tmp_path / "plan.json")).stdout
    simulated = placer("simulate", str(tmp_path / "plan.json"), "--jobs", "1000").stdout
    assert "± 1" not in simulated


def test_the_end_of_a_search(tmp_path: Path) -> None:
    """Four devices, two services, energy, airtime: 0.1.0 did not return in 100 s under a limit of 10 s."""
    code, answer = planned("oracle/hang/inst.yaml", tmp_path)
    assert (code, violated(answer)) == (1, {("stability", "d0")})
    assert answer["plan"]["certificate"]["seconds"] < 6.4


def test_a_hub_that_is_gone(tmp_path: Path) -> None:
    """With the hub down nothing is relayed by it, sent to it or received by it."""
    scenarios = str(HERE / "site/sc2.yaml")
    ran = placer(
        "plan", "smart-parking", "--scenarios", scenarios, "--json", "--time-limit", "6", "--objective", "loss"
    )
    answer = json.loads(ran.stdout)
    gone = next(one for one in answer["scenarios"] if one["name"] == "hub-gone")
    served = {one["service"]: one for one in answer["plan"]["services"]}
    for name, loss in ((one["name"], one["loss_ratio"]) for one in gone["services"]):
        uses = {fragment["device"] for fragment in served[name]["fragments"]}
        uses |= {hop for transfer in served[name]["transfers"] for hop in transfer["path"]}
        assert (loss == 1.0) == ("hub" in uses), name
