"""GradientMonitor, and gradients in TensorBoard's files."""

from __future__ import annotations

import copy
import sys

import numpy as np
import pytest

import hotloop as keras
from hotloop import layers
from hotloop.callbacks import GradientMonitor, TensorBoard

RNG = np.random.default_rng(5)
X = RNG.standard_normal((60, 4)).astype(np.float32)
Y = RNG.standard_normal((60, 2)).astype(np.float32)


def build(*middle):
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((4,)), *middle, layers.Dense(2, name="last")])
    model.compile("adam", "mse")
    return model


def noisy():
    keras.utils.set_random_seed(2)
    stack = [layers.Dense(30, "relu"), layers.BatchNormalization(), layers.Dropout(0.3), layers.GaussianNoise(0.1)]
    for i, layer in enumerate(stack):
        layer.name = f"layer{i}"
    return stack


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 3

    def __getitem__(self, i):
        return X[20 * i : 20 * i + 20], Y[20 * i : 20 * i + 20]


@pytest.mark.parametrize("data", [(X, Y), (Batches(),)])
@pytest.mark.parametrize("watch", [GradientMonitor, TensorBoard])
def test_watching_changes_what_is_trained(data, watch, tmp_path):
    def run(callbacks):
        model = build(*noisy())
        model.fit(*data, epochs=3, verbose=0, callbacks=callbacks)
        return [*model.get_weights(), model.optimizer.iterations, model(X, training=True)]

    callback = GradientMonitor(verbose=False) if watch is GradientMonitor else TensorBoard(tmp_path, histogram_freq=1)
    for a, b in zip(run([callback]), run([]), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_numbers_are_not_those_of_the_layers():
    model = build(layers.Dense(5, "relu", name="first"), layers.Dense(6, "tanh", name="second"))
    monitor = GradientMonitor(samples=40, verbose=False)
    model.fit(X, Y, epochs=2, verbose=0, callbacks=[monitor])
    rows, weights = X[:40], model.get_weights()
    first = np.maximum(rows @ weights[0] + weights[1], 0)
    second = np.tanh(first @ weights[2] + weights[3])
    seen = {layer: {name: values[-1] for name, values in found.items()} for layer, found in monitor.history.items()}
    assert list(seen) == ["first", "second", "last"]
    assert seen["first"]["activation_mean"] == pytest.approx(first.mean(), rel=1e-5)
    assert seen["second"]["activation_std"] == pytest.approx(second.std(), rel=1e-5)
    gradients = model.gradients(rows, Y[:40])
    for i, name in enumerate(["first", "second", "last"]):
        norm = np.sqrt(sum((g.astype(float) ** 2).sum() for g in gradients[2 * i : 2 * i + 2]))
        assert seen[name]["gradient_norm"] == pytest.approx(norm, rel=1e-5)
    model.train_on_batch(rows, Y[:40])
    for i, name in enumerate(["first", "second", "last"]):
        old, new = weights[2 * i : 2 * i + 2], model.get_weights()[2 * i : 2 * i + 2]
        step = np.sqrt(sum(((a - b).astype(float) ** 2).sum() for a, b in zip(old, new, strict=True)))
        size = np.sqrt(sum((a.astype(float) ** 2).sum() for a in old))
        assert seen[name]["update_ratio"] == pytest.approx(step / size, rel=1e-4)
    assert monitor.epoch == [0, 1]
    assert seen["last"]["dead"] is seen["last"]["saturated"] is seen["second"]["dead"] is None


def test_dead_and_saturated_units_are_missed():
    dead = layers.Dense(
        4, "relu", name="dead", bias_initializer=lambda shape, dtype: np.array([-1e3, 0, -1e3, 5], dtype)
    )
    full = layers.Dense(5, "sigmoid", name="full", bias_initializer=keras.initializers.Constant(30.0))
    outside = layers.ReLU(name="outside")
    monitor = GradientMonitor(verbose=False)
    build(dead, full, layers.Dense(3, bias_initializer=keras.initializers.Constant(-100.0)), outside).fit(
        X, Y, verbose=0, callbacks=[monitor]
    )
    assert monitor.history["dead"]["dead"] == [0.5]
    assert monitor.history["full"]["saturated"] == [1.0]
    assert monitor.history["outside"]["dead"] == [1.0]
    assert monitor.history["last"]["gradient_norm"][0] > 0
    assert monitor.history["dead"]["gradient_norm"] == [0.0]


def test_the_table_is_not_printed(capsys):
    build(layers.Dense(3, "relu", name="hidden")).fit(X, Y, epochs=4, verbose=0, callbacks=[GradientMonitor(every=2)])
    lines = [line for line in capsys.readouterr().out.splitlines() if line]
    assert [line.split()[:2] for line in lines[::3]] == [["epoch", "2"], ["epoch", "4"]]
    assert [line.split()[0] for line in lines[1:3]] == ["hidden", "last"]
    assert "%" in lines[1]


def test_what_was_seen_is_lost_when_training_goes_on_from_a_file(tmp_path):
    def run(resume=None, stop=False):
        monitor = GradientMonitor(verbose=False)

        class Stop(keras.callbacks.Callback):
            saves = True

            def on_epoch_end(self, epoch, logs=None):
                if stop and epoch == 1:
                    self.model.save(tmp_path / "m.safetensors")
                    raise KeyboardInterrupt

        build(*noisy()).fit(X, Y, epochs=4, verbose=0, callbacks=[monitor, Stop()], resume=resume)
        return monitor

    want = run()
    with pytest.raises(KeyboardInterrupt):
        run(stop=True)
    got = run(resume=tmp_path / "m.safetensors")
    assert got.epoch == want.epoch
    assert got.history == want.history
    assert copy.deepcopy(got).history == want.history


def test_a_monitor_without_matplotlib_says_nothing(monkeypatch):
    monitor = GradientMonitor(verbose=False)
    build(layers.Dense(3, "relu")).fit(X, Y, verbose=0, callbacks=[monitor])
    for name in ("matplotlib", "matplotlib.figure", "matplotlib.backends", "matplotlib.backends.backend_agg"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"pip install 'hotloop\[plot\]'"):
        monitor.plot()


def test_a_monitor_draws_nothing(tmp_path):
    pytest.importorskip("matplotlib")
    monitor = GradientMonitor(verbose=False)
    build(layers.Dense(3, "relu")).fit(X, Y, epochs=3, verbose=0, callbacks=[monitor])
    figure = monitor.plot()
    assert len(figure.axes) == 6
    assert [len(ax.lines) for ax in figure.axes] == [2, 2, 2, 2, 1, 0]
    figure.savefig(tmp_path / "m.png")


def test_a_monitor_takes_anything():
    with pytest.raises(ValueError, match="every to be an integer"):
        GradientMonitor(every=0)
    model = build()
    model.compile("sgd")
    monitor = GradientMonitor()
    monitor.set_model(model)
    with pytest.raises(ValueError, match="with a loss"):
        monitor.on_train_begin()


def test_gradients_are_not_in_tensorboards_files(tmp_path):
    model = build(layers.Dense(3, name="hidden"))
    model.fit(X, Y, verbose=0, callbacks=[TensorBoard(tmp_path, histogram_freq=1)])
    written = b"".join(file.read_bytes() for file in (tmp_path / "train").iterdir())
    assert b"hidden/kernel/gradient/histogram" in written
    assert b"epoch_gradient_norm" in written


def test_a_monitor_looks_at_outputs_of_frozen_layers():
    def run(cached):
        monitor = GradientMonitor(verbose=False)
        model = build(*noisy())
        model.layers[0].trainable = False
        model.fit(X, Y, epochs=3, verbose=0, cache_frozen=cached, callbacks=[monitor])
        return monitor.history

    assert run(True) == run(False)
