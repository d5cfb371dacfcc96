"""Exact and heuristic placement: Pyomo formulations, the bridge to HiGHS, warm starts, explanations."""
