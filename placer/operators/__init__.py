"""Operator graphs on accelerators: contiguous, free and latency placement, each with a proven bound."""
