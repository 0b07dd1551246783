"""Layers whose axes are not the last ones."""

import numpy as np
import pytest

import hotloop as keras
from hotloop import layers

X = (3 * np.random.default_rng(0).standard_normal((5, 3, 4, 6)) + 1).astype(np.float32)
Y = np.sin(np.arange(5.0))[:, None]
AXES = [1, 2, -2, -1, [1, 2], [1, 3], [3, 1], [2, 3], [1, 2, 3]]


def formula(name, x, axes, epsilon=0.1):
    centred = x - x.mean(axes, keepdims=True) if name == "LayerNormalization" else x
    if name == "UnitNormalization":
        return x / np.sqrt((x**2).sum(axes, keepdims=True))
    return centred / np.sqrt((centred**2).mean(axes, keepdims=True) + epsilon)


@pytest.mark.parametrize("axis", AXES, ids=str)
@pytest.mark.parametrize("name", ["LayerNormalization", "RMSNormalization", "UnitNormalization"])
def test_a_sample_is_normalised_over_other_axes_than_those_named(name, axis):
    axes = tuple(sorted(a % 4 for a in np.atleast_1d(axis)))
    layer = getattr(layers, name)(axis=axis, **({} if name[0] == "U" else {"epsilon": 0.1}))
    want = formula(name, X.astype(float), axes)
    np.testing.assert_allclose(layer(X), want, rtol=1e-4, atol=1e-5)
    for i, w in enumerate(layer.weights):  # one number for each element of the axes
        assert w.shape == tuple(X.shape[a] for a in axes)
        w.assign(np.cos(np.arange(w.size)).reshape(w.shape))
        over = [1] * 4
        for a in axes:
            over[a] = X.shape[a]
        want = want * w.numpy().reshape(over) if i == 0 else want + w.numpy().reshape(over)
    np.testing.assert_allclose(layer(X), want, rtol=1e-4, atol=1e-5)
    assert type(layer).from_config(layer.get_config()).get_config() == layer.get_config()


@pytest.mark.parametrize("axis", [1, 2, 3, -2])
def test_groups_are_of_another_axis_than_that_named(axis):
    layer = layers.GroupNormalization(groups=X.shape[axis] // 2 if X.shape[axis] % 2 == 0 else 3, axis=axis)
    moved = np.moveaxis(X, axis, -1)
    last = layers.GroupNormalization(groups=layer.groups)
    want = np.moveaxis(last(moved), -1, axis)
    np.testing.assert_array_equal(layer(X), want)
    assert layer.gamma.shape == (X.shape[axis],)


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.LayerNormalization(axis=1),
        lambda: layers.LayerNormalization(axis=[1, 3]),
        lambda: layers.RMSNormalization(axis=2),
        lambda: layers.UnitNormalization(axis=[1, 2]),
        lambda: layers.GroupNormalization(groups=3, axis=1),
        lambda: layers.Softmax(axis=2),
        lambda: layers.Softmax(axis=[1, 3]),
        lambda: layers.Permute((3, 1, 2)),
    ],
)
def test_gradients_through_moved_axes_are_not_slopes(make):
    keras.config.set_floatx("float64")
    try:
        keras.utils.set_random_seed(1)
        first = layers.Dense(6, activation="tanh")
        model = keras.Sequential([keras.Input(X.shape[1:]), first, make(), layers.Flatten(), layers.Dense(1)])
        loss = keras.losses.MeanSquaredError()
        model.compile(keras.optimizers.SGD(1.0), loss)
        kernel, step = first.kernel.numpy(), 1e-6

        def value(at):
            first.kernel.assign(at)
            return float(loss(Y, model.predict(X, verbose=0)))

        slope = np.empty_like(kernel)
        for place in np.ndindex(kernel.shape):
            bump = np.zeros_like(kernel)
            bump[place] = step
            slope[place] = (value(kernel + bump) - value(kernel - bump)) / (2 * step)
        first.kernel.assign(kernel)
        model.train_on_batch(X, Y)
        np.testing.assert_allclose(kernel - first.kernel.numpy(), slope, rtol=1e-6, atol=1e-8)
    finally:
        keras.config.set_floatx("float32")


@pytest.mark.parametrize("axis", [-1, 1, [1, 2]])
def test_masked_elements_take_part_in_a_softmax(axis):
    mask = np.random.default_rng(3).random((5, 3, 4, 6)) < 0.6
    mask[0] = False
    e = np.exp(X - X.max()) * mask
    total = e.sum(tuple(np.atleast_1d(axis)), keepdims=True)
    want = np.divide(e, total, out=np.zeros_like(e), where=total > 0)
    for given in (mask, mask.astype(np.float32), mask.astype(int)):
        np.testing.assert_allclose(layers.Softmax(axis)(X, mask=given), want, rtol=1e-4, atol=1e-6)
    x, m = keras.Input((3, 4, 6)), keras.Input((3, 4, 6))
    model = keras.Model([x, m], layers.Softmax(axis)(x, mask=m))
    np.testing.assert_allclose(model.predict([X, mask], verbose=0), want, rtol=1e-4, atol=1e-6)
    columns = layers.Softmax()(X, mask=np.ones((5, 1, 1, 6)))  # broadcasts
    np.testing.assert_allclose(columns, layers.Softmax()(X), rtol=1e-6)


def test_axes_are_permuted_in_another_order():
    for dims in ((3, 1, 2), (2, 1, 3), (1, 2, 3), [3, 2, 1]):
        layer = layers.Permute(dims)
        np.testing.assert_array_equal(layer(X), X.transpose(0, *dims))
        assert layer.compute_output_shape((None, 3, 4, 6)) == (None, *(X.shape[d] for d in dims))
        assert layers.Permute.from_config(layer.get_config()).dims == tuple(dims)
    for dims in ((0, 1), (1, 3), (1, 1), (2,)):
        with pytest.raises(ValueError, match=r"expected (dims to hold|every axis)"):
            layers.Permute(dims)
    with pytest.raises(ValueError, match="with 2 axes behind the batch"):
        layers.Permute((2, 1))(X)


@pytest.mark.parametrize("name", ["LayerNormalization", "RMSNormalization", "UnitNormalization", "GroupNormalization"])
def test_the_batch_is_an_axis_of_features(name):
    for axis in (0, -4, 4, [0, 1], [1, 1], [1, -3]):
        with pytest.raises(ValueError, match="other than the batch, received"):
            getattr(layers, name)(axis=axis, **({"groups": 1} if name[0] == "G" else {}))(X)


@pytest.mark.parametrize("make", [layers.LayerNormalization, lambda **k: layers.GroupNormalization(groups=2, **k)])
def test_penalties_and_constraints_of_gamma_and_beta_are_ignored(make):
    layer = make(
        gamma_regularizer="l2", beta_regularizer=keras.regularizers.L1(0.1), gamma_constraint="non_neg",
        beta_constraint=keras.constraints.MaxNorm(0.5), beta_initializer="ones",
    )  # fmt: skip
    model = keras.Sequential([keras.Input((8,)), layer, layers.Dense(1)])
    np.testing.assert_allclose(sorted(map(float, layer.losses)), [0.01 * 8, 0.1 * 8], rtol=1e-6)
    model.compile(keras.optimizers.SGD(3.0), "mse")
    x = np.random.default_rng(1).standard_normal((40, 8))
    model.fit(x, 9 * x[:, :1], verbose=0)
    assert layer.gamma.numpy().min() >= 0
    assert np.linalg.norm(layer.beta.numpy()) <= 0.5 + 1e-6
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert again.beta_constraint.get_config() == layer.beta_constraint.get_config()


def test_penalties_and_constraints_of_slopes_are_ignored():
    layer = layers.PReLU("ones", "l1", "non_neg")  # Keras's order of arguments
    model = keras.Sequential([keras.Input((8,)), layer, layers.Dense(1)])
    np.testing.assert_allclose(float(layer.losses[0]), 0.08, rtol=1e-6)
    model.compile(keras.optimizers.SGD(3.0), "mse")
    x = np.random.default_rng(1).standard_normal((40, 8))
    model.fit(x, 9 * x[:, :1], verbose=0)
    assert layer.alpha.numpy().min() >= 0
    assert layers.PReLU.from_config(layer.get_config()).get_config() == layer.get_config()
