"""Metrics with `update_state` and `result` of their own: Keras's numbers, without Python in the loop."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import hotloop as keras

ops = keras.ops
RNG = np.random.default_rng(3)
X = RNG.standard_normal((50, 4)).astype(np.float32)
Y = RNG.standard_normal((50, 3)).astype(np.float32)
W = RNG.uniform(0.1, 2.0, 50).astype(np.float32)


class Errors(keras.metrics.Metric):
    """Mean absolute error plus the largest column's error of any batch."""

    def __init__(self, name="errors", **kwargs):
        super().__init__(name=name, **kwargs)
        self.total = self.add_variable(shape=(), initializer="zeros", name="total")
        self.count = self.add_weight(name="count")
        self.largest = self.add_weight(shape=(3,), initializer="zeros", name="largest")
        self.calls = 0

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.calls += 1
        error = ops.abs(ops.cast(y_true, self.dtype) - y_pred)
        if sample_weight is not None:
            error = error * ops.expand_dims(sample_weight, -1)
        self.total.assign(self.total + ops.sum(error))
        self.count.assign_add(ops.sum(ops.ones_like(y_pred)))
        self.largest.assign(ops.maximum(self.largest, ops.mean(error, axis=0)))

    def result(self):
        return self.total / self.count + ops.max(self.largest)


class Mixed(keras.metrics.Metric):
    """Made of metrics of the package, one of them counted twice."""

    def __init__(self, name="mixed"):
        super().__init__(name=name)
        self.precision = keras.metrics.Precision()
        self.mse = keras.metrics.MeanSquaredError()
        self.close = keras.metrics.MeanMetricWrapper(lambda y, p: ops.abs(y - p) < 0.5)
        self.mean, self.sum = keras.metrics.Mean(), keras.metrics.Sum()

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.precision.update_state(y_true > 0, y_pred, sample_weight)
        self.mse.update_state(y_true, y_pred, sample_weight)
        self.mse.update_state(y_true, 2 * y_pred, sample_weight)
        self.close.update_state(y_true, y_pred)
        self.mean.update_state(y_pred, sample_weight)
        self.sum.update_state(y_pred)

    def result(self):
        parts = (self.precision, self.mse, self.close, self.mean, self.sum)
        return sum(part.result() * 10.0**i for i, part in enumerate(parts))


class Doubled(keras.metrics.RootMeanSquaredError):
    def result(self):
        return 2 * super().result()


class Shifted(keras.metrics.MeanAbsoluteError):
    def update_state(self, y_true, y_pred, sample_weight=None):
        return super().update_state(y_true, y_pred + 1.0, sample_weight)


class FromOne(keras.metrics.Metric):
    """Counts from 1, reads what it has just assigned, and holds what it never assigns."""

    def __init__(self, name="from_one"):
        super().__init__(name=name)
        self.n = self.add_weight(name="n")
        self.step = self.add_weight(name="step", initializer="ones")
        self.reset_state()

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.n.assign(self.n + self.step)
        self.n.assign(self.n * 2.0)

    def result(self):
        return self.n

    def reset_state(self):
        self.n.assign(1.0)
        self.step.assign(3.0)


CLASSES = {cls.__name__: cls for cls in (Errors, Mixed, Doubled, Shifted, FromOne)}


def model(dtype="float32", **compile):
    m = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, dtype=dtype, kernel_initializer="ones")])
    m.compile(keras.optimizers.SGD(0.05), "mse", **compile)
    return m


def alone(metric, p, batch_size, weight=None):
    metric.reset_state()
    for i in range(0, len(p), batch_size):
        part = slice(i, i + batch_size)
        metric.update_state(Y[part], p[part], None if weight is None else weight[part])
    return float(metric.result())


@pytest.mark.parametrize("cls", CLASSES.values())
@pytest.mark.parametrize("batch_size", [7, 50])
def test_a_metric_of_ones_own_has_other_numbers_in_a_model_than_alone(cls, batch_size):
    m = model(metrics=[cls()], weighted_metrics=[cls(name="weighted")])
    logs = m.evaluate(X, Y, sample_weight=W, batch_size=batch_size, verbose=0, return_dict=True)
    p = m.predict(X, verbose=0)
    name = cls().name
    assert logs[name] == pytest.approx(alone(cls(), p, batch_size), rel=1e-5)
    assert logs["weighted"] == pytest.approx(alone(cls(), p, batch_size, W), rel=1e-5)


def test_formulas_are_those_that_the_code_says():
    m = model(metrics=[Errors(), FromOne()])
    logs = m.evaluate(X, Y, batch_size=20, verbose=0, return_dict=True)
    e = np.abs(Y - m.predict(X, verbose=0).astype(float))
    largest = np.max([e[i : i + 20].mean(0) for i in (0, 20, 40)])
    assert logs["errors"] == pytest.approx(e.mean() + largest, rel=1e-5)
    assert logs["from_one"] == (((1 + 3) * 2 + 3) * 2 + 3) * 2


def test_every_epoch_and_every_validation_begins_anew_and_python_runs_once_for_each_mode():
    metric = Errors()
    m = model(metrics=[metric])
    history = m.fit(X, Y, epochs=4, batch_size=8, verbose=0, validation_data=(X, Y), shuffle=False).history
    assert metric.calls == 2
    assert history["val_errors"][-1] == m.evaluate(X, Y, batch_size=8, verbose=0, return_dict=True)["errors"]
    assert all(a > b for a, b in zip(history["errors"], history["errors"][1:], strict=False))


def test_other_batch_sizes_within_an_epoch_go_on_with_what_was_kept():
    def batches():
        for a, b in ((0, 4), (4, 20), (20, 50)):
            yield X[a:b], Y[a:b]

    m = model(metrics=[Errors(), "mae"])
    logs = m.evaluate(batches(), verbose=0, return_dict=True)
    p = m.predict(X, verbose=0)
    metric = Errors()
    for a, b in ((0, 4), (4, 20), (20, 50)):
        metric.update_state(Y[a:b], p[a:b])
    assert logs["errors"] == pytest.approx(float(metric.result()), rel=1e-5)
    assert logs["mae"] == pytest.approx(np.abs(Y - p).mean(), rel=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bits_do_not_depend_on_the_number_of_threads(dtype):
    found = []
    for threads in (1, 3):
        keras.config.set_num_threads(threads)
        try:
            m = model(dtype, metrics=[Errors(), Mixed()])
            found.append(m.evaluate(X, Y, batch_size=16, verbose=0, return_dict=True))
        finally:
            keras.config.set_num_threads(None)
    assert found[0] == found[1]


def test_one_batch_forms_and_steps_of_ones_own_count_alike():
    class Stepping(keras.Sequential):
        def train_step(self, data):
            return super().train_step(data)

    m = model(metrics=[Errors()])
    first = m.test_on_batch(X, Y, return_dict=True)["errors"]
    assert m.train_on_batch(X, Y, return_dict=True)["errors"] == pytest.approx(first)
    logs = []
    for cls in (keras.Sequential, Stepping):
        m = cls([keras.Input((4,)), keras.layers.Dense(3, kernel_initializer="ones")])
        m.compile(keras.optimizers.SGD(0.05), "mse", metrics=[Errors()])
        logs.append(m.fit(X, Y, epochs=2, batch_size=16, shuffle=False, verbose=0).history["errors"])
    assert logs[0] == logs[1]


@pytest.mark.parametrize("way", ["file", "pickle", "deepcopy"])
@pytest.mark.parametrize("cls", [Errors, Doubled])
def test_a_model_with_a_metric_of_ones_own_survives(tmp_path, way, cls):
    m = model(metrics=[cls()])
    m.fit(X, Y, verbose=0)
    if way == "file":
        m.save(tmp_path / "m.safetensors")
        again = keras.models.load_model(tmp_path / "m.safetensors", custom_objects=CLASSES)
    else:
        again = pickle.loads(pickle.dumps(m)) if way == "pickle" else copy.deepcopy(m)
    assert again.evaluate(X, Y, verbose=0, return_dict=True) == m.evaluate(X, Y, verbose=0, return_dict=True)


class _Stop(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if batch == 2:
            self.model.save(self.path)


def test_a_resumed_epoch_goes_on_with_what_was_kept(tmp_path):
    m = model(metrics=[Errors(), Mixed()])
    stop = _Stop()
    stop.path = tmp_path / "m.safetensors"
    whole = m.fit(X, Y, batch_size=8, verbose=0, callbacks=[stop]).history
    again = model(metrics=[Errors(), Mixed()])
    resumed = again.fit(X, Y, batch_size=8, verbose=0, resume=str(stop.path)).history
    assert resumed == whole


def broken(update):
    class Broken(keras.metrics.Metric):
        def __init__(self):
            super().__init__(name="broken")
            self.n = self.add_weight(name="n")

        def update_state(self, y_true, y_pred, sample_weight=None):
            update(self, y_true, y_pred)

        def result(self):
            return self.n

    return Broken()


@pytest.mark.parametrize(
    ("update", "error", "text"),
    [
        (lambda m, y, p: m.n.assign(1.0 if ops.sum(p) > 0 else 2.0), TypeError, "test_own_metrics.py, line"),
        (lambda m, y, p: m.n.assign(ops.sum(p, axis=-1)), ValueError, "Sum over the batch"),
        (lambda m, y, p: m.n.assign(ops.mean(p, axis=0)), ValueError, r"shape \(\), received \(3,\)"),
        (lambda m, y, p: m.n.assign(np.zeros(())[None]), TypeError, "hotloop.ops, received ndarray"),
        (lambda m, y, p: m.n.assign(np.sum(p)), TypeError, "received numpy.add"),
        (lambda m, y, p: keras.metrics.Mean().update_state(ops.sum(p)), TypeError, "values of samples"),
        (lambda m, y, p: keras.metrics.SparseCategoricalAccuracy().update_state(y + 1, p), TypeError, "as the data"),
    ],
)
def test_what_cannot_be_traced_is_ignored(update, error, text):
    m = model(metrics=[broken(update)])
    with pytest.raises(error, match=text):
        m.evaluate(X, Y, verbose=0)


def test_a_layer_that_assigns_in_call_says_so():
    class Counting(keras.layers.Layer):
        def build(self, shape):
            self.n = self.add_weight((), "zeros", trainable=False, name="n")

        def call(self, x):
            self.n.assign(self.n + 1.0)
            return x

    with pytest.raises(TypeError, match="Weights change by training alone"):
        keras.Sequential([keras.Input((4,)), Counting()])


def test_a_result_that_is_no_number_is_logged():
    class Named(FromOne):
        def result(self):
            return {"n": 1.0}

    with pytest.raises(TypeError, match="a number or an array, received dict"):
        model(metrics=[Named()]).evaluate(X, Y, verbose=0)


def test_a_metric_without_update_state_or_with_a_call_of_its_own_is_taken():
    class Nothing(keras.metrics.Metric):
        pass

    class Called(FromOne):
        def __call__(self, *args):
            return 1.0

    with pytest.raises(ValueError, match="no kernel computes"):
        model(metrics=[Nothing()])
    with pytest.raises(NotImplementedError, match="`__call__` is not called"):
        model(metrics=[Called()])


def test_a_result_may_be_an_array():
    class Columns(Errors):
        def result(self):
            return self.largest

    m = model(metrics=[Columns("columns")])
    found = m.evaluate(X, Y, batch_size=64, verbose=0, return_dict=True)["columns"]
    np.testing.assert_allclose(found, np.abs(Y - m.predict(X, verbose=0)).mean(0), rtol=1e-5)
