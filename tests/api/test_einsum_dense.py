"""EinsumDense has Keras's weights and values, and trains."""

from __future__ import annotations

import numpy as np
import pytest

import hotloop
from hotloop import layers

RNG = np.random.default_rng(6)
CASES = {  # equation, output shape, bias axes, shape of x: kernel, bias
    "dense": ("ab,bc->ac", 7, "c", (5, 4), (4, 7), (7,)),
    "sequence": ("abc,cd->abd", (None, 7), "d", (5, 3, 4), (4, 7), (7,)),
    "a bias a place": ("abc,cd->abd", (3, 7), "bd", (5, 3, 4), (4, 7), (3, 7)),
    "a bias of places": ("abc,cd->abd", (3, 7), "b", (5, 3, 4), (4, 7), (3, 1)),
    "left": ("...x,xy->...y", 7, "y", (5, 3, 4), (4, 7), (7,)),
    "left of two": ("...x,xy->...y", 7, None, (5, 4), (4, 7), None),
    "right": ("ab...,bc->ac...", 7, "c", (5, 4, 3), (4, 7), (7, 1)),
    "heads": ("abc,cde->abde", (None, 2, 3), "de", (5, 3, 4), (4, 2, 3), (2, 3)),
    "heads together": ("abcd,cde->abe", (None, 6), "e", (5, 3, 2, 4), (2, 4, 6), (6,)),
    "a kernel a place": ("abc,bcd->abd", (3, 7), None, (5, 3, 4), (3, 4, 7), None),
    "scaled": ("abc,c->abc", (None, 4), None, (5, 3, 4), (4,), None),
}


@pytest.mark.parametrize("name", CASES)
def test_a_layer_has_other_weights_or_values_than_numpys(name):
    equation, output_shape, bias_axes, shape, of_kernel, of_bias = CASES[name]
    layer = layers.EinsumDense(equation, output_shape, "tanh", bias_axes, bias_initializer="normal")
    x = RNG.standard_normal(shape).astype(np.float32)
    inputs = hotloop.Input(shape[1:])
    outputs = layer(inputs)
    model = hotloop.Model(inputs, outputs)
    assert [w.shape for w in layer.weights] == [of_kernel, *([of_bias] if of_bias else [])]
    kernel, *bias = layer.get_weights()
    want = np.tanh(np.einsum(equation, x, kernel) + (bias[0] if bias else 0))
    np.testing.assert_allclose(model.predict(x, verbose=0), want, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(layer(x), want, rtol=1e-4, atol=1e-5)
    assert outputs.shape == (None, *want.shape[1:])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES)
def test_training_goes_as_in_keras(name, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    theirs = pytest.importorskip("keras", minversion="3.0", reason="Keras 3 is not installed")
    equation, output_shape, bias_axes, shape, of_kernel, _ = CASES[name]
    if not isinstance(output_shape, int):  # Keras infers too little for Flatten
        output_shape = np.einsum(equation, np.zeros(shape), np.zeros(of_kernel)).shape[1:]
    models = []
    for keras in (hotloop, theirs):
        made = keras.layers.EinsumDense(equation, output_shape, "tanh", bias_axes, kernel_regularizer="l2")
        model = keras.Sequential([keras.Input(shape[1:]), made, keras.layers.Flatten(), keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(0.1), "mse")
        models.append(model)
    ours, other = models
    assert [w.shape for w in ours.weights] == [tuple(w.shape) for w in other.weights]
    spread = [np.abs(np.asarray(model.get_weights()[0])).max() for model in models]
    np.testing.assert_allclose(*spread, rtol=0.5)
    ours.set_weights(other.get_weights())
    x, y = RNG.standard_normal(shape).astype(np.float32), RNG.standard_normal((5, 1)).astype(np.float32)
    for _ in range(3):
        np.testing.assert_allclose(ours.train_on_batch(x, y), other.train_on_batch(x, y), rtol=1e-4)
    for a, b in zip(ours.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


def test_initial_kernels_have_the_spread_of_their_sums():
    layer = layers.EinsumDense("abc,cde->abde", (None, 20, 30), kernel_initializer="he_normal")
    layer.build((None, 3, 50))
    assert np.std(layer.get_weights()[0]) == pytest.approx(np.sqrt(2 / 50), rel=0.05)
    config = layer.get_config()
    assert config["kernel_initializer"]["config"]["input_axes"] is None
    again = layers.EinsumDense.from_config(config)
    assert again.get_config() == config


def test_a_product_with_a_matrix_is_no_dense_node():
    """Whose bits are those of Dense."""
    x = RNG.standard_normal((8, 40)).astype(np.float32)
    dense, other = layers.Dense(30), layers.EinsumDense("ab,bc->ac", 30, bias_axes="c")
    dense.build((None, 40))
    other.build((None, 40))
    other.set_weights(dense.get_weights())
    np.testing.assert_array_equal(dense(x), other(x))


@pytest.mark.parametrize(
    ("arguments", "shape", "said"),
    [
        (("ab->ac", 3), (None, 4), "an equation like"),
        (("...ab,bc->ac", 3), (None, 4), "an equation like"),
        (("ab,bc->ac", 3), (None, 4, 5), "x of 2 axes"),
        (("ab,bc->ac", (3, 4)), (None, 4), "a size for each of 'c'"),
        (("abc,cd->abd", (5, 3)), (None, 4, 2), "size 4, that of x, for 'b'"),
        (("ab,bc->ac", (None,)), (None, 4), "a size in output_shape or in x for 'c'"),
        (("ab,bz->ac", 3), (None, 4), "a size in output_shape or in x for 'z'"),
        (("ab,ab->ab", 4), (None, 4), "no axis of the batch for 'a'"),
        (("ab,bc->ac", 3, None, "a"), (None, 4), "without the batch"),
    ],
)
def test_an_equation_that_fits_nothing_is_refused(arguments, shape, said):
    with pytest.raises(ValueError, match=rf"\[EinsumDense 'einsum_dense\w*'\] expected .*{said}"):
        layers.EinsumDense(*arguments).build(shape)
