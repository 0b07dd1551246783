"""Layers that are random in training, and predictions that sample them."""

from __future__ import annotations

import json

import numpy as np
import pytest

import hotloop as keras

L = keras.layers
X = np.random.default_rng(5).standard_normal((40, 6)).astype(np.float32)
LAYERS = {
    "Dropout": lambda: L.Dropout(0.4),
    "DropoutShared": lambda: L.Dropout(0.4, noise_shape=(1, None)),
    "AlphaDropout": lambda: L.AlphaDropout(0.4),
    "GaussianNoise": lambda: L.GaussianNoise(0.4),
    "GaussianDropout": lambda: L.GaussianDropout(0.4),
    "DropConnectDense": lambda: L.DropConnectDense(6, 0.4),
}


def net(*layers, units=1):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((6,)), *layers, L.Dense(units)])
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize("name", LAYERS)
def test_noise_is_there_in_training_and_in_nothing_else(name):
    model = net(LAYERS[name]())
    plain = model(X)
    np.testing.assert_array_equal(model.predict(X, verbose=0), plain)
    np.testing.assert_array_equal(model(X), plain)
    first, second = model(X, training=True), model(X, training=True)
    assert not np.array_equal(first, plain)
    assert not np.array_equal(first, second)
    loss = model.evaluate(X, plain, verbose=0)
    assert loss == 0
    assert model.fit(X, plain, verbose=0).history["loss"][0] > 1e-4


@pytest.mark.parametrize("name", LAYERS)
def test_a_seeded_program_repeats(name):
    runs = []
    for _ in range(2):
        keras.utils.set_random_seed(1)
        model = net(LAYERS[name]())
        model.fit(X, X[:, :1], batch_size=8, epochs=3, verbose=0)
        runs.append(model.get_weights())
    assert all(np.array_equal(a, b) for a, b in zip(*runs, strict=True))


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_made_from_its_configuration_is_the_same(name):
    layer = LAYERS[name]()
    config = json.loads(json.dumps(layer.get_config()))
    assert type(layer).from_config(config).get_config() == layer.get_config()


@pytest.mark.parametrize(
    ("layer", "shape", "shared"),
    [
        (L.SpatialDropout1D(0.5), (3, 5, 4), (1,)),
        (L.SpatialDropout2D(0.5), (3, 5, 4, 6), (1, 2)),
        (L.SpatialDropout2D(0.5, data_format="channels_first"), (3, 6, 4, 5), (2, 3)),
        (L.SpatialDropout3D(0.5), (3, 2, 5, 4, 6), (1, 2, 3)),
    ],
)
def test_spatial_dropout_drops_whole_channels(layer, shape, shared):
    y = layer(np.ones(shape), training=True)
    assert set(np.unique(y)) == {0.0, 2.0}
    np.testing.assert_array_equal(y.min(shared), y.max(shared))
    np.testing.assert_array_equal(layer(np.ones(shape)), np.ones(shape))
    with pytest.raises(ValueError, match="expected an input of rank"):
        layer(np.ones((3, 2)), training=True)
    config = layer.get_config()
    assert type(layer).from_config(config).get_config() == config


def test_rates_at_the_ends():
    x = np.ones((4, 5))
    np.testing.assert_array_equal(L.Dropout(1)(x, training=True), np.zeros((4, 5)))
    np.testing.assert_array_equal(L.AlphaDropout(1.0)(x, training=True), np.zeros((4, 5)))
    for layer in (L.Dropout(0), L.AlphaDropout(0), L.GaussianDropout(0), L.GaussianNoise(0), L.DropConnectDense(2, 0)):
        np.testing.assert_array_equal(layer(x, training=True), layer(x))
    layer = L.DropConnectDense(2, 1.0, bias_initializer="ones")
    np.testing.assert_array_equal(layer(x, training=True), np.ones((4, 2)))


@pytest.mark.parametrize("cls", [L.Dropout, L.AlphaDropout, L.GaussianDropout, lambda r: L.DropConnectDense(2, r)])
@pytest.mark.parametrize("rate", [-0.1, 1.1, "a", None, float("nan")])
def test_a_rate_that_is_no_probability_is_refused(cls, rate):
    with pytest.raises(ValueError, match=r"expected rate from 0 to 1, received"):
        cls(rate)


def test_other_arguments_that_make_no_noise_are_refused():
    with pytest.raises(ValueError, match="expected rate below 1"):
        L.GaussianDropout(1)
    with pytest.raises(ValueError, match=r"expected stddev from 0 to 1, received 1\.5"):
        L.GaussianNoise(1.5)
    for shape in ("12", 3, (0, 1), (1.5,)):
        with pytest.raises(ValueError, match="expected noise_shape as a sequence"):
            L.Dropout(0.5, noise_shape=shape)
    with pytest.raises(ValueError, match="expected a noise_shape that fits"):
        L.Dropout(0.5, noise_shape=(None, 3))(np.ones((4, 5)))


def test_drop_connect_trains_and_is_saved(tmp_path):
    model = net(L.DropConnectDense(32, 0.3, activation="relu", seed=3))
    y = X[:, :1] - X[:, 1:2]
    history = model.fit(X, y, epochs=60, batch_size=8, verbose=0).history["loss"]
    assert history[-1] < 0.6 * history[0]
    model.save(tmp_path / "m.safetensors")
    again = keras.models.load_model(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(again(X), model(X))
    assert again.layers[0].rate == 0.3


# --- Monte Carlo ----------------------------------------------------------------------------------------------------
class MCDropout(L.Dropout):
    def call(self, inputs):
        return super().call(inputs, training=True)


class MCAlphaDropout(L.AlphaDropout):
    def call(self, inputs):
        return super().call(inputs, training=True)


@pytest.mark.parametrize("cls", [MCDropout, MCAlphaDropout])
def test_the_chapter_s_subclass_drops_in_predictions_too(cls):
    model = net(cls(0.5))
    first, second = model.predict(X, verbose=0), model.predict(X, verbose=0)
    assert not np.array_equal(first, second)
    assert not np.array_equal(model(X), model(X))
    assert model.evaluate(X, first, verbose=0) > 1e-4


def test_three_ways_of_monte_carlo_dropout_agree():
    model = net(L.Dense(64, "relu"), L.Dropout(0.5), units=2)
    by_call = np.stack([model(X, training=True) for _ in range(600)])
    subclassed = keras.Sequential([keras.Input((6,)), model.layers[0], MCDropout(0.5), model.layers[2]])
    by_class = np.stack([subclassed.predict(X, verbose=0) for _ in range(600)])
    means, deviations = model.predict_mc(X, samples=600)
    error = 6 * deviations / np.sqrt(600) + 1e-6
    for each in (by_call, by_class):
        assert (abs(each.mean(0) - means) < error * np.sqrt(2)).all()
        np.testing.assert_allclose(each.std(0), deviations, rtol=0.25)
        np.testing.assert_allclose(each.std(0).mean(), deviations.mean(), rtol=0.02)


def wide(*noise):
    """Enough rows and units that a plan's buffers share memory."""
    x = np.random.default_rng(0).standard_normal((700, 6)).astype(np.float32)
    return net(L.Dense(900, "tanh"), L.Dense(500, "tanh"), *noise, L.Dense(400, "tanh"), L.Dense(300), units=2), x


@pytest.mark.parametrize("build", ["plain", "wide"])
def test_what_is_computed_once_for_all_samples_is_the_same_as_computed_every_time(build):
    model, x = wide(L.Dropout(0.5), L.BatchNormalization(), L.GaussianNoise(0.1)) if build == "wide" else (None, X)
    model = model or net(L.Dropout(0.3), L.Dense(5, "tanh"), L.Dropout(0.5))
    engine, program = model._get_engine(), model._program("sample")
    columns = model._columns(x, where="test")
    every = np.stack([engine.forward(program, columns, len(x), "test", step, 7)[0] for step in range(5)])
    for rows in (256, 64, 1):
        means, deviations = engine.sample(program, columns, len(x), "test", 5, 0, 7, rows)
        mean, squares = np.zeros_like(every[0]), np.zeros_like(every[0])
        for i, outputs in enumerate(every, 1):
            delta = outputs - mean
            mean += delta / np.float32(i)
            squares += delta * (outputs - mean)
        np.testing.assert_array_equal(means[0], mean)
        np.testing.assert_array_equal(deviations[0], np.sqrt(squares / 5))


def test_results_do_not_depend_on_the_batch_size_and_repeat_from_a_seed():
    results = []
    for batch_size in (None, 300, 700):
        keras.utils.set_random_seed(1)
        model, x = wide(L.AlphaDropout(0.2))
        results.append(model.predict_mc(x, samples=4, batch_size=batch_size))
    for mean, std in results[1:]:
        np.testing.assert_array_equal(mean, results[0][0])
        np.testing.assert_array_equal(std, results[0][1])


def test_sampling_leaves_batch_statistics_alone_and_uses_the_moving_ones():
    model = net(L.BatchNormalization(), L.Dropout(0.5))
    before = model.get_weights()
    model.predict_mc(X, samples=3)
    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_model_without_noise_has_no_deviation():
    model = net(L.Dense(4))
    mean, std = model.predict_mc(X, samples=5)
    np.testing.assert_array_equal(mean, model(X))
    np.testing.assert_array_equal(std, np.zeros_like(mean))


def test_every_output_is_sampled():
    x = keras.Input((6,))
    hidden = L.Dropout(0.5)(x)
    model = keras.Model(x, [L.Dense(2)(hidden), L.Dense(3)(x)])
    mean, std = model.predict_mc(X, samples=8)
    assert [m.shape for m in mean] == [(40, 2), (40, 3)]
    assert std[0].min() > 0
    np.testing.assert_allclose(std[1], 0, atol=1e-6)
    np.testing.assert_allclose(mean[1], model(X)[1], atol=1e-6)


@pytest.mark.parametrize("samples", [0, -1, 2.5, "many"])
def test_a_number_of_samples_that_is_none_is_refused(samples):
    with pytest.raises((ValueError, TypeError), match="samples"):
        net(L.Dropout(0.5)).predict_mc(X, samples=samples)


def test_random_slopes_are_sampled_too():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(5), keras.layers.RReLU(), keras.layers.Dense(2)])
    _, deviations = model.predict_mc(np.random.default_rng(0).standard_normal((8, 4)), samples=20)
    assert (deviations > 0).all()


@pytest.mark.parametrize("inside", [False, True])
def test_a_layer_that_was_told_training_false_is_sampled(inside):
    dropout = L.Dropout(0.5)
    layer = keras.Sequential([keras.Input((6,)), dropout]) if inside else dropout
    x = keras.Input((6,))
    _, std = keras.Model(x, layer(x, training=False)).predict_mc(X, samples=5)
    np.testing.assert_array_equal(std, np.zeros_like(std))
    _, std = keras.Model(x, L.Add()([layer(x, training=False), L.Dropout(0.5)(x)])).predict_mc(X, samples=20)
    assert (std > 0).mean() > 0.9
    _, std = keras.Model(x, layer(x)).predict_mc(X, samples=20)
    assert (std > 0).mean() > 0.9


def test_a_lambda_that_takes_training_is_not_sampled():
    noisy = L.Lambda(lambda x, training: keras.ops.dropout(x, 0.5) if training else x)
    plain = L.Lambda(lambda x: 2 * x)
    assert noisy.stochastic
    assert not plain.stochastic
    _, std = net(noisy).predict_mc(X, samples=20)
    assert std.min() > 0
    _, std = net(plain).predict_mc(X, samples=3)
    np.testing.assert_array_equal(std, np.zeros_like(std))
