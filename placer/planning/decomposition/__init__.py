"""Services by themselves, stretch by stretch between their gates: proven bounds, and placements, of any DAG."""
