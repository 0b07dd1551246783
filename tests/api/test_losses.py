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


RNG = np.random.default_rng(8)
X = RNG.standard_normal((40, 5))
NUMBERS, CLASSES = RNG.standard_normal((40, 3)), RNG.integers(0, 3, 40)
SHARES, ANSWERS = np.eye(3)[CLASSES], (NUMBERS > 0) * 1.0
EXPRESSED = {  # class: targets, activation of the predictions, options
    "MeanAbsolutePercentageError": (NUMBERS + 4 * np.sign(NUMBERS), None, {}),
    "MeanSquaredLogarithmicError": (abs(NUMBERS), "softplus", {}),
    "Huber": (3 * NUMBERS, None, {"delta": 0.7}),
    "LogCosh": (3 * NUMBERS, None, {}),
    "Quantile": (NUMBERS, None, {"q": 0.8}),
    "Poisson": (abs(NUMBERS), "softplus", {}),
    "KLDivergence": (SHARES, "softmax", {}),
    "CosineSimilarity": (NUMBERS, None, {}),
    "Hinge": (ANSWERS, None, {}),
    "SquaredHinge": (2 * ANSWERS - 1, None, {}),
    "CategoricalHinge": (SHARES, None, {}),
    "BinaryFocalCrossentropy": (ANSWERS, "sigmoid", {"gamma": 1.5, "apply_class_balancing": True}),
    "CategoricalFocalCrossentropy": (SHARES, "softmax", {"alpha": 0.4, "label_smoothing": 0.1}),
    "CategoricalGeneralizedCrossEntropy": (CLASSES, "softmax", {"q": 0.6}),
    "Dice": (ANSWERS, "sigmoid", {}),
    "Tversky": (ANSWERS, "sigmoid", {"alpha": 0.3, "beta": 0.8}),
    "MarginRanking": (np.sign(NUMBERS[:, :1]), None, {"margin": 0.5}),
    "Contrastive": (ANSWERS, "softplus", {"margin": 2.0}),
    "Triplet": (NUMBERS[:, :1], "softplus", {"margin": 0.5}),
    "Circle": (CLASSES, "tanh", {"gamma": 2.0, "margin": 0.3}),
}


def layered(activation, loss, units=3):
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(units, activation=activation, dtype="float64")])
    model.compile(keras.optimizers.SGD(1.0), loss)
    return model


@pytest.fixture
def double():
    config.set_floatx("float64")
    yield
    config.set_floatx("float32")


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("name", EXPRESSED)
def test_training_goes_down_the_slope_that_differences_show(name):
    y, activation, options = EXPRESSED[name]
    model = layered(activation, getattr(losses, name)(**options))
    before = model.get_weights()
    model.train_on_batch(X, y)
    slopes = [b - a for a, b in zip(model.get_weights(), before, strict=True)]
    compute = getattr(losses, name)(**options)
    for which, slope in enumerate(slopes):
        for at in [(0,) * slope.ndim, tuple(n - 1 for n in slope.shape)]:
            values = []
            for step in (1e-6, -1e-6):
                moved = [w.copy() for w in before]
                moved[which][at] += step
                model.set_weights(moved)
                values.append(float(compute(y, model.predict(X, verbose=0))))
                assert model.evaluate(X, y, batch_size=40, verbose=0) == pytest.approx(values[-1], rel=1e-9)
            assert slope[at] == pytest.approx((values[0] - values[1]) / 2e-6, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("name", EXPRESSED)
def test_a_loss_comes_back_from_its_config_and_its_name(name):
    _, _, options = EXPRESSED[name]
    loss = getattr(losses, name)(**options)
    again = losses.get(losses.serialize(loss))
    assert type(again) is type(loss)
    assert again.get_config() == loss.get_config()
    assert all(again.get_config()[key] == value for key, value in options.items())
    assert type(losses.get(loss.kind)) is type(losses.get(name)) is type(loss)
    assert type(losses.get(getattr(losses, loss.kind))) is type(loss)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("name", ["mean_squared_error", "mean_absolute_error", "binary_crossentropy",
                                  "categorical_crossentropy", "sparse_categorical_crossentropy", "huber"])  # fmt: skip
@pytest.mark.parametrize("form", ["function", "object"])
def test_a_loss_inside_a_loss_of_ones_own_is_the_loss(name, form):
    y, activation = {
        "binary_crossentropy": (ANSWERS, "sigmoid"), "categorical_crossentropy": (SHARES, "softmax"),
        "sparse_categorical_crossentropy": (CLASSES, "softmax"),
    }.get(name, (NUMBERS, None))  # fmt: skip
    part = getattr(losses, name) if form == "function" else losses.get(name)
    own = layered(activation, lambda y_true, y_pred: 0.25 * part(y_true, y_pred) + 0.75 * part(y_true, y_pred))
    built_in = layered(activation, name)
    for model in (own, built_in):
        model.fit(X, y, epochs=2, batch_size=16, verbose=0, shuffle=False)
    for a, b in zip(own.get_weights(), built_in.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
    assert own.history.history["loss"] == pytest.approx(built_in.history.history["loss"], rel=1e-9)


def test_ranking_losses_by_hand():
    scores = np.array([[2.0, 0.5], [1.0, 1.5], [0.0, 3.0]])
    np.testing.assert_allclose(losses.margin_ranking([1, 1, -1], scores), [0, 1.5, 0])
    np.testing.assert_allclose(losses.triplet(np.zeros(3), scores, margin=0.25), [1.75, 0, 0])
    np.testing.assert_allclose(losses.contrastive([[1], [0], [0]], [[2.0], [0.25], [3.0]]), [4, 0.5625, 0])
    np.testing.assert_allclose(losses.quantile([[1.0], [1.0]], [[0.0], [3.0]], q=0.9), [0.9, 0.2], rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "options"),
    [("Quantile", {"q": 1.0}), ("Huber", {"delta": 0.0}), ("CategoricalGeneralizedCrossEntropy", {"q": 0.0}),
     ("BinaryFocalCrossentropy", {"axis": 0}), ("CategoricalFocalCrossentropy", {"label_smoothing": 2.0})],
)  # fmt: skip
def test_an_option_out_of_range_is_refused(name, options):
    with pytest.raises(ValueError, match=f"{next(iter(options))}=.*out of range"):
        getattr(losses, name)(**options)
