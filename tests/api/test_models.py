"""Models put together from layers: stacks, graphs, parts of other models, subclasses, copies."""

import copy
import pickle

import numpy as np
import pytest

import hotloop as keras
from hotloop import layers, ops

X = np.random.default_rng(0).random((40, 6), np.float32)
Y = X[:, :1] * 2


def autoencoder():
    x = keras.Input((6,), name="pixels")
    code = layers.Dense(2, name="code")(layers.Dense(4, activation="relu", name="hidden")(x))
    return keras.Model(x, layers.Dense(6, name="picture")(code))


def predict(model, x=X):
    return model.predict(x, verbose=0)


def test_layers_of_a_graph_come_in_another_order_than_in_keras():
    a, b = keras.Input((5,), name="a"), keras.Input((6,), name="b")
    unused = keras.Input((1,), name="unused")
    deep = layers.Dense(8, name="d2")(layers.Dense(8, name="d1")(b))
    main = layers.Dense(1, name="main")(layers.Concatenate(name="both")([a, deep]))
    model = keras.Model([a, b, unused], [main, layers.Dense(1, name="aux")(deep)])
    # As Keras 3.15 lists them: by distance from the outputs, then by when a walk back from them meets them.
    assert [layer.name for layer in model.layers] == ["b", "d1", "a", "d2", "both", "unused", "main", "aux"]
    assert model.output_names == ["main", "aux"]
    assert [v.path for v in model.weights[:2]] == ["d1/kernel", "d1/bias"]


def test_the_output_of_a_hidden_layer_cannot_be_had():
    model = autoencoder()
    hidden = keras.Model(model.input, model.get_layer("hidden").output)
    w, b = model.get_layer("hidden").get_weights()
    np.testing.assert_allclose(predict(hidden), np.maximum(X @ w + b, 0), atol=1e-6)


def test_a_model_from_the_middle_of_another_needs_the_whole_input():
    model = autoencoder()
    encoder = keras.Model(model.input, model.get_layer("code").output)
    decoder = keras.Model(model.get_layer("code").output, model.output)
    assert decoder.input_shape == (None, 2)
    model.compile("sgd", "mse")
    model.fit(X, X, verbose=0)
    np.testing.assert_allclose(predict(decoder, predict(encoder)), predict(model), atol=1e-6)


def test_the_feature_extractor_of_a_shared_stack_reads_the_first_stack():
    first = keras.Sequential([keras.Input((6,)), layers.Dense(4, name="low"), layers.Dense(2)])
    second = keras.Sequential(first.layers[:-1])
    features = keras.Model(second.input, second.get_layer("low").output)
    np.testing.assert_array_equal(predict(features), predict(second))


def test_training_one_model_leaves_the_old_weights_in_another_that_shares_layers():
    first = keras.Sequential([keras.Input((6,)), layers.Dense(4), layers.Dense(1)])
    second = keras.Sequential([*first.layers[:-1], layers.Dense(1)])
    for model in (first, second):
        model.compile("adam", "mse")
    for model in (first, second, first, second):
        before = first.layers[0].get_weights()[0]
        model.fit(X, Y, verbose=0)
        now = first.layers[0].get_weights()[0]
        assert not np.array_equal(before, now)
        np.testing.assert_array_equal(now, second.layers[0].get_weights()[0])


def test_freezing_a_part_between_batches_is_not_noticed():
    generator = keras.Sequential([keras.Input((2,)), layers.Dense(6)])
    critic = keras.Sequential([keras.Input((6,)), layers.Dense(1, activation="sigmoid")])
    critic.compile("adam", "binary_crossentropy")
    gan = keras.Sequential([generator, critic])
    gan.compile("adam", "binary_crossentropy")
    noise = np.random.default_rng(1).random((40, 2), np.float32)
    for _ in range(3):
        critic.trainable, made = True, generator.get_weights()
        critic.train_on_batch(np.concatenate([generator.predict_on_batch(noise), X]), np.repeat([[0.0], [1.0]], 40, 0))
        assert all(np.array_equal(a, b) for a, b in zip(made, generator.get_weights(), strict=True))
        critic.trainable, judged = False, critic.get_weights()
        gan.train_on_batch(noise, np.ones((40, 1)))
        assert all(np.array_equal(a, b) for a, b in zip(judged, critic.get_weights(), strict=True))
        assert not any(np.array_equal(a, b) for a, b in zip(made, generator.get_weights(), strict=True))


def test_arithmetic_on_tensors_is_lost_or_wrong():
    x = keras.Input((6,))
    model = keras.Model(x, ops.concatenate([ops.relu(x * 2.0 - 0.5) / 3 + ops.tanh(x), -x + 1], axis=-1))
    want = np.concatenate([np.maximum(X * 2 - 0.5, 0) / 3 + np.tanh(X), 1 - X], axis=1)
    np.testing.assert_allclose(predict(model), want, atol=1e-6)
    np.testing.assert_array_equal(predict(pickle.loads(pickle.dumps(model))), predict(model))


def test_outputs_in_a_dict_lose_their_names():
    x = keras.Input((6,))
    model = keras.Model(x, {"u": layers.Dense(2)(x), "v": layers.Dense(1)(x)})
    model.compile("sgd", {"u": "mse", "v": "mae"}, metrics={"v": ["mse"]}, loss_weights={"v": 0.5})
    logs = model.fit(X, {"u": X[:, :2], "v": X[:, 0]}, verbose=0).history
    assert list(logs) == ["loss", "u_loss", "v_loss", "v_mse"]
    np.testing.assert_allclose(logs["loss"][0], logs["u_loss"][0] + 0.5 * logs["v_loss"][0], rtol=1e-12)
    assert {name: y.shape for name, y in predict(model).items()} == {"u": (40, 2), "v": (40, 1)}


def test_two_outputs_of_one_layer_share_a_log_key():
    shared = layers.Dense(1, name="shared")
    a, b = keras.Input((6,)), keras.Input((6,))
    model = keras.Model([a, b], [shared(a), shared(b)])
    model.compile("sgd", ["mse", "mse"])
    assert list(model.fit([X, X], [Y, Y], verbose=0).history) == ["loss", "shared_1_loss", "shared_loss"]


class Network(keras.Model):
    def __init__(self):
        super().__init__()
        self.first = layers.Dense(5, activation="relu")
        self.rest = [layers.Dense(5) for _ in range(2)]
        self.drop = layers.Dropout(0.5)

    def call(self, x, training=None):
        x = self.first(x)
        for layer in self.rest:
            x = x + layer(x)
        return self.drop(x, training=training)


def test_a_subclass_of_model_does_not_train_or_copy():
    model = Network()
    model.compile("adam", "mse")
    losses = model.fit(X, np.repeat(Y, 5, axis=1), epochs=20, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert len(model.weights) == 6
    twin = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(predict(twin), predict(model))


class Pair(keras.Model):
    """Reads two inputs, which come in a list or in a dict."""

    def __init__(self, first, second):
        super().__init__()
        self.first, self.second = first, second
        self.dense, self.join = layers.Dense(4), layers.Concatenate()

    def call(self, inputs):
        return self.join([self.dense(inputs[self.first]), inputs[self.second]])

    def get_config(self):
        return {"first": self.first, "second": self.second}


@pytest.mark.parametrize(("first", "second", "kind"), [(0, 1, list), ("wide", "narrow", dict)])
def test_a_subclass_of_model_cannot_have_several_inputs(first, second, kind, tmp_path):
    wide, narrow = np.ones((6, 5), np.float32), np.zeros((6, 2), np.float32)
    x = [wide, narrow] if kind is list else {"wide": wide, "narrow": narrow}
    model = Pair(first, second)
    assert model(x).shape == (6, 6)
    model.compile("sgd", "mse")
    model.fit(x, np.zeros((6, 6)), verbose=0)
    twin = copy.deepcopy(model)
    np.testing.assert_array_equal(twin.predict(x, verbose=0), model(x))
    model.save(tmp_path / "pair.safetensors")
    loaded = keras.models.load_model(tmp_path / "pair.safetensors", custom_objects={"Pair": Pair})
    np.testing.assert_array_equal(loaded(x), model(x))


def test_a_call_with_two_arguments_fails_without_saying_what_to_write():
    class Apart(keras.Model):
        def call(self, first, second):
            return first + second

    for x in ([np.ones((3, 2)), np.ones((3, 2))], np.ones((3, 2))):
        with pytest.raises(TypeError, match=r"first, second.*call\(self, inputs\)"):
            Apart()(x)


def test_a_copy_trains_on_from_another_place():
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((6,)), layers.Dense(8), layers.Dropout(0.3), layers.Dense(1)])
    model.compile("adam", "mse")
    model.fit(X, Y, verbose=0)
    copies = [copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
    want = model.fit(X, Y, epochs=2, verbose=0).history
    for twin in copies:
        assert twin.fit(X, Y, epochs=2, verbose=0).history == want


def test_a_clone_keeps_the_weights_or_loses_the_names():
    model = autoencoder()
    model.compile("adam", "mse")
    clone = keras.models.clone_model(model)
    assert [layer.name for layer in clone.layers] == [layer.name for layer in model.layers]
    assert clone.compiled
    assert not np.array_equal(clone.get_weights()[0], model.get_weights()[0])


@pytest.mark.parametrize("rows", [1, 2, 3, 40])
def test_the_ways_to_ask_for_outputs_give_different_bits(rows):
    model = keras.Sequential([keras.Input((6,)), layers.Dense(7, activation="tanh"), layers.Dense(3)])
    want = predict(model)[:rows]
    for x in (X[:rows], X[:rows].astype(np.float64), np.asfortranarray(X[:rows]), X[:rows].tolist()):
        np.testing.assert_array_equal(model(x), want)
        np.testing.assert_array_equal(model.predict_on_batch(x), want)
        np.testing.assert_array_equal(model.predict(x, batch_size=2, verbose=0), want)


def test_a_layer_that_always_drops_drops_the_same_every_time():
    class AlwaysDropout(layers.Dropout):
        def call(self, inputs):
            return super().call(inputs, training=True)

    model = keras.Sequential([keras.Input((6,)), AlwaysDropout(0.5)])
    draws = [predict(model), predict(model), model(X), model.predict_on_batch(X), model(X, training=True)]
    for i, a in enumerate(draws):
        assert set(np.unique(np.round(a / X, 5))) == {0.0, 2.0}
        assert not any(np.array_equal(a, b) for b in draws[i + 1 :])


def test_taking_a_layer_off_and_putting_one_on_breaks_a_stack():
    model = keras.Sequential([layers.Dense(4), layers.Dense(3)])
    with pytest.raises(AttributeError, match="not built"):
        _ = model.output_shape
    model.build((None, 6))
    kept = model.layers[0].get_weights()
    assert model.pop().units == 3
    model.add(layers.Dense(1))
    assert model.output_shape == (None, 1)
    assert all(np.array_equal(a, b) for a, b in zip(kept, model.layers[0].get_weights(), strict=True))
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)


def test_adding_a_layer_forgets_what_the_optimizer_knows_of_the_others():
    model = keras.Sequential([keras.Input((6,)), layers.Dense(4)])
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse")
    model.fit(X, X[:, :4], verbose=0)
    before = model._get_state()["optimizer"]["slots"]["momentum"]
    model.add(layers.Dense(1))
    model.predict(X, verbose=0)
    after = model._get_state()["optimizer"]["slots"]["momentum"]
    assert all(np.array_equal(a, b) for a, b in zip(before, after[:2], strict=True))
    assert after[2] is None
