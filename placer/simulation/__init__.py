"""Discrete-event simulation of a queueing network: replications, confidence intervals, any executor."""

from placer.simulation.executors import open_executor
from placer.simulation.results import ClassResults, SimulationResult, StationResults, TaskResults
from placer.simulation.runner import simulate
from placer.simulation.statistics import Estimate, Verdict, judge

__all__ = [
    "ClassResults",
    "Estimate",
    "SimulationResult",
    "StationResults",
    "TaskResults",
    "Verdict",
    "judge",
    "open_executor",
    "simulate",
]
