"""What a subclass redefines is called, or refused; it is never silently ignored."""

from __future__ import annotations

import numpy as np
import pytest

import hotloop as keras

X, Y = np.ones((4, 2), np.float32), np.ones((4, 1), np.float32)
STEPS = [
    "compute_metrics", "make_train_function", "make_test_function", "make_predict_function", "metrics",
    "reset_metrics",
]  # fmt: skip


def subclass(base, name, **more):
    return type("Mine", (base,), {name: lambda self, *args, **kwargs: 0.0, "__module__": __name__, **more})


def model():
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])


def test_a_loss_with_a_call_of_its_own_trains_with_the_formula_of_its_base():
    class Mine(keras.losses.MeanSquaredError):
        def call(self, y_true, y_pred):
            return 7.0 * keras.ops.ones_like(y_pred)

    m = model()
    m.compile(loss=Mine())
    assert m.evaluate(X, Y, verbose=0) == 7.0
    assert Mine()(Y, Y) == 7.0


def test_a_metric_with_a_call_of_its_own_shows_the_number_of_its_base():
    metric = subclass(keras.metrics.MeanSquaredError, "__call__")()
    with pytest.raises(NotImplementedError, match="`__call__` is not called"):
        model().compile(loss="mse", metrics=[metric])


@pytest.mark.parametrize("name", ["update_step", "apply_gradients", "learning_rate"])
def test_an_optimizer_with_a_step_of_its_own_makes_the_step_of_its_base(name):
    with pytest.raises(NotImplementedError, match=f"`{name}` is not called"):
        model().compile(subclass(keras.optimizers.SGD, name)(), "mse")


@pytest.mark.parametrize("base", [keras.Model, keras.Sequential])
@pytest.mark.parametrize("name", STEPS)
def test_a_model_with_a_step_of_its_own_trains_without_it(base, name):
    with pytest.raises(NotImplementedError, match=f"`{name}` is not called"):
        subclass(base, name)()


def test_metrics_set_on_a_model_are_ignored():
    m = model()
    m.compute_metrics = lambda **kwargs: {}
    with pytest.raises(NotImplementedError, match="`compute_metrics`"):
        m.compile(loss="mse")


def test_the_losses_of_a_layer_inside_are_ignored():
    layer = subclass(keras.layers.Dense, "losses")(1)
    with pytest.raises(NotImplementedError, match="`losses`"):
        keras.Sequential([keras.Input((2,)), layer]).compile(loss="mse")


def test_a_subclass_that_overrides_what_is_called_is_refused():
    class Mine(keras.Sequential):
        def fit(self, *args, **kwargs):
            return super().fit(*args, **kwargs)

    class Half(keras.losses.MeanSquaredError):
        def __init__(self):
            super().__init__(name="half")

    m = Mine([keras.Input((2,)), keras.layers.Dense(1)])
    m.compile(loss=Half(), metrics=[keras.metrics.MeanSquaredError()])
    assert len(m.fit(X, Y, verbose=0).history["loss"]) == 1
