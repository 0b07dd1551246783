"""Arguments of Keras that are not there yet: its defaults are taken, other values refused."""

from __future__ import annotations

import numpy as np
import pytest

import hotloop as keras

L = keras.layers
NOT_YET = [
    (lambda **k: L.Dense(2, **k), {
        "lora_rank": None, "lora_alpha": None, "quantization_config": None, "autocast": True,
    }),
    (L.BatchNormalization, {
        "synchronized": False, "renorm": False, "renorm_clipping": None, "renorm_momentum": 0.99,
    }),
    (lambda **k: L.Embedding(3, 2, **k), {"lora_rank": None, "lora_alpha": None, "quantization_config": None}),
    (lambda **k: L.CategoryEncoding(3, **k), {"sparse": False}),
    (L.StringLookup, {"sparse": False, "encoding": "utf-8"}),
    (L.IntegerLookup, {"sparse": False, "vocabulary_dtype": "int64"}),
    (lambda **k: L.Hashing(3, **k), {"sparse": False}),
    (lambda **k: L.Discretization([0.0], **k), {"sparse": False}),
    (L.RandomFlip, {"bounding_box_format": None}),
    (L.ReLU, {"autocast": True}),
    (lambda **k: keras.Input((2,), **k), {"sparse": None, "ragged": None, "tensor": None, "optional": False}),
    (lambda **k: L.Layer().add_weight((2,), **k), {
        "autocast": True, "aggregation": "none", "overwrite_with_gradient": False,
    }),
]  # fmt: skip


@pytest.mark.parametrize(("make", "defaults"), NOT_YET)
def test_a_default_of_keras_written_out_is_refused(make, defaults):
    make(**defaults)


@pytest.mark.parametrize(("make", "name"), [(make, name) for make, defaults in NOT_YET for name in defaults])
@pytest.mark.parametrize("value", ["l2", 4, np.ones(3)])
def test_an_argument_that_is_not_there_yet_is_ignored(make, name, value):
    with pytest.raises(ValueError, match=f"expected {name}=.* not there yet"):
        make(**{name: value})


def test_a_layer_of_ones_own_loses_the_arguments_of_its_base():
    class Mine(L.Dense):
        pass

    Mine(2, lora_rank=None)
    with pytest.raises(ValueError, match="expected lora_rank=None"):
        Mine(2, lora_rank=4)
    with pytest.raises(ValueError, match="kernel_regulariser"):
        Mine(2, kernel_regulariser=None)


@pytest.mark.parametrize("value", [np.int64(1), np.float32(0.5), 0, 1])
def test_a_momentum_of_another_number_type_is_refused(value):
    assert L.BatchNormalization(momentum=value).momentum == float(value)


@pytest.mark.parametrize("value", [True, "0.9", 1.5, float("nan"), 1j])
def test_a_momentum_that_is_no_number_is_taken(value):
    with pytest.raises(ValueError, match="momentum"):
        L.BatchNormalization(momentum=value)


def test_a_default_of_keras_written_out_is_refused_by_files(tmp_path):
    model, file = keras.Sequential([keras.Input((2,)), L.Dense(1)]), tmp_path / "m.safetensors"
    model.save(file, zipped=None)
    model.load_weights(file, skip_mismatch=False)
    keras.models.save_model(keras.models.load_model(file, safe_mode=True), file, zipped=None)
    for call in (
        lambda: model.save(file, zipped=False),
        lambda: keras.models.load_model(file, safe_mode=False),
    ):
        with pytest.raises(ValueError, match="not there yet"):
            call()
