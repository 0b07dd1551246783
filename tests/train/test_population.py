"""Statistics of BatchNormalization over a whole training set."""

import numpy as np
import pytest

import hotloop as keras
from hotloop import layers

RNG = np.random.default_rng(0)
X = (3 * RNG.standard_normal((1000, 5)) + [1, 2, 3, 40, 0]).astype(np.float32)
Y = np.sin(X.sum(1, keepdims=True))


def trained(*inner, x=X):
    model = keras.Sequential([keras.Input(x.shape[1:]), *inner, layers.Flatten(), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(x, Y, batch_size=64, verbose=0)
    return model


def deep():
    keras.utils.set_random_seed(3)
    return trained(
        layers.BatchNormalization(), layers.Dense(7), layers.BatchNormalization(center=False), layers.Dropout(0.5),
        layers.Activation("tanh"), layers.Dense(4, use_bias=False), layers.BatchNormalization(scale=False, epsilon=0.1),
    )  # fmt: skip


def by_hand(model, x):
    """The same in float64, layer by layer; what each BatchNormalization should hold."""
    found = []
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            mean, var = x.mean(0), x.var(0)
            found.append((mean, var))
            x = (x - mean) / np.sqrt(var + layer.epsilon)
            x = x if layer.gamma is None else x * layer.gamma.numpy()
            x = x if layer.beta is None else x + layer.beta.numpy()
        elif isinstance(layer, layers.Dense):
            x = x @ layer.kernel.numpy().astype(float) + (0 if layer.bias is None else layer.bias.numpy())
        elif isinstance(layer, layers.Activation):
            x = np.tanh(x)
    return found


def norms(model):
    return [layer for layer in model._all_layers() if isinstance(layer, layers.BatchNormalization)]


@pytest.mark.parametrize("batch_size", [None, 1, 100, 5000])
def test_statistics_are_not_those_of_the_whole_set(batch_size):
    model = deep()
    others = [w.copy() for layer in model.layers if not isinstance(layer, layers.BatchNormalization)
              for w in layer.get_weights()]  # fmt: skip
    model.recompute_batch_norm_statistics(X, batch_size)
    for layer, (mean, var) in zip(norms(model), by_hand(model, X.astype(float)), strict=True):
        np.testing.assert_allclose(layer.moving_mean.numpy(), mean, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(layer.moving_variance.numpy(), var, rtol=1e-4)
    after = [w for layer in model.layers if not isinstance(layer, layers.BatchNormalization)
             for w in layer.get_weights()]  # fmt: skip
    assert all(np.array_equal(a, b) for a, b in zip(others, after, strict=True))


def test_bits_depend_on_the_batches_or_the_threads():
    want = None
    for batch_size, threads in ((None, 1), (1, 2), (300, 3), (257, 1)):
        keras.config.set_num_threads(threads)
        try:
            model = deep()
            model.recompute_batch_norm_statistics(X, batch_size)
        finally:
            keras.config.set_num_threads(None)
        got = [w.tobytes() for layer in norms(model) for w in layer.get_weights()]
        want = got if want is None else want
        assert got == want
    again = list(got)
    model.recompute_batch_norm_statistics(X)  # nothing is left to change
    assert [w.tobytes() for layer in norms(model) for w in layer.get_weights()] == again


@pytest.mark.parametrize("axis", [1, 2, -1, [1, 2], [2, 3], [1, 2, 3]])
def test_axes_of_images_are_mixed_up(axis):
    x = (X[:, :1, None, None] + RNG.standard_normal((1000, 2, 3, 4))).astype(np.float32)
    model = trained(layers.BatchNormalization(axis=axis), x=x)
    model.recompute_batch_norm_statistics(x, 300)
    kept = [a % 4 for a in np.atleast_1d(axis)]
    over = tuple(a for a in range(4) if a not in kept)
    [layer] = norms(model)
    np.testing.assert_allclose(
        layer.moving_mean.numpy().ravel(), x.mean(over, dtype=float).ravel(), rtol=1e-5, atol=1e-5
    )
    np.testing.assert_allclose(layer.moving_variance.numpy().ravel(), x.astype(float).var(over).ravel(), rtol=1e-5)


def test_branches_inner_models_and_shared_layers_are_forgotten():
    x, z = keras.Input((5,), name="x"), keras.Input((2,), name="z")
    inner = keras.Sequential([keras.Input((5,)), layers.Dense(3), layers.BatchNormalization(name="inside")])
    shared = layers.BatchNormalization(name="shared")
    both = layers.Concatenate()(
        [shared(inner(x)), shared(layers.Dense(3)(z)), layers.BatchNormalization(name="raw")(z)]
    )
    model = keras.Model([x, z], layers.Dense(1)(both))
    data = {"x": X, "z": X[:, 1:3] ** 2}
    model.recompute_batch_norm_statistics(data, 256)
    h = X.astype(float) @ inner.layers[0].kernel.numpy()
    inside, other = inner.layers[1], next(layer for layer in model.layers if layer.name == "raw")
    np.testing.assert_allclose(inside.moving_mean.numpy(), h.mean(0), rtol=1e-4)
    np.testing.assert_allclose(inside.moving_variance.numpy(), h.var(0), rtol=1e-4)
    np.testing.assert_allclose(other.moving_variance.numpy(), (X[:, 1:3].astype(float) ** 2).var(0), rtol=1e-4)
    second = next(layer for layer in model.layers if isinstance(layer, layers.Dense) and layer is not model.layers[-1])
    reads = np.concatenate([
        (h - h.mean(0)) / np.sqrt(h.var(0) + 1e-3), X[:, 1:3].astype(float) ** 2 @ second.kernel.numpy()
    ])  # fmt: skip
    np.testing.assert_allclose(shared.moving_mean.numpy(), reads.mean(0), rtol=1e-4)
    np.testing.assert_allclose(shared.moving_variance.numpy(), reads.var(0), rtol=1e-4)


def test_a_frozen_layer_loses_its_statistics():
    model = deep()
    first, *_, last = norms(model)
    first.trainable = False
    before, unfrozen = first.get_weights(), last.get_weights()
    model.recompute_batch_norm_statistics(X)
    assert all(np.array_equal(a, b) for a, b in zip(before, first.get_weights(), strict=True))
    assert not np.array_equal(unfrozen[-1], last.get_weights()[-1])


class Batches(keras.utils.PyDataset):
    """The rows in parts of 300."""

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return X[300 * index : 300 * index + 300], Y[300 * index : 300 * index + 300]


def test_batches_that_are_made_one_by_one_give_other_statistics():
    model, streamed = deep(), deep()
    model.recompute_batch_norm_statistics(X)
    streamed.recompute_batch_norm_statistics(Batches())
    for a, b in zip(model.get_weights(), streamed.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="read 3 times, received a generator"):
        streamed.recompute_batch_norm_statistics(part for part in [X])
    single = trained(layers.BatchNormalization())
    single.recompute_batch_norm_statistics(part for part in (X[:500], X[500:]))
    np.testing.assert_allclose(norms(single)[0].moving_mean.numpy(), X.mean(0, dtype=float), rtol=1e-5, atol=1e-5)


def test_a_model_that_nobody_has_built_or_compiled_is_refused():
    model = keras.Sequential([layers.Dense(3), layers.BatchNormalization()])
    model.recompute_batch_norm_statistics(X)
    h = X.astype(float) @ model.layers[0].kernel.numpy()
    np.testing.assert_allclose(model.layers[1].moving_variance.numpy(), h.var(0), rtol=1e-4)
    np.testing.assert_allclose(model.predict(X, verbose=0).mean(0), 0, atol=1e-4)


def test_data_without_statistics_changes_a_model():
    model = deep()
    before = [w.tobytes() for w in model.get_weights()]
    with pytest.raises(ValueError, match="expected finite"):
        model.recompute_batch_norm_statistics(np.full((3, 5), np.nan))
    with pytest.raises(ValueError, match="at least one sample"):
        model.recompute_batch_norm_statistics(X[:0])
    with pytest.raises(ValueError, match="batch_size"):
        model.recompute_batch_norm_statistics(X, 0)
    assert [w.tobytes() for w in model.get_weights()] == before
    with pytest.raises(ValueError, match="BatchNormalization that is not frozen"):
        keras.Sequential([keras.Input((5,)), layers.Dense(2)]).recompute_batch_norm_statistics(X)
    model.layers[1].kernel.assign(np.full((5, 7), np.inf))
    with pytest.raises(ValueError, match="finite inputs of layer 'batch_norm"):
        model.recompute_batch_norm_statistics(X)


def test_a_model_of_double_precision_keeps_single_precision_statistics():
    keras.config.set_floatx("float64")
    try:
        model = deep()
        x = X.astype(np.float64) + 1e-3 * RNG.standard_normal(X.shape)
        model.recompute_batch_norm_statistics(x)
        for layer, (mean, var) in zip(norms(model), by_hand(model, x), strict=True):
            np.testing.assert_allclose(layer.moving_mean.numpy(), mean, rtol=1e-10, atol=1e-12)
            np.testing.assert_allclose(layer.moving_variance.numpy(), var, rtol=1e-10)
    finally:
        keras.config.set_floatx("float32")
