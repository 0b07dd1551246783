"""Speed of each kernel, its share of the roofline and its residual: ``python -m benchmarks.ops --help``."""
