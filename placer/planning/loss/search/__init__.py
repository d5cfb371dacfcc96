"""The search for placements of little loss."""
