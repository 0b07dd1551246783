"""Leaving Python: a trained model as a smaller one, and as files that run without hotloop."""

from __future__ import annotations

import os
from typing import Any

from ..identifiers import take_not_yet, unknown_name
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

    def export(
        self, filepath: str | os.PathLike[str], format: str = "onnx", verbose: Any = None, **options: Any
    ) -> None:
        """Write the model for use without hotloop, as in Keras.

        Parameters
        ----------
        filepath : path
        format : {"onnx"}
            Keras's other formats need TensorFlow, PyTorch or OpenVINO.
        verbose : None or bool
            Nothing is printed.
        **options
            Of `export_onnx`. `input_signature` is None: the inputs are those of the model, for any number of rows.

        Raises
        ------
        ValueError
            For another format.
        """
        take_not_yet("export", {"input_signature": options.pop("input_signature", None)}, {"input_signature": None})
        if format != "onnx":
            raise unknown_name("export", format, ["onnx"])
        self.export_onnx(filepath, **options)

    def export_onnx(self, path: str | os.PathLike[str], opset: int = 17) -> None:
        """Write the model, in inference, as an ONNX file, which runtimes for many machines and languages take.

        Anything is written that the engine computes for a row by itself, layers and functions of one's own included.
        Weights are inside of the file. Inputs and outputs have the model's names, a first axis of any size and the
        model's dtype (few runtimes have everything in float64); an input that was declared "int32" is one of int32.
        `fold` first makes a smaller and faster file.

        Parameters
        ----------
        path : path
        opset : int
            Of the operators, from 17 to 21. What a set has not got is made of what it has.

        Raises
        ------
        ValueError
            If the model is not built, or a layer (the message names it) reads strings, acts at random in inference,
            or changes images.
        OSError
            If the file cannot be written; an old one is as it was.

        Notes
        -----
        Differences to `predict` are those of rounding. A code outside of an Embedding's table gives zeros, where
        `predict` refuses the data.

        Examples
        --------
        >>> import tempfile
        >>> import hotloop as keras
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.export_onnx(f"{folder}/model.onnx")
        """
        from .onnx import export_onnx

        export_onnx(self, path, opset)
