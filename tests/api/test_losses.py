"""Losses on arrays: Keras's numbers, weights and reductions, and what is refused."""

import numpy as np
import pytest

import hotloop as keras
from hotloop import config, losses

ONE_HOT, LABELS = np.array([[1, 0, 0], [0, 1, 0]]), np.array([0, 1])
P = np.array([[0.7, 0.2, 0.1], [0.3, 0.4, 0.3]])
Z = np.array([[2, 0.5, -1], [0.1, 0.3, -0.2]])
YB, PB, ZB = np.array([[1], [0]]), np.array([[0.8], [0.3]]), np.array([[1.2], [-0.7]])
A, B = np.array([[1, 2, 3], [0, -1, 0.5]]), np.array([[1.5, 1, 3], [0.2, -0.5, 2]])

KERAS_VALUES = [  # function, y_true, y_pred, options, values of Keras 3.15.1
    ("categorical_crossentropy", ONE_HOT, P, {}, [0.356675, 0.9162907]),
    ("categorical_crossentropy", ONE_HOT, P, {"label_smoothing": 0.1}, [0.4632974, 0.9354694]),
    ("categorical_crossentropy", ONE_HOT, Z, {"from_logits": True}, [0.2413113, 0.8859394]),
    ("sparse_categorical_crossentropy", LABELS, P, {}, [0.356675, 0.9162907]),
    ("sparse_categorical_crossentropy", LABELS, Z, {"from_logits": True}, [0.2413113, 0.8859394]),
    ("binary_crossentropy", YB, PB, {}, [0.2231435, 0.356675]),
    ("binary_crossentropy", YB, PB, {"label_smoothing": 0.1}, [0.2924583, 0.3990399]),
    ("binary_crossentropy", YB, ZB, {"from_logits": True}, [0.2632824, 0.4031861]),
    ("mean_squared_error", A, B, {}, [0.4166667, 0.8466667]),
    ("mean_absolute_error", A, B, {}, [0.5, 0.7333333]),
]


@pytest.mark.parametrize(("name", "y_true", "y_pred", "options", "values"), KERAS_VALUES)
def test_a_loss_function_gives_keras_value_for_every_sample(name, y_true, y_pred, options, values):
    np.testing.assert_allclose(getattr(losses, name)(y_true, y_pred, **options), values, rtol=1e-5)


@pytest.mark.parametrize(
    ("reduction", "value"),
    [
        ("sum_over_batch_size", 1.478333), ("mean", 1.478333), ("sum", 2.956667), ("none", [0.4166667, 2.54]),
        (None, [0.4166667, 2.54]), ("mean_with_sample_weight", 0.7391667),
    ],
)  # fmt: skip
@pytest.mark.parametrize("shape", [(2,), (2, 1)])
def test_sample_weights_enter_each_reduction_as_in_keras(reduction, value, shape):
    loss = losses.MeanSquaredError(reduction=reduction)
    np.testing.assert_allclose(loss(A, B, sample_weight=np.reshape([1, 3], shape)), value, rtol=1e-5)


def test_targets_of_shape_n_match_predictions_of_shape_n_1_instead_of_making_n_times_n_pairs():
    y, p = np.array([1.0, 2.0, 4.0]), np.array([[1.0], [1.0], [1.0]])
    assert losses.MeanSquaredError()(y, p) == pytest.approx(10 / 3)
    assert losses.MeanSquaredError()(y[:, None], p[:, 0]) == pytest.approx(10 / 3)
    assert losses.BinaryCrossentropy(from_logits=True)(np.array([1, 0]), ZB) == pytest.approx(0.3332342, rel=1e-5)


def test_one_dimensional_predictions_are_weighted_sample_by_sample():
    y, p = np.array([1.0, 2.0]), np.array([0.0, 0.0])
    assert losses.MeanSquaredError()(y, p, sample_weight=[1.0, 0.0]) == pytest.approx(0.5)
    np.testing.assert_allclose(losses.MeanAbsoluteError(reduction="none")(y, p), [1, 2])


def test_extra_axes_are_averaged_like_further_samples():
    y, p = np.zeros((2, 3, 4)), np.arange(24.0).reshape(2, 3, 4)
    assert losses.MeanAbsoluteError()(y, p) == pytest.approx(11.5)
    np.testing.assert_allclose(losses.MeanAbsoluteError(reduction="none")(y, p), p.mean(-1))
    assert losses.MeanAbsoluteError()(y, p, sample_weight=[1, 0]) == pytest.approx(p[0].mean() / 2)


def test_probabilities_that_are_exactly_wrong_cost_what_keras_says():
    assert losses.CategoricalCrossentropy()([[1.0, 0.0]], [[0.0, 1.0]]) == pytest.approx(16.118095, rel=1e-6)


def test_a_wrong_answer_of_huge_confidence_is_exact_from_logits():
    loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    assert loss([1], [[500.0, 0.0]]) == pytest.approx(500.0)


def test_results_have_the_float_type_that_was_asked_for():
    assert losses.MeanSquaredError()(A, B).dtype == np.float32
    exact = losses.MeanSquaredError(dtype="float64")(A, B)
    assert exact.dtype == np.float64
    assert exact == pytest.approx(((A - B) ** 2).mean(), rel=1e-14)
    config.set_floatx("float64")
    try:
        assert losses.mean_squared_error(A, B).dtype == np.float64
    finally:
        config.set_floatx("float32")


@pytest.mark.parametrize(
    ("loss", "y_true", "y_pred", "words"),
    [
        ("mean_squared_error", np.zeros((3, 2)), np.zeros((3, 4)), ["(3, 4)", "(3, 2)"]),
        ("mean_squared_error", np.zeros((0, 2)), np.zeros((0, 2)), ["at least one sample"]),
        ("categorical_crossentropy", LABELS, P, ["(2, 3)", "(2,)"]),
        ("sparse_categorical_crossentropy", ONE_HOT, P, ["class numbers", "categorical"]),
        ("sparse_categorical_crossentropy", [0, 3], P, ["[0, 3)", "received 3"]),
        ("sparse_categorical_crossentropy", [-1, 0], P, ["[0, 3)", "received -1"]),
        ("sparse_categorical_crossentropy", [0.5, 0], P, ["whole", "0.5"]),
    ],
)
def test_targets_that_do_not_fit_are_refused_with_what_was_expected(loss, y_true, y_pred, words):
    with pytest.raises(ValueError, match="expected") as error:
        losses.get(loss)(y_true, y_pred)
    assert all(word in str(error.value) for word in words)


def test_sample_weights_of_another_length_are_refused():
    with pytest.raises(ValueError, match=r"sample_weight of shape \(2,\), received \(3,\)"):
        losses.MeanSquaredError()(A, B, sample_weight=[1, 2, 3])


@pytest.mark.parametrize("alias", ["mse", "MSE", "mean_squared_error", "MeanSquaredError"])
def test_every_keras_name_of_a_loss_is_known(alias):
    assert type(losses.get(alias)) is losses.MeanSquaredError


def test_functions_classes_instances_and_dicts_name_a_loss_too():
    loss = losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.1, reduction="sum", name="mine")
    assert losses.get(loss) is loss
    assert losses.get(None) is None
    assert type(losses.get(losses.mean_absolute_error)) is losses.MeanAbsoluteError
    assert type(losses.get(losses.BinaryCrossentropy)) is losses.BinaryCrossentropy
    copy = losses.get(losses.serialize(loss))
    assert (copy.name, copy.reduction) == ("mine", "sum")
    assert copy.node_attrs() == loss.node_attrs()


def test_a_misspelt_loss_is_answered_with_the_likely_one():
    with pytest.raises(ValueError, match="Did you mean 'binary_crossentropy'"):
        losses.get("binary_crossentrop")
    with pytest.raises(ValueError, match="expected a name"):
        losses.get(3.0)
    with pytest.raises(TypeError, match="Did you mean 'reduction'"):
        losses.MeanSquaredError(reducton="sum")
    with pytest.raises(ValueError, match="Did you mean 'sum'"):
        losses.MeanSquaredError(reduction="summ")


@pytest.mark.parametrize(
    ("y_true", "y_pred", "name"),
    [
        ((None, 1), (None, 1), "binary_crossentropy"),
        ((None,), (None, 10), "sparse_categorical_crossentropy"),
        ((None, 1), (None, 10), "sparse_categorical_crossentropy"),
        ((None, 10), (None, 10), "categorical_crossentropy"),
    ],
)
def test_crossentropy_is_the_one_that_fits_the_shapes(y_true, y_pred, name):
    assert losses.resolve("crossentropy", y_true, y_pred).name == name
    assert losses.resolve("ce", y_true, y_pred).name == name


@pytest.mark.parametrize("reduction", ["none", "mean_with_sample_weight"])
def test_a_model_refuses_a_reduction_that_leaves_no_single_number(reduction):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    with pytest.raises(ValueError, match="expected reduction"):
        model.compile("sgd", losses.MeanSquaredError(reduction=reduction))
    assert not model.compiled


@pytest.mark.parametrize(
    "make",
    [
        lambda: losses.CategoricalCrossentropy(label_smoothing=1.5),
        lambda: losses.CategoricalCrossentropy(axis=1),
        lambda: losses.SparseCategoricalCrossentropy(ignore_class=0),
    ],
)
def test_options_that_no_kernel_serves_are_refused_and_not_ignored(make):
    with pytest.raises(ValueError, match="expected"):
        make()
