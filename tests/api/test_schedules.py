"""Learning-rate schedules: Keras's values, and the same numbers however they are asked for."""

import numpy as np
import pytest

import hotloop as keras
from hotloop import optimizers
from hotloop.optimizers.schedules import (
    CosineDecay,
    CosineDecayRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    LearningRateSchedule,
    OneCycle,
    PiecewiseConstantDecay,
    PolynomialDecay,
    PowerDecay,
)

STEPS = [0, 1, 5, 6, 10, 11, 15, 30]


@pytest.mark.parametrize(
    ("staircase", "values"),
    [
        (False, [0.1, 0.0933033, 0.07071068, 0.06597539, 0.05, 0.04665165, 0.03535534, 0.0125]),
        (True, [0.1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.0125]),
    ],
)
def test_exponential_decay_follows_keras_and_reaches_the_optimizer(staircase, values):
    schedule = ExponentialDecay(0.1, 10, 0.5, staircase=staircase)
    np.testing.assert_allclose([schedule(k) for k in STEPS], values, rtol=1e-6)
    rates = optimizers.SGD(schedule).rates(0, 31)
    np.testing.assert_allclose(rates[STEPS], values, rtol=1e-6)


@pytest.mark.parametrize("staircase", [False, True])
def test_rates_do_not_depend_on_how_an_epoch_is_cut_into_calls(staircase):
    with pytest.warns(DeprecationWarning, match="decay"):
        optimizer = optimizers.SGD(ExponentialDecay(0.1, 7, 0.9, staircase=staircase), decay=0.01)
    whole = optimizer.rates(3, 40)
    pieces = [optimizer.rates(3, 1), optimizer.rates(4, 17), optimizer.rates(21, 22)]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)


def test_a_schedule_of_ones_own_is_called_with_one_step_at_a_time():
    class Steps(LearningRateSchedule):
        def __call__(self, step):
            return 0.1 if step < 2 else 0.01  # an array of steps would have no truth value

    np.testing.assert_array_equal(optimizers.Adam(Steps()).rates(1, 3), [0.1, 0.01, 0.01])


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -1.0])
def test_a_schedule_that_gives_no_usable_rate_is_reported_with_the_step(bad):
    class Broken(LearningRateSchedule):
        def __call__(self, step):
            return bad if step == 12 else 0.1

    with pytest.raises(ValueError, match="at step 12"):
        optimizers.SGD(Broken()).rates(10, 5)


@pytest.mark.parametrize("arguments", [(0.1, 0, 0.5), (0.1, -3, 0.5), (0.1, 10, 0.0), (float("nan"), 10, 0.5)])
def test_a_decay_that_divides_by_zero_is_refused(arguments):
    with pytest.raises(ValueError, match="ExponentialDecay"):
        ExponentialDecay(*arguments)


def test_a_schedule_comes_back_from_its_configuration_and_from_the_optimizers():
    schedule = ExponentialDecay(0.1, 10, 0.5, staircase=True)
    copy = optimizers.schedules.deserialize(optimizers.schedules.serialize(schedule))
    assert copy.get_config() == schedule.get_config()
    optimizer = optimizers.SGD.from_config(optimizers.SGD(schedule, momentum=0.9).get_config())
    np.testing.assert_array_equal(optimizer.rates(0, 30), optimizers.SGD(schedule).rates(0, 30))


def test_a_misspelt_schedule_or_argument_is_answered_with_the_likely_one():
    with pytest.raises(ValueError, match="Did you mean 'exponential_decay'"):
        optimizers.schedules.deserialize({"class_name": "ExponentialDecai", "config": {}})
    with pytest.raises(TypeError, match="Did you mean 'decay_steps'"):
        ExponentialDecay(0.1, decay_step=10, decay_rate=0.5)


SCHEDULES = [  # values of Keras at STEPS; PowerDecay is not in Keras
    (lambda: InverseTimeDecay(0.1, 10, 0.5),
     [0.1, 0.0952381, 0.08, 0.07692308, 0.06666667, 0.06451613, 0.05714286, 0.04]),
    (lambda: InverseTimeDecay(0.1, 10, 0.5, staircase=True), [0.1, 0.1, 0.1, 0.1, *[0.1 / 1.5] * 3, 0.04]),
    (lambda: PolynomialDecay(0.1, 10), [0.1, 0.09001, 0.05005, 0.04006, 0.0001, 0.0001, 0.0001, 0.0001]),
    (lambda: PolynomialDecay(0.1, 10, power=2.0, cycle=True),
     [0.1, 0.081019, 0.025075, 0.016084, 0.0001, 0.02032975, 0.00634375, 0.0001]),
    (lambda: PiecewiseConstantDecay([5, 10], [1.0, 0.5, 0.1]), [1, 1, 1, 0.5, 0.5, 0.1, 0.1, 0.1]),
    (lambda: CosineDecay(0.1, 10), [0.1, 0.09755283, 0.05, 0.03454914, 0, 0, 0, 0]),
    (lambda: CosineDecay(0.1, 10, alpha=0.1), [0.1, 0.09779754, 0.055, 0.04109422, 0.01, 0.01, 0.01, 0.01]),
    (lambda: CosineDecay(0.0, 10, warmup_target=0.1, warmup_steps=5),
     [0, 0.02, 0.1, 0.09755283, 0.05, 0.03454914, 0, 0]),
    (lambda: CosineDecayRestarts(0.1, 10), [0.1, 0.09755283, 0.05, 0.03454914, 0.1, 0.09938442, 0.08535534, 0.1]),
    (lambda: CosineDecayRestarts(0.1, 10, t_mul=1.0, m_mul=0.5, alpha=0.1),
     [0.1, 0.09779754, 0.055, 0.04109422, 0.055, 0.05389877, 0.0325, 0.02125]),
    (lambda: PowerDecay(0.1, 10, 2.0), [0.1 / (1 + k / 10) ** 2 for k in STEPS]),
]  # fmt: skip


@pytest.mark.parametrize(("make", "values"), SCHEDULES)
def test_a_schedule_gives_keras_rates_however_they_are_asked_for_and_after_a_round_trip(make, values):
    schedule = make()
    np.testing.assert_allclose([schedule(k) for k in STEPS], values, rtol=2e-6, atol=1e-9)
    whole = optimizers.SGD(schedule).rates(0, 40)
    np.testing.assert_allclose(whole[STEPS], values, rtol=2e-6, atol=1e-9)
    copy = optimizers.schedules.deserialize(optimizers.schedules.serialize(schedule))
    assert copy.get_config() == schedule.get_config()
    pieces = [optimizers.SGD(copy).rates(0, 1), optimizers.SGD(copy).rates(1, 22), optimizers.SGD(copy).rates(23, 17)]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: InverseTimeDecay(0.1, 0, 0.5), ValueError), (lambda: PowerDecay(0.1, -1), ValueError),
        (lambda: PolynomialDecay(0.1, 0), ValueError), (lambda: CosineDecay(float("nan"), 10), ValueError),
        (lambda: CosineDecay("0.1", 10), TypeError), (lambda: CosineDecay(0.1, 10, warmup_steps=-1), ValueError),
        (lambda: CosineDecayRestarts(0.1, 10, t_mul=0.5), ValueError),
        (lambda: PiecewiseConstantDecay([5], [1.0]), ValueError),
        (lambda: PiecewiseConstantDecay([5, 5], [1.0, 0.5, 0.1]), ValueError),
    ],
)  # fmt: skip
def test_a_schedule_that_has_no_rate_for_every_step_is_refused(make, error):
    with pytest.raises(error, match="expected"):
        make()


def test_one_cycle_goes_up_and_down_and_far_down():
    cycle = OneCycle(1.0, 100, last_share=0.2)
    np.testing.assert_allclose(
        cycle.rates(0, 101)[[0, 20, 40, 60, 80, 90, 100]], [0.1, 0.55, 1, 0.55, 0.1, 0.05005, 1e-4], rtol=1e-12
    )
    np.testing.assert_allclose(
        cycle.momenta(0, 101)[[0, 20, 40, 60, 80, 90, 100]], [0.95, 0.9, 0.85, 0.9, 0.95, 0.95, 0.95], rtol=1e-12
    )
    np.testing.assert_array_equal(cycle.rates(100, 3), np.full(3, 1e-4))
    for step in (0, 7, 40, 95, 200):
        assert cycle(step) == cycle.rates(step, 1)[0]


def test_one_cycle_by_cosine_passes_the_same_turns():
    line, cosine = (OneCycle(0.5, 90, 0.1, 0.0, 0.0, cosine=c) for c in (False, True))
    turns = [0, 45, 90]
    np.testing.assert_allclose(line.rates(0, 91)[turns], [0.1, 0.5, 0.1])
    np.testing.assert_allclose(cosine.rates(0, 91)[turns], [0.1, 0.5, 0.1])
    np.testing.assert_allclose(cosine.rates(0, 91)[15], 0.1 + 0.4 * (0.5 - 0.5 * np.cos(np.pi / 3)))


@pytest.mark.parametrize(
    "options",
    [
        {"total_steps": 0}, {"last_share": 1.0}, {"last_share": -0.1}, {"max_momentum": 1.0}, {"min_momentum": -0.1},
        {"min_momentum": None}, {"max_learning_rate": float("inf")},
    ],
)  # fmt: skip
def test_one_cycle_without_meaning_is_refused(options):
    with pytest.raises(ValueError, match=r"\[OneCycle\] expected"):
        OneCycle(**{"max_learning_rate": 0.1, "total_steps": 10, **options})


def train(optimizer, hooked=False, cuts=(3,)):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(5, "tanh"), keras.layers.Dense(1)])
    model.compile(optimizer, "mse")
    x = np.linspace(-1, 1, 160, dtype=np.float32).reshape(40, 4)
    callbacks = [keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs=None: None)] if hooked else []
    done = 0
    for epochs in cuts:
        model.fit(x, x[:, :1] ** 2, batch_size=8, initial_epoch=done, epochs=epochs, callbacks=callbacks, verbose=0)
        done = epochs
    return model.get_weights()


@pytest.mark.parametrize("rule", ["SGD", "RMSprop", "Adam", "AdamW", "Adamax", "Lion"])
def test_the_momentum_of_a_cycle_reaches_the_rule(rule):
    def make(schedule, **options):
        more = {"momentum": 0.9} if rule in ("SGD", "RMSprop") else {}
        return getattr(optimizers, rule)(schedule, **{**more, **options})

    cycled, still = OneCycle(0.01, 15), OneCycle(0.01, 15, max_momentum=None, min_momentum=None)
    constant = OneCycle(0.01, 15, max_momentum=0.8, min_momentum=0.8)
    own = {"momentum": 0.8} if rule in ("SGD", "RMSprop") else {"beta_1": 0.8}
    weights = train(make(cycled))
    assert all(np.array_equal(a, b) for a, b in zip(weights, train(make(cycled), hooked=True), strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(weights, train(make(cycled), cuts=(1, 2, 3)), strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(weights, train(make(still)), strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(train(make(constant)), train(make(still, **own)), strict=True))


def test_optimizers_without_a_momentum_of_each_step_keep_their_own():
    cycled, still = OneCycle(0.01, 15), OneCycle(0.01, 15, max_momentum=None, min_momentum=None)
    for rule in ("Nadam", "Adagrad", "SGD"):
        make = getattr(optimizers, rule)
        assert all(np.array_equal(a, b) for a, b in zip(train(make(cycled)), train(make(still)), strict=True)), rule


def test_momenta_of_a_schedule_of_ones_own_are_checked():
    class Wild(OneCycle):
        def momenta(self, step, n):
            return np.full(n, 1.5)

    with pytest.raises(ValueError, match="momenta in"):
        optimizers.SGD(Wild(0.1, 10)).momenta(0, 3)


def test_one_cycle_comes_back_from_its_configuration():
    schedule = OneCycle(0.3, 50, last_share=0.2, cosine=True, max_momentum=None, min_momentum=None)
    again = optimizers.schedules.deserialize(optimizers.schedules.serialize(schedule))
    assert again.get_config() == schedule.get_config()
    np.testing.assert_array_equal(again.rates(0, 60), schedule.rates(0, 60))
