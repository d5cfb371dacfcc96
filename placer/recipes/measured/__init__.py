"""Device types and models from published measurements: ``python -m placer.recipes.measured DATA.json -o models``.

DATA is a collection of rows (device, runtime, model, latency, energy) with the licence of every source beside them;
only rows from files of licensed repositories are taken, and of these none whose build lost its accuracy. What is left
out, and why: runs on accelerators at a host that is not named (USB sticks), systems in preview or of research,
streaming benchmarks (their energy is that of a period with its idle time), throughput of pipelined streams (no
latency), mixtures of experts (the bytes that a token reads are not known).
"""
