"""Layers that show a network other images than those it is given: flipped, shifted, turned, zoomed at random."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import ops
from ..identifiers import unknown_name
from ..trace import trace_of
from .layer import Layer

_FILL_MODES = ("reflect", "nearest", "wrap", "constant")
_INTERPOLATIONS = ("bilinear", "nearest")


class ImageLayer(Layer):
    """Base of layers that take images (batch, height, width, channels), or with the channels first.

    Parameters
    ----------
    data_format : {"channels_last", "channels_first"}, optional
        "channels_last" unless told.
    **kwargs
        Of `Layer`.
    """

    not_yet: Mapping[str, Any] = {"bounding_box_format": None}

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if data_format not in (None, "channels_last", "channels_first"):
            raise unknown_name(f"{type(self).__name__} data_format", data_format, ("channels_last", "channels_first"))
        self.data_format = data_format or "channels_last"

    def _changed(self, inputs: Any, training: bool) -> Any:
        """`_images` of the inputs with their channels last."""
        if len(inputs.shape) != 4:
            raise ValueError(
                f"[{type(self).__name__} '{self.name}'] expected images of shape (batch, height, width, channels), "
                f"received {inputs.shape}. Images without a channel axis, such as MNIST's, get one by "
                "Reshape((28, 28, 1)); a single image becomes a batch by image[None]."
            )
        if self.data_format == "channels_last":
            return self._images(inputs, training)
        return ops.transpose(self._images(ops.transpose(inputs, (0, 2, 3, 1)), training), (0, 3, 1, 2))

    def _images(self, images: Any, training: bool) -> Any:
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "data_format": self.data_format}


class RandomImageLayer(ImageLayer):
    """Base of layers that change images at random in training, each image in a way of its own.

    They are active in `fit` and, as in Keras, when they or a model are called on arrays and nobody says `training`;
    they are not in `evaluate`, `predict` and with `training=False`. `predict_mc` samples them as it samples dropout.
    What an image gets depends on nothing but seed, step, layer and the image's row in the call.

    Parameters
    ----------
    seed : int, optional
        Picks this layer's stream of random numbers, which also depend on `utils.set_random_seed` and the step.
    data_format, **kwargs
        Of `ImageLayer`.
    """

    stochastic = True

    def __init__(self, seed: int | None = None, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.seed = None if seed is None else int(seed)

    def call(self, inputs: Any, training: bool = True) -> Any:
        return self._changed(inputs, training)

    def _images(self, images: Any, training: bool) -> Any:
        return self._augmented(images) if training else images

    def _augmented(self, images: Any) -> Any:
        raise NotImplementedError

    def _apply(self, op: str, images: Any, attrs: dict[str, Any]) -> Any:
        return ops.apply(op, [images], {**attrs, "stream": ops.stream_of(trace_of([images]), self.seed)})

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.seed}


def is_number(value: Any) -> bool:
    """A finite number of ordinary size that is no bool."""
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool) and bool(-1e30 < value < 1e30)


def checked_factor(layer: Layer, what: str, factor: Any, low: float, high: float) -> tuple[float, float]:
    """The interval of a factor: a number f stands for (-f, f), cut to what is allowed, a pair for itself, in order."""
    pair = isinstance(factor, (list, tuple)) and len(factor) == 2
    values = list(factor) if pair else [factor]
    if not all(is_number(value) and low <= value <= high for value in values):
        raise ValueError(
            f"[{type(layer).__name__} '{layer.name}'] expected {what} to be a number from {low} to {high} or a pair of "
            f"them, received {factor!r}."
        )
    if pair:
        lower, upper = sorted(float(value) for value in values)
        return lower, upper
    size = abs(float(factor))
    return max(-size, float(low)), size


def _plain_factor(factor: Any) -> Any:
    return [float(f) for f in factor] if isinstance(factor, (list, tuple)) else float(factor)


def _between(name: str, low: float, high: float) -> dict[str, float]:
    return {f"{name}_low": low, f"{name}_high": high}


class RandomFlip(RandomImageLayer):
    """In training, mirrors each image with probability 1/2.

    Parameters
    ----------
    mode : {"horizontal_and_vertical", "horizontal", "vertical"}
        Left with right, top with bottom, or either: then each direction has a coin of its own. (Keras 3 tosses one coin
        for both, so that an image is turned by 180 degrees or left alone, and never mirrored.)
    seed, data_format, **kwargs
        Of every layer that augments images: see `RandomTranslation`.

    Examples
    --------
    >>> import numpy as np
    >>> images = np.arange(6.0).reshape(1, 2, 3, 1)
    >>> flipped = [RandomFlip("horizontal", seed=1)(images) for _ in range(20)]
    >>> sorted({tuple(f.ravel().tolist()) for f in flipped})
    [(0.0, 1.0, 2.0, 3.0, 4.0, 5.0), (2.0, 1.0, 0.0, 5.0, 4.0, 3.0)]
    """

    def __init__(
        self,
        mode: str = "horizontal_and_vertical",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed, data_format, **kwargs)
        modes = ("horizontal_and_vertical", "horizontal", "vertical")
        if mode not in modes:
            raise unknown_name(f"RandomFlip '{self.name}' mode", mode, modes)
        self.mode = mode

    def _augmented(self, images: Any) -> Any:
        return self._apply("warp", images, {"flip_x": "horizontal" in self.mode, "flip_y": "vertical" in self.mode,
                                            "interpolation": "nearest"})  # fmt: skip

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mode": self.mode}


class _Warp(RandomImageLayer):
    """What the layers have in common that read between pixels and beyond edges."""

    def __init__(
        self,
        fill_mode: str,
        interpolation: str,
        seed: int | None,
        fill_value: float,
        data_format: str | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed, data_format, **kwargs)
        where = f"{type(self).__name__} '{self.name}'"
        if fill_mode not in _FILL_MODES:
            raise unknown_name(f"{where} fill_mode", fill_mode, _FILL_MODES)
        if interpolation not in _INTERPOLATIONS:
            raise unknown_name(f"{where} interpolation", interpolation, _INTERPOLATIONS)
        if not is_number(fill_value):
            raise ValueError(f"[{where}] expected fill_value to be a finite number, received {fill_value!r}.")
        self.fill_mode, self.interpolation, self.fill_value = fill_mode, interpolation, float(fill_value)

    def _warped(self, images: Any, attrs: dict[str, Any]) -> Any:
        sampling = {"fill_mode": self.fill_mode, "fill_value": self.fill_value, "interpolation": self.interpolation}
        return self._apply("warp", images, {**attrs, **sampling})

    def get_config(self) -> dict[str, Any]:
        names = ("fill_mode", "interpolation", "fill_value")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


class RandomTranslation(_Warp):
    """In training, shifts each image up or down and left or right.

    Parameters
    ----------
    height_factor, width_factor : float or pair of float
        Shifts as shares of height and width, from -1 to 1: positive numbers move the image down and to the right. A
        number f is as (-f, f); the share is uniform in the interval. Shifts are not rounded to whole pixels.
    fill_mode : {"reflect", "nearest", "wrap", "constant"}
        What is seen beyond the edges: the image mirrored (edge pixels twice), its edge pixels, the image again, or
        `fill_value`, which bilinear interpolation blends with the edge.
    interpolation : {"bilinear", "nearest"}
    seed : int, optional
        Picks this layer's stream of random numbers, which also depend on `utils.set_random_seed` and the step.
    fill_value : float
    data_format : {"channels_last", "channels_first"}, optional
        "channels_last" unless told.
    **kwargs
        Of `Layer`.

    Raises
    ------
    ValueError
        For inputs without a channel axis: put `Reshape((28, 28, 1))` in front.

    Notes
    -----
    Shapes: (batch, height, width, channels) to the same. Active in `fit`, and where the layer or the model is called
    on arrays unless `training=False` is said; inactive in `evaluate` and `predict`. Every image is shifted by an amount
    of its own, which depends on seed, step, layer and row alone: threads and batch sizes do not change it.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.arange(1.0, 5.0).reshape(1, 1, 4, 1)
    >>> RandomTranslation(0.0, (0.25, 0.25), fill_mode="constant")(image).ravel()
    array([0., 1., 2., 3.], dtype=float32)
    """

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)
        self._height = checked_factor(self, "height_factor", height_factor, -1, 1)
        self._width = checked_factor(self, "width_factor", width_factor, -1, 1)
        self.height_factor, self.width_factor = _plain_factor(height_factor), _plain_factor(width_factor)

    def _augmented(self, images: Any) -> Any:
        height, width = images.shape[1:3]
        top = _between("top", -self._height[1] * height, -self._height[0] * height)
        left = _between("left", -self._width[1] * width, -self._width[0] * width)
        return self._warped(images, {**top, **left})

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "height_factor": self.height_factor, "width_factor": self.width_factor}


class RandomRotation(_Warp):
    """In training, turns each image about its centre.

    Parameters
    ----------
    factor : float or pair of float
        Share of a full turn, from -1 to 1, counter-clockwise where positive. A number f is as (-f, f); the share is
        uniform in the interval.
    fill_mode, interpolation, seed, fill_value, data_format, **kwargs
        As of `RandomTranslation`.

    Examples
    --------
    >>> import numpy as np
    >>> RandomRotation((0.25, 0.25))(np.arange(4.0).reshape(1, 2, 2, 1)).round(5).reshape(2, 2)
    array([[1., 3.],
           [0., 2.]], dtype=float32)
    """

    def __init__(
        self,
        factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)
        self.factor = checked_factor(self, "factor", factor, -1, 1)

    def _augmented(self, images: Any) -> Any:
        return self._warped(images, _between("angle", *(2 * math.pi * f for f in self.factor)))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": list(self.factor)}


class RandomZoom(_Warp):
    """In training, shows each image larger or smaller, about its centre.

    Parameters
    ----------
    height_factor : float or pair of float
        Above -1, at most 1: an image is 1 / (1 + f) times as high, so positive numbers zoom out. A number f is as
        (-f, f); it is uniform in the interval.
    width_factor : float or pair of float, optional
        The same of the width; unless told the image keeps its proportions.
    fill_mode, interpolation, seed, fill_value, data_format, **kwargs
        As of `RandomTranslation`.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.arange(4.0).reshape(1, 1, 4, 1)
    >>> RandomZoom(0.0, (1.0, 1.0), fill_mode="constant", interpolation="nearest", fill_value=9)(image).ravel()
    array([9., 1., 3., 9.], dtype=float32)
    """

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any = None,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)
        self._height = self._checked("height_factor", height_factor)
        self._width = None if width_factor is None else self._checked("width_factor", width_factor)
        self.height_factor = _plain_factor(height_factor)
        self.width_factor = None if width_factor is None else _plain_factor(width_factor)

    def _checked(self, what: str, factor: Any) -> tuple[float, float]:
        interval = checked_factor(self, what, factor, -1, 1)
        if -1 in (factor if isinstance(factor, (list, tuple)) else [factor]):
            raise ValueError(
                f"[RandomZoom '{self.name}'] expected {what} above -1, received {factor!r}, which leaves nothing of "
                "the image."
            )
        return interval

    def _augmented(self, images: Any) -> Any:
        height = [1 + f for f in self._height]
        width = {"one_zoom": True} if self._width is None else _between("zoom_x", *(1 + f for f in self._width))
        return self._warped(images, {**_between("zoom_y", *height), **width})

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "height_factor": self.height_factor, "width_factor": self.width_factor}
