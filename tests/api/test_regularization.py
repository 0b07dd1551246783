"""Regularizers and constraints as users give them to layers."""

from __future__ import annotations

import numpy as np
import pytest

import hotloop as keras

L, R, C = keras.layers, keras.regularizers, keras.constraints
RNG = np.random.default_rng(3)
X = RNG.standard_normal((50, 6)).astype(np.float32)
Y = RNG.standard_normal((50, 3)).astype(np.float32)


def model(*layers, optimizer="sgd", dtype="float32"):
    keras.utils.set_random_seed(1)
    net = keras.Sequential([keras.Input((6,), dtype=dtype), *layers])
    net.compile(optimizer, "mse", metrics=["mae"])
    return net


def penalty_of(net):
    """The loss beyond the mean squared error of the predictions."""
    return net.evaluate(X, Y, verbose=0)[0] - float(np.mean((net.predict(X, verbose=0) - Y) ** 2))


# --- regularizers -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("identifier", "want"),
    [
        ("l1", R.L1(0.01)),
        ("l2", R.L2(0.01)),
        ("L2", R.L2(0.01)),
        ("l1l2", R.L1L2(0.0, 0.0)),
        ("l1_l2", R.L1L2(0.0, 0.0)),
        ("orthogonal_regularizer", R.OrthogonalRegularizer(0.01, "rows")),
        (R.l1_l2(l1=0.1), R.L1L2(0.1, 0.0)),
        (R.l2, R.L2(0.01)),
        ({"class_name": "L1", "config": {"l1": 0.5}}, R.L1(0.5)),
    ],
    ids=str,
)
def test_a_regularizer_is_found_by_what_names_it(identifier, want):
    got = R.get(identifier)
    assert type(got) is type(want)
    assert got.get_config() == want.get_config()
    again = R.deserialize(R.serialize(got))
    assert again.get_config() == got.get_config()


@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf"), "a", True])
def test_a_factor_that_is_no_penalty_is_refused(value):
    for make in (R.L1, R.L2, lambda v: R.L1L2(l2=v), R.OrthogonalRegularizer):
        with pytest.raises(ValueError, match=r"expected .* to be a finite number of at least 0, received"):
            make(value)


def test_what_makes_no_penalty_is_refused_not_ignored():
    with pytest.raises(ValueError, match="expected a class with `__call__`"):
        L.Dense(2, kernel_regularizer=R.Regularizer())
    with pytest.raises(ValueError, match="Did you mean 'l2'"):
        L.Dense(2, kernel_regularizer="l22")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_penalties_are_in_the_loss_and_in_no_metric(dtype):
    hidden = L.Dense(5, kernel_regularizer=R.L1L2(0.1, 0.2), bias_regularizer=R.L1(0.3), dtype=dtype)
    net = model(hidden, L.Dense(3, dtype=dtype), dtype=dtype)
    hidden.bias.assign(np.arange(5.0))
    kernel, bias = (np.asarray(w, float) for w in hidden.get_weights())
    want = 0.1 * np.abs(kernel).sum() + 0.2 * (kernel**2).sum() + 0.3 * bias.sum()
    np.testing.assert_allclose(penalty_of(net), want, rtol=1e-5)
    np.testing.assert_allclose(float(sum(net.losses)), want, rtol=1e-5)
    mae = net.evaluate(X, Y, verbose=0)[1]
    np.testing.assert_allclose(mae, np.abs(net.predict(X, verbose=0) - Y).mean(), rtol=1e-5)
    np.testing.assert_allclose(net.test_on_batch(X[:7], Y[:7])[0] - want, np.mean((net(X[:7]) - Y[:7]) ** 2), rtol=1e-4)


def test_a_frozen_weight_has_no_penalty_from_the_next_call_on():
    net = model(L.Dense(5, kernel_regularizer="l2"), L.Dense(3))
    assert penalty_of(net) > 1e-3
    net.layers[0].trainable = False
    np.testing.assert_allclose(penalty_of(net), 0, atol=1e-6)
    assert net.losses == []
    net.layers[0].trainable = True
    assert penalty_of(net) > 1e-3


def test_an_activity_s_penalty_is_divided_by_the_rows_and_not_by_the_team():
    net = model(L.Dense(5, activation="tanh", activity_regularizer=R.L1L2(0.1, 0.2)), L.Dense(3))
    hidden = keras.Model(net.inputs, net.layers[0].output).predict(X, verbose=0)
    want = (0.1 * np.abs(hidden).sum() + 0.2 * (hidden**2).sum()) / len(X)
    np.testing.assert_allclose(penalty_of(net), want, rtol=1e-4)
    layer = model(L.Dense(5, activation="tanh"), L.ActivityRegularization(0.1, 0.2), L.Dense(3))
    layer.set_weights(net.get_weights())
    np.testing.assert_allclose(penalty_of(layer), want, rtol=1e-4)
    for each in (net, layer):
        each.fit(X, Y, batch_size=16, epochs=2, shuffle=False, verbose=0)
    for a, b in zip(net.get_weights(), layer.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_a_shared_layer_s_weights_are_punished_once_and_its_activities_for_each_use():
    x = keras.Input((6,))
    shared = L.Dense(6, kernel_regularizer=R.L2(0.1), activity_regularizer=R.L2(0.2))
    net = keras.Model(x, L.Dense(3)(shared(shared(x))))
    net.compile("sgd", "mse", metrics=["mae"])
    first = X @ shared.kernel.numpy() + shared.bias.numpy()
    second = first @ shared.kernel.numpy() + shared.bias.numpy()
    want = 0.1 * (shared.kernel.numpy() ** 2).sum() + 0.2 * ((first**2).sum() + (second**2).sum()) / len(X)
    np.testing.assert_allclose(penalty_of(net), want, rtol=1e-4)


def test_a_penalty_set_on_a_variable_counts_from_the_next_call_on():
    net = model(L.Dense(3))
    assert abs(penalty_of(net)) < 1e-6
    net.layers[0].kernel.regularizer = "l2"
    np.testing.assert_allclose(penalty_of(net), 0.01 * (net.layers[0].kernel.numpy() ** 2).sum(), rtol=1e-4)


def test_one_row_at_a_time_regularises_as_the_formula_says():
    """The in-place update of small batches must not lose the penalty."""
    net = model(L.Dense(3, use_bias=False, kernel_regularizer=R.L1L2(0.05, 0.1)), optimizer=keras.optimizers.SGD(0.1))
    w = net.get_weights()[0].astype(float)
    for x, y in zip(X.astype(float), Y.astype(float), strict=True):
        gradient = np.outer(x, 2 / 3 * (x @ w - y)) + 0.05 * np.sign(w) + 0.2 * w
        w = w - 0.1 * gradient
    net.fit(X, Y, batch_size=1, epochs=1, shuffle=False, verbose=0)
    np.testing.assert_allclose(net.get_weights()[0], w, atol=1e-5)


def test_l1_makes_weights_small_that_nothing_needs():
    x = np.random.default_rng(0).standard_normal((400, 6)).astype(np.float32)
    y = x[:, :1] - 2 * x[:, 1:2]
    net = model(L.Dense(1, kernel_regularizer=R.L1(0.1)), optimizer=keras.optimizers.SGD(0.01))
    net.fit(x, y, epochs=60, verbose=0)
    kernel = net.get_weights()[0].ravel()
    assert abs(kernel[2:]).max() < 0.01 < 0.8 < abs(kernel[:2]).min()


# --- constraints --------------------------------------------------------------------------------------------------
CONSTRAINED = {
    "max_norm": (C.MaxNorm(0.3), lambda w: np.linalg.norm(w, axis=0).max() <= 0.3 + 1e-5),
    "max_norm_rows": (C.MaxNorm(0.3, axis=1), lambda w: np.linalg.norm(w, axis=1).max() <= 0.3 + 1e-5),
    "unit_norm": (C.UnitNorm(), lambda w: np.allclose(np.linalg.norm(w, axis=0), 1, atol=1e-5)),
    "non_neg": ("non_neg", lambda w: w.min() >= 0),
    "min_max_norm": (
        C.MinMaxNorm(0.2, 0.4),
        lambda w: 0.2 - 1e-5 <= np.linalg.norm(w, axis=0).min() <= np.linalg.norm(w, axis=0).max() <= 0.4 + 1e-5,
    ),
    "function": (lambda w: np.clip(w, -0.1, 0.1), lambda w: np.abs(w).max() <= 0.1 + 1e-7),
}


@pytest.mark.parametrize("name", CONSTRAINED)
@pytest.mark.parametrize("batch_size", [1, 16])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_weights_are_within_bounds_after_every_update(name, batch_size, optimizer):
    constraint, holds = CONSTRAINED[name]
    hidden = L.Dense(7, kernel_constraint=constraint)
    net = model(hidden, L.Dense(3, kernel_constraint=constraint), optimizer=optimizer)
    seen = []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(all(holds(layer.kernel.numpy()) for layer in self.model.layers))

    net.fit(X, Y, batch_size=batch_size, epochs=2, verbose=0, callbacks=[Watch()])
    assert seen
    assert all(seen)
    net.train_on_batch(X, Y)
    assert holds(hidden.kernel.numpy())


def test_python_constraints_and_kernels_take_the_same_path():
    nets = []
    for constraint in (C.MaxNorm(0.5), lambda w: w * np.minimum(1, 0.5 / np.linalg.norm(w, axis=0))):
        nets.append(model(L.Dense(7, "tanh", kernel_constraint=constraint), L.Dense(3), optimizer="adam"))
        nets[-1].set_weights(nets[0].get_weights())
    for net in nets:
        net.fit(X, Y, batch_size=8, epochs=3, shuffle=False, verbose=0)
    for a, b in zip(*(net.get_weights() for net in nets), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_a_python_constraint_and_a_reader_in_another_thread_do_not_wait_for_each_other():
    import threading

    net = model(L.Dense(7, kernel_constraint=lambda w: np.clip(w, -0.1, 0.1)), L.Dense(3))
    net.fit(X, Y, verbose=0)
    stop = threading.Event()

    def read():
        while not stop.is_set():
            net.get_weights()

    reader = threading.Thread(target=read, daemon=True)
    trainer = threading.Thread(target=lambda: net.fit(X, Y, batch_size=1, epochs=20, verbose=0), daemon=True)
    reader.start()
    trainer.start()
    trainer.join(60)
    stop.set()
    reader.join(60)
    assert not trainer.is_alive()
    assert not reader.is_alive()


def test_a_frozen_weight_is_not_constrained():
    hidden = L.Dense(7, kernel_constraint=C.MaxNorm(0.1))
    net = model(hidden, L.Dense(3))
    hidden.trainable = False
    before = hidden.get_weights()
    net.fit(X, Y, epochs=1, verbose=0)
    for a, b in zip(hidden.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("axis", [0, 1])
def test_regularised_and_constrained_training_has_the_same_bits_on_any_team(axis):
    """Wide enough that several workers share the steps."""
    import hashlib

    from hotloop import _core

    hashes = set()
    for team in (1, 2, 3, 5):
        graph = _core.Graph("float32")
        x, y = graph.input((300,), "float32"), graph.input((200,), "float32")
        w = graph.variable(0, (300, 200), True, "w")
        z = graph.add("matmul", [x, w], {})
        graph.add("loss", [z, y], {"kind": "mean_squared_error"})
        graph.add("penalty", [z], {"l1": 0.01, "l2": 0.01})
        graph.add("penalty", [w], {"l1": 0.001, "l2": 0.01})
        graph.add("penalty", [w], {"kind": "orthogonal", "factor": 1.0})
        graph.add("constraint", [w], {"kind": "max_norm", "max_value": 0.5, "axis": [axis]})
        trainer = _core.Trainer([("w", (300, 200))], "float32", team)
        trainer.set(0, np.random.default_rng(0).standard_normal((300, 200)).astype(np.float32))
        trainer.set_optimizer({"kind": "momentum", "momentum": 0.9})
        plan = trainer.plan(graph, 64, training=True, update=True)
        rng = np.random.default_rng(1)
        arrays = [rng.standard_normal((128, n)).astype(np.float32) for n in (300, 200)]
        done = 0
        while done < 2:
            done += trainer.run(plan, _core.Dataset(arrays), done, 2 - done, 64, 128, rates=np.full(2, 0.1))
        assert np.linalg.norm(trainer.get(0), axis=axis).max() <= 0.5 + 1e-5
        hashes.add(hashlib.sha256(trainer.get(0).tobytes() + np.asarray(plan.metrics()).tobytes()).hexdigest())
    assert len(hashes) == 1


@pytest.mark.parametrize(
    ("identifier", "want"),
    [
        ("max_norm", C.MaxNorm(2, 0)),
        ("non_neg", C.NonNeg()),
        ("NonNeg", C.NonNeg()),
        ("unit_norm", C.UnitNorm(0)),
        ("min_max_norm", C.MinMaxNorm(0.0, 1.0, 1.0, 0)),
        (C.max_norm(3), C.MaxNorm(3, 0)),
        ({"class_name": "MaxNorm", "config": {"max_value": 1.0, "axis": [0, 1]}}, C.MaxNorm(1.0, [0, 1])),
    ],
    ids=str,
)
def test_a_constraint_is_found_by_what_names_it(identifier, want):
    got = C.get(identifier)
    assert type(got) is type(want)
    assert got.get_config() == want.get_config()
    assert C.deserialize(C.serialize(got)).get_config() == got.get_config()


def test_bad_constraints_are_refused():
    with pytest.raises(ValueError, match="Did you mean 'max_norm'"):
        L.Dense(2, kernel_constraint="maxnorm")
    with pytest.raises(ValueError, match="expected max_value to be a finite number"):
        C.MaxNorm(-1)
    with pytest.raises(ValueError, match="expected min_value <= max_value"):
        C.MinMaxNorm(2.0, 1.0)
    with pytest.raises(ValueError, match="expected axis to be an int"):
        C.UnitNorm(axis=0.5)
    net = model(L.Dense(3, bias_constraint=C.MaxNorm(1, axis=1)))
    with pytest.raises(ValueError, match="expected an axis of"):
        net.fit(X, Y, verbose=0)
    net = model(L.Dense(3, kernel_constraint=lambda w: w[:2]))
    with pytest.raises(ValueError, match="expected shape"):
        net.fit(X, Y, verbose=0)


# --- configurations -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "layer",
    [
        L.Dense(3, kernel_regularizer="l1", bias_regularizer=R.L2(0.5), activity_regularizer=R.L1L2(0.1, 0.2)),
        L.Dense(3, kernel_constraint=C.MinMaxNorm(0.1, 0.2, 0.3, [0, 1]), bias_constraint="non_neg"),
        L.BatchNormalization(gamma_regularizer="l2", beta_regularizer="l1", gamma_constraint="non_neg"),
        L.BatchNormalization(beta_constraint=C.MaxNorm(1)),
        L.ActivityRegularization(0.1, l2=0.2),
        L.Activation("relu", activity_regularizer="l1"),
    ],
)
def test_a_layer_made_from_its_configuration_is_the_same(layer):
    import json

    config = json.loads(json.dumps(layer.get_config()))
    again = type(layer).from_config(config)
    assert json.dumps(again.get_config()) == json.dumps(config)


def test_add_weight_takes_both():
    class Scale(L.Layer):
        def build(self, input_shape):
            self.w = self.add_weight((input_shape[-1], 2), "ones", name="w", regularizer="l2", constraint="unit_norm")

        def call(self, inputs):
            return keras.ops.matmul(inputs, self.w)

    net = model(Scale(), L.Dense(3))
    np.testing.assert_allclose(penalty_of(net), 0.12, rtol=1e-4)
    net.fit(X, Y, epochs=1, verbose=0)
    np.testing.assert_allclose(np.linalg.norm(net.layers[0].w.numpy(), axis=0), 1, rtol=1e-5)
