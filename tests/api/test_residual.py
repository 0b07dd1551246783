"""Residual blocks, scales and Fixup: a thousand dense layers that train without batch normalisation."""

import runpy
import warnings
from pathlib import Path

import numpy as np
import pytest

import hotloop as keras
from hotloop import layers
from hotloop.models import apply_fixup, residual_mlp

RNG = np.random.default_rng(6)
X = RNG.standard_normal((256, 8)).astype(np.float32)
Y = (X[:, :3] + np.maximum(X[:, 3:6], 0)).argmax(axis=1)
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def losses_of(model, epochs=6):
    model.compile(keras.optimizers.Adam(1e-3), LOSS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the loss became NaN
        return model.fit(X, Y, batch_size=32, epochs=epochs, verbose=0).history["loss"]


def dense_layers(model):
    return [layer for layer in model._all_layers() if isinstance(layer, layers.Dense)]


@pytest.mark.parametrize("scheme", ["fixup", "layer_scale"])
def test_a_thousand_layers_learn(scheme):
    keras.utils.set_random_seed(1)
    model = residual_mlp(8, 12, 499, 3, scheme=scheme)
    assert len(dense_layers(model)) == 1000
    losses = losses_of(model)
    assert losses[-1] < 0.75 * losses[0]
    assert losses[-1] < 0.8


def test_a_thousand_layers_made_naively_do_not():
    keras.utils.set_random_seed(1)
    hidden = [layers.Dense(12, "relu", kernel_initializer="he_normal") for _ in range(999)]
    losses = losses_of(keras.Sequential([keras.Input((8,)), *hidden, layers.Dense(3)]))
    assert losses[-1] > 0.97 * losses[0]
    assert np.isnan(losses_of(residual_mlp(8, 12, 499, 3, scheme="none"), epochs=1)[-1])


def test_a_block_adds_what_its_layers_say():
    inner = [layers.Dense(5, "tanh"), layers.Dense(8), layers.LayerScale(0.3)]
    block = layers.Residual(inner)
    model = keras.Sequential([keras.Input((8,)), block])
    w1, b1, w2, b2, gamma = (w.astype(float) for w in model.get_weights())
    np.testing.assert_array_equal(gamma, np.float32(0.3))
    want = X + (np.tanh(X @ w1 + b1) @ w2 + b2) * gamma
    np.testing.assert_allclose(model.predict(X, verbose=0), want, rtol=1e-5, atol=1e-6)
    assert [v.path.split("/")[1] for v in model.weights] == ["kernel", "bias", "kernel", "bias", "gamma"]
    assert block.compute_output_shape((None, 8)) == (None, 8)


@pytest.mark.parametrize("scalar", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_scales_gradient_is_that_of_the_formula(scalar, dtype):
    model = keras.Sequential([keras.Input((8,), dtype=dtype), layers.LayerScale(0.7, scalar, dtype=dtype)])
    assert model.weights[0].shape == (() if scalar else (8,))
    y = RNG.standard_normal(X.shape)
    model.compile(keras.optimizers.SGD(1.0), "mse")
    x = X.astype(np.float64)
    each = 2 * (0.7 * x - y) * x / x.size
    model.fit(x, y, batch_size=len(x), verbose=0)
    want = 0.7 - (each.sum() if scalar else each.sum(axis=0))
    np.testing.assert_allclose(model.get_weights()[0], want, rtol=1e-10 if dtype == "float64" else 1e-5)


def test_a_scalar_is_updated_by_hand_and_watched_like_other_weights():
    model = keras.Sequential([keras.Input((8,)), layers.Dense(2), layers.LayerScale(1.0, scalar=True, name="scale")])
    monitor = keras.callbacks.GradientMonitor(verbose=False)
    model.compile(keras.optimizers.Adam(0.1), "mse")
    y = RNG.standard_normal((256, 2))
    model.fit(X, y, verbose=0, callbacks=[monitor])
    assert monitor.history["scale"]["gradient_norm"][0] > 0
    before = model.get_weights()[2]
    model.optimizer.apply([np.ones(v.shape, np.float32) for v in model.weights], model.weights)
    assert model.get_weights()[2] < before


def test_layers_inside_a_block_know_whether_they_train():
    keras.utils.set_random_seed(2)
    block = layers.Residual([layers.Dense(8), layers.BatchNormalization(), layers.Dropout(0.5)])
    model = keras.Sequential([keras.Input((8,)), block])
    model.compile("sgd", "mse")
    before = model.get_weights()
    model.fit(X, X, verbose=0)
    assert all(not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    np.testing.assert_array_equal(model.predict(X, verbose=0), model.predict(X, verbose=0))
    assert (model(X, training=True) != model(X, training=True)).any()
    block.trainable = False
    before = model.get_weights()
    model.fit(X, X, verbose=0)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("m", [1, 2, 3])
def test_fixup_scales_by_depth_and_begins_at_zero(m):
    keras.utils.set_random_seed(3)
    model = residual_mlp(8, 400, 4, 3, layers_per_block=m, hidden_activation="selu", kernel_initializer="lecun_normal")
    first, *inside, head = dense_layers(model)
    assert abs(first.get_weights()[0].std() * np.sqrt(8) - 1) < 0.1
    np.testing.assert_array_equal(head.get_weights()[0], 0)
    for i, layer in enumerate(inside):
        kernel = layer.get_weights()[0]
        if i % m == m - 1:
            np.testing.assert_array_equal(kernel, 0)
        else:
            assert abs(kernel.std() * np.sqrt(400) / 4 ** (-1 / (2 * m - 2)) - 1) < 0.02
    np.testing.assert_array_equal(model.predict(X, verbose=0), 0)
    kept = model.get_weights()
    model.fit(X, Y, verbose=0) if model.compiled else losses_of(model, 1)
    start = model.layers[0].get_weights()[0]
    apply_fixup(model)  # again
    for a, b in zip(kept[2:], model.get_weights()[2:], strict=True):
        if a.ndim == 2:
            np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(model.layers[0].get_weights()[0], start)


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (lambda: layers.Residual([]), TypeError, "expected a list of layers"),
        (lambda: layers.Residual([3]), TypeError, r"expected a list of layers, received \[3\]"),
        (lambda: layers.Residual([layers.Dense(3)])(X), ValueError, r"give back the shape \(None, 8\), received"),
        (lambda: layers.LayerScale("a"), TypeError, "init_values as a finite number"),
        (lambda: layers.LayerScale(None), TypeError, "init_values as a finite number"),
        (lambda: layers.LayerScale(np.nan), ValueError, "init_values as a finite number"),
        (lambda: layers.Residual(None), TypeError, "expected a list of layers, received None"),
        (lambda: residual_mlp(None, 4, 1, 1), ValueError, "every axis of shape to be an integer"),
        (lambda: residual_mlp(8, 4, 0, 1), ValueError, "blocks"),
        (lambda: residual_mlp(8, 4, 1, 1, layers_per_block=0), ValueError, "layers_per_block"),
        (lambda: residual_mlp(8, 4, 1, 1, scheme="fixed"), ValueError, "'fixed'"),
        (lambda: apply_fixup(keras.Sequential([keras.Input((2,)), layers.Dense(1)])), ValueError, "Residual layers"),
        (lambda: apply_fixup(keras.Sequential([layers.Residual(layers.Dense(1))])), ValueError, "that is built"),
    ],
)
def test_blocks_that_cannot_be_are_refused(act, error, message):
    with pytest.raises(error, match=message):
        act()


def test_the_width_of_an_input_may_be_a_number_of_numpy():
    assert residual_mlp(np.int64(4), 4, 1, 1).input_shape == (None, 4)


def test_a_quantized_stack_is_not_begun_anew():
    model = residual_mlp(8, 16, 2, 3)
    model.quantize("int8")
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"layers that can be trained, received .* which is quantized"):
        apply_fixup(model)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


@pytest.mark.parametrize("scope", ["layer", "global"])
@pytest.mark.parametrize("first", ["prune", "fixup"])
def test_kernels_that_begin_as_zeros_learn_in_a_pruned_model(first, scope):
    model = residual_mlp(8, 16, 2, 3, scheme="none")
    steps = [lambda: keras.pruning.prune(model, 0.5, scope=scope), lambda: apply_fixup(model)]
    for step in steps if first == "prune" else reversed(steps):
        step()
    model.compile("adam", LOSS)
    model.fit(X, Y, epochs=3, verbose=0)
    zeros = [float((w == 0).mean()) for w in model.get_weights() if w.ndim == 2]
    assert all(zeros[i] < 0.1 for i in (2, 4, 5)), zeros


def test_a_schedule_prunes_kernels_that_begin_as_zeros_once_they_have_learnt():
    model = residual_mlp(8, 16, 2, 3)
    model.compile("adam", LOSS)
    schedule = keras.pruning.ConstantSparsity(0.5, begin_step=0, frequency=10)
    model.fit(X, Y, batch_size=32, epochs=3, verbose=0, callbacks=[keras.callbacks.Pruning(schedule)])
    zeros = [float((w == 0).mean()) for w in model.get_weights() if w.ndim == 2]
    np.testing.assert_allclose(zeros, 0.5, atol=0.05)


def test_nothing_but_zeros_is_not_pruned():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, kernel_initializer="zeros")])
    for scope in ("layer", "global"):
        keras.pruning.prune(model, 0.5, scope=scope)
    assert not keras.pruning.is_pruned(model)


def test_the_example_shows_what_reaches_each_depth(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    example = runpy.run_path(str(Path(__file__).resolve().parents[2] / "examples/very_deep.py"))
    seen = example["main"](120)
    norms = {way: example["norms"](monitor) for way, (monitor, _) in seen.items()}
    assert {len(found) for found in norms.values()} == {242}
    assert norms["plain"][0] < 1e-3 * norms["plain"][-1]
    assert norms["layer_scale"][0] > 0.01 * norms["layer_scale"][-1]
    assert seen["fixup"][1][-1] < 0.85 * seen["fixup"][1][0]
    assert "layer_scale" in capsys.readouterr().out
