"""ReduceLROnPlateau and LearningRateScheduler: the learning rate of every epoch; and checks within epochs."""

import numpy as np
import pytest

import hotloop as keras
from hotloop.callbacks import Callback, EarlyStopping, LearningRateScheduler, ReduceLROnPlateau

X = np.arange(20.0).reshape(10, 2) / 20


def rates(*callbacks, epochs=6, values=None, rate=1.0):
    """The learning rate that each epoch was trained with."""
    seen = []

    class Watch(Callback):
        def on_epoch_begin(self, epoch, logs=None):
            seen.append(self.model.optimizer.learning_rate)

        def on_epoch_end(self, epoch, logs=None):
            logs["val_loss"] = 1.0 if values is None else values[epoch]

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(rate), "mse")
    scheduled, others = [], []
    for callback in callbacks:
        (scheduled if isinstance(callback, LearningRateScheduler) else others).append(callback)
    history = model.fit(X, 0 * X[:, :1], epochs=epochs, verbose=0, callbacks=[*scheduled, Watch(), *others])
    return seen, history


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"factor": 0.5, "patience": 2}, [1, 1, 1, 0.5, 0.5, 0.25]),
        ({"factor": 0.5, "patience": 2, "cooldown": 2}, [1, 1, 1, 0.5, 0.5, 0.5]),
        ({"factor": 0.1, "patience": 1, "min_lr": 0.05}, [1, 1, 0.1, 0.05, 0.05, 0.05]),
        ({"factor": 0.5, "patience": 9}, [1] * 6),
    ],
)
def test_the_rate_falls_in_the_epochs_in_which_keras_lowers_it(options, expected):
    seen, history = rates(ReduceLROnPlateau(**options))
    np.testing.assert_allclose(seen, expected)
    np.testing.assert_allclose(history.history["learning_rate"], expected)


def test_an_improvement_starts_the_count_again():
    seen, _ = rates(ReduceLROnPlateau(factor=0.5, patience=2), values=[1, 1, 0.5, 0.5, 0.49999, 0.5])
    assert seen == [1, 1, 1, 1, 1, 0.5]  # 0.49999 is within min_delta
    seen, _ = rates(ReduceLROnPlateau(factor=0.5, patience=1, mode="max"), values=[1, 2, 3, 3, 4, 4])
    assert seen == [1, 1, 1, 1, 0.5, 0.5]


def test_both_forms_of_a_schedule_set_the_rate():
    seen, history = rates(LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1)), epochs=3)
    np.testing.assert_allclose(seen, [0.1, 0.05, 0.1 / 3])
    np.testing.assert_allclose(history.history["learning_rate"], seen)
    seen, _ = rates(LearningRateScheduler(lambda epoch, lr: lr * 0.5), epochs=3)
    np.testing.assert_allclose(seen, [0.5, 0.25, 0.125])
    seen, _ = rates(LearningRateScheduler(lambda epoch, factor=3.0: np.float32(factor)), epochs=2)
    np.testing.assert_allclose(seen, [1.0, 1.0])  # as Keras: the rate is passed where a second argument is taken


def test_an_error_inside_a_schedule_is_taken_for_the_other_form():
    def broken(epoch, lr):
        raise TypeError("inside")

    with pytest.raises(TypeError, match="inside"):
        rates(LearningRateScheduler(broken))


@pytest.mark.parametrize("value", [1, None, "0.1", float("nan")])
def test_a_schedule_that_returns_no_float_is_taken(value):
    with pytest.raises(ValueError, match="finite float"):
        rates(LearningRateScheduler(lambda epoch: value))


def test_a_schedule_beside_a_schedule_is_ignored():
    with pytest.raises(TypeError, match="Use one of both"):
        rates(LearningRateScheduler(lambda epoch: 0.1), rate=keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5))


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: ReduceLROnPlateau(factor=1.0), ValueError), (lambda: ReduceLROnPlateau(patience=-1), ValueError),
        (lambda: ReduceLROnPlateau(every=3), ValueError),
        (lambda: EarlyStopping(every=0, validation_data=(X, X)), ValueError),
        (lambda: EarlyStopping(every=2, validation_data=X), ValueError),
        (lambda: LearningRateScheduler(0.1), TypeError),
    ],
)  # fmt: skip
def test_what_makes_no_callback_is_taken(make, error):
    with pytest.raises(error, match="expected"):
        make()


def test_it_says_what_it_does(capsys):
    rates(ReduceLROnPlateau(factor=0.5, patience=1, verbose=1), epochs=2)
    assert capsys.readouterr().out == "\nEpoch 2: ReduceLROnPlateau reducing learning rate to 0.5.\n"
    rates(LearningRateScheduler(lambda epoch: 0.25, verbose=1), epochs=1)
    assert capsys.readouterr().out == "\nEpoch 1: LearningRateScheduler setting learning rate to 0.25.\n"


def trained(callback, rate):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(rate), "mse")
    model.fit(X, 0 * X[:, :1], batch_size=1, epochs=3, shuffle=False, verbose=0, callbacks=[callback])
    return model


def test_training_stops_within_an_epoch_when_checks_every_few_batches_do_not_improve():
    stopping = EarlyStopping(every=4, validation_data=(X, 0 * X[:, :1]), patience=2, restore_best_weights=True)
    model = trained(stopping, rate=0.0)  # never improves on the first check
    assert model.optimizer.iterations == 12
    assert (stopping.best_epoch, stopping.stopped_epoch) == (0, 2)


def test_the_rate_falls_within_an_epoch_and_checks_count_over_epochs():
    reducing = ReduceLROnPlateau(every=4, validation_data=(X, 0 * X[:, :1]), patience=3, factor=0.5, min_delta=1e9)
    assert trained(reducing, rate=0.01).optimizer.learning_rate == 0.01 * 0.5**2  # 7 checks; the first is the best
