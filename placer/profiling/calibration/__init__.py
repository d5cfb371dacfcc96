"""A user's own measurements: read in the formats of the tools that make them, fitted, and written as input.

files ──read──▶ measurements ──group──▶ series ──fit, compare──▶ device and model files, predicted against measured
"""
