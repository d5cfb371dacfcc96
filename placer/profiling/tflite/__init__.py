"""TensorFlow Lite files: their layers, work, weights, flash and arena."""
