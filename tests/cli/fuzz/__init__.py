"""Damaged files and hostile options through the command line, in process; ``python -m tests.cli.fuzz`` runs many."""
