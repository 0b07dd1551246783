"""What evaluate, predict, the *_on_batch methods and calling a model return."""

from __future__ import annotations

import numpy as np
import pytest

import hotloop as keras

RNG = np.random.default_rng(6)
X = RNG.standard_normal((23, 4)).astype(np.float32)
Y = X[:, :2] + 1


def build(compiled=True, metrics=(), dropout=0.0, loss="mse"):
    keras.utils.set_random_seed(8)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(30, activation="relu"),
            keras.layers.Dropout(dropout),
            keras.layers.Dense(2),
        ]
    )
    if compiled:
        model.compile(keras.optimizers.SGD(0.05), loss, metrics=list(metrics))
    return model


def two_outputs():
    keras.utils.set_random_seed(8)
    inputs = keras.Input((4,))
    a, b = keras.layers.Dense(2, name="a")(inputs), keras.layers.Dense(2, name="b")(inputs)
    model = keras.Model(inputs, [a, b])
    model.compile("sgd", ["mse", "mae"], loss_weights=[2.0, 0.5], metrics=[["mae"], ["mse"]])
    return model


def test_evaluate_returns_keras_types_in_keras_order():
    loss = build().evaluate(X, Y, verbose=0)
    assert isinstance(loss, float)
    model = build(metrics=["mse", "mae"])
    values = model.evaluate(X, Y, verbose=0)
    assert isinstance(values, list)
    assert all(type(v) is float for v in values)
    error = model.predict(X, verbose=0) - Y
    np.testing.assert_allclose(values, [np.mean(error**2), np.mean(error**2), np.mean(np.abs(error))], rtol=1e-5)
    named = model.evaluate(X, Y, verbose=0, return_dict=True)
    assert set(named) == {"loss", "mse", "mae"}
    assert [named["loss"], named["mse"], named["mae"]] == values


def test_losses_of_two_outputs_are_reported_unweighted_and_added_weighted():
    model = two_outputs()
    values = model.evaluate(X, [Y, Y], verbose=0, return_dict=True)
    assert set(values) == {"loss", "a_loss", "b_loss", "a_mae", "b_mse"}
    a, b = (p - Y for p in model.predict(X, verbose=0))
    np.testing.assert_allclose(values["a_loss"], np.mean(a**2), rtol=1e-5)  # not times its weight
    np.testing.assert_allclose(values["b_loss"], np.mean(np.abs(b)), rtol=1e-5)
    np.testing.assert_allclose(values["loss"], 2 * values["a_loss"] + 0.5 * values["b_loss"], rtol=1e-5)
    ordered = model.evaluate(X, [Y, Y], verbose=0)
    assert ordered == [values[k] for k in ("loss", "a_loss", "b_loss", "a_mae", "b_mse")]
    history = model.fit(X, [Y, Y], verbose=0, validation_split=0.2).history
    assert list(history) == sorted(history)
    assert "val_a_loss" in history


def test_losses_of_a_dict_are_reported_in_the_order_of_compile_and_outputs_in_that_of_the_alphabet():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, {name: keras.layers.Dense(2, name=name)(inputs) for name in ("b", "a")})
    metrics = {"a": ["mae"], "b": ["mse"]}
    model.compile("sgd", {"b": "mse", "a": "mae"}, metrics=metrics, weighted_metrics=metrics)
    values = model.evaluate(X, [Y, Y], verbose=0, return_dict=True)
    names = ["loss", "b_loss", "a_loss", "a_mae", "a_weighted_mae", "b_mse", "b_weighted_mse"]
    assert model.evaluate(X, {"a": Y, "b": Y}, verbose=0) == [values[name] for name in names]
    assert list(model.predict(X, verbose=0)) == model.output_names == ["a", "b"]
    assert [layer.name for layer in model.layers][1:] == ["a", "b"]


def test_evaluation_and_prediction_leave_the_model_alone():
    model = build(dropout=0.5)
    model.fit(X, Y, verbose=0)
    before, steps = model.get_weights(), int(model.optimizer.iterations)
    model.evaluate(X, Y, verbose=0)
    model.predict(X, verbose=0)
    model.test_on_batch(X, Y)
    model.predict_on_batch(X)
    model(X)
    model(X, training=True)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert int(model.optimizer.iterations) == steps


@pytest.mark.parametrize("steps", [1, 2])
def test_steps_cut_a_prediction_and_an_evaluation_short(steps):
    model = build()
    assert model.predict(X, batch_size=5, steps=steps, verbose=0).shape == (5 * steps, 2)
    want = model.evaluate(X[: 5 * steps], Y[: 5 * steps], verbose=0)
    np.testing.assert_allclose(model.evaluate(X, Y, batch_size=5, steps=steps, verbose=0), want, rtol=1e-6)


def test_predict_needs_no_compile_and_returns_float32():
    model = build(compiled=False)
    want = model.predict(X, verbose=0)
    assert (want.dtype, want.shape) == (np.float32, (23, 2))
    for dtype in ("float64", "int64", "bool", "uint8", "float16"):
        assert model.predict(X.astype(dtype), verbose=0).dtype == np.float32
    np.testing.assert_array_equal(model.predict(X.astype(np.float64), verbose=0), want)


def test_predictions_have_the_structure_of_the_outputs():
    model = two_outputs()
    a, b = model.predict(X, verbose=0)
    assert a.shape == b.shape == (23, 2)
    inputs = keras.Input((4,))
    named = keras.Model(inputs, {"sum": keras.layers.Dense(1)(inputs), "rest": keras.layers.Dense(3)(inputs)})
    assert {k: v.shape for k, v in named.predict(X, verbose=0).items()} == {"sum": (23, 1), "rest": (23, 3)}


def test_dropout_acts_in_training_calls_alone():
    model = build(dropout=0.5)
    quiet = model.predict(X, verbose=0)
    np.testing.assert_array_equal(quiet, np.asarray(model(X)))
    np.testing.assert_array_equal(quiet, np.asarray(model(X, training=False)))
    noisy = np.asarray(model(X, training=True))
    assert not np.isclose(noisy, quiet).all(axis=0).any()
    assert not np.array_equal(noisy, np.asarray(model(X, training=True)))  # every call draws anew
    many = np.mean([np.asarray(model(X, training=True)) for _ in range(400)], axis=0)
    assert np.abs(many - quiet).max() < 0.25 * np.abs(quiet).max()


def test_train_on_batch_reports_this_batch_and_trains_like_fit():
    model, fitted = build(metrics=["mae"]), build(metrics=["mae"])
    before = model.evaluate(X, Y, verbose=0)
    first = model.train_on_batch(X, Y)
    np.testing.assert_allclose(first, before, rtol=1e-6)
    after = model.evaluate(X, Y, verbose=0)
    second = model.train_on_batch(X, Y, return_dict=True)
    assert list(second) == ["loss", "mae"]
    np.testing.assert_allclose([second["loss"], second["mae"]], after, rtol=1e-6)  # of this batch alone
    fitted.fit(X, Y, batch_size=23, epochs=2, shuffle=False, verbose=0)
    for a, b in zip(model.get_weights(), fitted.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_one_batch_forms_agree_with_evaluate_and_predict():
    model = build(metrics=["mae"])
    np.testing.assert_allclose(model.test_on_batch(X, Y), model.evaluate(X, Y, verbose=0), rtol=1e-6)
    named = model.test_on_batch(X, Y, return_dict=True)
    assert list(named) == ["loss", "mae"]
    np.testing.assert_array_equal(model.predict_on_batch(X), model.predict(X, verbose=0))


def test_batches_may_change_size():
    model = build()
    for rows in (1, 23, 7, 2, 23):
        model.train_on_batch(X[:rows], Y[:rows])
        model.test_on_batch(X[:rows], Y[:rows])
        assert model.predict_on_batch(X[:rows]).shape == (rows, 2)
    assert int(model.optimizer.iterations) == 5


def test_calling_a_model_on_some_rows_gives_the_same_bits():
    model = build()
    whole = np.asarray(model(X))
    assert isinstance(model(X), np.ndarray)
    np.testing.assert_array_equal(np.asarray(model(X[4:9])), whole[4:9])


def test_accuracy_is_the_metric_that_fits_the_shapes():
    cases = [
        (1, "sigmoid", "binary_crossentropy", RNG.integers(0, 2, (23, 1)), lambda p, y: (p > 0.5) == y),
        (3, "softmax", "sparse_categorical_crossentropy", RNG.integers(0, 3, 23), lambda p, y: p.argmax(1) == y),
        (
            3,
            "softmax",
            "categorical_crossentropy",
            np.eye(3)[RNG.integers(0, 3, 23)],
            lambda p, y: p.argmax(1) == y.argmax(1),
        ),
    ]
    for units, activation, loss, y, right in cases:
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(units, activation=activation)])
        for name in ("accuracy", "acc"):
            model.compile("sgd", loss, metrics=[name])
            values = model.evaluate(X, y, verbose=0, return_dict=True)
            np.testing.assert_allclose(values[name], np.mean(right(model.predict(X, verbose=0), y)), rtol=1e-6)
