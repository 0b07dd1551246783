"""Optimizers as users make them: names, hyper-parameters, Keras 2 spellings, learning rates."""

import pickle
import warnings

import numpy as np
import pytest

import hotloop as keras
from hotloop import config, optimizers
from hotloop.optimizers import SGD, Adam, RMSprop
from hotloop.optimizers.schedules import ExponentialDecay


@pytest.mark.parametrize("name", ["sgd", "SGD", "Sgd"])
def test_an_optimizer_is_known_by_its_name_in_any_case(name):
    assert type(optimizers.get(name)) is SGD


def test_an_optimizer_comes_from_a_dict_or_an_instance_but_not_from_a_class():
    optimizer = Adam(0.01, beta_1=0.8)
    assert optimizers.get(optimizer) is optimizer
    copy = optimizers.get(optimizers.serialize(optimizer))
    assert copy.spec() == optimizer.spec()
    assert copy.get_config() == optimizer.get_config()
    with pytest.raises(ValueError, match=r"Write Adam\(\)"):
        optimizers.get(Adam)


def test_a_misspelt_optimizer_or_argument_is_answered_with_the_likely_one():
    with pytest.raises(ValueError, match="Did you mean 'adam'"):
        optimizers.get("adm")
    with pytest.raises(ValueError, match="Did you mean 'momentum'"):
        SGD(0.1, momentun=0.9)
    with pytest.raises(ValueError, match="Did you mean 'beta_1'"):
        Adam(beta1=0.9)


@pytest.mark.parametrize(
    ("optimizer", "spec", "slots"),
    [
        (SGD(), {"kind": "sgd"}, ()),
        (SGD(nesterov=True), {"kind": "sgd"}, ()),
        (SGD(momentum=0.9), {"kind": "momentum", "momentum": 0.9}, ("momentum",)),
        (SGD(momentum=1, nesterov=True), {"kind": "nesterov", "momentum": 1.0}, ("momentum",)),
        (Adam(), {"kind": "adam", "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}, ("momentum", "velocity")),
        (RMSprop(), {"kind": "rmsprop", "rho": 0.9, "epsilon": 1e-7}, ("velocity",)),
        (
            RMSprop(momentum=0.5, centered=True),
            {"kind": "rmsprop_centered_momentum", "rho": 0.9, "epsilon": 1e-7, "momentum": 0.5},
            ("velocity", "momentum", "average_gradient"),
        ),
    ],
)
def test_the_engine_is_told_the_rule_that_was_asked_for(optimizer, spec, slots):
    assert optimizer.spec() == spec
    assert optimizer.slot_names == slots


@pytest.mark.parametrize(("optimizer", "rate"), [(SGD(), 0.01), (Adam(), 0.001), (RMSprop(), 0.001)])
def test_default_learning_rates_are_keras(optimizer, rate):
    assert optimizer.learning_rate == rate


@pytest.mark.parametrize("rate", [1, np.float32(1), np.float64(1), np.int64(1), np.array(1.0)])
def test_a_learning_rate_may_be_any_number(rate):
    assert SGD(rate).learning_rate == 1.0


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: SGD(-0.1), ValueError), (lambda: SGD(float("nan")), ValueError), (lambda: SGD("0.1"), TypeError),
        (lambda: SGD(None), TypeError), (lambda: SGD(True), TypeError), (lambda: SGD(momentum=1.5), ValueError),
        (lambda: SGD(momentum=-0.1), ValueError), (lambda: Adam(beta_1=1.0), ValueError),
        (lambda: Adam(beta_2=-0.1), ValueError), (lambda: Adam(epsilon=-1e-7), ValueError),
        (lambda: RMSprop(rho=1.0), ValueError), (lambda: RMSprop(momentum=-0.5), ValueError),
        (lambda: Adam(weight_decay=-0.1), ValueError), (lambda: optimizers.AdamW(weight_decay=None), ValueError),
        (lambda: optimizers.Ftrl(learning_rate_power=0.5), ValueError),
        (lambda: optimizers.Adagrad(initial_accumulator_value=-0.1), ValueError),
        (lambda: SGD(clipnorm=-1.0), ValueError), (lambda: SGD(clipnorm=1.0, clipvalue=1.0), ValueError),
        (lambda: SGD(global_clipnorm="1"), TypeError), (lambda: SGD(use_ema=True, ema_momentum=1.5), ValueError),
        (lambda: SGD(use_ema=True, ema_overwrite_frequency=0), ValueError),
        (lambda: SGD(gradient_accumulation_steps=1), ValueError),
        (lambda: SGD(name="a/b"), ValueError), (lambda: SGD(decay=-1.0), ValueError),
    ],
)  # fmt: skip
def test_a_hyper_parameter_out_of_range_is_refused(make, error):
    with pytest.raises(error, match="expected"):
        make()


def test_arguments_of_keras_that_ask_for_nothing_are_accepted():
    assert SGD(0.1, clipnorm=None, use_ema=False, weight_decay=None).spec() == {"kind": "sgd"}


def test_epsilon_none_is_the_configured_one():
    config.set_epsilon(1e-5)
    try:
        assert Adam(epsilon=None).spec()["epsilon"] == 1e-5
    finally:
        config.set_epsilon(1e-7)


def test_lr_still_sets_the_learning_rate_and_warns():
    with pytest.warns(DeprecationWarning, match="learning_rate"):
        assert SGD(lr=0.25).learning_rate == 0.25
    with pytest.warns(DeprecationWarning, match="learning_rate"), pytest.raises(ValueError, match="received both"):
        SGD(0.1, lr=0.25)


def test_decay_still_decays():
    with pytest.warns(DeprecationWarning, match="schedule"):
        optimizer = SGD(0.1, decay=0.5)
    np.testing.assert_allclose(optimizer.rates(0, 4), [0.1, 0.1 / 1.5, 0.1 / 2, 0.1 / 2.5], rtol=1e-15)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        copy = SGD.from_config(optimizer.get_config())
    np.testing.assert_array_equal(copy.rates(0, 4), optimizer.rates(0, 4))


def test_optimizer_lr_reads_and_sets_the_learning_rate_and_warns():
    optimizer = SGD(0.1)
    with pytest.warns(DeprecationWarning, match=r"optimizer\.learning_rate"):
        assert optimizer.lr == 0.1
    with pytest.warns(DeprecationWarning, match=r"optimizer\.learning_rate"):
        optimizer.lr = 0.2
    assert optimizer.learning_rate == 0.2
    np.testing.assert_array_equal(optimizer.rates(5, 2), [0.2, 0.2])


@pytest.mark.parametrize("use", [lambda: SGD(lr=0.1), lambda: Adam(decay=0.1), lambda: SGD().lr])
def test_a_warning_names_the_line_of_the_user(use):
    with pytest.warns(DeprecationWarning, match="is now") as record:
        use()
    assert [warning.filename for warning in record] == [__file__]


def test_setting_the_learning_rate_takes_effect_and_is_checked():
    optimizer = Adam(0.1)
    optimizer.learning_rate = 0.05
    np.testing.assert_array_equal(optimizer.rates(0, 2), [0.05, 0.05])
    with pytest.raises(ValueError, match="learning_rate"):
        optimizer.learning_rate = -1.0
    assert optimizer.learning_rate == 0.05


def test_an_optimizer_made_with_a_schedule_shows_the_present_rate_and_refuses_a_number():
    optimizer = SGD(ExponentialDecay(0.1, 10, 0.5))
    optimizer.iterations = 10
    assert optimizer.learning_rate == pytest.approx(0.05)
    with pytest.raises(TypeError, match="made with one"):
        optimizer.learning_rate = 0.1
    optimizer.learning_rate = ExponentialDecay(0.4, 10, 0.5)
    assert optimizer.learning_rate == pytest.approx(0.2)


def test_a_callable_learning_rate_is_asked_before_every_step():
    rates = iter([0.3, 0.2, 0.1])
    np.testing.assert_array_equal(SGD(lambda: next(rates)).rates(0, 3), [0.3, 0.2, 0.1])


@pytest.mark.parametrize("bad", [-1, 1.5, True])
def test_iterations_are_a_count(bad):
    optimizer = SGD()
    optimizer.iterations = np.int64(7)
    with pytest.raises(ValueError, match="iterations"):
        optimizer.iterations = bad
    assert optimizer.iterations == 7


def test_a_configuration_holds_the_learning_rate_as_it_is_now():
    optimizer = SGD(0.1, momentum=0.9, name="mine")
    optimizer.learning_rate = 0.01
    assert optimizer.get_config() == {"name": "mine", "learning_rate": 0.01, "momentum": 0.9, "nesterov": False}


def test_a_configuration_cannot_hold_a_python_function():
    with pytest.raises(ValueError, match="Python functions"):
        SGD(lambda: 0.1).get_config()


def test_an_optimizer_survives_pickling_with_its_iterations():
    optimizer = Adam(ExponentialDecay(0.1, 10, 0.5))
    optimizer.iterations = 42
    copy = pickle.loads(pickle.dumps(optimizer))
    assert copy.iterations == 42
    np.testing.assert_array_equal(copy.rates(42, 3), optimizer.rates(42, 3))


def small(optimizer):
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="body"), keras.layers.Dense(2)])
    model.compile(optimizer, "mse")
    return model


def test_weight_decay_shrinks_all_weights_but_the_excluded_ones():
    x, y = np.zeros((8, 4)), np.zeros((8, 2))  # no gradient reaches the first kernel
    model = small(SGD(0.5, weight_decay=0.1))
    before = model.get_weights()
    model.fit(x, y, batch_size=8, epochs=2, verbose=0)
    np.testing.assert_allclose(model.get_weights()[0], before[0] * 0.95**2, rtol=1e-6)

    optimizer = SGD(0.5, weight_decay=0.1)
    optimizer.exclude_from_weight_decay(var_names=["ker.el"])
    model = small(optimizer)
    model.fit(x, y, batch_size=8, epochs=1, verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], before[0])
    optimizer.exclude_from_weight_decay(var_list=[model.layers[1].kernel])  # holds from the next fit on
    model.fit(x, y, batch_size=8, epochs=1, verbose=0)
    np.testing.assert_allclose(model.get_weights()[0], before[0] * 0.95, rtol=1e-6)
    np.testing.assert_array_equal(model.get_weights()[2], before[2])
    with pytest.raises(ValueError, match="regular expressions"):
        optimizer.exclude_from_weight_decay(var_names=["("])


@pytest.mark.parametrize("name", ["Adadelta", "Adagrad", "AdamW", "Adamax", "Ftrl", "Lamb", "Lion", "Muon", "Nadam"])
def test_an_optimizer_comes_back_from_its_configuration(name):
    optimizer = optimizers.get(name)
    again = optimizers.deserialize(optimizers.serialize(optimizer))
    assert type(again) is type(optimizer)
    assert (again.get_config(), again.full_spec()) == (optimizer.get_config(), optimizer.full_spec())


@pytest.mark.parametrize("name", ["SGD", "Muon"])
def test_a_scale_of_the_loss_changes_numbers(name):
    rng = np.random.default_rng(0)
    x, y = rng.random((8, 4)), rng.random((8, 2))
    scaled, plain = (getattr(optimizers, name)(0.1, loss_scale_factor=scale) for scale in (1024.0, None))
    assert (scaled.get_config()["loss_scale_factor"], "loss_scale_factor" in plain.get_config()) == (1024.0, False)
    models = [small(scaled), small(plain)]
    for model in models:
        model.fit(x, y, batch_size=4, verbose=0)
    for a, b in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match="loss_scale_factor"):
        getattr(optimizers, name)(loss_scale_factor=0.0)


def test_averages_become_the_weights_when_asked_in_steps_of_ones_own():
    model = small(SGD(0.1, use_ema=True, ema_momentum=0.5))
    weights = model.trainable_weights
    averages = [w.numpy() for w in weights]
    for step in range(3):
        model.optimizer.apply([np.ones(w.shape) for w in weights], weights)
        averages = [w.numpy() if step == 0 else 0.5 * (a + w.numpy()) for a, w in zip(averages, weights, strict=True)]
    model.optimizer.finalize_variable_values(weights)
    for w, average in zip(weights, averages, strict=True):
        np.testing.assert_allclose(w.numpy(), average, rtol=1e-6, atol=1e-7)
    plain = small(SGD(0.1))
    before = plain.get_weights()
    plain.optimizer.finalize_variable_values(plain.trainable_weights)
    assert all((a == b).all() for a, b in zip(before, plain.get_weights(), strict=True))


def test_muon_leaves_to_adam_what_is_no_matrix_or_excluded():
    rng = np.random.default_rng(0)
    x, y = rng.random((8, 4)), rng.random((8, 2))
    muon = small(optimizers.Muon(0.01, exclude_layers=["dense"], weight_decay=None, adam_lr_ratio=0.5))
    adam = small(optimizers.AdamW(0.005, 0.008))
    adam.set_weights(muon.get_weights())
    before = muon.get_weights()[0]
    for model in (muon, adam):
        model.train_on_batch(x, y)
    same = [np.allclose(a, b, rtol=1e-5) for a, b in zip(muon.get_weights(), adam.get_weights(), strict=True)]
    assert same == [False, True, True, True]
    singular = np.linalg.svd((before - muon.get_weights()[0]) / (0.01 * 0.2 * 2))[1]  # 2 = sqrt(4)
    assert singular[0] < 1.4
    assert singular[1] > 0.5


def test_a_rate_of_zero_leaves_weights_where_they_are():
    rng = np.random.default_rng(0)
    x, y = rng.random((8, 4)), rng.random((8, 2))
    for name in ("Adadelta", "Adagrad", "Adam", "Adamax", "Ftrl", "Lamb", "Lion", "Muon", "Nadam", "RMSprop", "SGD"):
        model = small(getattr(optimizers, name)(0.0))
        before = model.get_weights()
        model.fit(x, y, batch_size=4, epochs=1, verbose=0)
        for a, b in zip(before, model.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b, name)


@pytest.mark.parametrize("batch_size", [1, 8])
def test_factors_of_the_learning_rate_are_those_of_the_first_pattern_found(batch_size):
    rng = np.random.default_rng(0)
    x, y = rng.random((8, 4)), rng.random((8, 2))
    factors = {"^body/": 0.5, "bias": 0.0}
    plain, scaled = small(SGD(0.1)), small(SGD(0.1, learning_rate_factors=factors))
    before = plain.get_weights()
    for model in (plain, scaled):
        model.fit(x[:batch_size], y[:batch_size], batch_size=batch_size, epochs=1, verbose=0)
    moved = [w - b for w, b in zip(plain.get_weights(), before, strict=True)]
    got = [w - b for w, b in zip(scaled.get_weights(), before, strict=True)]
    for change, factor, want in zip(got, [0.5, 0.5, 1.0, 0.0], moved, strict=True):
        np.testing.assert_allclose(change, factor * want, rtol=1e-4, atol=1e-7)


def test_factors_of_the_learning_rate_come_back_from_a_file(tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.random((8, 4)), rng.random((8, 2))
    model = small(Adam(0.1, learning_rate_factors={"^body/": 0.1, "": 1}))
    model.fit(x, y, batch_size=4, epochs=1, verbose=0)
    model.save(tmp_path / "m.safetensors")
    again = keras.models.load_model(tmp_path / "m.safetensors")
    assert again.optimizer.learning_rate_factors == {"^body/": 0.1, "": 1.0}
    for each in (model, again):
        each.fit(x, y, batch_size=4, epochs=1, verbose=0)
    for a, b in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("factors", "error"),
    [
        ({"(": 1.0}, ValueError),
        ({"a": -1.0}, ValueError),
        ({"a": "b"}, TypeError),
        ([1.0], TypeError),
        ({3: 1.0}, ValueError),
    ],
)
def test_factors_without_meaning_are_refused(factors, error):
    with pytest.raises(error, match="expected"):
        SGD(learning_rate_factors=factors)


def test_a_learning_rate_can_be_assigned_as_a_variable_is():
    optimizer = SGD(0.1)
    optimizer.learning_rate.assign(0.5)
    assert optimizer.learning_rate == 0.5
    assert type(optimizer.learning_rate.numpy()) is float
    assert type(pickle.loads(pickle.dumps(optimizer.learning_rate))) is float
    with pytest.raises(ValueError, match="learning_rate"):
        optimizer.learning_rate.assign(-1.0)
    with pytest.raises(TypeError, match="made with one"):
        SGD(ExponentialDecay(0.1, 10, 0.5)).learning_rate.assign(0.5)
