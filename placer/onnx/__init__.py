"""Real model files: profile them, cut them, check the parts."""
