"""Placement for little loss: bounds, planners, scale."""
