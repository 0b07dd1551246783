"""Element-wise activations and softmax."""

from __future__ import annotations

import numpy as np
import pytest

import harness
import reference
from harness import SIZES, Case
from hotloop import _core
from tolerances import assert_close

KINDS = sorted(reference.ACTIVATIONS)


PARAMETERS = {
    "leaky_relu": {"alpha": 0.2},
    "elu": {"alpha": 0.7},
    "celu": {"alpha": 0.7},
    "squareplus": {"alpha": 4.0},
    "soft_shrink": {"alpha": 0.5},
    "hard_shrink": {"alpha": 0.5},
    "threshold": {"alpha": 0.25, "beta": -2.0},
    "rectify": {"alpha": 0.25, "beta": 0.5, "gamma": 2.0},
}


def magnitude(x, kind):
    """What the rounding errors are small against: the result, and where parts of it cancel, those."""
    parameters = PARAMETERS.get(kind, {})
    y = np.abs(reference.activation(x, kind, **parameters))
    if kind in ("tanh_shrink", "soft_shrink", "rectify"):
        y = y + np.where(np.isfinite(x), np.abs(x), 0) + parameters.get("alpha", 0.0)
    return y * (1 + np.square(x)) if kind == "gelu_tanh" else y  # x^3 goes into an exponential


def activation(x, kind):
    attrs = {"kind": kind, **PARAMETERS.get(kind, {})}
    return Case("activation", [x], attrs, kind="activation", scale=lambda x: magnitude(x, kind))


def softmax(x):
    return Case("softmax", [x], kind="softmax", terms=x.shape[-1], scale=reference.softmax)


def glu(x, kind):
    return Case("glu", [x], {"kind": kind, **PARAMETERS.get(kind, {})}, kind="activation")


def test_every_activation_of_the_engine_has_an_oracle():
    assert sorted(_core.activation_names()) == KINDS


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("columns", SIZES)
def test_an_activation_and_its_gradient_are_right_for_every_width(kind, columns, dtype, rng):
    harness.check_op(activation(3 * rng.standard_normal((3, columns)), kind), dtype, rng, differences=columns <= 9)


@pytest.mark.parametrize("kind", KINDS)
def test_an_activation_is_right_near_zero_and_far_from_it(kind, dtype, rng):
    tiny = float(np.finfo(dtype).tiny)
    ends = np.array([0.0, tiny, 1e-30, 1e-12, 1e-6, 1e-3, 0.1, 0.625, 1, 5, 9, 17, 19, 30, 80, 88, 100, 700, 1e30])
    if kind == "exponential":
        ends = ends[: -1 if dtype == "float64" else -3]
    x = np.concatenate([-ends[::-1], ends]).reshape(2, -1)
    # a result below the smallest normal number may be flushed to zero
    case = activation(x, kind)
    base = case.scale
    floor = 32 * tiny / float(np.finfo(dtype).eps)
    harness.check_forward(harness.replace(case, scale=lambda x: base(x) + floor), dtype)


@pytest.mark.parametrize("kind", KINDS)
def test_an_activation_keeps_nan_and_has_its_limits_at_infinity(kind, dtype):
    ends = activation(np.array([[np.inf, -np.inf, 1.0]]), kind)
    harness.check_forward(harness.replace(ends, scale=lambda x: 4 * np.ones_like(x)), dtype)
    slopes = ends.typed(dtype).run(dtype=dtype, training=True).input_gradients[0]
    want = reference.activation_gradient(1.0, *ends.inputs, **ends.attrs)[0]
    assert_close(slopes, want, "activation", _core.row(dtype), dtype, scale=1.0)
    assert np.isnan(activation(np.array([[np.nan, 1.0]]), kind).typed(dtype).run(dtype=dtype).output[0, 0])


def test_the_slopes_at_zero_are_those_of_keras(dtype):
    zeros = np.zeros((1, 5), dtype)
    for kind, slope in (("relu", 0.0), ("leaky_relu", 1.0)):
        run = activation(zeros, kind).typed(dtype).run(dtype=dtype, training=True)
        np.testing.assert_array_equal(run.input_gradients[0], np.full((1, 5), slope))


@pytest.mark.parametrize("kind", ["elu", "tanh", "softplus", "gelu", "mish", "rectify"])
def test_an_activation_has_the_same_bits_for_any_team_and_batch(kind, dtype, rng):
    harness.check_team(activation(rng.standard_normal((301, 515)), kind), dtype, rng)
    harness.check_any_batch(activation(rng.standard_normal((13, 37)), kind), dtype)


def test_an_activation_takes_samples_of_any_rank(dtype, rng):
    harness.check_op(activation(rng.standard_normal((5, 3, 7)), "selu"), dtype, rng)


@pytest.mark.parametrize("columns", SIZES)
def test_softmax_and_its_gradient_are_right_for_any_number_of_classes(columns, dtype, rng):
    harness.check_op(softmax(3 * rng.standard_normal((4, columns))), dtype, rng, differences=columns <= 9)


@pytest.mark.parametrize("classes", [1, 3, 10, 33])
def test_softmax_of_rank_three_keeps_groups_apart(classes, dtype, rng):
    harness.check_op(softmax(rng.standard_normal((3, 4, classes))), dtype, rng)


def test_softmax_takes_large_logits(dtype):
    x = np.array([[1e4, 1e4 - 1, -1e4], [-1e30, 0.0, 1.0]])
    case = harness.replace(softmax(x), scale=None)
    harness.check_forward(case, dtype)


def test_softmax_has_the_same_bits_for_any_team_and_batch(dtype, rng):
    harness.check_team(softmax(rng.standard_normal((400, 301))), dtype, rng)
    harness.check_any_batch(softmax(rng.standard_normal((13, 10))), dtype)


@pytest.mark.parametrize("columns", SIZES)
@pytest.mark.parametrize("op", ["log_softmax", "sparsemax"])
def test_log_softmax_and_sparsemax_are_right_for_any_number_of_classes(op, columns, dtype, rng):
    case = Case(op, [rng.standard_normal((4, columns))], kind="softmax", terms=columns, scale=lambda x: 1 + np.abs(x))
    harness.check_forward(case, dtype)
    harness.check_backward(case, dtype, rng)
    if op == "log_softmax" and columns <= 9 and dtype == "float64":
        harness.check_finite_differences(case)


def test_sparsemax_finds_its_support_among_ties_and_large_scores(dtype):
    x = np.array([[1.0, 1.0, 1.0, 1.0], [1e4, 1e4, -1e4, 0.0], [0.3, 0.1, 0.6, -0.2], [5.0, 5.4, 4.5, 5.2]])
    case = Case("sparsemax", [x], kind="softmax", scale=lambda x: 1.0)
    harness.check_forward(case, "float64")
    got = case.typed(dtype).run(dtype=dtype).output
    np.testing.assert_allclose(got, reference.sparsemax(x), atol=1e-6)
    np.testing.assert_allclose(got.sum(-1), 1, rtol=1e-6)


def test_log_softmax_takes_large_logits_and_stays_exact_where_softmax_is_zero(dtype):
    x = np.array([[1e4, 1e4 - 1, -1e4], [-1e30, 0.0, 1.0], [200.0, 0.0, -200.0]])
    harness.check_forward(Case("log_softmax", [x], kind="softmax", scale=lambda x: 1 + np.abs(x)), dtype)


def test_row_functions_have_the_same_bits_for_any_team_and_batch(dtype, rng):
    for op in ("log_softmax", "sparsemax"):
        harness.check_team(Case(op, [rng.standard_normal((400, 301))]), dtype, rng)
        harness.check_any_batch(Case(op, [rng.standard_normal((13, 10))]), dtype)
    harness.check_team(glu(rng.standard_normal((401, 514)), "silu"), dtype, rng)
    harness.check_any_batch(glu(rng.standard_normal((13, 38)), "gelu"), dtype)


@pytest.mark.parametrize("kind", ["sigmoid", "silu", "gelu", "relu", "identity", "rectify"])
@pytest.mark.parametrize("columns", SIZES)
def test_a_gated_unit_and_its_gradient_are_right_for_every_width(kind, columns, dtype, rng):
    harness.check_op(glu(rng.standard_normal((3, 2 * columns)), kind), dtype, rng, differences=columns <= 9)
    harness.check_op(glu(rng.standard_normal((2, 3, 2 * columns)), kind), dtype, rng, differences=False)


def test_a_gated_unit_of_an_odd_width_is_taken():
    with pytest.raises(ValueError, match="even number of features"):
        harness.run_op("glu", [np.ones((2, 3))], {"kind": "sigmoid"})


@pytest.mark.parametrize(
    ("attrs", "words"),
    [
        ({"kind": "elu"}, "attribute alpha of elu"),
        ({"kind": "tanh", "alpha": 1.0}, "no attribute alpha of tanh"),
        ({"kind": "threshold", "alpha": 1.0}, "attribute beta of threshold"),
        ({"kind": "elu", "alpha": -1.0}, "alpha of at least 0"),
        ({"kind": "celu", "alpha": 0.0}, "above 0"),
        ({"kind": "rectify", "alpha": 1.0, "beta": np.inf}, "a finite beta"),
    ],
)
def test_parameters_that_a_function_has_not_are_taken(attrs, words):
    with pytest.raises(ValueError, match=words):
        harness.run_op("activation", [np.ones((1, 1))], attrs)


def test_an_activation_that_needs_its_input_is_fused_into_a_layer_that_keeps_its_output():
    with pytest.raises(ValueError, match="node of its own"):
        harness.run_op("dense", [np.ones((1, 2))], {"activation": "gelu"}, [np.ones((2, 2))])


@pytest.mark.parametrize("name", ["rleu", "RELU", ""])
def test_an_unknown_activation_is_refused(name):
    with pytest.raises(ValueError, match="expected the name of an activation"):
        activation(np.ones((1, 1)), "relu").run() and harness.run_op("activation", [np.ones((1, 1))], {"kind": name})
