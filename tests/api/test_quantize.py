"""Weights in fewer bits: layer.quantize, model.quantize, and what becomes of such models."""

from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pytest

import hotloop as keras
from hotloop import layers, pruning
from hotloop.layers.quantization import abs_max_quantize
from hotloop.saving import FormatError
from hotloop.variable import rounded_to_bfloat16

MODES = ("int8", "bfloat16", "float16")


def network(seed=0, units=40):
    keras.utils.set_random_seed(seed)
    dense = keras.layers.Dense
    return keras.Sequential([keras.Input((30,)), dense(units, "relu"), keras.layers.BatchNormalization(), dense(10)])


@pytest.fixture
def x(rng):
    return rng.standard_normal((50, 30)).astype(np.float32)


@pytest.mark.parametrize("mode", MODES)
def test_a_quantized_model_predicts_nearly_the_same_and_says_so(mode, x):
    model = network()
    before = model.predict(x, verbose=0)
    model.quantize(mode)
    after = model.predict(x, verbose=0)
    assert (
        0
        < np.abs(after - before).max()
        < {"int8": 0.05, "bfloat16": 0.02, "float16": 0.002}[mode] * np.abs(before).max()
    )
    np.testing.assert_array_equal(model(x[:1]), after[:1])
    assert model.layers[0].kernel.dtype == mode
    assert not model.layers[0].kernel.trainable
    assert [layer.storage for layer in model.layers if isinstance(layer, keras.layers.Dense)] == [mode, mode]


def test_int8_kernels_are_kerass(rng):
    layer = keras.layers.Dense(7)
    kernel = rng.standard_normal((5, 7)).astype(np.float32)
    layer.build((None, 5))
    layer.kernel.assign(kernel)
    layer.quantize("int8")
    scale = 127 / (np.abs(kernel).max(axis=0) + np.float32(1e-7))
    np.testing.assert_allclose(layer.kernel_scale.numpy(), scale, rtol=1e-6)
    np.testing.assert_array_equal(layer.kernel.numpy(), np.round(kernel * layer.kernel_scale.numpy()))
    assert layer.kernel.numpy().dtype == np.int8
    assert [v.name for v in layer.non_trainable_weights] == ["kernel", "kernel_scale"]
    assert [v.name for v in layer.trainable_weights] == ["bias"]


@pytest.mark.parametrize("mode", MODES)
def test_files_hold_the_stored_numbers_and_give_them_back(mode, x, tmp_path):
    model = network(units=400)
    model.compile("adam", "mse")
    model.save(tmp_path / "whole.safetensors")
    model.quantize(mode)
    want = model.predict(x, verbose=0)
    model.save(tmp_path / "small.safetensors")
    again = keras.models.load_model(tmp_path / "small.safetensors")
    np.testing.assert_array_equal(again.predict(x, verbose=0), want)
    assert [v.dtype for v in again.weights] == [v.dtype for v in model.weights]
    model.save_weights(tmp_path / "weights.safetensors")
    other = network(1, units=400)
    other.quantize(mode)
    other.load_weights(tmp_path / "weights.safetensors")
    np.testing.assert_array_equal(other.predict(x, verbose=0), want)


def test_files_are_smaller(tmp_path):
    keras.utils.set_random_seed(0)
    sizes = {}
    for mode in (None, *MODES):
        model = keras.Sequential([keras.Input((784,)), keras.layers.Dense(300, "relu"), keras.layers.Dense(10)])
        if mode:
            model.quantize(mode)
        model.save_weights(tmp_path / "model.safetensors")
        sizes[mode] = (tmp_path / "model.safetensors").stat().st_size
    assert sizes[None] > 3.8 * sizes["int8"]
    assert sizes[None] > 1.95 * sizes["bfloat16"]
    assert sizes["bfloat16"] == pytest.approx(sizes["float16"], rel=0.01)


@pytest.mark.parametrize("mode", MODES)
def test_copies_of_a_quantized_model_are_quantized(mode, x):
    model = network()
    model.quantize(mode)
    want = model.predict(x, verbose=0)
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    for other in (clone, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(other.predict(x, verbose=0), want)
        assert other.layers[0].kernel.dtype == mode


@pytest.mark.parametrize("mode", MODES)
def test_what_is_not_quantized_is_still_trained(mode, x):
    model = network()
    model.layers[0].quantize(mode)
    model.compile("adam", "mse")
    y = np.zeros((50, 10), np.float32)
    before = [v.numpy() for v in model.weights]
    losses = model.fit(x, y, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    stored = model.layers[0].non_trainable_weights
    for old, variable in zip(before, model.weights, strict=True):
        assert np.array_equal(old, variable.numpy()) == (variable in stored), variable.path


def test_a_model_trained_in_averages_and_resumed_keeps_stored_weights(x, tmp_path):
    model = network()
    model.layers[0].quantize("int8")
    model.compile(keras.optimizers.Adam(use_ema=True), "mse")
    y = np.zeros((50, 10), np.float32)
    kernel = model.layers[0].kernel.numpy()
    model.fit(x, y, epochs=2, verbose=0)
    model.save(tmp_path / "model.safetensors")
    again = keras.models.load_model(tmp_path / "model.safetensors")
    for one in (model, again):
        one.fit(x, y, epochs=2, verbose=0)
    for a, b in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(model.layers[0].kernel.numpy(), kernel)


def test_filters_choose_layers_by_name_or_function(x):
    for filters in ("first", ["fir", "none"], lambda layer: layer.name == "first"):
        model = keras.Sequential(
            [keras.Input((30,)), keras.layers.Dense(8, name="first"), keras.layers.Dense(8, name="second")]
        )
        model.quantize("int8", filters=filters)
        assert [layer.storage for layer in model.layers] == ["int8", None]
    with pytest.raises(ValueError, match="Dense layers that the filters choose, received none"):
        model.quantize("int8", filters="third")
    with pytest.raises(ValueError, match="regular expressions"):
        model.quantize("int8", filters="(")
    with pytest.raises(TypeError, match="filters"):
        model.quantize("int8", filters=3)


@pytest.mark.parametrize(
    ("mode", "number"), [("float16", 7e4), ("bfloat16", 3.402823e38), ("int8", np.inf), ("int8", np.nan)]
)
def test_a_kernel_beyond_the_range_of_a_mode_is_not_lost(mode, number, x):
    model = network()
    kernel = model.layers[2].kernel.numpy()
    kernel[3, 4] = number
    model.layers[2].kernel.assign(kernel)
    with pytest.raises(ValueError, match=rf"expected a kernel of numbers up to .* which {mode} can hold, received"):
        model.quantize(mode)
    assert [layer.storage for layer in (model.layers[0], model.layers[2])] == [None, None]
    np.testing.assert_array_equal(model.layers[2].kernel.numpy(), kernel)


def test_a_refused_quantization_leaves_the_model_as_it_was(x):
    class Tied(keras.layers.Layer):
        def __init__(self, dense):
            super().__init__()
            self.dense = dense

        def call(self, y):
            return keras.ops.matmul(y, keras.ops.transpose(self.dense.kernel))

    inputs = keras.Input((30,))
    dense = keras.layers.Dense(8)
    model = keras.Model(inputs, Tied(dense)(dense(inputs)))
    before = model.predict(x, verbose=0)
    with pytest.raises(ValueError, match="expected weights of float32"):
        model.quantize("int8")
    np.testing.assert_array_equal(model.predict(x, verbose=0), before)
    assert dense.storage is None
    model.compile("sgd", "mse")
    model.fit(x, x, verbose=0)


def test_bad_requests_say_what_is_wrong(x):
    model = network()
    with pytest.raises(ValueError, match="expected one of int8, float16, bfloat16, received 'int4'"):
        model.quantize("int4")
    model.quantize("int8")
    with pytest.raises(ValueError, match="not quantized, received one in int8"):
        model.quantize("float16")
    with pytest.raises(ValueError, match="not built"):
        keras.Sequential([keras.layers.Dense(3)]).quantize("int8")
    with pytest.raises(ValueError, match="DropConnectDense"):
        keras.layers.DropConnectDense(3, 0.5, storage="int8")
    with pytest.raises(ValueError, match="trainable=False"):
        model.layers[0].kernel.trainable = True
    with pytest.raises(ValueError, match="whole numbers"):
        model.layers[0].kernel.assign(np.full((30, 40), 0.5))
    model.trainable = False
    model.trainable = True
    assert not model.layers[0].kernel.trainable


def test_stored_variables_hold_the_nearest_numbers(rng):
    values = rng.standard_normal((4, 5)).astype(np.float32)
    half = keras.Variable(values, dtype="float16", trainable=False)
    np.testing.assert_array_equal(half.numpy(), values.astype(np.float16))
    brain = keras.Variable(values, dtype="bfloat16", trainable=False)
    np.testing.assert_array_equal(brain.numpy(), rounded_to_bfloat16(values))
    assert brain.numpy().dtype == np.float32
    with pytest.raises(ValueError, match="trainable=False"):
        keras.Variable(values, dtype="float16")


def test_a_layer_may_be_made_with_stored_weights(x):
    layer = keras.layers.Dense(5, storage="int8", kernel_initializer="ones")
    assert layer(np.ones((1, 3))) == pytest.approx(3, rel=0.02)
    again = keras.layers.Dense.from_config(layer.get_config())
    assert again.storage == "int8"
    assert "storage" not in keras.layers.Dense(5).get_config()


@pytest.mark.parametrize(("mode", "size"), [("int8", 1), ("bfloat16", 2), ("float16", 2)])
def test_a_summary_counts_bytes_as_they_are_stored(mode, size, capsys):
    model = keras.Sequential([keras.Input((30,)), keras.layers.Dense(8, use_bias=False)])
    model.quantize(mode)
    scales = 8 * 4 if mode == "int8" else 0
    assert sum(v.nbytes for v in model.weights) == 240 * size + scales
    model.summary()
    assert f"({240 * size + scales}.00 B)" in capsys.readouterr().out


def test_columns_of_zeros_have_a_scale():
    values, scale = abs_max_quantize(np.zeros((3, 2)))
    assert not values.any()
    assert np.isfinite(scale).all()
    values, scale = abs_max_quantize(np.zeros((0, 2)))
    assert values.shape == (0, 2)


@pytest.mark.parametrize("mode", MODES)
def test_exported_models_compute_with_the_stored_numbers(mode, x, tmp_path):
    model = network()
    model.quantize(mode)
    floats = network()
    for layer, stored in zip(floats.layers, model.layers, strict=True):
        if isinstance(layer, keras.layers.Dense):
            kernel = stored.kernel.numpy().astype(np.float32)
            layer.kernel.assign(kernel / stored.kernel_scale.numpy() if mode == "int8" else kernel)
            layer.bias.assign(stored.bias)
    model.export_c(tmp_path / "model.c")
    text = (tmp_path / "model.c").read_text()
    assert "static const" in text
    np.testing.assert_allclose(floats.predict(x, verbose=0), model.predict(x, verbose=0), atol=0.05)


def test_files_of_keras_hold_no_weights_in_fewer_bits(tmp_path):
    pytest.importorskip("h5py")
    model = network()
    model.quantize("int8")
    for save, name in ((model.save, "m.keras"), (model.save, "m.h5"), (model.save_weights, "m.weights.h5")):
        with pytest.raises(ValueError, match=r"received '.*kernel' in int8"):
            save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", MODES)
def test_quantized_layers_stay_as_they_are_and_are_not_pruned(mode, x):
    dense = keras.layers.Dense
    model = keras.Sequential([keras.Input((30,)), dense(40, "tanh"), dense(24, "tanh"), dense(2)])
    pruning.prune(model, 0.9, 16, layers=[model.layers[0]])
    small = pruning.compress(model, most=0.5)
    small.quantize(mode)
    again = pruning.compress(small, most=1.0)
    assert [type(layer).__name__ for layer in again.layers] == ["BlockSparseDense", "Dense", "Dense"]
    assert again(x).tobytes() == small(x).tobytes()
    model.quantize(mode)
    copied = pruning.compress(model, most=1.0)
    assert [type(layer) for layer in copied.layers] == [dense] * 3
    assert copied(x).tobytes() == model(x).tobytes()
    with pytest.raises(ValueError, match="before `quantize`"):
        pruning.prune(model, 0.5)


class Pair(layers.Layer):
    """A layer whose configuration does not tell of the layers inside."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first, self.second = layers.Dense(5, "relu"), layers.Dense(4)

    def call(self, x):
        return self.second(self.first(x))


class Own(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.pair, self.head = Pair(), keras.Sequential([keras.Input((4,)), layers.Dense(3)])

    def call(self, x):
        return self.head(self.pair(x))


@pytest.mark.parametrize("mode", ["int8", "bfloat16", "float16"])
@pytest.mark.parametrize("make", [Own, lambda: keras.Sequential([keras.Input((6,)), Pair(), layers.Dense(2)])])
def test_quantized_layers_inside_classes_of_ones_own_are_kept_by_files_and_copies(make, mode, tmp_path):
    model = make()
    x = np.random.default_rng(0).standard_normal((9, 6)).astype(np.float32)
    model(x)
    model.quantize(mode, filters=lambda layer: layer.units != 5)
    model.save(tmp_path / "m.safetensors")
    own = {"Own": Own, "Pair": Pair}
    for copied in (
        keras.models.load_model(tmp_path / "m.safetensors", custom_objects=own),
        pickle.loads(pickle.dumps(model)),
        copy.deepcopy(model),
    ):
        assert np.array_equal(copied.predict(x, verbose=0), model.predict(x, verbose=0))
        assert [v.dtype for v in copied.weights] == [v.dtype for v in model.weights]
    if model.layers[0].built and isinstance(model, keras.Sequential):
        clone = keras.models.clone_model(model)
        clone.set_weights(model.get_weights())
        assert np.array_equal(clone.predict(x, verbose=0), model.predict(x, verbose=0))


@pytest.mark.parametrize("storage", [3, [3], [[99, "int8"]], [[0, "int8"]], [[2, "int9"]], [[2, []]], [[2, "int8", 1]]])
def test_a_file_that_quantizes_what_it_has_not_is_refused(storage, tmp_path):
    model = keras.Sequential([keras.Input((6,)), Pair()])
    model.quantize("int8")
    model.save(tmp_path / "m.safetensors")
    raw = (tmp_path / "m.safetensors").read_bytes()
    size = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + size])
    [key] = [key for key, text in header["__metadata__"].items() if "storage" in text]
    description = json.loads(header["__metadata__"][key])
    assert description["storage"] == [[2, "int8"], [3, "int8"]]
    header["__metadata__"][key] = json.dumps({**description, "storage": storage})
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (tmp_path / "m.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + raw[8 + size :])
    with pytest.raises(FormatError):
        keras.models.load_model(tmp_path / "m.safetensors", custom_objects={"Pair": Pair})
