"""Exits chosen together with the placement."""
