"""Splitting: where to cut a network between a device and a server, for one user, for many, and over time."""
