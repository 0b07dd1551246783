"""Layers that give all images one size: resized, cut out of the middle, or cut out at random."""

from __future__ import annotations

from typing import Any

from .. import ops
from ..identifiers import unknown_name
from .augmentation import ImageLayer, RandomImageLayer, is_number
from .sizes import checked_size

_INTERPOLATIONS = ("bilinear", "nearest", "bicubic", "lanczos3", "lanczos5")


def _checked_sides(layer: ImageLayer, height: Any, width: Any) -> tuple[int, int]:
    where = f"{type(layer).__name__} '{layer.name}'"
    return checked_size(height, where, "height"), checked_size(width, where, "width")


def _resampled(images: Any, size: tuple[int, int], attrs: dict[str, Any], pads: tuple[int, int] = (0, 0)) -> Any:
    """Another height and width, of the image with this many points more before and after its axes."""
    for axis in (1, 2):
        begin, length = -pads[axis - 1], images.shape[axis] + 2 * pads[axis - 1]
        if begin or length != size[axis - 1]:
            window = {"axis": axis, "size": size[axis - 1], "begin": begin, "length": length}
            images = ops.apply("resample", [images], {**attrs, **window})
    return images


def _in_proportion(images: Any, size: tuple[int, int]) -> Any:
    """The largest part of the images, from their middle, with the proportions of this size."""
    height, width = images.shape[1:3]
    part_height = max(min(height, int(width * size[0] / size[1])), 1)
    part_width = max(min(width, int(height * size[1] / size[0])), 1)
    top, left = (height - part_height) // 2, (width - part_width) // 2
    return images[:, top : top + part_height, left : left + part_width]


def _middle(images: Any, size: tuple[int, int]) -> Any:
    """Resized to this size without change of proportions."""
    return _resampled(_in_proportion(images, size), size, {"kind": "bilinear"})


class Resizing(ImageLayer):
    """Gives images another height and width.

    Parameters
    ----------
    height, width : int
        Of the output.
    interpolation : {"bilinear", "nearest", "bicubic", "lanczos3", "lanczos5"}
    crop_to_aspect_ratio : bool
        Take the largest part, from the middle, that has the output's proportions, instead of distorting the image.
    pad_to_aspect_ratio : bool
        Put bands of `fill_value` on two sides instead.
    fill_mode : "constant"
    fill_value : float
    antialias : bool
        Average over all pixels that one of a smaller output covers.
    data_format : {"channels_last", "channels_first"}, optional
    **kwargs
        Of `Layer`.

    Raises
    ------
    ValueError
        For inputs without a channel axis, unknown interpolations, or both ways to keep the proportions.

    Notes
    -----
    Shapes: (batch, any height, any width, channels) to (batch, height, width, channels).

    Examples
    --------
    >>> import numpy as np
    >>> Resizing(1, 4)(np.array([0.0, 4.0]).reshape(1, 1, 2, 1)).ravel()
    array([0., 1., 3., 4.], dtype=float32)
    """

    def __init__(
        self,
        height: int,
        width: int,
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = False,
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        antialias: bool = False,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format, **kwargs)
        where = f"Resizing '{self.name}'"
        self.height, self.width = _checked_sides(self, height, width)
        if interpolation not in _INTERPOLATIONS:
            raise unknown_name(f"{where} interpolation", interpolation, _INTERPOLATIONS)
        if fill_mode != "constant":
            raise unknown_name(f"{where} fill_mode", fill_mode, ["constant"])
        if crop_to_aspect_ratio and pad_to_aspect_ratio:
            raise ValueError(f"[{where}] expected crop_to_aspect_ratio or pad_to_aspect_ratio, received both.")
        if not is_number(fill_value):
            raise ValueError(f"[{where}] expected fill_value to be a finite number, received {fill_value!r}.")
        self.interpolation, self.fill_mode, self.fill_value = interpolation, fill_mode, float(fill_value)
        self.crop_to_aspect_ratio, self.pad_to_aspect_ratio = bool(crop_to_aspect_ratio), bool(pad_to_aspect_ratio)
        self.antialias = bool(antialias)

    def call(self, inputs: Any) -> Any:
        return self._changed(inputs, False)

    def _images(self, images: Any, training: bool) -> Any:
        size, pads = (self.height, self.width), (0, 0)
        if self.crop_to_aspect_ratio:
            images = _in_proportion(images, size)
        if self.pad_to_aspect_ratio:
            height, width = images.shape[1:3]
            pads = (max(int(width * size[0] / size[1]) - height, 0) // 2,
                    max(int(height * size[1] / size[0]) - width, 0) // 2)  # fmt: skip
        attrs = {"kind": self.interpolation, "antialias": self.antialias, "fill_value": self.fill_value}
        return _resampled(images, size, attrs, pads)

    def get_config(self) -> dict[str, Any]:
        names = ["height", "width", "interpolation", "crop_to_aspect_ratio", "pad_to_aspect_ratio", "fill_mode"]
        names += ["fill_value", "antialias"]
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


class CenterCrop(ImageLayer):
    """The middle of images. Of images that are too small, their largest part with the output's proportions, resized.

    Parameters
    ----------
    height, width : int
        Of the output.
    data_format : {"channels_last", "channels_first"}, optional
    **kwargs
        Of `Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> CenterCrop(1, 2)(np.arange(4.0).reshape(1, 1, 4, 1)).ravel()
    array([1., 2.], dtype=float32)
    """

    def __init__(self, height: int, width: int, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self.height, self.width = _checked_sides(self, height, width)

    def call(self, inputs: Any) -> Any:
        return self._changed(inputs, False)

    def _images(self, images: Any, training: bool) -> Any:
        top, left = images.shape[1] - self.height, images.shape[2] - self.width
        if top < 0 or left < 0:
            return _middle(images, (self.height, self.width))
        return images[:, top // 2 : top // 2 + self.height, left // 2 : left // 2 + self.width]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "height": self.height, "width": self.width}


class RandomCrop(RandomImageLayer):
    """In training, a part of each image from a random place; else, the middle of the image, resized.

    Parameters
    ----------
    height, width : int
        Of the output.
    seed, data_format, **kwargs
        Of every layer that augments images: see `RandomTranslation`.

    Notes
    -----
    In inference, and for images that are smaller than the output, the largest part from the middle with the output's
    proportions is resized to it. (Keras documents this too; Keras 3.15 leaves images alone in inference.) Every image
    has a place of its own, where Keras has one for a batch.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.arange(4.0).reshape(1, 1, 4, 1)
    >>> crops = [RandomCrop(1, 3)(image) for _ in range(40)]
    >>> sorted({tuple(c.ravel().tolist()) for c in crops})
    [(0.0, 1.0, 2.0), (1.0, 2.0, 3.0)]
    """

    def __init__(
        self, height: int, width: int, seed: int | None = None, data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(seed, data_format, **kwargs)
        self.height, self.width = _checked_sides(self, height, width)

    def _images(self, images: Any, training: bool) -> Any:
        size = (self.height, self.width)
        places = (images.shape[1] - size[0] + 1, images.shape[2] - size[1] + 1)
        if not training or min(places) < 1:
            return _middle(images, size)
        corner = {"top_low": 0.0, "top_high": float(places[0]), "left_low": 0.0, "left_high": float(places[1])}
        return self._apply("warp", images, {"size": list(size), "whole": True, "interpolation": "nearest", **corner})

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "height": self.height, "width": self.width}
