"""Files that go to Keras 3 and come from it: every weight to the bit, predictions, and training that goes on alike."""

from __future__ import annotations

import inspect
import os
import warnings

import numpy as np
import pytest

import hotloop
import saving_cases
from hotloop.saving.keras_config import NOT_IN_KERAS

os.environ.setdefault("KERAS_BACKEND", "jax")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    keras = pytest.importorskip("keras", minversion="3.0", reason="Keras 3 is not installed")
pytest.importorskip("h5py", reason="h5py is not installed")
pytestmark = pytest.mark.filterwarnings("ignore")  # Keras's own
X, Y = saving_cases.X, saving_cases.Y
SUFFIXES = (".keras", ".h5")
# Keras has no float64 on JAX, and no functions of these names; its RandomCrop leaves images as they are in inference.
ONLY_OURS = ("double", "activated", "block_sparse", "with_bare_operations", "noisy", "augmented", "residual")
MODELS = [make for make in saving_cases.MODELS if make.__name__ not in ONLY_OURS]


def predictions(model, x=X):
    return np.asarray(model.predict(x, verbose=0))


def assert_same(a, b, x=X):
    for mine, theirs in zip(a.get_weights(), b.get_weights(), strict=True):
        assert mine.tobytes() == np.asarray(theirs).tobytes()
    np.testing.assert_allclose(predictions(a, x), predictions(b, x), atol=3e-6, rtol=1e-6)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("make", MODELS)
def test_a_model_goes_to_keras_and_comes_back(make, suffix, tmp_path):
    model = saving_cases.compiled(make)
    saving_cases.fit(model)
    model.save(tmp_path / f"ours{suffix}")
    theirs = keras.models.load_model(tmp_path / f"ours{suffix}")
    assert_same(model, theirs)
    theirs.save(tmp_path / f"theirs{suffix}")
    again = hotloop.models.load_model(tmp_path / f"theirs{suffix}")
    assert_same(model, again)
    assert [layer.name for layer in model.layers] == [layer.name for layer in again.layers]
    assert again.optimizer.iterations == (model.optimizer.iterations if suffix == ".keras" else 0)
    assert [v.trainable for v in again.weights] == [v.trainable for v in model.weights]
    np.testing.assert_array_equal(predictions(again), predictions(model))


@pytest.mark.parametrize("make", MODELS)
def test_a_description_in_json_goes_to_keras_and_comes_back(make):
    model = saving_cases.compiled(make)
    theirs = keras.models.model_from_json(model.to_json())
    theirs.set_weights(model.get_weights())
    again = hotloop.models.model_from_json(theirs.to_json())
    again.set_weights(theirs.get_weights())
    assert_same(model, again)
    assert again.optimizer.get_config() == model.optimizer.get_config()
    assert [layer.name for layer in model.layers] == [layer.name for layer in again.layers]


# a fit with averages ends with them as weights
ONE_LONG_FIT = [name for name in saving_cases.KERAS_OPTIMIZERS if name != "averaged"]


@pytest.mark.parametrize(("optimizer", "suffix"), [*((name, ".keras") for name in ONE_LONG_FIT), ("rmsprop", ".h5")])
def test_training_goes_on_in_keras_and_back_here(optimizer, suffix, tmp_path):
    """Keras writes the state of its optimizer to .h5 files, but cannot train any more once it has read it."""
    model = saving_cases.compiled(saving_cases.wide_and_deep, optimizer)
    saving_cases.fit(model, 1, shuffle=False)
    model.save(tmp_path / "ours.keras")
    theirs = keras.models.load_model(tmp_path / "ours.keras")
    theirs.fit(X, Y, batch_size=16, shuffle=False, verbose=0)
    theirs.save(tmp_path / f"theirs{suffix}")
    again = hotloop.models.load_model(tmp_path / f"theirs{suffix}")
    saving_cases.fit(again, 1, shuffle=False)
    saving_cases.fit(model, 2, shuffle=False)
    assert again.optimizer.batches == model.optimizer.batches == 9
    for mine, other in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_allclose(mine, other, rtol=2e-4, atol=2e-5)


def random_network(module, seed):
    """A graph of layers drawn at random: stacks, branches, shared layers, a model inside."""
    draw = np.random.default_rng(seed)
    layers = module.layers

    def pick(*choices):
        return choices[draw.integers(len(choices))]

    def layer(width):
        return pick(
            lambda: layers.Dense(width, activation=pick("relu", "tanh", "elu", "selu", "gelu", "softplus"),
                                 use_bias=pick(True, False), kernel_initializer=pick("he_normal", "glorot_uniform"),
                                 kernel_regularizer=pick(None, "l2", module.regularizers.L1L2(0.01, 0.02)),
                                 kernel_constraint=pick(None, module.constraints.MaxNorm(1.5))),
            lambda: layers.BatchNormalization(momentum=0.9, center=pick(True, False), scale=pick(True, False)),
            lambda: layers.LayerNormalization(epsilon=0.01),
            lambda: layers.Dropout(0.3, seed=3),
            lambda: layers.PReLU(),
            lambda: layers.LeakyReLU(negative_slope=0.2),
            lambda: layers.Activation(pick("sigmoid", "softsign", "hard_sigmoid")),
            lambda: layers.GaussianNoise(0.1),
            lambda: layers.UnitNormalization(),
            lambda: layers.Rescaling(0.5, offset=0.1),
        )()  # fmt: skip

    def stack(width):
        return module.Sequential([module.Input((width,)), *(layer(width) for _ in range(draw.integers(1, 4))),
                                  layers.Dense(width)])  # fmt: skip

    x = module.Input((4,))
    width = int(draw.integers(2, 9))
    values = [layers.Dense(width)(x)]
    shared = layers.Dense(width, activation="tanh")
    for _ in range(draw.integers(2, 7)):
        value = values[draw.integers(len(values))]
        other = values[draw.integers(len(values))]
        values.append(
            pick(
                lambda value, other: layer(width)(value),
                lambda value, other: shared(value),
                lambda value, other: stack(width)(value),
                lambda value, other: layers.Add()([value, other]),
                lambda value, other: layers.Multiply()([value, other]),
                lambda value, other: layers.Dense(width)(layers.Concatenate()([value, other])),
                lambda value, other: layers.Dense(width)(layers.Flatten()(layers.Reshape((width, 1))(value))),
            )(value, other)
        )
    model = module.Model(x, layers.Dense(1)(layers.Add()([values[-1], values[-2]])))
    model.compile(module.optimizers.Adam(0.01), "mse")
    return model


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("seed", range(6))
def test_a_random_network_of_keras_is_the_same_here_and_goes_back(seed, suffix, tmp_path):
    theirs = random_network(keras, seed)
    theirs.fit(X, Y, batch_size=16, verbose=0)
    theirs.save(tmp_path / f"theirs{suffix}")
    ours = hotloop.models.load_model(tmp_path / f"theirs{suffix}")
    assert_same(ours, theirs)
    ours.save(tmp_path / f"ours{suffix}")
    assert_same(keras.models.load_model(tmp_path / f"ours{suffix}"), theirs)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("seed", range(6, 10))
def test_a_random_network_of_ours_is_the_same_in_keras(seed, suffix, tmp_path):
    ours = random_network(hotloop, seed)
    ours.fit(X, Y, batch_size=16, verbose=0)
    ours.save(tmp_path / f"ours{suffix}")
    assert_same(ours, keras.models.load_model(tmp_path / f"ours{suffix}"))


@pytest.mark.parametrize("make", MODELS)
def test_weights_alone_go_both_ways(make, tmp_path):
    model, other = saving_cases.compiled(make), saving_cases.compiled(make)
    saving_cases.fit(model)
    model.save(tmp_path / "m.keras")
    theirs = keras.models.load_model(tmp_path / "m.keras")
    for variable in theirs.trainable_variables:
        variable.assign(variable + 1.0)
    theirs.save_weights(tmp_path / "theirs.weights.h5")
    other.load_weights(tmp_path / "theirs.weights.h5")
    assert_same(other, theirs)
    model.save_weights(tmp_path / "ours.weights.h5")
    theirs.load_weights(tmp_path / "ours.weights.h5")
    assert_same(model, theirs)
    assert theirs.optimizer.iterations == model.optimizer.iterations


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_losses_metrics_and_their_weights_go_both_ways(suffix, tmp_path):
    x = hotloop.Input((4,), name="x")
    hidden = hotloop.layers.Dense(5, activation="relu")(x)
    heads = [hotloop.layers.Dense(1, name="a")(hidden), hotloop.layers.Dense(3, name="b")(hidden)]
    model = hotloop.Model(x, heads)
    loss = [hotloop.losses.MeanAbsoluteError(), hotloop.losses.SparseCategoricalCrossentropy(from_logits=True)]
    metrics = [
        [hotloop.metrics.MeanAbsoluteError(name="off")],
        [hotloop.metrics.SparseCategoricalAccuracy(name="right")],
    ]
    model.compile("sgd", loss, loss_weights=[1.0, 0.5], metrics=metrics)
    targets = [Y, (X[:, 0] > 0).astype(np.int64)]
    model.fit(X, targets, verbose=0)
    model.save(tmp_path / f"ours{suffix}")
    theirs = keras.models.load_model(tmp_path / f"ours{suffix}")
    want = model.evaluate(X, targets, verbose=0, return_dict=True)
    got = theirs.evaluate(X, targets, verbose=0, return_dict=True)
    assert got == pytest.approx(want, rel=1e-5)
    theirs.save(tmp_path / f"theirs{suffix}")
    again = hotloop.models.load_model(tmp_path / f"theirs{suffix}")
    assert again.evaluate(X, targets, verbose=0, return_dict=True) == pytest.approx(want, rel=1e-6)


KINDS = {
    "layers": "Layer", "initializers": "Initializer", "regularizers": "Regularizer", "constraints": "Constraint",
    "optimizers": "Optimizer", "losses": "Loss", "metrics": "Metric",
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_what_keras_has_not_is_known_so_that_no_file_asks_it_for_that(kind):
    ours, theirs = getattr(hotloop, kind), getattr(keras, kind)
    base = getattr(ours, KINDS[kind], None) or getattr(getattr(ours, kind[:-1]), KINDS[kind])
    classes = {name for name, cls in vars(ours).items() if inspect.isclass(cls) and issubclass(cls, base)}
    internal = {"RandomInitializer", "LossFunctionWrapper"}
    missing = {name for name in classes if not hasattr(theirs, name) and not name.startswith("_")}
    assert missing - NOT_IN_KERAS - internal == set()


def test_a_name_in_the_list_of_what_keras_has_not_is_still_missing_there():
    modules = [getattr(keras, kind) for kind in KINDS] + [keras.activations, keras.optimizers.schedules]
    assert [name for name in NOT_IN_KERAS if any(hasattr(module, name) for module in modules)] == []


def test_layers_that_hotloop_lacks_are_named(tmp_path):
    layers = [keras.Input((8, 3)), keras.layers.Conv1D(4, 3), keras.layers.LSTM(4), keras.layers.Dense(1)]
    for suffix in SUFFIXES:
        keras.Sequential(layers).save(tmp_path / f"m{suffix}")
        with pytest.raises(ValueError, match="Conv1D, which hotloop has not"):
            hotloop.models.load_model(tmp_path / f"m{suffix}")


def test_functions_and_lambdas_of_keras_are_refused_and_not_run(tmp_path):
    x = keras.Input((4,))
    keras.Model(x, keras.layers.Dense(1)(x * 2.0)).save(tmp_path / "ops.keras")
    with pytest.raises(ValueError, match=r"keras.src.ops.numpy.Multiply, which hotloop has not"):
        hotloop.models.load_model(tmp_path / "ops.keras")
    keras.Sequential([x, keras.layers.Lambda(lambda v: v * 2)]).save(tmp_path / "lambda.keras")
    with pytest.raises(ValueError, match="pickled Python code, which is never run"):
        hotloop.models.load_model(tmp_path / "lambda.keras")


def test_half_precision_is_refused(tmp_path):
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, dtype="mixed_bfloat16")]).save(tmp_path / "m.keras")
    with pytest.raises(ValueError, match="precision 'mixed_bfloat16'"):
        hotloop.models.load_model(tmp_path / "m.keras")


def test_a_class_of_ones_own_goes_both_ways(tmp_path):
    class Scaled(keras.layers.Layer):
        def build(self, shape):
            self.inner = keras.layers.Dense(2)
            self.inner.build(shape)
            self.scale = self.add_weight(shape=(2,), initializer="ones", name="scale")

        def call(self, x):
            return self.inner(x) * self.scale

    class OurScaled(hotloop.layers.Layer):
        def build(self, shape):
            self.inner = hotloop.layers.Dense(2)
            self.inner.build(shape)
            self.scale = self.add_weight(shape=(2,), initializer="ones", name="scale")

        def call(self, x):
            return self.inner(x) * self.scale

    OurScaled.__name__ = "Scaled"
    theirs = keras.Sequential([keras.Input((4,)), Scaled(), keras.layers.Dense(1)])
    theirs.save(tmp_path / "theirs.keras")
    with pytest.raises(ValueError, match="custom_objects"):
        hotloop.models.load_model(tmp_path / "theirs.keras")
    ours = hotloop.models.load_model(tmp_path / "theirs.keras", custom_objects={"Scaled": OurScaled})
    np.testing.assert_allclose(predictions(ours), predictions(theirs), atol=1e-6)
    ours.save(tmp_path / "ours.keras")
    again = keras.models.load_model(tmp_path / "ours.keras", custom_objects={"Scaled": Scaled})
    np.testing.assert_allclose(predictions(again), predictions(ours), atol=1e-6)


@pytest.mark.parametrize("suffix", [".keras", ".h5", ".weights.h5"])
def test_heads_of_a_dict_keep_their_places(suffix, tmp_path):
    """Files number layers of one kind, in the order of a dict's sorted keys: here the order of writing is another."""

    def make(k):
        left, right = k.Input((2,), name="left"), k.Input((2,), name="right")
        hidden = k.layers.Concatenate()([right, left])
        heads = {name: k.layers.Dense(1, name=name)(hidden) for name in ("price", "age")}
        model = k.Model({"right": right, "left": left}, heads)
        model.compile("sgd", {"price": "mse", "age": "mae"}, metrics={"price": ["mae"], "age": ["mse"]})
        return model

    x, y = {"left": X[:, :2], "right": X[:, 2:]}, {"price": X[:, :1], "age": Y[:, :1]}
    ours, theirs = make(hotloop), make(keras)
    (theirs.save_weights if "weights" in suffix else theirs.save)(tmp_path / f"theirs{suffix}")
    ours.load_weights(tmp_path / f"theirs{suffix}")
    loaded = [ours] if "weights" in suffix else [ours, hotloop.models.load_model(tmp_path / f"theirs{suffix}")]
    wanted = theirs.predict(x, verbose=0)
    for model in loaded:
        found = model.predict(x, verbose=0)
        assert list(found) == list(wanted) == ["age", "price"]
        for name in wanted:
            np.testing.assert_allclose(found[name], wanted[name], atol=1e-6)
        assert [layer.name for layer in model.layers][-2:] == [layer.name for layer in theirs.layers][-2:]
    np.testing.assert_allclose(ours.evaluate(x, y, verbose=0), theirs.evaluate(x, y, verbose=0), rtol=1e-5)
