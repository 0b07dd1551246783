"""Restricted Boltzmann machines."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import initializers, ops, random, regularizers
from ..compiled import Resolved
from ..layers.sizes import checked_size
from ..model import Model
from ..optimizers import SGD
from ..program import Columns
from ..variable import structure_count
from .divergence import Divergence
from .view import View

_VISIBLE = ("binary", "gaussian")
_RATES = {"binary": 0.1, "gaussian": 0.01}
_NEARLY = 1e-6  # how far from 0 and 1 rounding leaves numbers
_LEARNS = ("fit", "evaluate", "train", "test", "gradients")  # calls whose data the loss sees
_UNROLLED = 10  # steps of a chain that are one graph


class RBM(Model):
    """Restricted Boltzmann machine: a model of p(v), of visible units and hidden ones that are 0 or 1.

    It is trained by contrastive divergence (CD-k), or with chains that go on from batch to batch (persistent CD), in
    the compiled loop like any other model: ``rbm.fit(x, epochs=10)``. It is compiled when it is made, with SGD of rate
    0.1 (0.01 for Gaussian units); ``rbm.compile(optimizer)`` takes another optimizer, for momentum
    ``SGD(0.1, momentum=0.5)``. As a layer, and in `predict`, it gives p(h = 1 | v).

    Parameters
    ----------
    hidden : int
        Hidden units.
    visible : {"binary", "gaussian"}
        Of data from 0 to 1, which are probabilities of a 1, or of standardised numbers, each with variance 1 given h.
    k : int
        Steps of Gibbs sampling in a batch.
    persistent : bool
        The negative phase goes on from where the last batch left its chains, and not from the data.
    chains : int
        How many of them, where `persistent`. Best the size of a batch; a row beyond begins where another one does.
    sparsity_target : float, optional
        How often a hidden unit should be on, between 0 and 1.
    sparsity_cost : float
        Factor of the cross-entropy between that and the mean activation of each unit in the batch.
    weight_decay : float
        Factor of half the squared norm of the kernel, added to the loss.
    log_free_energy : bool
        Whether logs have the mean free energy of the data, which costs a tenth of the time.
    kernel_initializer : str or Initializer, optional
        Normal numbers with a standard deviation of 0.01 unless told.
    name, dtype, trainable
        Of `Layer`.

    Attributes
    ----------
    kernel : Variable (features, hidden)
    bias, visible_bias : Variable (hidden,), (features,)
    chains : Variable (chains, hidden)
        Hidden states, where `persistent`.

    Raises
    ------
    ValueError
        For counts below 1, an unknown kind of units, a sparsity cost without a target; in `fit`, for data outside of 0
        to 1 for binary units.

    Notes
    -----
    The free energy is F(v) = -v b - sum log(1 + e^(c + v w)) for binary units; with Gaussian ones (v - b)^2 / 2 stands
    in the place of -v b. Hidden and visible units are sampled in every step. The loss is the expected energy of data
    less that of where the chains come to, but for terms without weights: its gradient is that of CD-k, and it is no
    measure of progress. Logs have besides "reconstruction_error", the mean squared difference between v and its mean
    one step later, and "free_energy" where asked for: compared with that of held-out data it shows overfitting.
    Results are the same for any number of threads, and after saving and loading.
    `evaluate` starts its chains at the data, also where training does not.

    Hinton, "Training products of experts by minimizing contrastive divergence", Neural Computation 14 (2002); Tieleman,
    "Training restricted Boltzmann machines using approximations to the likelihood gradient", ICML 2008; Hinton, "A
    practical guide to training restricted Boltzmann machines", Neural Networks: Tricks of the Trade (2012).

    Examples
    --------
    >>> import numpy as np, hotloop as keras
    >>> keras.utils.set_random_seed(0)
    >>> x = np.repeat([[0.0, 0.0, 1.0, 1.0], [1.0, 1.0, 0.0, 0.0]], 50, 0)
    >>> rbm = RBM(2)
    >>> history = rbm.fit(x, epochs=100, verbose=0)
    >>> rbm.reconstruct(x[:1]).round()
    array([[0., 0., 1., 1.]], dtype=float32)
    >>> rbm.sample(3).shape
    (3, 4)
    """

    def __init__(
        self,
        hidden: int,
        visible: str = "binary",
        k: int = 1,
        persistent: bool = False,
        chains: int = 32,
        sparsity_target: float | None = None,
        sparsity_cost: float = 0.0,
        weight_decay: float = 0.0,
        log_free_energy: bool = False,
        kernel_initializer: Any = None,
        name: str | None = None,
        dtype: str | None = None,
        trainable: bool = True,
    ) -> None:
        super().__init__(name=name, dtype=dtype, trainable=trainable)
        where = f"RBM '{self.name}'"
        if visible not in _VISIBLE:
            raise ValueError(f"[{where}] expected visible units 'binary' or 'gaussian', received {visible!r}.")
        self.hidden, self.k = checked_size(hidden, where, "hidden"), checked_size(k, where, "k")
        self.visible, self.persistent = visible, bool(persistent)
        self.n_chains = checked_size(chains, where, "chains")
        self.sparsity_target, self.sparsity_cost = _sparsity(where, sparsity_target, sparsity_cost)
        self.weight_decay = at_least_0(where, "weight_decay", weight_decay)
        self.log_free_energy = bool(log_free_energy)
        self.kernel_initializer = (
            initializers.RandomNormal(stddev=0.01) if kernel_initializer is None
            else initializers.get(kernel_initializer)
        )  # fmt: skip
        self.compile()

    def build(self, input_shape: Any) -> None:
        if len(input_shape) != 2 or input_shape[1] is None:
            raise ValueError(f"[RBM '{self.name}'] expected data of shape (rows, features), received {input_shape}.")
        features = int(input_shape[1])
        decay = regularizers.L2(self.weight_decay / 2) if self.weight_decay else None
        self.kernel = self.add_weight(
            (features, self.hidden), self.kernel_initializer, name="kernel", regularizer=decay
        )
        self.bias = self.add_weight((self.hidden,), "zeros", name="bias")
        self.visible_bias = self.add_weight((features,), "zeros", name="visible_bias")
        if self.persistent:
            self.chains = self.add_weight((self.n_chains, self.hidden), "zeros", name="chains", trainable=False)

    def call(self, inputs: Any) -> Any:
        return ops.sigmoid(self.hidden_logits(inputs))

    def compile(self, optimizer: Any = None, **kwargs: Any) -> None:
        """Say how to train.

        Parameters
        ----------
        optimizer : str or Optimizer, optional
            SGD with the rate above unless told.
        **kwargs
            Of `Model.compile`, without loss and metrics, which an RBM brings along.

        Raises
        ------
        ValueError
            For a loss or metrics.
        """
        for what in ("loss", "loss_weights", "metrics", "weighted_metrics"):
            if kwargs.get(what) is not None:
                raise ValueError(
                    f"[compile] expected no {what} for the RBM '{self.name}', received {kwargs[what]!r}. "
                    "It is trained by contrastive divergence."
                )
        super().compile(SGD(_RATES[self.visible]) if optimizer is None else optimizer, **kwargs)

    # What the machine computes, with tensors.

    def hidden_logits(self, v: Any) -> Any:
        """c + v w, whose sigmoid is p(h = 1 | v)."""
        return ops.matmul(v, self.kernel) + self.bias

    def visible_mean(self, h: Any) -> Any:
        """The mean of v given h."""
        mean = ops.apply("dense", [h, self.kernel, self.visible_bias], {"transposed": True})
        return ops.sigmoid(mean) if self.visible == "binary" else mean

    def hidden_mean(self, logits: Any) -> Any:
        """p(h = 1 | v), held: no gradient flows through it."""
        return ops.stop_gradient(ops.sigmoid(logits))

    def sample_hidden(self, mean: Any) -> Any:
        """Hidden units, drawn."""
        return _drawn(mean)

    def sample_visible(self, mean: Any) -> Any:
        """Visible units, drawn."""
        return _drawn(mean) if self.visible == "binary" else ops.stop_gradient(ops.noise(mean, 1.0))

    def free_energy_of(self, v: Any, logits: Any) -> Any:
        """F(v) of each row, given its `hidden_logits`."""
        hidden = ops.sum(ops.softplus(logits), axis=-1)
        if self.visible == "binary":
            return -ops.sum(v * self.visible_bias, axis=-1) - hidden
        return 0.5 * ops.sum(ops.square(v - self.visible_bias), axis=-1) - hidden

    def sparsity_penalty(self, logits: Any) -> Any:
        """Cross-entropy between the target and the mean of each hidden unit in the batch, summed over the units."""
        assert self.sparsity_target is not None
        p, q = self.sparsity_target, ops.mean(ops.sigmoid(logits), axis=0)
        entropy = p * ops.log(q + 1e-7) + (1 - p) * ops.log(1 - q + 1e-7)
        return -self.sparsity_cost * ops.sum(entropy)

    # What it does with arrays.

    def transform(self, x: Any) -> np.ndarray:
        """p(h = 1 | v) for the rows of x: what `predict` gives."""
        return self.predict(x, verbose=0)

    def reconstruct(self, x: Any) -> np.ndarray:
        """Means of v, from the probabilities of h given the rows of x."""
        return View(self, lambda v: self.visible_mean(self.call(v))).predict(x, verbose=0)

    def inverse_transform(self, h: Any) -> np.ndarray:
        """Means of v given hidden units, or probabilities of them, (rows, hidden)."""
        self._require_built("inverse_transform")
        return View(self, self.visible_mean).predict(h, verbose=0)

    def free_energy(self, x: Any) -> np.ndarray:
        """F(v) of the rows of x, (rows,): -log p(v) up to a constant."""
        return View(self, lambda v: self.free_energy_of(v, self.hidden_logits(v))).predict(x, verbose=0)

    def pseudo_likelihood(self, x: Any) -> np.ndarray:
        """A stochastic estimate of log p, by the conditional probability of one feature of each row, (rows,).

        Parameters
        ----------
        x : array_like (rows, features)
            Of zeros and ones, or of probabilities: the feature that is drawn for each row is turned into 1 - v.

        Returns
        -------
        ndarray
            features * log sigmoid(F(v') - F(v)), where one feature of v' is turned: scikit-learn's `score_samples`.

        Raises
        ------
        ValueError
            For Gaussian units.
        """
        if self.visible != "binary":
            raise ValueError(f"[pseudo_likelihood] expected binary visible units, received {self.visible} ones.")
        v = np.array(x, self._compute_dtype)
        if v.ndim != 2:
            raise ValueError(f"[pseudo_likelihood] expected x of shape (rows, features), received {v.shape}.")
        rows, turned = np.arange(len(v)), random.randint((len(v),), 0, v.shape[1])
        energy = self.free_energy(v)
        v[rows, turned] = 1 - v[rows, turned]
        return -v.shape[1] * np.logaddexp(0, energy - self.free_energy(v))

    def sample(self, n: int, steps: int = 1000, start: Any = None, mean: bool = False) -> np.ndarray:
        """Draw from the model by Gibbs sampling.

        Parameters
        ----------
        n : int
            Chains, one a sample.
        steps : int
        start : array_like (n, features), optional
            Where the chains begin; coin tosses, or normal numbers, unless told.
        mean : bool
            Give the means that the last step drew from, and not what it drew.

        Returns
        -------
        ndarray (n, features)
        """
        self._require_built("sample")
        n, steps = checked_size(n, "sample", "n"), checked_size(steps, "sample", "steps")
        shape, kind = (n, self.kernel.shape[0]), self.visible
        if start is None:
            start = random.uniform(shape).round() if kind == "binary" else random.normal(shape)
        v = np.asarray(start, self._compute_dtype)
        if v.shape != shape:
            raise ValueError(f"[sample] expected start of shape {shape}, received {v.shape}.")
        longest = View(self, lambda v: self._gibbs(v, _UNROLLED, False))
        for _ in range((steps - 1) // _UNROLLED):
            v = longest(v, training=True)
        rest = (steps - 1) % _UNROLLED + 1
        return np.asarray(View(self, lambda v: self._gibbs(v, rest, mean))(v, training=True))

    def _gibbs(self, v: Any, steps: int, mean: bool) -> Any:
        for step in range(steps):
            means = self.visible_mean(self.sample_hidden(self.hidden_mean(self.hidden_logits(v))))
            v = means if mean and step == steps - 1 else self.sample_visible(means)
        return v

    def _require_built(self, where: str) -> None:
        if not self.built:
            raise ValueError(
                f"[{where}] expected an RBM that knows its features, received '{self.name}'. Call fit first."
            )

    # scikit-learn's names.

    @property
    def components_(self) -> np.ndarray:
        """The kernel as scikit-learn has it, (hidden, features)."""
        self._require_built("components_")
        return self.kernel.numpy().T

    @property
    def intercept_hidden_(self) -> np.ndarray:
        """(hidden,)"""
        self._require_built("intercept_hidden_")
        return self.bias.numpy()

    @property
    def intercept_visible_(self) -> np.ndarray:
        """(features,)"""
        self._require_built("intercept_visible_")
        return self.visible_bias.numpy()

    # The machinery.

    def _has_loss(self) -> bool:
        return True

    def _columns(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, where: str = "fit"
    ) -> Columns:
        columns = super()._columns(x, y, sample_weight, class_weight, where)
        if self.visible == "binary" and where.startswith(_LEARNS):
            self._check_range(columns["x", 0])
        return columns

    def _resolve(self, columns: Columns, where: str) -> Resolved:
        compiled = self._require(where)
        given = [name for kind, name in (("y", "targets"), ("w", "sample weights")) if (kind, 0) in columns]
        if given:
            raise ValueError(f"[{where}] expected data alone for the RBM '{self.name}', received {given[0]} too.")
        key = ("divergence", structure_count())
        if key not in self._terms:
            self._terms = {key: Divergence(self)}
            compiled._resolved = dict(self._terms)  # where callbacks look up which way is better
        compiled.last = self._terms[key]
        return self._terms[key]

    def _check_range(self, x: np.ndarray) -> None:
        low, high = x.min(), x.max()
        if not (low >= -_NEARLY and high <= 1 + _NEARLY):
            raise ValueError(
                f"[RBM '{self.name}'] expected data from 0 to 1 for binary visible units, received {low:g} to {high:g}."
                " Scale it, or take visible='gaussian' for standardised data."
            )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "hidden": self.hidden,
            "visible": self.visible,
            "k": self.k,
            "persistent": self.persistent,
            "chains": self.n_chains,
            "sparsity_target": self.sparsity_target,
            "sparsity_cost": self.sparsity_cost,
            "weight_decay": self.weight_decay,
            "log_free_energy": self.log_free_energy,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
        }


def _drawn(mean: Any) -> Any:
    return ops.apply("bernoulli", [mean], {"stream": ops.stream_of(mean.trace, None)})


def at_least_0(where: str, what: str, value: Any) -> float:
    """A finite number that is not negative."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not 0 <= value < np.inf:
        raise ValueError(f"[{where}] expected {what} to be a finite number of at least 0, received {value!r}.")
    return float(value)


def _sparsity(where: str, target: Any, cost: Any) -> tuple[float | None, float]:
    cost = at_least_0(where, "sparsity_cost", cost)
    if target is None:
        if cost:
            raise ValueError(f"[{where}] expected a sparsity_target for the sparsity_cost {cost:g}, received none.")
        return None, cost
    if isinstance(target, bool) or not isinstance(target, (int, float, np.number)) or not 0 < target < 1:
        raise ValueError(f"[{where}] expected sparsity_target between 0 and 1, received {target!r}.")
    return float(target), cost
