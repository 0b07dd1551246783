"""Networks that share their kernels: members of a BatchEnsembleDense beside Dense layers of their own."""

from __future__ import annotations

import numpy as np
import pytest

import hotloop as keras

L = keras.layers
RNG = np.random.default_rng(2)
X = RNG.standard_normal((50, 4))
Y = RNG.standard_normal((50, 1))
MEMBERS = 3


def ensemble(**options):
    keras.utils.set_random_seed(7)
    return keras.Sequential(
        [
            keras.Input((4,)),
            L.RepeatVector(MEMBERS),
            L.BatchEnsembleDense(6, "tanh", **options),
            L.BatchEnsembleDense(1, output_scale_initializer="random_sign", **options),
        ]
    )


@pytest.mark.parametrize("use_bias", [True, False])
def test_a_member_is_a_network_with_scaled_kernels(use_bias, float64):
    model = ensemble(use_bias=use_bias, **({"bias_initializer": "random_normal"} if use_bias else {}))
    predictions = model.predict(X, verbose=0)
    assert predictions.shape == (50, MEMBERS, 1)
    for member in range(MEMBERS):
        x = X
        for layer, function in zip(model.layers[1:], (np.tanh, lambda z: z), strict=True):
            z = (x * layer.input_scale[member]) @ layer.kernel.numpy() * layer.output_scale[member]
            x = function(z + layer.bias[member] if use_bias else z)
        np.testing.assert_allclose(predictions[:, member], x, rtol=1e-12, atol=1e-12)
    assert len({model.layers[1].input_scale.numpy()[m].tobytes() for m in range(MEMBERS)}) > 1


def test_members_are_trained_as_networks_of_their_own_that_share_kernels(float64):
    model = ensemble()
    model.compile(keras.optimizers.SGD(0.1), "mse")
    before = [w.copy() for w in model.get_weights()]
    targets = np.repeat(Y[:, None], MEMBERS, axis=1)
    model.train_on_batch(X, targets)
    names = [v.path.split("/")[-1] for v in model.weights]
    moved = [(a - b) / 0.1 for a, b in zip(before, model.get_weights(), strict=True)]

    def loss(weights):
        k1, r1, s1, b1, k2, r2, s2, b2 = weights
        h = np.tanh(((X[:, None] * r1) @ k1) * s1 + b1)
        return np.mean((((h * r2) @ k2) * s2 + b2 - targets) ** 2)

    assert names[:4] == ["kernel", "input_scale", "output_scale", "bias"]
    for i, gradient in enumerate(moved):
        for place in list(np.ndindex(gradient.shape))[:5]:
            bumped = [[w.copy() for w in before] for _ in range(2)]
            bumped[0][i][place] += 1e-6
            bumped[1][i][place] -= 1e-6
            slope = (loss(bumped[0]) - loss(bumped[1])) / 2e-6
            np.testing.assert_allclose(gradient[place], slope, rtol=1e-5, atol=1e-8)


def test_batches_without_members_are_refused():
    with pytest.raises(ValueError, match=r"expected x of shape \(batch, members, features\).*RepeatVector"):
        L.BatchEnsembleDense(3)(np.ones((2, 4)))


def test_random_signs_are_signs_and_repeat_by_their_seed():
    for dtype in ("float32", "float64"):
        drawn = keras.initializers.RandomSign(seed=3)((1000, 4), dtype)
        assert drawn.dtype == dtype
        assert set(np.unique(drawn)) == {-1.0, 1.0}
        assert abs(drawn.mean()) < 0.06
    again = keras.initializers.get(keras.initializers.serialize(keras.initializers.RandomSign(seed=3)))
    np.testing.assert_array_equal(again((1000, 4), "float64"), drawn)
    assert isinstance(keras.initializers.get("random_sign"), keras.initializers.RandomSign)
