"""What people's installations have, from the file to the plan: facts of public reports, and brute force."""

from __future__ import annotations

from pathlib import Path

import pytest

from placer.api import plan
from placer.errors import InfeasibleError
from tests.cli.run import placer
from tests.planning.ilp.test_brute_force import check_seed

UPLOAD = """
format: placer/instance/1
devices:
  - {name: gw, type: raspberry-pi-4b}
  - {name: cloud, type: cloud-gpu}
network:
  links: [{between: [gw, cloud], rate: {up: 5 Mbit/s, down: 50 Mbit/s}, latency: 20 ms}]
services: [{name: look, model: alexnet, source: gw, pins: {"*": cloud}}]
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "site.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_slow_way_up_and_a_fast_way_down(tmp_path: Path) -> None:
    """618 kB over 5 Mbit/s up, 4 kB over 50 Mbit/s down (directions apart: harshitgupta1337/fogsim issues 19, 21)."""
    answer = plan(written(tmp_path, UPLOAD), objective="latency")
    (service,) = answer.evaluation.services
    assert service.transfer == pytest.approx(618_348 * 8 / 5e6 + 4_000 * 8 / 50e6 + 2 * 0.02, rel=1e-3)
    assert service.latency == pytest.approx(1.0365, rel=1e-3)


def test_show_says_directions_and_losses(tmp_path: Path) -> None:
    shown = placer("show", str(written(tmp_path, UPLOAD.replace("20 ms", "20 ms, loss: 2 %"))))
    assert "4.9 Mbit/s →, 49 Mbit/s ←, 20 ms, 2 % of the packets lost and sent again" in shown.stdout


def cameras(count: int, hub: str = "", more: str = "") -> str:
    names = [f"cam-{number}" for number in range(count)]
    lines = ["format: placer/instance/1", "devices:", "  - {name: hub, type: raspberry-pi-4b" + hub + "}"]
    lines += [f"  - {{name: {name}, type: esp32-s3}}" for name in names]
    lines += ["network:", "  links:", *(f"    - {{between: [{name}, hub], rate: 20 Mbit/s}}" for name in names)]
    lines += ["services:"]
    service = "model: alexnet, sink: hub, arrivals: 0.2 /s, pins: {'*': hub}"
    lines += [f"  - {{name: s-{name}, source: {name}, {service}{more}}}" for name in names]
    return "\n".join(lines)


@pytest.mark.parametrize("method", ["auto", "ilp", "loss", "round-robin"])
def test_twenty_cameras_share_one_copy_of_the_weights(tmp_path: Path, method: str) -> None:
    """20 × 244 MB are more than the hub has, and one copy is not."""
    answer = plan(
        written(tmp_path, cameras(20)), objective="latency", method=method, rounds=1 if method == "loss" else None
    )
    assert answer.evaluation.feasible
    hub = next(device for device in answer.evaluation.devices if device.name == "hub")
    assert hub.memory == pytest.approx(243.86e6, rel=1e-3)


def test_a_process_for_every_service_needs_its_own_weights(tmp_path: Path) -> None:
    path = written(tmp_path, cameras(3, ", memory: 810 MB", ", share: false"))
    with pytest.raises(InfeasibleError):
        plan(path, objective="latency", method="ilp")
    explained = placer("explain", str(path))
    assert explained.returncode == 1
    assert "give hub 73" in explained.stdout  # 3 × 243.9 MB
    path = written(tmp_path, cameras(2, ", memory: 810 MB", ", share: false"))
    assert plan(path, objective="latency").evaluation.feasible


@pytest.mark.parametrize("block", range(4))
def test_sites_against_brute_force(block: int) -> None:
    feasible = sum(check_seed(seed, 100, bool(seed % 2), site=True) for seed in range(block * 5, block * 5 + 5))
    assert feasible >= 2


@pytest.mark.slow
@pytest.mark.parametrize("block", range(10))
def test_many_sites_against_brute_force(block: int) -> None:
    seeds = range(100 + block * 20, 120 + block * 20)
    assert sum(check_seed(seed, 300, bool(seed % 2), site=True) for seed in seeds) >= 5
