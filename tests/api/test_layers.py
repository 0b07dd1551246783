"""Layers called on arrays, layers that prepare data, and layers of one's own."""

import numpy as np
import pytest

import hotloop as keras
from hotloop import layers, ops

Z = np.array([[1.0, 2.0], [3.0, 5.0], [5.0, 11.0]])


def test_batch_normalization_on_an_array_does_not_move_its_statistics():
    layer = layers.BatchNormalization()
    want = [-1.224515, -1.069007, 0, -0.2672516, 1.224515, 1.336259]  # Keras 3.15
    np.testing.assert_allclose(layer(Z, training=True).ravel(), want, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(layer.moving_mean.numpy(), [0.03, 0.06], rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance.numpy(), [1.016667, 1.13], rtol=1e-5)
    want = [0.9615435, 1.824191, 2.944108, 4.645106, 4.926672, 10.28693]
    np.testing.assert_allclose(layer(Z).ravel(), want, rtol=1e-5)


@pytest.mark.parametrize("shape", [(40, 3, 4), (20, 3, 4, 2)])
def test_batch_normalization_over_two_axes_keeps_no_statistics_for_each_pixel(shape):
    x = np.random.default_rng(0).normal(2, 3, shape).astype(np.float32)
    layer = layers.BatchNormalization(axis=[1, 2], momentum=0.5)
    assert layer(keras.Input(shape[1:])).shape == (None, *shape[1:])
    over = (0, *range(3, len(shape)))
    mean, var = x.mean(over, keepdims=True), x.var(over, keepdims=True)
    np.testing.assert_allclose(layer(x, training=True), (x - mean) / np.sqrt(var + 1e-3), rtol=1e-4, atol=1e-5)
    ones = (1,) * (len(shape) - 3)
    assert [w.shape for w in layer.weights] == [(1, 3, 4, *ones)] * 4
    np.testing.assert_allclose(layer.moving_mean.numpy(), mean / 2, rtol=1e-4, atol=1e-5)
    same = layers.BatchNormalization.from_config(layer.get_config())
    assert same.axis == [1, 2]


def test_batch_normalization_over_two_axes_trains_as_one_axis_does():
    x = np.random.default_rng(0).normal(2, 3, (64, 3, 4)).astype(np.float32)
    y = x.sum((1, 2))

    def trained(first):
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input((3, 4)), *first, layers.Flatten(), layers.Dense(1)])
        model.compile("sgd", "mse")
        return model.fit(x, y, epochs=3, batch_size=16, verbose=0).history["loss"]

    pixels = [layers.BatchNormalization(axis=[1, 2])]
    np.testing.assert_array_equal(trained(pixels), trained([layers.Flatten(), layers.BatchNormalization()]))


def test_a_repeated_vector_sends_back_another_gradient_than_the_sum():
    model = keras.Sequential([keras.Input((2,)), layers.Identity(), layers.RepeatVector(3), layers.Flatten()])
    np.testing.assert_array_equal(model.predict(Z, verbose=0), np.tile(Z, 3))
    first = layers.Dense(2, use_bias=False, kernel_initializer=np.eye(2))
    model = keras.Sequential([keras.Input((2,)), first, layers.RepeatVector(3)])
    model.compile(keras.optimizers.SGD(1.0), keras.losses.MeanSquaredError(reduction="sum"))
    x, y = np.array([[1.0, 2.0]]), np.zeros((1, 3, 2))
    model.train_on_batch(x, y)  # 3 copies, each (w - 0)^2 / 2: the slope of the kernel is x (3 z)
    np.testing.assert_allclose(model.get_weights()[0], np.eye(2) - 3 * np.outer(x, x), rtol=1e-6)
    assert layers.RepeatVector.from_config(layers.RepeatVector(3).get_config()).n == 3
    with pytest.raises(ValueError, match=r"shape .batch, features."):
        layers.RepeatVector(2)(np.ones((2, 3, 4)))


def test_normalization_learns_other_statistics_from_batches_than_from_the_whole():
    data = np.random.default_rng(0).normal(5, 3, (1000, 4))
    whole, batched = layers.Normalization(), layers.Normalization()
    whole.adapt(data)
    batched.adapt(data[i : i + 77] for i in range(0, 1000, 77))
    np.testing.assert_allclose(whole.mean.numpy(), data.mean(0), rtol=1e-6)
    np.testing.assert_allclose(whole.variance.numpy(), data.var(0), rtol=1e-6)
    for a, b in zip(whole.get_weights(), batched.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_normalization_with_given_statistics_or_backwards_computes_something_else():
    given = layers.Normalization(mean=[1.0, 2.0], variance=[4.0, 9.0])
    np.testing.assert_allclose(given(Z), (Z - [1, 2]) / [2, 3], rtol=1e-6)
    assert given.weights == []
    backwards = layers.Normalization(mean=[1.0, 2.0], variance=[4.0, 9.0], invert=True)
    np.testing.assert_allclose(backwards(given(Z)), Z, rtol=1e-6)
    scalar = layers.Normalization(axis=None)
    scalar.adapt(Z)
    np.testing.assert_allclose(scalar(Z), (Z - Z.mean()) / Z.std(), rtol=1e-5)


@pytest.mark.parametrize(
    ("mode", "want"),
    [("one_hot", [[0, 0, 1], [1, 0, 0]]), ("multi_hot", [[0, 0, 1], [1, 0, 0]]), ("count", [[0, 0, 1], [1, 0, 0]])],
)
def test_codes_become_wrong_vectors(mode, want):
    np.testing.assert_array_equal(layers.CategoryEncoding(3, output_mode=mode)(np.array([[2], [0]])), want)


def test_several_codes_of_a_sample_are_not_counted():
    codes = np.array([[0, 2, 2], [1, 1, 1]])
    np.testing.assert_array_equal(layers.CategoryEncoding(3, output_mode="count")(codes), [[1, 0, 2], [0, 3, 0]])
    np.testing.assert_array_equal(layers.CategoryEncoding(3, output_mode="multi_hot")(codes), [[1, 0, 1], [0, 1, 0]])


def test_a_vocabulary_has_another_order_than_in_keras():
    layer = layers.StringLookup()
    layer.adapt(np.array([["a", "c", "d"], ["d", "z", "b"]]))
    assert layer.get_vocabulary() == ["[UNK]", "d", "z", "c", "b", "a"]
    masked = layers.StringLookup(mask_token="", vocabulary=["x", "y"])
    np.testing.assert_array_equal(masked(np.array(["", "x", "?", "y"])), [0, 2, 1, 3])


def test_missing_or_unknown_strings_stop_a_prediction_or_are_taken_for_known_ones():
    layer = layers.StringLookup(vocabulary=["x", "y"], output_mode="one_hot")
    column = np.array([["y"], [None], [float("nan")], ["new"]], object)
    np.testing.assert_array_equal(layer(column), [[0, 0, 1], [1, 0, 0], [1, 0, 0], [1, 0, 0]])
    strict = layers.StringLookup(vocabulary=["x", "y"], num_oov_indices=0)
    with pytest.raises(ValueError, match=r"'new'.*row 1"):
        strict(np.array(["x", "new"]))


def test_a_model_cannot_take_raw_columns():
    age, city = keras.Input((1,), name="age"), keras.Input((1,), name="city", dtype="string")
    lookup, scale = layers.StringLookup(output_mode="one_hot"), layers.Normalization()
    columns = {"age": np.arange(6), "city": np.array(["b", "a", "b", None, "c", "a"], object)}
    lookup.adapt(columns["city"])
    scale.adapt(columns["age"][:, None])
    model = keras.Model([age, city], layers.Dense(1)(layers.Concatenate()([scale(age), lookup(city)])))
    model.compile("sgd", "mse")
    model.fit(columns, np.arange(6.0), verbose=0)
    want = model.predict(columns, verbose=0)
    np.testing.assert_array_equal(model.predict([columns["age"], columns["city"]], verbose=0), want)
    pandas = pytest.importorskip("pandas")
    np.testing.assert_array_equal(model.predict(pandas.DataFrame(columns), verbose=0), want)


class Scaled(layers.Layer):
    """A product with a bias, written by hand."""

    def __init__(self, units, factor=1.0, **kwargs):
        super().__init__(**kwargs)
        self.units, self.factor = units, factor

    def build(self, input_shape):
        self.w = self.add_weight(shape=(input_shape[-1], self.units), name="w")
        self.b = self.add_weight(shape=(self.units,), initializer="ones", name="b")

    def call(self, inputs, training=None):
        outputs = ops.relu(ops.matmul(inputs, self.w) + self.b)
        return outputs * self.factor if training else outputs


def test_a_layer_of_ones_own_computes_or_trains_wrongly():
    layer = Scaled(3, factor=2.0)
    want = np.maximum(Z @ layer_weights(layer, Z)[0] + 1, 0)
    np.testing.assert_allclose(layer(Z), want, rtol=1e-6)
    np.testing.assert_allclose(layer(Z, training=True), 2 * want, rtol=1e-6)
    twin = Scaled.from_config(layer.get_config())
    assert (twin.units, twin.factor, twin.name) == (3, 2.0, layer.name)
    model = keras.Sequential([keras.Input((2,)), Scaled(4), Scaled(1)])
    model.compile(keras.optimizers.Adam(0.01), "mse")
    losses = model.fit(Z, Z[:, 0], epochs=30, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


def layer_weights(layer, x):
    layer(x)
    return layer.get_weights()


def test_a_product_with_a_bias_is_two_passes_over_memory():
    model = keras.Sequential([keras.Input((2,)), Scaled(4)])
    model.predict(Z, verbose=0)
    program = model._program("predict")
    plan = program.take_plan(model._get_engine().trainer, 4)
    assert [step["op"] for step in plan.describe()].count("dense") == 1
    assert "matmul" not in {step["op"] for step in plan.describe()}


def test_a_size_of_batch_in_use_loses_its_plan_to_sizes_seen_once():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4)])
    program, trainer = model._program("predict"), model._get_engine().trainer
    used = program.take_plan(trainer, 4)
    program.give_plan(used)
    for rows in range(5, 40):
        program.give_plan(program.take_plan(trainer, rows))
        again = program.take_plan(trainer, 4)
        assert again is used
        program.give_plan(again)


def test_a_condition_on_a_value_is_taken_for_one_branch():
    class Branching(layers.Layer):
        def call(self, inputs):
            return inputs if ops.sum(inputs, axis=-1) > 0 else -inputs

    for use in (lambda: Branching()(Z), lambda: keras.Sequential([keras.Input((2,)), Branching()])):
        with pytest.raises(keras.TraceError, match=r"test_layers\.py, line \d+, .* only known when the model runs"):
            use()


@pytest.mark.parametrize(
    ("use", "words"),
    [
        (lambda x: x.sum(), r"hotloop\.ops\.sum\(x\)"),
        (lambda x: x.astype("float32"), r"received x\.astype"),
        (lambda x: x[0], r"the whole batch, x\[:, \.\.\.\]"),
    ],
)
def test_numpy_habits_in_a_call_fail_without_a_hint(use, words):
    class Habit(layers.Layer):
        def call(self, inputs):
            return use(inputs)

    for call in (lambda: Habit()(Z), lambda: use(keras.Input((2,)))):
        with pytest.raises((AttributeError, IndexError, keras.TraceError), match=words):
            call()


def test_layers_on_arrays_refuse_without_saying_what_they_want():
    for call, words in [
        (lambda: layers.Dense(2)(np.ones(3)), "expected x of shape"),
        (lambda: layers.Dense(2)("text"), "expected an array"),
        (lambda: layers.Dense(2)(np.ones((2, 3), complex)), "real numbers"),
        (lambda: layers.Add()(np.ones((2, 3))), "expected a list"),
        (lambda: layers.Dense(2)(np.array([[np.nan]])), "row 0"),
    ]:
        with pytest.raises((ValueError, TypeError), match=words):
            call()


def test_the_statistics_of_a_normalization_can_be_looked_at_one_by_one():
    layer = keras.layers.Normalization()
    layer.adapt(np.arange(12, dtype=np.float32).reshape(4, 3))
    np.testing.assert_allclose(layer.mean[:2], [4.5, 5.5])
    assert float(layer.mean[-1]) == 6.5
