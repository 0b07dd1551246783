"""The largest singular value of a kernel, divided out where the kernel lies."""

from __future__ import annotations

import numpy as np
import pytest

import reference
from hotloop import _core
from hotloop.testing import run_op
from tolerances import assert_close

SHAPES = [(1, 1), (3, 5), (5, 3), (7, 16), (7, 33), (300, 17), (17, 300), (1, 40), (40, 1), (64, 64)]


def divided(w, u, dtype, iterations=1, **options):
    return run_op("spectral_norm", [], {"iterations": iterations}, [w, u], dtype=dtype, **options).variables


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("iterations", [1, 2, 5])
def test_a_kernel_is_divided_by_what_the_power_method_finds(shape, iterations, dtype, rng):
    w, u = rng.standard_normal(shape).astype(dtype), 0.02 * rng.standard_normal((1, shape[1])).astype(dtype)
    want = reference.spectral_norm(w.astype(float), u.astype(float), iterations)
    for got, exact in zip(divided(w, u, dtype, iterations), want, strict=True):
        assert_close(got, exact, "norm", _core.row(dtype), dtype, sum(shape))


@pytest.mark.parametrize("shape", [(30, 7), (7, 30), (12, 12)], ids=str)
def test_steps_that_go_on_do_not_find_the_largest_singular_value(shape, dtype, rng):
    w, u = rng.standard_normal(shape), rng.standard_normal((1, shape[1]))
    got, vector = divided(w, u, dtype, 400)
    largest = np.linalg.svd(w, compute_uv=False)[0]
    np.testing.assert_allclose(got, w / largest, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(vector), 1, rtol=1e-5)


@pytest.mark.parametrize("scale", [1e-15, 1e12])
def test_small_and_large_kernels_come_out_alike(scale, rng):
    w, u = rng.standard_normal((9, 6)), rng.standard_normal((1, 6))
    want = divided(w, u, "float32", 3)
    for a, b in zip(divided(scale * w, u, "float32", 3), want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_a_kernel_of_zeros_becomes_something_else(dtype, rng):
    u = rng.standard_normal((1, 5)).astype(dtype)
    got = divided(np.zeros((3, 5)), u, dtype, 2)
    np.testing.assert_array_equal(got[0], np.zeros((3, 5)))
    np.testing.assert_array_equal(got[1], u)


def test_a_divided_kernel_has_other_bits_for_another_team(dtype, rng):
    w, u = rng.standard_normal((701, 515)), rng.standard_normal((1, 515))
    alone = divided(w, u, dtype, 2, n_threads=1)
    for team in (2, 3, 7):
        for a, b in zip(alone, divided(w, u, dtype, 2, n_threads=team), strict=True):
            assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize(
    ("w", "u", "attrs", "words"),
    [
        ((3,), (1, 3), {}, "shape .K, N."),
        ((3, 4), (1, 3), {}, "u of shape .1, 4."),
        ((3, 4), (1, 4), {"iterations": 0}, "at least one iteration"),
    ],
)
def test_what_has_no_singular_value_is_taken(w, u, attrs, words):
    with pytest.raises(ValueError, match=words):
        run_op("spectral_norm", [], attrs, [np.ones(w), np.ones(u)])
