"""What a function of `hotloop.ops` computes in a model, and its gradient against its slope."""

from __future__ import annotations

import numpy as np

import hotloop as keras
from hotloop import ops


def in_model(function, *arrays):
    inputs = [keras.Input(a.shape[1:], dtype="int32" if a.dtype.kind == "i" else "float32") for a in arrays]
    outputs = function(*inputs)
    result = keras.Model(inputs, outputs).predict(list(arrays), verbose=0)
    assert outputs.shape == (None, *result.shape[1:])
    return result


def check_gradient(function, x):
    """Of the sum of the outputs times fixed numbers, against central differences in float64."""
    keras.config.set_floatx("float64")
    try:
        x = x.astype(np.float64)
        inputs = keras.Input(x.shape[1:])
        model = keras.Model(inputs, ops.flatten(function(inputs)))
        y, backward = model.vjp(x, wrt="inputs")
        upstream = np.random.default_rng(2).standard_normal(y.shape)
        got = np.asarray(backward(upstream)).reshape(x.shape)
        want = np.zeros_like(x)
        for i in np.ndindex(*x.shape):
            up, down = x.copy(), x.copy()
            up[i] += 1e-6
            down[i] -= 1e-6
            want[i] = np.sum(upstream * (model.predict(up, verbose=0) - model.predict(down, verbose=0))) / 2e-6
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-7)
    finally:
        keras.config.set_floatx("float32")


class DenseTranspose(keras.layers.Layer):
    """The decoder's half of a tied autoencoder: another layer's kernel, transposed."""

    def __init__(self, dense, activation=None, **kwargs):
        super().__init__(**kwargs)
        self.dense, self.activation = dense, keras.activations.get(activation)

    def build(self, input_shape):
        self.biases = self.add_weight(shape=(self.dense.kernel.shape[0],), initializer="zeros", name="bias")

    def call(self, inputs):
        return self.activation(ops.matmul(inputs, ops.transpose(self.dense.kernel)) + self.biases)
