"""The engine against ultralytics on the same network and clip: ``python -m benchmarks.engine``."""
