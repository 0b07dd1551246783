"""`Model.optimize_for_inference`: what it tries, what it takes, and what it reports."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import hotloop as keras
from hotloop import pruning

L = keras.layers


def classifier(rng, hidden=64):
    """A network that has learned which of four numbers is the largest, and rows with their labels."""
    keras.utils.set_random_seed(2)
    x = rng.standard_normal((600, 32)).astype(np.float32)
    y = x[:, :4].argmax(axis=1)
    model = keras.Sequential(
        [keras.Input((32,)), L.Dense(hidden), L.BatchNormalization(), L.ReLU(), L.Dropout(0.1), L.Dense(4)]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    model.fit(x, y, epochs=15, verbose=0)
    return model, x, y


def test_the_smallest_within_the_budget_is_taken_and_the_model_stays_as_it_was(rng):
    model, x, y = classifier(rng)
    weights = model.get_weights()
    small, report = model.optimize_for_inference(x, y, target="size", budget=np.float32(2))
    assert report.after.name == "folded, int8"
    assert report.layers == {layer.name: "int8" for layer in model.layers if isinstance(layer, L.Dense)}
    assert report.after.bytes == min(one.bytes for one in report.candidates)
    accuracy = 100 * np.mean(model.predict(x, verbose=0).argmax(axis=1) == y)
    assert report.before.score == pytest.approx(accuracy)
    assert report.after.score == pytest.approx(100 * np.mean(small.predict(x, verbose=0).argmax(axis=1) == y))
    assert [one.name for one in report.candidates][:2] == ["as it is", "folded"]
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), weights, strict=True))


def test_without_a_budget_nothing_is_lost(rng):
    model, x, _ = classifier(rng)
    small, report = model.optimize_for_inference(x, budget=0.001, target="size")  # beside its own outputs
    assert report.before.score == 100
    assert report.after.score >= 99.999
    assert report.after.name in ("folded, float16", "folded, bfloat16")
    np.testing.assert_allclose(small.predict(x, verbose=0), model.predict(x, verbose=0), atol=0.1)


def test_blocks_that_pruning_has_left_are_tried(rng, monkeypatch):
    monkeypatch.setattr(pruning, "compress", partial(pruning.compress, most=0.5))  # by share, not by time
    model, x, y = classifier(rng, hidden=256)
    pruning.prune(model, 0.9, block_size=pruning.BLOCK, layers=[model.layers[0].name])
    small, report = model.optimize_for_inference(x, y, budget=100, target="size")
    names = [one.name for one in report.candidates]
    assert {"folded, sparse", "folded, int8", "folded, sparse, int8"} <= set(names)
    assert report.after.name == "folded, sparse, int8"
    assert list(report.layers.values()) == ["blocks", "int8"]
    assert [type(layer).__name__ for layer in small.layers if layer.weights] == ["BlockSparseDense", "Dense"]


def test_a_regression_loses_no_more_variance_than_the_budget(rng):
    keras.utils.set_random_seed(2)
    x = rng.standard_normal((400, 20)).astype(np.float32)
    y = (x[:, :1] * 3 + np.sin(x[:, 1:2])).astype(np.float32)
    model = keras.Sequential([keras.Input((20,)), L.Dense(32, "tanh"), L.Dense(1)])
    model.compile("adam", "mse")
    model.fit(x, y, epochs=30, verbose=0)
    _, report = model.optimize_for_inference(x, y, budget=1, target="size")
    residual = np.sum((model.predict(x, verbose=0) - y) ** 2) / np.sum((y - y.mean()) ** 2)
    assert report.before.score == pytest.approx(100 * (1 - residual), abs=1e-3)
    assert report.after.score >= report.before.score - 1


def test_labels_of_one_column_are_those_of_probabilities_or_logits(rng):
    keras.utils.set_random_seed(2)
    x = rng.standard_normal((300, 6)).astype(np.float32)
    y = (x[:, 0] > 0).astype(int)
    for activation, loss in (("sigmoid", "binary_crossentropy"), (None, keras.losses.BinaryCrossentropy(True))):
        model = keras.Sequential([keras.Input((6,)), L.Dense(16, "relu"), L.Dense(1, activation)])
        model.compile(keras.optimizers.Adam(0.01), loss)
        model.fit(x, y, epochs=20, verbose=0)
        assert model.optimize_for_inference(x, y)[1].before.score > 95


ONE_HOT = ["categorical_crossentropy", "crossentropy", keras.losses.categorical_crossentropy,
           ["categorical_crossentropy"], keras.losses.CategoricalCrossentropy(label_smoothing=0.1)]  # fmt: skip


@pytest.mark.parametrize("loss", ONE_HOT, ids=["name", "short name", "function", "list", "object"])
def test_one_hot_targets_are_classes_where_the_loss_takes_them_so(loss, rng):
    model, x, y = classifier(rng)
    targets = np.eye(4)[y]
    accuracy = 100 * np.mean(model.predict(x, verbose=0).argmax(axis=1) == y)
    model.compile("adam", loss)
    assert model.optimize_for_inference(x, targets)[1].before.score == pytest.approx(accuracy)
    model.compile("adam", {model.output_names[0]: loss[0] if isinstance(loss, list) else loss})
    assert model.optimize_for_inference(x, targets)[1].before.score == pytest.approx(accuracy)
    model.compile("adam", "mse")
    assert model.optimize_for_inference(x, targets)[1].before.score < accuracy - 10


def test_features_of_different_sizes_keep_what_makes_them_one_size(rng):
    keras.utils.set_random_seed(2)
    x = (rng.standard_normal((400, 3)) * [1, 1e3, 1e6]).astype(np.float32)
    norm = L.Normalization()
    norm.adapt(x)
    y = (x / x.std(axis=0)).sum(axis=1) > 0
    model = keras.Sequential([keras.Input((3,)), norm, L.Dense(16, "relu"), L.Dense(2)])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(x, y.astype(int), epochs=20, verbose=0)
    _, report = model.optimize_for_inference(x, y.astype(int), budget=1, target="size")
    scores = {one.name: one.score for one in report.candidates}
    assert scores["folded in part, int8"] > scores["as it is"] - 1 > scores["folded, int8"]


def test_a_kernel_that_16_bits_cannot_hold_is_not_tried(rng):
    model, x, y = classifier(rng)
    kernel = model.layers[-1].kernel
    kernel.assign(kernel.numpy() * 1e6)
    _, report = model.optimize_for_inference(x, y, budget=100, target="size")
    assert [one.name for one in report.candidates] == ["as it is", "folded", "folded, int8", "folded, bfloat16"]


def test_whole_numbers_to_be_predicted_are_no_labels(rng):
    keras.utils.set_random_seed(2)
    x = rng.standard_normal((400, 8)).astype(np.float32)
    x[:, 7] = 1e4  # of no influence, but the largest of each row: int8 rounds the others away
    y = np.round(50 + 10 * x[:, 0]).astype(int)
    model = keras.Sequential([keras.Input((8,)), L.Dense(1)])
    model.set_weights([np.float32([[10], [0], [0], [0], [0], [0], [0], [0]]), np.float32([50])])
    small, report = model.optimize_for_inference(x, y, target="size")
    assert report.before.score > 99
    assert report.after.score > report.before.score - 0.5
    assert np.mean((small.predict(x, verbose=0)[:, 0] - y) ** 2) < 1


def test_layers_that_are_stored_so_already_stay(rng):
    model, x, y = classifier(rng)
    model.layers[0].quantize("bfloat16")
    _, report = model.optimize_for_inference(x, y, budget=100, target="size")
    assert list(report.layers.values()) == ["bfloat16", "int8"]


def test_a_network_in_float64_is_only_folded(float64, rng):
    model = keras.Sequential([keras.Input((6,), dtype="float64"), L.Dense(8), L.BatchNormalization(), L.Dense(2)])
    x = rng.standard_normal((20, 6))
    small, report = model.optimize_for_inference(x)
    assert [one.name for one in report.candidates] == ["as it is", "folded"]
    np.testing.assert_allclose(small.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-9)


def test_the_report_prints_what_was_tried(rng, capsys):
    model, x, y = classifier(rng)
    _, report = model.optimize_for_inference(x, y, rows=8, verbose=1)
    text = capsys.readouterr().out
    assert "8 rows" in text
    assert all(one.name in text for one in report.candidates)
    assert text.count("<") == 1


def test_bad_requests_say_what_is_wrong(rng):
    model, x, y = classifier(rng)
    for options, message in (
        ({"target": "speed"}, "target"),
        ({"budget": -1}, "budget"),
        ({"budget": float("nan")}, "budget"),
        ({"rows": 0}, "rows"),
    ):
        with pytest.raises(ValueError, match=message):
            model.optimize_for_inference(x, y, **options)
    with pytest.raises(ValueError, match="at least one row"):
        model.optimize_for_inference(x[:0])
    with pytest.raises(ValueError, match="as many targets"):
        model.optimize_for_inference(x, y[:-1])
    with pytest.raises(ValueError, match="targets of shape"):
        model.optimize_for_inference(x, np.zeros((len(x), 3)))
    with pytest.raises(ValueError, match="finite numbers"):
        model.optimize_for_inference(x, np.full((len(x), 4), np.nan))
    with pytest.raises(ValueError, match="finite numbers"):
        model.optimize_for_inference(x, ["a"] * len(x))
    with pytest.raises(ValueError, match="labels from 0 to 3, received 1 to 4"):
        model.optimize_for_inference(x, y + 1)
    left, right = keras.Input((16,)), keras.Input((16,))
    pair = keras.Model([left, right], L.Dense(2)(L.Concatenate()([left, right])))
    with pytest.raises(ValueError, match="one input"):
        pair.optimize_for_inference([x[:, :16], x[:, 16:]])
    broken = keras.Sequential([keras.Input((32,)), L.Dense(2, bias_initializer=keras.initializers.Constant(np.nan))])
    with pytest.raises(ValueError, match="finite outputs"):
        broken.optimize_for_inference(x)
    inputs = keras.Input((32,))
    two = keras.Model(inputs, [L.Dense(2)(inputs), L.Dense(3)(inputs)])
    with pytest.raises(ValueError, match="one output"):
        two.optimize_for_inference(x)
