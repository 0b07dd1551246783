"""Generative adversarial networks of dense layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import activations, losses, optimizers, random
from ..identifiers import custom_object_scope
from ..layers.dense import Dense
from ..layers.layer import Layer
from ..layers.sizes import checked_size
from ..model import Model
from ..sequential import Sequential
from ..state import state_for_pickle


class GAN:
    """Two networks that train in turn: one draws samples, the other tells them from data.

    In every step the discriminator learns from a batch of data and one of samples; then the generator learns, through
    the discriminator, which stands still, to have its samples taken for data. What the discriminator has learnt of data
    without labels is in its lower layers, which a supervised network may go on with (`classifier`).

    Parameters
    ----------
    generator : Model
        From `latent` numbers to rows of data.
    discriminator : Model
        From rows of data to one logit (no activation), high for data.
    optimizer, discriminator_optimizer : str or Optimizer
        Of the generator and of the discriminator.

    Attributes
    ----------
    generator, discriminator : Model
    adversary : Sequential
        Both on one another, with the same layers: what trains the generator.

    Raises
    ------
    ValueError
        For networks that do not fit on one another, or a discriminator with more than one output or a sigmoid at its
        end.

    Notes
    -----
    The generator descends on -log D(G(z)), the non-saturating loss. Each half of a step runs in the compiled loop;
    Python takes turns between them. Models are saved one by one: `generator.save`, `discriminator.save`.
    Goodfellow et al., "Generative adversarial nets", NeurIPS 2014; Radford, Metz and Chintala, "Unsupervised
    representation learning with deep convolutional generative adversarial networks", ICLR 2016, for the layers'
    second use and the rates.

    Examples
    --------
    >>> import numpy as np, hotloop as keras
    >>> L = keras.layers
    >>> generator = keras.Sequential([keras.Input((2,)), L.Dense(16, "relu"), L.Dense(3)])
    >>> discriminator = keras.Sequential([keras.Input((3,)), L.Dense(16, "leaky_relu"), L.Dense(1)])
    >>> gan = GAN(generator, discriminator)
    >>> history = gan.fit(np.random.default_rng(0).normal(size=(100, 3)), epochs=2)
    >>> gan.sample(5).shape
    (5, 3)
    >>> gan.classifier(10).output_shape
    (None, 10)
    """

    def __init__(
        self, generator: Model, discriminator: Model, optimizer: Any = None, discriminator_optimizer: Any = None
    ) -> None:
        for what, model in (("generator", generator), ("discriminator", discriminator)):
            if not isinstance(model, Model) or not model.built or len(model.input_shape) != 2:
                raise ValueError(f"[GAN] expected a {what} that begins with Input((features,)), received {model!r}.")
        if discriminator.output_shape != (None, 1):
            raise ValueError(f"[GAN] expected one logit of the discriminator, received {discriminator.output_shape}.")
        if getattr(discriminator.layers[-1], "activation", None) is activations.get("sigmoid"):
            raise ValueError("[GAN] expected a logit of the discriminator, received a sigmoid. Leave it out.")
        if generator.output_shape != discriminator.input_shape:
            raise ValueError(
                f"[GAN] expected a generator of rows {discriminator.input_shape}, received {generator.output_shape}."
            )
        self.generator, self.discriminator = generator, discriminator
        self._join()
        loss = losses.BinaryCrossentropy(from_logits=True)
        self.discriminator.compile(_rule(discriminator_optimizer), loss)
        self.adversary.compile(_rule(optimizer), loss)

    def _join(self) -> None:
        self.latent = int(self.generator.input_shape[1])
        self.adversary = Sequential([*_layers(self.generator), *_layers(self.discriminator)])
        self.adversary.build((None, self.latent))

    def __getstate__(self) -> dict[str, Any]:
        training = state_for_pickle(self.adversary)
        return {"generator": self.generator, "discriminator": self.discriminator, "training": training}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.generator, self.discriminator = state["generator"], state["discriminator"]
        self._join()
        with custom_object_scope(state["training"]["classes"]):
            self.adversary._set_state(state["training"])

    def fit(self, x: Any, epochs: int = 1, batch_size: int = 32) -> dict[str, list[float]]:
        """Train both in turn.

        Parameters
        ----------
        x : array_like (rows, features)
            In a new order in every epoch; rows that fill no batch are left out of it.
        epochs : int
        batch_size : int

        Returns
        -------
        dict
            "discriminator_loss" and "generator_loss", means of each epoch.
        """
        batch, epochs = checked_size(batch_size, "GAN", "batch_size"), checked_size(epochs, "GAN", "epochs")
        x = self._checked(x, batch)
        history: dict[str, list[float]] = {"discriminator_loss": [], "generator_loss": []}
        for _ in range(epochs):
            order = np.argsort(random.uniform((len(x),)), kind="stable")
            rows = [order[i : i + batch] for i in range(0, len(x) - batch + 1, batch)]
            found = np.mean([self.train_on_batch(x[part]) for part in rows], axis=0)
            for values, number in zip(history.values(), found, strict=True):
                values.append(float(number))
        return history

    def train_on_batch(self, x: Any) -> tuple[float, float]:
        """One turn of each; the losses of discriminator and generator."""
        x = self._checked(x, 1).astype(self.generator._compute_dtype, copy=False)
        labels = np.repeat([[1.0], [0.0]], len(x), 0)
        both = np.concatenate([x, self.sample(len(x))])
        first = self.discriminator.train_on_batch(both, labels)
        flags = [(layer, layer.trainable) for layer in self.discriminator._all_layers()]  # each before those inside it
        try:
            self.discriminator.trainable = False
            second = self.adversary.train_on_batch(random.normal((2 * len(x), self.latent)), np.ones((2 * len(x), 1)))
        finally:
            for layer, flag in flags:
                layer.trainable = flag
        return float(np.ravel(first)[0]), float(np.ravel(second)[0])

    def _checked(self, x: Any, least: int) -> np.ndarray:
        x, width = np.asarray(x), self.discriminator.input_shape[1]
        if x.ndim != 2 or x.shape[1] != width or len(x) < least or x.dtype.kind not in "fiub":
            raise ValueError(
                f"[GAN] expected numbers of shape ({least} or more, {width}), received {x.dtype} of shape {x.shape}."
            )
        return x

    def sample(self, n: int) -> np.ndarray:
        """n rows that the generator draws."""
        noise = random.normal((checked_size(n, "sample", "n"), self.latent))
        return self.generator.predict(noise, verbose=0)

    def classifier(self, units: int, activation: Any = "softmax") -> Sequential:
        """A supervised network on the discriminator's lower layers, all but the last, which it shares."""
        lower = _layers(self.discriminator)[:-1]
        model = Sequential([*lower, Dense(units, activation)])
        model.build(self.discriminator.input_shape)
        return model


def _rule(optimizer: Any) -> Any:
    return optimizers.Adam(2e-4, beta_1=0.5) if optimizer is None else optimizers.get(optimizer)


def _layers(model: Model) -> Sequence[Layer]:
    """Of a Sequential its layers, so that they are shared one by one; another model is one layer."""
    return model.layers if isinstance(model, Sequential) else [model]
