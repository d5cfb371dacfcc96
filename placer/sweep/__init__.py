"""Sweeps: one instance planned at many values of its fields, with where the plan changes.

``values`` reads what to vary, ``paths`` finds it in the instance's document, ``grid`` makes the documents, ``point``
answers one of them anywhere, ``run`` spreads them over an executor, ``changes`` says what moved, ``tables`` writes.
"""
