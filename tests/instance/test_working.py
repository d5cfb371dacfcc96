"""Working memory of layers against what fragments hold: by lifetimes and by arenas, for every way to cut a model."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from placer.errors import InputError
from placer.instance.compiled import compile_instance
from placer.instance.device import DeviceType
from placer.instance.library import Library
from placer.instance.lifetimes import arena, live
from placer.instance.model import Alternative, Model
from placer.instance.resolving import read_instance, resolve
from placer.instance.runtime import Runtime
from placer.instance.schema import InstanceFile
from placer.instance.variant import Variant
from placer.instance.working import fragment_lifetimes, working_memory
from placer.plan.placement import fragments_of
from tests.cli.run import placer
from tests.instance.build import board, write_tree

ENGINE = {"format": "placer/runtime/1", "name": "packed", "source": "test", "memory": 0.0, "arena": "greedy-by-size"}


def graph_of(sources: list[list[int]], sizes: list[float], entry: float, **more: Any) -> Alternative:
    names = [f"l{index}" for index in range(len(sources))]
    layers = tuple(
        {"name": name, "inputs": tuple("input" if one < 0 else names[one] for one in tensors), "output": size}
        for name, tensors, size in zip(names, sources, sizes, strict=True)
    )
    data = {"name": "only", "layers": layers, "input": entry, "activations": "lifetimes", **more}
    return Alternative.model_validate(data)


@st.composite
def graphs(draw: st.DrawFn, in_a_row: bool = False) -> Alternative:
    count = draw(st.integers(1, 7))
    sources = []
    for layer in range(count):
        before = st.integers(-1, layer - 1)
        tensors = set() if in_a_row else draw(st.sets(before, min_size=1, max_size=3))
        sources.append(sorted(tensors | ({layer - 1} if in_a_row or draw(st.booleans()) else set())))
    sizes = draw(st.lists(st.integers(0, 40).map(float), min_size=count, max_size=count))
    return graph_of(sources, sizes, float(draw(st.integers(0, 40))))


def parts(graph: Alternative) -> tuple[Any, tuple[float, ...]]:
    sources = tuple(tuple(one) for one in graph.predecessors())
    return sources, (*(layer.output for layer in graph.layers), graph.input)


def variant_of(graph: Alternative) -> Variant:
    """The graph as a service of one board runs it."""
    library = Library(None)
    model = {"format": "placer/model/1", "name": "net", "source": "test", "alternatives": (graph,)}
    library.entries["model", "net"] = Model.model_validate(model)
    library.entries["device type", "board"] = DeviceType.model_validate(board())
    file = {
        "format": "placer/instance/1",
        "devices": ({"name": "d", "type": "board"},),
        "services": ({"name": "s", "model": "net", "source": "d"},),
    }
    return compile_instance(resolve(InstanceFile.model_validate(file), library)).variants[0]


def fragments(graph: Alternative, units: int) -> set[tuple[int, ...]]:
    """Every fragment of every placement."""
    cut = variant_of(graph)
    found = set()
    for stations in itertools.product(range(units), repeat=len(cut)):
        found |= {tuple(members) for _, members in fragments_of(cut, stations)}
    return found


@given(graphs())
def test_a_layer_needs_what_is_alive_while_it_runs(graph: Alternative) -> None:
    sources, sizes = parts(graph)
    count = len(sources)
    last = {tensor: max((j for j in range(count) if tensor in sources[j]), default=None) for tensor in range(-1, count)}
    expected = []
    for step in range(count):
        alive = 0.0
        for tensor in range(-1, step + 1):
            until = last[tensor]
            until = (count - 1 if tensor >= 0 else 0) if until is None else until
            alive += sizes[tensor] if tensor < 0 <= until - step or (tensor >= 0 and until >= step) else 0.0
        expected.append(alive)
    assert working_memory(graph, [None])[:, 0].tolist() == expected


@settings(max_examples=60)
@given(graphs(), st.sampled_from([1, 4, 16]))
def test_no_fragment_holds_more_than_its_largest_figure(graph: Alternative, alignment: int) -> None:
    sources, sizes = parts(graph)
    packed = Runtime.model_validate({**ENGINE, "alignment": alignment})
    figures = working_memory(graph, [None, packed])
    assert (figures[:, 1] >= figures[:, 0]).all()
    for members in fragments(graph, 2 if len(sources) > 5 else 3):
        tensors = fragment_lifetimes(sources, sizes, members)
        assert max(live(tensors, len(members))) <= figures[list(members), 0].max()
        assert arena(tensors, alignment).size <= figures[list(members), 1].max()
    whole = fragment_lifetimes(sources, sizes, range(len(sources)))
    assert max(live(whole, len(sources))) <= figures[:, 0].max() <= max(live(whole, len(sources))) + sizes[-1]


@given(graphs(in_a_row=True))
def test_in_a_row_an_arena_is_what_the_hungriest_run_takes_or_little_more(graph: Alternative) -> None:
    sources, sizes = parts(graph)
    count = len(sources)
    runs = [range(a, b + 1) for a in range(count) for b in range(a, count)]
    most = max(arena(fragment_lifetimes(sources, sizes, run)).size for run in runs)
    bound = working_memory(graph, [Runtime.model_validate(ENGINE)]).max()
    assert most <= bound <= 1.5 * most


def test_a_gap_that_is_lost_is_counted() -> None:
    """8 and 10 lie at the bottom, 5 on the 8, and the 4 between 5 and 10 finds no gap: 17, and 14 are alive at most."""
    graph = graph_of([[-1], [0], [1], [2], [3]], [8.0, 5.0, 4.0, 10.0, 2.0], 6.0)
    figures = working_memory(graph, [None, Runtime.model_validate(ENGINE)])
    assert figures.max(axis=0).tolist() == [14.0, 17.0]
    assert arena(fragment_lifetimes(*parts(graph), range(5))).size == 17.0


@pytest.mark.parametrize(
    "name", ["mobilenet-v2-measured", "mobilenet-v1-measured", "squeezenet", "vgg-19", "densenet-121"]
)
def test_shipped_networks_take_no_more_than_their_arena(name: str) -> None:
    graph = Library().model(name).alternatives[0]
    sources, sizes = parts(graph)
    stated = max(layer.activations for layer in graph.layers)
    laid = arena(fragment_lifetimes(sources, sizes, range(len(sources))), 16).size
    assert working_memory(graph, [Library().runtime("tflite-micro")]).max() == pytest.approx(max(laid, stated))


MODEL = """
format: placer/model/1
name: net
source: made up
input: 300 kB
activations: lifetimes
layers:
  - {name: a, compute: 1 MMAC, weights: 10 kB, output: 200 kB}
  - {name: b, compute: 1 MMAC, weights: 10 kB, output: 100 kB}
  - {name: c, inputs: [a, b], compute: 1 MMAC, weights: 10 kB, output: 10 kB}
"""
SITE = """
format: placer/instance/1
devices: [{name: chip, type: stm32h747, runtime: none}]
services: [{name: s, model: net, source: chip}]
"""


def test_a_model_that_says_lifetimes(tmp_path: Path) -> None:
    path = write_tree(tmp_path, {"instance.yaml": SITE, "net.yaml": MODEL})
    variant = compile_instance(read_instance(path)).variants[0]
    assert variant.activations[:, 0].tolist() == [500e3, 300e3, 310e3]
    assert "500 kB" in placer("show", str(tmp_path / "net.yaml")).stdout
    assert placer("plan", str(path)).returncode == 0
    small = SITE.replace("none}", "none, memory: 560 kB}")
    less = write_tree(tmp_path / "less", {"instance.yaml": small, "net.yaml": MODEL})
    explained = placer("explain", str(less))
    assert explained.returncode == 1
    assert "layer a of service s needs 500 kB; the largest free device it may run on, chip, has" in explained.stdout


def test_stated_and_computed_is_refused(tmp_path: Path) -> None:
    both = MODEL.replace("output: 100 kB", "output: 100 kB, activations: 1 kB")
    path = write_tree(tmp_path, {"instance.yaml": SITE, "net.yaml": both})
    with pytest.raises(InputError, match="layer 'b' states its activations"):
        read_instance(path)
    path = write_tree(tmp_path, {"instance.yaml": SITE, "net.yaml": MODEL.replace("lifetimes", "lifetime")})
    with pytest.raises(InputError, match="'lifetimes'"):
        read_instance(path)
