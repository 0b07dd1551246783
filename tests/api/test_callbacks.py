"""Callbacks: which hooks are called when and with what, and when EarlyStopping stops and restores."""

import math

import numpy as np
import pytest

import hotloop as keras
from hotloop.callbacks import Callback, CallbackList, EarlyStopping, History, ProgbarLogger

NAN = float("nan")


class Net:
    """As much of a model as EarlyStopping sees; its weights are the number of the epoch."""

    def __init__(self, metrics=()):
        self.metrics = metrics
        self.stop_training = False
        self.weights = [-1]

    def get_weights(self):
        return list(self.weights)

    def set_weights(self, weights):
        self.weights = list(weights)


def watch(values, net=None, key="val_loss", **options):
    """Run EarlyStopping over a list of logged values; returns epochs run, and the callback."""
    net = net or Net()
    callback = EarlyStopping(monitor=key, **options)
    callback.set_model(net)
    callback.on_train_begin()
    epochs = 0
    for epoch, value in enumerate(values):
        net.weights = [epoch]
        callback.on_epoch_end(epoch, {key: value})
        epochs += 1
        if net.stop_training:
            break
    callback.on_train_end()
    return epochs, callback, net


@pytest.mark.parametrize(
    ("values", "options", "epochs"),
    [
        ([1, 0.9, 0.95, 0.8], {}, 3),
        ([1, 0.9, 0.95, 0.8], {"patience": 2}, 4),
        ([1, 0.9, 0.95, 0.96, 0.97, 0.8], {"patience": 2}, 4),
        ([1, 0.95, 0.85, 0.7], {"min_delta": 0.1}, 2),
        ([1, 0.95, 0.85, 0.7], {"min_delta": -0.1}, 2),  # only its size counts
        ([1, 0.95, 0.85, 0.7], {"min_delta": 0.1, "patience": 2}, 4),
        ([1, 2, 3, 4, 5], {"start_from_epoch": 3}, 5),
        ([5, 4, 3, 2], {"baseline": 1.0, "patience": 1}, 4),  # improving epochs never stop, even above the baseline
        ([0.5, 2, 0.4, 2, 2], {"baseline": 1.0, "patience": 2}, 5),
        ([2, 3, 0.4, 2], {"baseline": 1.0, "patience": 1}, 2),
        ([1, 1, 1], {}, 2),  # an equal value is no improvement
        ([2, 1], {}, 2),
        ([NAN, 1, 0.9, 0.95], {"patience": 1}, 4),  # a NaN is never the best
        ([1, NAN, NAN, NAN], {"patience": 2}, 3),
        ([math.inf, 1, 2], {"patience": 1}, 3),
        ([5, 4, 4.5, 4.6], {"baseline": 1.0, "patience": 2}, 3),  # the count goes on until the baseline is beaten
        ([0.1, 0.2, 0.15], {"mode": "max"}, 3),
        ([0.1, 0.2, 0.25, 0.4], {"mode": "max", "min_delta": 0.08}, 3),
    ],
)
def test_early_stopping_ends_after_the_epoch_that_keras_ends_after(values, options, epochs):
    assert watch(values, **options)[0] == epochs


def test_restoring_takes_the_best_epoch_whether_or_not_training_was_stopped():
    _, callback, net = watch([1, 0.9, 0.95, 0.8], restore_best_weights=True)
    assert (net.weights, callback.best_epoch, callback.stopped_epoch, callback.best) == ([1], 1, 2, 0.9)
    _, callback, net = watch([1, 0.9, 0.95], restore_best_weights=True, patience=5)
    assert (net.weights, callback.stopped_epoch) == ([1], 0)
    _, callback, net = watch([1, 0.9, 0.95])
    assert net.weights == [2]


def test_an_improvement_below_the_baseline_is_restored_too():
    _, _, net = watch([5, 4, 4.5, 4.6], baseline=1.0, patience=2, restore_best_weights=True)
    assert net.weights == [1]


def test_early_stopping_can_be_used_again():
    epochs, callback, _ = watch([1, 2])
    net = Net()
    callback.set_model(net)
    callback.on_train_begin()
    callback.on_epoch_end(0, {"val_loss": 7.0})
    assert (epochs, net.stop_training, callback.best) == (2, False, 7.0)


@pytest.mark.parametrize(
    ("key", "values", "epochs"),
    [
        ("val_accuracy", [0.1, 0.2, 0.15, 0.3], 3), ("val_o2_accuracy", [0.1, 0.2, 0.15, 0.3], 3),
        ("val_o1_loss", [0.3, 0.2, 0.25, 0.1], 3), ("mae", [0.3, 0.2, 0.25, 0.1], 3),
    ],
)  # fmt: skip
def test_auto_mode_tells_the_direction_from_the_name(key, values, epochs):
    assert watch(values, key=key)[0] == epochs


def test_auto_mode_knows_metrics_with_names_of_their_own_and_asks_about_others():
    net = Net([keras.metrics.SparseCategoricalAccuracy(name="score")])
    assert watch([0.1, 0.2, 0.15, 0.3], net, key="val_score")[0] == 3
    with pytest.raises(ValueError, match="mode='min' or mode='max'"):
        watch([1.0, 2.0], key="clock")


def test_a_missing_number_is_warned_of_and_does_not_stop():
    callback = EarlyStopping(monitor="val_loss")
    callback.set_model(Net())
    with pytest.warns(UserWarning, match="'val_loss', which is not in the logs: loss"):
        callback.on_epoch_end(3, {"loss": 1.0})
    assert not callback.model.stop_training


def test_early_stopping_says_what_it_did(capsys):
    watch([1, 0.9, 0.95], verbose=1, restore_best_weights=True)
    assert capsys.readouterr().out == (
        "Epoch 3: early stopping\nRestoring model weights from the end of the best epoch: 2.\n"
    )


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: EarlyStopping(mode="mni"), ValueError, "Did you mean 'min'"),
        (lambda: EarlyStopping(patience=-1), ValueError, "patience"),
        (lambda: EarlyStopping(patients=3), TypeError, "Did you mean 'patience'"),
        (lambda: CallbackList([EarlyStopping]), TypeError, "instances"),
        (lambda: CallbackList("loss"), TypeError, "instances"),
    ],
)
def test_what_makes_no_callback_is_refused(make, error, words):
    with pytest.raises(error, match=words):
        make()


# Hooks.


class Record(Callback):
    """Writes down every call."""

    def __init__(self):
        self.calls = []

    def _note(self, hook, *args, logs=None):
        self.calls.append((hook, *args, tuple(logs)))


for _hook in [
    name for name in vars(Callback) if name.startswith("on_") and name not in ("on_batch_begin", "on_batch_end")
]:
    if "batch" in _hook or "epoch" in _hook:
        setattr(Record, _hook, lambda self, n, logs=None, hook=_hook: self._note(hook, n, logs=logs))
    else:
        setattr(Record, _hook, lambda self, logs=None, hook=_hook: self._note(hook, logs=logs))


def trained(*callbacks, epochs=1, **options):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    x = np.arange(10.0).reshape(5, 2) / 10
    history = model.fit(x, x[:, :1], batch_size=2, epochs=epochs, verbose=0, callbacks=list(callbacks), **options)
    return model, x, history


def test_fit_calls_every_hook_in_keras_order():
    record = Record()
    trained(record, validation_split=0.4)
    values = ("loss", "mae")
    assert record.calls == [
        ("on_train_begin", ()),
        ("on_epoch_begin", 0, ()),
        ("on_train_batch_begin", 0, ()),
        ("on_train_batch_end", 0, values),
        ("on_train_batch_begin", 1, ()),
        ("on_train_batch_end", 1, values),
        ("on_test_begin", ()),
        ("on_test_batch_begin", 0, ()),
        ("on_test_batch_end", 0, values),
        ("on_test_end", values),
        ("on_epoch_end", 0, ("loss", "mae", "val_loss", "val_mae")),
        ("on_train_end", ("loss", "mae", "val_loss", "val_mae")),
    ]


def test_evaluate_and_predict_call_their_own_hooks():
    model, x, _ = trained()
    record = Record()
    model.evaluate(x, x[:, :1], batch_size=3, verbose=0, callbacks=[record])
    model.predict(x, batch_size=3, verbose=0, callbacks=[record])
    assert [call[:-1] for call in record.calls] == [
        ("on_test_begin",), ("on_test_batch_begin", 0), ("on_test_batch_end", 0), ("on_test_batch_begin", 1),
        ("on_test_batch_end", 1), ("on_test_end",), ("on_predict_begin",), ("on_predict_batch_begin", 0),
        ("on_predict_batch_end", 0), ("on_predict_batch_begin", 1), ("on_predict_batch_end", 1), ("on_predict_end",),
    ]  # fmt: skip


def test_on_batch_end_is_an_alias_and_its_logs_are_means_of_the_epoch_so_far():
    seen = []

    class Watch(Callback):
        def on_batch_end(self, batch, logs=None):
            seen.append((batch, logs["loss"]))

    _, _, history = trained(Watch(), epochs=2)
    assert [batch for batch, _ in seen] == [0, 1, 2, 0, 1, 2]
    assert [seen[2][1], seen[5][1]] == history.history["loss"]
    assert type(seen[0][1]) is float


def test_what_a_callback_adds_to_the_logs_later_callbacks_and_history_see():
    seen = []

    class Adds(Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["extra"] = 10 * epoch

    class Sees(Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(logs["extra"])

    model, _, history = trained(Adds(), [Sees()], epochs=2)
    assert seen == [0, 10]
    assert list(history.history) == ["loss", "mae", "extra"]
    assert history.history["extra"] == [0, 10]
    assert history.epoch == [0, 1]
    assert history.params == {"verbose": 0, "epochs": 2, "steps": 3}
    assert history.model is model
    assert model.history is history


def test_a_callback_stops_training_after_the_batch_or_the_epoch():
    class StopsEarly(Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 1

    model, _, history = trained(StopsEarly(), epochs=5)
    assert history.epoch == [0]
    assert model.optimizer.iterations == 2

    class StopsLate(Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 1

    assert trained(StopsLate(), epochs=5)[2].epoch == [0, 1]


@pytest.mark.parametrize("hook", ["on_train_batch_end", "on_epoch_end"])
def test_a_step_that_a_callback_trains_is_not_counted_or_repeats_another(hook):
    x = np.random.default_rng(0).standard_normal((8, 4)).astype(np.float32)

    def model():
        keras.utils.set_random_seed(1)
        layers = [keras.Input((4,)), keras.layers.Dense(6), keras.layers.Dropout(0.5), keras.layers.Dense(4)]
        made = keras.Sequential(layers)
        made.compile(keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)), "mse")
        return made

    class Trains(Callback):
        def extra(self, *args, logs=None):
            self.model.train_on_batch(-x, x)

    callback, fitted, by_hand = Trains(), model(), model()
    setattr(callback, hook, callback.extra)
    fitted.fit(x, x, batch_size=8, epochs=3, shuffle=False, callbacks=[callback], verbose=0)
    for _ in range(3):
        by_hand.train_on_batch(x, x)
        by_hand.train_on_batch(-x, x)
    assert fitted.optimizer.iterations == by_hand.optimizer.iterations == 6
    for got, want in zip(fitted.get_weights(), by_hand.get_weights(), strict=True):
        np.testing.assert_array_equal(got, want)


def test_a_fit_inside_a_callback_of_the_same_fit_spoils_it_silently():
    class Fits(Callback):
        def on_epoch_end(self, epoch, logs=None):
            x = np.ones((5, 2))
            with pytest.raises(RuntimeError, match="train_on_batch"):
                self.model.fit(x, x[:, :1], verbose=0)

    model, x, history = trained(Fits(), epochs=2)
    assert history.epoch == [0, 1]
    model.fit(x, x[:, :1], verbose=0)
    assert model.optimizer.iterations == 2 * 3 + 1


def test_compiling_without_a_loss_in_a_callback_fails_with_a_riddle():
    class Recompiles(Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.compile(None, None)

    with pytest.raises(ValueError, match="expected a model compiled with an optimizer"):
        trained(Recompiles(), epochs=2)


def test_early_stopping_restores_the_weights_of_a_real_model():
    kept = {}

    class Keep(Callback):
        def on_epoch_end(self, epoch, logs=None):
            kept[epoch] = self.model.get_weights()
            logs["score"] = [0.5, 0.9, 0.7, 0.6][epoch]

    stopping = EarlyStopping("score", mode="max", patience=2, restore_best_weights=True)
    model, _, history = trained(Keep(), stopping, epochs=4)
    assert history.epoch == [0, 1, 2, 3]
    for got, want in zip(model.get_weights(), kept[1], strict=True):
        np.testing.assert_array_equal(got, want)


def test_setting_the_learning_rate_between_batches_takes_effect_at_once():
    class Freeze(Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 0:
                self.after_first = self.model.get_weights()[0]
                self.model.optimizer.learning_rate = 0.0

    freeze = Freeze()
    model, _, _ = trained(freeze)
    np.testing.assert_array_equal(model.get_weights()[0], freeze.after_first)


@pytest.mark.parametrize(
    ("hook", "flag"),
    [
        ("on_batch_begin", "overrides_batch_hooks"), ("on_train_batch_end", "overrides_batch_hooks"),
        ("on_test_batch_end", "overrides_test_batch_hooks"),
        ("on_predict_batch_begin", "overrides_predict_batch_hooks"),
    ],
)  # fmt: skip
def test_only_an_overridden_batch_hook_makes_the_engine_stop_between_batches(hook, flag):
    flags = ("overrides_batch_hooks", "overrides_test_batch_hooks", "overrides_predict_batch_hooks")
    quiet = CallbackList([EarlyStopping(), History(), ProgbarLogger(), Callback()])
    assert [getattr(quiet, name) for name in flags] == [False] * 3
    by_class = CallbackList([type("Custom", (Callback,), {hook: lambda self, batch, logs=None: None})()])
    by_instance = Callback()
    setattr(by_instance, hook, lambda batch, logs=None: None)
    for callbacks in (by_class, CallbackList([by_instance])):
        assert [getattr(callbacks, name) for name in flags] == [name == flag for name in flags]


def test_a_callback_list_drives_callbacks_in_a_loop_of_ones_own():
    record = Record()
    callbacks = CallbackList([record], add_history=True, epochs=1, steps=1, verbose=0)
    callbacks.on_train_begin()
    callbacks.on_epoch_begin(0)
    callbacks.on_train_batch_end(0, {"loss": np.float32(2)})
    callbacks.on_epoch_end(0, {"loss": np.float32(2), "accuracy": np.array(0.5)})
    assert list(callbacks.history.history.items()) == [("accuracy", [0.5]), ("loss", [2.0])]
    assert record.params == {"epochs": 1, "steps": 1, "verbose": 0}


@pytest.mark.parametrize(
    "make",
    [
        lambda path: keras.callbacks.EarlyStopping("f1_score", mode="max"),
        lambda path: keras.callbacks.ReduceLROnPlateau("f1_score", mode="max"),
        lambda path: keras.callbacks.ModelCheckpoint(path, "f1_score", mode="max", save_best_only=True),
        lambda path: keras.callbacks.ModelCheckpoint(str(path) + "{f1_score:.2f}"),
    ],
)
def test_a_metric_of_several_numbers_is_watched(make, tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    model.compile("sgd", "mse", metrics=[keras.metrics.F1Score()])
    with pytest.raises(ValueError, match=r"\[(EarlyStopping|ReduceLROnPlateau|ModelCheckpoint)\] expected"):
        model.fit(np.ones((4, 2)), np.ones((4, 3)), verbose=0, callbacks=[make(tmp_path / "m.safetensors")])
