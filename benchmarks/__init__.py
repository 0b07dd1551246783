"""Benchmarks of hotloop. Each module is a command: ``python -m benchmarks.roofline``, ``python -m benchmarks.fit``."""
