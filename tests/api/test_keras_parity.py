"""Live comparison with Keras 3 where it is installed: what recorded numbers cannot cover."""

from __future__ import annotations

import os
import warnings

import numpy as np
import pytest

import golden_cases
import golden_values
import hotloop
from random_training import Draw

os.environ.setdefault("KERAS_BACKEND", "jax")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    keras = pytest.importorskip("keras", minversion="3.0", reason="Keras 3 is not installed")
pytestmark = pytest.mark.filterwarnings("ignore")  # Keras's own
RNG = np.random.default_rng(12)


@pytest.mark.parametrize(
    "name", ["momentum", "adam", "rmsprop_centered", "loss_scce", "norm_before", "two_heads", "class_weight"]
)
def test_training_takes_the_path_of_the_installed_keras(name):
    got = golden_cases.run(golden_cases.CASES[name], hotloop)
    want = golden_cases.run(golden_cases.CASES[name], keras)
    assert list(got) == list(want)  # the same names in the same order
    for key in want:
        np.testing.assert_allclose(got[key], want[key], rtol=1e-3, atol=1e-3 * np.abs(want[key]).max(), err_msg=key)


@pytest.mark.parametrize("name", list(golden_values.VALUES))
def test_a_call_gives_the_number_of_the_installed_keras(name):
    got, want = (np.asarray(golden_values.VALUES[name](module), np.float64) for module in (hotloop, keras))
    np.testing.assert_allclose(got, want, rtol=3e-6, atol=1e-7 * np.abs(want).max())


def trained(seed, start, module):
    """Losses and metrics by name, then arrays: the weights and predictions after a training."""
    model, data = Draw(seed).build(module)
    model.set_weights(start)
    history = model.fit(**data).history
    arrays = [*model.get_weights(), model.predict(data["x"], verbose=0)]
    return {**history, **{f"array {i}": np.asarray(a) for i, a in enumerate(arrays)}}


def far_apart(got, want, tolerance):
    """Names of what differs by more."""
    assert list(got) == list(want)
    return [
        name
        for name in want
        if not np.allclose(got[name], want[name], tolerance, tolerance * max(0.01, np.abs(want[name]).max()))
    ]


def test_random_trainings_go_as_in_keras(request):
    """Losses, metrics, weights and predictions; `--networks 300` draws more of them.

    A training that a nudge of its first weights by a millionth moves by a third of the tolerance says nothing.
    """
    wanted = request.config.getoption("--networks")
    compared = 0
    for seed in range(wanted):
        theirs, _ = Draw(seed).build(keras)
        rng = np.random.default_rng(seed)
        # no weight is 0, where |w| has slope 0 here and slope 1 in Keras on JAX
        start = [w if w.all() else np.abs(0.1 * rng.standard_normal(w.shape)) for w in theirs.get_weights()]
        want = trained(seed, start, keras)
        if not np.isfinite(want["loss"]).all():  # the orthogonal penalty of a zero row
            continue
        got = trained(seed, start, hotloop)
        wrong = far_apart(got, want, 1e-3)
        if wrong:
            nudged = trained(seed, [w * (1 + 1e-6 * rng.standard_normal(w.shape)) for w in start], hotloop)
            assert far_apart(nudged, got, 1e-3 / 3), f"training {seed}: {wrong}"
            continue
        compared += 1
    assert compared > 0.9 * wanted - 2


LAYERS = {
    "Dense": {"units": 3, "activation": "relu", "kernel_initializer": "he_normal"},
    "Activation": {"activation": "tanh"},
    "Embedding": {"input_dim": 5, "output_dim": 3, "mask_zero": False},
    "Flatten": {},
    "Permute": {"dims": (2, 1)},
    "PReLU": {"shared_axes": [1]},
    "LayerNormalization": {"axis": [1, 2], "epsilon": 0.1, "gamma_regularizer": None},
    "GroupNormalization": {"groups": 2, "axis": 1, "gamma_constraint": None},
    "Reshape": {"target_shape": (2, 2)},
    "BatchNormalization": {"momentum": 0.9},
    "Dropout": {"rate": 0.3},
    "AlphaDropout": {"rate": 0.3, "seed": 4},
    "GaussianDropout": {"rate": 0.3},
    "GaussianNoise": {"stddev": 0.3},
    "SpatialDropout1D": {"rate": 0.3},
    "SpatialDropout2D": {"rate": 0.3, "data_format": "channels_first"},
    "ActivityRegularization": {"l1": 0.5, "l2": 0.25},
    "Add": {},
    "Concatenate": {"axis": 1},
    "Rescaling": {"scale": 0.5},
    "CategoryEncoding": {"num_tokens": 4},
    "Discretization": {"bin_boundaries": [0.0, 1.5], "output_mode": "one_hot", "epsilon": 0.1},
    "LeakyReLU": {"negative_slope": 0.1},
    "ELU": {},
    "ReLU": {},
    "Softmax": {"axis": [1, 2]},
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_has_keras_name_and_arguments(name):
    ours, theirs = getattr(hotloop.layers, name)(**LAYERS[name]), getattr(keras.layers, name)(**LAYERS[name])
    assert ours.name.rstrip("_0123456789") == theirs.name.rstrip("_0123456789")
    got, want = ours.get_config(), theirs.get_config()
    for key in LAYERS[name]:
        if key != "kernel_initializer":
            assert np.array_equal(got[key], want[key]), key
    again = type(ours).from_config(got)
    assert again.get_config() == got


@pytest.mark.parametrize("shape", [(784, 300), (7, 3), (1, 50), (40,)])
@pytest.mark.parametrize(
    "name", ["GlorotUniform", "GlorotNormal", "HeUniform", "HeNormal", "LecunUniform", "LecunNormal", "RandomNormal",
             "RandomUniform", "TruncatedNormal"],
)  # fmt: skip
def test_initial_weights_have_the_spread_of_keras(name, shape):
    ours = np.concatenate([getattr(hotloop.initializers, name)(seed=s)(shape).ravel() for s in range(40)])
    theirs = np.concatenate([np.asarray(getattr(keras.initializers, name)(seed=s)(shape)).ravel() for s in range(40)])
    spread = np.std(theirs) / np.sqrt(len(theirs))
    assert abs(ours.mean() - theirs.mean()) < 8 * spread
    np.testing.assert_allclose(np.std(ours), np.std(theirs), rtol=8 / np.sqrt(len(theirs)))
    np.testing.assert_allclose(np.abs(ours).max(), np.abs(theirs).max(), rtol=0.5 if name == "RandomNormal" else 0.1)


def test_utilities_give_keras_results():
    x = np.array([[1], [0], [3]])
    got, want = hotloop.utils.to_categorical(x), keras.utils.to_categorical(x)
    assert got.dtype == want.dtype
    np.testing.assert_array_equal(got, want)
    values = RNG.standard_normal((4, 3))
    np.testing.assert_allclose(hotloop.utils.normalize(values), keras.utils.normalize(values))


def test_normalization_learns_keras_statistics():
    x = (3 * RNG.standard_normal((50, 4)) + 1).astype(np.float32)
    x[:, 2] = 5
    outputs = []
    for module in (hotloop, keras):
        layer = module.layers.Normalization()
        layer.adapt(x)
        outputs.append(np.asarray(layer(x)))
    np.testing.assert_allclose(outputs[0], outputs[1], rtol=1e-4, atol=1e-4)


def test_the_summary_prints_keras_counts():
    texts = []
    for module in (hotloop, keras):
        model = module.Sequential(
            [module.Input((8,)), module.layers.Dense(5, name="a"), module.layers.BatchNormalization(name="b")], name="m"
        )
        lines = []
        model.summary(print_fn=lines.append)
        texts.append("\n".join(lines))
    for line in ("Total params: 65", "Trainable params: 55", "Non-trainable params: 10", 'Model: "m"', "a (Dense)"):
        assert line in texts[0]
        assert line in texts[1]
