"""Data sets with Keras's `load_data`: `digits` (in the package), `mnist`, `fashion_mnist`, `california_housing`."""

import sys

from ..identifiers import suggest_names
from . import california_housing, digits, fashion_mnist, mnist

__all__ = ["california_housing", "digits", "fashion_mnist", "mnist"]

suggest_names(sys.modules[__name__])
