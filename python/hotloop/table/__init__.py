"""Networks for tables: raw rows of numbers and categories in, labels or numbers out."""

from .model import TableModel, split_rows
from .spec import TableSpec

__all__ = ["TableModel", "TableSpec", "split_rows"]
