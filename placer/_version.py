"""The version of placer, in one place."""

__version__ = "0.1.0"
