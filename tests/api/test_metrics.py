"""Metrics on arrays: Keras's numbers, weights, names and directions."""

import math

import numpy as np
import pytest

import hotloop as keras
from hotloop import metrics

Y, P = np.eye(3)[[0, 1, 2, 1]], np.array([[0.5, 0.3, 0.2], [0.2, 0.5, 0.3], [0.4, 0.35, 0.25], [0.6, 0.3, 0.1]])
A, B = np.array([[1, 2, 3], [0, -1, 0.5]]), np.array([[1.5, 1, 3], [0.2, -0.5, 2]])


@pytest.mark.parametrize(
    ("name", "y_true", "y_pred", "weight", "value"),
    [
        ("BinaryAccuracy", [0, 0, 1, 1], [0.1, 0.6, 0.5, 0.9], None, 0.5),
        ("CategoricalAccuracy", Y, P, None, 0.5),
        ("SparseCategoricalAccuracy", [0, 1, 2, 1], P, None, 0.5),
        ("SparseCategoricalAccuracy", [[0], [1], [2], [1]], P, None, 0.5),
        ("MeanSquaredError", A, B, None, 0.6316667),
        ("RootMeanSquaredError", A, B, None, 0.7947746),
        ("MeanAbsoluteError", A, B, None, 0.6166667),
        ("MeanSquaredError", A, B, [1, 3], 0.7391667),
        ("MeanSquaredError", A, B, [[1], [3]], 0.7391667),
    ],
)
def test_a_metric_gives_keras_result(name, y_true, y_pred, weight, value):
    metric = getattr(metrics, name)()
    metric.update_state(y_true, y_pred, sample_weight=weight)
    assert metric.result() == pytest.approx(value, rel=1e-5)


def test_metrics_divide_by_the_sum_of_weights_unlike_losses():
    metric = metrics.MeanAbsoluteError()
    assert metric([[0.0], [0.0]], [[1.0], [5.0]], sample_weight=[2.0, 0.0]) == pytest.approx(1.0)


def test_batches_of_different_size_count_by_their_samples():
    metric = metrics.MeanSquaredError()
    metric.update_state(A, B)
    metric.update_state(A[:1], B[:1])
    assert metric.result() == pytest.approx((0.4166667 * 2 + 0.8466667) / 3, rel=1e-5)
    metric.reset_state()
    assert metric.result() == 0.0
    assert metric(A[:1], B[:1]) == pytest.approx(0.4166667, rel=1e-5)


def test_rmse_is_the_root_of_the_mean_over_all_batches_not_the_mean_of_roots():
    metric = metrics.RootMeanSquaredError()
    metric.update_state([[0.0]], [[1.0]])
    metric.update_state([[0.0]], [[3.0]])
    assert metric.result() == pytest.approx(math.sqrt(5))


def test_weights_of_samples_with_several_values_each_count_once():
    y, p = np.zeros((2, 3, 4)), np.arange(24.0).reshape(2, 3, 4)
    metric = metrics.MeanAbsoluteError()
    metric.update_state(y, p, sample_weight=[1.0, 3.0])
    assert metric.count == pytest.approx(4.0)
    assert metric.result() == pytest.approx((p[0].mean() + 3 * p[1].mean()) / 4, rel=1e-5)


def test_the_first_of_equal_predictions_is_the_answer():
    assert metrics.CategoricalAccuracy()([[1, 0], [0, 1]], [[0.5, 0.5], [0.5, 0.5]]) == 0.5


def test_a_prediction_at_the_threshold_counts_as_no():
    assert metrics.BinaryAccuracy(threshold=0.25)([[0], [1]], [[0.25], [0.26]]) == 1.0


def test_accuracy_functions_give_one_value_for_each_sample_or_element():
    np.testing.assert_array_equal(metrics.sparse_categorical_accuracy([0, 1, 2, 1], P), [1, 1, 0, 0])
    np.testing.assert_array_equal(metrics.categorical_accuracy(Y, P), [1, 1, 0, 0])
    np.testing.assert_array_equal(metrics.binary_accuracy([[1, 0]], [[0.9, 0.8]]), [[1, 0]])


def test_binary_crossentropy_accepts_targets_without_the_last_axis():
    assert metrics.BinaryCrossentropy()([1, 0], [[0.8], [0.3]]) == pytest.approx(0.2899092, rel=1e-5)


def test_mean_adds_up_weighted_numbers():
    mean = metrics.Mean()
    mean.update_state([1.0, 2.0], sample_weight=[1.0, 3.0])
    mean.update_state(5.0)
    assert mean.result() == pytest.approx((1 + 6 + 5) / 5)


@pytest.mark.parametrize(
    ("name", "y_true", "y_pred", "kind"),
    [
        ("accuracy", (None, 1), (None, 1), metrics.BinaryAccuracy),
        ("acc", (None,), (None, 10), metrics.SparseCategoricalAccuracy),
        ("Accuracy", (None, 1), (None, 10), metrics.SparseCategoricalAccuracy),
        ("accuracy", (None, 10), (None, 10), metrics.CategoricalAccuracy),
        ("ce", (None, 10), (None, 10), metrics.CategoricalCrossentropy),
        ("crossentropy", (None,), (None, 10), metrics.SparseCategoricalCrossentropy),
    ],
)
def test_accuracy_and_crossentropy_are_the_ones_that_fit_the_shapes_and_log_under_the_given_name(
    name, y_true, y_pred, kind
):
    metric = metrics.resolve(name, y_true, y_pred)
    assert type(metric) is kind
    assert metric.name == name


@pytest.mark.parametrize(
    ("identifier", "name"),
    [
        ("mse", "mse"), ("MeanSquaredError", "MeanSquaredError"), (metrics.MeanSquaredError(), "mean_squared_error"),
        (metrics.MeanSquaredError(name="mine"), "mine"), (metrics.mean_squared_error, "mean_squared_error"),
        ("rmse", "rmse"), (metrics.RootMeanSquaredError(), "root_mean_squared_error"),
    ],
)  # fmt: skip
def test_a_metric_logs_under_the_name_that_keras_gives_it(identifier, name):
    assert metrics.resolve(identifier, (None, 3), (None, 3)).name == name


def test_what_is_no_metric_is_refused_with_a_suggestion():
    with pytest.raises(ValueError, match="Did you mean 'mean_absolute_error'"):
        metrics.get("mean_absolut_error")
    with pytest.raises(ValueError, match="BinaryAccuracy"):
        metrics.get("accuracy")
    with pytest.raises(ValueError, match="expected a name"):
        metrics.resolve(3.0, (None, 1), (None, 1))
    with pytest.raises(ValueError, match="threshold between 0 and 1"):
        metrics.BinaryAccuracy(threshold=2)


def test_unknown_metrics_are_found_before_any_data_is_seen():
    metrics.check("accuracy")
    metrics.check("mae")
    with pytest.raises(ValueError, match="Did you mean"):
        metrics.check("mea")
    with pytest.raises(ValueError, match="no kernel computes"):
        metrics.check(metrics.Mean())


def test_a_metric_comes_back_from_its_configuration():
    metric = metrics.BinaryAccuracy(name="close", threshold=0.75)
    copy = metrics.deserialize(metrics.serialize(metric))
    assert (copy.name, copy.threshold) == ("close", 0.75)
    sparse = metrics.SparseCategoricalCrossentropy(from_logits=True)
    assert metrics.deserialize(metrics.serialize(sparse)).node_attrs() == sparse.node_attrs()


@pytest.mark.parametrize(
    ("key", "direction"),
    [
        ("loss", "down"), ("val_loss", "down"), ("val_age_loss", "down"), ("val_accuracy", "up"), ("acc", "up"),
        ("kind_sparse_categorical_accuracy_1", "up"), ("val_mae", "down"), ("weighted_mse", "down"),
        ("root_mean_squared_error", "down"), ("clock", None),
    ],
)  # fmt: skip
def test_the_direction_of_a_logged_number_is_told_from_its_name(key, direction):
    assert metrics.better(key) == direction


def test_the_direction_of_a_metric_with_a_name_of_its_own_is_the_metrics():
    assert metrics.better("val_score", [metrics.SparseCategoricalAccuracy(name="score")]) == "up"
    assert metrics.better("val_accuracy", [metrics.MeanAbsoluteError(name="accuracy")]) == "down"


def _data(outputs=3, samples=50):
    rng = np.random.default_rng(3)
    x = rng.standard_normal((samples, 4)).astype(np.float32)
    y = np.eye(outputs, dtype=np.float32)[rng.integers(0, outputs, samples)]
    return x, y, rng.uniform(0.5, 2, samples).astype(np.float32)


_IN_MODELS = [
    metrics.Precision(thresholds=[0.3, 0.5]), metrics.Recall(top_k=1), metrics.Precision(class_id=1),
    metrics.TruePositives(), metrics.AUC(), metrics.AUC(num_thresholds=30, multi_label=True, name="areas"),
    metrics.PrecisionAtRecall(0.5), metrics.F1Score(), metrics.FBetaScore("micro", 2.0, 0.4), metrics.R2Score(),
    metrics.TopKCategoricalAccuracy(2), metrics.CosineSimilarity(), metrics.LogCoshError(), metrics.Hinge(),
    metrics.CategoricalHinge(), metrics.KLDivergence(), metrics.Poisson(), metrics.MeanAbsolutePercentageError(),
    metrics.MeanSquaredLogarithmicError(), metrics.Accuracy(),
]  # fmt: skip


@pytest.mark.parametrize("metric", _IN_MODELS, ids=lambda m: m.name)
def test_a_metric_logs_in_a_model_what_it_gives_for_the_predictions(metric):
    x, y, w = _data()
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    weighted = metrics.get(metrics.serialize(metric))
    weighted.name = "weighted"
    model.compile(loss="mse", metrics=[metric], weighted_metrics=[weighted])
    logs = model.evaluate(x, y, batch_size=16, sample_weight=w, verbose=1, return_dict=True)
    alone = metrics.get(metrics.serialize(metric))
    p = model.predict(x, verbose=0)
    alone.update_state(y[:20], p[:20])
    alone.update_state(y[20:], p[20:])
    np.testing.assert_allclose(logs[metric.name], alone.result(), rtol=2e-6)
    alone.reset_state()
    alone.update_state(y, p, sample_weight=w)
    np.testing.assert_allclose(logs["weighted"], alone.result(), rtol=2e-6)
    history = model.fit(x, y, batch_size=16, epochs=2, validation_split=0.2, verbose=0).history
    assert np.shape(history[f"val_{metric.name}"]) == (2, *np.shape(alone.result()))


def test_metrics_of_several_sums_keep_their_rows_apart_from_penalties_and_each_other():
    x, y, _ = _data()
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, "sigmoid", kernel_regularizer="l2")])
    model.compile(loss="mse", metrics=["mae", metrics.Precision(), "auc", metrics.F1Score(), "mse"])
    logs = model.evaluate(x, y, verbose=0, return_dict=True)
    p = model.predict(x, verbose=0)
    assert logs["mse"] == pytest.approx(float(((p - y) ** 2).mean()), rel=1e-5)
    assert logs["loss"] == pytest.approx(logs["mse"] + 0.01 * float((model.get_weights()[0] ** 2).sum()), rel=1e-5)
    assert logs["auc"] == pytest.approx(metrics.AUC()(y, p))


def test_states_of_several_metrics_merge_into_one():
    x, y, _ = _data()
    p = np.abs(x[:, :3]) / 3
    for make in (metrics.AUC, metrics.Precision, metrics.R2Score, metrics.MeanSquaredError, metrics.Poisson):
        whole, first, second = make(), make(), make()
        whole.update_state(y, p)
        first.update_state(y[:20], p[:20])
        second.update_state(y[20:], p[20:])
        first.merge_state([second])
        np.testing.assert_allclose(first.result(), whole.result(), rtol=1e-6)


def test_metrics_of_counts_say_nothing_before_the_first_sample_and_after_a_reset():
    auc = metrics.AUC()
    assert auc.result() == 0.0
    auc.update_state([0, 1], [0.2, 0.8])
    assert auc.result() > 0.9
    auc.reset_state()
    assert auc.result() == 0.0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: metrics.Precision(thresholds=1.5), "thresholds from 0 to 1"),
        (lambda: metrics.Recall(top_k=0), "top_k"),
        (lambda: metrics.Precision(class_id=3)([[1, 0]], [[0.5, 0.6]]), "class_id from 0 to 1"),
        (lambda: metrics.AUC(curve="ROCK"), "curve among"),
        (lambda: metrics.AUC(label_weights=[1.0]), "multi_label"),
        (lambda: metrics.PrecisionAtRecall(2.0), "recall from 0 to 1"),
        (lambda: metrics.F1Score(average="mean"), "average"),
        (lambda: metrics.R2Score("all"), "class_aggregation"),
        (lambda: metrics.TopKCategoricalAccuracy(0), "k of at least 1"),
    ],
)
def test_options_out_of_range_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
