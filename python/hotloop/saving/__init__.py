"""Files: models, weights and their training state in one ``.safetensors``, written atomically, read strictly."""

from .format import FormatError, inspect
from .read import load_model, load_table, load_weights
from .write import check_ending, save_model, save_weights

__all__ = [
    "FormatError",
    "check_ending",
    "inspect",
    "load_model",
    "load_table",
    "load_weights",
    "save_model",
    "save_weights",
]
