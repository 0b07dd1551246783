"""What `hotloop train` does without a table, and the picture it draws."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .saving.atomic import atomic_path

if TYPE_CHECKING:
    from .models import Model

_PIXEL_MAX = 16
_BATCH = 32


def digits_network(steps: int) -> Model:
    """A batch-normalised ELU network with dropout for 8x8 images, compiled with Adam; `steps` updates to come."""
    from . import layers, models, optimizers

    network = models.Sequential(name="digits")
    network.add(layers.Input((8, 8)))
    network.add(layers.Rescaling(1 / _PIXEL_MAX))
    network.add(layers.Flatten())
    network.add(layers.Dropout(0.1))
    for units in (300, 100):
        network.add(layers.Dense(units, kernel_initializer="he_normal", use_bias=False))
        network.add(layers.BatchNormalization(momentum=0.9))
        network.add(layers.Activation("elu"))
        network.add(layers.Dropout(0.2))
    network.add(layers.Dense(10, activation="softmax"))
    rate = optimizers.schedules.ExponentialDecay(0.01, decay_steps=steps, decay_rate=0.03)
    network.compile(optimizers.Adam(rate), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return network


def train_digits(epochs: int = 60, seed: int = 0, verbose: Any = "auto") -> tuple[Model, float]:
    """Train on the embedded digits.

    Training stops when the loss on the last tenth of the training images has not improved for a third of `epochs`.

    Returns
    -------
    model : Model
        Compiled and trained; it reads raw pixels, (n, 8, 8) from 0 to 16.
    accuracy : float
        On the test images.
    """
    from . import utils
    from .callbacks import EarlyStopping
    from .datasets import digits

    if epochs < 1:
        raise ValueError(f"[train] expected at least one epoch, received {epochs}.")
    utils.set_random_seed(seed)
    (x_train, y_train), (x_test, y_test) = digits.load_data()
    model = digits_network(epochs * math.ceil(0.9 * len(x_train) / _BATCH))
    stop = EarlyStopping(monitor="val_loss", patience=max(1, epochs // 3), restore_best_weights=True)
    model.fit(
        x_train,
        y_train,
        batch_size=_BATCH,
        epochs=epochs,
        validation_split=0.1,
        callbacks=[stop],
        verbose=verbose,
    )
    return model, model.evaluate(x_test, y_test, verbose=0, return_dict=True)["accuracy"]


def draw_learning_curve(history: Mapping[str, Sequence[float]], path: str | os.PathLike[str]) -> None:
    """Draw every quantity of a training history over the epochs, training and validation together, as a PNG.

    Raises
    ------
    ImportError
        If matplotlib is not installed (``pip install 'hotloop[plot]'``).
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = [name for name in history if not name.startswith("val_")]
    figure = Figure(figsize=(5.5 * len(names), 4), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        for key, label in ((name, "training"), (f"val_{name}", "held out")):
            if key in history:
                axes.plot(range(1, len(history[key]) + 1), history[key], label=label)
        axes.set(xlabel="epoch", ylabel=name)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend()
    with atomic_path(path) as scratch:
        figure.savefig(scratch, format="png", dpi=120)
