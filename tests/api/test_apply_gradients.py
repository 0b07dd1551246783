"""Updates by gradients of one's own: `optimizer.apply` and `optimizer.apply_gradients`."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import hotloop as keras
from hotloop import layers

RNG = np.random.default_rng(4)
X = RNG.standard_normal((32, 4)).astype(np.float32)
Y = RNG.standard_normal((32, 2)).astype(np.float32)
RULES = {
    "sgd": lambda: keras.optimizers.SGD(0.1),
    "momentum": lambda: keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    "adam": lambda: keras.optimizers.Adam(0.01),
    "adamw": lambda: keras.optimizers.AdamW(0.01, weight_decay=0.1),
    "rmsprop": lambda: keras.optimizers.RMSprop(0.01, centered=True),
    "several": lambda: keras.optimizers.Adam(
        0.01, gradient_accumulation_steps=2, global_clipnorm=0.1, use_ema=True, learning_rate_factors={"bias": 0.5}
    ),
    "cycle": lambda: keras.optimizers.SGD(keras.optimizers.schedules.OneCycle(0.1, 20), momentum=0.9),
    "decay": lambda: keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(0.1, 3, 0.5)),
}


def build(optimizer, **options):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(6, "tanh", kernel_constraint="unit_norm"),
            layers.Dense(2, kernel_constraint=lambda w: np.clip(w, -0.4, 0.4), **options),
        ]
    )
    model.compile(optimizer, "mse")
    return model


def assert_same(left, right):
    for a, b in zip(left, right, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("rows", [2, 32])
def test_a_loop_of_ones_own_trains_other_weights_than_train_on_batch(rule, rows):
    one, other = build(RULES[rule]()), build(RULES[rule](), kernel_regularizer="l2")
    one.layers[1].kernel.regularizer = other.layers[1].kernel.regularizer
    for _ in range(4):
        one.train_on_batch(X[:rows], Y[:rows])
        gradients = other.gradients(X[:rows], Y[:rows])
        other.optimizer.apply_gradients(zip(gradients, other.trainable_weights, strict=True))
    assert_same(other.get_weights(), one.get_weights())
    assert other.optimizer.batches == one.optimizer.batches == 4
    one.fit(X, Y, epochs=1, verbose=0)  # slots go on
    other.fit(X, Y, epochs=1, verbose=0)
    assert_same(other.get_weights(), one.get_weights())


def test_an_optimizer_of_no_model_trains_otherwise():
    compiled, alone = build(RULES["adam"]()), build("sgd")
    optimizer = RULES["adam"]()
    for _ in range(3):
        compiled.train_on_batch(X, Y)
        optimizer.apply(alone.gradients(X, Y), alone.trainable_weights)
    assert_same(alone.get_weights(), compiled.get_weights())
    assert optimizer.iterations == 3
    assert alone.optimizer.iterations == 0


def test_two_optimizers_that_take_turns_forget_their_moments():
    model, others = build(RULES["adam"]()), [RULES["adam"](), RULES["momentum"]()]
    halves = [model.layers[0].trainable_weights, model.layers[1].trainable_weights]
    plain = [keras.Variable(v.numpy()) for half in halves for v in half]
    references = [RULES["adam"](), RULES["momentum"]()]
    for v, w in zip(plain, [v for half in halves for v in half], strict=True):
        v.constraint = w.constraint
    for _ in range(3):
        for optimizer, reference, half, twins in zip(others, references, halves, (plain[:2], plain[2:]), strict=True):
            gradients = [RNG.standard_normal(v.shape) for v in half]
            optimizer.apply(gradients, half)
            reference.apply(gradients, twins)
    assert_same([v.numpy() for half in halves for v in half], [v.numpy() for v in plain])


def test_variables_that_come_later_reset_the_others():
    a, b = keras.Variable(np.zeros(3)), keras.Variable(np.zeros((2, 2)))
    alone = keras.Variable(np.zeros(3))
    optimizer, reference = keras.optimizers.SGD(1.0, momentum=0.5), keras.optimizers.SGD(1.0, momentum=0.5)
    optimizer.apply([np.ones(3)], [a])
    optimizer.apply([np.ones(3), np.ones((2, 2))], [a, b])
    for _ in range(2):
        reference.apply([np.ones(3)], [alone])
    np.testing.assert_array_equal(a.numpy(), alone.numpy())
    np.testing.assert_array_equal(b.numpy(), -np.ones((2, 2)))


def test_variables_without_a_gradient_are_updated():
    v, w = keras.Variable(np.zeros(3)), keras.Variable(np.zeros(3))
    with pytest.warns(UserWarning, match="no gradient for variable"):
        keras.optimizers.SGD(1.0).apply([None, np.ones(3)], [v, w])
    np.testing.assert_array_equal(v.numpy(), 0)
    np.testing.assert_array_equal(w.numpy(), -1)


def test_apply_needs_variables_that_it_could_know():
    model = build(keras.optimizers.SGD(0.5))
    before = [v.numpy() for v in model.layers[0].weights]
    model.optimizer.apply([np.zeros(v.shape) for v in model.trainable_weights])
    v = keras.Variable(np.zeros(2))
    optimizer = keras.optimizers.SGD(1.0)
    with pytest.raises(ValueError, match="expected variables, or an optimizer"):
        optimizer.apply([np.ones(2)])
    optimizer.build([v])
    optimizer.apply([np.ones(2)])
    np.testing.assert_array_equal(v.numpy(), -1)
    np.testing.assert_allclose(model.layers[0].weights[0].numpy(), before[0] / np.linalg.norm(before[0], axis=0), 1e-5)


def test_copies_of_a_used_optimizer_are_broken():
    v = keras.Variable(np.zeros(2))
    optimizer = keras.optimizers.SGD(1.0, momentum=0.5)
    optimizer.apply([np.ones(2)], [v])
    for twin in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        assert twin.iterations == 1
        w = keras.Variable(np.zeros(2))
        twin.apply([np.ones(2)], [w])
        np.testing.assert_array_equal(w.numpy(), -1)


def test_bad_gradients_are_applied():
    v = keras.Variable(np.zeros((2, 3)), name="w")
    frozen = keras.Variable(np.zeros(3), trainable=False, name="f")
    wide = keras.Variable(np.zeros(3), dtype="float64")
    optimizer = keras.optimizers.SGD(1.0)
    for gradients, variables, message in [
        ([np.ones((3, 2))], [v], "gradient of shape \\(2, 3\\) for 'w'"),
        ([np.ones((2, 3))], [v, v], "one gradient for each of 2"),
        ([np.ones((2, 3))] * 2, [v, v], "'w' twice"),
        ([np.ones(3)], [frozen], "'f', a frozen one"),
        ([None], [v], "None for every variable"),
        ([], [], "one gradient for each of 0"),
        ([np.array([["a"] * 3] * 2)], [v], "received <U1"),
        ([np.ones((2, 3)), np.ones(3)], [v, wide], "one dtype"),
    ]:
        with pytest.raises(ValueError, match=message):
            optimizer.apply(gradients, variables)
    with pytest.raises(TypeError, match="expected variables"):
        optimizer.apply([np.ones(3)], [np.zeros(3)])
    with pytest.raises(ValueError, match="pairs"):
        optimizer.apply_gradients([])
    assert optimizer.iterations == 0
    assert not v.numpy().any()
