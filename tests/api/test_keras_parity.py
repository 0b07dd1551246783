"""Live comparison with Keras 3 where it is installed: what recorded numbers cannot cover."""

from __future__ import annotations

import os
import warnings

import numpy as np
import pytest

import golden_cases
import golden_values
import hotloop

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


def random_net(module, seed):
    """A chain of layers drawn at random."""
    draw = np.random.default_rng(seed)
    layers = [module.Input((int(draw.integers(1, 9)),))]
    for _ in range(draw.integers(1, 4)):
        activation = draw.choice(["relu", "tanh", "elu", "selu", "sigmoid", "softplus", "leaky_relu"])
        use_bias, norm = bool(draw.integers(2)), bool(draw.integers(2))
        layers.append(module.layers.Dense(int(draw.integers(1, 40)), activation=str(activation), use_bias=use_bias))
        if norm:
            layers.append(module.layers.BatchNormalization(momentum=float(draw.uniform(0.5, 0.99))))
    layers.append(module.layers.Dense(int(draw.integers(1, 5))))
    optimizer = [
        module.optimizers.SGD(0.01), module.optimizers.SGD(0.01, momentum=0.9), module.optimizers.Adam(0.003),
    ][draw.integers(3)]  # fmt: skip
    model = module.Sequential(layers)
    model.compile(optimizer, str(draw.choice(["mse", "mae"])), metrics=["mse"])
    return model, int(draw.integers(1, 33))


def random_bounded_net(module, seed):
    """Penalties and constraints drawn at random."""
    draw = np.random.default_rng(seed)
    r, c = module.regularizers, module.constraints

    def pick(*choices):
        return choices[draw.integers(len(choices))]

    def options(names):
        result = {}
        for name in names:
            axis = 0 if name in ("bias", "beta", "gamma") else pick(0, 1, [0, 1])
            l1, l2 = draw.uniform(0, 0.05, 2)
            result[f"{name}_regularizer"] = pick(None, "l1", "l2", r.L1(l1), r.L2(l2), r.L1L2(l1, l2))
            result[f"{name}_constraint"] = pick(
                None, "non_neg", c.MaxNorm(0.7, axis), c.UnitNorm(axis), c.MinMaxNorm(0.3, 0.9, 0.6, axis)
            )
        return result

    layers = [module.Input((int(draw.integers(1, 9)),))]
    for _ in range(draw.integers(1, 4)):
        norm = bool(
            draw.integers(2)
        )  # a bias before it has a gradient of rounding errors, which a unit norm would blow up
        dense = {"use_bias": not norm, **options(["kernel"] if norm else ["kernel", "bias"])}
        if draw.integers(4) == 0:
            dense["kernel_regularizer"] = r.OrthogonalRegularizer(0.1, pick("rows", "columns"))
        activity = pick(None, "l1", r.L1L2(0.01, 0.02))
        units = int(draw.integers(2, 40))
        layers.append(module.layers.Dense(units, activation="tanh", activity_regularizer=activity, **dense))
        if norm:
            layers.append(module.layers.BatchNormalization(momentum=0.8, **options(["beta", "gamma"])))
        layers.append(module.layers.ActivityRegularization(l1=pick(0.0, 0.01), l2=pick(0.0, 0.02)))
    layers.append(module.layers.Dense(int(draw.integers(1, 5))))
    model = module.Sequential(layers)
    optimizer = pick(module.optimizers.SGD(0.01), module.optimizers.SGD(0.01, momentum=0.9))
    model.compile(optimizer, "mse", metrics=["mse"])
    return model, int(draw.integers(1, 33))


@pytest.mark.parametrize("build", [random_net, random_bounded_net])
@pytest.mark.parametrize("seed", range(12))
def test_a_random_network_trains_as_in_keras(build, seed):
    (ours, batch_size), (theirs, _) = build(hotloop, seed), build(keras, seed)
    rng = np.random.default_rng(seed)
    # no weight is 0, where |w| has slope 0 here and slope 1 in Keras on JAX
    start = [w if w.all() else 0.1 * rng.standard_normal(w.shape) for w in theirs.get_weights()]
    theirs.set_weights(start)
    ours.set_weights(start)
    x = rng.standard_normal((61, ours.input_shape[1])).astype(np.float32)
    y = rng.standard_normal((61, ours.output_shape[1])).astype(np.float32)
    options = {"batch_size": batch_size, "epochs": 2, "shuffle": False, "verbose": 0, "validation_split": 0.2}
    got, want = ours.fit(x, y, **options).history, theirs.fit(x, y, **options).history
    assert list(got) == list(want)
    for key in want:
        np.testing.assert_allclose(got[key], want[key], rtol=2e-3, err_msg=key)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-3 * max(1.0, np.abs(b).max()))


LAYERS = {
    "Dense": {"units": 3, "activation": "relu", "kernel_initializer": "he_normal"},
    "Activation": {"activation": "tanh"},
    "Flatten": {},
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
    "LeakyReLU": {"negative_slope": 0.1},
    "ELU": {},
    "ReLU": {},
    "Softmax": {},
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
