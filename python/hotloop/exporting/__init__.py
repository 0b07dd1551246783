"""Leaving Python: a trained model as a smaller one, and as files that run without hotloop."""

from __future__ import annotations

from typing import Any

from ..runtime import Runtime


class Exporting(Runtime):
    """What a model does to be used elsewhere."""

    def fold(self) -> Any:
        """A model with the same predictions and fewer layers, for inference; this one stays as it is.

        BatchNormalization, Rescaling and Normalization become part of the Dense that they read, or of the one that
        reads them (also through Flatten, Reshape and Permute), where that Dense has no other reader or source. Layers
        that act in training alone are left out: Dropout and its kin, noise, ActivityRegularization, Identity. All
        others are copied.

        Returns
        -------
        Model
            A Sequential of a Sequential, else a functional model; not compiled. Its Dense layers train like others,
            from folded weights; their regularizers and constraints are those they had.

        Raises
        ------
        ValueError
            If the model is not built, or its `call` is one's own.

        Notes
        -----
        Products and sums of the folded weights are made in float64 and rounded once, so predictions differ by rounding
        alone. Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only
        inference", CVPR 2018, section 3.2.

        Examples
        --------
        >>> import numpy as np
        >>> import hotloop as keras
        >>> layers = [keras.layers.Dense(3), keras.layers.BatchNormalization(), keras.layers.ReLU()]
        >>> model = keras.Sequential([keras.Input((2,)), *layers, keras.layers.Dropout(0.5), keras.layers.Dense(1)])
        >>> folded = model.fold()
        >>> [type(layer).__name__ for layer in folded.layers]
        ['Dense', 'ReLU', 'Dense']
        >>> x = np.ones((1, 2))
        >>> bool(np.allclose(folded.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-5))
        True
        """
        from .fold import folded

        return folded(self)
