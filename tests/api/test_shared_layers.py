"""A layer in several places of a model, or held by another layer, is one layer in files and copies too."""

import copy
import pickle

import numpy as np
import pytest

import hotloop as keras
from hotloop import ops
from hotloop.saving import FormatError
from traced_functions import DenseTranspose

L = keras.layers
X = np.random.default_rng(3).standard_normal((32, 8)).astype(np.float32)


class Described(DenseTranspose):
    """Describes itself, as Keras wants it."""

    def get_config(self):
        return {**L.Layer.get_config(self), "dense": L.serialize(self.dense), "activation": "tanh"}

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "dense": L.deserialize(config["dense"])})


class Stack(L.Layer):
    """Holds a list of layers."""

    def __init__(self, parts, **kwargs):
        super().__init__(**kwargs)
        self.parts = parts

    def call(self, inputs):
        for part in self.parts:
            inputs = part(inputs)
        return inputs


CLASSES = {cls.__name__: cls for cls in (DenseTranspose, Described, Stack)}


def coders():
    return L.Dense(6, "selu", name="first"), L.Dense(3, "selu", name="second")


def tied(cls=DenseTranspose):
    a, b = coders()
    return keras.Sequential([keras.Input((8,)), a, b, cls(b, "tanh"), cls(a, "tanh")])


def describing():
    return tied(Described)


def tied_halves():
    a, b = coders()
    encoder = keras.Sequential([keras.Input((8,)), a, b], name="encoder")
    decoder = keras.Sequential([keras.Input((3,)), DenseTranspose(b), DenseTranspose(a)], name="decoder")
    return keras.Sequential([encoder, decoder])


def shared_by_two_parts():
    both = L.Dense(8, name="both")
    left = keras.Sequential([keras.Input((8,)), both, L.Dense(8, "tanh")], name="left")
    right = keras.Sequential([keras.Input((8,)), L.Dense(8, "tanh"), both], name="right")
    x = keras.Input((8,))
    return keras.Model(x, L.Add()([left(x), right(x)]))


def shared_with_a_part():
    both = L.Dense(8, "tanh", name="both")
    x = keras.Input((8,))
    part = keras.Model(x, both(x), name="part")
    y = keras.Input((8,))
    return keras.Model(y, both(part(y)))


def stacked():
    a = L.Dense(8, "tanh")
    return keras.Sequential([keras.Input((8,)), a, Stack([L.Dense(8), a])])


def through_file(ending):
    def there_and_back(model, folder):
        if ending != "safetensors":
            pytest.importorskip("h5py")
        model.save(folder / f"model.{ending}")
        return keras.models.load_model(folder / f"model.{ending}", custom_objects=CLASSES)

    return there_and_back


def cloned(model, folder):
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    return clone


WAYS = {
    **{ending: through_file(ending) for ending in ("safetensors", "keras", "h5")},
    "clone": cloned,
    "pickle": lambda model, folder: pickle.loads(pickle.dumps(model)),
    "deepcopy": lambda model, folder: copy.deepcopy(model),
    "JSON": lambda model, folder: with_weights(keras.models.model_from_json(model.to_json(), CLASSES), model),
}
MODELS = [tied, describing, tied_halves, shared_by_two_parts, shared_with_a_part, stacked]


def with_weights(model, of):
    model.set_weights(of.get_weights())
    return model


@pytest.mark.parametrize("make", MODELS)
@pytest.mark.parametrize("way", WAYS)
def test_what_is_shared_stays_shared(tmp_path, make, way):
    model = make()
    model.compile(keras.optimizers.SGD(0.05), "mse")
    model.fit(X, X, verbose=0)
    again = WAYS[way](model, tmp_path)
    assert [v.shape for v in again.weights] == [v.shape for v in model.weights]
    assert not {id(v) for v in again.weights} & {id(v) for v in model.weights}
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))
    again.compile(keras.optimizers.SGD(0.05), "mse")
    for one in (model, again):
        one.fit(X, X, epochs=2, shuffle=False, verbose=0)
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))


def test_copies_of_one_file_share_nothing(tmp_path):
    path = tmp_path / "model.safetensors"
    shared_by_two_parts().save(path)
    first, second = keras.models.load_model(path), keras.models.load_model(path)
    assert not {id(v) for v in first.weights} & {id(v) for v in second.weights}


def test_a_clone_inside_a_layer_that_is_being_made_is_another_model():
    inner = shared_by_two_parts()

    class Copies(L.Layer):
        def __init__(self, model, **kwargs):
            super().__init__(**kwargs)
            self.model = model
            self.other = keras.models.clone_model(inner)

        def call(self, inputs):
            return self.model(inputs) + self.other(inputs)

    model = keras.Sequential([keras.Input((8,)), Copies(inner)])
    again = keras.models.clone_model(model)
    assert len(again.weights) == len(model.weights) == 2 * len(inner.weights)


def test_different_layers_under_one_number_are_refused():
    dense = {**L.serialize(L.Dense(2)), "shared_object_id": 1}
    other = {**L.serialize(L.Dropout(0.5)), "shared_object_id": 1}
    config = {**keras.Sequential([keras.Input((3,))]).get_config(), "layers": [dense, other], "same_as": [0, 1]}
    with pytest.raises(ValueError, match="expected every layer with shared_object_id 1 to be one"):
        keras.Sequential.from_config(config)
    with pytest.raises(ValueError, match=r"expected shared_object_id to be a number, received \[\]"):
        L.deserialize({**dense, "shared_object_id": []})


def test_arguments_that_are_neither_plain_nor_layers_still_need_a_get_config():
    class Holder(L.Layer):
        def __init__(self, thing):
            super().__init__()

    with pytest.raises(NotImplementedError, match="override `get_config"):
        Holder(object()).get_config()


def test_a_file_whose_class_is_not_given_says_so(tmp_path):
    tied().save(tmp_path / "model.safetensors")
    with pytest.raises(FormatError, match="'DenseTranspose'"):
        keras.models.load_model(tmp_path / "model.safetensors")


def stray():
    return keras.Variable(2.0, name="stray")


def test_a_variable_that_no_layer_holds_is_named():
    factor = stray()

    def scaled(y_true, y_pred):
        return ops.square(y_true - y_pred) * factor

    class Times(L.Layer):
        def call(self, inputs):
            return inputs * factor

    message = r"\[.+\] expected variables that the model's layers hold, received 'stray', which none of them does"
    for layers, options in (
        ([L.Dense(8)], {"loss": scaled}),
        ([L.Dense(8)], {"loss": "mse", "metrics": [scaled]}),
        ([L.Dense(8), Times()], {"loss": "mse"}),
    ):
        model = keras.Sequential([keras.Input((8,)), *layers])
        model.compile("sgd", **options)
        with pytest.raises(TypeError, match=message):
            model.fit(X, X, verbose=0)


def test_a_loss_may_read_the_weights_of_the_model():
    dense = L.Dense(8)

    def with_penalty(y_true, y_pred):
        return ops.mean(ops.square(y_true - y_pred)) + ops.sum(ops.square(dense.kernel))

    model = keras.Sequential([keras.Input((8,)), dense])
    model.compile("sgd", with_penalty)
    loss = model.evaluate(X, X, verbose=0)
    kernel, bias = model.get_weights()
    np.testing.assert_allclose(loss, np.mean((X - X @ kernel - bias) ** 2) + np.sum(kernel**2), rtol=1e-5)
