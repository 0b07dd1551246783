"""Training time per step, hotloop and its peers side by side: ``python -m benchmarks.fit --help``."""
