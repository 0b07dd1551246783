"""Training takes the path that Keras 3 takes, from the same weights over the same batches."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest

import golden_cases
import hotloop as keras

GOLDEN = np.load(pathlib.Path(__file__).parent.parent / "golden" / "trajectories.npz")
RELATIVE = {"short": 2e-4, "long": 1e-3, "predict": 1e-3}  # after ten steps, after fifty, of the trained model


def assert_near(name: str, got: np.ndarray, want: np.ndarray) -> None:
    """Relative to the array's largest value: an element near zero has no relative accuracy in either library."""
    limit = RELATIVE[name.split("/")[0]] * max(float(np.abs(want).max()), 1e-6)
    error = float(np.abs(got - want).max())
    assert error <= limit, f"{name} is {error:.3g} from Keras, allowed {limit:.3g}"


@pytest.mark.parametrize("name", list(golden_cases.CASES))
def test_training_takes_the_path_of_keras(name):
    result = golden_cases.run(golden_cases.CASES[name], keras)
    recorded = {key.removeprefix(name + "/"): GOLDEN[key] for key in GOLDEN.files if key.startswith(name + "/")}
    assert sorted(result) == sorted(recorded)
    for key, want in recorded.items():
        assert result[key].shape == want.shape, key
        assert_near(key, result[key], want)


def test_every_recorded_run_is_compared():
    assert {key.split("/")[0] for key in GOLDEN.files} == set(golden_cases.CASES)


X = np.array([[0, 0], [0, 1], [1, 0], [1, 1], [0.5, 0.5]], np.float32)
Y = np.array([[0], [1], [1], [0], [0.5]], np.float32)
START = [[[0.1, -0.2], [0.3, 0.4]], [0.05, -0.05], [[0.7], [-0.6]], [0.1]]
RUNS = {  # optimizer, fit options, loss, mae, last kernel and bias, predictions: what the Keras surface document prints
    "momentum": (
        lambda: keras.optimizers.SGD(0.1, momentum=0.9),
        {},
        [0.2613567, 0.2494169, 0.2060918],
        [0.4185372, 0.4377999, 0.4268447],
        [0.6249321, -0.4433672, 0.169322],
        [0.2897025, 0.3532621, 0.3387482, 0.3923381, 0.3501407],
    ),
    "adam": (
        lambda: keras.optimizers.Adam(0.05),
        {},
        [0.2638453, 0.2338351, 0.2076592],
        [0.4152802, 0.4308465, 0.4040047],
        [0.7338924, -0.4574261, 0.1943419],
        [0.3829571, 0.4785868, 0.4821872, 0.5598431, 0.4855012],
    ),
    "sample_weight": (
        lambda: keras.optimizers.SGD(0.1),
        {"sample_weight": np.array([1, 2, 0, 0.5, 3], np.float32)},
        [0.3553635, 0.2113222, 0.1931956],
        [0.424746, 0.4269556, 0.422117],
        [0.7601232, -0.4814565, 0.2167072],
        [0.3545998, 0.5247422, 0.4285999, 0.595967, 0.4874181],
    ),
    "validation_split": (
        lambda: keras.optimizers.SGD(0.1),
        {"validation_split": 0.4},
        [0.3538472, 0.1804726, 0.1638706],
        [0.5213303, 0.4105028, 0.3679806],
        [0.8001488, -0.6003305, 0.3395942],
        [0.5949826, 0.6878732, 0.9243317, 0.9814534, 0.816514],
    ),
}
VALIDATION = {"val_loss": [0.2932903, 0.4548581, 0.531716], "val_mae": [0.4451504, 0.592509, 0.6489837]}


@pytest.mark.parametrize("name", RUNS)
def test_three_epochs_end_where_keras_ends(name):
    optimizer, options, loss, mae, last, predictions = RUNS[name]
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, activation="tanh"), keras.layers.Dense(1)])
    model.set_weights([np.array(w, np.float32) for w in START])
    model.compile(optimizer=optimizer(), loss="mse", metrics=["mae"])
    history = model.fit(X, Y, batch_size=2, epochs=3, shuffle=False, verbose=0, **options).history
    want = {"loss": loss, "mae": mae} | (VALIDATION if "validation_split" in options else {})
    assert list(history) == sorted(want)
    for key, values in want.items():
        np.testing.assert_allclose(history[key], values, rtol=3e-5, err_msg=key)  # Adam: beta^t in float32
    np.testing.assert_allclose(np.concatenate([w.ravel() for w in model.get_weights()[2:]]), last, rtol=1e-4)
    np.testing.assert_allclose(model.predict(X, verbose=0).ravel(), predictions, rtol=1e-4)
