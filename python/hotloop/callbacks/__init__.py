"""Callbacks: what happens between batches and epochs.

Epochs run in Python and batches in C++. A callback that overrides a batch hook is called between batches; as long as
none does, an epoch is one call into the engine.
"""

from .callback import Callback, History
from .callback_list import CallbackList
from .early_stopping import EarlyStopping
from .progbar_logger import ProgbarLogger

__all__ = ["Callback", "CallbackList", "EarlyStopping", "History", "ProgbarLogger"]
