"""Intersection over union and correlations in models: the same numbers as on arrays."""

from __future__ import annotations

import numpy as np
import pytest

import hotloop as keras

M = keras.metrics
RNG = np.random.default_rng(1)
X = RNG.standard_normal((40, 4)).astype(np.float32)
LABELS = RNG.integers(0, 3, 40)
ONE_HOT = np.eye(3, dtype=np.float32)[LABELS]
COINS = RNG.integers(0, 2, (40, 1))
W = RNG.uniform(0, 2, 40).astype(np.float32)
CASES = [
    (lambda: M.MeanIoU(3, sparse_y_pred=False), LABELS, 3),
    (lambda: M.MeanIoU(3, sparse_y_pred=False), LABELS[:, None], 3),
    (lambda: M.IoU(3, [1], sparse_y_pred=False, ignore_class=0), LABELS, 3),
    (lambda: M.OneHotIoU(3, [0, 2]), ONE_HOT, 3),
    (lambda: M.OneHotMeanIoU(3), ONE_HOT, 3),
    (lambda: M.BinaryIoU([1], threshold=0.4), COINS, 1),
    (lambda: M.MeanIoU(2), COINS, 1),
    (lambda: M.PearsonCorrelation(), ONE_HOT, 3),
    (lambda: M.ConcordanceCorrelation(), ONE_HOT, 3),
    (lambda: M.AUC(curve="PRGAIN"), COINS, 1),
]


@pytest.mark.parametrize(("make", "y", "units"), CASES)
def test_a_model_shows_another_number_than_the_metric_on_arrays(make, y, units):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(units, "sigmoid")])
    model.compile("sgd", metrics=[make()], weighted_metrics=[make()])
    logs = model.evaluate(X, y, sample_weight=W, batch_size=7, verbose=0, return_dict=True)
    p = model.predict(X, verbose=0)
    name = make().name
    assert logs[name] == pytest.approx(float(make()(y, p)), rel=1e-4)
    assert logs[f"weighted_{name}"] == pytest.approx(float(make()(y, p, W)), rel=1e-4)


def test_images_of_labels_count_pixel_by_pixel():
    y, p = RNG.integers(0, 4, (5, 6, 7)), RNG.standard_normal((5, 6, 7, 4))
    flat = M.MeanIoU(4)(y.ravel(), p.argmax(-1).ravel())
    assert M.MeanIoU(4, sparse_y_pred=False)(y, p) == pytest.approx(flat)
    ahead = M.MeanIoU(4, sparse_y_pred=False, axis=1)
    assert ahead(y, np.moveaxis(p, -1, 1)) == pytest.approx(flat)
    assert M.OneHotMeanIoU(4)(np.eye(4)[y], p) == pytest.approx(flat)
    assert M.MeanIoU(4)(y, p.argmax(-1), W[:5]) == pytest.approx(
        M.MeanIoU(4)(y, p.argmax(-1), W[:5, None, None] + 0 * y)
    )


def test_numbers_outside_of_the_classes_count():
    assert M.MeanIoU(2)([0, 1, 2, -1], [0, 1, 0, 0]) == pytest.approx(1.0)
    assert M.MeanIoU(2)([2], [0]) == 0.0


@pytest.mark.parametrize("cls", [M.IoU, M.MeanIoU, M.BinaryIoU, M.OneHotIoU, M.OneHotMeanIoU])
def test_a_configuration_makes_another_metric(cls):
    arguments = {"num_classes": 3} if cls is not M.BinaryIoU else {"threshold": 0.3}
    if cls in (M.IoU, M.OneHotIoU):
        arguments["target_class_ids"] = [0, 2]
    metric = cls(**arguments, name="mine")
    again = M.get(M.serialize(metric))
    assert (type(again), again.get_config()) == (cls, metric.get_config())


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: M.IoU(2, [2]), "target_class_ids from 0 to 1"),
        (lambda: M.IoU(2, []), "target_class_ids"),
        (lambda: M.MeanIoU(2000), "num_classes from 1 to 1024"),
        (lambda: M.MeanIoU(2)([0, 1], [0]), r"y_true of shape \(1,\), received \(2,\)"),
        (lambda: M.MeanIoU(2)([0, 1], [0, 1], [1, 2, 3]), "sample_weight of shape"),
        (lambda: M.MeanIoU(2)([], []), "at least one sample"),
        (lambda: M.MeanIoU(2, sparse_y_pred=False, axis=3)([0], [[0.1, 0.2]]), "an axis of samples"),
        (lambda: M.AUC(curve="ROCK"), "PRGAIN"),
    ],
)
def test_a_mistake_in_a_confusion_matrix_goes_unnoticed(call, text):
    with pytest.raises(ValueError, match=text):
        call()
