"""Initial values of weights.

Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS 2010.
He et al., "Delving Deep into Rectifiers", ICCV 2015. LeCun et al., "Efficient BackProp", 1998.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from . import _core
from .config import floatx, next_seed
from .identifiers import Configurable, Table
from .identifiers import serialize as _serialize

_TRUNCATED_STDDEV = 0.87962566103423978  # of a unit normal cut at +-2


class Initializer(Configurable):
    """Base class: a callable `f(shape, dtype=None)` that gives an array."""

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> np.ndarray:
        """Values of this shape, in `config.floatx()` unless a dtype is given."""
        raise NotImplementedError(f"Initializer {type(self).__name__} must override `__call__`.")

    def clone(self) -> Any:
        """An initializer with the same arguments."""
        return type(self).from_config(self.get_config())

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.get_config().items())
        return f"{type(self).__name__}({arguments})"


class Zeros(Initializer):
    """Zeros."""

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> np.ndarray:
        return np.zeros(shape, dtype or floatx())


class Ones(Initializer):
    """Ones."""

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> np.ndarray:
        return np.ones(shape, dtype or floatx())


class Constant(Initializer):
    """One value, or an array that is broadcast to the shape.

    Parameters
    ----------
    value : float or array_like

    Examples
    --------
    >>> Constant(0.5)((2,))
    array([0.5, 0.5], dtype=float32)
    """

    def __init__(self, value: Any = 0.0) -> None:
        self.value = value

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> np.ndarray:
        return np.array(np.broadcast_to(np.asarray(self.value, dtype or floatx()), tuple(shape)))

    def get_config(self) -> dict[str, Any]:
        return {"value": np.asarray(self.value).tolist()}


class RandomInitializer(Initializer):
    """Base of the random ones.

    Parameters
    ----------
    seed : int, optional
        Drawn once, from the stream that `utils.set_random_seed` starts, unless given. The same object gives the same
        values for the same shape every time; a string (`kernel_initializer="he_normal"`) makes a new object.
    """

    def __init__(self, seed: int | None = None) -> None:
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, (int, np.integer))):
            raise ValueError(f"[{type(self).__name__}] expected seed to be an integer or None, received {seed!r}.")
        self.seed = None if seed is None else int(seed)
        self._seed = (next_seed() if seed is None else int(seed)) & (2**64 - 1)

    def _draw(self, kind: str, shape: Sequence[int], a: float, b: float, dtype: str | None) -> np.ndarray:
        return _core.random(kind, tuple(int(n) for n in shape), float(a), float(b), self._seed, 0, dtype or floatx())

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed}


class RandomUniform(RandomInitializer):
    """Uniform in [minval, maxval).

    Parameters
    ----------
    minval, maxval : float
    seed : int, optional
    """

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        if not minval <= maxval or not math.isfinite(maxval - minval):
            raise ValueError(f"[RandomUniform] expected minval <= maxval, received {minval} and {maxval}.")
        self.minval, self.maxval = minval, maxval

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> np.ndarray:
        return self._draw("uniform", shape, self.minval, self.maxval, dtype)

    def get_config(self) -> dict[str, Any]:
        return {"minval": self.minval, "maxval": self.maxval, **super().get_config()}


class RandomSign(RandomInitializer):
    """1 or -1, alike.

    Parameters
    ----------
    seed : int, optional

    Examples
    --------
    >>> sorted(set(RandomSign(seed=1)((100,)).tolist()))
    [-1.0, 1.0]
    """

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> np.ndarray:
        drawn = self._draw("uniform", shape, -1.0, 1.0, dtype)
        return np.where(drawn < 0, -1, 1).astype(drawn.dtype)


class RandomNormal(RandomInitializer):
    """Normal.

    Parameters
    ----------
    mean, stddev : float
    seed : int, optional
    """

    kind = "normal"

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        if not math.isfinite(mean) or not 0 <= stddev < math.inf:
            raise ValueError(
                f"[{type(self).__name__}] expected a finite mean and a finite stddev of at least 0, "
                f"received {mean} and {stddev}."
            )
        self.mean, self.stddev = mean, stddev

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> np.ndarray:
        return self._draw(self.kind, shape, self.mean, self.stddev, dtype)

    def get_config(self) -> dict[str, Any]:
        return {"mean": self.mean, "stddev": self.stddev, **super().get_config()}


class TruncatedNormal(RandomNormal):
    """Normal, cut at two standard deviations; the result's own deviation is 0.88 stddev.

    Parameters
    ----------
    mean, stddev : float
    seed : int, optional
    """

    kind = "truncated_normal"


class VarianceScaling(RandomInitializer):
    """Zero mean and variance `scale / n`, n from the shape.

    Parameters
    ----------
    scale : float
    mode : {"fan_in", "fan_out", "fan_avg"}
        n is the number of inputs, of outputs, or their mean.
    distribution : {"truncated_normal", "untruncated_normal", "uniform"}
    seed : int, optional
    input_axes, output_axes : int or tuple of int, optional
        The axes whose sizes multiply to the numbers of inputs and of outputs.

    Notes
    -----
    Unless told, a kernel is (.., inputs, outputs), and axes before the last two count as many to both.

    Examples
    --------
    >>> w = VarianceScaling(scale=2.0, distribution="uniform", seed=1)((300, 100))
    >>> bool(abs(w).max() <= (6 / 300) ** 0.5)
    True
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
        input_axes: Any = None,
        output_axes: Any = None,
    ) -> None:
        super().__init__(seed)
        if (input_axes is None) != (output_axes is None):
            raise ValueError(f"[{type(self).__name__}] expected both input_axes and output_axes or none, received one.")
        self.input_axes, self.output_axes = _axes(input_axes), _axes(output_axes)
        distribution = "truncated_normal" if distribution == "normal" else distribution
        if not 0 < scale < math.inf:
            raise ValueError(f"[{type(self).__name__}] expected a finite scale above 0, received {scale}.")
        for value, known in (
            (mode, ("fan_in", "fan_out", "fan_avg")),
            (distribution, ("truncated_normal", "untruncated_normal", "uniform")),
        ):
            if value not in known:
                raise ValueError(f"[{type(self).__name__}] expected one of {', '.join(known)}, received {value!r}.")
        self.scale, self.mode, self.distribution = scale, mode, distribution

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> np.ndarray:
        inputs, outputs = _fans(shape)
        if self.input_axes is not None and self.output_axes is not None:
            inputs, outputs = _product(shape, self.input_axes), _product(shape, self.output_axes)
        n = {"fan_in": inputs, "fan_out": outputs, "fan_avg": (inputs + outputs) / 2}[self.mode]
        variance = self.scale / max(1.0, n)
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return self._draw("uniform", shape, -limit, limit, dtype)
        if self.distribution == "untruncated_normal":
            return self._draw("normal", shape, 0.0, math.sqrt(variance), dtype)
        return self._draw("truncated_normal", shape, 0.0, math.sqrt(variance) / _TRUNCATED_STDDEV, dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            "scale": self.scale, "mode": self.mode, "distribution": self.distribution, **super().get_config(),
            "input_axes": self.input_axes, "output_axes": self.output_axes,
        }  # fmt: skip


def _product(shape: Sequence[int], axes: Sequence[int]) -> float:
    return float(np.prod([shape[a] for a in axes]))


def _axes(axes: Any) -> list[int] | None:
    return None if axes is None else [int(a) for a in np.atleast_1d(axes)]


def _fans(shape: Sequence[int]) -> tuple[float, float]:
    if len(shape) < 2:
        n = float(shape[0]) if shape else 1.0
        return n, n
    field = math.prod(shape[:-2])
    return float(shape[-2] * field), float(shape[-1] * field)


class _Fixed(VarianceScaling):
    """A `VarianceScaling` known by name."""

    arguments: tuple[float, str, str]

    def __init__(self, seed: int | None = None, input_axes: Any = None, output_axes: Any = None) -> None:
        super().__init__(*self.arguments, seed, input_axes, output_axes)

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed, "input_axes": self.input_axes, "output_axes": self.output_axes}


class GlorotUniform(_Fixed):
    """Uniform within sqrt(6 / (inputs + outputs)): the default of kernels.

    Parameters
    ----------
    seed : int, optional
    input_axes, output_axes : int or tuple of int, optional
        As for `VarianceScaling`.
    """

    arguments = (1.0, "fan_avg", "uniform")


class GlorotNormal(_Fixed):
    """Truncated normal of variance 2 / (inputs + outputs).

    Parameters
    ----------
    seed : int, optional
    input_axes, output_axes : int or tuple of int, optional
        As for `VarianceScaling`.
    """

    arguments = (1.0, "fan_avg", "truncated_normal")


class HeUniform(_Fixed):
    """Uniform within sqrt(6 / inputs): for ReLU and its kin.

    Parameters
    ----------
    seed : int, optional
    input_axes, output_axes : int or tuple of int, optional
        As for `VarianceScaling`.
    """

    arguments = (2.0, "fan_in", "uniform")


class HeNormal(_Fixed):
    """Truncated normal of variance 2 / inputs: for ReLU and its kin.

    Parameters
    ----------
    seed : int, optional
    input_axes, output_axes : int or tuple of int, optional
        As for `VarianceScaling`.
    """

    arguments = (2.0, "fan_in", "truncated_normal")


class LecunUniform(_Fixed):
    """Uniform within sqrt(3 / inputs).

    Parameters
    ----------
    seed : int, optional
    input_axes, output_axes : int or tuple of int, optional
        As for `VarianceScaling`.
    """

    arguments = (1.0, "fan_in", "uniform")


class LecunNormal(_Fixed):
    """Truncated normal of variance 1 / inputs: for SELU.

    Parameters
    ----------
    seed : int, optional
    input_axes, output_axes : int or tuple of int, optional
        As for `VarianceScaling`.
    """

    arguments = (1.0, "fan_in", "truncated_normal")


class Orthogonal(RandomInitializer):
    """Orthonormal rows or columns, whichever are fewer, times a gain.

    Axes before the last are taken as one. Saxe, McClelland and Ganguli, "Exact solutions to the nonlinear dynamics of
    learning in deep linear neural networks", ICLR 2014.

    Parameters
    ----------
    gain : float
    seed : int, optional

    Examples
    --------
    >>> w = Orthogonal(seed=1)((3, 2))
    >>> bool(np.allclose(w.T @ w, np.eye(2), atol=1e-6))
    True
    """

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        super().__init__(seed)
        if not math.isfinite(gain):
            raise ValueError(f"[Orthogonal] expected a finite gain, received {gain}.")
        self.gain = gain

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> np.ndarray:
        if len(shape) < 2:
            raise ValueError(f"[Orthogonal] expected a shape of at least two axes, received {tuple(shape)}.")
        rows, columns = math.prod(shape[:-1]), int(shape[-1])
        drawn = self._draw("normal", (max(rows, columns), min(rows, columns)), 0.0, 1.0, "float64")
        q, r = np.linalg.qr(drawn)
        q = q * np.where(np.diag(r) < 0, -1.0, 1.0)
        q = q.T if rows < columns else q
        return np.ascontiguousarray(self.gain * q.reshape(tuple(shape)), dtype or floatx())

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain, **super().get_config()}


class Identity(Initializer):
    """The identity matrix times a gain; ones on the diagonal of one that is not square.

    Parameters
    ----------
    gain : float
        Saved with the model, unlike Keras's.

    Examples
    --------
    >>> Identity(2.0)((2, 3))
    array([[2., 0., 0.],
           [0., 2., 0.]], dtype=float32)
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> np.ndarray:
        if len(shape) != 2:
            raise ValueError(f"[Identity] expected a shape of two axes, received {tuple(shape)}.")
        kind = np.dtype(dtype or floatx())
        return self.gain * np.eye(*(int(n) for n in shape), dtype=kind)

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain}


OrthogonalInitializer, IdentityInitializer = Orthogonal, Identity
zeros, ones, constant, random_normal, random_uniform = Zeros, Ones, Constant, RandomNormal, RandomUniform
truncated_normal, variance_scaling, orthogonal, identity = TruncatedNormal, VarianceScaling, Orthogonal, Identity
glorot_uniform, glorot_normal, he_uniform, he_normal = GlorotUniform, GlorotNormal, HeUniform, HeNormal
lecun_uniform, lecun_normal = LecunUniform, LecunNormal


_TABLE: Table[Initializer] = Table(
    "initializer",
    Initializer,
    {
        "zeros": Zeros, "ones": Ones, "constant": Constant, "random_normal": RandomNormal,
        "random_uniform": RandomUniform, "truncated_normal": TruncatedNormal, "variance_scaling": VarianceScaling,
        "glorot_uniform": GlorotUniform, "glorot_normal": GlorotNormal, "he_uniform": HeUniform,
        "he_normal": HeNormal, "lecun_uniform": LecunUniform, "lecun_normal": LecunNormal,
        "orthogonal": Orthogonal, "identity": Identity, "random_sign": RandomSign,
    },
    aliases={
        "zero": "zeros", "one": "ones", "normal": "random_normal", "uniform": "random_uniform",
        "OrthogonalInitializer": "orthogonal", "IdentityInitializer": "identity",
    },
)  # fmt: skip
find = _TABLE.find


def names() -> list[str]:
    """All strings that `get` knows."""
    return list(_TABLE.names)


def get(identifier: Any) -> Any:
    """The initializer of a name, a dict or a class; a callable `f(shape, dtype=None)` or an array stays as it is.

    Raises
    ------
    ValueError
        For an unknown name (with a suggestion) or anything else.

    Examples
    --------
    >>> get("he_normal")
    HeNormal(seed=None, input_axes=None, output_axes=None)
    """
    if identifier is None or isinstance(identifier, np.ndarray):
        return identifier
    if callable(identifier) and not isinstance(identifier, type):
        return identifier
    return _TABLE.get(identifier)


def serialize(initializer: Any) -> Any:
    """`{"class_name": ..., "config": ...}`; an array becomes a Constant, and a function of one's own stays as it is.

    Files hold the name of a function, and `load_model` wants it in `custom_objects`; so with subclasses.
    """
    if isinstance(initializer, np.ndarray):
        initializer = Constant(initializer)
    return _serialize(initializer) if isinstance(initializer, Initializer) else initializer


def deserialize(config: Mapping[str, Any]) -> Initializer:
    """The initializer that `serialize` described."""
    return _TABLE.from_dict(config)
