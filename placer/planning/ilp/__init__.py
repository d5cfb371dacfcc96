"""The placement ILP: formulation, objectives, start solutions."""
