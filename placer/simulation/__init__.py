"""Discrete-event simulation of a queueing network: replications with intervals, and limits decided."""

from placer.simulation.decision import Decided, Decision, Limit, Measure, Status
from placer.simulation.executors import open_executor
from placer.simulation.results import ClassResults, SimulationResult, StationResults, TaskResults
from placer.simulation.runner import simulate
from placer.simulation.sequential import decide
from placer.simulation.statistics import Estimate, Verdict, judge

__all__ = [
    "ClassResults",
    "Decided",
    "Decision",
    "Estimate",
    "Limit",
    "Measure",
    "SimulationResult",
    "StationResults",
    "Status",
    "TaskResults",
    "Verdict",
    "decide",
    "judge",
    "open_executor",
    "simulate",
]
