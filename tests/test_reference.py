"""The oracle is itself tested: against Keras's recorded numbers, finite differences and published vectors."""

from __future__ import annotations

import json
import pathlib

import numpy as np
import pytest

import golden_values as golden
import reference

VALUES = json.loads((pathlib.Path(__file__).parent / "golden" / "values.json").read_text())
RNG = np.random.default_rng(3)
X, DENSE_W, BIAS = RNG.standard_normal((4, 5)), RNG.standard_normal((5, 3)), RNG.standard_normal(3)
RANK3 = RNG.standard_normal((4, 2, 5))
IMAGES = RNG.standard_normal((2, 4, 5, 3))
UNITS, KINDS = RNG.standard_normal((12, 3)) / 2, np.arange(12) % 3
NORM = [RNG.standard_normal(5), RNG.standard_normal(5), RNG.standard_normal(5), RNG.random(5) + 0.5]

OPS = [
    ("matmul", [X, DENSE_W], {}),
    ("matmul", [RANK3, DENSE_W], {}),
    *[
        ("dense", [X, DENSE_W, BIAS], {"activation": a, "alpha": 0.3})
        for a in reference.ACTIVATIONS
        if a not in reference.PARAMETERS
    ],
    *[("activation", [RANK3], {"kind": a, "alpha": 0.3, "beta": 0.1, "gamma": 0.9}) for a in reference.ACTIVATIONS],
    ("softmax", [X], {}),
    ("log_softmax", [X], {}),
    ("sparsemax", [X], {}),
    *[("glu", [DENSE_W.T], {"kind": a}) for a in ("sigmoid", "gelu", "mish")] * (DENSE_W.shape[0] % 2 == 0),
    ("prelu", [RANK3, RANK3[0, :1]], {}),
    ("rrelu", [X], {"lower": 0.1, "upper": 0.4}),
    *[("layer_norm", [RANK3, *[RANK3[i] for i in (1, 2)]], {"axes": 2, "kind": k}) for k in ("layer", "rms", "unit")],
    ("layer_norm", [RANK3], {"groups": 1, "center": False, "scale": False}),
    *[("batch_norm", [X, *NORM], {"training": t, "epsilon": 0.1}) for t in (False, True)],
    ("batch_norm", [RANK3, *[v[:2] for v in NORM]], {"training": True, "axis": 1}),
    ("batch_norm", [X, *NORM[1:]], {"training": True, "scale": False}),
    ("batch_norm", [X, *NORM[2:]], {"training": True, "scale": False, "center": False}),
    ("affine", [X], {"scale": 3.0, "offset": -1.0}),
    *[("standardize", [X, *NORM[2:]], {"invert": i}) for i in (False, True)],
    ("add", [X, 2 * X, X**2], {}),
    *[
        ("elementwise", [RNG.uniform(0.1, 0.9, (4, 5))], {"kind": k})
        for k in ("sqrt", "log", "tan", "arcsin", "arctanh")
    ],
    *[("elementwise", [X, X[:, :1] + 3], {"kind": k}) for k in ("multiply", "divide", "maximum", "mod")],
    ("elementwise", [RANK3**2 + 0.1, BIAS[:1]], {"kind": "power"}),
    ("elementwise", [RANK3, RANK3 * 2], {"kind": "where", "b": 1.5}),
    ("rearrange", [RANK3], {"shape": (2, 3), "strides": (5, -1), "offset": 3}),
    ("place", [RANK3], {"shape": (4, 9), "strides": (9, -1), "offset": 8}),
    ("take_along_axis", [RANK3, np.array([[[0, -1, 2], [1, 1, 4]]] * len(RANK3))], {"axis": -1}),
    ("cumsum", [RANK3], {"axis": 1}),
    ("circle", [UNITS[:5], KINDS[:5], UNITS[5:], KINDS[5:]], {"gamma": 3.0}),
    ("circle", [UNITS, KINDS, UNITS[::-1] / 2, KINDS], {"gamma": 2.0, "margin": 0.2, "remove_diagonal": False}),
    ("concatenate", [RANK3, RANK3[:, :1]], {"axis": 1}),
    ("reshape", [RANK3], {"shape": (5, 2)}),
    *[
        ("reduce", [RANK3], {"kind": k, "axis": 1, "keepdims": d})
        for k in ("sum", "mean", "max", "min")
        for d in (False, True)
    ],
    ("dropout", [X], {"rate": 0.4, "stream": 2}),
    ("warp", [IMAGES], {"angle_low": -1.0, "angle_high": 2.0, "size": [3, 6], "fill_mode": "constant", "stream": 2}),
    ("warp", [IMAGES], {"top_high": 9.0, "zoom_x_low": 0.5, "interpolation": "nearest", "fill_mode": "wrap"}),
    *[("recolor", [IMAGES], {"kind": k, "factor_high": 0.4, "low": -1, "high": 1}) for k in ("brightness", "contrast")],
    ("resample", [IMAGES], {"axis": 2, "size": 3, "kind": "bicubic", "antialias": True, "begin": -1, "length": 7}),
]


def slope(f, array, upstream, step=1e-6):
    estimate = np.empty(array.size)
    for i in range(array.size):
        parts = []
        for sign in (1, -1):
            moved = array.copy().reshape(-1)
            moved[i] += sign * step
            parts.append(np.sum(upstream * f(moved.reshape(array.shape))))
        estimate[i] = (parts[0] - parts[1]) / (2 * step)
    return estimate.reshape(array.shape)


@pytest.mark.parametrize(("op", "arguments", "attrs"), OPS, ids=lambda v: v if isinstance(v, str) else "")
def test_oracle_gradients_are_the_slopes_of_oracle_values(op, arguments, attrs):
    forward, backward = getattr(reference, op), getattr(reference, op + "_gradient")
    upstream = RNG.standard_normal(forward(*arguments, **attrs).shape)
    for i, gradient in enumerate(backward(upstream, *arguments, **attrs)):
        if gradient is None:
            continue
        estimate = slope(
            lambda a, i=i: forward(*arguments[:i], a, *arguments[i + 1 :], **attrs), arguments[i], upstream
        )
        np.testing.assert_allclose(gradient, estimate, rtol=1e-6, atol=1e-8)


PROBABILITIES = RNG.random((4, 3)) * 0.8 + 0.1
LABELS = np.array([2, 0, 1, 1])
LOSSES = [
    ("sparse_categorical_crossentropy", LABELS, {}),
    ("sparse_categorical_crossentropy", LABELS[:, None], {"from_logits": True}),
    ("categorical_crossentropy", np.eye(3)[LABELS], {"label_smoothing": 0.2}),
    ("categorical_crossentropy", np.eye(3)[LABELS], {"from_logits": True, "label_smoothing": 0.2}),
    ("binary_crossentropy", np.eye(3)[LABELS], {"label_smoothing": 0.2}),
    ("binary_crossentropy", np.eye(3)[LABELS], {"from_logits": True}),
    ("mean_squared_error", X[:, :3], {}),
    ("mean_absolute_error", X[:, :3], {}),
    ("linear", X[:, :3], {}),
    ("value", X[:, :3], {}),
]


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum"])
@pytest.mark.parametrize(("kind", "y", "options"), LOSSES)
def test_oracle_loss_gradients_are_the_slopes_of_oracle_losses(kind, y, options, reduction):
    options = options | {"kind": kind, "reduction": reduction}
    weights = np.array([0.5, 1.0, 0.0, 2.0])
    gradient = reference.loss_gradient(PROBABILITIES, y, weights, **options)
    estimate = slope(lambda p: reference.loss(p, y, weights, **options), PROBABILITIES, 1.0)
    np.testing.assert_allclose(gradient, estimate, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("kind", reference.ACTIVATIONS)
def test_oracle_activations_have_their_limits_at_infinity(kind):
    ends, far = np.array([np.inf, -np.inf]), np.array([1e250, -1e250])
    parameters = (0.3, -0.1, 2.0)[: reference.PARAMETERS.get(kind, 1)]
    for function in reference.ACTIVATIONS[kind]:
        with np.errstate(over="ignore"):
            limit, near = function(ends, *parameters), function(far, *parameters)
        assert not np.isnan(limit).any()
        np.testing.assert_array_equal(np.sign(limit), np.sign(near))
        bounded = np.abs(near) < 1e100
        np.testing.assert_allclose(limit[bounded], near[bounded])
        assert np.isinf(limit[~bounded]).all()


@pytest.mark.parametrize("name", ["relu", "elu", "selu", "sigmoid", "tanh", "softplus", "softmax", "leaky_relu"])
def test_oracle_activations_are_those_of_keras(name):
    x = golden.X.astype(np.float64)
    alpha = {"elu": 1.0, "leaky_relu": 0.2}.get(name, 0.0)
    y = reference.softmax(x) if name == "softmax" else reference.activation(x, name, alpha)
    np.testing.assert_allclose(y, VALUES["activation_" + name], rtol=2e-6, atol=1e-35)


@pytest.mark.parametrize(
    ("name", "kind", "y", "p", "options"),
    [
        ("cce", "categorical_crossentropy", golden.ONE_HOT, golden.P, {}),
        ("cce_smooth", "categorical_crossentropy", golden.ONE_HOT, golden.P, {"label_smoothing": 0.1}),
        ("cce_unnormalised", "categorical_crossentropy", golden.ONE_HOT, golden.Q, {}),
        ("cce_saturated", "categorical_crossentropy", golden.ONE_HOT, golden.SATURATED, {}),
        ("cce_logits", "categorical_crossentropy", golden.ONE_HOT, golden.Z, {"from_logits": True}),
        ("scce", "sparse_categorical_crossentropy", golden.LABELS, golden.P, {}),
        ("bce_smooth", "binary_crossentropy", golden.YB, golden.PB, {"label_smoothing": 0.1}),
        ("bce_saturated", "binary_crossentropy", golden.YB, 1 - golden.YB, {}),
        ("bce_logits", "binary_crossentropy", golden.YB, golden.ZB, {"from_logits": True}),
        ("mse", "mean_squared_error", golden.A, golden.B, {}),
        ("mae", "mean_absolute_error", golden.A, golden.B, {}),
    ],
)
def test_oracle_losses_are_those_of_keras(name, kind, y, p, options):
    values, _ = reference.sample_losses(kind, p.astype(float), y.astype(float), precision="float32", **options)
    np.testing.assert_allclose(values, VALUES["loss_" + name], rtol=3e-6)


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("sgd", {"kind": "sgd"}),
        ("momentum", {"kind": "momentum"}),
        ("nesterov", {"kind": "nesterov"}),
        ("adam", {"kind": "adam"}),
    ],
)
def test_oracle_optimizers_are_those_of_keras(name, spec):
    optimizer, w = reference.Optimizer(**spec), np.array([1.0, -2.0])
    for g, want in zip(golden.GRADIENTS, VALUES["path_" + name], strict=True):
        w = optimizer.step(w, g.astype(float), 0.1)
        np.testing.assert_allclose(w, want, rtol=3e-6)  # Keras takes the powers of beta in float32


@pytest.mark.parametrize(
    ("counter", "key", "want"),
    [
        ([0] * 4, [0] * 2, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            [0xA4093822, 0x299F31D0],
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ],
)
def test_oracle_philox_gives_the_published_vectors(counter, key, want):
    assert " ".join(f"{int(word):08x}" for word in reference.philox(counter, key)) == want
