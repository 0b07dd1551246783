"""Files: models, weights and their training state in one ``.safetensors``, written atomically, read strictly."""

from .format import FormatError, inspect
from .read import load_model, load_table, load_weights
from .write import save_model, save_weights

__all__ = ["FormatError", "inspect", "load_model", "load_table", "load_weights", "save_model", "save_weights"]
