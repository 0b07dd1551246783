"""What code written for Keras does without thinking about it."""

from __future__ import annotations

import numpy as np
import pytest

import hotloop as keras
from hotloop import layers, ops

RNG = np.random.default_rng(4)
X = RNG.standard_normal((12, 3)).astype(np.float32) * 3


def through(function, x=X):
    inputs = keras.Input(x.shape[1:])
    return keras.Model(inputs, layers.Lambda(function)(inputs)).predict(x, verbose=0)


@pytest.mark.parametrize("of", [lambda x: x, lambda x: x * 1.5], ids=["an input", "a value"])
def test_a_cast_to_whole_numbers_drops_the_rest(of):
    np.testing.assert_array_equal(through(lambda x: ops.cast(of(x), "int32")), np.trunc(of(X)))
    np.testing.assert_array_equal(through(lambda x: ops.cast(of(x), "bool"), np.sign(np.trunc(X))), np.trunc(X) != 0)
    np.testing.assert_allclose(through(lambda x: ops.cast(of(x), "float32")), of(X), rtol=1e-6)


def test_a_batch_is_never_transposed_in_silence():
    with pytest.raises(ValueError, match="received None, which reverses them all"):
        through(ops.transpose)
    np.testing.assert_array_equal(ops.transpose(X), X.T)


def test_concatenate_joins_the_first_axis_unless_told():
    np.testing.assert_array_equal(ops.concatenate([X, X]), np.concatenate([X, X]))
    np.testing.assert_array_equal(through(lambda x: ops.concatenate([x, x], axis=-1)), np.concatenate([X, X], -1))
    with pytest.raises(ValueError, match="axis"):
        through(lambda x: ops.concatenate([x, x]))


def test_one_number_is_a_shape_and_a_flip_needs_no_axis():
    np.testing.assert_array_equal(ops.reshape(X, -1), X.ravel())
    np.testing.assert_array_equal(ops.flip(X), np.flip(X))
    with pytest.raises(ValueError, match="3 elements"):
        through(lambda x: ops.reshape(x, -1))


def test_a_shape_with_a_hole_is_refused_outside_of_a_call():
    with pytest.raises(ValueError, match="every axis known"):
        keras.random.normal((None, 3))


def test_what_is_registered_needs_no_custom_objects(tmp_path):
    @keras.saving.register_keras_serializable("mine")
    class Doubled(layers.Layer):
        def call(self, x):
            return 2 * x

    @keras.utils.register_keras_serializable()
    def small(w):
        return 0.01 * ops.sum(ops.square(w))

    try:
        model = keras.Sequential([keras.Input((3,)), Doubled(), layers.Dense(2, kernel_regularizer=small)])
        model.save(tmp_path / "m.safetensors")
        again = keras.models.load_model(tmp_path / "m.safetensors")
        np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))
        assert keras.saving.get_custom_objects()["mine>Doubled"] is Doubled
    finally:
        keras.saving.get_custom_objects().clear()
    with pytest.raises(ValueError, match="Doubled"):
        keras.models.load_model(tmp_path / "m.safetensors")


class Sampling(layers.Layer):
    """As autoencoders with a distribution inside have it."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(1337)

    def call(self, x):
        first = keras.random.normal(ops.shape(x), seed=self.seed_generator)
        second = keras.random.normal(ops.shape(x), seed=self.seed_generator)
        return ops.concatenate([x + first, x + second], axis=-1)


def test_a_seed_generator_gives_other_numbers_at_every_use():
    model = keras.Sequential([keras.Input((3,)), Sampling()])
    noise = np.asarray(model(X)) - np.concatenate([X, X], -1)
    assert np.abs(noise[:, :3] - noise[:, 3:]).min() > 1e-6
    assert np.abs(noise).max() < 6
    assert np.abs(np.asarray(model(X)) - np.concatenate([X, X], -1) - noise).max() > 1e-3
    twice = [keras.random.SeedGenerator(3) for _ in range(2)]
    a, b = (keras.random.uniform((5,), seed=g) for g in twice)
    np.testing.assert_array_equal(a, b)
    assert (a != keras.random.uniform((5,), seed=twice[0])).any()


def test_initializers_have_their_small_names():
    assert keras.initializers.he_normal is keras.initializers.HeNormal
    layers.Dense(2, kernel_initializer=keras.initializers.glorot_uniform(seed=1))


@pytest.mark.parametrize("name", ["RandomSaturation", "RandomHue"])
def test_the_interval_that_keras_writes_for_a_number_is_read(name):
    layer = getattr(layers, name)
    assert layer([-0.4, 0.4]).factor == layer(0.4).factor
