"""`Model.fold`: fewer layers, the same predictions."""

import numpy as np
import pytest

import hotloop as keras
from hotloop import layers

RNG = np.random.default_rng(3)


def filled(model):
    """The model with weights, and statistics, as after a training."""
    arrays = [RNG.uniform(0.5, 1.5, w.shape) * np.where(w.ndim == 2, RNG.choice([-1, 1], w.shape), 1)
              for w in model.get_weights()]  # fmt: skip
    model.set_weights([a.astype(w.dtype) for a, w in zip(arrays, model.get_weights(), strict=True)])
    return model


def sequential(*stack, shape=(6,)):
    return filled(keras.Sequential([keras.Input(shape), *stack]))


def kinds(model):
    return [type(layer).__name__ for layer in model.layers if not isinstance(layer, layers.InputLayer)]


def assert_same(model, folded, *shapes):
    x = [RNG.standard_normal((17, *shape)).astype(np.float32) for shape in shapes or [model.input_shape[1:]]]
    x = x[0] if len(x) == 1 else x
    before, after = (m.predict(x, verbose=0) for m in (model, folded))
    for a, b in zip(*((v if isinstance(v, list) else [v]) for v in (before, after)), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-5, atol=1e-5 * np.abs(a).max())


STACKS = {
    "below": ([layers.Dense(5), layers.BatchNormalization(), layers.ReLU()], ["Dense", "ReLU"]),
    "no bias": ([layers.Dense(5, use_bias=False), layers.BatchNormalization()], ["Dense"]),
    "above an activation": (
        [layers.Dense(5, activation="elu"), layers.BatchNormalization(), layers.Dropout(0.1), layers.Dense(3)],
        ["Dense", "Dense"],
    ),
    "the input": ([layers.BatchNormalization(), layers.Dense(3)], ["Dense"]),
    "no scale, no center": ([layers.Dense(4), layers.BatchNormalization(scale=False, center=False)], ["Dense"]),
    "several in a row": (
        [layers.Rescaling(0.5, 1.0), layers.Normalization(), layers.Dropout(0.5), layers.Dense(4),
         layers.Identity(), layers.BatchNormalization(), layers.Rescaling(-2.0), layers.Activation("tanh")],
        ["Dense", "Activation"],
    ),
    "inverted": ([layers.Dense(4), layers.Normalization(invert=True)], ["Dense"]),
    "nothing to read it": ([layers.Dense(4, activation="relu"), layers.BatchNormalization()],
                           ["Dense", "BatchNormalization"]),
    "noise": ([layers.GaussianNoise(0.1), layers.Dense(3, activation="selu"), layers.AlphaDropout(0.1),
               layers.GaussianDropout(0.1), layers.Dense(2)], ["Dense", "Dense"]),
    "a layer between": ([layers.BatchNormalization(), layers.LayerNormalization(), layers.Dense(2)],
                        ["BatchNormalization", "LayerNormalization", "Dense"]),
    "drop connect": ([layers.DropConnectDense(4, 0.5), layers.BatchNormalization()], ["DropConnectDense"]),
}  # fmt: skip


@pytest.mark.parametrize("name", STACKS)
def test_a_folded_stack_predicts_the_same_with_fewer_layers(name):
    stack, left = STACKS[name]
    model = sequential(*stack)
    before = model.get_weights()
    folded = model.fold()
    assert isinstance(folded, keras.Sequential)
    assert kinds(folded) == left
    assert_same(model, folded)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


IMAGES = {
    "per image": ([layers.Rescaling(1 / 16), layers.Flatten(), layers.Dense(4)], ["Flatten", "Dense"]),
    "per channel": ([layers.BatchNormalization(), layers.Flatten(), layers.Dense(4)], ["Flatten", "Dense"]),
    "per row": ([layers.BatchNormalization(axis=1), layers.Permute((2, 1)), layers.Dense(4)], ["Permute", "Dense"]),
    "per row, of columns": ([layers.BatchNormalization(axis=1), layers.Dense(4)], ["BatchNormalization", "Dense"]),
    "per pixel": ([layers.BatchNormalization(axis=[1, 2]), layers.Reshape((2, 6)), layers.Flatten(), layers.Dense(4)],
                  ["Reshape", "Flatten", "Dense"]),
    "of every column": ([layers.Dense(4), layers.BatchNormalization(axis=-1)], ["Dense"]),
    "of every row": ([layers.Dense(4), layers.BatchNormalization(axis=1)], ["Dense", "BatchNormalization"]),
}  # fmt: skip


@pytest.mark.parametrize("name", IMAGES)
def test_features_keep_their_own_factors_when_they_change_places(name):
    stack, left = IMAGES[name]
    model = sequential(*stack, shape=(3, 4))
    folded = model.fold()
    assert kinds(folded) == left
    assert_same(model, folded)


def test_a_layer_with_another_reader_or_another_call_stays():
    x, z = keras.Input((4,), name="x"), keras.Input((4,), name="z")
    shared, branching = layers.Dense(4, name="shared"), layers.Dense(3, name="branching")(x)
    once = layers.BatchNormalization(name="of_shared")(shared(x))
    own = layers.BatchNormalization(name="of_branching")(branching)
    single = layers.BatchNormalization(name="single")(layers.Dense(4, name="alone")(z))
    joined = layers.Concatenate()([once, shared(z), own, branching, single])
    two = layers.BatchNormalization(name="two_readers")(joined)
    model = filled(keras.Model([x, z], {"a": layers.Dense(2, name="a")(two), "b": layers.Dense(2, name="b")(two)}))
    folded = model.fold()
    names = {layer.name for layer in folded.layers}
    assert {"of_shared", "of_branching", "two_readers"} <= names
    assert "single" not in names
    assert isinstance(folded, keras.models.Functional)
    data = {"x": RNG.standard_normal((9, 4)), "z": RNG.standard_normal((9, 4))}
    for key, values in model.predict(data, verbose=0).items():
        np.testing.assert_allclose(folded.predict(data, verbose=0)[key], values, rtol=1e-5, atol=1e-4)


def test_an_output_is_not_folded_away():
    x = keras.Input((4,))
    hidden = layers.Dense(3)(x)
    model = filled(keras.Model(x, [hidden, layers.Dropout(0.5)(layers.BatchNormalization()(hidden))]))
    folded = model.fold()
    assert kinds(folded) == ["Dense", "BatchNormalization"]
    assert_same(model, folded)
    assert kinds(sequential(layers.Dropout(0.5), layers.Identity()).fold()) == ["Identity"]


def test_models_inside_are_folded_and_those_that_ask_for_training_are_not():
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.BatchNormalization()], name="inner")
    x = keras.Input((4,))
    model = filled(keras.Model(x, layers.Dense(2)(inner(layers.Rescaling(0.5)(x)) + inner(x))))
    folded = model.fold()
    assert kinds(folded.get_layer("inner")) == ["Dense"]
    assert kinds(inner) == ["Dense", "BatchNormalization"]
    assert_same(model, folded)
    sampling = keras.Model(x, layers.Dense(2)(layers.Dropout(0.5)(x, training=True)))
    assert kinds(sampling.fold()) == ["Dropout", "Dense"]


def test_residual_blocks_are_folded_inside():
    block = [layers.BatchNormalization(), layers.Dense(8, activation="relu"), layers.Dense(6, use_bias=False),
             layers.BatchNormalization(), layers.Dropout(0.5), layers.LayerScale(0.1)]  # fmt: skip
    shared = layers.Residual([layers.Dense(6), layers.BatchNormalization()], name="shared")
    x = keras.Input((6,))
    model = filled(keras.Model(x, shared(layers.Residual(block, name="block")(shared(x)))))
    folded = model.fold()
    assert kinds(folded.get_layer("block")) == ["Dense", "Dense"]
    assert kinds(folded.get_layer("shared")) == ["Dense"]
    shared.trainable = False
    assert not model.fold().get_layer("shared").trainable_weights
    assert model.fold().get_layer("block").trainable_weights
    assert kinds(model.get_layer("block")) == [type(layer).__name__ for layer in block]
    assert_same(model, folded)
    clone = keras.models.clone_model(folded)
    clone.set_weights(folded.get_weights())
    assert_same(folded, clone)


def test_features_far_from_zero_keep_their_digits():
    norm = layers.Normalization(mean=[2000.0, 1.6e9], variance=[0.01, 1e10])
    model = filled(keras.Sequential([keras.Input((2,)), norm, layers.Dense(3)]))
    norm.mean.assign([2000.0, 1.6e9])
    norm.variance.assign([0.01, 1e10])
    x = np.float32([[2000.1, 1.6e9], [1999.9, 1.6001e9]])
    np.testing.assert_allclose(model.fold().predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-5)


@pytest.mark.parametrize("order", [1, -1])
def test_weights_that_would_be_infinite_are_not_folded(order):
    model = keras.Sequential([keras.Input((3,)), *[layers.Rescaling(1e30), layers.Dense(2)][::order]])
    model.set_weights([np.full((3, 2), 1e20), np.zeros(2)])
    x = np.full((2, 3), 1e-30, np.float32)
    np.testing.assert_allclose(model.fold().predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-6)


@pytest.mark.parametrize("weight", ["gamma", "moving_variance"])
def test_dead_features_fold(weight):
    model = sequential(layers.Dense(5, activation="relu"), layers.BatchNormalization(), layers.Dense(4),
                       layers.BatchNormalization())  # fmt: skip
    for layer in model.layers[1::2]:
        values = getattr(layer, weight).numpy()
        values[::2] = 0
        getattr(layer, weight).assign(values)
    folded = model.fold()
    assert kinds(folded) == ["Dense", "Dense"]
    assert_same(model, folded)


def test_a_folded_model_trains_on_and_is_saved(tmp_path):
    model = sequential(layers.Dense(8, use_bias=False, kernel_regularizer="l2"), layers.BatchNormalization(),
                       layers.ReLU(), layers.Dense(1))  # fmt: skip
    folded = model.fold()
    folded.compile("sgd", "mse")
    x = RNG.standard_normal((32, 6)).astype(np.float32)
    before = folded.layers[0].get_weights()
    folded.fit(x, x[:, :1], verbose=0)
    assert all(np.abs(a - b).max() > 0 for a, b in zip(before, folded.layers[0].get_weights(), strict=True))
    folded.save(tmp_path / "folded.safetensors")
    again = keras.models.load_model(tmp_path / "folded.safetensors")
    np.testing.assert_array_equal(again.predict(x, verbose=0), folded.predict(x, verbose=0))


def test_a_double_precision_model_keeps_its_precision():
    model = sequential(layers.Dense(5, dtype="float64"), layers.BatchNormalization(dtype="float64"))
    x = RNG.standard_normal((9, 6))
    np.testing.assert_allclose(model.fold().predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-12, atol=1e-12)


def test_columns_and_layers_of_ones_own_come_along():
    @keras.utils.register_keras_serializable("fold")
    class Doubled(layers.Layer):
        def call(self, inputs):
            return 2.0 * inputs

    words, numbers = keras.Input((1,), dtype="string", name="words"), keras.Input((2,), name="numbers")
    codes = layers.StringLookup(vocabulary=["a", "b"], output_mode="one_hot")(words)
    joined = layers.Concatenate()([codes, Doubled()(layers.BatchNormalization()(numbers))])
    model = filled(keras.Model([words, numbers], layers.BatchNormalization()(layers.Dense(3)(joined))))
    folded = model.fold()
    assert kinds(folded).count("BatchNormalization") == 1
    data = {"words": np.array([["a"], ["b"], ["c"]]), "numbers": RNG.standard_normal((3, 2))}
    np.testing.assert_allclose(folded.predict(data, verbose=0), model.predict(data, verbose=0), rtol=1e-5, atol=1e-5)


def test_what_cannot_be_folded_says_why():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1)

        def call(self, inputs):
            return self.dense(inputs)

    with pytest.raises(ValueError, match=r"\[fold 'own\w*'\] expected a Sequential or functional model"):
        Own().fold()
    with pytest.raises(ValueError, match=r"not built. Give it an Input"):
        keras.Sequential([layers.Dense(1)]).fold()
