"""Dense layers whose weights are stored in one or two bytes: exact sums, the same bits in any batch, gradients."""

from __future__ import annotations

import numpy as np
import pytest

import harness
from hotloop import _core
from hotloop.layers.quantization import abs_max_quantize
from hotloop.testing import OpRunner, run_op
from hotloop.variable import rounded_to_bfloat16
from tolerances import assert_close

SHAPES = [(1, 1, 1), (1, 7, 16), (2, 16, 17), (3, 33, 5), (5, 1, 40), (9, 64, 31), (17, 130, 48), (4, 301, 100)]
HALVES = ("bfloat16", "float16")


def quantized_rows(x):
    """Keras's `abs_max_quantize` of each row, in x's own precision."""
    scale = x.dtype.type(127) / (np.abs(x).max(axis=1, keepdims=True) + x.dtype.type(1e-7))
    return np.clip(np.round(x * scale), -127, 127).astype(np.int64), scale


def int8_product(x, w, t, b=None):
    q, s = quantized_rows(x)
    y = (q @ w.astype(np.int64)).astype(x.dtype) / (s * t)
    return y if b is None else y + b


def rounded(w, kind):
    return rounded_to_bfloat16(w) if kind == "bfloat16" else w.astype(np.float16).astype(np.float32)


def int8_arguments(rng, dtype, m, k, n):
    w, t = abs_max_quantize(rng.standard_normal((k, n)))
    x, b = rng.standard_normal((m, k)).astype(dtype), rng.standard_normal(n).astype(dtype)
    return x, w, t.astype(dtype), b


@pytest.mark.parametrize(("m", "k", "n"), SHAPES)
def test_int8_sums_are_exact_and_the_bits_are_kerass_formulas(m, k, n, dtype, rng):
    x, w, t, b = int8_arguments(rng, dtype, m, k, n)
    x[0] *= 0  # a row of zeros is one of zeros
    got = run_op("compact_dense", [x], {}, [w, t, b], dtype=dtype, stored=["int8", "", ""]).output
    assert harness.same_bits(got, int8_product(x, w, t, b))
    got = run_op("compact_dense", [x], {}, [w, t], dtype=dtype, stored=["int8", ""]).output
    assert harness.same_bits(got, int8_product(x, w, t))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 3, 36])
def test_what_is_not_a_number_spoils_its_row_and_no_other(bad, place, dtype, rng):
    x, w, t, b = int8_arguments(rng, dtype, 3, 37, 20)
    want = int8_product(x, w, t, b)
    x[1, place] = bad
    x[1, -1] += 5  # a larger one behind it hides nothing
    got = run_op("compact_dense", [x], {}, [w, t, b], dtype=dtype, stored=["int8", "", ""]).output
    assert np.isnan(got[1]).all()
    assert harness.same_bits(got[[0, 2]], want[[0, 2]])


def test_the_largest_int8_sums_stay_within_32_bits():
    k = 1 << 17
    x, w = np.ones((2, k), np.float32), np.full((k, 3), 127, np.int8)
    got = run_op("compact_dense", [x], {}, [w, np.ones(3)], stored=["int8", ""]).output
    assert harness.same_bits(got, int8_product(x, w, np.ones(3, np.float32)))
    with pytest.raises(ValueError, match="131072 features"):
        run_op("compact_dense", [np.ones((1, k + 1))], {}, [np.ones((k + 1, 1)), np.ones(1)], stored=["int8", ""])


@pytest.mark.parametrize("kind", HALVES)
@pytest.mark.parametrize(("m", "k", "n"), SHAPES)
def test_products_by_16_bit_weights_are_right(kind, m, k, n, dtype, rng):
    x, w, b = (rng.standard_normal(s).astype(np.float32).astype(dtype) for s in ((m, k), (k, n), (n,)))
    got = run_op("compact_dense", [x], {"activation": "relu"}, [w, b], dtype=dtype, stored=[kind, ""]).output
    want = np.maximum(x.astype(float) @ rounded(w, kind) + b, 0)
    magnitude = np.abs(x).astype(float) @ np.abs(rounded(w, kind)) + np.abs(b)
    assert_close(got, want, "product", _core.row(dtype), dtype, k, magnitude)


@pytest.mark.parametrize("kind", HALVES)
def test_every_16_bit_number_comes_back_as_it_went_in(kind, dtype):
    bits = np.arange(1 << 16, dtype=np.uint16)
    numbers = (bits.astype(np.uint32) << 16).view(np.float32) if kind == "bfloat16" else bits.view(np.float16)
    numbers = numbers[np.isfinite(numbers)].astype(np.float32)
    numbers = numbers[: len(numbers) // 16 * 16].reshape(-1, 16).astype(dtype)
    runner = OpRunner("compact_dense", [np.ones((1, len(numbers)))], {}, [numbers], dtype=dtype, stored=[kind])
    np.testing.assert_array_equal(runner.trainer.get(0), numbers)
    # through the multipliers too, one row at a time; what is below the normal floats is flushed
    normal = np.abs(numbers) >= np.finfo(np.float32).tiny
    for first in range(0, len(numbers), 997):
        one = np.zeros((1, len(numbers)), dtype)
        one[0, first] = 1
        got = runner.run([one]).output[0]
        np.testing.assert_array_equal(got[normal[first]], numbers[first][normal[first]])


@pytest.mark.parametrize("kind", HALVES)
def test_numbers_are_rounded_to_the_nearest_and_ties_to_even(kind, rng):
    w = np.concatenate(
        [rng.standard_normal(4000), rng.standard_normal(4000) * 1e-6, [1 + 2**-9, 1 + 3 * 2**-9, 65519.9]]
    )
    w = np.concatenate([w, [1 + 2**-12, 1 + 3 * 2**-12, 3e-8, 2.9e-8]]).astype(np.float32)
    w = w[: len(w) // 16 * 16].reshape(-1, 16)
    runner = OpRunner("compact_dense", [np.ones((1, len(w)))], {}, [w], stored=[kind])
    np.testing.assert_array_equal(runner.trainer.get(0), rounded(w, kind))


@pytest.mark.parametrize("kind", ["int8", *HALVES])
def test_a_row_has_the_same_bits_in_any_batch_and_for_any_team(kind, dtype, rng):
    x, w, t, b = int8_arguments(rng, dtype, 203, 301, 130)
    variables, stored = ([w, t, b], ["int8", "", ""]) if kind == "int8" else ([w * 0.01, b], [kind, ""])
    options = {"dtype": dtype, "stored": stored}
    whole = run_op("compact_dense", [x], {"activation": "tanh"}, variables, **options).output
    for more in ({"batch_size": 1}, {"batch_size": 7}, {"n_threads": 1}, {"n_threads": 3}, {"max_rows": 1000}):
        again = run_op("compact_dense", [x], {"activation": "tanh"}, variables, **options, **more).output
        assert harness.same_bits(whole, again), more


@pytest.mark.parametrize("kind", ["int8", *HALVES])
@pytest.mark.parametrize("shape", [(5, 37), (3, 4, 37)])
def test_gradients_pass_through_to_the_input_and_the_bias(kind, shape, dtype, rng):
    w, t = abs_max_quantize(rng.standard_normal((37, 21)))
    x, b = rng.standard_normal(shape).astype(dtype), rng.standard_normal(21).astype(dtype)
    variables, stored = ([w, t.astype(dtype), b], ["int8", "", ""]) if kind == "int8" else ([w * 0.01, b], [kind, ""])
    trainable = [False, False, True] if kind == "int8" else [False, True]
    dy = rng.standard_normal((*shape[:-1], 21)).astype(dtype)
    run = run_op(
        "compact_dense", [x], {}, variables, dtype=dtype, stored=stored, trainable=trainable, training=True, upstream=dy
    )
    floats = w / t.astype(float) if kind == "int8" else rounded((w * 0.01).astype(np.float32), kind)
    assert_close(run.input_gradients[0], dy.astype(float) @ floats.T, "product", _core.row(dtype), dtype, 21)
    assert_close(
        run.variable_gradients[-1], dy.astype(float).reshape(-1, 21).sum(0), "sum", _core.row(dtype), dtype, 15
    )


@pytest.mark.parametrize(
    ("variables", "stored", "message"),
    [
        ([np.ones((3, 2))], [""], "int8, bfloat16 or float16"),
        ([np.ones((3, 2))], ["int8"], "scales"),
        ([np.ones((4, 2))], ["float16"], "4 features"),
        ([np.ones((3, 2)), np.ones(3)], ["float16", ""], "a bias of shape"),
        ([np.ones((3, 2)), np.ones(3)], ["int8", ""], "scales of shape"),
        ([np.ones(3)], ["float16"], "two axes"),
    ],
)
def test_weights_that_do_not_fit_are_refused(variables, stored, message):
    with pytest.raises(ValueError, match=message):
        run_op("compact_dense", [np.zeros((2, 3))], {}, variables, stored=stored)


def test_other_ops_refuse_weights_that_are_stored_otherwise():
    with pytest.raises(ValueError, match="expected weights of float32, received 'v0' of int8"):
        run_op("dense", [np.zeros((2, 3))], {}, [np.ones((3, 2))], stored=["int8"])


def test_weights_that_are_stored_otherwise_are_not_trained():
    with pytest.raises(ValueError, match="not trained"):
        run_op("compact_dense", [np.zeros((2, 3))], {}, [np.ones((3, 2))], stored=["float16"], trainable=[True])
