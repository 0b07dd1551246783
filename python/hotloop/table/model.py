"""TableModel: what was learnt about a table and the network trained on it, as one thing."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .columns import numbers_of
from .spec import TableSpec
from .target import ClassTarget

if TYPE_CHECKING:
    import pandas as pd

    from ..models import Model

HOLD_OUT = 0.1
_WIDTHS = (256, 256, 256)
_DROPOUT = 0.1
_MOMENTUM = 0.9  # of the moving statistics, so that they are right after a few dozen steps
_RATE = 2e-3
_RATE_FALLS_TO = 0.01  # of its start, over all epochs
_STEPS_PER_EPOCH = 100  # what the batch size is chosen for
_BATCHES = (32, 256)


def split_rows(n: int, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers to learn from and row numbers held out, at random.

    The same rows as scikit-learn's ``train_test_split(test_size=fraction, random_state=seed)``.

    Examples
    --------
    >>> split_rows(5, 0.4, seed=0)
    (array([1, 3, 4]), array([2, 0]))
    """
    if not 0 <= fraction < 1:
        raise ValueError(f"[split] expected a fraction of at least 0 and below 1, received {fraction}.")
    held_out = math.ceil(n * fraction)
    if held_out >= n:
        raise ValueError(f"[split] expected rows left to learn from, received {n} rows and a fraction of {fraction}.")
    order = np.random.RandomState(seed).permutation(n)
    return order[held_out:], order[:held_out]


def batch_size_for(n: int) -> int:
    """A power of two that gives a table of `n` rows about a hundred steps per epoch, within [32, 256]."""
    low, high = _BATCHES
    return min(high, max(low, 2 ** round(math.log2(max(n, 1) / _STEPS_PER_EPOCH))))


def build_network(spec: TableSpec, steps: int) -> Model:
    """Three blocks of dense, batch normalisation, ELU and dropout, compiled with Adam; `steps` updates to come."""
    from .. import layers, losses, models, optimizers

    network = models.Sequential([layers.Input((spec.width,))], name="table")
    for units in _WIDTHS:
        network.add(layers.Dense(units, kernel_initializer="he_normal", use_bias=False))
        network.add(layers.BatchNormalization(momentum=_MOMENTUM))
        network.add(layers.Activation("elu"))
        network.add(layers.Dropout(_DROPOUT))
    network.add(layers.Dense(spec.target.outputs, kernel_initializer="zeros"))  # the first guess is the mean
    rate = optimizers.schedules.ExponentialDecay(_RATE, decay_steps=steps, decay_rate=_RATE_FALLS_TO)
    classes = isinstance(spec.target, ClassTarget)
    network.compile(
        optimizer=optimizers.Adam(rate),
        loss=losses.SparseCategoricalCrossentropy(from_logits=True) if classes else "mse",
        metrics=["accuracy"] if classes else [],
    )
    return network


class TableModel:
    """A network that reads raw rows of a table.

    Made by `TableModel.train` or `TableModel.load`.

    Attributes
    ----------
    spec : TableSpec
        What the columns become.
    network : Model
        The network behind it: features in, logits or a standardised number out.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> x = np.linspace(0, 6, 400)
    >>> frame = pd.DataFrame({"x": x, "y": np.sin(x)})
    >>> model = TableModel.train(frame, "y", epochs=20, seed=0, verbose=0)
    >>> bool(abs(model.predict(pd.DataFrame({"x": [1.5]}))[0] - np.sin(1.5)) < 0.2)
    True
    """

    def __init__(self, spec: TableSpec, network: Model) -> None:
        self.spec, self.network = spec, network

    @classmethod
    def train(
        cls,
        frame: pd.DataFrame,
        target: str,
        *,
        task: str = "auto",
        epochs: int = 60,
        seed: int | None = None,
        verbose: Any = "auto",
        callbacks: Sequence[Any] = (),
    ) -> TableModel:
        """Learn to predict one column of a table from the others.

        A tenth of the rows is held out; training stops when the loss on them has not improved for a third of
        `epochs`, and the best weights are kept.

        Parameters
        ----------
        frame : DataFrame
        target : str
            Name of the column.
        task : {"auto", "classification", "regression"}
            "auto" tells it from the target's values.
        epochs : int
            At most; the learning rate falls to a hundredth over them.
        seed : int, optional
            Makes the run repeatable, as `utils.set_random_seed` does.
        verbose, callbacks
            Of `Model.fit`.

        Raises
        ------
        ValueError
            If the table cannot be learnt from, see `TableSpec.learn`.
        """
        from .. import utils
        from ..callbacks import EarlyStopping

        if type(epochs) is not int or epochs < 1:
            raise ValueError(f"[table] expected epochs to be a positive integer, received {epochs!r}.")
        if seed is not None:
            utils.set_random_seed(seed)
        learn, held_out = split_rows(len(frame), HOLD_OUT, seed or 0)
        spec = TableSpec.learn(frame, target, task)
        x, y = spec.transform(frame), spec.encode_target(frame)
        batch = batch_size_for(len(learn))
        model = cls(spec, build_network(spec, epochs * math.ceil(len(learn) / batch)))
        stop = EarlyStopping(monitor="val_loss", patience=max(1, epochs // 3), restore_best_weights=True)
        model.network.fit(
            x[learn],
            y[learn],
            batch_size=batch,
            epochs=epochs,
            validation_data=(x[held_out], y[held_out]),
            callbacks=[stop, *callbacks],
            verbose=verbose,
        )
        return model

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        """(n, classes) float64 probabilities of the classes, in the order of `spec.target.classes`.

        Raises
        ------
        TypeError
            If the target is a number.
        """
        if not isinstance(self.spec.target, ClassTarget):
            raise TypeError(
                f"[table] expected a target of classes, '{self.spec.target.name}' is a number. Use predict."
            )
        logits = self._outputs(frame).astype(np.float64)
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        return exponentials / exponentials.sum(axis=1, keepdims=True)

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        """(n,) labels, in the dtype of the target's column, or numbers (float64) for raw rows.

        Raises
        ------
        ValueError
            If a column is missing, or holds something that is no number where numbers are expected.
        """
        return self.spec.target.decode(self._outputs(frame))

    def evaluate(self, frame: pd.DataFrame) -> dict[str, float]:
        """Scores on rows whose target is known: ``accuracy``, or ``rmse``, ``mae`` and ``r2`` in the target's unit."""
        outputs, truth = self._outputs(frame), self.spec.target_of(frame)
        if isinstance(self.spec.target, ClassTarget):
            return {"accuracy": float(np.mean(np.argmax(outputs, axis=1) == self.spec.target.places(truth)))}
        expected, predicted = numbers_of(truth, "target"), self.spec.target.decode(outputs)
        error = predicted - expected
        spread = float(np.mean((expected - expected.mean()) ** 2))
        return {
            "rmse": float(np.sqrt(np.mean(error**2))),
            "mae": float(np.mean(np.abs(error))),
            "r2": 1.0 - float(np.mean(error**2)) / spread if spread else 0.0,
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write network, training state and preprocessing to one file."""
        from ..saving import save_model

        save_model(self.network, path, table=self.spec)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> TableModel:
        """What `save` wrote.

        Raises
        ------
        FormatError
            If the file is damaged, or holds a network without a table.
        """
        from ..saving import load_table

        return cls(*load_table(path))

    def _outputs(self, frame: pd.DataFrame) -> np.ndarray:
        return self.network.predict(self.spec.transform(frame), verbose=0)
