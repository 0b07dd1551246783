"""SpectralNormalization: in training a kernel's largest singular value stays at 1."""

import copy
import pickle

import numpy as np
import pytest

import hotloop as keras
import reference
from hotloop import layers
from saving_cases import through_file

RNG = np.random.default_rng(0)
X = RNG.standard_normal((32, 6)).astype(np.float32)
Y = np.sin(X.sum(1, keepdims=True))


def wrapped(units=5, power_iterations=1, **kwargs):
    return layers.SpectralNormalization(layers.Dense(units, **kwargs), power_iterations)


def model_of(*inner, rate=0.1, seed=3):
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input((6,)), *inner, layers.Dense(1)])
    model.compile(keras.optimizers.SGD(rate), "mse")
    return model


@pytest.mark.parametrize("iterations", [1, 3])
def test_a_call_in_training_divides_the_kernel_otherwise_than_by_the_formula(iterations):
    layer = wrapped(power_iterations=iterations)
    plain = layer(X)
    kernel, u, _ = layer.get_weights()
    np.testing.assert_allclose(plain, X @ kernel, rtol=1e-5, atol=1e-5)
    assert [w.path.split("/")[-1] for w in layer.weights] == ["kernel", "vector_u", "bias"]
    assert u.shape == (1, 5)
    assert np.abs(u).max() <= 0.05
    want, vector = reference.spectral_norm(kernel.astype(float), u.astype(float), iterations)
    np.testing.assert_allclose(layer(X, training=True), X @ want, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(layer.kernel.numpy(), want, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(layer.vector_u.numpy(), vector, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(layer(X), layer.layer(X))  # inference changes nothing
    np.testing.assert_allclose(layer.kernel.numpy(), want, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("batch_size", [2, 8, 32])
def test_batches_train_otherwise_than_division_then_descent(batch_size):
    keras.config.set_floatx("float64")
    try:
        model = model_of(wrapped())
        kernel, u, bias, last, offset = model.get_weights()
        model.fit(X, Y, batch_size=batch_size, epochs=2, shuffle=False, verbose=0)
        for start in [*range(0, 32, batch_size)] * 2:
            x, y = X[start : start + batch_size].astype(float), Y[start : start + batch_size]
            kernel, u = reference.spectral_norm(kernel, u)
            h = x @ kernel + bias
            dy = 2 * (h @ last + offset - y) / len(x)
            dh = dy @ last.T
            last, offset = last - 0.1 * h.T @ dy, offset - 0.1 * dy.sum(0)
            kernel, bias = kernel - 0.1 * x.T @ dh, bias - 0.1 * dh.sum(0)
        for got, want in zip(model.get_weights(), [kernel, u, bias, last, offset], strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)
    finally:
        keras.config.set_floatx("float32")


def test_training_lets_the_singular_value_run_away():
    model = model_of(wrapped(16), rate=0.02)
    model.layers[0].kernel.assign(5 * model.layers[0].kernel.numpy())
    model.fit(X, Y, epochs=20, verbose=0)
    assert abs(np.linalg.norm(model.layers[0].kernel.numpy(), 2) - 1) < 0.1


def test_evaluation_prediction_and_gradients_change_a_kernel():
    model = model_of(wrapped())
    before = [w.tobytes() for w in model.get_weights()]
    model.predict(X, verbose=0)
    model.evaluate(X, Y, verbose=0)
    model.gradients(X, Y)
    assert [w.tobytes() for w in model.get_weights()] == before


def test_a_frozen_kernel_is_divided():
    for freeze in ("wrapper", "layer"):
        model = model_of(wrapped())
        layer = model.layers[0] if freeze == "wrapper" else model.layers[0].layer
        layer.trainable = False
        before = model.layers[0].get_weights()
        model.fit(X, Y, epochs=2, verbose=0)
        for a, b in zip(before, model.layers[0].get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
        layer.trainable = True
        model.fit(X, Y, verbose=0)
        assert not np.array_equal(before[0], model.layers[0].kernel.numpy())
        assert not model.layers[0].vector_u.trainable


def test_a_table_of_vectors_is_left_alone():
    layer = layers.SpectralNormalization(layers.Embedding(9, 4, "normal"), power_iterations=50)
    codes = np.array([[1, 8], [0, 1]])
    assert layer(codes, training=True).shape == (2, 2, 4)
    np.testing.assert_allclose(np.linalg.norm(layer.layer.embeddings.numpy(), 2), 1, rtol=1e-3)


def test_a_shared_layer_in_a_graph_is_not_divided_before_each_use():
    x = keras.Input((6,))
    shared = wrapped(6)
    model = keras.Model(x, layers.Dense(1)(shared(shared(x))))
    model.compile("sgd", "mse")
    kernel, u = (w.astype(float) for w in shared.get_weights()[:2])
    model.optimizer.learning_rate = 1e-12
    model.fit(X, Y, batch_size=32, verbose=0)
    once = reference.spectral_norm(kernel, u)
    twice = reference.spectral_norm(*once)
    np.testing.assert_allclose(shared.kernel.numpy(), twice[0], rtol=1e-4, atol=1e-6)


def test_normalised_layers_do_not_survive_files_copies_and_pickles(tmp_path):
    model = model_of(wrapped(activation="relu", kernel_regularizer="l2"), wrapped(4, 2))
    model.fit(X, Y, verbose=0)
    others = [through_file(model, tmp_path), copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
    for again in others:
        np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))
        assert again.layers[0].get_config() == model.layers[0].get_config()
        assert again.layers[1].power_iterations == 2
    losses = [again.fit(X, Y, verbose=0).history["loss"] for again in [model, *others]]
    assert losses.count(losses[0]) == len(losses)
    clone = keras.models.clone_model(model)
    assert clone.layers[0].layer is not model.layers[0].layer
    assert clone.count_params() == model.count_params()


def test_what_cannot_be_normalised_is_taken():
    with pytest.raises(ValueError, match="kernel or embeddings of two axes, received Flatten"):
        layers.SpectralNormalization(layers.Flatten())(X)
    with pytest.raises(TypeError, match="expected a layer"):
        layers.SpectralNormalization("dense")
    with pytest.raises(ValueError, match="power_iterations"):
        layers.SpectralNormalization(layers.Dense(2), power_iterations=0)


def test_a_class_of_ones_own_inside_comes_back_when_it_is_given(tmp_path):
    class Mine(layers.Dense):
        pass

    model = model_of(layers.SpectralNormalization(Mine(3)))
    model.save(tmp_path / "m.safetensors")
    again = keras.models.load_model(tmp_path / "m.safetensors", custom_objects={"Mine": Mine})
    assert type(again.layers[0].layer) is Mine
    np.testing.assert_array_equal(again(X), model(X))
    with pytest.raises(ValueError, match=r"Mine.*custom_objects"):
        keras.models.load_model(tmp_path / "m.safetensors")
