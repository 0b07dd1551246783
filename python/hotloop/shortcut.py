"""The short way through `model(x)` and `predict_on_batch`: plain array in, plain array out, nothing looked up twice."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from . import _core
from .engine import Engine
from .program import Program

Shortcut = Callable[[np.ndarray], "np.ndarray | None"]


def shortcut_for(engine: Engine, program: Program) -> Shortcut | None:
    """A function for arrays that are just as the model's only input wants them, or None for other models.

    The function returns None for any other array, which then goes the long way.
    """
    feeds = program.feeds
    if len(feeds) != 1 or len(program.output_shapes) != 1 or program.draws or program.structure is not None:
        return None
    if feeds[0].dtype != engine.dtype or feeds[0].lookup is not None:
        return None
    claim, predict = engine.slab.claim, _core.Predictor(engine.trainer, program.graph).predict

    def shortcut(x: np.ndarray) -> np.ndarray | None:
        claim()
        return predict(x)

    return shortcut
