"""A plan judged by the simulation beside the analytic evaluator."""

from __future__ import annotations

from dataclasses import dataclass

from placer.evaluation.evaluate import evaluate
from placer.evaluation.evaluation import Evaluation
from placer.evaluation.runs import Runs
from placer.instance.compiled import Compiled
from placer.instance.units import show_fraction, show_seconds
from placer.plan.plan import Plan


@dataclass(frozen=True)
class Comparison:
    """One plan, judged twice.

    Attributes:
        simulation: judged by the simulation.
        analytic: judged by the analytic evaluator.
        disagreements: figures of the analytic model outside the simulation's interval, in words.
    """

    simulation: Evaluation
    analytic: Evaluation
    disagreements: tuple[str, ...]


def simulate_plan(plan: Plan, compiled: Compiled, runs: Runs | None = None) -> Comparison:
    """Judge a plan by simulation, and by the analytic evaluator.

    Raises:
        InputError: when no service has arrivals, or a tensor has no way to go.
    """
    measured, model = evaluate(plan, compiled, "simulation", runs), evaluate(plan, compiled)
    return Comparison(measured, model, tuple(_disagreements(model, measured)))


def _disagreements(analytic: Evaluation, simulated: Evaluation) -> list[str]:
    lines = []
    for model, measured in zip(analytic.times, simulated.times, strict=True):
        for what, value, mean, half, show in (
            ("loss ratio", model.loss_ratio, measured.loss_ratio, measured.loss_interval, show_fraction),
            (
                "response time",
                model.response_time,
                measured.response_time,
                measured.response_interval,
                show_seconds,
            ),
        ):
            if abs(value - mean) > half + 1e-9:
                lines.append(
                    f"service {model.name}: {what}: analytic {show(value)}, simulated {show(mean)} ± {show(half)}"
                )
    return lines
