"""Loss-aware placement: what random arrivals lose at finite buffers, bounds of it, and the search for less."""
