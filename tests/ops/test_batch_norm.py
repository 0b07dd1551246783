"""Batch normalisation: training, inference, their gradients and the moving statistics."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

import harness
import reference
from harness import SIZES, Case
from hotloop import _core


def norm(rng, shape, training, axis=-1, center=True, scale=True, momentum=0.9, epsilon=1e-2, **activation):
    size = shape[axis]
    variables = [rng.standard_normal(size) + 2] * scale + [rng.standard_normal(size)] * center
    variables = [v.copy() for v in variables] + [rng.standard_normal(size), rng.random(size) + 0.5]
    attrs = {
        "axis": axis,
        "momentum": momentum,
        "epsilon": epsilon,
        "center": center,
        "scale": scale,
        "training": training,
        **activation,
    }
    return Case(
        "batch_norm",
        [1.5 * rng.standard_normal(shape) + 0.7],
        attrs,
        variables,
        trainable=[True] * (len(variables) - 2) + [False, False],
        kind="norm",
        gradient_kind="norm_gradient",
        terms=int(np.prod(shape)) // size,
    )


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("center", "scale"), list(itertools.product([True, False], repeat=2)))
def test_normalisation_and_its_gradient_are_right_with_and_without_gamma_and_beta(training, center, scale, dtype, rng):
    harness.check_op(norm(rng, (7, 5), training, center=center, scale=scale), dtype, rng)
    harness.check_op(norm(rng, (37, 40), training, center=center, scale=scale), dtype, rng, differences=False)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("columns", SIZES)
def test_normalisation_is_right_for_every_width(training, columns, dtype, rng):
    harness.check_op(norm(rng, (6, columns), training), dtype, rng, differences=False)


@pytest.mark.parametrize("rows", [2, 3, 4, 8, 31, 64, 131, 1000, 3000])
def test_normalisation_is_right_for_every_batch_size(rows, dtype, rng):
    harness.check_op(norm(rng, (rows, 9), True), dtype, rng, differences=False)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("shape", "axis"), [((6, 5), -1), ((5, 3, 4), 1), ((300, 40), -1)])
def test_an_activation_that_follows_is_applied_and_differentiated(shape, axis, training, dtype, rng):
    for activation in ({"activation": "elu", "alpha": 0.7}, {"activation": "tanh"}):
        case = norm(rng, shape, training, axis=axis, **activation)
        harness.check_op(case, dtype, rng, differences=np.prod(shape) < 100)


@pytest.mark.parametrize("axis", [-1, 1, 2, -2])
@pytest.mark.parametrize("training", [True, False])
def test_statistics_are_taken_over_all_axes_but_the_one_named(axis, training, dtype, rng):
    harness.check_op(norm(rng, (5, 3, 4), training, axis=axis), dtype, rng)


@pytest.mark.parametrize(("shape", "axis"), [((6, 5), -1), ((33, 40), -1), ((5, 3, 4), 1), ((5, 3, 4), 2)])
def test_moving_statistics_are_those_of_keras(shape, axis, dtype, rng):
    case = norm(rng, shape, True, axis=axis).typed(dtype)
    run = case.run(dtype=dtype, training=True)
    want = reference.batch_norm_moving(*case.exact(), **case.attrs)
    for got, moving in zip(run.variables[-2:], want, strict=True):
        harness.assert_close(got, moving, "norm", _core.row(dtype), dtype, case.terms)
    for got, kept in zip(run.variables[:-2], case.variables, strict=False):
        assert harness.same_bits(got, np.asarray(kept))


def test_inference_leaves_the_moving_statistics_alone(dtype, rng):
    case = norm(rng, (6, 5), False).typed(dtype)
    run = case.run(dtype=dtype, training=True)
    for got, kept in zip(run.variables, case.variables, strict=True):
        assert harness.same_bits(got, np.asarray(kept))


def test_statistics_that_are_kept_move_or_change_the_output(dtype, rng):
    case = norm(rng, (33, 40), True).typed(dtype)
    keeping = replace(case, attrs={**case.attrs, "keep": True})
    run, want = keeping.run(dtype=dtype, training=True), case.run(dtype=dtype, training=True)
    for got, kept in zip(run.variables, case.variables, strict=True):
        assert harness.same_bits(got, np.asarray(kept))
    assert harness.same_bits(run.output, want.output)
    assert harness.same_bits(run.input_gradients[0], want.input_gradients[0])


def test_a_batch_of_one_row_gives_beta_and_no_gradient(dtype, rng):
    case = norm(rng, (1, 6), True).typed(dtype)
    run = case.run(dtype=dtype, training=True)
    np.testing.assert_array_equal(run.output[0], case.variables[1])
    np.testing.assert_array_equal(run.input_gradients[0], np.zeros((1, 6)))


def test_the_variance_survives_a_large_mean(dtype, rng):
    """The one-pass formula E[x^2] - E[x]^2 loses every digit here."""
    case = norm(rng, (64, 8), True, epsilon=1e-3)
    offset = 1e3 if dtype == "float32" else 1e7
    case = harness.replace(case, inputs=[case.inputs[0] + offset]).typed(dtype)
    want = reference.batch_norm(*case.exact(), **case.attrs)
    got = case.run(dtype=dtype).output
    harness.assert_close(got, want, "norm", _core.row(dtype), dtype, 64, offset)


def test_a_constant_column_stays_finite(dtype, rng):
    case = norm(rng, (8, 5), True)
    case.inputs[0][:, 2] = 3.25
    harness.check_forward(case, dtype)


def test_normalisation_has_the_same_bits_for_any_team(dtype, rng):
    for training in (True, False):
        harness.check_team(norm(rng, (301, 515), training), dtype, rng)
    harness.check_team(norm(rng, (127, 33, 17), True, axis=1), dtype, rng)


def test_a_row_has_the_same_bits_in_any_batch(dtype, rng):
    harness.check_any_batch(norm(rng, (13, 37), False), dtype)
