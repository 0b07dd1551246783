"""Bodies without heads, new heads, and training from the head down."""

import copy
import pickle

import numpy as np
import pytest

import hotloop as keras
from hotloop import layers
from hotloop.callbacks import BackupAndRestore, GradualUnfreezing

RNG = np.random.default_rng(5)
X = RNG.standard_normal((48, 4)).astype(np.float32)
Y = RNG.standard_normal((48, 2)).astype(np.float32)


def sequential(rate=0.1):
    keras.utils.set_random_seed(3)
    return keras.Sequential([
        keras.Input((4,)), layers.Dense(8, name="lower"), layers.BatchNormalization(name="norm"),
        layers.Activation("relu"), layers.Dense(6, "relu", name="upper"), layers.Dropout(rate),
        layers.Dense(2, name="logits"), layers.Softmax(),
    ])  # fmt: skip


def two_heads():
    keras.utils.set_random_seed(4)
    x = keras.Input((4,), name="x")
    h = layers.Dense(6, "relu", name="trunk")(layers.Dense(8, "relu", name="lower")(x))
    kind = layers.Softmax()(layers.Dense(3, name="kind")(h))
    size = layers.Dense(1, name="size")(layers.Dense(5, "relu", name="tower")(h))
    return keras.Model(x, {"kind": kind, "size": size})


def by_hand(x, *stack):
    for layer in stack:
        x = layer(x)
    return x


def test_the_body_of_a_stack_ends_below_its_last_dense_layer():
    model = sequential()
    body = model.body()
    assert isinstance(body, keras.Sequential)
    assert [a is b for a, b in zip(body.layers, model.layers, strict=False)] == [True] * 5
    assert body.output_shape == (None, 6)
    np.testing.assert_array_equal(body.predict(X, verbose=0), by_hand(X, *model.layers[:5]))


def test_a_copied_body_has_the_same_weights_but_its_own():
    model = sequential()
    shared, own = model.body(), model.body(copy=True)
    np.testing.assert_array_equal(own.predict(X, verbose=0), shared.predict(X, verbose=0))
    before = own.get_weights()
    new = keras.Sequential([shared, layers.Dense(2)])
    new.compile("sgd", "mse")
    new.fit(X, Y, verbose=0)
    for a, b in zip(before, own.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(before[0], shared.get_weights()[0])
    np.testing.assert_array_equal(shared.get_weights()[0], model.get_weights()[0])


@pytest.mark.parametrize("until", ["lower", 0, -7])
def test_the_body_may_end_anywhere(until):
    model = sequential()
    assert [layer.name for layer in model.body(until).layers] == ["lower"]
    assert model.body(model.layers[2]).output_shape == (None, 8)


def test_the_body_of_a_graph_is_what_all_its_heads_read():
    model = two_heads()
    body = model.body(name="trunk_alone")
    assert (body.name, body.output_shape) == ("trunk_alone", (None, 6))
    assert [layer.name for layer in body.layers] == ["x", "lower", "trunk"]
    assert model.body("lower").output_shape == (None, 8)
    np.testing.assert_array_equal(
        body.predict(X, verbose=0), by_hand(X, model.get_layer("lower"), model.get_layer("trunk"))
    )


def test_the_body_passes_merges_and_forgets_inputs_that_only_heads_read():
    x, extra = keras.Input((4,), name="x"), keras.Input((2,), name="extra")
    a = layers.Dense(5, "relu")(x)
    h = layers.Add()([a, layers.Dense(5, "relu")(a)])
    one = layers.Dense(1, name="one")(h)
    model = keras.Model({"x": x, "extra": extra}, layers.Dense(1)(layers.Concatenate()([h, extra])))
    assert keras.Model(x, one).body().output_shape == (None, 5)
    assert model.body().output_shape == (None, 7)
    rest = model.body("add") if "add" in [layer.name for layer in model.layers] else model.body(h.node.operation)
    assert [t.name for t in rest.inputs] == ["x"]
    assert rest.predict({"x": X}, verbose=0).shape == (48, 5)


def test_new_heads_start_new_on_the_old_body():
    model = sequential()
    new = model.replace_head(3, "softmax", kernel_initializer="zeros")
    assert isinstance(new, keras.Sequential)
    assert [layer.name for layer in new.layers][-1] == "head"
    np.testing.assert_allclose(new.predict(X, verbose=0), 1 / 3, rtol=1e-6)
    assert new.layers[0] is model.layers[0]
    assert model.replace_head(3, copy=True).layers[0] is not model.layers[0]
    own = layers.Dense(1, name="mine")
    assert model.replace_head(own).layers[-1] is own
    assert new.replace_head(5).layers[-1].name == "head"


def test_several_heads_train_together_on_a_body_of_either_kind(tmp_path):
    for model in (sequential(), two_heads()):
        new = model.replace_head({"label": 3, "age": 1}, {"label": "softmax"})
        assert new.output_shape == {"label": (None, 3), "age": (None, 1)}
        new.compile("adam", {"label": "sparse_categorical_crossentropy", "age": "mse"})
        y = {"label": RNG.integers(0, 3, 48), "age": Y[:, :1]}
        losses = new.fit(X, y, epochs=5, verbose=0).history["loss"]
        assert losses[-1] < losses[0]
        want = new.predict(X, verbose=0)
        new.save(tmp_path / "m.safetensors")
        loaded = keras.models.load_model(tmp_path / "m.safetensors")
        for twin in (loaded, copy.deepcopy(new), pickle.loads(pickle.dumps(new))):
            np.testing.assert_array_equal(twin.predict(X, verbose=0)["age"], want["age"])


def test_a_float64_body_gets_a_float64_head():
    model = keras.Sequential([keras.Input((4,), dtype="float64"), layers.Dense(3, dtype="float64")])
    model.add(layers.Dense(1, dtype="float64"))
    assert model.replace_head(2).layers[-1].kernel.dtype == "float64"


class Own(keras.Model):
    def __init__(self):
        super().__init__()
        self.lower, self.upper = layers.Dense(3), layers.Dense(1)

    def call(self, x):
        return self.upper(self.lower(x))


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (lambda: Own().body(), TypeError, r"\[body\] expected a Sequential or functional model, received Own"),
        (lambda: keras.Sequential([layers.Dense(1)]).body(), ValueError, "expected a model that is built"),
        (lambda: keras.Sequential([keras.Input((2,)), layers.Dense(1)]).body(), ValueError, "received none"),
        (lambda: sequential().body("uper"), ValueError, "Did you mean 'upper'"),
        (lambda: sequential().body(9), ValueError, "an index below 7, received 9"),
        (lambda: sequential().body(1.5), TypeError, "its name or its index, received 1.5"),
        (lambda: keras.Sequential([sequential(), layers.Softmax()]).body(), ValueError, "the model 'sequential"),
        (lambda: sequential().replace_head({}), ValueError, "at least one head"),
        (lambda: sequential().replace_head({"a": 1}, {"b": "relu"}), ValueError, "'b'"),
        (lambda: sequential().replace_head(1, {"a": "relu"}), TypeError, "one activation for one head"),
        (lambda: sequential().replace_head(layers.Dense(1), "relu"), ValueError, "Give them to the layer"),
        (lambda: sequential().replace_head(0), ValueError, "units"),
    ],
)
def test_what_cannot_be_cut_is_refused(act, error, message):
    with pytest.raises(error, match=message):
        act()


def test_heads_without_a_common_layer_are_refused():
    a, b = keras.Input((2,)), keras.Input((2,))
    one, two = layers.Dense(3, name="one")(a), layers.Dense(3, name="two")(b)
    model = keras.Model([a, b], [layers.Dense(1)(one), layers.Dense(1)(two)])
    with pytest.raises(ValueError, match="heads on one common layer, received one, two below them"):
        model.body()
    twice = layers.Dense(4, name="twice")
    model = keras.Model([a, b], layers.Dense(1)(layers.Add()([twice(a), twice(b)])))
    with pytest.raises(ValueError, match="calls once, received 'twice', which it calls 2 times"):
        model.body("twice")


# Training from the head down.


def frozen_by_epoch(model, **options):
    seen = []

    class Note(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            weights = [layer for layer in model.layers if layer.weights]
            seen.append("".join(layer.name[0].upper() if layer.trainable else "." for layer in weights))

    gradual = GradualUnfreezing(**options)
    model.fit(X, Y, epochs=5, batch_size=16, verbose=0, callbacks=[gradual, Note()])
    return seen, gradual


def test_layers_thaw_from_the_top_down_and_only_thawed_ones_move():
    model = sequential()
    model.compile("sgd", "mse")
    assert frozen_by_epoch(model)[0] == ["...L", "..UL", "LNUL", "LNUL", "LNUL"]  # the norm goes with what it follows
    model = sequential()
    model.compile("sgd", "mse")
    assert frozen_by_epoch(model, epochs_per_stage=2)[0] == ["...L", "...L", "..UL", "..UL", "LNUL"]
    model = sequential()
    model.compile("sgd", "mse")
    assert frozen_by_epoch(model, layers_per_stage=2)[0][1] == "LNUL"
    model = sequential()
    model.compile("sgd", "mse")
    before = {layer.name: layer.get_weights() for layer in model.layers if layer.weights}
    model.fit(X, Y, epochs=2, verbose=0, callbacks=[GradualUnfreezing()])
    moved = {name: not np.array_equal(w[0], model.get_layer(name).get_weights()[0]) for name, w in before.items()}
    assert moved == {"lower": False, "norm": False, "upper": True, "logits": True}
    np.testing.assert_array_equal(before["norm"][2], model.get_layer("norm").get_weights()[2])


def test_lower_layers_take_smaller_steps():
    model, plain = sequential(0), sequential(0)
    gradual = GradualUnfreezing(layers_per_stage=9, rate_decay=0.5)
    for each in (model, plain):
        each.compile(keras.optimizers.SGD(0.1), "mse")
    start = plain.get_weights()
    plain.fit(X, Y, batch_size=48, shuffle=False, verbose=0)
    model.fit(X, Y, batch_size=48, shuffle=False, verbose=0, initial_epoch=1, epochs=2, callbacks=[gradual])
    names = [v.path for v in model.weights]
    for name, depth in (("logits/kernel", 0), ("upper/kernel", 1), ("lower/kernel", 2), ("norm/gamma", 2)):
        i = names.index(name)
        steps = [w.get_weights()[i] - start[i] for w in (model, plain)]
        np.testing.assert_allclose(steps[0], steps[1] * 0.5**depth, rtol=2e-3, atol=2e-7)
    assert [[layer.name for layer in group] for group in gradual.groups] == [["logits"], ["upper"], ["lower", "norm"]]


def test_factors_of_ones_own_stay_behind_those_of_the_callback():
    model = sequential()
    model.compile(keras.optimizers.Adam(learning_rate_factors={"^lower/": 7.0, "": 0.3}), "mse")
    for _ in range(2):
        model.fit(X, Y, verbose=0, callbacks=[GradualUnfreezing(rate_decay=0.1)])
    assert list(model.optimizer.learning_rate_factors.items()) == [
        ("^logits/", 1.0), ("^upper/", 0.1), ("^lower/", pytest.approx(0.01)), ("^norm/", pytest.approx(0.01)),
        ("", 0.3),
    ]  # fmt: skip


def test_all_heads_thaw_first_and_models_inside_layer_by_layer():
    model = two_heads()
    model.compile("sgd", "mse")
    gradual = GradualUnfreezing()
    y = {"kind": np.tile(Y[:, :1], 3), "size": Y[:, :1]}
    model.fit(X, y, verbose=0, callbacks=[gradual])
    assert [sorted(layer.name for layer in group) for group in gradual.groups] == [
        ["kind", "size"], ["tower"], ["trunk"], ["lower"],
    ]  # fmt: skip
    nested = keras.Sequential([keras.Input((4,)), sequential().body(), layers.Dense(2, name="head")])
    nested.compile("sgd", "mse")
    gradual = GradualUnfreezing()
    nested.fit(X, Y, epochs=2, verbose=0, callbacks=[gradual])
    assert [group[0].name for group in gradual.groups] == ["head", "upper", "lower"]
    assert [group[0].trainable for group in gradual.groups] == [True, True, False]
    own = Own()
    own.compile("sgd", "mse")
    own.fit(X, Y[:, :1], verbose=0, callbacks=[gradual])
    assert [group[0] for group in gradual.groups] == [own.upper, own.lower]


class Stop(Exception):  # noqa: N818
    pass


@pytest.mark.parametrize("save_freq", ["epoch", 5])
@pytest.mark.parametrize("at", [(1, 2), (3, 0), (3, 2)])
def test_an_interrupted_unfreezing_goes_on_to_the_same_bits(tmp_path, save_freq, at):
    class Break(keras.callbacks.Callback):
        def __init__(self):
            self.epoch = 0

        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch

        def on_train_batch_end(self, batch, logs=None):
            if (self.epoch, batch) == at:
                raise Stop

    def train(*more):
        model = sequential()
        model.compile(keras.optimizers.Adam(0.01), "mse")
        gradual = GradualUnfreezing(epochs_per_stage=2, rate_decay=0.5)
        backup = BackupAndRestore(tmp_path / "b", save_freq=save_freq)
        model.fit(X, Y, epochs=6, batch_size=16, verbose=0, callbacks=[gradual, backup, *more])
        return model

    whole = train()
    with pytest.raises(Stop):
        train(Break())
    for got, want in zip(train().get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize(
    "arguments",
    [
        {"layers_per_stage": 0},
        {"epochs_per_stage": 1.5},
        {"rate_decay": 0.0},
        {"rate_decay": 1.5},
        {"rate_decay": "a"},
        {"rate_decay": None},
        {"rate_decay": np.nan},
    ],
)
def test_arguments_out_of_range_are_refused(arguments):
    with pytest.raises(ValueError, match=r"\[GradualUnfreezing\] expected " + next(iter(arguments))):
        GradualUnfreezing(**arguments)


def test_a_model_without_weights_has_nothing_to_thaw():
    model = keras.Sequential([keras.Input((4,)), layers.Rescaling(2.0)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="expected a model with weights"):
        model.fit(X, X, verbose=0, callbacks=[GradualUnfreezing()])


def test_rates_that_names_cannot_tell_apart_are_refused():
    bodies = [keras.Sequential([keras.Input((4,)), layers.Dense(4, name="same")]) for _ in range(2)]
    model = keras.Sequential([keras.Input((4,)), *bodies, layers.Dense(3)])
    model.compile("sgd", "mse")
    x, y = np.ones((4, 4)), np.ones((4, 3))
    with pytest.raises(ValueError, match=r"layers of different names .* several called 'same'"):
        model.fit(x, y, verbose=0, callbacks=[GradualUnfreezing(rate_decay=0.5)])
    model.fit(x, y, verbose=0, callbacks=[GradualUnfreezing()])
