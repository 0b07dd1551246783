"""LambdaCallback: functions as hooks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..identifiers import unknown_argument
from .callback import Callback

_Hook = Callable[..., Any] | None


class LambdaCallback(Callback):
    """Functions as hooks.

    Parameters
    ----------
    on_epoch_begin, on_epoch_end : callable, optional
        ``f(epoch, logs)``.
    on_train_begin, on_train_end : callable, optional
        ``f(logs)``.
    on_train_batch_begin, on_train_batch_end : callable, optional
        ``f(batch, logs)``.
    **kwargs
        Further hooks of `Callback`, by name.

    Raises
    ------
    TypeError
        For a name that is no hook (Keras takes it and never calls it), or something that is no function.

    Examples
    --------
    >>> callback = LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs["loss"]))
    """

    def __init__(
        self,
        on_epoch_begin: _Hook = None,
        on_epoch_end: _Hook = None,
        on_train_begin: _Hook = None,
        on_train_end: _Hook = None,
        on_train_batch_begin: _Hook = None,
        on_train_batch_end: _Hook = None,
        **kwargs: Any,
    ) -> None:
        given = {
            "on_epoch_begin": on_epoch_begin, "on_epoch_end": on_epoch_end, "on_train_begin": on_train_begin,
            "on_train_end": on_train_end, "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end, **kwargs,
        }  # fmt: skip
        hooks = [name for name in dir(Callback) if name.startswith("on_")]
        for name, function in given.items():
            if name not in hooks:
                raise TypeError(unknown_argument("LambdaCallback", name, hooks))
            if function is None:
                continue
            if not callable(function):
                raise TypeError(f"[LambdaCallback] expected {name} to be a function, received {function!r}.")
            setattr(self, name, _by_place(function) if "batch" in name else function)


def _by_place(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with `logs` passed by place, whatever it calls it."""
    return lambda batch, logs=None: function(batch, logs)
