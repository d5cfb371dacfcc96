"""A plan as files for others: Kubernetes, Docker Compose, maps for microcontrollers, diagrams, pictures."""
