"""ActivityRegularization: a penalty on whatever passes."""

from __future__ import annotations

from typing import Any

from .. import regularizers
from .layer import Layer


class ActivityRegularization(Layer):
    """Passes its input on, and adds (l1 sum abs(x) + l2 sum x^2) / rows to the loss, in training and evaluation.

    Parameters
    ----------
    l1, l2 : float
        At least 0.
    **kwargs
        Of `Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> ActivityRegularization(l1=0.01)(np.array([[1.0, -2.0]]))
    array([[ 1., -2.]], dtype=float32)
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any) -> None:
        penalty = regularizers.L1L2(l1=l1, l2=l2)
        super().__init__(activity_regularizer=penalty, **kwargs)
        self.l1, self.l2 = penalty.l1, penalty.l2

    def call(self, inputs: Any) -> Any:
        return inputs

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["activity_regularizer"]
        return {**config, "l1": self.l1, "l2": self.l2}
