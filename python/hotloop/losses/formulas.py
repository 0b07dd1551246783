"""Loss functions written with `hotloop.ops`: on arrays they give one value a sample, inside a loss, a metric or a layer
of one's own they are part of it. For the losses of `fused.py` these are the expressions; on arrays their kernels run.

Names, arguments and formulas are Keras's. `epsilon` in formulas is `config.epsilon()`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import ops
from ..config import epsilon, floatx
from ..elementwise import is_symbolic
from ..tensor import KerasTensor, TraceError
from ..trace import squeezed_alike

_LOG_2 = float(np.log(2.0))


def _floats(*values: Any) -> list[Any]:
    """Arrays as floats; tensors as they are."""
    if is_symbolic(values):
        return list(values)
    dtype = next((v.dtype for v in reversed(values) if getattr(v, "dtype", None) in (np.float32, np.float64)), floatx())
    return [np.asarray(value, dtype) for value in values]


def _aligned(y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """As floats of as many axes."""
    y_true, y_pred = _floats(y_true, y_pred)
    return squeezed_alike(y_true, y_pred)


def _one_hot(y_true: Any, y_pred: Any) -> Any:
    """Class numbers, which are floats here, as indicators along the last axis of y_pred."""
    if len(y_true.shape) == len(y_pred.shape):
        y_true = ops.squeeze(y_true, -1)
    return ops.stack([ops.equal(y_true, float(number)) for number in range(y_pred.shape[-1])], axis=-1)


def _probabilities(y_pred: Any) -> Any:
    """Shares of the sum, clipped away from 0 and 1."""
    return ops.clip(y_pred / ops.sum(y_pred, axis=-1, keepdims=True), epsilon(), 1 - epsilon())


def _smoothed(y_true: Any, label_smoothing: float, classes: int) -> Any:
    return y_true * (1 - label_smoothing) + label_smoothing / classes if label_smoothing else y_true


def _check_axis(where: str, axis: int) -> None:
    if axis != -1:
        raise ValueError(f"[{where}] expected axis=-1, received {axis}. Move the classes to the last axis.")


def mean_squared_error(y_true: Any, y_pred: Any) -> Any:
    y_true, y_pred = _aligned(y_true, y_pred)
    return ops.mean(ops.square(y_pred - y_true), axis=-1)


def mean_absolute_error(y_true: Any, y_pred: Any) -> Any:
    y_true, y_pred = _aligned(y_true, y_pred)
    return ops.mean(ops.abs(y_pred - y_true), axis=-1)


def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Any:
    """100 mean abs((y - p) / max(abs y, epsilon)) over the last axis; one value a sample."""
    y_true, y_pred = _aligned(y_true, y_pred)
    return 100.0 * ops.mean(ops.abs((y_true - y_pred) / ops.maximum(ops.abs(y_true), epsilon())), axis=-1)


def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Any:
    """Mean of (log(max(p, epsilon) + 1) - log(max(y, epsilon) + 1))^2 over the last axis; one value a sample."""
    y_true, y_pred = _aligned(y_true, y_pred)
    first, second = (ops.log(ops.maximum(value, epsilon()) + 1.0) for value in (y_pred, y_true))
    return ops.mean(ops.square(first - second), axis=-1)


def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Any:
    """Mean of e^2 / 2 where abs e <= delta, else delta abs e - delta^2 / 2, with e = p - y (Huber, "Robust
    estimation of a location parameter", Annals of Mathematical Statistics 35, 1964)."""
    y_true, y_pred = _aligned(y_true, y_pred)
    size = ops.abs(y_pred - y_true)
    return ops.mean(ops.where(size <= delta, 0.5 * size * size, delta * size - 0.5 * delta**2), axis=-1)


def log_cosh(y_true: Any, y_pred: Any) -> Any:
    """Mean of log cosh(p - y) over the last axis: squares near 0, absolute values far from it."""
    y_true, y_pred = _aligned(y_true, y_pred)
    error = y_pred - y_true
    return ops.mean(error + ops.softplus(-2.0 * error) - _LOG_2, axis=-1)


def quantile(y_true: Any, y_pred: Any, q: float = 0.5) -> Any:
    """Mean of max(q e, (q - 1) e) with e = y - p: p becomes the q-quantile of y (Koenker and Bassett, "Regression
    quantiles", Econometrica 46, 1978)."""
    y_true, y_pred = _aligned(y_true, y_pred)
    error = y_true - y_pred
    return ops.mean(ops.maximum(q * error, (q - 1) * error), axis=-1)


def poisson(y_true: Any, y_pred: Any) -> Any:
    """Mean of p - y log(p + epsilon) over the last axis; one value a sample."""
    y_true, y_pred = _floats(y_true, y_pred)
    return ops.mean(y_pred - y_true * ops.log(y_pred + epsilon()), axis=-1)


def kl_divergence(y_true: Any, y_pred: Any) -> Any:
    """Sum of y log(y / p) over the last axis, both clipped to [epsilon, 1]; one value a sample."""
    y_true, y_pred = _floats(y_true, y_pred)
    y_true, y_pred = ops.clip(y_true, epsilon(), 1.0), ops.clip(y_pred, epsilon(), 1.0)
    return ops.sum(y_true * ops.log(y_true / y_pred), axis=-1)


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """Minus the cosine of the angle between y and p: -1 for the same direction, 1 for opposite ones."""
    y_true, y_pred = _aligned(y_true, y_pred)
    return -ops.sum(_unit(y_true, axis) * _unit(y_pred, axis), axis=axis)


def _unit(x: Any, axis: int) -> Any:
    return x * ops.rsqrt(ops.maximum(ops.sum(ops.square(x), axis=axis, keepdims=True), epsilon() ** 2))


def hinge(y_true: Any, y_pred: Any) -> Any:
    """Mean of max(1 - y p, 0) over the last axis, for y of -1 and 1; where all y are 0 or 1 they become -1 and 1."""
    y_true, y_pred = _floats(y_true, y_pred)
    return ops.mean(ops.maximum(1.0 - _signs(y_true) * y_pred, 0.0), axis=-1)


def squared_hinge(y_true: Any, y_pred: Any) -> Any:
    """Mean of max(1 - y p, 0)^2 over the last axis, y as for `hinge`."""
    y_true, y_pred = _floats(y_true, y_pred)
    return ops.mean(ops.square(ops.maximum(1.0 - _signs(y_true) * y_pred, 0.0)), axis=-1)


def _signs(y_true: Any) -> Any:
    """2 y - 1, if the batch holds zeros and ones alone."""
    others = ops.sum(1.0 - ops.logical_or(ops.equal(y_true, 0.0), ops.equal(y_true, 1.0)))
    return ops.where(ops.equal(others, 0.0), 2.0 * y_true - 1.0, y_true)


def categorical_hinge(y_true: Any, y_pred: Any) -> Any:
    """max(0, max((1 - y) p) - sum(y p) + 1) over the last axis, y one-hot (Weston and Watkins, "Support vector machines
    for multi-class pattern recognition", ESANN 1999)."""
    y_true, y_pred = _floats(y_true, y_pred)
    wrong, right = ops.max((1.0 - y_true) * y_pred, axis=-1), ops.sum(y_true * y_pred, axis=-1)
    return ops.maximum(wrong - right + 1.0, 0.0)


def binary_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Any:
    _check_axis("binary_crossentropy", axis)
    y_true, y_pred = _floats(y_true, y_pred)
    return ops.mean(binary_crossentropies(_smoothed_binary(y_true, label_smoothing), y_pred, from_logits), axis=-1)


def _smoothed_binary(y_true: Any, label_smoothing: float) -> Any:
    return y_true * (1 - label_smoothing) + label_smoothing / 2 if label_smoothing else y_true


def binary_crossentropies(y_true: Any, y_pred: Any, from_logits: bool) -> Any:
    """One value an element."""
    if from_logits:
        return y_true * ops.softplus(-y_pred) + (1.0 - y_true) * ops.softplus(y_pred)
    y_pred = ops.clip(y_pred, epsilon(), 1 - epsilon())
    return -(y_true * ops.log(y_pred) + (1.0 - y_true) * ops.log(1.0 - y_pred))


def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Any:
    _check_axis("categorical_crossentropy", axis)
    y_true, y_pred = _floats(y_true, y_pred)
    y_true = _smoothed(y_true, label_smoothing, y_pred.shape[-1])
    return -ops.sum(y_true * (ops.log_softmax(y_pred) if from_logits else ops.log(_probabilities(y_pred))), axis=-1)


def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: None = None, axis: int = -1
) -> Any:
    _check_axis("sparse_categorical_crossentropy", axis)
    if ignore_class is not None:
        raise ValueError(
            f"[sparse_categorical_crossentropy] expected ignore_class=None, received {ignore_class}. Give those "
            "samples a sample_weight of 0."
        )
    numbers = ops.expand_dims(y_true, -1) if y_true.ndim < y_pred.ndim else y_true
    log_p = ops.log_softmax(y_pred) if from_logits else ops.log(_probabilities(y_pred))
    return -ops.squeeze(ops.take_along_axis(log_p, numbers, -1), -1)


def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """Mean of (1 - p_t)^gamma times the binary crossentropy, p_t = y p + (1 - y) (1 - p); balanced, times alpha for
    y = 1 and 1 - alpha for y = 0 (Lin et al., "Focal loss for dense object detection", ICCV 2017)."""
    _check_axis("binary_focal_crossentropy", axis)
    y_true, y_pred = _floats(y_true, y_pred)
    y_true = _smoothed_binary(y_true, label_smoothing)
    if from_logits:
        y_pred = ops.sigmoid(y_pred)
    missed = 1.0 - (y_true * y_pred + (1.0 - y_true) * (1.0 - y_pred))
    value = ops.power(missed, gamma) * binary_crossentropies(y_true, y_pred, False)
    if apply_class_balancing:
        value = value * (y_true * alpha + (1.0 - y_true) * (1 - alpha))
    return ops.mean(value, axis=-1)


def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """Sum of alpha (1 - p)^gamma (-y log p) over the classes on the last axis (as `binary_focal_crossentropy`)."""
    _check_axis("categorical_focal_crossentropy", axis)
    y_true, y_pred = _floats(y_true, y_pred)
    y_true = _smoothed(y_true, label_smoothing, y_pred.shape[-1])
    p = _probabilities(ops.softmax(y_pred) if from_logits else y_pred)
    return ops.sum(ops.power(1.0 - p, gamma) * alpha * (-y_true * ops.log(p)), axis=-1)


def categorical_generalized_cross_entropy(y_true: Any, y_pred: Any, q: float) -> Any:
    """(1 - p[y]^q) / q for class numbers y: from crossentropy (q to 0) to the absolute error (q = 1), for noisy labels
    (Zhang and Sabuncu, "Generalized cross entropy loss for training deep neural networks with noisy labels", 2018)."""
    y_true, y_pred = _floats(y_true, y_pred)
    p = ops.sum(ops.clip(y_pred, epsilon(), 1 - epsilon()) * _one_hot(y_true, y_pred), axis=-1)
    return (1.0 - ops.power(p, q)) / q


def dice(y_true: Any, y_pred: Any, axis: Any = None) -> Any:
    """1 - 2 sum(y p) / (sum y + sum p + epsilon) over the axes, None: the whole batch (Milletari et al., "V-Net",
    2016)."""
    y_true, y_pred = _floats(y_true, y_pred)
    both = ops.sum(y_true * y_pred, axis=axis)
    return 1.0 - 2.0 * both / (ops.sum(y_true, axis=axis) + ops.sum(y_pred, axis=axis) + epsilon())


def tversky(y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: Any = None) -> Any:
    """1 - I / (I + alpha sum((1 - p) y) + beta sum(p (1 - y)) + epsilon), I = sum(y p), over the axes, None: the whole
    batch (Salehi et al., "Tversky loss function for image segmentation", 2017)."""
    y_true, y_pred = _floats(y_true, y_pred)
    both = ops.sum(y_true * y_pred, axis=axis)
    missed, wrong = ops.sum((1.0 - y_pred) * y_true, axis=axis), ops.sum(y_pred * (1.0 - y_true), axis=axis)
    return 1.0 - both / (both + alpha * missed + beta * wrong + epsilon())


def margin_ranking(y_true: Any, y_pred: Any, margin: float = 1.0) -> Any:
    """max(0, margin - y (a - b)) for two scores a, b in the columns of y_pred; y is 1 where a belongs before b, else -1
    (Herbrich et al., "Large margin rank boundaries for ordinal regression", 2000)."""
    y_true, y_pred = _floats(y_true, y_pred)
    return ops.maximum(margin - _first(y_true) * (y_pred[..., 0] - y_pred[..., 1]), 0.0)


def contrastive(y_true: Any, y_pred: Any, margin: float = 1.0) -> Any:
    """Mean of y d^2 + (1 - y) max(margin - d, 0)^2 for distances d of pairs; y is 1 for a pair of the same kind, else 0
    (Hadsell, Chopra and LeCun, "Dimensionality reduction by learning an invariant mapping", CVPR 2006)."""
    y_true, y_pred = _aligned(y_true, y_pred)
    apart = ops.square(ops.maximum(margin - y_pred, 0.0))
    value = y_true * ops.square(y_pred) + (1.0 - y_true) * apart
    return ops.mean(value, axis=-1) if len(value.shape) > 1 else value


def triplet(y_true: Any, y_pred: Any, margin: float = 1.0) -> Any:
    """max(0, d_same - d_other + margin) for an anchor's distances to one of its kind and to another in the columns of
    y_pred; y_true is not looked at (Schroff, Kalenichenko and Philbin, "FaceNet", CVPR 2015)."""
    y_true, y_pred = _floats(y_true, y_pred)
    return ops.maximum(y_pred[..., 0] - y_pred[..., 1] + margin, 0.0)


def circle(
    y_true: Any,
    y_pred: Any,
    ref_labels: Any = None,
    ref_embeddings: Any = None,
    remove_diagonal: bool = True,
    gamma: float = 80.0,
    margin: float = 0.4,
) -> Any:
    """log(1 + P N) of every embedding: P sums over the references of its label, and grows with their distance, N over
    the others, and grows as they come near (Sun et al., "Circle loss", CVPR 2020). `losses.Circle` says more.

    The references are the batch itself unless told: tensors with as many rows, or a weight or array of any number.
    `remove_diagonal` leaves reference i out for embedding i.
    """
    y_true, y_pred = _floats(y_true, y_pred)
    if isinstance(y_pred, KerasTensor) or isinstance(y_true, KerasTensor):
        raise TraceError("[circle] expected arrays, or tensors in the `call` of a layer or a loss, received an Input.")
    if len(y_pred.shape) != 2:
        raise ValueError(f"[circle] expected embeddings (batch, D) as y_pred, received shape {tuple(y_pred.shape)}.")
    if (ref_labels is None) != (ref_embeddings is None):
        raise ValueError("[circle] expected ref_labels and ref_embeddings together, received one of them.")
    labels = ops.trunc(y_true)
    refs = [y_pred, labels] if ref_embeddings is None else [*_floats(ref_embeddings), ops.trunc(*_floats(ref_labels))]
    attrs = {"gamma": float(gamma), "margin": float(margin), "remove_diagonal": bool(remove_diagonal)}
    if is_symbolic([y_pred]):
        y_pred.trace.couples_rows = True
        return ops.apply("circle", [y_pred, labels, *refs], attrs)
    from ..testing import run_op

    run = run_op("circle", [y_pred, labels], attrs, refs, dtype=y_pred.dtype.name)
    assert run.output is not None, "the op has an output"
    return run.output


def _first(y_true: Any) -> Any:
    return y_true[..., 0] if len(y_true.shape) > 1 else y_true
