"""Operator graphs on k accelerators and a host: throughput (contiguous or free) and latency."""
