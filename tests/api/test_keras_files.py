"""Keras's files, written and read here, without Keras: everything that they can hold comes back."""

from __future__ import annotations

import io
import json
import sys
import zipfile

import numpy as np
import pytest

import hotloop as keras
import saving_cases
from hotloop.saving import FormatError
from saving_cases import L, X, Y, compiled, fit, same_weights

h5py = pytest.importorskip("h5py", reason="h5py is not installed")
SUFFIXES = (".keras", ".h5")
ONLY_OURS = ("activated", "block_sparse", "with_bare_operations", "noisy", "residual")
MODELS = [make for make in saving_cases.MODELS if make.__name__ not in ONLY_OURS]


def through_file(model, tmp_path, suffix=".keras", **kwargs):
    model.save(tmp_path / f"m{suffix}")
    return keras.models.load_model(tmp_path / f"m{suffix}", **kwargs)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("make", MODELS)
def test_a_model_comes_back_with_its_predictions(tmp_path, make, suffix):
    model = compiled(make)
    fit(model)
    again = through_file(model, tmp_path, suffix)
    assert type(again) is type(model)
    assert again.name == model.name
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    assert [v.trainable for v in again.weights] == [v.trainable for v in model.weights]
    assert same_weights(model, again)
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))
    assert list(again.evaluate(X, Y, verbose=0)) == list(model.evaluate(X, Y, verbose=0))


@pytest.mark.parametrize("optimizer", saving_cases.KERAS_OPTIMIZERS)
def test_training_goes_on_bit_for_bit_from_a_keras_file(tmp_path, optimizer):
    model = compiled(saving_cases.frozen, optimizer)
    fit(model, shuffle=False)
    again = through_file(model, tmp_path)
    assert again.optimizer.batches == model.optimizer.batches == 6
    assert fit(again, 3, shuffle=False) == fit(model, 3, shuffle=False)
    assert same_weights(model, again)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_compile_false_leaves_the_model_uncompiled(tmp_path, suffix):
    assert not through_file(compiled(saving_cases.plain), tmp_path, suffix, compile=False).compiled
    assert not through_file(saving_cases.plain(), tmp_path, suffix).compiled


def test_the_old_decay_becomes_the_schedule_that_computes_the_same(tmp_path):
    model = saving_cases.plain()
    with pytest.warns(DeprecationWarning, match="schedule"):
        optimizer = keras.optimizers.SGD(0.1, momentum=0.9, decay=0.01)
    model.compile(optimizer, "mse")
    again = through_file(model, tmp_path)
    assert again.optimizer.rates(7, 3).tolist() == pytest.approx(optimizer.rates(7, 3).tolist(), rel=1e-12)


def mean_gap(y_true, y_pred):
    return keras.ops.abs(y_true - y_pred)


def doubled(x):
    return x * 2.0


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_functions_of_ones_own_are_found_by_name(tmp_path, suffix):
    model = keras.Sequential([keras.Input((4,)), L.Dense(3, activation=doubled), L.Lambda(doubled), L.Dense(1)])
    model.compile("sgd", mean_gap, metrics=[mean_gap])
    model.save(tmp_path / f"m{suffix}")
    with pytest.raises(FormatError, match="doubled"):
        keras.models.load_model(tmp_path / f"m{suffix}")
    again = keras.models.load_model(tmp_path / f"m{suffix}", {"doubled": doubled, "mean_gap": mean_gap})
    assert again.evaluate(X, Y, verbose=0) == model.evaluate(X, Y, verbose=0)


class Branching(keras.Model):
    def __init__(self, width=3, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.first = L.Dense(width, activation="relu")
        self.heads = [L.Dense(width), L.Dense(width)]
        self.last = {"out": L.Dense(1)}

    def call(self, inputs):
        hidden = self.first(inputs)
        return self.last["out"](self.heads[0](hidden) + self.heads[1](hidden))

    def get_config(self):
        return {"name": self.name, "width": self.width}


def test_a_model_class_of_ones_own_comes_back_from_a_keras_file_by_its_attributes(tmp_path):
    model = Branching(5)
    model.compile("adam", "mse")
    model.fit(X, Y, verbose=0)
    model.save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        content = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(content, "r") as file:
        assert file["first/vars/0"].shape == (4, 5)
        assert file["heads/dense_1/vars/1"].shape == (5,)
        assert file["last/dense/vars/0"].shape == (5, 1)
    again = keras.models.load_model(tmp_path / "m.keras", {"Branching": Branching})
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))
    with pytest.raises(ValueError, match=r"Save to \.keras"):
        model.save(tmp_path / "m.h5")


@pytest.mark.parametrize("make", saving_cases.MODELS)
def test_weights_alone_come_back(tmp_path, make):
    model, other = compiled(make), compiled(make)
    fit(model)
    model.save_weights(tmp_path / "w.weights.h5")
    other.load_weights(tmp_path / "w.weights.h5")
    assert same_weights(model, other)


def named(width, *names):
    layers = [L.Dense(width, name=name) for name in names]
    return keras.Sequential([keras.Input((4,)), *layers])


@pytest.mark.parametrize("ending", ["m.keras", "m.h5", "m.weights.h5"])
def test_layers_are_loaded_by_name_and_by_pattern(tmp_path, ending):
    source = named(4, "hidden1", "hidden2", "old_output")
    (source.save_weights if "weights" in ending else source.save)(tmp_path / ending)
    target = named(4, "hidden2", "extra", "hidden1")
    before = target.get_layer("extra").get_weights()
    target.load_weights(tmp_path / ending, by_name=True)
    for name in ("hidden1", "hidden2"):
        for mine, theirs in zip(
            target.get_layer(name).get_weights(), source.get_layer(name).get_weights(), strict=True
        ):
            np.testing.assert_array_equal(mine, theirs)
    np.testing.assert_array_equal(target.get_layer("extra").get_weights()[0], before[0])
    target = named(4, "hidden1", "hidden2")
    before = target.get_layer("hidden2").get_weights()
    target.load_weights(tmp_path / ending, by_name="hidden[13]")
    np.testing.assert_array_equal(target.get_layer("hidden1").get_weights()[0], source.layers[0].get_weights()[0])
    np.testing.assert_array_equal(target.get_layer("hidden2").get_weights()[0], before[0])


def test_weights_of_another_shape_change_nothing_or_are_left_out(tmp_path):
    source, target = named(4, "a", "b"), keras.Sequential([keras.Input((4,)), L.Dense(4), L.Dense(3)])
    source.save_weights(tmp_path / "w.weights.h5")
    before = target.get_weights()
    with pytest.raises(ValueError, match=r"shape \(4, 3\)"):
        target.load_weights(tmp_path / "w.weights.h5")
    for old, new in zip(before, target.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    with pytest.warns(UserWarning, match="left out weights"):
        target.load_weights(tmp_path / "w.weights.h5", skip_mismatch=True)
    np.testing.assert_array_equal(target.get_weights()[0], source.get_weights()[0])


def test_model_checkpoint_writes_keras_files(tmp_path):
    model = compiled(saving_cases.plain)
    best = keras.callbacks.ModelCheckpoint(tmp_path / "best.keras", monitor="loss", save_best_only=True)
    every = keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.weights.h5", save_weights_only=True)
    fit(model, 2, callbacks=[best, every])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.weights.h5", "2.weights.h5", "best.keras"]
    other = compiled(saving_cases.plain)
    other.load_weights(tmp_path / "2.weights.h5")
    assert same_weights(model, other)


@pytest.mark.parametrize("ending", ["m.keras", "m.h5", "m.weights.h5"])
def test_a_save_that_fails_leaves_the_old_file(tmp_path, ending, monkeypatch):
    model = compiled(saving_cases.plain)
    write = model.save_weights if "weights" in ending else model.save
    write(tmp_path / ending)
    before = (tmp_path / ending).read_bytes()

    def full(*args, **kwargs):
        raise OSError("no space left")

    monkeypatch.setattr(h5py.Group, "create_dataset", full)
    with pytest.raises(OSError, match="no space"):
        write(tmp_path / ending)
    assert (tmp_path / ending).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [ending]


@pytest.mark.parametrize("make", [m for m in saving_cases.MODELS if m.__name__ in ONLY_OURS])
def test_what_keras_has_not_is_refused_by_name_and_nothing_is_written(tmp_path, make):
    with pytest.raises(ValueError, match=r"Save to \.safetensors"):
        make().save(tmp_path / "m.keras")
    assert list(tmp_path.iterdir()) == []


def test_without_h5py_the_error_says_what_to_install(tmp_path, monkeypatch):
    model = saving_cases.plain()
    model.save(tmp_path / "m.keras")
    monkeypatch.setitem(sys.modules, "h5py", None)
    for call in (lambda: model.save(tmp_path / "n.keras"), lambda: keras.models.load_model(tmp_path / "m.keras"),
                 lambda: model.save_weights(tmp_path / "n.weights.h5"),
                 lambda: model.load_weights(tmp_path / "m.keras")):  # fmt: skip
        with pytest.raises(ImportError, match=r"pip install 'hotloop\[keras\]'"):
            call()
    assert [path.name for path in tmp_path.iterdir()] == ["m.keras"]


# -- files of Keras 2, made by hand ----------------------------------------------------------------------------------


def dense2(name, units, **more):
    zeros = {"class_name": "Zeros", "config": {}}
    glorot = {"class_name": "GlorotUniform", "config": {"seed": None}, "shared_object_id": 1}
    config = {"name": name, "trainable": True, "dtype": "float32", "units": units, "activation": "relu",
              "use_bias": True, "kernel_initializer": glorot, "bias_initializer": zeros, "kernel_regularizer": None,
              "bias_regularizer": None, "activity_regularizer": None, "kernel_constraint": None,
              "bias_constraint": None}  # fmt: skip
    return {"class_name": "Dense", "config": {**config, **more}}


def write_keras2(path, model_config, layers, training=None, whole=True):
    with h5py.File(path, "w") as file:
        root = file
        if whole:
            file.attrs["keras_version"] = b"2.15.0"
            file.attrs["model_config"] = json.dumps(model_config).encode()
            if training is not None:
                file.attrs["training_config"] = json.dumps(training)
            root = file.create_group("model_weights")
        root.attrs["layer_names"] = [name.encode() for name in layers]
        for name, weights in layers.items():
            group = root.create_group(name)
            group.attrs["weight_names"] = [weight.encode() for weight in weights]
            for weight, value in weights.items():
                group.create_dataset(weight, data=value)


def numbers(*shape, seed=3):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def norm_weights(name, n):
    return {f"{name}/{weight}:0": abs(numbers(n, seed=i)) + 0.5 for i, weight in
            enumerate(("gamma", "beta", "moving_mean", "moving_variance"))}  # fmt: skip


def test_a_sequential_of_keras_2_is_read(tmp_path):
    norm = {"name": "bn", "trainable": True, "dtype": "float32", "axis": [1], "momentum": 0.99, "epsilon": 0.001}
    config = {"class_name": "Sequential", "config": {"name": "old", "layers": [
        {"class_name": "InputLayer", "config": {"batch_input_shape": [None, 4], "dtype": "float32", "sparse": False,
                                                "ragged": False, "name": "in"}},
        dense2("a", 3), {"class_name": "BatchNormalization", "config": norm},
        {"class_name": "LeakyReLU", "config": {"name": "l", "trainable": True, "dtype": "float32", "alpha": 0.2}},
        dense2("b", 1, activation="linear")]}}  # fmt: skip
    training = {"loss": "mse", "metrics": [[{"class_name": "MeanMetricWrapper", "config": {
        "name": "accuracy", "dtype": "float32", "fn": "binary_accuracy"}}]], "loss_weights": None,
        "weighted_metrics": None, "optimizer_config": {"class_name": "Custom>Adam", "config": {
            "name": "Adam", "learning_rate": 0.009999999776482582, "decay": 0.0, "beta_1": 0.9, "beta_2": 0.999,
            "epsilon": 1e-07, "amsgrad": False, "jit_compile": False, "is_legacy_optimizer": False}}}  # fmt: skip
    layers = {"a": {"a/kernel:0": numbers(4, 3), "a/bias:0": numbers(3)}, "bn": norm_weights("bn", 3), "l": {},
              "b": {"b/kernel:0": numbers(3, 1), "b/bias:0": numbers(1)}}  # fmt: skip
    write_keras2(tmp_path / "old.h5", config, layers, training)
    model = keras.models.load_model(tmp_path / "old.h5")
    z = np.maximum(X @ layers["a"]["a/kernel:0"] + layers["a"]["a/bias:0"], 0)
    gamma, beta, mean, variance = layers["bn"].values()
    z = (z - mean) / np.sqrt(variance + 0.001) * gamma + beta
    z = np.where(z < 0, 0.2 * z, z)
    want = z @ layers["b"]["b/kernel:0"] + layers["b"]["b/bias:0"]
    np.testing.assert_allclose(model.predict(X, verbose=0), want, rtol=1e-5, atol=1e-6)
    assert model.optimizer.learning_rate == 0.01
    assert set(model.evaluate(X, Y, verbose=0, return_dict=True)) == {"loss", "accuracy"}


def test_a_first_layer_that_says_its_shape_is_read(tmp_path):
    first = dense2("a", 3, batch_input_shape=[None, 4])
    config = {"class_name": "Sequential", "config": {"name": "old", "layers": [first]}}
    layers = {"a": {"a/kernel:0": numbers(4, 3), "a/bias:0": numbers(3)}}
    write_keras2(tmp_path / "old.h5", config, layers)
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "old.h5").get_weights()[0], numbers(4, 3))


def test_a_graph_of_keras_2_with_a_model_inside_is_read(tmp_path):
    inner = {"class_name": "Sequential", "name": "inner", "config": {"name": "inner", "layers": [
        {"class_name": "InputLayer", "config": {"batch_input_shape": [None, 4], "dtype": "float32", "name": "i"}},
        dense2("d", 4)]}, "inbound_nodes": [[["x", 0, 0, {}]], [["inner", 1, 0, {}]]]}  # fmt: skip
    config = {"class_name": "Functional", "config": {"name": "old", "layers": [
        {"class_name": "InputLayer", "name": "x", "inbound_nodes": [],
         "config": {"batch_input_shape": [None, 4], "dtype": "float32", "name": "x"}},
        inner,
        {"class_name": "Add", "name": "sum", "config": {"name": "sum", "trainable": True, "dtype": "float32"},
         "inbound_nodes": [[["inner", 1, 0, {}], ["inner", 2, 0, {}]]]}],
        "input_layers": [["x", 0, 0]], "output_layers": [["sum", 0, 0]]}}  # fmt: skip
    kernel, bias = numbers(4, 4), numbers(4)
    write_keras2(tmp_path / "old.h5", config, {"x": {}, "inner": {"d/kernel:0": kernel, "d/bias:0": bias}, "sum": {}})
    model = keras.models.load_model(tmp_path / "old.h5")
    once = np.maximum(X @ kernel + bias, 0)
    want = once + np.maximum(once @ kernel + bias, 0)
    np.testing.assert_allclose(model.predict(X, verbose=0), want, rtol=1e-5, atol=1e-6)


def test_weights_alone_of_keras_2_are_read_in_order_and_by_name(tmp_path):
    layers = {"a": {"a/kernel:0": numbers(4, 4), "a/bias:0": numbers(4)}, "drop": {},
              "b": {"b/kernel:0": numbers(4, 4, seed=5), "b/bias:0": numbers(4, seed=6)}}  # fmt: skip
    write_keras2(tmp_path / "old.h5", None, layers, whole=False)
    model = named(4, "one", "two")
    model.load_weights(tmp_path / "old.h5")
    np.testing.assert_array_equal(model.get_weights()[2], numbers(4, 4, seed=5))
    model = named(4, "b", "c")
    model.load_weights(tmp_path / "old.h5", by_name=True)
    np.testing.assert_array_equal(model.get_weights()[0], numbers(4, 4, seed=5))
    with pytest.raises(FormatError, match=r"model\.load_weights"):
        keras.models.load_model(tmp_path / "old.h5")


def test_many_names_are_split_over_several_attributes(tmp_path):
    layers = [L.Dense(1, name=f"{'layer' * 30}_{i}") for i in range(500)]
    model = keras.Sequential([keras.Input((1,)), *layers])
    again = through_file(model, tmp_path, ".h5")
    assert same_weights(model, again)
    with h5py.File(tmp_path / "m.h5") as file:
        assert "layer_names1" in file["model_weights"].attrs


@pytest.mark.parametrize("loss", ["quantile", keras.losses.Quantile()])
def test_losses_that_keras_has_not_are_refused_by_name(tmp_path, loss):
    model = saving_cases.plain()
    model.compile("sgd", loss)
    with pytest.raises(ValueError, match="received Quantile"):
        model.save(tmp_path / "m.keras")
