"""Suite ``evaluator``: how far an evaluator's loss and response time are from long simulation, by regime."""
