"""Stacked autoencoders, trained layer by layer or in one shot."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import activations, initializers, ops
from ..layers.dense import Dense
from ..layers.layer import Layer
from ..layers.sizes import checked_size
from ..model import Model
from .rbm import at_least_0
from .view import View


class TiedDense(Layer):
    """The way back through a Dense layer: f(x w^T + b), with its kernel w and a bias of one's own.

    Parameters
    ----------
    layer : Dense
        Built before this one.
    activation : str or callable, optional
    """

    def __init__(self, layer: Dense, activation: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.layer, self.activation = layer, activations.get(activation)

    def build(self, input_shape: Any) -> None:
        self.bias = self.add_weight((self.layer.kernel.shape[0],), "zeros", name="bias")

    def call(self, inputs: Any) -> Any:
        return self.activation(ops.apply("dense", [inputs, self.layer.kernel, self.bias], {"transposed": True}))


class Level(Model):
    """An autoencoder of one layer, which learns to give back its corrupted input.

    Parameters
    ----------
    dense : Dense
        The encoder; what is learnt stays in it.
    activation : str or callable, optional
        Of the decoder.
    tied : bool
    masking, noise : float
    """

    def __init__(self, dense: Dense, activation: Any, tied: bool, masking: float, noise: float) -> None:
        super().__init__(dtype=dense._compute_dtype)
        self.dense, self.activation, self.tied = dense, activations.get(activation), tied
        self.masking, self.noise = masking, noise
        self.decoder: Layer | None = None

    def build(self, input_shape: Any) -> None:
        if not self.dense.built:
            self.dense.build(input_shape)
        self.decoder = decoder_of(self.dense, self.activation, self.tied)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        assert self.decoder is not None
        return self.decoder(self.dense(corrupted(inputs, self.masking, self.noise) if training else inputs))

    def encode(self, x: Any) -> np.ndarray:
        """The codes of the rows of x."""
        return View(self, self.dense).predict(x, verbose=0)


def decoder_of(dense: Dense, activation: Any, tied: bool) -> Layer:
    """A layer that leads from the codes of a built Dense layer back to what it reads."""
    name = f"{dense.name}_back"
    if tied:
        return TiedDense(dense, activation, name=name, dtype=dense.dtype)
    return Dense(dense.kernel.shape[0], activation, name=name, dtype=dense.dtype)


def corrupted(x: Any, masking: float, noise: float) -> Any:
    """x with some features zero, and with normal noise."""
    if masking:
        x = ops.dropout(x, masking) * (1 - masking)
    return ops.noise(x, noise) if noise else x


def checked_masking(where: str, share: Any) -> float:
    """A share below 1."""
    share = at_least_0(where, "masking", share)
    if share >= 1:
        raise ValueError(f"[{where}] expected masking below 1, received {share:g}.")
    return share


class Autoencoder(Model):
    """A network that gives back what it is given, through narrower, sparser or noisier layers.

    ``autoencoder.fit(x, x)`` trains all of it in one shot; `fit_layers` layer after layer, from the bottom up. It is
    compiled when it is made, with Adam and the mean squared error. In training the input is corrupted, and the targets
    are not: it is a denoising autoencoder then.

    Parameters
    ----------
    units : int or sequence of int
        Of the encoder's layers; the last gives the codes. The decoder has the same backwards.
    activation : str or callable
        Of all layers but the last of the decoder.
    output_activation : str or callable, optional
        Of that one: "sigmoid" for data from 0 to 1.
    tied : bool
        The decoder's kernels are the encoder's, transposed; only its biases are its own.
    masking : float
        In training this share of the input's features is 0, others in every step.
    noise : float
        In training normal noise of this standard deviation is added to the input.
    kernel_initializer : str or Initializer
    name, dtype, trainable
        Of `Layer`.

    Attributes
    ----------
    encoder : list of Dense
        The very layers that supervised networks may go on with.
    decoder : list of Layer

    Raises
    ------
    ValueError
        For no layers, widths below 1, a masking share outside of [0, 1).

    Notes
    -----
    Bengio, Lamblin, Popovici and Larochelle, "Greedy layer-wise training of deep networks", NeurIPS 2007; Vincent et
    al., "Stacked denoising autoencoders", JMLR 11 (2010). Masked features are zero and the others stay as they are,
    as there: dropout would scale them.

    Examples
    --------
    >>> import numpy as np, hotloop as keras
    >>> x = np.random.default_rng(0).uniform(size=(200, 8))
    >>> autoencoder = Autoencoder([6, 3], tied=True, masking=0.2)
    >>> histories = autoencoder.fit_layers(x, epochs=2)
    >>> history = autoencoder.fit(x, x, epochs=2, verbose=0)
    >>> autoencoder.encode(x).shape, autoencoder.reconstruct(x).shape
    ((200, 3), (200, 8))
    """

    def __init__(
        self,
        units: int | Sequence[int],
        activation: Any = "sigmoid",
        output_activation: Any = None,
        tied: bool = False,
        masking: float = 0.0,
        noise: float = 0.0,
        kernel_initializer: Any = "glorot_uniform",
        name: str | None = None,
        dtype: str | None = None,
        trainable: bool = True,
    ) -> None:
        super().__init__(name=name, dtype=dtype, trainable=trainable)
        where = f"Autoencoder '{self.name}'"
        widths = list(units) if isinstance(units, (list, tuple)) else [units]
        if not widths:
            raise ValueError(f"[{where}] expected units of at least one layer, received none.")
        self.units = [checked_size(n, where, "units") for n in widths]
        self.activation, self.output_activation = activations.get(activation), activations.get(output_activation)
        self.tied = bool(tied)
        self.masking = checked_masking(where, masking)
        self.noise = at_least_0(where, "noise", noise)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.encoder = [
            Dense(n, self.activation, kernel_initializer=copy.copy(self.kernel_initializer), name=f"encoder_{i + 1}",
                  dtype=self.dtype)
            for i, n in enumerate(self.units)
        ]  # fmt: skip
        self.decoder: list[Layer] = []
        self.compile("adam", "mse")

    def build(self, input_shape: Any) -> None:
        if len(input_shape) != 2 or input_shape[1] is None:
            raise ValueError(
                f"[Autoencoder '{self.name}'] expected data of shape (rows, features), received {input_shape}."
            )
        shapes = [input_shape, *[(None, n) for n in self.units]]
        for dense, shape in zip(self.encoder, shapes, strict=False):
            if not dense.built:
                dense.build(shape)
        self.decoder = [decoder_of(dense, self._way_back(i), self.tied) for i, dense in enumerate(self.encoder)]
        for layer, shape in zip(self.decoder, shapes[1:], strict=True):
            layer.build(shape)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        x = corrupted(inputs, self.masking, self.noise) if training else inputs
        return self._decoded(self._encoded(x))

    def _encoded(self, x: Any) -> Any:
        for layer in self.encoder:
            x = layer(x)
        return x

    def _decoded(self, codes: Any) -> Any:
        for layer in reversed(self.decoder):
            codes = layer(codes)
        return codes

    def _way_back(self, level: int) -> Any:
        """The activation that leads back to what this layer of the encoder reads."""
        return self.activation if level else self.output_activation

    def fit_layers(self, x: Any, epochs: int = 1, batch_size: int | None = None, **kwargs: Any) -> list[Any]:
        """Train layer by layer: each learns to give back the codes of those below, which stay as they are.

        Parameters
        ----------
        x : array_like (rows, features)
        epochs : int
            For each layer.
        batch_size : int, optional
        **kwargs
            Of `Model.fit`; nothing is printed unless told. `validation_data` is rows, (x, y) too, of which y is x.

        Returns
        -------
        list of History
            One a layer. What is learnt stands in this model: `fit` may go on from there.

        Notes
        -----
        Each layer has its own optimizer, a copy of the model's, and its own decoder, whose weights become those of the
        model's; corruption is of what the layer reads. The loss is the model's for the first, the mean squared error
        for all others.
        """
        from .. import optimizers

        if not self.built:
            self(np.asarray(x)[:1])
        compiled, codes, histories = self._require("fit_layers", training=True), x, []
        held_out = kwargs.pop("validation_data", None)
        held_out = held_out[0] if isinstance(held_out, (tuple, list)) else held_out
        for i, dense in enumerate(self.encoder):
            level = Level(dense, self._way_back(i), self.tied, self.masking, self.noise)
            level.decoder, level.built = self.decoder[i], True
            level.compile(optimizers.get(optimizers.serialize(compiled.optimizer)), "mse" if i else compiled.loss)
            options = {"verbose": 0, **kwargs, "validation_data": None if held_out is None else (held_out, held_out)}
            histories.append(level.fit(codes, codes, batch_size=batch_size, epochs=epochs, **options))
            codes = level.encode(codes)
            held_out = None if held_out is None else level.encode(held_out)
        return histories

    def encode(self, x: Any) -> np.ndarray:
        """The codes of the rows of x."""
        return View(self, self._encoded).predict(x, verbose=0)

    def decode(self, codes: Any) -> np.ndarray:
        """What codes stand for."""
        if not self.built:
            raise ValueError(
                f"[decode] expected an autoencoder that was fitted, received '{self.name}'. Call fit first."
            )
        return View(self, self._decoded).predict(codes, verbose=0)

    def reconstruct(self, x: Any) -> np.ndarray:
        """What becomes of the rows of x, uncorrupted: `predict`."""
        return self.predict(x, verbose=0)

    def sample(self, x: Any, steps: int = 1, noise: float | None = None, masking: float | None = None) -> np.ndarray:
        """Walk from rows of x to others like them: corrupt and reconstruct, again and again.

        Parameters
        ----------
        x : array_like (rows, features)
            Where the walks begin.
        steps : int
        noise, masking : float, optional
            Of the corruption; those of training unless told.

        Returns
        -------
        ndarray (rows, features)

        Notes
        -----
        Bengio, Yao, Alain and Vincent, "Generalized denoising auto-encoders as generative models", NeurIPS 2013.
        """
        noise = self.noise if noise is None else at_least_0("sample", "noise", noise)
        masking = self.masking if masking is None else checked_masking("sample", masking)
        if not noise and not masking:
            raise ValueError("[sample] expected noise or masking above 0, received none. Rows would stay as they are.")
        walk = View(self, lambda x: self._decoded(self._encoded(corrupted(x, masking, noise))))
        for _ in range(checked_size(steps, "sample", "steps")):
            x = walk(x, training=True)
        return np.asarray(x)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "activation": activations.serialize(self.activation),
            "output_activation": activations.serialize(self.output_activation),
            "tied": self.tied,
            "masking": self.masking,
            "noise": self.noise,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
        }
