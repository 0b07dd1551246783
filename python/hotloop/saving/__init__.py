"""Files: models, weights and their training state in one ``.safetensors``, written atomically, read strictly."""

import sys

from ..identifiers import custom_object_scope, get_custom_objects, register_keras_serializable, suggest_names
from .format import FormatError, inspect
from .read import load_model, load_table, load_weights
from .write import check_ending, save_model, save_weights

__all__ = [
    "FormatError",
    "check_ending",
    "custom_object_scope",
    "get_custom_objects",
    "inspect",
    "load_model",
    "load_table",
    "load_weights",
    "register_keras_serializable",
    "save_model",
    "save_weights",
]

suggest_names(sys.modules[__name__])
