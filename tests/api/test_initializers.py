"""Initial weights: Keras's distributions, seeds and names."""

import numpy as np
import pytest

from hotloop import initializers, utils
from hotloop.layers import Dense

SHAPE = (400, 100)
UNIFORM = {"glorot_uniform": (6 / 500) ** 0.5, "he_uniform": (6 / 400) ** 0.5, "lecun_uniform": (3 / 400) ** 0.5}
NORMAL = {"glorot_normal": (2 / 500) ** 0.5, "he_normal": (2 / 400) ** 0.5, "lecun_normal": (1 / 400) ** 0.5}


@pytest.mark.parametrize(("name", "limit"), UNIFORM.items())
def test_uniform_kernels_fill_the_range_that_keras_gives_them(name, limit):
    w = initializers.get(name)(SHAPE)
    assert w.shape == SHAPE
    assert w.dtype == np.float32
    assert 0.999 * limit < np.abs(w).max() <= limit
    assert w.std() == pytest.approx(limit / 3**0.5, rel=0.02)
    assert abs(w.mean()) < 0.02 * limit


@pytest.mark.parametrize(("name", "stddev"), NORMAL.items())
def test_normal_kernels_have_keras_deviation_after_truncation(name, stddev):
    w = initializers.get(name)(SHAPE)
    assert w.std() == pytest.approx(stddev, rel=0.02)
    assert np.abs(w).max() <= 2 * stddev / 0.8796256 * (1 + 1e-6)


def test_truncated_normal_itself_is_cut_and_not_rescaled():
    w = initializers.TruncatedNormal(mean=1.0, stddev=0.5)(SHAPE)
    assert np.abs(w - 1).max() <= 1.0
    assert w.std() == pytest.approx(0.8796256 * 0.5, rel=0.02)
    assert w.mean() == pytest.approx(1.0, abs=0.01)


def test_random_normal_and_uniform_have_the_given_parameters():
    normal = initializers.RandomNormal(2.0, 0.25)(SHAPE)
    assert (normal.mean(), normal.std()) == (pytest.approx(2, abs=0.01), pytest.approx(0.25, rel=0.02))
    assert np.abs(normal - 2).max() > 0.75  # not truncated
    uniform = initializers.RandomUniform(-1.0, 3.0)(SHAPE)
    assert -1 <= uniform.min() < -0.99
    assert 2.99 < uniform.max() < 3


@pytest.mark.parametrize(
    ("mode", "n"), [("fan_in", 4 * 6), ("fan_out", 4 * 5), ("fan_avg", 4 * 5.5)]
)  # kernels of shape (2, 2, 6, 5)
def test_axes_before_the_last_two_count_to_both_fans(mode, n):
    w = initializers.VarianceScaling(3.0, mode, "uniform", seed=3)((2, 2, 6, 5))
    limit = (3 * 3.0 / n) ** 0.5
    assert 0.9 * limit < np.abs(w).max() <= limit


def test_an_untruncated_normal_reaches_beyond_two_deviations():
    w = initializers.VarianceScaling(distribution="untruncated_normal")(SHAPE)
    assert np.abs(w).max() > 3 / 20


def test_constants_are_broadcast_to_the_shape():
    np.testing.assert_array_equal(initializers.Zeros()((2, 2)), np.zeros((2, 2)))
    np.testing.assert_array_equal(initializers.get("ones")((3,), dtype="float64"), np.ones(3))
    np.testing.assert_array_equal(initializers.Constant([1.0, 2.0])((2, 2)), [[1, 2], [1, 2]])
    with pytest.raises(ValueError, match="broadcast"):
        initializers.Constant([1.0, 2.0])((3,))


def test_a_seed_gives_the_same_values_every_time_and_another_seed_others():
    first = initializers.HeNormal(seed=1)
    np.testing.assert_array_equal(first((5, 5)), first((5, 5)))
    np.testing.assert_array_equal(first((5, 5)), initializers.HeNormal(seed=1)((5, 5)))
    assert not np.array_equal(first((5, 5)), initializers.HeNormal(seed=2)((5, 5)))


def test_without_a_seed_each_layer_starts_from_other_weights_and_set_random_seed_repeats_them():
    def kernels():
        layers = [Dense(5), Dense(5)]
        for layer in layers:
            layer.build((None, 5))
        return [layer.get_weights()[0] for layer in layers]

    utils.set_random_seed(5)
    first, second = kernels()
    assert not np.array_equal(first, second)
    utils.set_random_seed(5)
    np.testing.assert_array_equal(kernels(), [first, second])
    utils.set_random_seed(6)
    assert not np.array_equal(kernels()[0], first)


def test_float64_weights_are_as_random_as_float32_ones():
    w = initializers.GlorotUniform(seed=1)((300, 300), dtype="float64")
    assert w.dtype == np.float64
    assert len(np.unique(w)) > 0.9999 * w.size


@pytest.mark.parametrize("name", ["GlorotUniform", "glorot_uniform"])
def test_class_names_and_snake_case_both_name_an_initializer(name):
    assert type(initializers.get(name)) is initializers.GlorotUniform


def test_functions_and_arrays_are_initializers_too():
    layer = Dense(2, kernel_initializer=lambda shape, dtype=None: np.full(shape, 7, dtype))
    layer.build((None, 3))
    np.testing.assert_array_equal(layer.get_weights()[0], np.full((3, 2), 7))
    layer = Dense(2, kernel_initializer=np.arange(6.0).reshape(3, 2))
    layer.build((None, 3))
    np.testing.assert_array_equal(layer.get_weights()[0], [[0, 1], [2, 3], [4, 5]])
    with pytest.raises(ValueError, match="expected"):
        Dense(2, kernel_initializer=np.zeros((4, 4))).build((None, 3))


@pytest.mark.parametrize(
    "initializer",
    [
        initializers.Constant([1.0, 2.0]), initializers.RandomUniform(-1, 1, seed=3),
        initializers.VarianceScaling(2.0, "fan_out", "uniform", seed=4), initializers.LecunNormal(seed=5),
    ],
)  # fmt: skip
def test_an_initializer_comes_back_from_its_configuration(initializer):
    copy = initializers.deserialize(initializers.serialize(initializer))
    np.testing.assert_array_equal(copy((4, 2)), initializer((4, 2)))


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: initializers.get("he_norml"), ValueError, "Did you mean 'he_normal'"),
        (lambda: initializers.get(0.5), ValueError, "expected a name"),
        (lambda: initializers.RandomNormal(std=1.0), TypeError, "Did you mean 'stddev'"),
        (lambda: initializers.RandomNormal(stddev=-1.0), ValueError, "stddev"),
        (lambda: initializers.RandomUniform(1.0, 0.0), ValueError, "minval"),
        (lambda: initializers.VarianceScaling(scale=0.0), ValueError, "scale"),
        (lambda: initializers.VarianceScaling(mode="fan"), ValueError, "fan_in"),
        (lambda: initializers.VarianceScaling(distribution="gamma"), ValueError, "uniform"),
        (lambda: initializers.HeNormal(seed=1.5), ValueError, "seed"),
    ],
)
def test_what_makes_no_initializer_is_refused(make, error, words):
    with pytest.raises(error, match=words):
        make()


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (2, 3, 5), (5, 5)])
def test_orthogonal_kernels_have_orthonormal_rows_or_columns_times_the_gain(shape):
    w = initializers.Orthogonal(gain=3.0, seed=2)(shape, dtype="float64").reshape(-1, shape[-1])
    gram = w.T @ w if w.shape[0] >= w.shape[1] else w @ w.T
    np.testing.assert_allclose(gram, 9 * np.eye(len(gram)), atol=1e-12)


def test_identity_is_the_identity_and_keeps_its_gain():
    made = initializers.get(initializers.serialize(initializers.Identity(gain=0.5)))
    np.testing.assert_array_equal(made((2, 3)), 0.5 * np.eye(2, 3))
    assert made((2, 2), dtype="float64").dtype == np.float64


@pytest.mark.parametrize(
    "name", ["orthogonal", "Orthogonal", "OrthogonalInitializer", "identity", "IdentityInitializer"]
)
def test_names_of_keras_for_matrices_are_known(name):
    assert initializers.get(name)((3, 3)).shape == (3, 3)


def test_matrices_of_shapes_that_are_none_are_refused():
    for maker, shape in ((initializers.Orthogonal(), (3,)), (initializers.Identity(), (2, 2, 2))):
        with pytest.raises(ValueError, match="expected a shape"):
            maker(shape)


def test_axes_of_inputs_and_outputs_can_be_named():
    options = {"scale": 3.0, "distribution": "uniform", "seed": 1, "input_axes": (0, 2), "output_axes": 1}
    made = initializers.VarianceScaling(**options)
    limit = np.abs(made((20, 500, 3))).max()
    assert 0.99 * (9 / 60) ** 0.5 < limit <= (9 / 60) ** 0.5
    again = initializers.get(initializers.serialize(made))
    np.testing.assert_array_equal(again((20, 5, 3)), made((20, 5, 3)))
    with pytest.raises(ValueError, match="both input_axes and output_axes"):
        initializers.HeNormal(input_axes=0)


@pytest.mark.parametrize("make", [lambda shape, dtype=None: np.full(shape, 0.5, dtype), np.full((2, 3), 0.5)])
def test_any_function_or_array_makes_a_kernel(make):
    layer = Dense(3, kernel_initializer=make)
    layer.build((None, 2))
    np.testing.assert_array_equal(layer.get_weights()[0], np.full((2, 3), 0.5))
