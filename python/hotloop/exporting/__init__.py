"""Leaving Python: a trained model as a smaller one, and as files that run without hotloop."""

from __future__ import annotations

import os
from typing import Any

from ..identifiers import take_not_yet
from ..runtime import Runtime


class Exporting(Runtime):
    """What a model does to be used elsewhere."""

    def fold(self) -> Any:
        """A model with the same predictions and fewer layers, for inference; this one stays as it is.

        BatchNormalization, Rescaling, Normalization and LayerScale become part of the Dense that they read, or of the
        one that reads them (also through Flatten, Reshape and Permute), where that Dense has no other reader or source.
        Layers that act in training alone are left out: Dropout and its kin, noise, ActivityRegularization, Identity.
        Sequential and functional models inside, and Residual blocks, are folded each by itself, so a normalisation
        beside one stays where it is. All others are copied, models with a `call` of their own as they are.

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
        alone. Features far from 0 (a year, a time) are moved by their Normalization before the product still: a sum
        that moved them would cancel their digits. For weights of few bits see `optimize_for_inference`, which keeps
        features at the one size that a normalisation gives them. Jacob et al., "Quantization and training of neural
        networks for efficient integer-arithmetic-only inference", CVPR 2018, section 3.2.

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
        self, filepath: str | os.PathLike[str], format: str = "tf_saved_model", verbose: Any = None, **options: Any
    ) -> None:
        """Write the model for use without hotloop, under Keras's name: `export(path, format="onnx")`.

        Parameters
        ----------
        filepath : path
        format : {"onnx"}
            Keras's other formats, and its default, need TensorFlow, PyTorch or OpenVINO, and are refused.
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
            raise ValueError(
                f"[export] expected format='onnx', received {format!r}. Runtimes and converters for most machines read "
                "ONNX; export_c writes C."
            )
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

    def export_c(self, path: str | os.PathLike[str], dtype: str = "float32", name: str | None = None) -> None:
        """Write the model, in inference, as a C99 function: `path.c` and `path.h`, for machines without Python.

        The function has the signature ``void NAME(const float *x, float *y)`` and computes one sample;
        ``NAME_batch(n, x, y)`` computes n. Several inputs or outputs are a pointer each, named after them; an input of
        codes (dtype "int32") is an ``int32_t`` array. The files need the C library's math.h, stdint.h, stddef.h and
        string.h; nothing is allocated. Up to 16 KiB of workspace are on the stack; for more the last argument is a
        workspace of the caller's, ``NAME_SCRATCH`` floats. No state is kept, so threads may call at the same time.

        The model is folded first (`fold`), if its layers can be copied; for "int8" all but what brings the features
        that a layer reads to one size, which 8 bits need. A kernel that is mostly zero, or zero for whole inputs, is
        written without its zeros where that is smaller: pruned models become small files.

        Parameters
        ----------
        path : path
            With or without ".c".
        dtype : {"float32", "int8"}
            Of the kernels of dense layers; everything else is float32, also of a float64 model. With "int8" each
            output of a layer has a scale of its own and each row of inputs one that is found while running; products
            are summed in int32. A quarter of the size, and about two decimals.
        name : str, optional
            Of the function; the last part of `path` unless told.

        Raises
        ------
        ValueError
            As of `export_onnx`, for a name that C does not take, and for weights that are not finite.
        OSError
            If a file cannot be written.

        Notes
        -----
        Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only inference",
        CVPR 2018; scales that are found while running are what PyTorch calls dynamic quantization.

        Examples
        --------
        >>> import pathlib, tempfile
        >>> import hotloop as keras
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.export_c(f"{folder}/net.c")
        ...     text = pathlib.Path(f"{folder}/net.h").read_text()
        >>> "void net(const float *x, float *y);" in text
        True
        """
        from .c import export_c

        export_c(self, path, dtype, name)
