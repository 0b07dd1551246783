"""RandomErasing: patches of images are overwritten at random."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import ops, random
from .augmentation import RandomImageLayer, checked_factor, is_number


class RandomErasing(RandomImageLayer):
    """In training, puts noise or a colour in the place of one rectangle of an image.

    Parameters
    ----------
    factor : float or pair of float
        How probable it is that an image loses a rectangle, from 0 to 1: uniform in the interval for each image. A
        number f is as (0, f).
    scale : float or pair of float
        From 0 to 1: the width of the rectangle is the image's times the square root of a number that is uniform in the
        interval, its height that of another one.
    fill_value : number or sequence of number, optional
        What stands in the rectangle, or for each channel; None is normal noise, times the upper end of `value_range`,
        and clipped to it.
    value_range : pair of float
        Of the images: (0, 255), (0, 1) or others; `fill_value` is clipped to it too.
    seed, data_format, **kwargs
        Of every layer that augments images: see `RandomTranslation`.

    Notes
    -----
    The pixels whose centres lie in the rectangle are overwritten. (Keras 3.15 asks for their first corners: the first
    row and column practically always stay.) Zhong et al., "Random Erasing
    Data Augmentation", AAAI 2020.

    Examples
    --------
    >>> import numpy as np
    >>> layer = RandomErasing((1.0, 1.0), (0.25, 0.25), fill_value=0.0, seed=1)
    >>> float(layer(np.ones((1, 4, 4, 1))).sum())  # a rectangle of 2 x 2
    12.0
    """

    def __init__(
        self,
        factor: Any = 1.0,
        scale: Any = (0.02, 0.33),
        fill_value: Any = None,
        value_range: Any = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed, data_format, **kwargs)
        self.factor = checked_factor(self, "factor", factor, 0, 1)
        self.scale = checked_factor(self, "scale", scale, 0, 1)
        values = fill_value if isinstance(fill_value, (list, tuple)) else [fill_value]
        if fill_value is not None and not (values and all(is_number(v) for v in values)):
            raise ValueError(
                f"[RandomErasing '{self.name}'] expected fill_value to be None, a number, or one for each channel, "
                f"received {fill_value!r}."
            )
        self.fill_value = list(fill_value) if isinstance(fill_value, tuple) else fill_value
        pair = isinstance(value_range, (list, tuple)) and len(value_range) == 2
        if not pair or not all(is_number(v) for v in value_range) or value_range[0] >= value_range[1]:
            raise ValueError(
                f"[RandomErasing '{self.name}'] expected value_range as a pair of two numbers such as (0, 255) or "
                f"(0, 1), received {value_range!r}."
            )
        self.value_range = tuple(float(v) for v in value_range)

    def _augmented(self, images: Any) -> Any:
        _, height, width, channels = images.shape
        drawn = random.uniform((None, 6), seed=self.seed)
        draws = [ops.reshape(drawn[:, i], (-1, 1, 1, 1)) for i in range(6)]

        def between(interval: tuple[float, float], draw: Any) -> Any:
            return draw * (interval[1] - interval[0]) + interval[0]

        def inside(places: np.ndarray, size: int, of_length: Any, of_start: Any) -> Any:
            length = ops.sqrt(between(self.scale, of_length)) * float(size)
            start = of_start * (float(size) - length)
            return ops.logical_and(ops.greater_equal(places, start), ops.less(places, start + length))

        chosen = ops.less(draws[5], between(self.factor, draws[4]))
        columns = inside(np.arange(width).reshape(-1, 1) + 0.5, width, draws[0], draws[1])
        rows = inside(np.arange(height).reshape(-1, 1, 1) + 0.5, height, draws[2], draws[3])
        return ops.where(ops.logical_and(ops.logical_and(chosen, columns), rows), self._fill(images, channels), images)

    def _fill(self, images: Any, channels: int) -> Any:
        low, high = self.value_range
        if self.fill_value is None:
            seed = None if self.seed is None else hash((self.seed, 1))  # other numbers than those of places
            return ops.clip(random.normal(ops.shape(images), seed=seed) * high, low, high)
        values = np.clip(np.asarray(self.fill_value, np.float64), low, high)
        if values.ndim and len(values) != channels:
            raise ValueError(
                f"[RandomErasing '{self.name}'] expected fill_value with {channels} numbers, one for each channel, "
                f"received {len(values)}."
            )
        return values if values.ndim else float(values)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "factor": list(self.factor), "scale": list(self.scale),
            "fill_value": self.fill_value, "value_range": list(self.value_range),
        }  # fmt: skip
