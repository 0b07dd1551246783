"""Gradients in the user's hands: of the compiled loss, of anything made from outputs, and Jacobians."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import hotloop as keras
from hotloop import layers

RNG = np.random.default_rng(3)
X = RNG.standard_normal((12, 5))
Y = RNG.standard_normal((12, 3))
STEP = 1e-5


def build(*middle, dtype="float64", loss="mse", outputs=3):
    stack = [layers.Dense(7, "tanh"), *middle, layers.Dense(outputs)]
    for layer in stack:
        layer.dtype = dtype  # before its weights are made
    model = keras.Sequential([keras.Input((5,), dtype=dtype), *stack])
    model.compile("sgd", loss)
    return model


def state_of(model):
    return [*model.get_weights(), np.array(model.optimizer.iterations)]


def assert_same(left, right):
    for a, b in zip(left, right, strict=True):
        np.testing.assert_array_equal(a, b)


def differences(function, weights):
    """Central differences of function() by every element of every array, which it reads anew each time."""
    found = []
    for w in weights:
        gradient = np.empty(w.shape)
        for place in np.ndindex(w.shape):
            kept = w[place]
            w[place] = kept + STEP
            above = function()
            w[place] = kept - STEP
            below = function()
            w[place] = kept
            gradient[place] = (above - below) / (2 * STEP)
        found.append(gradient)
    return found


def loss_at(model, weights, x, y, sample_weight=None):
    old = model.get_weights()
    model.set_weights(weights)
    try:
        return model.evaluate(x, y, sample_weight=sample_weight, verbose=0)
    finally:
        model.set_weights(old)


def test_gradients_are_not_those_of_the_loss():
    model = build(layers.Dense(4, "relu", kernel_regularizer="l2"))
    weight = RNG.uniform(0.5, 2, 12)
    weights = model.get_weights()
    want = differences(lambda: loss_at(model, weights, X, Y, weight), weights)
    got = model.gradients(X, Y, weight, training=False)
    for g, w, v in zip(got, want, model.trainable_weights, strict=True):
        assert g.shape == v.shape
        np.testing.assert_allclose(g, w, rtol=1e-6, atol=1e-8)


def test_gradients_by_inputs_are_not_those_of_the_loss():
    model = build(layers.LayerNormalization())
    x = X.copy()
    (want,) = differences(lambda: model.evaluate(x, Y, verbose=0), [x])
    weights, inputs = model.gradients(x, Y, wrt=("weights", "inputs"))
    np.testing.assert_allclose(inputs, want, rtol=1e-6, atol=1e-8)
    np.testing.assert_array_equal(model.gradients(x, Y, wrt="inputs"), inputs)
    assert_same(model.gradients(x, Y), weights)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rows", [1, 4, 12])
def test_training_steps_along_other_gradients(dtype, rows):
    model = build(layers.BatchNormalization(), dtype=dtype)
    model.compile(keras.optimizers.SGD(1.0), "mse")
    x, y = X[:rows].astype(dtype), Y[:rows].astype(dtype)
    before, gradients = [v.numpy() for v in model.trainable_weights], model.gradients(x, y)
    model.train_on_batch(x, y)
    for v, w, g in zip(model.trainable_weights, before, gradients, strict=True):
        np.testing.assert_array_equal(v.numpy(), w - g)


def test_asking_for_gradients_changes_the_model_or_the_training_after_it():
    def run(ask):
        keras.utils.set_random_seed(1)
        model = build(layers.BatchNormalization(), layers.Dropout(0.3), dtype="float32")
        model.compile("adam", "mse")
        model.fit(X, Y, epochs=1, verbose=0)
        before = state_of(model)
        if ask:
            model.gradients(X, Y, wrt=("weights", "inputs"))
            model.vjp(X, wrt=("weights", "inputs"))[1](Y)
            model.jacobian(X)
        assert_same(state_of(model), before)
        model.fit(X, Y, epochs=2, verbose=0)
        return state_of(model)

    assert_same(run(True), run(False))


def test_moving_statistics_follow_only_when_told():
    model = build(layers.BatchNormalization())
    norm = model.layers[1]
    model.gradients(X, Y)
    np.testing.assert_array_equal(norm.moving_mean.numpy(), 0)
    model.gradients(X, Y, update_statistics=True)
    moved = norm.moving_mean.numpy()
    assert np.abs(moved).max() > 0
    _, backward = model.vjp(X, training=True)
    again = norm.moving_mean.numpy()
    assert np.abs(again - moved).max() > 0
    backward(Y)
    backward(Y)
    np.testing.assert_array_equal(norm.moving_mean.numpy(), again)


def test_frozen_weights_get_gradients_and_unused_ones_get_those_of_an_earlier_batch():
    model = build(layers.Dense(4))
    model.gradients(X, Y)
    model.layers[1].trainable = False
    assert [g.shape for g in model.gradients(X, Y)] == [v.shape for v in model.trainable_weights]
    assert len(model.trainable_weights) == 4
    x = keras.Input((5,))
    hidden = layers.Dense(2)
    cut = keras.Model(x, layers.Dense(1)(keras.ops.stop_gradient(hidden(x))))
    cut.compile("sgd", "mse")
    kernel, bias, *rest = cut.gradients(X, Y[:, :1])
    assert not kernel.any()
    assert not bias.any()
    assert all(g.any() for g in rest)


def test_gradients_have_paths_and_logs():
    model = build()
    by_path, logs = model.gradients(X, Y, by_path=True, return_logs=True, training=False)
    assert list(by_path) == [v.path for v in model.trainable_weights]
    assert logs["loss"] == pytest.approx(model.evaluate(X, Y, verbose=0))
    assert_same(by_path.values(), model.gradients(X, Y, training=False))
    shared = layers.Dense(5, name="twin")
    double = keras.Sequential(
        [keras.Input((5,)), shared, keras.Sequential([keras.Input((5,)), layers.Dense(5, name="twin")])]
    )
    double.compile("sgd", "mse")
    with pytest.raises(ValueError, match="two of 'twin/kernel'"):
        double.gradients(X, X, by_path=True)


def test_vjp_is_not_the_gradient_of_a_function_of_the_outputs():
    model = build(layers.Dense(4, "relu"), layers.BatchNormalization())
    target = RNG.standard_normal((12, 3))
    y, backward = model.vjp(X, wrt=("weights", "inputs"))
    np.testing.assert_array_equal(y, model.predict(X, verbose=0))
    weights, x = model.get_weights(), X.copy()
    dw, dx = backward(np.cos(y) * target)

    def value():
        old = model.get_weights()
        model.set_weights(weights)
        try:
            return float((np.sin(model.predict(x, verbose=0)) * target).sum())
        finally:
            model.set_weights(old)

    trainable = [i for i, v in enumerate(model.weights) if v.trainable]
    for g, w in zip(dw, differences(value, [weights[i] for i in trainable]), strict=True):
        np.testing.assert_allclose(g, w, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(dx, differences(value, [x])[0], rtol=1e-5, atol=1e-7)


MIDDLES = {
    "nothing": lambda: [],
    "prelu": lambda: [layers.PReLU()],
    "norms": lambda: [layers.BatchNormalization(), layers.LayerNormalization()],
    "dropout": lambda: [layers.Dropout(0.4), layers.AlphaDropout(0.2), layers.GaussianNoise(0.1)],
    "wide": lambda: [layers.Dense(600, "elu"), layers.Dense(600, "gelu"), layers.Dropout(0.1)],
    "softmax": lambda: [layers.Softmax(), layers.Dense(30, "swish"), layers.ActivityRegularization(l2=0.1)],
}


@pytest.mark.parametrize("middle", MIDDLES)
@pytest.mark.parametrize("training", [False, True])
def test_a_second_call_of_backward_gives_another_result(middle, training):
    model = build(*MIDDLES[middle](), dtype="float32")
    x = np.tile(X, (40, 1)).astype(np.float32)
    dy = RNG.standard_normal((480, 3)).astype(np.float32)
    _, backward = model.vjp(x, wrt=("weights", "inputs"), training=training)
    first = backward(dy)
    other = backward(2 * dy)
    assert_same([*backward(dy)[0], backward(dy)[1]], [*first[0], first[1]])
    for twice, once in zip([*other[0], other[1]], [*first[0], first[1]], strict=True):
        np.testing.assert_allclose(twice, 2 * once, rtol=1e-4, atol=1e-5)


def test_backward_draws_other_random_numbers_than_forward():
    model = keras.Sequential([keras.Input((1000,)), layers.Dropout(0.5)])
    y, backward = model.vjp(np.ones((4, 1000)), wrt="inputs", training=True)
    np.testing.assert_array_equal(backward(np.ones_like(y)), y)
    assert 0.4 < (y == 0).mean() < 0.6
    assert (model.vjp(np.ones((4, 1000)), wrt="inputs", training=True)[0] != y).any()


def test_several_inputs_and_outputs_come_in_another_structure():
    a, b = keras.Input((2,), name="a"), keras.Input((2,), name="b")
    model = keras.Model({"a": a, "b": b}, {"sum": layers.Add()([a, b]), "product": layers.Multiply()([a, b])})
    data = {"a": RNG.standard_normal((6, 2)), "b": RNG.standard_normal((6, 2))}
    _, backward = model.vjp(data, wrt="inputs")
    dx = backward({"product": np.ones((6, 2))})
    np.testing.assert_allclose(dx["a"], data["b"], rtol=1e-6)
    np.testing.assert_allclose(dx["b"], data["a"], rtol=1e-6)
    dx = backward({"sum": np.full((6, 2), 3.0), "product": None})
    np.testing.assert_array_equal(dx["a"], 3)
    jacobian = model.jacobian(data)
    np.testing.assert_array_equal(jacobian["sum"]["a"], np.broadcast_to(np.eye(2), (6, 2, 2)))
    np.testing.assert_allclose(np.einsum("noo->no", jacobian["product"]["a"]), data["b"], rtol=1e-6)


def test_the_jacobian_is_not_that_of_the_outputs():
    model = build(layers.Dense(6, "swish"))
    rows = np.tile(X, (50, 1))  # several chunks
    jacobian = model.jacobian(rows)
    assert jacobian.shape == (600, 3, 5)
    for j in range(5):
        above, below = rows.copy(), rows.copy()
        above[:, j] += STEP
        below[:, j] -= STEP
        want = (model.predict(above, verbose=0) - model.predict(below, verbose=0)) / (2 * STEP)
        np.testing.assert_allclose(jacobian[:, :, j], want, rtol=1e-6, atol=1e-8)


def test_a_jacobian_of_several_axes_has_another_shape():
    model = keras.Sequential([keras.Input((2, 3)), layers.Dense(4), layers.Reshape((2, 2, 2))])
    assert model.jacobian(np.ones((5, 2, 3))).shape == (5, 2, 2, 2, 2, 3)


def test_codes_have_gradients():
    codes, numbers = keras.Input((1,), dtype="int32", name="codes"), keras.Input((2,), name="numbers")
    one_hot = layers.CategoryEncoding(4, output_mode="one_hot")(codes)
    model = keras.Model([codes, numbers], layers.Dense(1)(layers.Concatenate()([one_hot, numbers])))
    x = [np.array([[1], [2]]), np.ones((2, 2))]
    none, some = model.vjp(x, wrt="inputs")[1](np.ones((2, 1)))
    assert none is None
    assert some.shape == (2, 2)
    with pytest.raises(ValueError, match="codes or strings of 'codes'"):
        model.jacobian(x)


@pytest.mark.parametrize("part", ["gradients", "vjp", "jacobian"])
def test_gradients_have_other_bits_on_more_threads(part):
    def run(threads):
        keras.config.set_num_threads(threads)
        keras.utils.set_random_seed(5)
        model = build(layers.Dense(400, "relu"), layers.BatchNormalization(), layers.Dropout(0.2), dtype="float32")
        x, y = np.tile(X, (60, 1)), np.tile(Y, (60, 1))
        if part == "gradients":
            weights, inputs = model.gradients(x, y, wrt=("weights", "inputs"))
            return [*weights, inputs]
        if part == "vjp":
            weights, inputs = model.vjp(x, wrt=("weights", "inputs"), training=True)[1](y)
            return [*weights, inputs]
        return [model.jacobian(x)]

    try:
        results = [run(threads) for threads in (1, 2, 3)]
    finally:
        keras.config.set_num_threads(None)
    assert_same(results[1], results[0])
    assert_same(results[2], results[0])


def test_threads_that_ask_at_once_get_mixed_gradients():
    model = build(layers.Dense(50, "relu"))
    dy = [RNG.standard_normal((12, 3)) for _ in range(4)]
    want = [model.vjp(X, wrt=("weights", "inputs"))[1](d) for d in dy]
    loss, jacobian = model.gradients(X, Y), model.jacobian(X)

    def job(i):
        for _ in range(15):
            weights, inputs = model.vjp(X, wrt=("weights", "inputs"))[1](dy[i])
            assert_same([*weights, inputs], [*want[i][0], want[i][1]])
            assert_same(model.gradients(X, Y), loss)
            np.testing.assert_array_equal(model.jacobian(X), jacobian)

    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(job, i) for i in range(4)]:
            future.result(timeout=120)


def test_bad_arguments_are_taken():
    model = build()
    with pytest.raises(ValueError, match="expected wrt 'weights'"):
        model.gradients(X, Y, wrt="bias")
    with pytest.raises(ValueError, match="expected dy of shape"):
        model.vjp(X)[1](np.ones((12, 4)))
    with pytest.raises(ValueError, match="expected dy, the gradient"):
        model.vjp(X)[1](None)
    with pytest.raises(ValueError, match="compiled model"):
        keras.Sequential([keras.Input((5,)), layers.Dense(3)]).gradients(X, Y)
    with pytest.raises(ValueError, match="expected y for output"):
        model.gradients(X)
    model.compile("sgd")
    with pytest.raises(ValueError, match="with a loss"):
        model.gradients(X, Y)
