"""Checkpoints (`.pt`) to ONNX, in a process of their own that holds no credentials and unpickles no code."""
