"""Real ONNX files: their layers, shapes, work and weights."""
