"""Placement for little loss under random arrivals."""
