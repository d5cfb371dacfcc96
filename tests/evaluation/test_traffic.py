"""Links and channels as stations: what they lose, who shares them, and what is said of it.

A link of rate r that is offered ρ > 1 times what it can send passes 1 of ρ requests: it is never idle, whatever its
queue holds, so 1 - 1/ρ is lost but for the few idle moments of a small queue.
"""

from __future__ import annotations

from typing import Any

import pytest

from placer.errors import InfeasibleError
from placer.evaluation.evaluate import evaluate_placement
from placer.evaluation.evaluation import Evaluation
from placer.evaluation.runs import Runs
from placer.instance.compiled import Compiled
from placer.instance.network import DEFAULT_QUEUE
from placer.plan.placement import Placement
from placer.planning.ilp.planner import plan
from tests.instance.build import board, chain, compiled_from

QUICK = board(units=({"name": "cpu", "speed": 1e12},))
SIZE = 1e5
"""Bytes of the input; the output of the only layer is a tenth of it, to be read where it is made."""


def cameras(pairs: list[tuple[float, float]], rate: float, radio: dict[str, Any], **file: Any) -> Compiled:
    """A camera and a helper 10 m beside it at each place; every camera sends ``rate`` pictures per second over."""
    devices, services = [], []
    for i, (x, y) in enumerate(pairs):
        devices.append({"name": f"cam{i}", "type": "quick", "position": (x, y), "compute": False})
        devices.append({"name": f"hub{i}", "type": "quick", "position": (x, y + 10.0)})
        services.append(
            {"name": f"s{i}", "model": "net", "source": f"cam{i}", "sink": f"hub{i}", "arrivals": {"rate": rate}}
        )
    kind = {"quick": QUICK}
    network = {"radios": ({"rate": 1e6, "range": 30.0, **radio},)}
    return compiled_from(devices, services, models={"net": chain(1)}, types=kind, network=network, **file)


def own_hubs(compiled: Compiled) -> Placement:
    count = len(compiled.instance.services)
    return Placement(tuple(range(count)), tuple((s,) for s in range(count)))


def wire(rate: float, link: dict[str, Any], **file: Any) -> Compiled:
    devices = [{"name": "cam", "type": "quick", "compute": False}, {"name": "server", "type": "quick"}]
    service = {"name": "s", "model": "net", "source": "cam", "sink": "server", "arrivals": {"rate": rate}}
    network = {"links": ({"between": ("cam", "server"), **link},)}
    return compiled_from(devices, [service], models={"net": chain(1)}, types={"quick": QUICK}, network=network, **file)


def both(compiled: Compiled, placement: Placement) -> tuple[Evaluation, Evaluation]:
    """By the analytic evaluator, and by simulation."""
    runs = Runs(jobs=20_000, replications=4, seed=1)
    return evaluate_placement(compiled, placement), evaluate_placement(compiled, placement, "simulation", runs=runs)


@pytest.mark.parametrize("queue", [None, 2, 20])
def test_a_link_that_is_asked_for_too_much_loses_the_rest(queue: int | None) -> None:
    """96 Mbit/s over 10 Mbit/s, the kind of ``site/link.yaml``: 89.6 % lost; the first version said nothing is."""
    link = {"rate": 10e6 / 8} | ({} if queue is None else {"queue": queue})
    compiled = wire(96e6 / 8 / SIZE, link, limits={"links": None})
    for found in both(compiled, Placement((0,), ((0,),))):
        assert found.times[0].loss_ratio == pytest.approx(1.0 - 1.0 / 9.6, abs=0.004)
        assert found.carriers[0].name == "link cam → server"
        assert found.carriers[0].utilisation == pytest.approx(9.6)
        assert (found.carriers[0].queue, found.carriers[0].assumed) == (queue or DEFAULT_QUEUE, queue is None)
        assert found.feasible
        assert any("link cam → server is overloaded: utilisation 960 %" in line for line in found.warnings)
        assert any("service s loses 89." in line for line in found.warnings)
    limited = wire(96e6 / 8 / SIZE, link)
    (check,) = evaluate_placement(limited, Placement((0,), ((0,),)), "deterministic").violations
    assert (check.kind, check.subject, check.limit) == ("link", "link cam → server", 1.0)
    with pytest.raises(InfeasibleError):
        plan(limited)


def test_a_small_queue_of_a_link_is_m_d_1_k() -> None:
    """K = 1: 1/(1+ρ) of Poisson arrivals find the link free (Erlang), whatever the law of the sizes."""
    compiled = wire(8.0, {"rate": 1e6, "queue": 1})
    for found in both(compiled, Placement((0,), ((0,),))):
        assert found.times[0].loss_ratio == pytest.approx(0.8 / 1.8, abs=0.006)


def test_a_request_alone_does_not_wait() -> None:
    compiled = wire(1e-6, {"rate": 1e6, "latency": 0.03})
    found = evaluate_placement(compiled, Placement((0,), ((0,),)))
    assert found.times[0].response_time == pytest.approx(0.13 + 1e-4, rel=1e-6)
    assert found.services[0].latency == pytest.approx(0.13 + 1e-4, rel=1e-12)


def test_radios_in_range_share_the_air_unless_the_file_says_otherwise() -> None:
    """Two cameras of load .7 each: together 1.4 where they hear each other, so 1 - 1/1.4 is lost of each."""
    near, far = [(0.0, 0.0), (5.0, 0.0)], [(0.0, 0.0), (500.0, 0.0)]
    free = {"limits": {"airtime": None}}
    together = cameras(near, 7.0, {}, **free)
    for found in both(together, own_hubs(together)):
        assert [one.loss_ratio for one in found.times] == pytest.approx([1.0 - 1.0 / 1.4] * 2, abs=0.01)
        (channel,) = found.carriers
        assert (channel.name, channel.utilisation) == ("channel radio-1", pytest.approx(1.4))
    for compiled in (cameras(far, 7.0, {}), cameras(near, 7.0, {"contention": False})):
        for found in both(compiled, own_hubs(compiled)):
            assert [one.loss_ratio for one in found.times] == pytest.approx([0.0, 0.0], abs=1e-4)
            assert [one.utilisation for one in found.carriers] == pytest.approx([0.7, 0.7])
            assert found.feasible
            assert not found.warnings
    (check,) = evaluate_placement(cameras(near, 7.0, {}), own_hubs(together), "deterministic").violations
    assert (check.kind, check.actual) == ("airtime", pytest.approx(1.4))


def test_a_unit_that_is_overloaded_is_warned_of_where_nothing_is_limited() -> None:
    """The kind of ``site/big.yaml``: utilisation 152.7 %, 34.5 % lost, and all limits kept: there are none."""
    devices = [{"name": "a", "type": "board", "buffer": 10}]
    service = {"name": "s", "model": "net", "source": "a", "arrivals": {"rate": 15.268}}
    compiled = compiled_from(devices, [service], models={"net": chain(1)})
    found = evaluate_placement(compiled, Placement((0,), ((0,),)))
    assert found.feasible
    assert found.warnings[0] == "a is overloaded: utilisation 152.7 % at the arrival rates"
    assert found.warnings[1] == "service s loses 34.51 % of its requests (it states no max_loss)"
    limited = compiled_from(devices, [{**service, "max_loss": 0.5}], models={"net": chain(1)})
    assert len(evaluate_placement(limited, Placement((0,), ((0,),))).warnings) == 1
