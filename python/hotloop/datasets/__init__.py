"""Data sets with Keras's `load_data`: `digits` (in the package), `mnist`, `fashion_mnist`, `california_housing`."""

from . import california_housing, digits, fashion_mnist, mnist

__all__ = ["california_housing", "digits", "fashion_mnist", "mnist"]
