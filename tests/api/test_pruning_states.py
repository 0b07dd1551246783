"""What becomes of the optimizer's state of weights that are pruned, and of arguments of other shapes."""

from __future__ import annotations

import numpy as np
import pytest

import hotloop as keras


def data(rng):
    x = rng.standard_normal((200, 20)).astype(np.float32)
    return x, (x[:, :1] > 0).astype(np.float32)


def pruned(optimizer, rng):
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Dense(48, "relu"), keras.layers.Dense(17, "relu"), keras.layers.Dense(1, "sigmoid")]
    model = keras.Sequential([keras.Input((20,)), *layers])
    model.compile(optimizer, "binary_crossentropy")
    keras.pruning.prune(model, 0.5)
    model.fit(*data(rng), batch_size=16, epochs=3, verbose=0)
    return model


@pytest.mark.parametrize("name", ["Ftrl", "Adagrad", "Adam", "RMSprop", "Adadelta", "Lion"])
def test_released_weights_train_on_from_a_state_that_is_none_of_zeros(name, rng):
    """Ftrl's formula is 0 / 0 where the sum of squared gradients is zero, which begins at 0.1."""
    model = pruned(getattr(keras.optimizers, name)(), rng)
    zeros = sum(int((w == 0).sum()) for w in model.get_weights() if w.ndim == 2)
    keras.pruning.release(model)
    model.fit(*data(rng), batch_size=16, epochs=3, verbose=0)
    weights = model.get_weights()
    assert all(np.isfinite(w).all() for w in weights)
    if name != "Ftrl":  # which leaves a weight zero until its gradients add up
        assert sum(int((w == 0).sum()) for w in weights if w.ndim == 2) < zeros


def test_a_pruned_model_in_a_keras_file_trains_on(tmp_path, rng):
    pytest.importorskip("h5py")
    model = pruned(keras.optimizers.Ftrl(), rng)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    again.fit(*data(rng), batch_size=16, epochs=2, verbose=0)
    assert all(np.isfinite(w).all() for w in again.get_weights())


def test_one_layer_or_its_name_may_be_pruned_alone():
    model = keras.Sequential([keras.Input((20,)), keras.layers.Dense(40, name="lower"), keras.layers.Dense(30)])
    keras.pruning.prune(model, 0.5, layers="lower")
    assert (model.layers[0].kernel.numpy() == 0).sum() == 400
    keras.pruning.prune(model, 0.5, layers=model.layers[1])
    assert (model.layers[1].kernel.numpy() == 0).sum() == 600


@pytest.mark.parametrize("block", [1.5, None, "wide"])
def test_a_block_of_another_type_is_refused_by_name(block):
    model = keras.Sequential([keras.Input((20,)), keras.layers.Dense(40)])
    with pytest.raises(ValueError, match="expected block_size to be an integer of at least 1"):
        keras.pruning.prune(model, 0.5, block)


@pytest.mark.parametrize("call", [keras.pruning.prune, keras.pruning.sparsity, keras.pruning.compress])
def test_what_is_no_model_is_refused_by_name(call):
    with pytest.raises(TypeError, match="expected a model, received int"):
        call(3)
