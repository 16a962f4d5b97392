"""The service face of the worker: environment, queue, storage, HTTP; everything around the engine."""
