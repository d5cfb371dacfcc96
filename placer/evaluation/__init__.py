"""What a plan does, and whether it is feasible: the one definition, for planners, files and CI alike."""
