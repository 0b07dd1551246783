"""Models with a `train_step`, `test_step` or `predict_step` of their own."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import hotloop as keras
from hotloop import layers

RNG = np.random.default_rng(8)
X = RNG.standard_normal((50, 4)).astype(np.float32)
Y = RNG.standard_normal((50, 2)).astype(np.float32)
W = RNG.uniform(0.5, 2, 50).astype(np.float32)


def build(cls=keras.Sequential, metrics=("mae",), optimizer="adam", loss="mse", middle=()):
    keras.utils.set_random_seed(2)
    model = cls([keras.Input((4,)), layers.Dense(8, "tanh"), *middle, layers.Dense(2)])
    model.compile(optimizer, loss, metrics=list(metrics))
    return model


def assert_same(left, right):
    for a, b in zip(left, right, strict=True):
        np.testing.assert_array_equal(a, b)


class Base(keras.Sequential):
    def train_step(self, data):
        return super().train_step(data)

    def test_step(self, data):
        return super().test_step(data)

    def predict_step(self, data):
        return super().predict_step(data)


class ByGradients(keras.Sequential):
    def train_step(self, data):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        gradients, logs = self.gradients(x, y, sample_weight, return_logs=True)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_weights, strict=True))
        return logs


class ByHand(keras.Sequential):
    """Mean squared error by hand."""

    def train_step(self, data):
        x, y = data
        y_pred, backward = self.vjp(x, training=True)
        self.optimizer.apply(backward(2 * (y_pred - y) / y.size), self.trainable_weights)
        return {"loss": ((y_pred - y) ** 2).mean(), **self.compute_metrics(x, y, y_pred)}


class ByTrainOnBatch(keras.Sequential):
    def train_step(self, data):
        return self.train_on_batch(*data, return_dict=True)


@pytest.mark.parametrize("cls", [Base, ByGradients, ByHand, ByTrainOnBatch])
def test_a_step_that_does_what_fit_does_trains_other_weights(cls):
    plain, own = build(), build(cls)
    for model in (plain, own):
        model.fit(X, Y, batch_size=8, epochs=3, verbose=0)
    if cls is ByHand:
        for a, b in zip(own.get_weights(), plain.get_weights(), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    else:
        assert_same(own.get_weights(), plain.get_weights())
    assert own.optimizer.iterations == plain.optimizer.iterations == 21


@pytest.mark.parametrize("weighted", [False, True])
def test_the_logs_of_super_are_not_those_of_the_whole_epoch(weighted):
    weights = {"sample_weight": W} if weighted else {}
    plain, own = build(), build(Base)
    data = {"validation_data": (X[:20], Y[:20]), **weights}
    want = plain.fit(X, Y, batch_size=8, epochs=2, verbose=0, **data).history
    got = own.fit(X, Y, batch_size=8, epochs=2, verbose=0, **data).history
    assert list(got) == list(want)
    for name in want:
        np.testing.assert_allclose(got[name], want[name], rtol=1e-6)
    assert own.evaluate(X, Y, verbose=0, return_dict=True) == pytest.approx(
        plain.evaluate(X, Y, verbose=0, return_dict=True)
    )
    np.testing.assert_array_equal(own.predict(X, verbose=0), plain.predict(X, verbose=0))


def test_moving_statistics_are_left_out():
    plain, own = (build(cls, middle=[layers.BatchNormalization()]) for cls in (keras.Sequential, Base))
    for model in (plain, own):
        model.fit(X, Y, batch_size=8, epochs=2, verbose=0)
    assert_same(own.get_weights(), plain.get_weights())


def test_data_comes_in_another_form():
    seen = []

    class Looking(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1)

        def call(self, inputs):
            return self.dense(inputs["a"]) + inputs["b"]

        def train_step(self, data):
            seen.append(data)
            return {"loss": 0.0}

    model = Looking()
    model.compile("sgd")
    x = {"a": X, "b": X[:, :1]}
    model.fit(x, Y[:, :1], sample_weight=W, batch_size=20, shuffle=False, verbose=0)
    assert [len(data) for data in seen] == [3, 3, 3]
    np.testing.assert_array_equal(seen[1][0]["a"], X[20:40])
    np.testing.assert_array_equal(seen[2][1], Y[40:, :1])
    np.testing.assert_array_equal(seen[0][2], W[:20])
    seen.clear()
    model.fit(x, batch_size=50, verbose=0)
    assert set(seen[0][0] if isinstance(seen[0], tuple) else seen[0]) == {"a", "b"}


def test_shuffled_batches_are_other_rows():
    rows = []

    class Looking(keras.Sequential):
        def train_step(self, data):
            rows.extend(data[0][:, 0].tolist())
            return {"loss": 1.0}

    model = build(Looking)
    model.fit(X, Y, batch_size=7, epochs=2, verbose=0)
    assert rows[:50] != X[:, 0].tolist()
    assert rows[:50] != rows[50:]
    assert sorted(rows[:50]) == sorted(rows[50:]) == sorted(X[:, 0].tolist())
    rows.clear()
    model.fit(((X[i : i + 10], Y[i : i + 10]) for i in range(0, 50, 10)), verbose=0)
    assert rows == X[:, 0].tolist()
    rows.clear()
    model.fit(X, Y, batch_size=10, steps_per_epoch=3, shuffle=False, epochs=2, verbose=0)
    assert rows == [*X[:50, 0].tolist(), *X[:10, 0].tolist()]


def test_a_metric_of_ones_own_is_not_reset_between_epochs():
    class Tracking(keras.Sequential):
        tracker = keras.metrics.Mean(name="size")

        def train_step(self, data):
            x, _ = data
            self.tracker.update_state(len(x))
            return {m.name: m.result() for m in self.metrics}

        @property
        def metrics(self):
            return [self.tracker]

    history = build(Tracking, metrics=()).fit(X, Y, batch_size=20, epochs=3, verbose=0).history
    np.testing.assert_allclose(history["size"], 50 / 3)


def test_callbacks_see_other_numbers_than_the_step_returns():
    calls = []

    class Counting(keras.Sequential):
        count = 0

        def train_step(self, data):
            self.count += 1
            return {"loss": np.float32(self.count), "b": np.array([self.count])}

    class Watching(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            calls.append((batch, logs))

        def on_epoch_end(self, epoch, logs=None):
            calls.append(("epoch", logs))
            self.model.stop_training = epoch == 1

    history = build(Counting).fit(X, Y, batch_size=25, epochs=9, verbose=0, callbacks=[Watching()]).history
    assert calls[:3] == [(0, {"b": 1.0, "loss": 1.0}), (1, {"b": 2.0, "loss": 2.0}), ("epoch", {"b": 2.0, "loss": 2.0})]
    assert history == {"b": [2.0, 4.0], "loss": [2.0, 4.0]}


def test_steps_of_evaluation_and_prediction_are_not_called():
    class Own(keras.Sequential):
        def test_step(self, data):
            x, y = data
            return {"loss": float(np.abs(self(x) - y).max()), "rows": len(x)}

        def predict_step(self, data):
            return 10 * self(data)

    model, plain = build(Own), build()
    assert model.evaluate(X, Y, batch_size=50, verbose=0, return_dict=True) == pytest.approx(
        {"loss": np.abs(plain.predict(X, verbose=0) - Y).max(), "rows": 50}
    )
    assert model.evaluate(X, Y, batch_size=50, verbose=0)[1] == 50
    assert model.test_on_batch(X[:5], Y[:5])[1] == 5
    want = 10 * plain.predict(X, verbose=0)
    np.testing.assert_array_equal(model.predict(X, batch_size=7, verbose=0), want)
    np.testing.assert_array_equal(model.predict_on_batch(X), want)
    np.testing.assert_array_equal(model.predict(iter([X[:30], X[30:]]), verbose=0), want)
    assert model.fit(X, Y, validation_data=(X, Y), validation_batch_size=50, verbose=0).history["val_rows"] == [50]


def test_train_on_batch_goes_past_the_step():
    class Own(keras.Sequential):
        def train_step(self, data):
            return {"loss": 3.0, **self.train_on_batch(*data, return_dict=True), "mine": 1.0}

    model = build(Own)
    assert model.train_on_batch(X, Y, return_dict=True)["mine"] == 1.0
    assert model.optimizer.iterations == 1


def test_an_interrupted_loop_of_ones_own_goes_on_elsewhere(tmp_path):
    def run(callbacks, resume=None):
        model = build(ByGradients)
        model.fit(X, Y, batch_size=8, epochs=3, verbose=0, callbacks=callbacks, resume=resume)
        return model.get_weights()

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if self.model.optimizer.iterations == 10:
                self.model.save(tmp_path / "middle.safetensors")
                raise KeyboardInterrupt

    want = run([keras.callbacks.Callback()])
    with pytest.raises(KeyboardInterrupt):
        run([Stop()])
    assert_same(run([Stop()], resume=tmp_path / "middle.safetensors"), want)


def test_copies_and_files_lose_the_step(tmp_path):
    model = build(ByGradients)
    model.fit(X, Y, verbose=0)
    model.save(tmp_path / "m.safetensors")
    loaded = keras.models.load_model(tmp_path / "m.safetensors", custom_objects={"ByGradients": ByGradients})
    for m in (model, loaded):
        m.fit(X, Y, epochs=1, shuffle=False, verbose=0)
    assert_same(loaded.get_weights(), model.get_weights())


@pytest.mark.parametrize("with_init", [False, True])
def test_a_functional_model_has_no_step_of_its_own(with_init, tmp_path):
    class Mine(keras.Model):
        def train_step(self, data):
            return {"loss": 1.0, **super().train_step(data), "mine": 2.0}

    class MineWithInit(Mine):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.tracker = keras.metrics.Mean()

    cls = MineWithInit if with_init else Mine
    x = keras.Input((4,))
    model = cls(inputs=x, outputs=layers.Dense(2)(x))
    model.compile("sgd", "mse")
    assert list(model.fit(X, Y, verbose=0).history) == ["loss", "mine"]
    copies = [keras.models.clone_model(model), copy.deepcopy(model)]
    model.save(tmp_path / "m.safetensors")
    copies.append(keras.models.load_model(tmp_path / "m.safetensors", custom_objects={cls.__name__: cls}))
    for twin in copies:
        assert type(twin) is cls
        assert twin.output_shape == (None, 2)
    assert_same(copies[2].get_weights(), model.get_weights())


@pytest.mark.parametrize("tape", ["GradientTape", "value_and_grad", "zero_grad"])
def test_a_step_for_another_librarys_tape_is_taken(tape):
    class Mine(keras.Sequential):
        pass

    exec(f"def train_step(self, data):\n    other.{tape}()\nMine.train_step = train_step", {"Mine": Mine})
    with pytest.raises(NotImplementedError, match=rf"`{tape}`.*self.gradients\(x, y\)"):
        build(Mine)


def test_a_step_with_jaxs_arguments_is_taken():
    class Mine(keras.Sequential):
        def train_step(self, state, data):
            return {}, state

    with pytest.raises(NotImplementedError, match=r"`\(state, data\)`"):
        build(Mine)


@pytest.mark.parametrize(("logs", "message"), [(None, "to return a dict"), ({"loss": X}, "to return numbers")])
def test_logs_that_are_no_numbers_are_taken(logs, message):
    class Mine(keras.Sequential):
        def train_step(self, data):
            return logs

    with pytest.raises(TypeError, match=message):
        build(Mine).fit(X, Y, verbose=0)


def test_a_loss_that_is_no_number_is_not_warned_of():
    class Mine(keras.Sequential):
        def train_step(self, data):
            return {"loss": float("nan")}

    with pytest.warns(RuntimeWarning, match="became NaN"):
        build(Mine).fit(X, Y, verbose=0)


def test_a_step_is_given_outputs_of_frozen_layers():
    seen = []

    class Looking(keras.Sequential):
        def train_step(self, data):
            seen.append(data[0].shape)
            return super().train_step(data)

    model, plain = build(Looking), build()
    for m in (model, plain):
        m.layers[0].trainable = False
        m.fit(X, Y, batch_size=25, epochs=2, cache_frozen=True, verbose=0)
    assert seen == [(25, 4)] * 4
    assert_same(model.get_weights(), plain.get_weights())
