"""Proven lower bounds of the loss of any placement."""
