"""Queueing theory of finite buffers: numpy in, numpy out; knows nothing of files and instances."""
