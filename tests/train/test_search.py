"""Searches: the configurations drawn, the rungs they climb, and what is found."""

from __future__ import annotations

import numpy as np
import pytest

import hotloop as keras
from hotloop.search import Integer, LogUniform, Uniform, search

RNG = np.random.default_rng(5)
X = RNG.standard_normal((300, 4))
Y = (X[:, 0] * X[:, 1] > 0).astype(np.int32)


def make(units=8, rate=0.01, dropout=0.0):
    keras.utils.set_random_seed(3)
    stack = [keras.layers.Dense(units, "tanh"), keras.layers.Dropout(dropout), keras.layers.Dense(1, "sigmoid")]
    model = keras.Sequential([keras.Input((4,)), *stack])
    model.compile(keras.optimizers.Adam(rate), "binary_crossentropy", metrics=["accuracy"])
    return model


SPACE = {"units": [4, 16, 64], "rate": LogUniform(1e-4, 0.1), "dropout": Uniform(0.0, 0.4)}
ARGUMENTS = {"validation_split": 0.3, "batch_size": 32, "verbose": 0}


def test_a_search_finds_what_straight_training_of_its_configurations_finds():
    found = search(make, SPACE, X, Y, trials=6, epochs=4, **ARGUMENTS)
    scores = [trial.score for trial in found.trials]
    assert scores == sorted(scores)
    assert len({tuple(t.configuration.items()) for t in found.trials}) == 6
    for trial in found.trials[:2]:
        alone = make(**trial.configuration)
        history = alone.fit(X, Y, epochs=4, **ARGUMENTS).history
        assert history == trial.history
        assert trial.score == history["val_loss"][-1]
        assert all(
            a.tobytes() == b.tobytes() for a, b in zip(alone.get_weights(), trial.model.get_weights(), strict=True)
        )
    assert found.best is found.trials[0]
    assert found.rows()[0] == {**found.best.configuration, "score": found.best.score, "epochs": 4}
    assert len(found.pack(3)) == 3
    again = search(make, SPACE, X, Y, trials=6, epochs=4, **ARGUMENTS)
    assert again.rows() == found.rows()
    assert search(make, SPACE, X, Y, trials=6, epochs=4, seed=1, **ARGUMENTS).rows() != found.rows()


def test_halving_lets_the_best_go_on_as_if_they_had_never_stopped():
    found = search(
        make, SPACE, X, Y, trials=9, epochs=12, reduction=3, least_epochs=2, objective="val_accuracy", **ARGUMENTS
    )
    assert [trial.epochs for trial in found.trials] == [12, 6, 6, 2, 2, 2, 2, 2, 2]
    rungs = [[t.score for t in found.trials[a:b]] for a, b in ((1, 3), (3, 9))]
    assert all(rung == sorted(rung, reverse=True) for rung in rungs)  # high accuracies come first
    alone = make(**found.best.configuration)
    assert alone.fit(X, Y, epochs=12, **ARGUMENTS).history == found.best.history


def test_numbers_are_drawn_from_where_they_are_said_to_lie():
    rng = np.random.default_rng(0)
    drawn = [Integer(1, 3).rvs(random_state=rng) for _ in range(300)]
    assert sorted(set(drawn)) == [1, 2, 3]
    logs = [Integer(1, 1000, log=True).rvs(random_state=rng) for _ in range(2000)]
    assert min(logs) == 1
    assert max(logs) <= 1000
    assert 0.4 < np.mean(np.array(logs) <= 32) < 0.6
    rates = np.array([LogUniform(1e-4, 1e-2).rvs(random_state=rng) for _ in range(2000)])
    assert rates.min() >= 1e-4
    assert rates.max() <= 1e-2
    assert abs(np.mean(rates < 1e-3) - 0.5) < 0.05


def test_bad_searches_are_refused():
    with pytest.raises(ValueError, match=r"one of accuracy, loss, received 'val_auc'.*validation_data"):
        search(make, SPACE, X, Y, trials=2, epochs=1, objective="val_auc", verbose=0)
    with pytest.raises(ValueError, match="choices or a distribution with rvs for 'units'"):
        search(make, {"units": 3}, X, Y, trials=2, objective="loss")
    with pytest.raises(ValueError, match=r"mode='min' or mode='max' for objective='speed'"):
        search(make, SPACE, X, Y, objective="speed")
    with pytest.raises(ValueError, match="reduction"):
        search(make, SPACE, X, Y, reduction=1, objective="loss")
    with pytest.raises(ValueError, match="trials"):
        search(make, SPACE, X, Y, trials=0)


def test_a_network_that_diverges_comes_last():
    def linear(rate):
        keras.utils.set_random_seed(3)
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(rate), "mse")
        return model

    with pytest.warns(RuntimeWarning):
        found = search(linear, {"rate": [1e30, 0.01]}, X, Y, trials=6, epochs=2, validation_split=0.3, verbose=0)
    finite = [np.isfinite(trial.score) for trial in found.trials]
    assert finite == sorted(finite, reverse=True)
    assert len(set(finite)) == 2


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [
        (LogUniform, -1, 1),
        (LogUniform, 0, 1),
        (LogUniform, 1, 0.1),
        (Uniform, 0, np.inf),
        (Integer, 5, 2),
        (Integer, "a", 2),
    ],
)
def test_a_range_without_numbers_is_refused_where_it_is_made(kind, low, high):
    with pytest.raises(ValueError, match="expected finite numbers"):
        kind(low, high)


def test_an_objective_on_held_out_rows_is_refused_before_any_network_is_made_without_them():
    made = []
    with pytest.raises(ValueError, match="expected validation_data or validation_split for the objective 'val_loss'"):
        search(lambda **given: made.append(given), {"units": [8]}, X, Y, trials=2, verbose=0)
    assert not made


def test_a_space_that_is_no_dict_is_refused():
    with pytest.raises(TypeError, match="expected space as a dict"):
        search(make, [8, 16], X, Y, objective="loss")
