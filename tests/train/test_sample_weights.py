"""Sample and class weights: Keras divides by the number of rows in losses, by the sum of weights in metrics."""

from __future__ import annotations

import numpy as np
import pytest

import hotloop as keras

RNG = np.random.default_rng(5)
X = RNG.standard_normal((20, 4)).astype(np.float32)
Y = (X[:, :1] * X[:, 1:2]).astype(np.float32)
LABELS = RNG.integers(0, 3, 20)
W = RNG.uniform(0, 3, 20)


def regression(rate=0.1, **options):
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(5, activation="tanh"), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(rate), "mse", **options)
    return model


def classifier(loss="sparse_categorical_crossentropy", rate=0.1, **options):
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    model.compile(keras.optimizers.SGD(rate), loss, **options)
    return model


def same_weights(left, right):
    for a, b in zip(left.get_weights(), right.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)


def test_weighted_losses_and_metrics_are_averaged_as_in_keras():
    model = regression(0.0, metrics=["mae"], weighted_metrics=["mse"])
    history = model.fit(X, Y, sample_weight=W, batch_size=6, verbose=0).history
    error = (model.predict(X, verbose=0) - Y)[:, 0]
    assert list(history) == ["loss", "mae", "mse"]
    np.testing.assert_allclose(history["loss"], [np.mean(W * error**2)], rtol=1e-5)
    np.testing.assert_allclose(history["mae"], [np.mean(np.abs(error))], rtol=1e-5)
    np.testing.assert_allclose(history["mse"], [np.sum(W * error**2) / np.sum(W)], rtol=1e-5)
    values = model.evaluate(X, Y, sample_weight=W, batch_size=6, verbose=0, return_dict=True)
    for key, (value,) in history.items():
        np.testing.assert_allclose(values[key], value, rtol=1e-6)


def test_a_metric_in_both_lists_has_two_names():
    model = regression(metrics=["mse"], weighted_metrics=["mse"])
    history = model.fit(X, Y, sample_weight=W, verbose=0).history
    assert list(history) == ["loss", "mse", "weighted_mse"]
    assert len(model.evaluate(X, Y, verbose=0)) == 3


@pytest.mark.parametrize("shape", [(20,), (20, 1)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_weights_of_any_shape_and_dtype_train_the_same_model(shape, dtype):
    weights = np.round(W).astype(dtype).reshape(shape)
    model, plain = regression(), regression()
    model.fit(X, Y, sample_weight=weights, batch_size=6, shuffle=False, verbose=0)
    plain.fit(X, Y, sample_weight=np.round(W).astype(np.float32), batch_size=6, shuffle=False, verbose=0)
    same_weights(model, plain)


def test_weights_follow_their_rows_when_shuffled():
    """With one batch an epoch, the order of rows cannot matter."""
    shuffled, ordered = regression(), regression()
    shuffled.fit(X, Y, sample_weight=W, batch_size=20, epochs=3, verbose=0)
    ordered.fit(X, Y, sample_weight=W, batch_size=20, epochs=3, shuffle=False, verbose=0)
    same_weights(shuffled, ordered)


def test_a_weight_of_zero_is_no_row_and_of_two_is_two_rows():
    weights = np.ones(20)
    weights[[3, 7]] = 0
    weights[5] = 2
    weighted, repeated = regression(), regression()
    weighted.fit(X, Y, sample_weight=weights, batch_size=20, epochs=3, shuffle=False, verbose=0)
    rows = np.repeat(np.arange(20), weights.astype(int))
    # 19 rows: the mean over rows differs from the weighted one by their number
    repeated.compile(keras.optimizers.SGD(0.1 * len(rows) / 20), "mse")
    repeated.fit(X[rows], Y[rows], batch_size=20, epochs=3, shuffle=False, verbose=0)
    same_weights(weighted, repeated)


@pytest.mark.parametrize("form", ["numbers", "column", "one_hot"])
def test_class_weights_are_the_weights_of_their_samples(form):
    by_class = {0: 1.0, 2: 4.0}  # a class that is missing weighs 1
    weights = np.array([by_class.get(int(label), 1.0) for label in LABELS])
    y = {"numbers": LABELS, "column": LABELS[:, None], "one_hot": np.eye(3)[LABELS]}[form]
    loss = "categorical_crossentropy" if form == "one_hot" else "sparse_categorical_crossentropy"
    left, right = classifier(loss, metrics=["accuracy"]), classifier(loss, metrics=["accuracy"])
    a = left.fit(X, y, class_weight=by_class, batch_size=6, epochs=2, verbose=0).history
    b = right.fit(X, y, sample_weight=weights, batch_size=6, epochs=2, verbose=0).history
    assert a == b
    same_weights(left, right)


def test_class_weights_leave_validation_data_alone():
    model = classifier(rate=0.0)
    history = model.fit(
        X, LABELS, class_weight={0: 9.0, 1: 9.0, 2: 9.0}, validation_data=(X, LABELS), verbose=0
    ).history
    np.testing.assert_allclose(history["val_loss"], model.evaluate(X, LABELS, verbose=0), rtol=1e-6)
    np.testing.assert_allclose(history["loss"][0], 9 * history["val_loss"][0], rtol=1e-5)


def test_validation_data_have_their_own_weights():
    model = regression(0.0)
    given = model.fit(X, Y, validation_data=(X[:5], Y[:5], W[:5]), verbose=0).history["val_loss"]
    np.testing.assert_allclose(given, model.evaluate(X[:5], Y[:5], sample_weight=W[:5], verbose=0), rtol=1e-6)
    split = model.fit(X, Y, sample_weight=W, validation_split=0.25, verbose=0).history["val_loss"]
    np.testing.assert_allclose(split, model.evaluate(X[15:], Y[15:], sample_weight=W[15:], verbose=0), rtol=1e-6)


def test_train_on_batch_takes_weights():
    weighted, fitted = classifier(), classifier()
    loss = weighted.train_on_batch(X, LABELS, sample_weight=W)
    history = fitted.fit(X, LABELS, sample_weight=W, batch_size=20, shuffle=False, verbose=0).history["loss"]
    np.testing.assert_allclose(float(np.squeeze(loss)), history[0], rtol=1e-6)
    same_weights(weighted, fitted)
    by_class = classifier()
    by_class.train_on_batch(X, LABELS, class_weight={0: 2.0, 1: 0.5})
    assert not np.array_equal(by_class.get_weights()[0], weighted.get_weights()[0])


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"sample_weight": W[:-1]}, "20"),
        ({"sample_weight": np.ones((20, 2))}, "sample_weight"),
        ({"sample_weight": np.where(np.arange(20) == 4, np.nan, 1.0)}, "4"),
        ({"class_weight": {0: 1.0}, "sample_weight": W}, "class_weight"),
        ({"class_weight": [1.0, 2.0, 3.0]}, "class_weight"),
        ({"class_weight": {"0": 1.0}}, "class_weight"),
        ({"class_weight": {0: float("nan")}}, "class_weight"),
    ],
)
def test_weights_without_meaning_are_refused(options, match):
    model = classifier()
    before = model.get_weights()
    with pytest.raises((ValueError, TypeError), match=match):
        model.fit(X, LABELS, verbose=0, **options)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_class_weights_are_refused_for_two_outputs():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, [keras.layers.Dense(1, name="a")(inputs), keras.layers.Dense(1, name="b")(inputs)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="class_weight"):
        model.fit(X, [Y, Y], class_weight={0: 1.0}, verbose=0)
