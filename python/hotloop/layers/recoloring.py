"""Layers that show a network images in other light: contrast, brightness, saturation and hue changed at random."""

from __future__ import annotations

from typing import Any

from .augmentation import RandomImageLayer, checked_factor, is_number


class _Recolor(RandomImageLayer):
    """What the layers have in common that change colours."""

    kind: str
    bounds: tuple[float, float] = (0, 1)

    def __init__(
        self,
        factor: Any,
        value_range: Any = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed, data_format, **kwargs)
        self.factor = self._interval(factor)
        pair = isinstance(value_range, (list, tuple)) and len(value_range) == 2
        if not pair or not all(is_number(v) for v in value_range) or value_range[0] == value_range[1]:
            raise ValueError(
                f"[{type(self).__name__} '{self.name}'] expected value_range as a pair of two numbers such as (0, 255) "
                f"or (0, 1), received {value_range!r}."
            )
        self.value_range = sorted(float(v) for v in value_range)

    def _interval(self, factor: Any) -> tuple[float, float]:
        """A number f is as (0, f) where factors are not negative, else as (-f, f)."""
        return checked_factor(self, "factor", factor, *self.bounds)

    def _draws_from(self) -> tuple[float, float]:
        return self.factor

    def _augmented(self, images: Any) -> Any:
        low, high = self._draws_from()
        values = {"low": self.value_range[0], "high": self.value_range[1]}
        return self._apply("recolor", images, {"kind": self.kind, "factor_low": low, "factor_high": high, **values})

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": list(self.factor), "value_range": self.value_range}


class RandomContrast(_Recolor):
    """In training, moves the values of each image nearer to their mean, or away from it.

    y = mean + c (x - mean), clipped to the range of values; the mean is that of each channel over the image.

    Parameters
    ----------
    factor : float or pair of float
        From 0 to 1: c is uniform in [1 - lower, 1 + upper]. A number stands for both. (Keras 3.15 documents this, but
        takes 0 for `lower` where a number is given, so that contrast is never lowered; its files say (0, f) then, which
        means here what it means there.)
    value_range : pair of float
        Of the images: (0, 255), (0, 1) or others.
    seed, data_format, **kwargs
        Of every layer that augments images: see `RandomTranslation`.

    Examples
    --------
    >>> import numpy as np
    >>> RandomContrast((0.5, 0.0), seed=1)(np.zeros((1, 2, 2, 1)) + 7).ravel()
    array([7., 7., 7., 7.], dtype=float32)
    """

    kind = "contrast"

    def _interval(self, factor: Any) -> tuple[float, float]:
        lower, upper = checked_factor(self, "factor", factor, *self.bounds)
        return (lower, upper) if isinstance(factor, (list, tuple)) else (upper, upper)

    def _draws_from(self) -> tuple[float, float]:
        return 1 - self.factor[0], 1 + self.factor[1]


class RandomBrightness(_Recolor):
    """In training, adds a number to all values of an image, and clips them to their range.

    Parameters
    ----------
    factor : float or pair of float
        From -1 to 1: what is added is uniform in the interval, times the length of `value_range`. A number f is as
        (-f, f).
    value_range : pair of float
        Of the images: (0, 255), (0, 1) or others.
    seed, data_format, **kwargs
        Of every layer that augments images: see `RandomTranslation`.

    Examples
    --------
    >>> import numpy as np
    >>> RandomBrightness((0.25, 0.25), value_range=(0, 1))(np.array([0.0, 0.5, 1.0]).reshape(1, 1, 3, 1)).ravel()
    array([0.25, 0.75, 1.  ], dtype=float32)
    """

    kind = "brightness"
    bounds = (-1, 1)


class RandomSaturation(_Recolor):
    """In training, makes the colours of each image purer or more like grey; hue and the largest channel stay.

    Parameters
    ----------
    factor : float or pair of float
        From 0, which gives grey, over 0.5, which changes nothing, to 1, which gives pure colours. A factor f is uniform
        in the interval, and saturations are multiplied with f / (1 - f), to at most 1. A number f is as (0, f). (So
        Keras documents it. Keras 3.15 takes (-f, f), which its files say and which is f here, and with value_range
        (0, 255) lets saturations grow beyond 1.)
    value_range : pair of float
        Of the images: (0, 255), (0, 1) or others.
    data_format, seed, **kwargs
        Of every layer that augments images: see `RandomTranslation`.

    Examples
    --------
    >>> import numpy as np
    >>> RandomSaturation((0.0, 0.0))(np.array([[[[10.0, 200.0, 30.0]]]])).ravel()
    array([200., 200., 200.], dtype=float32)
    """

    kind = "saturation"

    def _interval(self, factor: Any) -> tuple[float, float]:
        if isinstance(factor, (list, tuple)) and len(factor) == 2 and is_number(factor[0]) and factor[0] == -factor[1]:
            factor = factor[1]  # what Keras's files say of a number
        return super()._interval(factor)

    def __init__(
        self,
        factor: Any,
        value_range: Any = (0, 255),
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(factor, value_range, seed, data_format, **kwargs)


class RandomHue(RandomSaturation):
    """In training, turns the hue of each image round the circle of colours.

    Parameters
    ----------
    factor : float or pair of float
        From 0 to 1: half of a number that is uniform in the interval, of a full turn, one way or the other. A number f
        is as (0, f).
    value_range, data_format, seed, **kwargs
        As of `RandomSaturation`.

    Examples
    --------
    >>> import numpy as np
    >>> RandomHue((1.0, 1.0))(np.array([[[[200.0, 0.0, 0.0]]]])).round(3).ravel()
    array([  0., 200., 200.], dtype=float32)
    """

    kind = "hue"
