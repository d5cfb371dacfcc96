"""Measured devices and models: what is shipped is what the recipe makes, and says what the source says."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from placer.api import plan
from placer.evaluation.evaluate import evaluate_placement
from placer.instance.compiled import Compiled, compile_instance
from placer.instance.device import DeviceType
from placer.instance.library import Library, shipped_names, shipped_root
from placer.instance.model import Alternative, Layer
from placer.instance.resolving import resolve
from placer.instance.schema import InstanceFile
from placer.plan.placement import Placement
from placer.recipes.measured import tokens
from placer.recipes.measured.__main__ import files
from placer.recipes.measured.boards import BOARDS, board_of
from placer.recipes.measured.builds import alternative_of, shipped_rows
from placer.recipes.measured.networks import tiny
from placer.recipes.measured.rows import Collection, figure, median, read
from tests.instance.build import compiled_from

SHARED = Path(os.environ.get("PLACER_SHARED", Path(__file__).resolve().parents[2].parent / "shared"))
DATA = SHARED / "data" / "measured-devices.json"
needs_data = pytest.mark.skipif(not DATA.is_file(), reason="the collection of measurements is not here")
MODELS = [name for name in shipped_names("model") if re.match("vitpose|mlperf-tiny|ssd|token", name)]


@pytest.fixture(scope="module")
def collection() -> Collection:
    return read(DATA)


def build(model: str, alternative: str) -> Alternative:
    return next(one for one in Library().model(model).alternatives if one.name == alternative)


def layer(model: str, alternative: str = "default") -> Layer:
    (only,) = build(model, alternative).layers
    return only


@needs_data
def test_what_is_shipped_is_what_the_recipe_makes(collection: Collection) -> None:
    made = files(collection)
    assert len(made) > 45
    for name, text in made.items():
        assert (shipped_root() / "models" / name).read_text(encoding="utf-8") == text, name
    assert set(MODELS) == {Path(name).stem for name in made if "/" not in name}


@needs_data
def test_only_rows_of_licensed_files_are_taken(collection: Collection) -> None:
    used = {collection.cite[row["source"]] for row in (*shipped_rows(collection), *collection.decoding)}
    assert len(used) >= 5
    assert all("icense" in cited and "commit" in cited for cited in used)
    assert not any("thread" in row["source"] for row in (*collection.single, *collection.decoding))
    assert all(row.get("usable", True) for row in collection.single)
    shown = "".join(path.read_text(encoding="utf-8") for path in (shipped_root() / "models").rglob("*.yaml"))
    assert "issues" not in shown


@needs_data
def test_every_row_is_a_figure(collection: Collection) -> None:
    """Latency, energy above idle and variance of every row stand in the alternative of its runtime and precision."""
    rows, seen = shipped_rows(collection), 0
    for row in rows:
        board = board_of(row)
        assert board is not None
        for name in MODELS:
            model = Library().model(name)
            found = [a for a in model.alternatives if a.name == alternative_of(row)]
            place = next((k for a in found for k in a.layers[0].times if k.split("/")[0] == board), None)
            if not found or place is None:
                continue
            (one,) = found[0].layers
            if one.times[place] != pytest.approx(row["latency_ms"]["mean"] / 1e3, rel=1e-5):
                continue
            seen += 1
            if row.get("idle_w") is not None and row.get("energy_mj") is not None:
                above = row["energy_mj"] / 1e3 - row["idle_w"] * row["latency_ms"]["mean"] / 1e3
                step = row.get("energy_step_pct", 0.0) / 100 * row["energy_mj"] / 1e3
                assert one.energy[place] == pytest.approx(above, rel=1e-4 if step < above else 0.4)
                assert one.energy[place] > 0
            if row["latency_ms"]["scv"]:
                assert isinstance(one.scv, dict)
                assert one.scv[place] == pytest.approx(row["latency_ms"]["scv"], rel=5e-3)
                assert "scv" in one.assumed
            break
    assert seen == len(rows) > 180


def test_the_planner_chooses_the_runtime() -> None:
    """DeiT-small on a Pi 5: 196 ms in one runtime, 820 in another (hig-dev/edgebench)."""
    assert layer("vitpose-deit-small", "tflite-float32").times["raspberry-pi-5"] == pytest.approx(0.195642)
    assert layer("vitpose-deit-small", "tvm-float32").times["raspberry-pi-5"] == pytest.approx(0.820422)
    compiled = compile_of("raspberry-pi-5", "vitpose-deit-small")
    for objective in ("latency", "energy"):
        (service,) = plan(compiled, objective=objective).evaluation.services
        assert service.alternative == "tflite-float32"
    assert service.energy == pytest.approx((1504.8 - 2.71 * 195.642) / 1e3, rel=1e-4)


def test_the_example_takes_less_energy_where_energy_counts() -> None:
    fast, frugal = (plan("pose-at-home", objective=objective).evaluation for objective in ("latency", "energy"))
    assert fast.objectives["latency"] < frugal.objectives["latency"]
    assert frugal.objectives["energy"] < fast.objectives["energy"]
    assert {service.alternative for service in frugal.services} == {
        "hailort-int8",
        "tflite-float32",
        "tflite-micro-vela-int8",
    }


def compile_of(kind: str, model: str) -> Compiled:
    data = {
        "format": "placer/instance/1",
        "devices": ({"name": "d", "type": kind},),
        "services": ({"name": "s", "model": model, "source": "d"},),
    }
    return compile_instance(resolve(InstanceFile.model_validate(data), Library(None)))


@pytest.mark.parametrize("model", MODELS)
def test_each_build_runs_where_it_was_measured_and_nowhere_else(model: str) -> None:
    for one in Library().model(model).alternatives:
        (only,) = one.layers
        assert only.compute is None
        for place in only.times:
            kind = Library().device_type(place.split("/")[0])
            compiled = compile_of(kind.name, model)
            choice = next(i for i, variant in enumerate(compiled.variants) if variant.name == one.name)
            unit = (*place.split("/"), kind.units[0].name)[1]
            station = next(s for s, one_of in enumerate(compiled.stations) if one_of.unit == unit)
            assert compiled.variants[choice].time[0, station] == pytest.approx(only.times[place])
            assert evaluate_placement(compiled, Placement((choice,), ((station,),)), "deterministic").feasible
    other = compile_of("orange-pi-zero", model)
    assert not any(variant.time[0, 0] < 1e9 for variant in other.variants)


@pytest.mark.parametrize("name", shipped_names("device type"))
def test_energy_is_known_wherever_watts_were_published(name: str) -> None:
    kind = Library().device_type(name)
    if kind.power is None and not any(unit.power for unit in kind.units):
        pytest.skip("no watts were published")
    net = {"format": "placer/model/1", "name": "net", "source": "x", "input": 1.0}
    layers = ({"name": "l", "output": 1.0, "times": {f"board/{unit.name}": 0.5 for unit in kind.units}},)
    compiled = compiled_from(
        [{"name": "d", "type": "board"}],
        [{"name": "s", "model": "net", "source": "d"}],
        models={"net": net | {"layers": layers}},
        types={"board": kind.model_dump()},
    )
    for station, unit in enumerate(kind.units):
        power = unit.power or kind.power
        assert power is not None
        (service,) = evaluate_placement(compiled, Placement((0,), ((station,),)), "deterministic").services
        assert service.energy == pytest.approx(0.5 * (power.load - power.idle))


def test_boards_with_published_watts() -> None:
    """Idle and load of the boards in published measurements; the others have none, and a plan names what is missing."""
    published = {
        "raspberry-pi-zero-2-w": (0.6, 2.1),
        "raspberry-pi-3b-plus": (3.1, 5.6),
        "raspberry-pi-4b": (1.6, 5.0),
        "raspberry-pi-5": (3.0, 12.7),
        "orange-pi-zero-2": (1.1, 2.4),
    }
    for name, (idle, load) in published.items():
        power = Library().device_type(name).power
        assert power is not None
        assert (power.idle, power.load) == (idle, load)


def test_work_of_the_tiny_networks() -> None:
    """Against the published counts: 12.5 M (ResNet-8), 2.7 M (DS-CNN), 7.5 M (MobileNet) and .26 M (autoencoder)."""
    assert [round(tiny(name)[0] / 1e6, 2) for name in ("ic", "kws", "vww", "ad")] == [12.5, 2.66, 7.49, 0.26]


def test_bandwidth_is_fitted() -> None:
    """Of made-up rows: 100 GB/s and 2 ms a token come back exactly; of two sizes the larger one's quotient."""
    rows = [{"model_bytes": size, "decode_tps": 1.0 / (size / 1e11 + 2e-3)} for size in (2e9, 9e9, 42e9)]
    rate, fixed = tokens.bandwidth(rows)
    assert rate == pytest.approx(1e11, rel=1e-6)
    assert fixed == pytest.approx(2e-3, rel=1e-6)
    assert tokens.bandwidth(rows[:2]) == (pytest.approx(9e9 * rows[1]["decode_tps"]), 0.0)


@needs_data
def test_bandwidths_are_in_the_published_range(collection: Collection) -> None:
    for name in tokens.MACHINES:
        rows = tokens.rows_of(name, collection)
        assert len(rows) >= 2
        (unit,) = Library().device_type(name).units
        seen = [row["eff_bw_gb_s"] * 1e9 for row in rows]
        assert unit.bandwidth is not None
        assert min(seen) < unit.bandwidth < 1.1 * max(seen)


def test_figures_are_numbers_of_yaml() -> None:
    assert figure(0.0001234, 3) == "0.000123"
    assert figure(5.01e-7, 3) == "5.01e-07"
    assert figure(0) == "0"
    assert median([3.0, 1.0, 2.0, 4.0]) == 2.0


@pytest.mark.parametrize("name", [name for name, board in BOARDS.items() if board.title])
def test_boards_say_whose_measurements_they_are(name: str) -> None:
    kind: DeviceType = Library().device_type(name)
    assert "commit" in kind.source
    assert "icense" in kind.source
    assert kind.kubelet == (kind.architecture != "mcu")
