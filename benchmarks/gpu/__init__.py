"""hotloop on a GPU beside PyTorch and JAX: ``python -m benchmarks.gpu --help``."""
