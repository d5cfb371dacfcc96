"""The method: what it proves, what it leaves to the ILP, and its bound beside the ILP's answers."""

from __future__ import annotations

import pytest

from placer.bench.scale import Spec, generate
from placer.errors import InfeasibleError, UnansweredError
from placer.instance.compiled import Compiled, compile_instance
from placer.instance.resolving import read_instance
from placer.planning.decomposition.relaxation import relax
from placer.planning.registry import plan
from placer.planning.request import Request
from placer.solver.progress import Limits
from tests.random_instances import random_instance


def small_site() -> Compiled:
    return generate(Spec(8, ("inception-v1", "squeezenet"), seed=5))


def test_auto_and_the_method_prove_the_same() -> None:
    compiled = small_site()
    for objective in ("latency", "latency-worst"):
        own = plan(compiled, Request((objective,), "decomposition"))
        usual = plan(compiled, Request((objective,)))
        for outcome in (own, usual):
            certificate = outcome.plan.certificate
            assert (certificate.method, certificate.termination) == ("decomposition", "optimal")
            assert certificate.objectives[0].gap == 0
            assert outcome.evaluation.feasible
        assert own.placement == usual.placement


def test_a_gap_ends_the_work() -> None:
    compiled = generate(Spec(12, ("inception-v1",), seed=2))
    exact = plan(compiled, Request(method="decomposition")).plan.certificate.objectives[0]
    loose = plan(compiled, Request(method="decomposition", limits=Limits(gap=0.5))).plan.certificate
    assert loose.objectives[0].gap is not None
    assert loose.objectives[0].gap <= 0.5
    assert loose.objectives[0].bound is not None
    assert loose.objectives[0].bound <= exact.value <= loose.objectives[0].value


def test_limits_that_bind_are_weighed() -> None:
    left = 0
    for seed in range(16):
        compiled = random_instance(seed, 300)
        try:
            found = plan(compiled, Request(("latency",), "ilp")).plan.certificate
            bound = relax(compiled, "latency", Limits()).bound
        except InfeasibleError:
            continue
        (claim,) = found.objectives
        if found.method == "ilp":
            left += 1
            own = plan(compiled, Request(("latency",), "decomposition")).plan.certificate
            assert (own.method, own.termination) == ("column-generation", "optimal")
            assert own.objectives[0].value == pytest.approx(claim.value, rel=1e-7)
        assert claim.bound is not None
        assert bound * (1 - 1e-12) <= claim.bound
    assert left >= 1


def test_chains_are_shortest_paths() -> None:
    outcome = plan(compile_instance(read_instance("pi-edge-cloud")), Request(method="decomposition"))
    assert outcome.plan.certificate.method == "shortest-path"
    assert outcome.plan.certificate.termination == "optimal"


def test_the_monolithic_ilp_finds_the_same() -> None:
    """On a site that the ILP proves without help."""
    compiled = generate(Spec(3, ("squeezenet",), seed=1))
    ilp = plan(compiled, Request(method="ilp", shortcut=False)).plan.certificate.objectives[0]
    own = plan(compiled, Request(method="decomposition")).plan.certificate.objectives[0]
    assert own.value == pytest.approx(ilp.value, rel=1e-7)


def test_bounds_are_below_what_other_methods_find() -> None:
    compared = 0
    for seed in range(40):
        compiled = random_instance(seed, 300)
        for objective in ("latency", "energy"):
            try:
                routed = compiled.by_energy() if objective == "energy" else compiled
                bound = relax(routed, objective, Limits()).bound
                found = plan(compiled, Request((objective,), "warm-start", shortcut=False))
            except (InfeasibleError, UnansweredError):
                continue
            compared += 1
            assert bound <= found.plan.certificate.objectives[0].value * (1 + 1e-9)
    assert compared > 20
