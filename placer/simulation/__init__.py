"""Discrete-event simulation of a plan: replications, confidence intervals."""
