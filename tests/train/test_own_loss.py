"""Models with a `compute_loss` of their own, which becomes part of the compiled loop."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

import hotloop as keras
from hotloop import layers, ops

RNG = np.random.default_rng(9)
X = RNG.standard_normal((40, 4))
Y = RNG.standard_normal((40, 2))
W = RNG.uniform(0.5, 2, 40)


def build(cls=keras.Sequential, loss="mse", **options):
    keras.utils.set_random_seed(4)
    stack = [layers.Dense(6, "tanh"), layers.Dense(2, **options)]
    for layer in stack:
        layer.dtype = "float64"
    model = cls([keras.Input((4,), dtype="float64"), *stack])
    model.compile("adam", loss, metrics=["mae"])
    return model


def own(function):
    """A class whose loss is function(self, the base's function, x, y, y_pred, sample_weight, training)."""

    class Mine(keras.Sequential):
        calls = 0

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            type(self).calls += 1
            base = super().compute_loss
            return function(self, lambda: base(x, y, y_pred, sample_weight), x, y, y_pred, sample_weight, training)

    return Mine


def assert_same(left, right, **tolerance):
    for a, b in zip(left, right, strict=True):
        np.testing.assert_allclose(a, b, **(tolerance or {"rtol": 0, "atol": 0}))


BASES = {
    "super": lambda self, base, x, y, y_pred, w, training: base(),
    "halves": lambda self, base, x, y, y_pred, w, training: 0.5 * (base() * 2),
}


@pytest.mark.parametrize("name", BASES)
@pytest.mark.parametrize("weights", [{}, {"sample_weight": W}])
def test_the_compiled_loss_becomes_another(name, weights):
    plain, mine = build(kernel_regularizer="l2"), build(own(BASES[name]), kernel_regularizer="l2")
    want, got = (
        m.fit(X, Y, batch_size=8, epochs=3, validation_data=(X, Y), verbose=0, **weights).history for m in (plain, mine)
    )
    assert got == want
    assert_same(mine.get_weights(), plain.get_weights())
    assert mine.evaluate(X, Y, verbose=0) == plain.evaluate(X, Y, verbose=0)


def test_penalties_count_where_the_loss_asks_for_them():
    """As in Keras: by super().compute_loss or self.losses; otherwise they vanish."""

    def mean(self, base, x, y, y_pred, w, training):
        return ops.mean((y - y_pred) ** 2)

    def with_penalties(self, base, x, y, y_pred, w, training):
        return mean(self, base, x, y, y_pred, w, training) + sum(self.losses)

    def in_a_loop(self, base, x, y, y_pred, w, training):
        loss = mean(self, base, x, y, y_pred, w, training)
        for penalty in self.losses:
            loss += penalty
        return loss

    def first(self, base, x, y, y_pred, w, training):
        return sum([*self.losses, mean(self, base, x, y, y_pred, w, training)])

    def trained(cls=keras.Sequential, **options):
        model = build(cls, activity_regularizer="l2", **options)
        return model.fit(X, Y, batch_size=8, epochs=2, verbose=0).history["loss"], model.evaluate(X, Y, verbose=0)[0]

    known = trained(kernel_regularizer="l2")
    for function in (with_penalties, in_a_loop, first):
        np.testing.assert_allclose(trained(own(function), kernel_regularizer="l2")[0], known[0], rtol=1e-12)
        np.testing.assert_allclose(trained(own(function), kernel_regularizer="l2")[1], known[1], rtol=1e-12)
    np.testing.assert_allclose(trained(own(mean), kernel_regularizer="l2")[1], trained(own(mean))[1], rtol=1e-12)
    assert trained(own(mean), kernel_regularizer="l2")[1] < known[1]


@pytest.mark.parametrize(
    "function",
    [
        lambda self, base, *rest: base() + sum(self.losses),
        lambda self, base, *rest: 2 * base(),
        lambda self, base, x, y, y_pred, *rest: ops.mean(y_pred) + 0.1 * sum(self.losses),
    ],
)
def test_penalties_that_are_scaled_are_refused(function):
    with pytest.raises(keras.TraceError, match=r"expected the penalties once.*Scale the regularizers"):
        build(own(function), kernel_regularizer="l2").fit(X, Y, verbose=0)


def by_hand(self, base, x, y, y_pred, w, training):
    return ops.mean((y - y_pred) ** 2, axis=-1)


def by_hand_whole(self, base, x, y, y_pred, w, training):
    return ops.mean((y - y_pred) ** 2)


@pytest.mark.parametrize("function", [by_hand, by_hand_whole])
@pytest.mark.parametrize("loss", [None, "mae"])
def test_a_loss_by_hand_trains_otherwise(function, loss):
    plain, mine = build(), build(own(function), loss=loss)
    want, got = (m.fit(X, Y, batch_size=7, epochs=3, verbose=0).history for m in (plain, mine))
    assert set(got) == set(want)
    assert_same(list(got.values()), list(want.values()), rtol=1e-9)
    assert_same(mine.get_weights(), plain.get_weights(), rtol=1e-9, atol=1e-12)


def test_what_is_added_is_left_out_or_added_twice():
    mine = build(
        own(lambda self, base, x, y, y_pred, w, t: 0.3 * ops.mean(y_pred**2) + 2 * base() + ops.mean(ops.abs(x)))
    )
    p = mine.predict(X, verbose=0)
    want = 0.3 * (p**2).mean() + 2 * ((p - Y) ** 2).mean() + np.abs(X).mean()
    logs = mine.evaluate(X, Y, verbose=0, return_dict=True)
    assert set(logs) == {"loss", "mae"}
    assert logs["loss"] == pytest.approx(want)
    gradients = mine.gradients(X, Y)
    weights = mine.get_weights()
    for w, g in zip(weights, gradients, strict=True):
        place = tuple(n // 2 for n in w.shape)
        values = []
        for step in (1e-5, -1e-5):
            w[place] += step
            mine.set_weights(weights)
            values.append(mine.evaluate(X, Y, verbose=0, return_dict=True)["loss"])
            w[place] -= step
        assert g[place] == pytest.approx((values[0] - values[1]) / 2e-5, rel=1e-5)


def test_sample_weights_and_training_are_not_handed_on():
    seen = []

    def function(self, base, x, y, y_pred, w, training):
        seen.append((training, w is not None))
        values = ops.mean((y - y_pred) ** 2, axis=-1)
        return values if w is None else values * w

    mine, plain = build(own(function)), build()
    mine.fit(X, Y, sample_weight=W, validation_data=(X, Y), verbose=0)
    plain.fit(X, Y, sample_weight=W, validation_data=(X, Y), verbose=0)
    assert seen == [(True, True), (False, False)]
    assert_same(mine.get_weights(), plain.get_weights(), rtol=1e-9, atol=1e-12)


def test_python_runs_for_every_batch():
    cls = own(BASES["super"])
    model = build(cls)
    model.fit(X, Y, batch_size=2, epochs=5, verbose=0)
    assert cls.calls == 1


def test_several_outputs_log_other_names():
    class Mine(keras.Model):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            assert set(y) == set(y_pred) == {"a", "b"}
            return super().compute_loss(x, y, y_pred, sample_weight) + ops.mean(y_pred["a"] * y_pred["b"])

    x = keras.Input((4,))
    outputs = {"a": layers.Dense(1, name="a")(x), "b": layers.Dense(1, name="b")(x)}
    mine, plain = Mine(x, outputs), keras.Model(x, outputs)
    y = {"a": Y[:, :1], "b": Y[:, 1:]}
    for model in (mine, plain):
        model.compile("sgd", "mse", loss_weights={"a": 1.0, "b": 0.5})
    p = plain.predict(X, verbose=0)
    want, got = (model.evaluate(X, y, verbose=0, return_dict=True) for model in (plain, mine))
    assert got.pop("loss") == pytest.approx(want.pop("loss") + (p["a"] * p["b"]).mean(), rel=1e-5)
    assert got == pytest.approx(want)


def test_arrays_give_another_loss_than_the_model_has():
    model = build(kernel_regularizer="l2")
    p = model.predict(X, verbose=0)
    assert model.compute_loss(y=Y, y_pred=p) == pytest.approx(model.evaluate(X, Y, verbose=0)[0])
    weighted = model.evaluate(X, Y, sample_weight=W, verbose=0)[0]
    assert model.compute_loss(y=Y, y_pred=p, sample_weight=W) == pytest.approx(weighted)


def test_a_model_with_a_loss_of_its_own_is_never_freed():
    model = build(own(by_hand))
    model.fit(X, Y, verbose=0)
    gc.disable()
    try:
        gone = weakref.ref(model)
        del model
        assert gone() is None
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda self, base, x, y, y_pred, w, t: 3.0, "expected a tensor made from y"),
        (lambda self, base, x, y, y_pred, w, t: base() + base(), "the compiled loss once"),
        (lambda self, base, x, y, y_pred, w, t: base() ** 2, "multiplied by numbers or added"),
        (lambda self, base, x, y, y_pred, w, t: base() * ops.mean(y_pred), "multiplied by numbers or added"),
        (lambda self, base, x, y, y_pred, w, t: base() if t else ops.mean(y_pred), "the same terms"),
        (
            lambda self, base, x, y, y_pred, w, t: keras.Sequential.compute_loss(self, x, 2 * y, y_pred),
            "y as it was given",
        ),
    ],
)
def test_bad_losses_are_taken(function, message):
    with pytest.raises((TypeError, ValueError), match=message):
        build(own(function)).fit(X, Y, validation_data=(X, Y), verbose=0)


def test_a_compiled_loss_that_is_not_there_is_called():
    with pytest.raises(ValueError, match="compiled with a loss"):
        build(own(BASES["super"]), loss=None).fit(X, Y, verbose=0)


def test_a_loss_that_reads_x_is_given_outputs_of_frozen_layers():
    def reads_x(self, base, x, y, y_pred, w, training):
        return base() + ops.mean(ops.abs(x) * ops.mean(y_pred))

    losses = []
    for cached in (True, False):
        model = build(own(reads_x))
        model.layers[0].trainable = False
        losses.append(model.fit(X, Y, epochs=3, cache_frozen=cached, verbose=0).history)
    assert losses[0] == losses[1]


@pytest.mark.parametrize(
    "total",
    [
        lambda p: ops.cast(ops.shape(p)[0], "float32") * p.shape[1],
        lambda p: ops.convert_to_tensor(ops.shape(p)[0]) * p.shape[1],
        lambda p: ops.cast(ops.size(p), "float32"),
        ops.size,
    ],
)
def test_a_loss_may_divide_by_the_size_of_the_batch(total):
    def loss(y, p):
        return ops.sum(ops.square(y - p)) / total(p)

    own_sum, known = build(loss=loss), build(loss="mse")
    want, got = (m.fit(X, Y, batch_size=16, epochs=2, verbose=0).history["loss"] for m in (known, own_sum))
    assert len(X) % 16  # the last batch is short; both weigh batches by their rows
    np.testing.assert_allclose(got, want, rtol=1e-6)
    assert_same(own_sum.get_weights(), known.get_weights(), rtol=1e-5, atol=1e-7)


def test_the_size_of_a_batch_is_unknown_in_a_functional_model():
    x = keras.Input((3,))
    with pytest.raises(keras.TraceError, match="size of a batch, which is not known"):
        ops.cast(ops.shape(x)[0], "float32")


def test_losses_of_a_model_may_be_summed_by_ops():
    def by_hand_and_penalties(self, base, x, y, y_pred, w, training):
        loss = ops.mean((y - y_pred) ** 2)
        return loss + ops.sum(self.losses) if self.losses else loss

    for options in ({"kernel_regularizer": "l2"}, {}):
        known, mine = build(**options), build(own(by_hand_and_penalties), **options)
        want, got = (m.fit(X, Y, batch_size=8, epochs=2, verbose=0).history["loss"] for m in (known, mine))
        np.testing.assert_allclose(got, want, rtol=1e-12)
