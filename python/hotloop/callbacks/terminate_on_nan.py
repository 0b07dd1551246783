"""TerminateOnNaN: ends training when the loss is no number any more."""

from __future__ import annotations

import math
from typing import Any

from ..progress import say
from .callback import Callback


class TerminateOnNaN(Callback):
    """Ends training at the first batch after which the loss is NaN or Inf.

    Parameters
    ----------
    raise_error : bool
        Whether that is an error instead.

    Raises
    ------
    RuntimeError
        Then.

    Examples
    --------
    >>> callback = TerminateOnNaN(raise_error=True)
    """

    def __init__(self, raise_error: bool = False) -> None:
        self.raise_error = bool(raise_error)

    def on_batch_end(self, batch: int, logs: Any = None) -> None:
        loss = (logs or {}).get("loss")
        if loss is None or math.isfinite(loss):
            return
        if self.raise_error:
            raise RuntimeError(
                f"[TerminateOnNaN] expected a finite loss, received {loss} at batch {batch}. Lower the learning rate, "
                "or scale the inputs."
            )
        say(f"Batch {batch}: Invalid loss, terminating training\n")
        self.model.stop_training = True
