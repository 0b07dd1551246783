"""Functions of `hotloop.ops` mean what Keras's do, or say that they cannot."""

from __future__ import annotations

import numpy as np
import pytest

import hotloop as keras
from hotloop import ops

A = np.arange(24, dtype=np.float32).reshape(2, 3, 4) - 7
KINDS = ["sum", "mean", "max", "min"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("axis", [None, 0, -1, 1, (0, 2), [1]])
@pytest.mark.parametrize("keepdims", [False, True])
def test_a_reduction_of_an_array_takes_other_axes_than_in_keras(kind, axis, keepdims):
    want = getattr(np, kind)(A, axis=tuple(axis) if isinstance(axis, list) else axis, keepdims=keepdims)
    got = getattr(ops, kind)(A, axis=axis, keepdims=keepdims)
    np.testing.assert_allclose(got, want, rtol=1e-6)
    assert got.shape == np.shape(want)


def test_the_sum_of_whole_numbers_is_rounded():
    assert ops.sum([2**24, 1]) == 2**24 + 1
    assert ops.mean([1, 2]) == 1.5


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("axis", [(1, 2), (-1, -2), (1,), 2])
def test_a_reduction_inside_a_model_takes_other_axes_than_outside(kind, axis):
    x = keras.Input((3, 4))
    out = getattr(ops, kind)(keras.layers.Reshape((3, 4))(x), axis=axis, keepdims=True)
    model = keras.Model(x, keras.layers.Flatten()(out))
    want = getattr(np, kind)(A, axis=axis, keepdims=True).reshape(2, -1)
    np.testing.assert_allclose(model.predict(A, verbose=0), want, rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("axis", [None, 0, -3, (0, 1), (), 3, 1.5])
def test_a_reduction_over_the_batch_of_a_model_is_silently_another_one(kind, axis):
    with pytest.raises(ValueError, match=rf"\[{kind}\] expected axis .*other than the batch"):
        getattr(ops, kind)(keras.Input((3, 4)), axis=axis)


@pytest.mark.parametrize("function", [np.tanh, np.exp, np.sign])
def test_a_numpy_function_on_a_tensor_does_not_say_what_to_use(function):
    with pytest.raises(keras.TraceError, match=rf"received numpy\.{function.__name__} in .*test_ops\.py.*hotloop\.ops"):
        function(keras.Input((3,)))


def test_an_array_to_the_left_of_a_tensor_is_not_understood():
    x = keras.Input((3,))
    model = keras.Model(x, keras.layers.Flatten()(np.float32(2) * x + np.float64(1) - np.array(3.0)))
    np.testing.assert_allclose(model.predict(np.ones((1, 3)), verbose=0), [[0, 0, 0]])
    left = keras.Model(x, keras.layers.Flatten()(np.float32(2) - np.array(3.0) * x))
    np.testing.assert_allclose(left.predict(np.ones((1, 3)), verbose=0), [[-1, -1, -1]])


@pytest.mark.parametrize(
    "scalar",
    [ops.mean, ops.sum, ops.relu, lambda w: ops.multiply(w, w), lambda w: ops.matmul(w, w), lambda w: ops.divide(w, w)],
)
def test_a_number_made_from_a_weight_is_never_trained(scalar):
    class Scaled(keras.layers.Layer):
        def build(self, input_shape):
            self.w = self.add_weight((2, 2), name="w")

        def call(self, inputs):
            return inputs * float(np.sum(scalar(self.w)))

    with pytest.raises(keras.TraceError, match=r"received the weight 'scaled.*/w'"):
        Scaled()(np.ones((1, 2)))
    assert np.isfinite(scalar(keras.Variable(np.eye(2) + 1))).all()
