"""Every public entry refuses bad input with a message that names it, and changes nothing."""

from __future__ import annotations

import copy
import datetime

import numpy as np
import pytest

import hotloop as keras

RNG = np.random.default_rng(2)
X = RNG.standard_normal((12, 4)).astype(np.float32)
LABELS = RNG.integers(0, 3, 12)
REFUSALS = (ValueError, TypeError)
HUGE = [2**31, 2**32, 2**62, 2**63 - 1, 2**63, 2**64, 10**30]


@pytest.fixture(scope="module")
def trained():
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(5, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(X, LABELS, verbose=0)
    return model


def state(model):
    return [*[w.tobytes() for w in model.get_weights()], int(model.optimizer.iterations)]


def refused(model, call, match="expected|received"):
    """The call is refused, the model is what it was, and still trains."""
    before = state(model)
    with pytest.raises(REFUSALS, match=match) as refusal:
        call()
    assert len(str(refusal.value)) < 1000, "a message, not a dump"
    assert state(model) == before
    twin = copy.deepcopy(model)
    twin.fit(X, LABELS, verbose=0)
    assert state(twin) != before


ENTRIES = {
    "fit": lambda m, x, y: m.fit(x, y, verbose=0),
    "evaluate": lambda m, x, y: m.evaluate(x, y, verbose=0),
    "train_on_batch": lambda m, x, y: m.train_on_batch(x, y),
    "test_on_batch": lambda m, x, y: m.test_on_batch(x, y),
    "validation_data": lambda m, x, y: m.fit(X, LABELS, validation_data=(x, y), verbose=0),
    "predict": lambda m, x, y: m.predict(x, verbose=0),
    "predict_on_batch": lambda m, x, y: m.predict_on_batch(x),
    "call": lambda m, x, y: m(x),
}


def spoilt(value, row=7):
    x = X.copy()
    x[row, 2] = value
    return x


BAD_X = {
    "too wide": (np.zeros((12, 5), np.float32), "4"),
    "too narrow": (X[:, :3], "4"),
    "rank 1": (X[:, 0], "4"),
    "rank 3": (X[:, :, None, None], "4"),
    "a number": (np.float32(3), "expected"),
    "no rows": (X[:0], "0|at least one"),
    "no columns": (X[:, :0], "4"),
    "ragged": ([[1.0, 2.0, 3.0, 4.0], [1.0, 2.0]] * 6, "expected"),
    "objects": (X.astype(object), "dtype object"),
    "complex": (X.astype(np.complex64), "complex64"),
    "dates": (np.zeros((12, 4), "datetime64[s]"), "datetime64"),
    "strings": (X.astype(str), "dtype <U"),
    "a date": (datetime.date(2024, 2, 29), "expected"),
    "None": (None, "expected"),
    "NaN": (spoilt(np.nan), "7"),
    "infinity": (spoilt(np.inf, 3), "3"),
    "minus infinity in float64": (spoilt(-np.inf, 11).astype(np.float64), "11"),
    "beyond float32": (spoilt(0).astype(np.float64) + np.eye(12, 4) * 1e39, "0"),
}


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("bad", BAD_X)
def test_bad_features_are_refused_and_change_nothing(entry, bad, trained):
    x, match = BAD_X[bad]
    refused(trained, lambda: ENTRIES[entry](trained, x, LABELS), match)


BAD_Y = {
    "a class too many": (np.where(np.arange(12) == 5, 3, LABELS), "5"),
    "a negative label": (np.where(np.arange(12) == 6, -1, LABELS), "6"),
    "a fraction": (LABELS + np.where(np.arange(12) == 4, 0.5, 0), "4"),
    "NaN": (np.where(np.arange(12) == 2, np.nan, LABELS), "2"),
    "a label of 2^32": (np.where(np.arange(12) == 9, 2**32, LABELS), "9"),
    "too few": (LABELS[:-1], "11"),
    "one-hot": (np.eye(3)[LABELS], "sparse_categorical_crossentropy|y"),
    "two columns": (np.stack([LABELS, LABELS], 1), "expected"),
    "strings": (np.array(["a"] * 12), "dtype <U"),
    "objects": (LABELS.astype(object), "dtype object"),
    "none": (None, "y"),
}


@pytest.mark.parametrize("entry", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
@pytest.mark.parametrize("bad", BAD_Y)
def test_bad_labels_are_refused_and_change_nothing(entry, bad, trained):
    y, match = BAD_Y[bad]
    refused(trained, lambda: ENTRIES[entry](trained, X, y), match)


@pytest.mark.parametrize("entry", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_bad_targets_of_a_regression_are_refused_and_change_nothing(entry, value):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    y = X[:, :2].copy()
    y[8, 1] = value
    before = model.get_weights()
    with pytest.raises(ValueError, match="8"):
        ENTRIES[entry](model, X, y)
    with pytest.raises(ValueError, match="expected"):
        ENTRIES[entry](model, X, X[:, :3])
    with pytest.raises(ValueError, match="expected"):
        ENTRIES[entry](model, X, X[:, :1].reshape(12, 1, 1))
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


COUNTS = ["batch_size", "steps_per_epoch", "validation_batch_size", "validation_freq"]


@pytest.mark.parametrize(
    ("argument", "bad"),
    [*((name, bad) for name in COUNTS for bad in (-1, 2.5, "32")), ("steps_per_epoch", 0), ("validation_freq", 0)],
)
def test_fit_refuses_a_bad_count(argument, bad, trained):
    refused(trained, lambda: trained.fit(X, LABELS, validation_data=(X, LABELS), verbose=0, **{argument: bad}))


@pytest.mark.parametrize("bad", [-1, 2.5, "3"])
@pytest.mark.parametrize("argument", ["epochs", "initial_epoch"])
def test_fit_refuses_a_bad_epoch(argument, bad, trained):
    refused(trained, lambda: trained.fit(X, LABELS, verbose=0, **{argument: bad}))


@pytest.mark.parametrize("bad", [-1, 2.5, "3"])
@pytest.mark.parametrize("argument", ["batch_size", "steps"])
def test_evaluate_and_predict_refuse_a_bad_count(argument, bad, trained):
    refused(trained, lambda: trained.evaluate(X, LABELS, verbose=0, **{argument: bad}))
    refused(trained, lambda: trained.predict(X, verbose=0, **{argument: bad}))


@pytest.mark.parametrize("size", HUGE)
def test_a_batch_size_may_be_larger_than_any_data(size, trained):
    twin = copy.deepcopy(trained)
    np.testing.assert_array_equal(twin.predict(X, batch_size=size, verbose=0), trained.predict(X, verbose=0))
    twin.fit(X, LABELS, batch_size=size, verbose=0)
    assert np.isfinite(twin.get_weights()[0]).all()


@pytest.mark.parametrize("bad", [-0.1, 1.0, 1.5, "0.2", float("nan"), 0.999])
def test_a_bad_validation_split_is_refused(bad, trained):
    refused(trained, lambda: trained.fit(X, LABELS, validation_split=bad, verbose=0))


@pytest.mark.parametrize("share", [np.float32(0.25), np.float64(0.25), 0])
def test_a_validation_split_of_another_number_type_is_refused(share, trained):
    history = copy.deepcopy(trained).fit(X, LABELS, validation_split=share, verbose=0).history
    assert ("val_loss" in history) == (share > 0)


def test_a_masked_array_without_a_masked_element_is_refused(trained):
    np.testing.assert_array_equal(
        trained.predict(np.ma.masked_less(X, X.min() - 1), verbose=0), trained.predict(X, verbose=0)
    )


@pytest.mark.parametrize("steps", [0, -1, 2.5, "3", True])
def test_a_bad_number_of_validation_steps_is_found_out_after_the_first_epoch(steps, trained):
    refused(
        trained,
        lambda: trained.fit(X, LABELS, validation_data=(X, LABELS), validation_steps=steps, verbose=0),
        "validation_steps",
    )


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda m: m.fit(X, LABELS, epoch=3, verbose=0), "epochs|epoch"),
        (lambda m: m.fit(X, LABELS, callbacks=[object()], verbose=0), "callback"),
        (lambda m: m.fit(X, LABELS, callbacks=["EarlyStopping"], verbose=0), "callback|Callback"),
        (lambda m: m.fit(X, LABELS, verbose=7), "verbose"),
        (lambda m: m.fit(X, LABELS, shuffle="rows", verbose=0), "shuffle"),
        (lambda m: m.fit(X, LABELS, shuffle=np.arange(len(X)), verbose=0), "shuffle=False"),
        (lambda m: m.fit(X, LABELS, class_weight={"a": 1.0}, verbose=0), "Number the classes"),
        (lambda m: m.fit(X, LABELS, class_weight={0: "heavy"}, verbose=0), "dict of class number to weight"),
        (lambda m: m.fit(np.ma.masked_less(X, 0), LABELS, verbose=0), "masked"),
        (lambda m: m.fit(X, np.ma.masked_equal(LABELS, 1), verbose=0), "masked"),
        (lambda m: m.predict(np.ma.masked_less(X, 0), verbose=0), "masked"),
        (lambda m: m.fit(X, LABELS, validation_data=X, verbose=0), "validation_data"),
        (lambda m: m.fit(X, LABELS, validation_data=(X[:, :2], LABELS), verbose=0), "4"),
        (lambda m: m.fit([X, X], LABELS, verbose=0), "expected"),
        (lambda m: m.fit([X, X[:, :2]], LABELS, verbose=0), "several inputs|Several inputs"),
        (lambda m: m(X, X), "one list or dict"),
        (lambda m: m.predict({"x": X, "y": X}, verbose=0), "expected"),
        (lambda m: m.get_layer("dens"), "dense"),
        (lambda m: m.get_layer(index=7), "7"),
        (lambda m: m.get_layer(), "name"),
    ],
)
def test_a_bad_argument_is_refused(call, match, trained):
    refused(trained, lambda: call(trained), match)


@pytest.mark.parametrize(
    "change",
    [
        lambda w: w[:-1],
        lambda w: [*w, w[0]],
        lambda w: [],
        lambda w: [w[0].T, *w[1:]],
        lambda w: [w[0][:, :2], *w[1:]],
        lambda w: [*w[:-1], w[-1][:, None]],
        lambda w: [*w[:-1], w[-1].astype(str)],
        lambda w: [*w[:-1], w[-1].astype(complex)],
        lambda w: [*w[:-1], None],
        lambda w: w[0],
        lambda w: None,
    ],
)
def test_weights_that_do_not_fit_are_refused_as_a_whole(change, trained):
    refused(trained, lambda: trained.set_weights(change(trained.get_weights())), r"\[set_weights '.*'\] expected")


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda m: m.compile("adamm", "mse"), "adam"),
        (lambda m: m.compile("sgd", "sparse_categorical_crossentrop"), "sparse_categorical_crossentropy"),
        (lambda m: m.compile("sgd", "mse", metrics=["acuracy"]), "accuracy"),
        (lambda m: m.compile("sgd", "mse", metrics="accuracy"), "metrics"),
        (lambda m: m.compile(keras.optimizers.SGD, "mse"), "optimizer|SGD"),
        (lambda m: m.compile("sgd", "mse", loss_weights=[1.0, 2.0]), "loss_weights"),
        (lambda m: m.compile("sgd", {"nothing": "mse"}), "nothing"),
        (lambda m: m.compile("sgd", ["mse", "mse"]), "loss"),
        (lambda m: m.compile("sgd", "mse", metric=["mae"]), "metric"),
        (lambda m: m.compile("sgd", 3), "loss"),
    ],
)
def test_a_bad_compile_argument_is_refused_and_changes_nothing(call, match, trained):
    before, optimizer, loss = state(trained), trained.optimizer, trained.loss
    with pytest.raises(REFUSALS, match=match):
        call(trained)
    assert (state(trained), trained.optimizer, trained.loss) == (before, optimizer, loss)


def test_a_model_is_compiled_before_it_trains():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    for call in (model.fit, model.evaluate, model.train_on_batch, model.test_on_batch):
        with pytest.raises((ValueError, RuntimeError), match="compile"):
            call(X, X[:, :1])
    model.compile("sgd")
    with pytest.raises(ValueError, match="loss"):
        model.fit(X, X[:, :1], verbose=0)


BAD_LAYERS = {
    "units 0": lambda: keras.layers.Dense(0),
    "units -1": lambda: keras.layers.Dense(-1),
    "units 2.5": lambda: keras.layers.Dense(2.5),
    "units text": lambda: keras.layers.Dense("5"),
    "activation": lambda: keras.layers.Dense(5, activation="rleu"),
    "initializer": lambda: keras.layers.Dense(5, kernel_initializer="glorot_unifrom"),
    "unknown argument": lambda: keras.layers.Dense(5, acitvation="relu"),
    "rate 1.5": lambda: keras.layers.Dropout(1.5),
    "rate -0.1": lambda: keras.layers.Dropout(-0.1),
    "rate NaN": lambda: keras.layers.Dropout(float("nan")),
    "momentum": lambda: keras.layers.BatchNormalization(momentum=1.5),
    "epsilon": lambda: keras.layers.BatchNormalization(epsilon=-1.0),
    "epsilon infinite": lambda: keras.layers.BatchNormalization(epsilon=float("inf")),
    "epsilon text": lambda: keras.layers.BatchNormalization(epsilon="small"),
    "momentum text": lambda: keras.layers.BatchNormalization(momentum="large"),
    "axis of text": lambda: keras.layers.BatchNormalization(axis="last"),
    "axis of nothing": lambda: keras.layers.LayerNormalization(axis=[]),
    "name": lambda: keras.layers.Dense(5, name="a/b"),
    "dtype": lambda: keras.layers.Dense(5, dtype="float23")(X),
    "shape text": lambda: keras.Input("784"),
    "shape number": lambda: keras.Input(784),
    "shape negative": lambda: keras.Input((-3,)),
    "reshape": lambda: keras.layers.Reshape((-1, -1))(X),
    "tokens": lambda: keras.layers.CategoryEncoding(num_tokens=0),
    "mode": lambda: keras.layers.CategoryEncoding(num_tokens=3, output_mode="onehot"),
    "not a layer": lambda: keras.Sequential([5]),
    "names": lambda: keras.Sequential([keras.layers.Dense(2, name="a"), keras.layers.Dense(2, name="a")]),
    "rate text": lambda: keras.optimizers.SGD("fast"),
    "rate negative": lambda: keras.optimizers.SGD(-0.1),
    "beta": lambda: keras.optimizers.Adam(beta_1=1.0),
    "optimizer argument": lambda: keras.optimizers.Adam(beta1=0.9),
    "monitor": lambda: keras.callbacks.EarlyStopping(patience=-1),
    "mode of a callback": lambda: keras.callbacks.EarlyStopping(mode="smallest"),
}


@pytest.mark.parametrize("bad", BAD_LAYERS)
def test_an_object_without_meaning_is_refused(bad):
    with pytest.raises(REFUSALS, match=r".+"):
        BAD_LAYERS[bad]()


@pytest.mark.parametrize(
    "build",
    [
        lambda: keras.layers.Dense(3)(X[:, 0]),
        lambda: keras.layers.Reshape((3, 3))(X),
        lambda: keras.layers.Add()([X, X[:, :2]]),
        lambda: keras.layers.Concatenate(axis=1)([X, X[:5]]),
        lambda: keras.layers.BatchNormalization(axis=5)(X),
        lambda: keras.layers.BatchNormalization(axis=[1, 3])(np.ones((2, 3, 4, 5))),
        lambda: keras.layers.BatchNormalization(axis=[0, 1])(X),
        lambda: keras.layers.BatchNormalization(axis=[1, -1])(X),
        lambda: keras.layers.LayerNormalization(axis=0)(np.ones((2, 3, 4))),
        lambda: keras.layers.RMSNormalization(epsilon=-1.0),
        lambda: keras.layers.GroupNormalization(groups=3)(np.ones((2, 4))),
        lambda: keras.layers.Add()(X),
    ],
)
def test_shapes_that_do_not_fit_are_refused(build):
    with pytest.raises(REFUSALS, match=r"\[.*\]|expected"):
        build()


@pytest.mark.parametrize("size", HUGE)
def test_a_layer_of_huge_size_is_refused(size):
    builds = [
        lambda: keras.Sequential([keras.Input((size,)), keras.layers.Dense(2**20)]),
        lambda: keras.Sequential([keras.Input((2**20,)), keras.layers.Dense(size)]),
        lambda: keras.Sequential([keras.Input((size, size)), keras.layers.Flatten(), keras.layers.Dense(64)]),
        lambda: keras.Sequential([keras.Input((4,)), keras.layers.Reshape((size, size))]),
    ]
    for build in builds:
        with pytest.raises((ValueError, TypeError, MemoryError, OverflowError), match=r".+"):
            build()


def test_a_model_too_large_for_memory_is_a_memory_error():
    with pytest.raises(MemoryError):
        keras.Sequential([keras.Input((2**21,)), keras.layers.Dense(2**22)])


def test_an_array_of_more_than_2_to_the_31_rows_is_counted_right(trained):
    x = np.broadcast_to(np.zeros(4, np.float32), (2**31 + 1, 4))
    refused(trained, lambda: trained.fit(x, LABELS, verbose=0), str(2**31 + 1))


def test_a_refused_call_leaves_the_next_one_alone(trained):
    want = trained.predict(X, verbose=0)
    for x, _ in BAD_X.values():
        with pytest.raises(REFUSALS):
            trained.predict(x, verbose=0)
        np.testing.assert_array_equal(trained.predict(X, verbose=0), want)
