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


def activation(x, kind):
    alpha = {"leaky_relu": 0.2, "elu": 0.7}.get(kind)
    return Case(
        "activation",
        [x],
        {"kind": kind} | ({} if alpha is None else {"alpha": alpha}),
        kind="activation",
        scale=lambda x: np.abs(reference.activation(x, kind, alpha or 0.0)),
    )


def softmax(x):
    return Case("softmax", [x], kind="softmax", terms=x.shape[-1], scale=reference.softmax)


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
    x = np.concatenate([-ends[::-1], ends]).reshape(2, -1)
    # a result below the smallest normal number may be flushed to zero
    case = activation(x, kind)
    base = case.scale
    floor = 4 * tiny / float(np.finfo(dtype).eps)
    harness.check_forward(harness.replace(case, scale=lambda x: base(x) + floor), dtype)


@pytest.mark.parametrize("kind", KINDS)
def test_an_activation_keeps_nan_and_has_its_limits_at_infinity(kind, dtype):
    ends = activation(np.array([[np.inf, -np.inf, 1.0]]), kind)
    harness.check_forward(harness.replace(ends, scale=lambda x: np.ones_like(x)), dtype)
    slopes = ends.typed(dtype).run(dtype=dtype, training=True).input_gradients[0]
    want = reference.activation_gradient(1.0, *ends.inputs, **ends.attrs)[0]
    assert_close(slopes, want, "activation", _core.row(dtype), dtype, scale=1.0)
    assert np.isnan(activation(np.array([[np.nan, 1.0]]), kind).typed(dtype).run(dtype=dtype).output[0, 0])


def test_the_slopes_at_zero_are_those_of_keras(dtype):
    zeros = np.zeros((1, 5), dtype)
    for kind, slope in (("relu", 0.0), ("leaky_relu", 1.0)):
        run = activation(zeros, kind).typed(dtype).run(dtype=dtype, training=True)
        np.testing.assert_array_equal(run.input_gradients[0], np.full((1, 5), slope))


@pytest.mark.parametrize("kind", ["elu", "tanh", "softplus"])
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


@pytest.mark.parametrize("name", ["rleu", "RELU", ""])
def test_an_unknown_activation_is_refused(name):
    with pytest.raises(ValueError, match="expected the name of an activation"):
        activation(np.ones((1, 1)), "relu").run() and harness.run_op("activation", [np.ones((1, 1))], {"kind": name})
