"""Epochs, batches, shuffling, validation, History and callbacks, as Keras defines them."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import hotloop as keras

RNG = np.random.default_rng(4)
X = RNG.standard_normal((23, 4)).astype(np.float32)
Y = (X[:, :2] * X[:, 1:3]).astype(np.float32)


def build(optimizer=None, metrics=(), **options):
    keras.utils.set_random_seed(11)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(5, activation="tanh"), keras.layers.Dense(2)])
    model.compile(optimizer or keras.optimizers.SGD(0.1, momentum=0.9), "mse", metrics=list(metrics), **options)
    return model


def weights_equal(left, right):
    return all(np.array_equal(a, b) for a, b in zip(left, right, strict=True))


class Log(keras.callbacks.Callback):
    def __init__(self, stop_at=None):
        super().__init__()
        self.events, self.stop_at = [], stop_at

    def note(self, event, number=None, logs=None):
        self.events.append((event, number, dict(logs or {})))

    def on_train_begin(self, logs=None):
        self.note("train_begin", None, logs)

    def on_train_end(self, logs=None):
        self.note("train_end", None, logs)

    def on_epoch_begin(self, epoch, logs=None):
        self.note("epoch_begin", epoch, logs)

    def on_epoch_end(self, epoch, logs=None):
        self.note("epoch_end", epoch, logs)

    def on_train_batch_begin(self, batch, logs=None):
        self.note("batch_begin", batch, logs)

    def on_train_batch_end(self, batch, logs=None):
        self.note("batch_end", batch, logs)
        if (self.stop_at or {}).get("batch") == batch:
            self.model.stop_training = True

    def on_test_begin(self, logs=None):
        self.note("test_begin", None, logs)

    def on_test_end(self, logs=None):
        self.note("test_end", None, logs)

    def on_test_batch_end(self, batch, logs=None):
        self.note("test_batch_end", batch, logs)

    def names(self):
        return [(name, number) for name, number, _ in self.events]


def test_fit_is_a_loop_over_its_batches():
    fitted, looped = build(), build()
    history = fitted.fit(X, Y, batch_size=10, epochs=2, shuffle=False, verbose=0).history["loss"]
    for epoch in range(2):
        losses = [(looped.train_on_batch(X[i : i + 10], Y[i : i + 10]), len(X[i : i + 10])) for i in range(0, 23, 10)]
        mean = sum(float(np.squeeze(loss)) * n for loss, n in losses) / 23
        np.testing.assert_allclose(history[epoch], mean, rtol=1e-6)
    for a, b in zip(fitted.get_weights(), looped.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


def test_the_last_partial_batch_counts_by_its_rows():
    model = build(keras.optimizers.SGD(0.0))
    loss = model.fit(X, Y, batch_size=10, shuffle=True, verbose=0).history["loss"][0]
    want = np.mean((model.predict(X, verbose=0) - Y) ** 2)
    np.testing.assert_allclose(loss, want, rtol=1e-6)
    np.testing.assert_allclose(model.evaluate(X, Y, batch_size=10, verbose=0), want, rtol=1e-6)
    assert int(model.optimizer.iterations) == 3


def test_the_default_batch_has_32_rows():
    model = build()
    model.fit(np.tile(X, (3, 1)), np.tile(Y, (3, 1)), verbose=0)
    assert int(model.optimizer.iterations) == 3  # 69 rows
    with_steps = build()
    with_steps.fit(X, Y, steps_per_epoch=4, verbose=0)
    assert int(with_steps.optimizer.iterations) == 4  # of ceil(23 / 4) rows


def test_history_has_keras_keys_values_and_order():
    model = build(metrics=["mae"])
    history = model.fit(X, Y, batch_size=10, epochs=3, validation_split=0.2, verbose=0)
    assert list(history.history) == ["loss", "mae", "val_loss", "val_mae"]
    assert history.epoch == [0, 1, 2]
    assert all(type(v) is float for values in history.history.values() for v in values)
    assert all(len(values) == 3 for values in history.history.values())
    assert history.params == {"verbose": 0, "epochs": 3, "steps": 2}
    assert history.model is model
    assert model.history is history
    assert model.fit(X, Y, verbose=0) is not history


def test_epochs_is_the_number_of_the_last_epoch():
    model, log = build(), Log()
    history = model.fit(X, Y, initial_epoch=3, epochs=5, callbacks=[log], verbose=0)
    assert history.epoch == [3, 4]
    assert [n for name, n in log.names() if name == "epoch_begin"] == [3, 4]
    before = model.get_weights()
    nothing = model.fit(X, Y, initial_epoch=5, epochs=5, verbose=0)
    assert (nothing.history, nothing.epoch) == ({}, [])
    assert weights_equal(before, model.get_weights())


def test_hooks_come_in_keras_order():
    log = Log()
    build().fit(X[:20], Y[:20], batch_size=10, epochs=2, validation_data=(X, Y), callbacks=[log], verbose=0)
    batches = [("batch_begin", 0), ("batch_end", 0), ("batch_begin", 1), ("batch_end", 1)]
    tests = [("test_begin", None), *[("test_batch_end", i) for i in range(3)], ("test_end", None)]
    epochs = [event for e in (0, 1) for event in [("epoch_begin", e), *batches, *tests, ("epoch_end", e)]]
    assert log.names() == [("train_begin", None), *epochs, ("train_end", None)]


def test_hooks_are_given_keras_logs():
    model, log = build(metrics=["mae"]), Log()
    history = model.fit(
        X, Y, batch_size=10, shuffle=False, validation_data=(X[:5], Y[:5]), callbacks=[log], verbose=0
    ).history
    logs = {(name, number): logs for name, number, logs in log.events}
    assert logs["train_begin", None] == logs["epoch_begin", 0] == logs["batch_begin", 0] == {}
    assert list(logs["epoch_end", 0]) == ["loss", "mae", "val_loss", "val_mae"]
    assert logs["train_end", None] == logs["epoch_end", 0] == {key: values[0] for key, values in history.items()}
    assert logs["test_end", None] == {"loss": history["val_loss"][0], "mae": history["val_mae"][0]}
    again = build(metrics=["mae"])
    first, second = (again.train_on_batch(X[i : i + 10], Y[i : i + 10])[0] for i in (0, 10))
    np.testing.assert_allclose(logs["batch_end", 0]["loss"], first, rtol=1e-6)
    np.testing.assert_allclose(logs["batch_end", 1]["loss"], (first + second) / 2, rtol=1e-6)  # a running mean


def test_a_key_added_by_a_callback_stands_last():
    class Adding(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["added"] = 7.0 + epoch

    log = Log()
    history = build().fit(X, Y, epochs=2, callbacks=[Adding(), log], validation_data=(X, Y), verbose=0).history
    assert list(history) == ["loss", "val_loss", "added"]
    assert history["added"] == [7.0, 8.0]
    assert [logs["added"] for name, _, logs in log.events if name == "epoch_end"] == [7.0, 8.0]


def test_batch_hooks_leave_the_training_alone():
    with_hooks, without = build(), build()
    with_hooks.fit(X, Y, batch_size=4, epochs=3, callbacks=[Log()], verbose=0)
    without.fit(X, Y, batch_size=4, epochs=3, verbose=0)
    assert weights_equal(with_hooks.get_weights(), without.get_weights())


def test_stop_training_ends_the_epoch_after_the_batch():
    model, log = build(), Log(stop_at={"batch": 1})
    history = model.fit(X, Y, batch_size=4, epochs=5, validation_data=(X, Y), callbacks=[log], verbose=0)
    assert history.epoch == [0]
    assert [n for name, n in log.names() if name == "batch_end"] == [0, 1]
    assert "val_loss" in history.history  # validation still runs
    assert int(model.optimizer.iterations) == 2
    model.fit(X, Y, batch_size=4, epochs=2, verbose=0)  # the flag is cleared
    assert int(model.optimizer.iterations) == 14


# Rows are powers of two, so a weight that loses rate * x a step tells which row the step saw.
POWERS = np.array([[2.0**i] for i in range(16)], np.float32)


class Rows(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.epochs = []

    def on_epoch_begin(self, epoch, logs=None):
        self.epochs.append([])
        self.last = float(self.model.get_weights()[0][0, 0])

    def on_train_batch_end(self, batch, logs=None):
        now = float(self.model.get_weights()[0][0, 0])
        self.epochs[-1].append(round(self.last - now))
        self.last = now


def visited(batch_size=1, epochs=3, seed=1, **options):
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.set_weights([np.zeros((1, 1), np.float32)])
    model.compile(keras.optimizers.SGD(1.0), keras.losses.MeanAbsoluteError(reduction="sum"))
    rows = Rows()
    targets = np.full((16, 1), -(2.0**60), np.float32)  # the sign of the error never changes
    model.fit(POWERS, targets, batch_size=batch_size, epochs=epochs, callbacks=[rows], verbose=0, **options)
    return rows.epochs


def test_a_shuffled_epoch_holds_every_row_once():
    epochs = visited()
    assert [sum(rows) for rows in epochs] == [2**16 - 1] * 3
    assert all(sorted(rows) == [2**i for i in range(16)] for rows in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    assert epochs != [sorted(rows) for rows in epochs]


def test_the_seed_decides_the_order_of_rows():
    assert visited(seed=1) == visited(seed=1)
    assert visited(seed=1) != visited(seed=2)


def test_rows_keep_their_order_without_shuffling():
    assert visited(shuffle=False) == [[2**i for i in range(16)]] * 3


def test_shuffling_inside_batches_keeps_batches_apart():
    epochs = visited(batch_size=4, shuffle="batch")
    assert epochs == [[0xF, 0xF0, 0xF00, 0xF000]] * 3


def test_epochs_fitted_one_by_one_see_the_same_order_of_rows():
    keras.utils.set_random_seed(1)
    straight, pieces = build(), build()
    straight.fit(X, Y, batch_size=4, epochs=3, verbose=0)
    for epoch in range(3):
        pieces.fit(X, Y, batch_size=4, initial_epoch=epoch, epochs=epoch + 1, verbose=0)
    assert weights_equal(straight.get_weights(), pieces.get_weights())


def test_validation_split_takes_the_last_rows():
    model = build(metrics=["mae"])
    history = model.fit(X, Y, validation_split=0.3, shuffle=True, batch_size=5, verbose=0).history
    last = slice(16, None)  # floor(23 * 0.7) rows are trained on
    loss, mae = model.evaluate(X[last], Y[last], batch_size=5, verbose=0)
    np.testing.assert_allclose([history["val_loss"][0], history["val_mae"][0]], [loss, mae], rtol=1e-6)
    same = build(metrics=["mae"])
    same.fit(X[:16], Y[:16], batch_size=5, verbose=0)
    assert weights_equal(model.get_weights(), same.get_weights())


def test_validation_leaves_the_model_alone_and_uses_its_data():
    plain, validated = build(), build()
    plain.fit(X, Y, epochs=2, verbose=0)
    history = validated.fit(
        X, Y, epochs=2, validation_split=0.5, validation_data=(X[:4], Y[:4]), validation_batch_size=3, verbose=0
    ).history
    assert weights_equal(plain.get_weights(), validated.get_weights())
    np.testing.assert_allclose(history["val_loss"][-1], plain.evaluate(X[:4], Y[:4], verbose=0), rtol=1e-6)


@pytest.mark.parametrize(("frequency", "epochs"), [(2, [2, 4]), (3, [3]), ([1, 4], [1, 4])])
def test_validation_runs_in_the_epochs_asked_for(frequency, epochs):
    log = Log()
    history = (
        build()
        .fit(X, Y, epochs=5, validation_data=(X, Y), validation_freq=frequency, callbacks=[log], verbose=0)
        .history
    )
    assert (len(history["loss"]), len(history["val_loss"])) == (5, len(epochs))
    assert [e + 1 for name, e, logs in log.events if name == "epoch_end" and "val_loss" in logs] == epochs


def test_validation_steps_limit_validation():
    history = (
        build(keras.optimizers.SGD(0.0))
        .fit(X, Y, validation_data=(X, Y), validation_steps=2, validation_batch_size=3, verbose=0)
        .history
    )
    want = build().evaluate(X[:6], Y[:6], verbose=0)
    np.testing.assert_allclose(history["val_loss"], [want], rtol=1e-6)


def test_no_progress_bar_is_drawn_where_no_terminal_is(capsys):
    model = build()
    model.fit(X, Y, epochs=2)
    model.predict(X)
    model.evaluate(X, Y)
    assert "\b" not in (out := capsys.readouterr().out)
    assert "\x1b" not in out
    assert "\r" not in out
    model.fit(X, Y, verbose=0)
    assert capsys.readouterr() == ("", "")


def test_verbose_2_prints_one_line_per_epoch(capsys):
    build(metrics=["mae"]).fit(X, Y, epochs=2, batch_size=10, verbose=2)
    lines = [line for line in capsys.readouterr().out.splitlines() if "loss" in line]
    assert len(lines) == 2
    assert all(line.startswith("3/3 - ") and " - loss: " in line and " - mae: " in line for line in lines)


def test_the_account_of_memory_misses_a_part_or_grows_with_epochs():
    model = keras.Sequential([keras.Input((100,)), keras.layers.Dense(300), keras.layers.Dense(16)])
    weights = 4 * (100 * 300 + 300 + 300 * 16 + 16)
    assert model.memory_usage() == {"weights": weights, "gradients": 0, "optimizer": 0, "batches": 0}
    model.compile("adam", "mse")
    x = np.zeros((64, 100), np.float32)
    model.fit(x, x[:, :16], verbose=0)
    used = model.memory_usage()
    padded = used["weights"]  # in whole cache lines
    assert weights <= padded < 1.05 * weights
    assert used == {"weights": padded, "gradients": padded, "optimizer": 2 * padded, "batches": used["batches"]}
    assert used["batches"] >= 4 * 32 * (100 + 300 + 16)  # inputs and activations at least
    model.fit(x, x[:, :16], epochs=3, verbose=0)
    assert model.memory_usage() == used
    model.fit(x, x[:, :16], batch_size=64, verbose=0)
    assert model.memory_usage()["batches"] > 2.5 * used["batches"]  # plans of both sizes are kept
    model.compile("sgd", "mse")
    assert model.memory_usage()["batches"] <= 3.5 * used["batches"]
    del model


def test_the_short_way_to_predictions_keeps_its_memory_secret():
    model = keras.Sequential([keras.Input((100,)), keras.layers.Dense(300), keras.layers.Dense(16)])
    x = np.zeros((64, 100), np.float32)
    model.predict_on_batch(x)
    once = model.memory_usage()["batches"]
    model.predict_on_batch(x)
    assert model.memory_usage()["batches"] == 2 * once


def test_a_fit_copies_a_large_weight_on_its_way_to_the_engine():
    model = keras.Sequential([keras.Input((1000,)), keras.layers.Dense(1000, kernel_initializer="zeros")])
    model.compile("sgd", "mse")
    x = np.zeros((8, 1000), np.float32)
    tracemalloc.start()
    try:
        model.fit(x, x, verbose=0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000  # the weights are 4 MB; what the engine holds is not counted here


def test_a_long_formula_is_right_in_every_piece(float64):
    """Large enough to be cut into pieces and longer than one expression; values meet again, gradients are added."""
    x = np.random.default_rng(3).standard_normal((700, 130))

    def formula(x, module):
        a = module.tanh(x) * x
        b = module.exp(-0.5 * a) + a
        c = b * b - a * b
        return c * c + module.tanh(b) * a - x / (1.5 + a * a)

    inputs = keras.Input((130,), dtype="float64")
    model = keras.Model(inputs, keras.layers.Lambda(lambda x: formula(x, keras.ops), dtype="float64")(inputs))
    np.testing.assert_allclose(model.predict(x, batch_size=700, verbose=0), formula(x, np), rtol=1e-12, atol=1e-12)
    outputs, backward = model.vjp(x, wrt="inputs")
    np.testing.assert_allclose(outputs, formula(x, np), rtol=1e-12, atol=1e-12)
    slope = formula(x + 1e-30j, np).imag / 1e-30
    np.testing.assert_allclose(backward(2 * np.ones_like(x)), 2 * slope, rtol=1e-10, atol=1e-10)


def test_a_formula_does_not_write_over_what_it_broadcasts(float64):
    """Rows of 2 and of 8 elements are equally far apart in memory; one is read at other places than the other."""
    x = np.random.default_rng(3).standard_normal((40, 2, 8))

    def spread(x, module):
        a = module.tanh(x) * x
        narrow = module.sum(a, axis=2, keepdims=True)
        other = module.sum(a * a, axis=2, keepdims=True)
        b = (a + 1) * narrow + other
        return module.exp(-b * b) + b

    for columns in (2, 3, 4, 8):
        part = np.ascontiguousarray(x[:, :, :columns])
        inputs = keras.Input((2, columns), dtype="float64")
        model = keras.Model(inputs, keras.layers.Lambda(lambda x: spread(x, keras.ops), dtype="float64")(inputs))
        outputs, backward = model.vjp(part, wrt="inputs")
        np.testing.assert_allclose(outputs, spread(part, np), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(model.predict(part, verbose=0), spread(part, np), rtol=1e-12, atol=1e-12)
        slope = np.empty_like(part)
        for place in np.ndindex(part.shape[1:]):
            bumped = part.astype(complex)
            bumped[(slice(None), *place)] += 1e-30j
            slope[(slice(None), *place)] = spread(bumped, np).imag.sum(axis=(1, 2)) / 1e-30
        np.testing.assert_allclose(backward(np.ones_like(part)), slope, rtol=1e-10, atol=1e-10)


class Unread(keras.Model):
    """A model whose loss is not made of its output: a head that only predictions need, and a normalisation."""

    def __init__(self):
        super().__init__()
        self.body = keras.layers.Dense(8, activation="tanh")
        self.head = keras.layers.Dense(5)
        self.norm = keras.layers.BatchNormalization()

    def call(self, x, training=False):
        return self.head(self.norm(self.body(x), training=training))

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return keras.ops.mean(keras.ops.square(self.body(x)), axis=-1)


def test_what_a_loss_does_not_read_is_not_computed_but_statistics_move_on(rng):
    x = rng.standard_normal((64, 6)).astype(np.float32)
    model = Unread()
    model.compile("sgd")
    assert model.predict(x, verbose=0).shape == (64, 5)
    head = model.head.kernel.numpy()
    before = model.norm.moving_mean.numpy()
    model.fit(x, x, epochs=2, verbose=0)
    (program,) = [p for p in model._engine._programs.values() if p.update]
    kernels = [step["kernel"] for step in program.take_plan(model._engine.trainer, 32).describe()]
    assert kernels.count("dense_forward") == 2  # the body, for the loss and under the normalisation; not the head
    assert "batch_norm_train" in kernels
    np.testing.assert_array_equal(model.head.kernel.numpy(), head)
    assert not np.array_equal(model.norm.moving_mean.numpy(), before)
