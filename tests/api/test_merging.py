"""Layers that make one tensor of several compute what Keras's do; Lambda is traced."""

from __future__ import annotations

import numpy as np
import pytest

import hotloop as keras
from hotloop import layers, ops

RNG = np.random.default_rng(7)
A, B, C = (RNG.standard_normal((5, 3, 4)).astype(np.float32) for _ in range(3))
ROW = RNG.standard_normal((5, 1, 4)).astype(np.float32)
FLAT = RNG.standard_normal((5, 4)).astype(np.float32)


def merged(layer, *arrays):
    inputs = [keras.Input(a.shape[1:]) for a in arrays]
    return keras.Model(inputs, layer(inputs)).predict(list(arrays), verbose=0)


@pytest.mark.parametrize(
    ("layer", "want"),
    [
        (layers.Add, lambda *x: sum(x)),
        (layers.Multiply, lambda x, y, z: x * y * z),
        (layers.Average, lambda *x: sum(x) / 3),
        (layers.Maximum, lambda x, y, z: np.maximum(np.maximum(x, y), z)),
        (layers.Minimum, lambda x, y, z: np.minimum(np.minimum(x, y), z)),
    ],
)
def test_tensors_are_merged_element_by_element(layer, want):
    for arrays in ((A, B, C), (A, ROW, C), (ROW, B, A[:, :, :1].copy())):
        np.testing.assert_allclose(merged(layer(), *arrays), want(*arrays), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(merged(layer(), A, FLAT, C), want(A, FLAT[:, None], C), rtol=1e-5, atol=1e-6)
    function = getattr(layers, layer.__name__.lower())
    np.testing.assert_allclose(merged(function, A, B, C), want(A, B, C), rtol=1e-5, atol=1e-6)


def test_one_tensor_is_subtracted_from_another():
    np.testing.assert_allclose(merged(layers.Subtract(), A, B), A - B)
    np.testing.assert_allclose(merged(layers.subtract, A, ROW), A - ROW)
    with pytest.raises(ValueError, match="two tensors, received 3"):
        merged(layers.Subtract(), A, B, C)


def cosine(x):
    return x / np.sqrt(np.maximum((x * x).sum(-1, keepdims=True), 1e-12))


@pytest.mark.parametrize("normalize", [False, True])
def test_scalar_products_are_those_of_keras(normalize):
    f = cosine if normalize else lambda x: x
    dot = layers.Dot
    two = RNG.standard_normal((5, 2, 4)).astype(np.float32)
    np.testing.assert_allclose(
        merged(dot(1, normalize=normalize), FLAT, FLAT[::-1].copy()),
        (f(FLAT) * f(FLAT[::-1])).sum(-1, keepdims=True), rtol=1e-4, atol=1e-5,
    )  # fmt: skip
    np.testing.assert_allclose(
        merged(dot(2, normalize=normalize), A, two), np.einsum("bik,bjk->bij", f(A), f(two)), rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(
        merged(dot((2, 1), normalize=normalize), A, FLAT), np.einsum("bik,bk->bi", f(A), f(FLAT)), rtol=1e-4, atol=1e-5
    )
    with pytest.raises(ValueError, match="axes of one size"):
        merged(dot(1), A, FLAT)


def test_merging_layers_are_trained_through():
    x = keras.Input((4,))
    left, right = layers.Dense(3, "tanh")(x), layers.Dense(3)(x)
    parts = [layers.Multiply()([left, right]), layers.Maximum()([left, right]), layers.Subtract()([left, right])]
    model = keras.Model(x, layers.Dense(1)(layers.Concatenate()([*parts, layers.Dot(-1)([left, right])])))
    model.compile(keras.optimizers.Adam(0.05), "mse")
    y = (FLAT[:, 0] * FLAT[:, 1])[:, None]
    losses = model.fit(FLAT, y, epochs=200, verbose=0).history["loss"]
    assert losses[-1] < 0.05 * losses[0]


@pytest.mark.parametrize("layer", [layers.Dot((2, 1), normalize=True), layers.Average(name="mean"), layers.Subtract()])
def test_merging_layers_are_described_whole(layer):
    again = layers.deserialize(layers.serialize(layer))
    assert again.get_config() == layer.get_config()


def scaled(x, factor=2.0, training=False):
    return x * factor if training else x


def test_a_function_is_a_layer():
    layer = layers.Lambda(scaled, arguments={"factor": 3.0})
    np.testing.assert_allclose(layer(FLAT, training=True), 3 * FLAT, rtol=1e-6)
    np.testing.assert_allclose(layer(FLAT), FLAT)
    model = keras.Sequential([keras.Input((4,)), layers.Lambda(lambda x: ops.concatenate([x**2, ops.sin(x)], axis=-1))])
    assert model.output_shape == (None, 8)
    np.testing.assert_allclose(model.predict(FLAT, verbose=0), np.hstack([FLAT**2, np.sin(FLAT)]), rtol=1e-5)


def test_a_lambda_is_saved_by_the_name_of_its_function(tmp_path):
    model = keras.Sequential([keras.Input((4,)), layers.Lambda(scaled), layers.Dense(1)])
    model.save(tmp_path / "m.safetensors")
    with pytest.raises(keras.FormatError, match="custom_objects"):
        keras.models.load_model(tmp_path / "m.safetensors")
    again = keras.models.load_model(tmp_path / "m.safetensors", custom_objects={"scaled": scaled})
    np.testing.assert_array_equal(again.predict(FLAT, verbose=0), model.predict(FLAT, verbose=0))
    nameless = keras.Sequential([keras.Input((4,)), layers.Lambda(lambda x: x + 1)])
    with pytest.raises(ValueError, match="lambda"):
        nameless.save(tmp_path / "l.safetensors")
