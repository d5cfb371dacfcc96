"""Evaluators against the public data set of edge networks."""
