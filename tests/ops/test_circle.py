"""The circle loss: every pair of a batch, or of a batch and references, once."""

from __future__ import annotations

import numpy as np
import pytest

import harness
from harness import SIZES, Case


def embeddings(rng, rows, width):
    e = rng.standard_normal((rows, width))
    return e / np.linalg.norm(e, axis=1, keepdims=True)


def case(rng, rows, width, refs=None, labels=3, **attrs):
    """Beside other rows of the batch, or beside `refs` references without a batch."""
    e, r = embeddings(rng, rows, width), embeddings(rng, refs or rows, width)
    kinds, of_refs = (rng.integers(0, labels, n).astype(float) for n in (rows, refs or rows))
    if refs:
        inputs, variables, trainable, wrt = [e, kinds], [r, of_refs], [True, False], [0]
    else:
        inputs, variables, trainable, wrt = [e, kinds, r, of_refs], [], None, [0, 2]
    terms = (refs or rows) * 4 * int(attrs.get("gamma", 80))  # an error of the exponent is one of e^gamma
    return Case("circle", inputs, attrs, variables, trainable, wrt, "loss", "norm_gradient", terms)


@pytest.mark.parametrize("refs", [None, 5])
@pytest.mark.parametrize("attrs", [{}, {"gamma": 4.0}, {"gamma": 2.0, "margin": 0.1, "remove_diagonal": False}])
@pytest.mark.parametrize("width", [1, 3, 17])
def test_pairs_count_otherwise_than_in_the_formula(width, attrs, refs, dtype, rng):
    smooth = width > 1 and attrs.get("gamma", 80) < 10  # on a line vectors of length 1 meet, where max(1 - s, 0) bends
    harness.check_op(case(rng, 7, width, refs, **attrs), dtype, rng, smooth)


@pytest.mark.parametrize("rows", SIZES)
def test_a_batch_of_any_size_has_its_pairs(rows, dtype, rng):
    harness.check_forward(case(rng, rows, 5, gamma=3.0), dtype)
    if rows > 4:
        harness.check_backward(case(rng, rows, 5, gamma=3.0), dtype, rng)
        harness.check_backward(case(rng, 3, 5, refs=rows, gamma=3.0), dtype, rng)


@pytest.mark.parametrize("refs", [None, 301])
def test_pairs_have_the_same_bits_for_any_team(refs, dtype, rng):
    harness.check_team(case(rng, 403, 20, refs, gamma=8.0), dtype, rng)


def test_a_row_without_pairs_of_a_kind_has_a_loss_or_a_gradient(dtype):
    e = np.array([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]], dtype)
    for labels, lost in (([0, 1, 2], [True] * 3), ([4, 4, 4], [True] * 3), ([0, 0, 1], [False, False, True])):
        kinds = np.array(labels, dtype)
        upstream = np.ones(3, dtype)
        run = Case("circle", [e, kinds, e, kinds], {"gamma": 2.0}, wrt=[0]).run(
            dtype=dtype, training=True, upstream=upstream
        )
        np.testing.assert_array_equal(run.output == 0, lost)
        np.testing.assert_array_equal((run.input_gradients[0] == 0).all(1), lost)


def test_large_exponents_overflow(dtype):
    e = np.array([[1.0, 0.0], [-1.0, 0.0], [1.0, 0.0]], dtype)
    kinds = np.array([0, 0, 1], dtype)
    run = Case("circle", [e, kinds, e, kinds], {"gamma": 500.0}, wrt=[0]).run(
        dtype=dtype, training=True, upstream=np.ones(3, dtype)
    )
    np.testing.assert_allclose(run.output[:2], [500 * (2.4 * 1.6 + 1.4 * 0.6), 500 * 2.4 * 1.6], rtol=1e-2)
    assert np.isfinite(run.input_gradients[0]).all()


def test_a_nan_is_lost_among_the_pairs(dtype):
    e, kinds = np.array([[1.0, 0.0], [np.nan, 1.0], [0.0, 1.0]], dtype), np.array([0, 0, 1], dtype)
    assert np.isnan(Case("circle", [e, kinds, e, kinds]).run(dtype=dtype).output).all()


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ([np.ones((2, 3)), np.ones(2), np.ones((2, 4)), np.ones(2)], "reference embeddings of width 3"),
        ([np.ones((2, 3, 1)), np.ones(2), np.ones((2, 3)), np.ones(2)], "embeddings"),
        ([np.ones((2, 3)), np.ones((2, 3)), np.ones((2, 3)), np.ones(2)], "one label for each row"),
    ],
)
def test_embeddings_that_cannot_be_compared_are_refused(inputs, said):
    with pytest.raises(ValueError, match=rf"\[circle 'arrays'\] expected .*{said}"):
        Case("circle", inputs).run()
