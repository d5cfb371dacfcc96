"""Loss-aware placement: bounds, candidates, search and choice under random arrivals and finite buffers."""
