"""The way from an instance to a plan: request, registry, planners, bounds, explanations."""
