"""Early-exit schedulers, alone and joint with the placement."""
