"""Pictures: drawn for few and many devices, without glyph or layout trouble, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from placer.errors import InputError, MissingExtraError
from placer.instance.model import Model
from placer.instance.reading import parse_document, validate
from placer.pictures.model import picture_of_model
from placer.pictures.plan import picture, picture_of_instance
from placer.pictures.positions import layout
from tests.export.helpers import DAG, EXITS, INSTANCE, everything, plan_of, tiny

SIGNATURES = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}


def crowded(count: int) -> str:
    rng = np.random.default_rng(1)
    more = "".join(
        f"  - {{name: extra-{n}, type: board, position: [{x:.1f} m, {y:.1f} m]}}\n"
        for n, (x, y) in enumerate(rng.uniform(0, 60, (count, 2)))
    )
    return INSTANCE.replace("network:", more + "  - {name: aside, type: board}\nnetwork:")


@pytest.mark.parametrize("suffix", list(SIGNATURES))
def test_a_plan_is_drawn(tmp_path: Path, suffix: str) -> None:
    compiled, plan = everything()
    path = tmp_path / f"plan.{suffix}"
    picture(plan, compiled, path)
    first = path.read_bytes()
    assert first.startswith(SIGNATURES[suffix])
    picture(plan, compiled, path)
    assert path.read_bytes() == first
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


def test_many_devices_are_drawn(tmp_path: Path) -> None:
    compiled = tiny(crowded(46))
    picture(plan_of(compiled, "near far extra-3"), compiled, tmp_path / "plan.svg")
    text = (tmp_path / "plan.svg").read_text()
    assert "extra-45" in text
    assert "look: b" in text  # the panel
    picture_of_instance(compiled, tmp_path / "instance.svg")
    assert "aside" in (tmp_path / "instance.svg").read_text()


def test_without_positions_devices_are_drawn_all_the_same(tmp_path: Path) -> None:
    text = INSTANCE.replace(", position: [0 m, 0 m]", "").replace(", position: [0 m, 10 m]", "")
    text = text.replace(", position: [20 m, 0 m]", "").replace(", position: [40 m, 0 m]", "")
    links = "links: [{between: [near, far], rate: 1 Mbit/s}]"
    compiled = tiny(text.replace("radios: [{rate: 8 Mbit/s, range: 25 m}]", links))
    picture_of_instance(compiled, tmp_path / "instance.png")
    assert (tmp_path / "instance.png").stat().st_size > 0


@pytest.mark.parametrize("count", [0, 8, 46])
def test_cards_stay_on_the_page_and_off_each_other(count: int) -> None:
    compiled = tiny(crowded(count))
    devices = len(compiled.device_names)
    sizes = np.tile([0.8, 0.5], (devices, 1))
    points = layout(compiled, sizes, 12.0, 9.0)
    assert np.all(points - sizes / 2 >= 0)
    assert np.all(points + sizes / 2 <= [12.0, 9.0])
    for a in range(devices):
        for b in range(a):
            assert np.any(np.abs(points[a] - points[b]) >= 0.8 * (sizes[a] + sizes[b]) / 2)


def test_models_are_drawn(tmp_path: Path) -> None:
    for text in (DAG, EXITS.replace("source:", "title: costs $5$ 模型\nsource:")):
        path = tmp_path / "model.svg"
        picture_of_model(validate(Model, parse_document(text, "model")), path)
        assert path.stat().st_size > 0
    assert "40 % leave" in path.read_text()
    assert "costs $5$" in path.read_text()


def test_a_long_model_is_drawn(tmp_path: Path) -> None:
    layers = tuple({"name": f"l{n}", "compute": 1e6, "output": 1.0} for n in range(600))
    model = Model.model_validate(
        {"format": "placer/model/1", "name": "long", "source": "x", "input": 1.0, "layers": layers}
    )
    picture_of_model(model, tmp_path / "model.png")


def test_refusals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = tiny()
    with pytest.raises(InputError, match=r"\.svg, \.png"):
        picture_of_instance(compiled, tmp_path / "x.jpeg")
    with pytest.raises(InputError, match="cannot be written"):
        picture_of_instance(compiled, tmp_path / "none" / "x.svg")
    with pytest.raises(InputError, match="unknown alternative"):
        picture_of_model(validate(Model, parse_document(DAG, "model")), tmp_path / "x.svg", "other")
    monkeypatch.setattr("placer.optional.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="picture"):
        picture_of_instance(compiled, tmp_path / "x.svg")
    assert not list(tmp_path.iterdir())
