"""All drawing: plans, models, sweeps, frontiers."""
